"""A stored data set and its fits, some episodes at a time: memory stays flat however many there are."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from .data import Dataset, Truth, largest_reward
from .errors import InputError
from .models import Bounds
from .stored import intact, naming_damage
from .tables import read_table

EPISODE_FIELDS = ("choices", "rewards", "starts", "n_steps", "episodes", "ids")
SKIP = 1 << 20  # bytes that are read over at once


def episode_blocks(paths: Iterable[str | Path], size: int) -> list[range]:
    """The episodes from 0 to the last that these tables (named as for `fit_blocks`) hold, in blocks of `size`."""
    stop = max(_reach(Path(path)).stop for path in paths)
    return [range(first, min(first + size, stop)) for first in range(0, stop, size)]


def _reach(path: Path) -> range:
    """The episodes of a table of fits, which its name tells."""
    first, last = map(int, path.stem.split("-"))
    return range(first, last + 1)


def data_blocks(path: str | Path, blocks: Iterable[range], truth: bool = True) -> Iterator[Dataset]:
    """The episodes of each block, from a file that `data.save` wrote of episodes numbered from 0; without what only a
    simulator knows if not `truth`.

    The blocks must come in order and not overlap: the file is read once, and to its end, where the sums that it was stored
    with are compared. Raises InputError for a damaged file and for an episode that it does not hold.
    """
    with naming_damage(path), zipfile.ZipFile(path) as archive, ExitStack() as opened:
        held = {name.removesuffix(".npy") for name in archive.namelist()}
        read = lambda name: np.lib.format.read_array(opened.enter_context(archive.open(f"{name}.npy")))  # noqa: E731
        bounds = None
        if "bounds_alpha" in held:
            bounds = Bounds(tuple(read("bounds_alpha").tolist()), tuple(map(tuple, read("bounds_beta").tolist())))
        fixed = {
            "name": str(read("name")),
            "n_arms": int(read("n_arms")),
            "model": str(read("model")) or None,
            "bounds": bounds,
            "notes": tuple(read("notes").tolist()) if "notes" in held else (),
            # Files of earlier versions hold no scale; that of the whole is not that of a part.
            "reward_scale": float(
                read("reward_scale") if "reward_scale" in held else largest_reward(read("choices"), read("rewards"))
            ),
        }
        known = [f"true_{field}" for field in Truth.__dataclass_fields__] if truth and "true_alpha" in held else []
        rows = {name: _Rows(opened.enter_context(archive.open(f"{name}.npy"))) for name in (*EPISODE_FIELDS, *known)}
        for block in blocks:
            if block.stop > rows["episodes"].count:
                raise InputError(f"{path}: has {rows['episodes'].count} episodes, expected {block.stop} or more")
            part = {name: array.take(block) for name, array in rows.items()}
            held_truth = Truth(**{name.removeprefix("true_"): part.pop(name) for name in known}) if known else None
            yield Dataset(**fixed, truth=held_truth, **part)
        for array in rows.values():
            array.finish()


class _Rows:
    """The rows of a stored array, read from the first to the last."""

    def __init__(self, file: IO[bytes]):
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        (self.count, *inner), _, self.dtype = read_header(file)
        self.inner = tuple(inner)
        self.bytes = self.dtype.itemsize * int(np.prod(inner, dtype=int))
        self.file = file
        self.next = 0

    def take(self, block: range) -> np.ndarray:
        """The rows of `block`, shape (len(block), ...); those before it are passed over."""
        waste = (block.start - self.next) * self.bytes
        while waste > 0:
            waste -= len(self.file.read(min(waste, SKIP)))
        self.next = block.stop
        return np.frombuffer(self.file.read(len(block) * self.bytes), self.dtype).reshape(len(block), *self.inner)

    def finish(self) -> None:
        """Reads over what is left."""
        while self.file.read(SKIP):
            pass


def fit_blocks(paths: Iterable[str | Path], blocks: Iterable[range]) -> Iterator[pd.DataFrame]:
    """The fits of the episodes of each block, from tables named by their first and last episode (such as 0025-0049.parquet),
    in the order of `paths`. The blocks must come in order; a table that reaches over several is read once. Raises InputError
    for a damaged table."""
    reach = {path: _reach(path) for path in map(Path, paths)}
    read: dict[Path, pd.DataFrame] = {}
    for block in blocks:
        parts = []
        for path, episodes in reach.items():
            if episodes.start < block.stop and block.start < episodes.stop:
                if path not in read:
                    read[path] = intact(read_table, path)
                parts.append(read[path][read[path]["episode"].between(block.start, block.stop - 1)])
        read = {path: table for path, table in read.items() if reach[path].stop > block.stop}
        yield pd.concat(parts, ignore_index=True)
