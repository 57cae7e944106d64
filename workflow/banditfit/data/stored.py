"""A data set on disk, whole or some episodes at a time: memory stays flat however many there are.

A Parquet file with one row per episode, PART of them in a row group. What an episode has per step, and its true parameters, are
lists of as many numbers in each row; their shapes, and what holds of the whole data set, stand in the file's metadata.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError
from ..files import check_seal, naming_damage
from ..parameters import Bounds
from ..parquet import write_parts
from .dataset import OPTIONAL_FIELDS, Dataset, Truth

PART = 1000  # episodes of a row group, and of `parts`
EPISODE_FIELDS = ("choices", "rewards", "starts", "n_steps", "episodes", "ids")
TRUTH = tuple(f"true_{field}" for field in Truth.__dataclass_fields__)
# What is kept in fewer bytes than it has in memory.
SMALLER = {"choices": np.int32, "n_steps": np.int32, "states": np.int32}


def save(data: Dataset | Iterable[Dataset], path: str | Path) -> None:
    """Writes a data set, whole or part after part (at least one, which must agree in all but their episodes), with no more than
    one part held at a time."""
    whole = [data] if isinstance(data, Dataset) else data
    pieces = (part.select(slice(at, at + PART)) for part in whole for at in range(0, max(len(part), 1), PART))
    first = next(pieces)
    tables = (_table(part) for part in chain([first], pieces))
    # Numbers that hardly repeat take least room with their bytes sorted by place.
    numbers = [f"{name}.list.element" for name in TRUTH if name != "true_nll"]
    split = [*numbers, "true_nll"] if first.truth is not None else []
    repeated = [name for name in _arrays(first) if name not in ("episodes", "ids", *TRUTH)]
    flat = {name: array.ndim == 1 for name, array in _arrays(first).items()}
    others = [name if flat[name] else f"{name}.list.element" for name in repeated]
    write_parts(tables, path, {"dataset": json.dumps(_about(first))}, use_dictionary=others, use_byte_stream_split=split)


def _arrays(data: Dataset) -> dict[str, np.ndarray]:
    """What a data set has for each episode, (episodes, ...)."""
    named = {name: getattr(data, name) for name in (*EPISODE_FIELDS, *OPTIONAL_FIELDS)}
    if data.truth is not None:
        named |= {name: getattr(data.truth, name.removeprefix("true_")) for name in TRUTH}
    return {
        name: array.astype(SMALLER.get(name, array.dtype), copy=False) for name, array in named.items() if array is not None
    }


def _about(data: Dataset) -> dict[str, Any]:
    """What holds of the whole data set."""
    return {
        "name": data.name,
        "n_arms": data.n_arms,
        "model": data.model,
        "bounds": None if data.bounds is None else data.bounds.text(),
        "notes": list(data.notes),
        "reward_scale": data.reward_scale,
        "shapes": {name: list(array.shape[1:]) for name, array in _arrays(data).items()},
    }


def _table(data: Dataset) -> pa.Table:
    return pa.table({name: _column(array) for name, array in _arrays(data).items()})


def _column(array: np.ndarray) -> pa.Array:
    if array.ndim == 1:
        return pa.array(array)
    width = int(np.prod(array.shape[1:], dtype=int))
    ends = np.arange(len(array) + 1, dtype=np.int32) * np.int32(width)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.ascontiguousarray(array).ravel()))


class _Stored:
    """An open file of a data set."""

    def __init__(self, path: str | Path):
        check_seal(path)
        self.path = path
        self.file = pq.ParquetFile(path, page_checksum_verification=True)
        self.about = json.loads((self.file.schema_arrow.metadata or {})[b"dataset"])
        sizes = [self.file.metadata.row_group(k).num_rows for k in range(self.file.num_row_groups)]
        self.ends = np.cumsum(sizes)
        self.count = self.file.metadata.num_rows

    def rows(self, block: range, names: Iterable[str]) -> dict[str, Any]:
        """Those of these arrays that the file has, for the rows of a block."""
        known = [name for name in names if name in self.about["shapes"]]
        first, last = np.searchsorted(self.ends, [block.start, max(block.stop - 1, block.start)], side="right")
        groups = list(range(first, min(last + 1, len(self.ends))))
        begin = block.start - (self.ends[first - 1] if first else 0)
        found = self.file.read_row_groups(groups, columns=known).slice(begin, len(block))
        return {name: self._array(name, found[name]) for name in known}

    def _array(self, name: str, column: pa.ChunkedArray) -> np.ndarray:
        shape = self.about["shapes"][name]
        if name == "ids":
            return np.array(column.to_pylist(), dtype=str)
        values = column.combine_chunks()
        # What is flattened is what the slice holds. Booleans are bits in Arrow, and are copied.
        flat = (values.flatten() if shape else values).to_numpy(zero_copy_only=False)
        return flat.reshape(len(column), *shape)

    def dataset(self, arrays: dict[str, Any]) -> Dataset:
        truth = {name: arrays.pop(name) for name in TRUTH if name in arrays}
        about: dict[str, Any] = {name: value for name, value in self.about.items() if name not in ("bounds", "notes", "shapes")}
        return Dataset(
            **about,
            **arrays,
            bounds=None if self.about["bounds"] is None else Bounds.read(self.about["bounds"]),
            notes=tuple(self.about["notes"]),
            truth=Truth(**{name.removeprefix("true_"): array for name, array in truth.items()}) if truth else None,
        )


def load(path: str | Path) -> Dataset:
    """Reads what `save` wrote. Raises ValueError, or what pyarrow raises, at damage."""
    stored = _Stored(path)
    return stored.dataset(stored.rows(range(stored.count), stored.about["shapes"]))


def data_blocks(path: str | Path, blocks: Iterable[range], truth: bool = True) -> Iterator[Dataset]:
    """The episodes of each block, from a file that `save` wrote of episodes numbered from 0, of which only the row groups that
    hold them are read; without what only a simulator knows if not `truth`. Raises InputError for a damaged file and for an
    episode that it does not hold."""
    with naming_damage(path):
        stored = _Stored(path)
        names = (*EPISODE_FIELDS, *OPTIONAL_FIELDS, *(TRUTH if truth else ()))
        for block in blocks:
            if block.stop > stored.count:
                raise InputError(f"{path}: has {stored.count} episodes, expected {block.stop} or more")
            yield stored.dataset(stored.rows(block, names))


def parts(path: str | Path, truth: bool = True) -> Iterator[Dataset]:
    """All episodes of a file that `save` wrote, PART of them at a time. Raises InputError for a damaged file."""
    with naming_damage(path):
        count = pq.read_metadata(path).num_rows
    yield from data_blocks(path, [range(at, min(at + PART, count)) for at in range(0, count, PART)], truth)


def beginning(path: str | Path, count: int) -> Dataset:
    """The first `count` episodes of a file that `save` wrote, all if it has no more. Raises InputError for a damaged file."""
    with naming_damage(path):
        known = pq.read_metadata(path).num_rows
    (data,) = data_blocks(path, [range(min(count, known))])
    return data


def outline(path: str | Path) -> Dataset:
    """A data set without its steps, of which every episode has one, a missed trial: its name, arms, model, bounds and size of
    rewards, the episodes with their ids, and their true parameters. Raises InputError for a damaged file."""
    with naming_damage(path):
        stored = _Stored(path)
        arrays = stored.rows(range(stored.count), ("episodes", "ids", "true_alpha", "true_beta", "true_nll"))
    n = stored.count
    arrays |= {"choices": np.full((n, 1), -1), "rewards": np.zeros((n, 1))}
    if "true_alpha" in arrays:
        arrays["true_values"] = np.empty((n, 0, 0))
    return stored.dataset(arrays)
