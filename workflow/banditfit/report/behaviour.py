"""What people do, and whether agents of each model do the same."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..experiments.own_design import PEOPLE, SAMPLE
from ..models.families import get_model
from ..study.cases import Cases, data_label
from ..study.entries import Run
from .wording import counted, percent

TITLE, AFTER, PLACE = "Behaviour, and checks of the models", "known", -20
ABOUT = "learning curves, staying and shifting by lag, and agents of each model in the place of people"
STAY = ("stay after win", "stay after loss")


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per data set what people do, in sentences, and a row per model of how far its agents are from them."""
    table = tables.get("behaviour")
    if table is None or not len(table):
        return None
    parts = []
    for dataset, rows in table.groupby("dataset", sort=False):
        people = rows[rows["model"] == PEOPLE]
        compared = rows[rows["model"] == SAMPLE] if (rows["model"] == SAMPLE).any() else people
        agents = [
            _row(model, part, compared) for model, part in rows.groupby("model", sort=False) if model not in (PEOPLE, SAMPLE)
        ]
        parts.append(
            {
                "label": data_label(dataset, cases),
                "sentences": _sentences(people),
                "agents": sorted(agents, key=lambda row: row["stay"]),
                "sample": counted(int(compared["people"].max()), "person", "people") if len(compared) else "",
            }
        )
    return {"parts": parts}


def _at(rows: pd.DataFrame, measure: str, place: int) -> pd.Series | None:
    part = rows[rows["measure"] == measure].sort_values("x")
    return part.iloc[place] if len(part) else None


def _sentences(people: pd.DataFrame) -> list[str]:
    said = []
    first, last = _at(people, "best", 0), _at(people, "best", -1)
    if first is not None:
        said.append(
            f"The arm that brought a person most in a session is chosen in {percent(first['mean'])} of its first trials and"
            f" {percent(last['mean'])} of its last (with hindsight, so above chance even for a guesser)."
        )
    win, loss = _at(people, STAY[0], 0), _at(people, STAY[1], 0)
    if win is not None and loss is not None:
        shift = percent(1.0 - loss["mean"])
        said.append(f"After a win people stay in {percent(win['mean'])} of trials, after none they shift in {shift}.")
    return said


def _row(model: str, agents: pd.DataFrame, people: pd.DataFrame) -> dict:
    """How far agents are from people: mean absolute differences, and how many points lie outside the people's intervals."""
    both = agents.merge(people, on=["measure", "x"], suffixes=("", "_people"))
    off = (both["mean"] - both["mean_people"]).abs()
    stay, best = both["measure"].isin(STAY), both["measure"] == "best"
    outside = (both["mean"] < both["low_people"]) | (both["mean"] > both["high_people"])
    return {
        "label": get_model(model).label,
        "stay": off[stay].mean(),
        "best": off[best].mean(),
        "outside": int(outside[stay | best].sum()),
        "points": int((stay | best).sum()),
    }
