"""What to use, drawn from the figures."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..study.cases import KEYS, Case, Cases, key, of, present
from ..study.entries import Run
from ..tables.coverage import HOLD
from ..tables.guide import CLEAR, NEAR, RESAMPLES, Need, chosen, needs
from ..tables.summaries import CERTIFIED, USUAL
from .wording import percent, span

GIVES = ("estimates", "maxima", "intervals", "proofs", "pools")  # columns of the guide's table, and words

TITLE, AFTER, PLACE = "What to use", "known", 1
ABOUT = "per need and data set, and what every method costs and gives"


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per need, the method that serves it on every data set and model, with its cost and accuracy; per method, what it gives at
    what cost over all data sets. None where no run can be compared with another."""
    guide, choices = tables.get("guide"), tables.get("choices")
    if guide is None or choices is None or not guide["t_cpu"].notna().any():
        return None
    compared = guide[guide["t_cpu"].notna()]
    shown = present(cases, compared)
    truth = {case for case in shown if of(compared, case)["kl"].notna().any()}
    wanted = needs(guide)
    served = [{"words": need.words, "cells": [_cell(guide, choices, case, need, truth) for case in shown]} for need in wanted]
    entries = {run.id: run.entry for run in runs}
    lowest = compared.groupby(KEYS)["kl"].transform("min")
    methods = [
        {
            "entry": entries[run],
            "call": rows["call"].iloc[0],
            "cost": span(rows["t_cpu"]),
            "behind": span((rows["kl"] / lowest[rows.index]).dropna()) if rows["kl"].notna().any() else "",
            "ended_well": percent((rows["n"] * rows["ended_well"]).sum() / rows["n"].sum()),
            "at_bound": percent((rows["n"] * rows["at_bound"]).sum() / rows["n"].sum())
            if rows["at_bound"].notna().all()
            else "–",
            "gives": _gives(rows) or ["a policy alone"],
            "wrong": span(rows["wrong"].dropna()) if rows["wrong"].notna().any() else "",
            "front": int((rows["front_kl"].astype(bool)).sum()),
            "data_sets": int(rows["kl"].notna().sum()),
        }
        for run, rows in compared.groupby("run", sort=False)
    ]
    left_out = guide[guide["t_cpu"].isna() & guide["run"].isin(list(entries))]
    return {
        "labels": [cases[case].label for case in shown],
        "truth": bool(truth),
        "needs": served,
        "robust": any(need.told_by for need in wanted),
        "methods": methods,
        "left_out": [
            f"{entries[row.run].label} on {cases[key(row)].label} ({row.n} episodes)" for row in left_out.itertuples()
        ],
        "near": f"{100 * (NEAR - 1):.0f} %",
        "surely": f"{100 * CLEAR:.0f} %",
        "resamples": RESAMPLES,
        "maximum": CERTIFIED,
        "hold": f"{100 * HOLD[0]:.0f} %",
        "usual": f"{100 * USUAL:.0f} %",
    }


def _cell(guide: pd.DataFrame, choices: pd.DataFrame, case: Case, need: Need, truth: set[Case]) -> dict:
    """What is chosen for a need on one data set, each with the share of resamples and its row of the guide."""
    rows, clear = chosen(choices, case, need)
    by_run = of(guide, case).set_index("run")
    made = [{"share": percent(row.share), "row": by_run.loc[row.run]} for row in rows.itertuples()]
    return {"chosen": made, "sure": clear, "untold": need.truth and case not in truth}


def _gives(rows: pd.DataFrame) -> list[str]:
    """What a method gives on every data set as often as that is usual; and in what share of its fits it gives estimates, where
    that is less."""
    usual = [what for what in GIVES if (rows[what].astype(float) >= USUAL).all()]
    share = (rows["n"] * rows["estimates"]).sum() / rows["n"].sum()
    less = [f"estimates in {percent(share)}"] if share and "estimates" not in usual else []
    return less + [_words(what, rows) for what in usual]


def _words(what: str, rows: pd.DataFrame) -> str:
    """What a method gives; of intervals also how many of 100 hold the truth."""
    held = rows["coverage"].dropna()
    return f"{what} ({span(100 * held)} %)" if what == "intervals" and len(held) else what
