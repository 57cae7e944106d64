"""What to use: the cost and the accuracy of every method, what it gives beside an estimate, and who serves which need."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .entries import Run, main_runs
from .methods import get_method
from .population import HOLD

NEAR = 1.1  # as accurate as the best: a median within 10 % of it
MAXIMUM = 0.01  # nats above the best fit known within which a fit is the maximum of the likelihood for any use of it
PROVED = 1e-6  # nats between a fit and its own bound that count as a proof; scores are kept to 1e-9
USUAL = 0.9  # what a method gives in this share of its fits, it gives
COLUMNS = [
    "dataset",
    "run",
    "label",
    "n",
    "t_wall",
    "kl",
    "kl_low",
    "kl_high",
    "beta_error",
    "estimates",
    "maxima",
    "intervals",
    "coverage",
    "proofs",
    "pools",
    "front_kl",
    "front_beta_error",
]


def table(scores: pd.DataFrame, summary: pd.DataFrame, runs: Iterable[Run], coverage: pd.DataFrame) -> pd.DataFrame:
    """Per data set and main run: the medians of the wall time (ms an episode), the policy KL (with its 95 % interval) and the
    error of beta; the shares of fits with parameters, with the maximum of the likelihood (within 0.01 nats of the best fit
    known), with intervals, and with a proof of optimality; `coverage`, the share of 95 % intervals that hold the truth, of the
    parameter where it is least; `pools`, whether the episodes inform one another; and whether no other method is both faster
    and more accurate, by either error. `coverage` is the table of `population.coverage`."""
    held = summary.set_index(["dataset", "run", "metric"])
    least = coverage.groupby(["dataset", "run"])["coverage"].min()
    rows = []
    for dataset in summary["dataset"].unique():
        for run in main_runs(runs):
            how = get_method(run.entry.method)
            fits = scores[(scores["dataset"] == dataset) & (scores["run"] == run.id)]
            if fits.empty:
                continue
            cell = lambda metric, number="median": held.at[(dataset, run.id, metric), number]  # noqa: B023, E731
            proved = fits["regret"] + (fits["best_nll"] - fits["lower_bound"]) <= PROVED + 1e-9
            rows.append(
                {
                    "dataset": dataset,
                    "run": run.id,
                    "label": run.entry.label,
                    "n": len(fits),
                    "t_wall": cell("t_wall"),
                    "kl": cell("kl"),
                    "kl_low": cell("kl", "median_low"),
                    "kl_high": cell("kl", "median_high"),
                    "beta_error": cell("beta_error"),
                    "estimates": float(fits["regret"].notna().mean()),
                    "maxima": float((fits["regret"] <= MAXIMUM).mean()),
                    "intervals": float(np.mean([p is not None and "alpha_lower" in p for p in fits["posterior"]])),
                    "coverage": least.get((dataset, run.id), np.nan),
                    "proofs": float(proved.mean()),
                    "pools": how.population and how.read_settings(run.entry.method, run.settings).pools,
                }
            )
    found = pd.DataFrame(rows, columns=COLUMNS[:-2])
    for metric in ("kl", "beta_error"):
        fronts = [front(part["t_wall"], part[metric]) for _, part in found.groupby("dataset", sort=False)]
        found[f"front_{metric}"] = np.concatenate(fronts) if fronts else np.array([], dtype=bool)
    return found


def front(cost: Iterable[float], error: Iterable[float]) -> np.ndarray:
    """Which points no other point beats in both coordinates (less is better); a point without either is beaten."""
    points = np.column_stack([np.asarray(cost, dtype=float), np.asarray(error, dtype=float)])
    beaten = ~np.isfinite(points).all(axis=1)
    for k in np.flatnonzero(~beaten):
        beaten[k] = ((points <= points[k]).all(axis=1) & (points < points[k]).any(axis=1)).any()
    return ~beaten


@dataclass(frozen=True)
class Need:
    """What somebody wants, in words, and which rows of the table serve it."""

    words: str
    serves: Callable[[pd.DataFrame], "pd.Series[bool]"]


def _estimates(rows: pd.DataFrame) -> Any:
    return rows["estimates"] >= USUAL


def _intervals(rows: pd.DataFrame) -> Any:
    return (rows["intervals"] >= USUAL) & (rows["coverage"] >= HOLD[0])


NEEDS = [
    Need("the maximum of the likelihood", lambda rows: rows["maxima"] >= USUAL),
    Need("the most accurate estimates, each participant alone", lambda rows: _estimates(rows) & ~rows["pools"]),
    Need("the most accurate estimates of a group, each informed by the others", lambda rows: _estimates(rows) & rows["pools"]),
    Need("an interval for every parameter that is as wide as it says", lambda rows: _estimates(rows) & _intervals(rows)),
    Need("a proof that no better fit exists", lambda rows: _estimates(rows) & (rows["proofs"] >= USUAL)),
]


def recommend(guide: pd.DataFrame, dataset: str, need: Need) -> pd.Series | None:
    """Of the rows of a data set that serve a need, the fastest whose median policy KL is within 10 % of the lowest among them;
    None where none serves, or no truth is known."""
    rows = guide[(guide["dataset"] == dataset) & guide["kl"].notna()]
    rows = rows[need.serves(rows).astype(bool)]
    if rows.empty:
        return None
    near = rows[rows["kl"] <= NEAR * rows["kl"].min()]
    return near.loc[near["t_wall"].idxmin()]
