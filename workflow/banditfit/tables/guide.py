"""What to use: the cost and the accuracy of every method, what it gives beside an estimate, and who serves which need.

Nothing here rests on a method's word alone. A fit counts if it ended well: it converged by its method's own test, the judge
found what it claimed to be so, and it lies inside the box. A bound counts if no admissible fit lies below it. Speed is
processor time, which other work on the machine hardly changes. How sure a choice is, is how often it is made again when the
episodes are drawn anew, with replacement.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..experiments.misspecified import MODEL as WRONG_MODEL
from ..methods import get_method
from ..study.cases import KEYS, Case, of
from ..study.entries import Run, main_runs
from ..study.results import Results
from ..study.scores import complete, only
from ..study.store import one_by_one
from . import Maker
from .coverage import HOLD
from .summaries import CERTIFIED, USUAL, groups, resamples

NEAR = 1.1  # as accurate as the best: a median within 10 % of it
CLEAR = 0.9  # a choice that is made in this share of the resamples, or more, is a clear one
RESAMPLES = 500  # a share of .9 then has a standard error of .013
PROVED = 1e-6  # nats between a fit and its own bound that count as a proof; scores are kept to 1e-9
CLOSED = PROVED + 1e-9  # the same of a gap in a table, which is a difference of two such numbers
COLUMNS = [
    "dataset",
    "model",
    "run",
    "label",
    "call",
    "n",
    "t_cpu",
    "kl",
    "beta_error",
    "beta_error_identified",
    "ended_well",
    "estimates",
    "maxima",
    "intervals",
    "coverage",
    "proofs",
    "at_bound",
    "pools",
    "wrong",
    "front_kl",
    "front_beta_error",
]
TIMED = ("t_cpu", "kl", "beta_error", "beta_error_identified")


def table(
    scores: pd.DataFrame,
    compared: pd.DataFrame,
    runs: Iterable[Run],
    coverage: pd.DataFrame,
    misspecified: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Per data set, model and main run: the `call` that runs it in a notebook; its n fits; the medians of the processor time
    (ms an episode), the policy KL and the error of beta (of all, and of the identified) over the episodes on which methods are
    compared (`tables.compare`, whose table is `compared`; NaN for a run that is not); the shares of fits that ended well
    (`ended_well`), and of fits that ended well with `estimates`, with the maximum of the likelihood (within 0.01 nats of the
    best fit known), with intervals, and with a proof of optimality; `coverage`, the share of 95 % intervals that hold the
    truth, of the parameter where it is least (from the table of `population.coverage`); `at_bound`, the share of fits with a
    parameter at an edge of the box, which would be another with another box; `pools`, whether the episodes inform one another;
    `wrong`, how many times as large as that of the most accurate the KL is where box or prior are told wrongly, at worst (from
    the table of `misspecified.summary`, of its model; NaN without); and whether no other method is both faster and more
    accurate, by KL or the error of beta."""
    medians = compared.set_index(["dataset", "model", "run", "metric"])["median"]
    least = coverage.groupby(["dataset", "model", "run"])["coverage"].min()
    wrong = {} if misspecified is None else misspecified.groupby("run")["behind"].max().to_dict()
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
            "intervals": estimates & np.fromiter(map(gives_intervals, one_by_one(fits["posterior"])), bool, len(fits)),
            "proofs": proved(fits),
        }
        rows.append(
            {
                **case._asdict(),
                "run": name,
                "label": run.entry.label,
                "call": call(run),
                "n": len(fits),
                **{metric: medians.get((*case, name, metric), np.nan) for metric in TIMED},
                **{what: float(share.mean()) for what, share in shares.items()},
                "coverage": least.get((*case, name), np.nan),
                "at_bound": float(fits["at_bound"].astype(bool).mean()),
                "pools": how.population and how.read_settings(run.entry.method, run.settings).pools,
                "wrong": wrong.get(name, np.nan) if case.model == WRONG_MODEL else np.nan,
            }
        )
    found = pd.DataFrame(rows, columns=COLUMNS[:-2])
    for metric in ("kl", "beta_error"):
        fronts = [front(part["t_cpu"], part[metric]) for _, part in found.groupby(["dataset", "model"], sort=False)]
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
    """What somebody wants, by a short name and in words; which rows of the table serve it; whether only a known truth can
    tell; and the column of the table without whose numbers a study says nothing of it."""

    name: str
    words: str
    serves: Callable[[pd.DataFrame], "pd.Series[bool]"]
    truth: bool = True
    told_by: str = ""


def _usual(rows: pd.DataFrame, *columns: str) -> Any:
    """Whether fits end well with estimates, and with these things beside, as often as that is usual."""
    return (rows[["estimates", *columns]] >= USUAL).all(axis=1)


def _pools(rows: pd.DataFrame) -> Any:
    return rows["pools"].astype(bool)


NEEDS = [
    Need("maximum", "the maximum of the likelihood", lambda rows: _usual(rows, "maxima"), truth=False),
    Need("alone", "the most accurate estimates, each participant alone", lambda rows: _usual(rows) & ~_pools(rows)),
    Need(
        "group",
        "the most accurate estimates of a group, each informed by the others",
        lambda rows: _usual(rows) & _pools(rows),
    ),
    Need(
        "intervals",
        "an interval for every parameter that is as wide as it says",
        lambda rows: _usual(rows, "intervals") & (rows["coverage"] >= HOLD[0]),
    ),
    Need("proof", "a proof that no better fit exists", lambda rows: _usual(rows, "proofs"), truth=False),
    Need(
        "robust",
        "estimates that stay accurate where the box is told too wide or people are not normal",
        lambda rows: _usual(rows) & (rows["wrong"] <= NEAR * rows["wrong"].min()),
        told_by="wrong",
    ),
]


