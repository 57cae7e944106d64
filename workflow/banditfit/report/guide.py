"""What to use, drawn from the figures."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ..entries import Run
from ..guide import MAXIMUM, NEAR, NEEDS, USUAL, recommend
from ..population import HOLD
from .words import span

GIVES = ("estimates", "maxima", "intervals", "proofs", "pools")  # columns of the guide's table, and words


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], catalogue: Mapping[str, Any]) -> dict | None:
    """Per need, the method that serves it on every data set, with its cost and accuracy; per method, what it gives at what
    cost over all data sets. None where no truth is known."""
    guide = tables.get("guide")
    if guide is None or not guide["kl"].notna().any():
        return None
    known = guide[guide["kl"].notna()]
    datasets = [name for name in catalogue if name in set(known["dataset"])]
    needs = [{"words": need.words, "cells": [recommend(guide, dataset, need) for dataset in datasets]} for need in NEEDS]
    entries = {run.id: run.entry for run in runs}
    methods = [
        {
            "entry": entries[run],
            "wall": span(rows["t_wall"]),
            "behind": span(rows["kl"] / rows["dataset"].map(known.groupby("dataset")["kl"].min())),
            "gives": [_words(what, rows) for what in GIVES if (rows[what].astype(float) >= USUAL).all()],
            "front": int((rows["front_kl"].astype(bool)).sum()),
            "data_sets": len(rows),
        }
        for run, rows in known.groupby("run", sort=False)
    ]
    return {
        "labels": [catalogue[name].label for name in datasets],
        "needs": needs,
        "methods": methods,
        "near": f"{100 * (NEAR - 1):.0f} %",
        "maximum": MAXIMUM,
        "hold": f"{100 * HOLD[0]:.0f} %",
        "usual": f"{100 * USUAL:.0f} %",
    }


def _words(what: str, rows: pd.DataFrame) -> str:
    """What a method gives; of intervals also how many of 100 hold the truth."""
    return f"{what} ({span(100 * rows['coverage'])} %)" if what == "intervals" else what
