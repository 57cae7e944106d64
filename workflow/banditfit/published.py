"""The published figures (arXiv 2511.04454 v1, medians and quartiles over 1000 episodes), and ours beside them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .entries import Run
from .errors import InputError

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

# Methods whose published figures come from a flawed likelihood: ours is corrected, and another method reproduces theirs.
CORRECTED = {"d_loc": "d_loc_published"}

VERDICTS = {
    "reproduced": "the published median lies inside the 95 % bootstrap interval of our median",
    "better": "our median is lower, and the published one lies outside that interval",
    "worse": "our median is higher, and the published one lies outside that interval",
    "other machine": "times depend on the machine and are not judged",
}


def read_published(path: str | Path) -> pd.DataFrame:
    """The published figures; times in ms. Raises InputError for another table, or two figures of the same name."""
    table = pd.read_csv(path, keep_default_na=False)
    if list(table.columns) != KEYS + NUMBERS:
        raise InputError(f"{path}, row 1: found columns {', '.join(table.columns)}, expected {', '.join(KEYS + NUMBERS)}")
    twice = table[table.duplicated(KEYS)]
    if len(twice):
        raise InputError(f"{path}, row {twice.index[0] + 2}: found {' '.join(twice.iloc[0][KEYS])} again, expected it once")
    return table


def compare(summary: pd.DataFrame, runs: Iterable[Run], published: pd.DataFrame, catalogue: Mapping[str, Any]) -> pd.DataFrame:
    """Every figure of `summary` that has a published counterpart, beside it; times in ms.

    `catalogue` holds the data sets by name (entries with model, bandit and source); those whose source is not "published"
    have no counterpart. Columns: dataset, model, bandit, run, label, local_solver, metric, n; ours, ours_q25, ours_q75,
    ours_low, ours_high (95 % interval of the median); published, published_q25, published_q75; ratio of the medians, ours
    to theirs; verdict, a key of VERDICTS; corrected, True where theirs is known to be flawed and ours is not.
    """
    runs = list(runs)
    theirs = published.set_index(KEYS)
    ours = summary[summary["n"] > 0].set_index(["dataset", "run", "metric"])
    rows = []
    for dataset in summary["dataset"].unique():
        entry = catalogue[dataset]
        for run in runs if entry.source == "published" else ():
            for metric, ours_metric in METRICS.items():
                key = (entry.model, entry.bandit, run.entry.published, run.local_solver or "", metric)
                if key not in theirs.index or (dataset, run.id, ours_metric) not in ours.index:
                    continue
                mine, other = ours.loc[dataset, run.id, ours_metric], theirs.loc[key]
                names = (dataset, entry.model, entry.bandit, run.id, run.entry.label, run.local_solver or "", metric)
                numbers = (
                    *mine[["n", *NUMBERS, "median_low", "median_high"]],
                    *other[NUMBERS],
                    mine["median"] / other["median"],
                )
                rows.append((*names, *numbers, verdict(metric, mine, other["median"]), run.entry.method in CORRECTED))
    return pd.DataFrame(rows, columns=COLUMNS)


def verdict(metric: str, ours: Mapping[str, float], published: float) -> str:
    """The key of VERDICTS that holds for our row of a summary and a published median."""
    if metric == "time_ms":
        return "other machine"
    if ours["median_low"] <= published <= ours["median_high"]:
        return "reproduced"
    return "better" if ours["median"] < published else "worse"
