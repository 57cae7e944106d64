"""What was read of each data set, and by which settings."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..study.cases import Cases, data_label
from ..study.entries import Run
from .wording import counted, percent

TITLE, AFTER, PLACE = "What was read", "known", -30
ABOUT = "people, trials, missed trials, units, and the settings by which a file was read"
SETTING, NOTE = "setting ", "note "


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per data set the facts, the settings and what was recognised; None where the study asks for none."""
    facts = tables.get("facts")
    if facts is None or not len(facts):
        return None
    parts = []
    for dataset, rows in facts.groupby("dataset", sort=False):
        told = dict(zip(rows["fact"], rows["value"].astype(str), strict=True))
        notes = [value for fact, value in told.items() if fact.startswith(NOTE)]
        settings = {fact.removeprefix(SETTING): value for fact, value in told.items() if fact.startswith(SETTING)}
        plain = {fact: value for fact, value in told.items() if not fact.startswith((NOTE, SETTING)) and fact != "not played"}
        parts.append(
            {
                "label": data_label(dataset, cases),
                "facts": plain,
                "settings": settings,
                "notes": notes,
                "sentences": _sentences(told, settings),
                "not_played": told.get("not played"),
            }
        )
    return {"parts": parts}


def _sentences(told: Mapping[str, str], settings: Mapping[str, str]) -> list[str]:
    missed, rows = int(told["missed trials"]), int(told["rows"])
    people = counted(int(told["people"]), "person", "people")
    said = [f"{people}, {counted(rows, 'trial')} in {counted(int(told['sessions']), 'session')}."]
    if settings.get("missed") == "drop":
        said.append(
            "Missed trials were dropped (setting missed: drop): values stand still over them, as if there had been none."
        )
    elif missed:
        said.append(
            f"{counted(missed, 'trial')} ({percent(missed / rows)}) were missed. The rule for them is missed: decay: nothing is"
            " scored, and what decays with time decays; what changes with choices alone stands still. Dropping them is another"
            " model (missed: drop), with other likelihoods."
        )
    else:
        said.append("No trial was missed.")
    if "arms on offer" in told:
        said.append(
            f"On a trial {told['arms on offer']} of {told['arms']} arms were on offer; a choice is one among these, and so is a"
            " guess."
        )
    if int(told.get("forced choices", 0)):
        said.append(
            f"{counted(int(told['forced choices']), 'choice was', 'choices were')} forced: what they brought is learnt, and"
            " they are not scored."
        )
    if "losses" in told:
        said.append("What was lost stands in a column of its own; models of one signal learn from what is left in sum.")
    said.append(
        f"The largest absolute reward is {told['reward scale']}: the unit of default bounds and priors of sensitivities."
    )
    return said
