"""What claims are tested with: medians, ratios and shares with their intervals, and on which side of a limit they lie."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..models.simulate import PUBLISHED
from ..study.cases import Case as FittedCase
from ..study.cases import among
from ..study.entries import Run, main_runs
from ..study.scores import Scores, only
from .summaries import INTERVAL, bootstrap_medians, resamples

CLOCKS = {"t_published": "time, counted as published", "t_cpu": "processor time"}
RESAMPLES = 400  # of the episodes, for means and 95th percentiles
TAIL = 95  # the percentile that says how the worst episodes fare


@dataclass(frozen=True)
class Case:
    """One measurement: `value` of a quantity on a data set over n episodes, with the ends of its 95 % interval (NaN without
    one); `held` is "yes", "no", "unsure" (the interval straddles the limit) or "" for a figure that is told but not judged.
    `dataset` is "" for a measurement over all data sets."""

    dataset: str
    quantity: str
    value: float
    low: float
    high: float
    n: int
    held: str = ""


# The columns of scores that claims are tested with.
SCORED = (
    *("kl", "alpha_error", "beta_error", "nll", "regret", "best_nll", "best_bound", "lower_bound", "bound_holds", "rounding"),
    *("t_published", "t_wall", "t_cpu", "status", "fallback", "claim_held", "alpha", "beta", "posterior", "diagnostics"),
)
READ = 500_000  # rows


class NotTested(Exception):
    """What the study lacks for a test, in a few words."""


@dataclass(frozen=True)
class Evidence:
    """A judged study: its scores, its tables by name, its runs, and its data sets by name.

    Claims are about data sets fitted with the models that made them (of somebody's own data, with that of their row): fits with
    other models count in none."""

    scores: pd.DataFrame | Scores
    tables: Mapping[str, pd.DataFrame]
    runs: list[Run]
    data: Mapping[str, Dataset]
    _read: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def _rows(self) -> list[tuple[str, str]]:
        """The data sets and runs that there are fits of."""
        rows = self.of_own(only(self.scores))[["dataset", "run"]].drop_duplicates()
        return list(rows.itertuples(index=False, name=None))

    def _fits(self, dataset: str, run: str) -> pd.DataFrame:
        """The fits of a run over a data set, read when they are asked for; those asked for last are kept, READ rows of them."""
        if (dataset, run) not in self._read:
            where = {"dataset": [dataset], "run": [run], "model": [self.data[dataset].model]}
            self._read[dataset, run] = only(self.scores, *SCORED, where=where).set_index("episode")
        fits = self._read[dataset, run] = self._read.pop((dataset, run))
        while sum(map(len, self._read.values())) > max(READ, len(fits)):
            del self._read[next(iter(self._read))]
        return fits

    def of_own(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table that are of data sets with their own models."""
        return among(table, [FittedCase(name, data.model) for name, data in self.data.items()])

    def fits(self, entry: str, model: str | None = None) -> dict[str, pd.DataFrame]:
        """By data set (only those made by `model`, if given), the fits of an entry's main run, indexed by episode."""
        run = next((run.id for run in main_runs(self.runs) if run.entry.id == entry), None)
        made = {name for name, data in self.data.items() if model in (None, data.model)}
        held = {d: self._fits(d, r) for d, r in self._rows if r == run and d in made}
        if not held:
            raise NotTested(f"this study does not run {entry}" + (f" on data of {model}" if model and run else ""))
        return held

    def solvers(self, entry: str) -> dict[str, dict[str, pd.DataFrame]]:
        """By data set and local solver, the fits of an entry."""
        names = {run.id: run.local_solver for run in self.runs if run.entry.id == entry and run.local_solver}
        held: dict[str, dict[str, pd.DataFrame]] = {}
        for dataset, run in self._rows:
            if run in names:
                held.setdefault(dataset, {})[names[run]] = self._fits(dataset, run)
        return held


def _side(low: float, high: float, limit: float, below: bool) -> str:
    """Whether an interval lies below (or above) the limit."""
    inside, outside = (high < limit, low > limit) if below else (low > limit, high < limit)
    return "yes" if inside else "no" if outside else "unsure"


def _median(values: np.ndarray) -> tuple[float, float, float]:
    low, high = np.percentile(bootstrap_medians(values, np.random.default_rng(0)), INTERVAL)
    return float(np.median(values)), float(low), float(high)


def _ratios(
    evidence: Evidence,
    left: str,
    right: str,
    columns: Mapping[str, str],
    limit: float,
    below: bool = True,
    model: str | None = None,
) -> list[Case]:
    """Cases that the ratio of `left` to `right` in the same episode lies below (or above) the limit, for every data set and
    column."""
    cases = []
    for dataset, label, pair in _pairs(evidence, left, right, columns, model):
        pair = pair[(pair > 0).all(axis=1)]
        if len(pair):
            value, low, high = np.exp(_median(np.log(pair[:, 0] / pair[:, 1])))
            what = f"{label}, {left} to {right}, in the median episode"
            cases.append(Case(dataset, what, value, low, high, len(pair), _side(low, high, limit, below)))
    return cases


def _pairs(
    evidence: Evidence, left: str, right: str, columns: Mapping[str, str], model: str | None
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Data set, label and what both have in the same episodes, (episodes, 2), for every data set and column."""
    ours, theirs = evidence.fits(left, model), evidence.fits(right, model)
    for dataset in ours:
        for column, label in columns.items() if dataset in theirs else ():
            pair = pd.concat([ours[dataset][column], theirs[dataset][column]], axis=1, join="inner").to_numpy(dtype=float)
            yield dataset, label, pair[np.isfinite(pair).all(axis=1)]


def _accuracy(
    evidence: Evidence, left: str, right: str, columns: Mapping[str, str], limit: float, below: bool = True
) -> list[Case]:
    """Cases of `_ratios`, and that the ratio of the means over episodes, and that of their 95th percentiles, lie on that side
    of the limit too: a method that ends where the other does in most episodes has a median ratio of 1, whatever it does in the
    rest."""
    cases = _ratios(evidence, left, right, columns, limit, below)
    for dataset, label, pair in _pairs(evidence, left, right, columns, None):
        if not len(pair):
            continue
        statistics = {"mean": np.mean, f"{TAIL}th percentile": lambda values, axis: np.percentile(values, TAIL, axis=axis)}
        for name, statistic in statistics.items():
            whole = statistic(pair, axis=0)
            resampled = np.concatenate([statistic(pair[rows], axis=1) for rows in resamples(len(pair), RESAMPLES)])
            if (whole > 0).all() and (resampled > 0).all():
                low, high = np.percentile(resampled[:, 0] / resampled[:, 1], INTERVAL)
                held = _side(low, high, limit, below)
                what = f"{label}, {left} to {right}, {name}"
                cases.append(Case(dataset, what, whole[0] / whole[1], low, high, len(pair), held))
    return cases


def _times(evidence: Evidence, left: str, right: str, limit: float, below: bool = True, model: str | None = None) -> list[Case]:
    """Cases by each clock; and, told but not judged, wall time, which whatever else the machine does changes."""
    told = _ratios(evidence, left, right, {"t_wall": "wall time"}, limit, below, model)
    return _ratios(evidence, left, right, CLOCKS, limit, below, model) + [replace(case, held="") for case in told]


def _as_published(evidence: Evidence, left: str, right: str, metrics: Mapping[str, str]) -> list[Case]:
    """The ratio of two published medians with the study's first local solver, told beside ours and not judged."""
    if not evidence.data:
        raise NotTested("this study fits no data set")
    table = evidence.tables["reproduction"]
    solvers = [run.local_solver for run in evidence.runs if run.local_solver][:1]
    table = table[(table["dataset"] != "") & table["published"].notna() & table["local_solver"].isin(["", *solvers])]
    theirs = table.set_index(["dataset", "method", "metric"])["published"]
    return [
        Case(dataset, f"{label}, {left} to {right}, published medians", theirs[one] / theirs[other], np.nan, np.nan, n)
        for n in [PUBLISHED["n_episodes"]]
        for dataset in table["dataset"].unique()
        for metric, label in metrics.items()
        for one, other in [((dataset, left, metric), (dataset, right, metric))]
        if one in theirs.index and other in theirs.index
    ]


def _share(dataset: str, quantity: str, hits: np.ndarray, rule: Callable[[float, float], str] | None = None) -> Case:
    """The case of a share of episodes, with Wilson's interval."""
    from scipy.stats import binomtest

    n, k = len(hits), int(np.sum(hits))
    low, high = binomtest(k, n).proportion_ci(method="wilson")
    return Case(dataset, quantity, k / n, low, high, n, rule(low, high) if rule else "")


def _above(limit: float) -> Callable[[float, float], str]:
    return lambda low, high: _side(low, high, limit, below=False)


def _inside(least: float, most: float) -> Callable[[float, float], str]:
    """Whether a share lies in the claimed range: surely if its interval does, surely not if they are apart. An interval that
    is wide for want of episodes decides nothing."""
    return lambda low, high: "yes" if least <= low and high <= most else "no" if high < least or low > most else "unsure"


def _bound_gap(fits: pd.DataFrame) -> pd.Series:
    """The best fit's distance to this run's bound, where that holds."""
    return (fits["best_nll"] - fits["lower_bound"])[fits["bound_holds"].eq(True)]


def _all_episodes(fits: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    whole = {dataset: table for dataset, table in fits.items() if len(table) >= PUBLISHED["n_episodes"]}
    if not whole:
        raise NotTested(f"the figures are of all {PUBLISHED['n_episodes']} episodes, and this study fits fewer")
    return whole
