"""Engines of posteriors in the report: variational inference, Laplace, Pathfinder, EM, HBI and NUTS beside quadrature."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..experiments.engines import LABELS
from ..models.families import get_model
from ..study.cases import Cases
from ..study.entries import Run
from .wording import counted, listed, sig

TITLE, AFTER, PLACE = "Engines of posteriors", "outcomes", 3
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
    best = pd.Series([row["least"] for row in rows]).value_counts()
    labels = {run.id: run.entry.label for run in shown}
    parts = listed(f"{labels[run]} {number}" for run, number in best.items())
    return {
        "runs": shown,
        "rows": rows,
        "people": int(table["people"].iloc[0]),
        "sentence": f"Lowest median KL, of {counted(len(rows), 'population and box', 'populations and boxes')}: {parts}.",
    }


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
