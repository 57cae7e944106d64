"""The published figures (arXiv 2511.04454 v1, medians and quartiles over 1000 episodes), and ours beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from ..models.families import PUBLISHED_MODELS
from ..models.simulate import PUBLISHED
from ..study.cases import Case, Cases
from ..study.cases import published as is_published
from ..study.entries import Run
from ..study.provenance import PROJECT
from ..study.results import Results
from . import Maker

PUBLISHED_TABLES = PROJECT / "config/published/published_tables.csv"
KEYS = ["model", "bandit", "method", "local_solver", "metric"]
NUMBERS = ["median", "q25", "q75"]
# The published clock is compared with what our clocks would have counted in its way.
METRICS = {"kl": "kl", "alpha_error": "alpha_error", "beta_error": "beta_error", "time_ms": "t_published"}

COLUMNS = [
    "dataset",
    "model",
    "bandit",
    "run",
    "label",
    "local_solver",
    "metric",
    "n",
    "ours",
    "ours_q25",
    "ours_q75",
    "ours_low",
    "ours_high",
    "published",
    "published_q25",
    "published_q75",
    "ratio",
    "verdict",
    "corrected",
]


@dataclass(frozen=True)
class Correction:
    """Figures of a method that the published code got wrong: `by` is the method that reproduces them, `fault` what is wrong,
    and `metrics` and `models` say which they are, where they are not all."""

    by: str
    fault: str
    metrics: tuple[str, ...] = tuple(METRICS)
    models: tuple[str, ...] = tuple(PUBLISHED_MODELS)


# By the method that does it right.
CORRECTED = {
    "d_loc": Correction("d_loc_published", "D-LOC minimises a likelihood that is one step late"),
    "cvx_loc_t": Correction(
        "cvx_loc_t_published",
        "CVX-LOC-T on forgetting is scored by a policy of the fitted kernel cut off",
        metrics=("kl",),
        models=("forgetting",),
    ),
}

JUDGED = ("reproduced", "better", "worse")
VERDICTS = {
    "reproduced": "the published median lies inside the 95 % bootstrap interval of our median",
    "better": "our median is lower, and the published one lies outside that interval",
    "worse": "our median is higher, and the published one lies outside that interval",
    "other machine": "times depend on the machine and are not judged",
    "not comparable": "this study has no figure beside the published one, or one of fewer episodes than its other runs fit",
}
# A run that fits fewer than this share of the episodes of others is not judged: its interval is wide enough for any figure.
ENOUGH = 0.5
# What a row of the table of all published figures may say beside these.
UNPUBLISHED = {"not published": "the published tables lack this figure; ours stands alone"}
REPRODUCTION = [column for column in COLUMNS if column not in ("label", "corrected")] + ["method", "reason"]


def read_published(path: str | Path) -> pd.DataFrame:
    """The published figures; times in ms. Raises InputError for another table, or two figures of the same name."""
    table = pd.read_csv(path, keep_default_na=False)
    if list(table.columns) != KEYS + NUMBERS:
        raise InputError(f"{path}, row 1: found columns {', '.join(table.columns)}, expected {', '.join(KEYS + NUMBERS)}")
    twice = table[table.duplicated(KEYS)]
    if len(twice):
        raise InputError(f"{path}, row {twice.index[0] + 2}: found {' '.join(twice.iloc[0][KEYS])} again, expected it once")
    return table


def compare(summary: pd.DataFrame, runs: Iterable[Run], published: pd.DataFrame, cases: Cases) -> pd.DataFrame:
    """Every figure of `summary` that has a published counterpart, beside it; times in ms.

    `cases` are those of the study; those of another model than the published one, or of other data, have no counterpart.
    Columns: dataset, model, bandit, run, label, local_solver, metric, n; ours, ours_q25, ours_q75,
    ours_low, ours_high (95 % interval of the median); published, published_q25, published_q75; ratio of the medians, ours
    to theirs; verdict, a key of VERDICTS; corrected, True where theirs is known to be flawed and ours is not.
    """
    runs = list(runs)
    theirs = published.set_index(KEYS)
    ours = summary[summary["n"] > 0].set_index(["dataset", "model", "run", "metric"]).sort_index()
    most = summary.groupby(["dataset", "model"])["n"].max()
    rows = []
    for case in dict.fromkeys(map(Case, summary["dataset"], summary["model"])):
        entry = cases[case]
        for run in runs if is_published(case, entry) else ():
            for metric, ours_metric in METRICS.items():
                key = (entry.model, entry.bandit, run.entry.published, run.local_solver or "", metric)
                if key not in theirs.index or (*case, run.id, ours_metric) not in ours.index:
                    continue
                corrected = _corrected(run.entry.method, entry.model, metric)
                if corrected is None:
                    continue
                mine, other = ours.loc[*case, run.id, ours_metric], theirs.loc[key]
                names = (*case, entry.bandit, run.id, run.entry.label, run.local_solver or "", metric)
                numbers = (
                    *mine[["n", *NUMBERS, "median_low", "median_high"]],
                    *other[NUMBERS],
                    mine["median"] / other["median"],
                )
                enough = mine["n"] >= ENOUGH * most[case]
                found = verdict(metric, mine, other["median"]) if enough else "not comparable"
                rows.append((*names, *numbers, found, corrected))
    return pd.DataFrame(rows, columns=COLUMNS)


def reproduce(
    comparison: pd.DataFrame, summary: pd.DataFrame, runs: Iterable[Run], published: pd.DataFrame, cases: Cases
) -> pd.DataFrame:
    """Every published figure, in the order of their table, with ours beside it; then the figures that theirs lacks and this
    study has. `comparison` as of `compare`, the rest as there.

    Columns as of `compare`, with `method` its published name in place of label and corrected, and `reason`: why there is no
    figure of ours, or of how many of the published episodes ours is, or "". `dataset` and `run` are "" where this study has
    none; verdict is a key of VERDICTS or UNPUBLISHED. A figure of a method in CORRECTED is held against the run that
    reproduces it, not against the one that corrects it.
    """
    runs = {run.id: run for run in runs}
    named = lambda table: table.assign(method=table["run"].map(lambda run: runs[run].entry.published))  # noqa: E731
    ours = named(comparison[~comparison["corrected"].astype(bool)])
    table = published.rename(columns=dict(zip(NUMBERS, ("published", "published_q25", "published_q75"), strict=True)))
    table = table.merge(ours.drop(columns=["published", "published_q25", "published_q75"]), on=KEYS, how="left")
    table = pd.concat([table, pd.DataFrame(_unpublished(summary, runs.values(), published, cases))], ignore_index=True)
    table["n"] = table["n"].fillna(0).astype(int)
    table = table.astype({"dataset": object, "run": object, "verdict": object}).fillna(
        {"dataset": "", "run": "", "verdict": "not comparable"}
    )
    table["reason"] = [_reason(row, runs.values(), cases) for row in table.itertuples()]
    return table[REPRODUCTION]


def _unpublished(summary: pd.DataFrame, runs: Iterable[Run], published: pd.DataFrame, cases: Cases) -> list[dict[str, Any]]:
    """Our figures of the published methods, data sets and metrics that the published tables lack."""
    known = set(published[KEYS].itertuples(index=False, name=None))
    cells = set(published[["model", "bandit", "method"]].itertuples(index=False, name=None))
    ours = summary[summary["n"] > 0].set_index(["dataset", "model", "run", "metric"]).sort_index()
    rows = []
    for case, entry in cases.items():
        for run in runs if is_published(case, entry) else ():
            for metric, our_metric in METRICS.items():
                key = (entry.model, entry.bandit, run.entry.published, run.local_solver or "", metric)
                if key[:3] not in cells or key in known or (*case, run.id, our_metric) not in ours.index:
                    continue
                if _corrected(run.entry.method, entry.model, metric) is not False:
                    continue
                mine = ours.loc[*case, run.id, our_metric]
                numbers = dict(
                    zip(
                        ("n", "ours", "ours_q25", "ours_q75", "ours_low", "ours_high"),
                        mine[["n", *NUMBERS, "median_low", "median_high"]],
                        strict=True,
                    )
                )
                names = dict(zip(KEYS, key, strict=True)) | {"dataset": case.dataset, "run": run.id}
                rows.append(names | numbers | {"verdict": "not published"})
    return rows


def _reason(row: Any, runs: Iterable[Run], cases: Cases) -> str:
    if row.n:
        return f"ours is of {row.n} of {PUBLISHED['n_episodes']} episodes" if row.n < PUBLISHED["n_episodes"] else ""
    fitted = [(entry.model, entry.bandit) for case, entry in cases.items() if is_published(case, entry)]
    if (row.model, row.bandit) not in fitted:
        return "this study does not fit the data set"
    same = [
        run
        for run in runs
        if run.entry.published == row.method and _corrected(run.entry.method, row.model, row.metric) is False
    ]
    if not same:
        return "this study did not run it"
    if not any((run.local_solver or "") == row.local_solver for run in same):
        return f"this study did not run it with {row.local_solver}"
    return "no fit of this study has it"


def _corrected(method: str, model: str, metric: str) -> bool | None:
    """True if ours of this method corrects the published figure, False if it is held against it, and None for a method that
    reproduces other figures only."""
    for right, correction in CORRECTED.items():
        concerns = metric in correction.metrics and model in correction.models
        if method == right:
            return concerns
        if method == correction.by:
            return False if concerns else None
    return False


def verdict(metric: str, ours: Mapping[str, float], published: float) -> str:
    """The key of VERDICTS that holds for our row of a summary and a published median."""
    if metric == "time_ms":
        return "other machine"
    if ours["median_low"] <= published <= ours["median_high"]:
        return "reproduced"
    return "better" if ours["median"] < published else "worse"


def _made(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    theirs, summary = read_published(PUBLISHED_TABLES), results.tables.exact("summary")
    comparison = compare(summary, results.runs, theirs, results.cases)
    return comparison, reproduce(comparison, summary, results.runs, theirs, results.cases)


TABLES = [Maker(("comparison", "reproduction"), _made)]