def needs(guide: pd.DataFrame) -> list[Need]:
    """Those that a study with this table says something of."""
    return [need for need in NEEDS if not need.told_by or guide[need.told_by].notna().any()]


def serving(guide: pd.DataFrame, case: Case, need: Need) -> pd.DataFrame:
    """The rows of a case that serve a need; of those that are compared (a run of fewer episodes than others is not), and, where
    a truth is known, have a policy. None where the need is one that only a truth can tell of, and there is none."""
    rows = of(guide, case)
    rows = rows[rows["t_cpu"].notna()]
    known = rows["kl"].notna()
    rows = rows[known] if known.any() else rows.iloc[: 0 if need.truth else None]
    return rows[need.serves(rows).astype(bool)]


def recommend(guide: pd.DataFrame, case: Case, need: Need) -> pd.Series | None:
    """Of the rows that serve a need, the fastest whose median policy KL is within 10 % of the lowest among them; where no truth
    is known, the fastest. None where none serves."""
    rows = serving(guide, case, need)
    if rows.empty:
        return None
    (place,) = _fastest_of_the_nearly_best(rows["kl"].to_numpy()[None], rows["t_cpu"].to_numpy()[None])
    return rows.iloc[place]


def _fastest_of_the_nearly_best(kl: np.ndarray, t_cpu: np.ndarray) -> np.ndarray:
    """Which column it is in each row, (rows,), of medians (rows, methods); those of KL are all NaN where no truth is known."""
    lowest = np.nanmin(kl, axis=1, keepdims=True) if np.isfinite(kl).all() else np.inf
    return np.where((kl <= NEAR * lowest) | np.isnan(kl), t_cpu, np.inf).argmin(axis=1)


def choices(scores: pd.DataFrame, guide: pd.DataFrame) -> pd.DataFrame:
    """How sure the guide's choices are: per data set, model and need (its name), each method that `recommend` would choose, and
    the `share` of RESAMPLES in which it does, when the episodes on which methods are compared are drawn anew, with replacement.
    The first of each need is chosen most often; which methods serve a need at all is not drawn anew. Columns: dataset, model,
    need, run, label, share."""
    scores, rows = complete(scores), []
    columns = ["kl", "t_cpu"]
    for case, fits in scores[[*KEYS, "run", "episode", *columns]].groupby(KEYS, sort=False):
        needs = {need.name: serving(guide, Case(*case), need) for need in NEEDS}
        candidates = list(dict.fromkeys(run for found in needs.values() for run in found["run"]))
        wide = fits[fits["run"].isin(candidates)].pivot(index="episode", columns="run", values=columns).astype(float)
        truth = any(found["kl"].notna().any() for found in needs.values())
        wide = wide.dropna() if truth else wide.dropna(subset=[("t_cpu", run) for run in candidates])
        if not candidates or wide.empty:
            continue
        values = {(column, run): wide[column, run].to_numpy() for column in columns for run in candidates}
        drawn = [
            {which: np.median(held[rows], axis=1) for which, held in values.items()} for rows in resamples(len(wide), RESAMPLES)
        ]
        medians = {which: np.concatenate([some[which] for some in drawn]) for which in values}
        for name, found in needs.items():
            names = list(found["run"])
            if names:
                kl, t_cpu = (np.column_stack([medians[column, run] for run in names]) for column in columns)
                times_chosen = np.bincount(_fastest_of_the_nearly_best(kl, t_cpu), minlength=len(names))
                labels = dict(zip(found["run"], found["label"], strict=True))
                rows += [
                    (*case, name, names[k], labels[names[k]], times_chosen[k] / RESAMPLES)
                    for k in np.argsort(-times_chosen, kind="stable")
                    if times_chosen[k]
                ]
    return pd.DataFrame(rows, columns=[*KEYS, "need", "run", "label", "share"])


def chosen(choices: pd.DataFrame, case: Case, need: Need) -> tuple[pd.DataFrame, bool]:
    """What is chosen for a need: the one method if the choice is clear, else those between which it lies, which together make
    up CLEAR of the resamples; and whether it is clear. No row where none serves."""
    rows = of(choices, case)
    rows = rows[rows["need"] == need.name]
    before = rows["share"].cumsum() - rows["share"]
    rows = rows[before < CLEAR - 1e-9]
    return rows, len(rows) == 1


SCORED = (
    "status",
    "claim_held",
    "nll",
    "regret",
    "best_nll",
    "lower_bound",
    "bound_holds",
    "rounding",
    "at_bound",
    "posterior",
)


def _made(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    scores = only(results.scores, *SCORED)
    tables = results.tables
    found = table(scores, tables.exact("compared"), results.runs, tables["coverage"], tables.get("misspecified"))
    return found, choices(only(results.scores, "kl", "t_cpu"), found)


TABLES = [Maker(("guide", "choices"), _made)]
