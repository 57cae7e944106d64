"""Some episodes at a time give what all of them give at once."""

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.data.dataset import Truth
from banditfit.data.stored import beginning, data_blocks, load, outline, parts, save
from banditfit.errors import InputError
from banditfit.models.simulate import simulated_parts
from banditfit.study.blocks import episode_blocks, fit_blocks
from banditfit.study.store import write_table
from conftest import make

FIELDS = ("choices", "rewards", "starts", "n_steps", "episodes", "ids")


def assert_same(one: bf.Dataset, other: bf.Dataset) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    for field in Truth.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one.truth, field), getattr(other.truth, field))
    for field in ("name", "n_arms", "model", "bounds", "notes", "reward_scale"):
        assert getattr(one, field) == getattr(other, field)


@pytest.fixture
def stored(small, tmp_path):
    save(small, tmp_path / "data.parquet")
    return small, tmp_path / "data.parquet"


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


def test_a_data_set_written_in_parts_is_the_whole(small, tmp_path, monkeypatch):
    monkeypatch.setattr("banditfit.data.stored.PART", 2)
    save((small.select([number]) for number in small.episodes), tmp_path / "parts.parquet")
    whole, first = load(tmp_path / "parts.parquet"), beginning(tmp_path / "parts.parquet", 2)
    assert_same(whole, small)
    assert_same(first, small.select([0, 1]))
    assert_same(beginning(tmp_path / "parts.parquet", 9), small)
    assert [len(part) for part in parts(tmp_path / "parts.parquet")] == [2, 1]
    short = outline(tmp_path / "parts.parquet")
    for field in ("episodes", "ids"):
        np.testing.assert_array_equal(getattr(short, field), getattr(small, field))
    for field in ("alpha", "beta", "nll"):
        np.testing.assert_array_equal(getattr(short.truth, field), getattr(small.truth, field))
    assert (short.name, short.bounds, short.reward_scale, short.choices.shape) == (small.name, small.bounds, 1.0, (3, 1))


def test_what_is_simulated_in_parts_is_what_is_simulated_at_once():
    how = {"p_reward": (0.8, 0.4), "p_switch": 0.1, "n_steps": 20, "n_episodes": 5, "seed": 3, "beta": ((0.0, 5.0),)}
    whole = bf.simulate("any", "per_arm", **how)
    pieces = list(simulated_parts("any", "per_arm", 2, alpha=(0.0, 1.0), initial_value=0.0, **how))
    assert [len(piece) for piece in pieces] == [2, 2, 1]
    for piece in pieces:
        assert_same(piece, whole.select(piece.episodes))


def test_data_without_truth_or_bounds(tmp_path):
    plain = bf.Dataset("plain", np.array([[0, 1], [1, -1]]), np.zeros((2, 2)), 2, n_steps=np.array([2, 1]), ids=["anna", "bo"])
    save(plain, tmp_path / "data.parquet")
    (part,) = data_blocks(tmp_path / "data.parquet", [range(1, 2)])
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
    save(whole, tmp_path / "data.parquet")
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
    pairs = zip(data_blocks(tmp_path / "data.parquet", blocks), fit_blocks(paths, blocks), strict=True)
    parts = pd.concat([bf.score(dataset, fits) for dataset, fits in pairs], ignore_index=True)
    at_once = bf.score(whole, pd.concat(tables.values(), ignore_index=True))
    order = ["episode", "method"]
    parts, at_once = (table.sort_values(order, ignore_index=True) for table in (parts, at_once))
    assert len(parts) == 16 and repr(parts.to_dict()) == repr(at_once.to_dict())


def test_damage_beyond_the_last_block_is_named_too(tmp_path):
    path = tmp_path / "data.parquet"
    save(make("forgetting", n_episodes=200), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged file"):
        list(data_blocks(path, [range(1)]))
