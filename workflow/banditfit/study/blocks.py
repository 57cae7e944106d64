"""A stored data set and its fits, some episodes at a time: memory stays flat however many there are."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from ..files import intact
from .store import read_table


def episode_blocks(paths: Iterable[str | Path], size: int) -> list[range]:
    """The episodes from 0 to the last that these tables (named as for `fit_blocks`) hold, in blocks of `size`."""
    stop = max(_reach(Path(path)).stop for path in paths)
    return [range(first, min(first + size, stop)) for first in range(0, stop, size)]


def _reach(path: Path) -> range:
    """The episodes of a table of fits, which its name tells."""
    first, last = map(int, path.stem.split("-"))
    return range(first, last + 1)


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
