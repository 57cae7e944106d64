"""What to use: the cost and the accuracy of every method, what it gives beside an estimate, and who serves which need.

Nothing here rests on a method's word alone. A fit counts if it ended well: it converged by its method's own test, the judge
found what it claimed to be so, and it lies inside the box. A bound counts if no admissible fit lies below it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..methods import get_method
from ..study.cases import Case, of
from ..study.entries import Run, main_runs
from ..study.results import Results
from ..study.store import objects
from . import Maker
from .coverage import HOLD
from .summaries import CERTIFIED, USUAL, complete, groups

NEAR = 1.1  # as accurate as the best: a median within 10 % of it
PROVED = 1e-6  # nats between a fit and its own bound that count as a proof; scores are kept to 1e-9
COLUMNS = [
    "dataset",
    "model",
    "run",
    "label",
    "call",
    "n",
    "t_wall",
    "kl",
    "beta_error",
    "ended_well",
    "estimates",
    "maxima",
    "intervals",
    "coverage",
    "proofs",
    "pools",
    "front_kl",
    "front_beta_error",
]


def table(scores: pd.DataFrame, compared: pd.DataFrame, runs: Iterable[Run], coverage: pd.DataFrame) -> pd.DataFrame:
    """Per data set, model and main run: the `call` that runs it in a notebook; its n fits; the medians of the wall time (ms an
    episode), the policy KL and the error of beta over the episodes on which methods are compared (`tables.compare`, whose
    table is `compared`; NaN for a run that is not); the shares of fits that ended well (`ended_well`), and of fits that ended
    well with `estimates`, with the maximum of the likelihood (within 0.01 nats of the best fit known), with intervals, and
    with a proof of optimality; `coverage`, the share of 95 % intervals that hold the truth, of the parameter where it is
    least (from the table of `population.coverage`); `pools`, whether the episodes inform one another; and whether no other
    method is both faster and more accurate, by either error."""
    medians = compared.set_index(["dataset", "model", "run", "metric"])["median"]
    least = coverage.groupby(["dataset", "model", "run"])["coverage"].min()
    runs = {run.id: run for run in main_runs(runs)}
    rows = []
    for case, name, fits in groups(complete(scores), runs.values()):
        run, how = runs[name], get_method(runs[name].entry.method)
        well = ended_well(fits)
        estimates = well & fits["admissible"].astype(bool)
        shares = {
            "ended_well": well,
            "estimates": estimates,
            "maxima": estimates & (fits["regret"] <= CERTIFIED),
            "intervals": estimates & objects(fits["posterior"]).map(gives_intervals).astype(bool),
            "proofs": proved(fits),
        }
        rows.append(
            {
                **case._asdict(),
                "run": name,
                "label": run.entry.label,
                "call": call(run),
                "n": len(fits),
                **{metric: medians.get((*case, name, metric), np.nan) for metric in ("t_wall", "kl", "beta_error")},
                **{what: float(share.mean()) for what, share in shares.items()},
                "coverage": least.get((*case, name), np.nan),
                "pools": how.population and how.read_settings(run.entry.method, run.settings).pools,
            }
        )
    found = pd.DataFrame(rows, columns=COLUMNS[:-2])
    for metric in ("kl", "beta_error"):
        fronts = [front(part["t_wall"], part[metric]) for _, part in found.groupby(["dataset", "model"], sort=False)]
        found[f"front_{metric}"] = np.concatenate(fronts) if fronts else np.array([], dtype=bool)
    return found


def gives_intervals(posterior: Mapping[str, Any] | None) -> bool:
    """Whether the posterior in a row of scores has intervals of parameters."""
    return posterior is not None and any(name.endswith("_lower") for name in posterior)


def ended_well(fits: pd.DataFrame) -> "pd.Series[bool]":
    """Which of these scores converged to something the judge could compute, as claimed, and not outside the box."""
    upheld = fits["claim_held"].map(lambda held: held is None or held != held or bool(held))
    return fits["status"].eq("converged") & upheld & ~fits["outside"].astype(bool) & np.isfinite(fits["nll"].astype(float))


def proved(fits: pd.DataFrame) -> "pd.Series[bool]":
    """Which of these scores are admissible fits that ended well, within PROVED nats of their own bound, where that holds,
    but for the rounding of the nll and that of differences in stored scores."""
    gap = fits["regret"] + (fits["best_nll"] - fits["lower_bound"])
    return (
        ended_well(fits)
        & fits["bound_holds"].eq(True)
        & fits["admissible"].astype(bool)
        & (gap <= PROVED + 1e-9 + fits["rounding"])
    )


def call(run: Run) -> str:
    """How a notebook runs it: the id of its entry is the name of a method there."""
    default = getattr(get_method(run.entry.method).settings, "solver", None)
    settings = {"solver": run.local_solver} if run.local_solver not in (None, default) else None
    return f'bf.fit(data, model, method="{run.entry.id}"' + (f", settings={json.dumps(settings)})" if settings else ")")


def front(cost: Iterable[float], error: Iterable[float]) -> np.ndarray:
    """Which points no other point beats in both coordinates (less is better); a point without either is beaten."""
    points = np.column_stack([np.asarray(cost, dtype=float), np.asarray(error, dtype=float)])
    beaten = ~np.isfinite(points).all(axis=1)
    for k in np.flatnonzero(~beaten):
        beaten[k] = ((points <= points[k]).all(axis=1) & (points < points[k]).any(axis=1)).any()
    return ~beaten


@dataclass(frozen=True)
class Need:
    """What somebody wants, in words; which rows of the table serve it; and whether only a known truth can tell."""

    words: str
    serves: Callable[[pd.DataFrame], "pd.Series[bool]"]
    truth: bool = True


def _usual(rows: pd.DataFrame, *columns: str) -> Any:
    """Whether fits end well with estimates, and with these things beside, as often as that is usual."""
    return (rows[["estimates", *columns]] >= USUAL).all(axis=1)


def _pools(rows: pd.DataFrame) -> Any:
    return rows["pools"].astype(bool)


NEEDS = [
    Need("the maximum of the likelihood", lambda rows: _usual(rows, "maxima"), truth=False),
    Need("the most accurate estimates, each participant alone", lambda rows: _usual(rows) & ~_pools(rows)),
    Need("the most accurate estimates of a group, each informed by the others", lambda rows: _usual(rows) & _pools(rows)),
    Need(
        "an interval for every parameter that is as wide as it says",
        lambda rows: _usual(rows, "intervals") & (rows["coverage"] >= HOLD[0]),
    ),
    Need("a proof that no better fit exists", lambda rows: _usual(rows, "proofs"), truth=False),
]


def recommend(guide: pd.DataFrame, case: Case, need: Need) -> pd.Series | None:
    """Of the rows of a case that serve a need, the fastest whose median policy KL is within 10 % of the lowest among them;
    where no truth is known, the fastest. None where none serves, or where the need is one that only a truth can tell of.
    Runs that are not compared (of fewer episodes than others) are not recommended."""
    rows = of(guide, case)
    rows = rows[rows["t_wall"].notna()]
    known = rows["kl"].notna()
    rows = rows[known] if known.any() else rows.iloc[: 0 if need.truth else None]
    rows = rows[need.serves(rows).astype(bool)]
    if rows.empty:
        return None
    near = rows[rows["kl"] <= NEAR * rows["kl"].min()] if known.any() else rows
    return near.loc[near["t_wall"].idxmin()]


def _made(results: Results) -> tuple[pd.DataFrame]:
    return (table(results.scores, results.tables.exact("compared"), results.runs, results.tables["coverage"]),)


TABLES = [Maker(("guide",), _made)]
