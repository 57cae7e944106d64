"""Whether models and parameters could be told apart at the design of the data."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..models.families import get_model
from ..study.cases import Cases, data_label
from ..study.entries import Run
from .wording import count, counted, listed, of_parts, percent, sig

TITLE, AFTER, PLACE = "What this design can tell", "known", -16
ABOUT = "whether models and parameters could be told apart at this design"
RECOGNISED = 0.8  # below this share of agents whose model is found again the best model is said to be in doubt
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
        compared = tables["models"]
        best = next(iter(compared.loc[compared["dataset"] == dataset, "model"]), None)
        parts.append({"label": data_label(dataset, cases), "sentences": _sentences(rows, own, best), "rows": shown})
    return {"parts": parts}


def finding(found: dict) -> str:
    """What it found, for the front page."""
    return of_parts(found["parts"])


def _sentences(confusion: pd.DataFrame, parameters: pd.DataFrame, favourite: str | None) -> list[str]:
    """How well models and parameters are found again, the `favourite` model's by name, if there is one."""
    right = confusion[confusion["model"] == confusion["best"]]
    wrong = confusion[confusion["model"] != confusion["best"]]
    worst = wrong.loc[wrong["share"].idxmax()]
    true, best = (get_model(worst[name]).label for name in ("model", "best"))
    share = right["share"].mean()
    doubt = ", so the best model need not be the one that made the choices" if share < RECOGNISED else ""
    said = [
        f"Of agents of each model that play this design, {percent(share)} are recognised by BIC (chance:"
        f" {percent(1 / len(right))}){doubt}.",
        f"Most often “{true}” is taken for “{best}”: in {percent(worst['share'])} of its agents.",
    ]
    poor = parameters[parameters["correlation"] < POOR]
    own = [f"{row.parameter} ({sig(row.correlation)})" for row in poor[poor["model"] == favourite].itertuples()]
    named = f", of “{get_model(favourite).label}” {listed(own) if own else 'none'}" if favourite else ""
    said.append(
        f"{count(len(poor))} of {counted(len(parameters), 'parameter')} are hardly recovered (correlation of truth and estimate"
        f" below {POOR}){named}."
    )
    return said
