"""What to use, drawn from the figures."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..study.cases import KEYS, Cases, key, of, present
from ..study.entries import Run
from ..tables.coverage import HOLD
from ..tables.guide import NEAR, NEEDS, recommend
from ..tables.summaries import CERTIFIED, USUAL
from .wording import percent, span

GIVES = ("estimates", "maxima", "intervals", "proofs", "pools")  # columns of the guide's table, and words

TITLE, AFTER, PLACE = "What to use", "known", 1


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per need, the method that serves it on every data set and model, with its cost and accuracy; per method, what it gives at
    what cost over all data sets. None where no run can be compared with another."""
    guide = tables.get("guide")
    if guide is None or not guide["t_wall"].notna().any():
        return None
    compared = guide[guide["t_wall"].notna()]
    shown = present(cases, compared)
    truth = {case for case in shown if of(compared, case)["kl"].notna().any()}
    needs = [
        {
            "words": need.words,
            "cells": [{"row": recommend(guide, case, need), "untold": need.truth and case not in truth} for case in shown],
        }
        for need in NEEDS
    ]
    entries = {run.id: run.entry for run in runs}
    lowest = compared.groupby(KEYS)["kl"].transform("min")
    methods = [
        {
            "entry": entries[run],
            "call": rows["call"].iloc[0],
            "wall": span(rows["t_wall"]),
            "behind": span((rows["kl"] / lowest[rows.index]).dropna()) if rows["kl"].notna().any() else "",
            "ended_well": percent((rows["n"] * rows["ended_well"]).sum() / rows["n"].sum()),
            "gives": [_words(what, rows) for what in GIVES if (rows[what].astype(float) >= USUAL).all()],
            "front": int((rows["front_kl"].astype(bool)).sum()),
            "data_sets": int(rows["kl"].notna().sum()),
        }
        for run, rows in compared.groupby("run", sort=False)
    ]
    left_out = guide[guide["t_wall"].isna() & guide["run"].isin(list(entries))]
    return {
        "labels": [cases[case].label for case in shown],
        "truth": bool(truth),
        "needs": needs,
        "methods": methods,
        "left_out": [
            f"{entries[row.run].label} on {cases[key(row)].label} ({row.n} episodes)" for row in left_out.itertuples()
        ],
        "near": f"{100 * (NEAR - 1):.0f} %",
        "maximum": CERTIFIED,
        "hold": f"{100 * HOLD[0]:.0f} %",
        "usual": f"{100 * USUAL:.0f} %",
    }


def _words(what: str, rows: pd.DataFrame) -> str:
    """What a method gives; of intervals also how many of 100 hold the truth."""
    held = rows["coverage"].dropna()
    return f"{what} ({span(100 * held)} %)" if what == "intervals" and len(held) else what
