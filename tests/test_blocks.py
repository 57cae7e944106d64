"""Some episodes at a time give what all of them give at once."""

import zipfile

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.data.dataset import Truth
from banditfit.data.stored import data_blocks, save
from banditfit.errors import InputError
from banditfit.study.blocks import episode_blocks, fit_blocks
from banditfit.study.store import write_table
from conftest import make

FIELDS = ("choices", "rewards", "starts", "n_steps", "episodes", "ids")


@pytest.fixture
def stored(small, tmp_path):
    save(small, tmp_path / "data.npz")
    return small, tmp_path / "data.npz"


@pytest.mark.parametrize("blocks", [[range(3)], [range(1), range(1, 3)], [range(1, 2)], [range(1), range(2, 3)]])
@pytest.mark.parametrize("truth", [True, False])
def test_blocks_of_a_data_set_are_its_selections(stored, blocks, truth):
    whole, path = stored
    for block, part in zip(blocks, data_blocks(path, blocks, truth), strict=True):
        expected = whole.select(block)
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(part, field), getattr(expected, field))
        assert (part.name, part.n_arms, part.model, part.bounds) == (whole.name, whole.n_arms, whole.model, whole.bounds)
        assert (part.truth is not None) == truth
        for field in Truth.__dataclass_fields__ if truth else ():
            np.testing.assert_array_equal(getattr(part.truth, field), getattr(expected.truth, field))


def test_data_without_truth_or_bounds(tmp_path):
    plain = bf.Dataset("plain", np.array([[0, 1], [1, -1]]), np.zeros((2, 2)), 2, n_steps=np.array([2, 1]), ids=["anna", "bo"])
    save(plain, tmp_path / "data.npz")
    (part,) = data_blocks(tmp_path / "data.npz", [range(1, 2)])
    assert part.truth is None and part.bounds is None and part.ids.tolist() == ["bo"] and part.n_steps.tolist() == [1]


def test_too_few_episodes_and_damage_are_named(stored):
    _, path = stored
    with pytest.raises(InputError, match="has 3 episodes, expected 4 or more"):
        list(data_blocks(path, [range(2), range(2, 4)]))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged file"):
        list(data_blocks(path, [range(3)]))


def test_judged_in_blocks_as_at_once(tmp_path):
    whole = make("forgetting", n_episodes=7)
    save(whole, tmp_path / "data.npz")
    tables = {
        ("d_loc", "0000-0003"): bf.fit(whole, "forgetting", "d_loc", range(4), {"starts": 1}),
        ("d_loc", "0004-0006"): bf.fit(whole, "forgetting", "d_loc", range(4, 7), {"starts": 1}),
        ("gem", "0000-0006"): bf.fit(whole, "forgetting", "gem"),
        ("hull", "0000-0001"): bf.fit(whole, "forgetting", "hull", range(2)),
    }
    paths = [tmp_path / method / f"{batch}.parquet" for method, batch in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        write_table(table, path)
    blocks = episode_blocks(paths, 2)
    assert blocks == [range(2), range(2, 4), range(4, 6), range(6, 7)]
    pairs = zip(data_blocks(tmp_path / "data.npz", blocks), fit_blocks(paths, blocks), strict=True)
    parts = pd.concat([bf.score(dataset, fits) for dataset, fits in pairs], ignore_index=True)
    at_once = bf.score(whole, pd.concat(tables.values(), ignore_index=True))
    order = ["episode", "method"]
    parts, at_once = (table.sort_values(order, ignore_index=True) for table in (parts, at_once))
    assert len(parts) == 16 and repr(parts.to_dict()) == repr(at_once.to_dict())


def test_damage_beyond_the_last_block_is_named_too(tmp_path):
    path = tmp_path / "data.npz"
    save(make("forgetting", n_episodes=200), path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("rewards.npy")
    content[member.header_offset + member.compress_size - 20] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged file"):
        list(data_blocks(path, [range(1)]))
