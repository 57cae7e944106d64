"""Models compared on the same data."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..models.families import get_model
from ..models.terms import TERMS
from ..study.cases import Cases, data_label
from ..study.entries import Run
from ..tables.guide import CLOSED
from .wording import count, counted, of_parts, sig

TITLE, AFTER, PLACE = "Models compared", "known", -18
ABOUT = "which model fits, for everybody and for each person"
SURE = 0.95  # the protected exceedance probability from which on a model is called the most frequent


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per data set of several models: what was found, and a row per model; None where no data set has several."""
    models, terms, people = tables.get("models"), tables.get("terms"), tables.get("people")
    if models is None or not len(models):
        return None
    parts = []
    for dataset, rows in models.groupby("dataset", sort=False):
        whose = people[people["dataset"] == dataset]
        # Studies stored before terms were compared have no such table.
        apart = () if terms is None else terms[terms["dataset"] == dataset].itertuples()
        parts.append(
            {
                "label": data_label(dataset, cases),
                "sentences": _sentences(rows, whose),
                "rows": [{"label": get_model(row.model).label, "own": row} for row in rows.itertuples()],
                "terms": [{"words": TERMS[row.term].words, "own": row, "of": len(rows)} for row in apart],
            }
        )
    return {"parts": parts, "assumes": {model: get_model(model) for model in dict.fromkeys(models["model"])}}


def finding(found: dict) -> str:
    """What it found, for the front page."""
    return of_parts(found["parts"])


def _sentences(rows: pd.DataFrame, people: pd.DataFrame) -> list[str]:
    best, second = rows.iloc[0], rows.iloc[1]
    label = get_model(best["model"]).label
    whom = counted(int(best["n_people"]), "person", "people")
    said = [
        f"Of {counted(len(rows), 'model')}, “{label}” has the lowest BIC over {whom},"
        f" {sig(second['delta'])} below “{get_model(second['model']).label}”; it is the best for"
        f" {count(int(best['best_for']))} of them."
    ]
    favourite = rows.loc[rows["protected"].idxmax()]
    whose = get_model(favourite["model"]).label
    if favourite["protected"] >= SURE:
        said.append(
            f"“{whose}” is the most frequent model among people, with protected exceedance probability"
            f" {sig(favourite['protected'])}."
        )
    else:
        said.append(
            f"No model is surely the most frequent among people: “{whose}” is with probability {sig(favourite['protected'])}"
            f" (protected exceedance), and all are equally frequent with probability {sig(favourite['bor'])} (BOR)."
        )
    if best["guessed"]:
        said.append(f"For {count(int(best['guessed']))} of them no model beats guessing by BIC: their estimates say little.")
    proved = people["gap"].le(CLOSED)
    if proved.any():
        said.append(f"{count(int(proved.sum()))} of {counted(len(people), 'fit')} are certified to be the optimum.")
    return said
