"""Whether models and parameters could be told apart at the design of the data."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..models.families import get_model
from ..study.cases import Cases, data_label
from ..study.entries import Run
from .wording import listed, percent, sig

TITLE, AFTER, PLACE = "What this design can tell", "known", -16
ABOUT = "whether models and parameters could be told apart at this design"
POOR = 0.5  # below this correlation a parameter is said to be hardly recovered


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per data set how often models are found again, and a row per parameter; None where no recovery was asked for."""
    confusion, parameters = tables.get("confusion"), tables.get("recovered")
    if confusion is None or not len(confusion):
        return None
    parts = []
    for dataset, rows in confusion.groupby("dataset", sort=False):
        own = parameters[parameters["dataset"] == dataset]
        shown = [{"label": get_model(row.model).label, "own": row} for row in own.itertuples()]
        parts.append({"label": data_label(dataset, cases), "sentences": _sentences(rows, own), "rows": shown})
    return {"parts": parts}


def _sentences(confusion: pd.DataFrame, parameters: pd.DataFrame) -> list[str]:
    right = confusion[confusion["model"] == confusion["best"]]
    wrong = confusion[confusion["model"] != confusion["best"]]
    worst = wrong.loc[wrong["share"].idxmax()]
    true, best = (get_model(worst[name]).label for name in ("model", "best"))
    said = [
        f"By BIC {percent(right['share'].mean())} of agents are recognised (chance: {percent(1 / len(right))}).",
        f"Most often “{true}” is taken for “{best}”: in {percent(worst['share'])} of its agents.",
    ]
    poor = parameters[parameters["correlation"] < POOR]
    if len(poor):
        names = [f"{row.parameter} of “{get_model(row.model).label}” ({sig(row.correlation)})" for row in poor.itertuples()]
        said.append(f"Hardly recovered (correlation of truth and estimate below {POOR}): {listed(names)}.")
    return said
