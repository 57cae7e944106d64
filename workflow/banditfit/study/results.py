"""A judged study, as tables, figures and the report take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ..data.dataset import Dataset
from ..tables.summaries import complete
from .entries import Run, main_runs


@dataclass(frozen=True)
class Results:
    """A judged study, as figures take it.

    `scores` all rows of `judge.score`, made `complete`; `tables` the tables made of them, by name (summary, compared,
    outcomes, comparison, attribution, and others where the study makes them); `examples` the fits, kernels included, of the
    episode that is drawn as an example; `runs` in their order; `catalogue` the entries of the data sets by name, and `data`
    the data sets themselves.
    """

    scores: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    examples: pd.DataFrame
    runs: list[Run]
    catalogue: Mapping[str, Any]
    data: Mapping[str, Dataset]


class NotTested(Exception):
    """What the study lacks for a test, in a few words."""


@dataclass(frozen=True)
class Evidence:
    """A judged study: its scores, its tables by name, its runs, and its data sets by name."""

    scores: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    runs: list[Run]
    data: Mapping[str, Dataset]

    @cached_property
    def _fits(self) -> dict[tuple[str, str], pd.DataFrame]:
        groups = complete(self.scores).groupby(["dataset", "run"], sort=False)
        return {key: fits.set_index("episode") for key, fits in groups}

    def fits(self, entry: str, model: str | None = None) -> dict[str, pd.DataFrame]:
        """By data set (only those made by `model`, if given), the fits of an entry's main run, indexed by episode."""
        run = next((run.id for run in main_runs(self.runs) if run.entry.id == entry), None)
        held = {d: fits for (d, r), fits in self._fits.items() if r == run and model in (None, fits["model"].iloc[0])}
        if not held:
            raise NotTested(f"this study does not run {entry}" + (f" on data of {model}" if model and run else ""))
        return held

    def solvers(self, entry: str) -> dict[str, dict[str, pd.DataFrame]]:
        """By data set and local solver, the fits of an entry."""
        names = {run.id: run.local_solver for run in self.runs if run.entry.id == entry and run.local_solver}
        held: dict[str, dict[str, pd.DataFrame]] = {}
        for (dataset, run), fits in self._fits.items():
            if run in names:
                held.setdefault(dataset, {})[names[run]] = fits
        return held
