"""Every published figure beside ours."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..study.cases import Cases, own
from ..study.entries import Run
from ..tables.published import JUDGED, UNPUBLISHED, VERDICTS
from ..tables.published import METRICS as PUBLISHED_METRICS
from ..tables.summaries import METRICS
from .wording import count, counted, deviation, listed, percent

LABELS = {metric: METRICS[ours].label for metric, ours in PUBLISHED_METRICS.items()} | {"time_ms": "time, counted as published"}

TITLE, AFTER, PLACE = "Every published figure", "corrections", 2
ABOUT = "all 620 of them beside ours, with how far they are apart"


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """The counts of verdicts by method and metric, and all rows by experiment; None where nothing can be compared."""
    table = tables.get("reproduction")
    if table is None or not table["n"].any():
        return None
    # The table's own order of methods is that of the published one.
    by_method = [
        {"method": method, "cells": [_verdicts(rows[rows["metric"] == metric]) for metric in PUBLISHED_METRICS]}
        for method, rows in table.groupby("method", sort=False)
    ]
    labels = {(case.model, entry.bandit): entry.label for case, entry in cases.items() if own(case, entry)}
    experiments = [
        {
            "label": labels.get(key, ", ".join(key)),
            "rows": list(rows.itertuples()),
            "sentence": _sentence(rows),
        }
        for key, rows in table.groupby(["model", "bandit"], sort=False)
    ]
    return {
        "sentence": _sentence(table),
        "metrics": [LABELS[metric] for metric in PUBLISHED_METRICS],
        "labels": LABELS,
        "by_method": by_method,
        "experiments": experiments,
        "meanings": {**VERDICTS, **UNPUBLISHED},
    }


def _verdicts(rows: pd.DataFrame) -> list[tuple[int, str]]:
    found = rows["verdict"].value_counts()
    return [(int(found[verdict]), verdict) for verdict in (*VERDICTS, *UNPUBLISHED) if verdict in found]


def _sentence(rows: pd.DataFrame) -> str:
    published = rows[rows["verdict"] != "not published"]
    found = published["verdict"].value_counts()
    judged = int(found.reindex(JUDGED).fillna(0).sum())
    parts = [f"{count(found[verdict])} {verdict}" for verdict in JUDGED if verdict in found]
    said = [f"Of {counted(len(published), 'published figure')}, {count(judged)} can be judged"]
    if judged:
        said.append(f": {listed(parts)} ({percent(found.get('reproduced', 0) / judged)} reproduced)")
    said.append(f"; {count(found.get('other machine', 0))} are times of another machine")
    if found.get("not comparable", 0):
        said.append(f", and {count(found['not comparable'])} cannot be compared")
    new = int((rows["verdict"] == "not published").sum())
    said.append(f". {counted(new, 'figure')} that the published tables lack stand below them." if new else ".")
    if judged:
        said.append(f" {deviation(published[published['verdict'].isin(JUDGED)])}")
    return "".join(said)
