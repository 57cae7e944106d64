"""Person by person: how far the fit of each can be trusted, by the model with the least BIC."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..models.families import get_model
from ..study.cases import Cases, data_label
from ..study.entries import Run
from ..tables.guide import CLOSED
from .wording import ABSENT, count, counted, listed, sig

TITLE, AFTER, PLACE = "Person by person", "known", -14
ABOUT = "certificate, starts, bounds and intervals of each person's fit, and who cannot be told from a guesser"
MOST, NAMED = 200, 40  # people in the table, and names in a sentence


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per data set of one's own a row per person; None where there is none of several models."""
    models, people, parameters = (tables.get(name) for name in ("models", "people", "person_parameters"))
    if models is None or people is None or parameters is None or not len(models) or not len(parameters):
        return None
    sets = tables.get("people_sets")
    parts = []
    for dataset, rows in models.groupby("dataset", sort=False):
        best = rows["model"].iloc[0]
        own = parameters[(parameters["dataset"] == dataset) & (parameters["model"] == best)]
        if not len(own):
            continue
        whose = people[people["dataset"] == dataset]
        found = None if sets is None else sets[(sets["dataset"] == dataset) & (sets["model"] == best)]
        shown = [_row(person, whose, own, found) for person in whose[whose["model"] == best].head(MOST).itertuples()]
        parts.append(
            {
                "label": data_label(dataset, cases),
                "model": get_model(best).label,
                "rows": shown,
                "left": max(whose["episode"].nunique() - MOST, 0),
                "sentences": _sentences(whose, whose[whose["model"] == best], own),
            }
        )
    return {"parts": parts} if parts else None


def _row(person: Any, people: pd.DataFrame, parameters: pd.DataFrame, sets: pd.DataFrame | None) -> dict[str, Any]:
    """What is said of one person."""
    own = parameters[parameters["episode"] == person.episode]
    all_models = people[people["episode"] == person.episode]
    starts = own[own["starts"] > 1].head(1)
    agreed = ABSENT if starts.empty else f"{count(starts['starts_agreed'].iloc[0])} of {count(starts['starts'].iloc[0])}"
    of_best = own[own["method"] == person.method]
    ends = {} if sets is None else {row.parameter: row for row in sets[sets["episode"] == person.episode].itertuples()}
    told = [_parameter(row, ends.get(row.parameter)) for row in of_best.itertuples()]
    best = all_models.loc[all_models["bic"].idxmin(), "model"] if all_models["bic"].notna().any() else None
    return {
        "id": str(person.id),
        "nll": person.nll,
        "lpt": person.lpt,
        "best": ABSENT if best is None else get_model(best).label,
        "guessed": bool(person.guessed),
        "certificate": "optimum proved"
        if person.gap <= CLOSED
        else "no bound"
        if np.isnan(person.gap)
        else f"gap {sig(person.gap)}",
        "agreed": agreed,
        "parameters": "; ".join(told),
    }


def _parameter(row: Any, ends: Any) -> str:
    """An estimate with its interval and what is wrong with it."""
    if row.not_identified:
        return f"{row.parameter} not identified"
    interval = f" [{sig(ends.lower)}, {sig(ends.upper)}]" if ends is not None else ""
    flags = [*(["at its bound"] if row.at_bound else []), *(["on a ridge"] if ends is not None and ends.ridge else [])]
    return f"{row.parameter} {sig(row.estimate)}{interval}{f' ({listed(flags)})' if flags else ''}"


def _sentences(people: pd.DataFrame, of_best: pd.DataFrame, parameters: pd.DataFrame) -> list[str]:
    guessed = people[people["guessed"].astype(bool)].drop_duplicates("episode")["id"].astype(str).tolist()
    said = []
    if guessed:
        more = f" and {count(len(guessed) - NAMED)} more" if len(guessed) > NAMED else ""
        said.append(f"No model can be told from guessing, by BIC, for {', '.join(guessed[:NAMED])}{more}.")
    else:
        said.append("For everybody some model beats guessing by BIC.")
    proved, bounded = of_best["gap"].le(CLOSED).sum(), of_best["gap"].notna().sum()
    if bounded:
        said.append(f"{count(proved)} of {counted(len(of_best), 'fit')} are proved to be the optimum.")
    else:
        said.append(
            "No method of this study proves bounds, so that none of these fits is certified (the method certified does)."
        )
    started = parameters[parameters["starts"] > 1].drop_duplicates(["episode", "method"])
    apart = started[started["starts_agreed"] < started["starts"]]["episode"].nunique()
    if apart:
        said.append(f"For {counted(apart, 'person', 'people')} some of the random starts of a local search ended elsewhere.")
    elif len(started):
        said.append("For everybody all random starts of the local searches ended in the same optimum.")
    flagged = [(of_best[name].astype(str) != "").sum() for name in ("at_bound", "not_identified")]
    at_bound, unknown = (
        f"{counted(int(number), 'person has', 'people have') if number else 'Nobody has'}" for number in flagged
    )
    said.append(f"{at_bound} a parameter at its bound. {unknown} one that is not identified.")
    return said
