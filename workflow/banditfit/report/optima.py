"""Models and their optima: who finds the best fit, what bounds prove, and what comes back, on simulated learners."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..experiments.optima import CLOSED, MISSED, least_missed
from ..models.families import get_model
from ..study.cases import Cases
from ..study.entries import Run
from .wording import count, counted, percent, sig

TITLE, AFTER, PLACE = "Models and their optima", "known", 1
ABOUT = "how often random starts and methods find the optimum, what is proved, and which parameters come back"


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per model and number of arms the random starts, the methods, the recovery and the profile sets; None where the study does
    not ask for them."""
    methods, starts = tables.get("optima_methods"), tables.get("optima_starts")
    if methods is None or not len(methods):
        return None
    labels = {run.id: run for run in runs}
    groups = [
        {
            "label": f"{get_model(model).label}, {arms} arms",
            "n": int(part["n"].max()),
            "methods": [{"run": labels[row.run], "cell": row} for row in part.itertuples() if row.run in labels],
            "starts": _per_solver(starts, model, arms),
            "parameters": _parameters(tables, model, arms),
        }
        for (model, arms), part in methods.groupby(["model", "arms"], sort=False)
    ]
    return {
        "groups": groups,
        "sentences": [*_proved(methods), *_by_luck(starts), *_covered(tables.get("optima_sets"))],
        "counts": sorted(starts["starts"].unique()),
        "closed": f"{CLOSED:g}",
        "missed": f"{MISSED:g}",
    }


def finding(found: dict) -> str:
    """What it found, for the front page."""
    return " ".join(found["sentences"])


def _per_solver(starts: pd.DataFrame, model: str, arms: int) -> list[dict]:
    """A row per solver, with a cell for each number of starts."""
    mine = _of(starts, model, arms).groupby("solver", sort=False)
    return [{"solver": solver, "cells": list(rows.itertuples())} for solver, rows in mine]


def _of(table: pd.DataFrame, model: str, arms: int) -> pd.DataFrame:
    return table[(table["model"] == model) & (table["arms"] == arms)]


def _parameters(tables: Mapping[str, pd.DataFrame], model: str, arms: int) -> list[dict]:
    """A row per parameter: how well the fits of the method that misses least give it back, and its profile set."""
    recovery, sets, methods = (_of(tables[f"optima_{name}"], model, arms) for name in ("recovery", "sets", "methods"))
    run = least_missed(methods)["run"].item()
    found = recovery[recovery["run"] == run].set_index("parameter")
    return [{"found": found.loc[row.parameter], "name": row.parameter, "set": row} for row in sets.itertuples()]


def _proved(methods: pd.DataFrame) -> list[str]:
    """What the method that closes most bounds of each model proves."""
    bounded = methods[methods["bounded"] > 0].assign(proved=lambda rows: (rows["closed"] * rows["n"]).round())
    if not len(bounded):
        return []
    best = bounded.loc[bounded.groupby(["model", "arms"], sort=False)["proved"].idxmax()]
    proved, fitted = best["proved"].sum(), best["n"].sum()
    broken = int(methods["broken"].sum())
    words = [
        f"{count(proved)} of {counted(int(fitted), 'fit')} are proved optimal to {CLOSED:g} nats, over"
        f" {counted(best['model'].nunique(), 'model')}; the median of the median times is {sig(best['ms_median'].median())} ms."
        f" Of {counted(int(methods['bounded'].sum()), 'lower bound')} by all methods, {count(broken)} lie above the nll of an"
        f" admissible fit."
    ]
    without = [get_model(name).label for name in methods["model"].unique() if name not in set(bounded["model"])]
    if without:
        words.append(f"No method has a bound for {', '.join(without)}: there the best fit known is compared with.")
    return words


def _by_luck(starts: pd.DataFrame) -> list[str]:
    """How the solver that the study lists first does from random starts."""
    solver = starts["solver"].iloc[0]
    mine = starts[starts["solver"] == solver].groupby("starts", sort=True)
    missed = mine.apply(lambda rows: (rows["missed"] * rows["n"]).sum() / rows["n"].sum(), include_groups=False)
    worst = mine["miss_worst"].max()
    said = ", ".join(f"{percent(missed[n])} (by up to {sig(worst[n])} nats) with {n}" for n in missed.index)
    return [f"Random starts of {solver} miss the best fit known by more than {MISSED:g} nats in {said}."]


def _covered(sets: pd.DataFrame | None) -> list[str]:
    if sets is None or not len(sets):
        return []
    held, ridges = ((sets[name] * sets["n"]).sum() / sets["n"].sum() for name in ("covered", "ridge"))
    return [f"The 95 % profile sets hold {percent(held)} of the true parameters; {percent(ridges)} are ridges."]
