"""Questions put to methods that a table of fits cannot answer, one module each. A module here that defines `EXPERIMENT` is
found by its name: the workflow runs its parts where a study asks for them, and gathers what they found into tables.
"""

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from ..study.config import Study


@dataclass(frozen=True)
class Experiment:
    """An experiment, as the workflow runs it.

    run      run(**arguments) -> the tables that a part finds, in the order of `found`; with `data` too, the first episodes of
             the data set that the part is named by, if it is `of_data`
    found    the names of these tables
    parts    the parts that a study asks for, each a job of its own; none where it does not ask for the experiment
    arguments  those of a part's run
    methods  the methods that a study lets it run
    tables   the tables that people read, by name: which of the found ones each is gathered from, and by what; None: as they are
    of_data  where each part is of a data set of the study: how many of its first episodes a run with these arguments needs, or
             which of them
    data_of  the data set of a part, by default that of the part's name
    folder   where the parts lie below the study's results
    kept     whether the parts are kept with a study's scores, so that the tables are gathered anew from them
    """

    run: Callable[..., tuple[pd.DataFrame, ...]]
    found: tuple[str, ...]
    parts: Callable[["Study"], list[str]]
    arguments: Callable[["Study", str], dict[str, Any]]
    methods: Callable[["Study"], list[str]] = lambda study: []
    tables: Mapping[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame] | None]] = field(default_factory=dict)
    of_data: Callable[[Mapping[str, Any]], int | range] | None = None
    data_of: Callable[[str], str] = str
    folder: str = "population"
    kept: bool = True

    def gathered(self) -> dict[str, str]:
        """By the name of a table that people read, which of the found ones it is gathered from: `tables`, or those found."""
        return {name: found for name, (found, _) in self.tables.items()} or dict(zip(self.found, self.found, strict=True))

    def gather(self, table: str, parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
        """The table of this name, from what the parts found."""
        parts = list(parts)
        whole = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        make = self.tables.get(table, ("", None))[1]
        return make(whole) if make else whole


@cache
def experiments() -> dict[str, Experiment]:
    """All experiments by name, in alphabetical order."""
    modules = {m.name: import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)}
    return {name: module.EXPERIMENT for name, module in sorted(modules.items()) if hasattr(module, "EXPERIMENT")}


def experiment(name: str) -> Experiment:
    """The experiment of this name, and no other: whoever runs it needs the libraries of no other."""
    return import_module(f"{__name__}.{name}").EXPERIMENT


def part_of_study(part: str, each: str) -> Callable[["Study"], list[str]]:
    """The `parts` of an experiment that a study asks for under `populations`, one for each of what stands there under a key."""
    return lambda study: [str(one) for one in study.populations.get(part, {}).get(each, [])]


def methods_of(part: str) -> Callable[["Study"], list[str]]:
    """The `methods` of an experiment that a study asks for under `populations`."""
    return lambda study: [method for method, _ in study.methods_of(part).values()]
