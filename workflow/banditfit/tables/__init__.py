"""The tables that follow from the scores, the data and what experiments have found. A module here that has a list `TABLES` is
found by its name.
"""

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..study.cases import Cases
from ..study.entries import Run
from ..study.store import read_csv, write_csv

if TYPE_CHECKING:
    from ..study.results import Results


@dataclass(frozen=True)
class Maker:
    """Tables that are made together: their `names`; `make`, which gives them in this order and may ask `results.tables` for
    others; and whether a study of these runs and cases has them, by default if it fits data sets at all."""

    names: tuple[str, ...]
    make: Callable[["Results"], tuple[pd.DataFrame, ...]]
    wanted: Callable[[Iterable[Run], Cases], bool] = lambda runs, cases: bool(cases)


@cache
def _makers() -> tuple[Maker, ...]:
    modules = [import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return tuple(maker for module in modules for maker in getattr(module, "TABLES", ()))


def table_names(runs: Iterable[Run], cases: Cases) -> list[str]:
    """The tables that follow from the scores of a study of these runs and cases."""
    runs = list(runs)
    return sorted(name for maker in _makers() if maker.wanted(runs, cases) for name in maker.names)


class Tables(Mapping[str, pd.DataFrame]):
    """The tables of a study, by name, each made when it is first asked for and written to `folder`, and as it stands there;
    `found` are those that experiments have made. `results` must be told before any is asked for."""

    def __init__(self, folder: str | Path, names: Iterable[str], found: Mapping[str, pd.DataFrame]):
        self.folder = Path(folder)
        self.results: Results | None = None
        self._makers = {name: maker for maker in _makers() for name in maker.names if name in set(names)}
        self._made: dict[str, pd.DataFrame] = {}
        self._written = dict(found)

    def exact(self, name: str) -> pd.DataFrame:
        """A table with all the digits it was made with."""
        if name not in self._made:
            maker = self._makers[name]
            self._made |= zip(maker.names, maker.make(self.results), strict=True)
        return self._made[name]

    def add(self, name: str, table: pd.DataFrame) -> None:
        """Adds a table that was made elsewhere, and writes it."""
        write_csv(table, self.folder / f"{name}.csv")
        self._written[name] = read_csv(self.folder / f"{name}.csv")

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._written:
            self.add(name, self.exact(name))
        return self._written[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._makers, *self._written]))

    def __len__(self) -> int:
        return len(set(self._makers) | set(self._written))
