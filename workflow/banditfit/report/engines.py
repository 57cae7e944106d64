"""Engines of posteriors in the report, variational inference, Laplace, Pathfinder, EM, HBI and NUTS beside quadrature, and what
becomes of accuracy where boxes and priors are told wrongly.

`python -m banditfit engines [CONFIG]` and `python -m banditfit misspecified [CONFIG]`, of a finished study, print the tables of
docs/populations.md.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from ..experiments.engines import LABELS
from ..models.families import get_model
from ..study.cases import Cases
from ..study.config import Study
from ..study.entries import Run
from ..study.store import finished_table
from .wording import counted, headed, listed, sig, span

TITLE, AFTER, PLACE = "Engines of posteriors", "outcomes", 3
ABOUT = "approximate posteriors beside the exact one; who stays accurate with a wrong box or prior"
PRIORS = {"fixed": "each alone", "learned": "with their population"}


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """None for a study that compares no engines and tells nobody anything wrong."""
    exact, wrong = _exact(tables.get("engines")), _wrong(tables.get("misspecified"), runs)
    return {"exact": exact, "wrong": wrong} if exact or wrong else None


def _exact(table: pd.DataFrame | None) -> dict | None:
    if table is None or table.empty:
        return None
    groups = [
        {
            "label": f"{get_model(model).label}, {counted(int(people), 'person', 'people')}, {PRIORS[prior]}",
            "rows": [{"name": LABELS[row.engine], "cell": row} for row in part.itertuples()],
        }
        for (model, people, prior), part in table.groupby(["model", "people", "prior"], sort=False)
    ]
    return {"groups": groups, "sentence": _said(table), "steps": int(table["steps"].iloc[0])}


def _wrong(table: pd.DataFrame | None, runs: Iterable[Run]) -> dict | None:
    """A row per population and box, a cell per run."""
    if table is None or table.empty:
        return None
    shown = [run for run in runs if run.id in set(table["run"])]
    rows = [
        {
            "label": f"{population.replace('_', ' ')}, box ×{box:g}",
            "cells": [part.set_index("run").loc[run.id] for run in shown],
            "least": part.loc[part["kl"].idxmin(), "run"],
        }
        for (population, box), part in table.groupby(["population", "box"], sort=False)
    ]
    labels = {run.id: run.entry.label for run in shown}
    return {
        "runs": shown,
        "rows": rows,
        "people": int(table["people"].iloc[0]),
        "replicates": int(table["replicates"].iloc[0]),
        "sentence": lost(table, labels),
    }


def lost(table: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """By how much each run is behind the most accurate one where it is worst, the least so first."""
    worst = table.loc[table.groupby("run")["behind"].idxmax()].sort_values("behind")
    parts = [
        f"{labels[row.run]} by a factor of {row.behind:.2f} [{row.behind_low:.2f}, {row.behind_high:.2f}]"
        f" ({row.population.replace('_', ' ')}, box ×{row.box:g})"
        for row in worst.itertuples()
    ]
    return f"Where each is worst, in median KL behind the most accurate there: {listed(parts)}."


def _said(table: pd.DataFrame) -> str:
    """Who is nearest to the exact posterior, and what the normals that are found beside it miss."""
    alone = table[(table["prior"] == "fixed") & (table["engine"] != "quadrature")]
    worst = alone.groupby("engine", sort=False)[["mean_error", "sd_ratio", "ms"]].agg(
        {"mean_error": "max", "sd_ratio": "min", "ms": "median"}
    )
    parts = [
        f"{LABELS[engine]} by at most {sig(row['mean_error'])} (sd ratio at least {sig(row['sd_ratio'])}, {sig(row['ms'])} ms a"
        " person)"
        for engine, row in worst.sort_values("mean_error").iterrows()
    ]
    return f"Of everybody alone, in exact posterior sds, the means are off: {listed(parts)}."


def _stored(study: Study, name: str) -> pd.DataFrame:
    return finished_table(Path("results") / study.config["study"] / "tables" / f"{name}.csv")


def markdown_of_engines(study: Study) -> list[str]:
    """The table `engines` of a finished study in Markdown: for everybody alone, and with their population, a row per engine and
    number of people, a cell per model. Raises InputError where there is none."""
    table = _stored(study, "engines")
    models = list(dict.fromkeys(table["model"]))
    lines = []
    for prior, part in table.groupby("prior", sort=False):
        what = "error of means / ratio of sds / coverage / evidence"
        lines += [f"{PRIORS[prior].capitalize()}: {what}.", ""]
        lines += headed(["engine", "people", *models, "ms a person"])
        for engine in [name for name in LABELS if name in set(part["engine"])]:
            for people, rows in part[part["engine"] == engine].groupby("people"):
                cells = [_cell(rows[rows["model"] == model]) for model in models]
                times = rows.loc[rows["n"] > 0, "ms"]
                lines.append(f"| {LABELS[engine]} | {people} | {' | '.join(cells)} | {span(times) if len(times) else '-'} |")
        lines.append("")
    return lines[:-1]


def _cell(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "-"
    row = rows.iloc[0]
    if row["left_out"]:
        return f"left out: {row['left_out']}"
    evidence = "" if row["evidence"] != row["evidence"] else f" / {_number(row['evidence'])}"
    cell = f"{_number(row['mean_error'])} / {_number(row['sd_ratio'])} / {row['coverage']:.2f}{evidence}"
    return cell if row["converged"] == 1.0 else f"{cell} ({100 * row['converged']:.0f} % converged)"


def _number(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1.0 else f"{value:.3f}"


def markdown_of_misspecified(study: Study) -> list[str]:
    """The table `misspecified` of a finished study in Markdown, a row per shape and box and a cell per run, and what it says.
    Raises InputError where there is none."""
    table = _stored(study, "misspecified")
    labels = {run.id: run.entry.label for run in study.runs.values() if run.id in set(table["run"])}
    lines = headed(["population", "box", *labels.values()])
    for (population, box), part in table.groupby(["population", "box"], sort=False):
        rows = part.set_index("run")
        cells = [_accuracy(rows.loc[run]) for run in labels]
        lines.append(f"| {population.replace('_', ' ')} | ×{box:g} | {' | '.join(cells)} |")
    return [*lines, "", lost(table, labels)]


def _accuracy(row: pd.Series) -> str:
    """Thousandths of a nat with the standard error, and coverage where there are intervals."""
    coverage = "" if row["coverage"] != row["coverage"] else f", {row['coverage']:.2f}".replace("0.", ".")
    return f"{1e3 * row['kl']:.2f} ± {1e3 * row['kl_se']:.2f}{coverage}"
