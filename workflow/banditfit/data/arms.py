"""What the codes of a file's arms mean: which arm was chosen, and which were offered."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import InputError
from .coding import Reading, code, is_missing
from .roles import SEVERAL, Columns
from .sheet import quoted


def read_choices(columns: Columns, how: Reading, n_arms: int, point: str) -> tuple[np.ndarray, list[str]]:
    """The choices as arms from 0 to n_arms - 1, and -1 for a missed trial; and notes on how they were read. Where the choice is
    a place they are places, from 0 on, of which there are as many as `available` has columns."""
    codes = {cell: code(cell, point) for cell in set(columns.cells["choice"])}
    named = how.missing_codes("choice")
    missed = columns.which("choice", lambda text: is_missing(text) or codes[text] in named)
    made = {codes[cell] for cell in codes if not is_missing(cell)} - named
    if how.arms is not None:
        place = {code(arm): position for position, arm in enumerate(how.arms)}
        note = f"arms {', '.join(quoted(str(arm)) for arm in how.arms)}, in this order"
        expected = f"an arm, {' or '.join(repr(arm) for arm in how.arms)}, or a missed trial's code, which `missing` names"
    else:
        _refuse_words(columns, codes, missed, n_arms)
        first = _first_arm(columns, made, missed, n_arms) if how.first_arm is None else how.first_arm
        codes_met = [value for value in made | named if isinstance(value, float) and value == round(value)]
        place = {value: int(value) - first for value in codes_met if first <= value < first + n_arms}
        unshown = how.first_arm is None and made and 0.0 not in made
        note = f"arms numbered from {first}{f', which the one arm chosen, {_shown(made)}, does not show' if unshown else ''}"
        expected = _expected(first, n_arms) + _advice(made, n_arms, how.first_arm)
    wrong = made - place.keys()
    if how.arms is None:  # what lies far from any arm is said first, as it is the easiest to explain
        wrong = {value for value in wrong if isinstance(value, str) or not 0 <= value <= n_arms} or wrong
    columns.refuse("choice", columns.which("choice", lambda text: codes[text] in wrong) & ~missed, expected)
    for value in named & place.keys():
        raise InputError(
            f"missing: found {_shown([value])}, which is the code of an arm ({note}), expected another; `first_arm` or `arms`"
            " says what the codes of the arms are"
        )
    choices = np.where(missed, -1, columns.each("choice", lambda text: place.get(codes[text], -1)))
    used = dict.fromkeys(columns.cells["choice"][row] for row in np.flatnonzero(missed))
    return choices, [note] + ([f"missed trials: {', '.join(quoted(c) if c else 'empty' for c in used)}"] if used else [])


def read_offers(columns: Columns, how: Reading, choices: np.ndarray, n_arms: int, point: str) -> tuple:
    """The arms on offer (rows, arms) as the column of them, or several, say; the choices (rows,), of arms wherever they were of
    places; and notes on how they were read."""
    several = [role for role in columns.used if role.startswith(f"{SEVERAL} ")]
    if not several:
        if how.choice_is == "place":
            raise InputError(f"choice_is: found 'place', expected a list of columns for '{SEVERAL}', one for each place")
        return _listed(columns, how, choices, n_arms, point), choices, ["the arms on offer are listed"]
    flags = {"0": False, "1": True, "false": False, "true": True}
    are_flags = all(text.casefold() in flags for role in several for text in set(columns.cells[role]))
    if are_flags and len(several) == n_arms and how.choice_is != "place":
        offers = np.stack([columns.each(role, lambda text: flags[text.casefold()]) for role in several], axis=1)
        notes = ["a column for each arm says whether it is on offer"]
    else:
        known = _arm_of(how, choices, n_arms, point)
        places = np.stack([_places(columns, role, known, how, n_arms) for role in several], axis=1)
        offers = np.zeros((len(choices), n_arms), dtype=bool)
        for place in places.T:
            offers[np.flatnonzero(place >= 0), place[place >= 0]] = True
        notes = [f"the arms on offer stand in {' and '.join(quoted(columns.used[role]) for role in several)}"]
        if how.choice_is == "place":
            chosen = places[np.arange(len(choices)), np.maximum(choices, 0)]
            columns.refuse("choice", (choices >= 0) & (chosen < 0), "a place at which there is an arm")
            choices = np.where(choices >= 0, chosen, -1)
            notes.append("a choice is that of a place")
    made = choices >= 0
    offers = offers | (~offers.any(axis=1) & ~made)[:, None]  # of a missed trial nothing need be known
    columns.refuse("choice", made & ~offers[np.arange(len(choices)), np.maximum(choices, 0)], "an arm that is on offer")
    return offers, choices, notes


def _arm_of(how: Reading, choices: np.ndarray, n_arms: int, point: str) -> dict:
    """The arm of every code."""
    if how.arms is not None:
        return {code(arm): place for place, arm in enumerate(how.arms)}
    first = how.first_arm or 0
    return {float(first + arm): arm for arm in range(n_arms)}


def _places(columns: Columns, role: str, known: Mapping, how: Reading, n_arms: int) -> np.ndarray:
    """The arm (rows,) that stands at a place, -1 where there is none."""
    arms = columns.each(role, lambda text: -1 if is_missing(text) else known.get(code(text), -2))
    columns.refuse(role, arms == -2, f"the code of one of {n_arms} arms, {_shown(known)}, or nothing where none is on offer")
    return arms


def _listed(columns: Columns, how: Reading, choices: np.ndarray, n_arms: int, point: str) -> np.ndarray:
    """The arms on offer (rows, arms), of a column that lists their codes."""
    known = _arm_of(how, choices, n_arms, point)
    empty = columns.which(SEVERAL, is_missing)
    columns.refuse(SEVERAL, empty & (choices >= 0), "the codes of the arms on offer, such as '0;2', as a choice was made")
    lists = {text: [code(part) for part in re.split(r"[;|/\s]+", text.strip()) if part] for text in set(columns.cells[SEVERAL])}
    strange = columns.which(SEVERAL, lambda text: not set(lists[text]) <= set(known)) & ~empty
    columns.refuse(SEVERAL, strange, f"codes among {_shown(known)} separated by ';', '|', '/' or a blank, such as '0;2'")
    columns.refuse(SEVERAL, columns.which(SEVERAL, lambda text: len(set(lists[text])) < len(lists[text])), "each arm once")
    rows = [[arm in {known.get(part) for part in lists[text]} for arm in range(n_arms)] for text in columns.cells[SEVERAL]]
    offers = np.array(rows, dtype=bool) | empty[:, None]
    made = choices >= 0
    columns.refuse("choice", made & ~offers[np.arange(len(choices)), np.maximum(choices, 0)], "an arm that is on offer")
    return offers


def _expected(first: int, n_arms: int) -> str:
    return f"an arm from {first} to {first + n_arms - 1}, or empty or NA for a missed trial"


def _shown(values: Iterable) -> str:
    """Codes as a user would type them."""
    return ", ".join(f"{v:g}" if isinstance(v, float) else repr(v) for v in values)


def _refuse_words(columns: Columns, codes: Mapping, missed: np.ndarray, n_arms: int) -> None:
    """Refuses choices that are no numbers, with the setting that reads them."""
    is_word = columns.which("choice", lambda text: isinstance(codes[text], str)) & ~missed
    words = list(dict.fromkeys(columns.cells["choice"][row] for row in np.flatnonzero(is_word)))
    shown = [word if len(word) <= 20 else word[:17] + "..." for word in sorted(words[:10])]
    marks = f"if a word marks a missed trial, say which, such as missing={shown[:1]}"
    if len(words) == n_arms:
        hint = f"if the arms have names, say them in their order, such as arms={shown}, in a study under `reading`"
    elif (~missed & ~is_word).any():
        hint = marks
    else:
        hint = f"if the arms have names (found {shown}), say those of all {n_arms} in their order, arms=[...]; {marks}"
    columns.refuse("choice", is_word, f"{_expected(0, n_arms)}; {hint}")


def _first_arm(columns: Columns, made: set, missed: np.ndarray, n_arms: int) -> int:
    """The number of the first arm, where the file shows it: 0 if that is chosen, or if only one arm is, or none."""
    if len(made) > 1 and min(made) >= 1 and max(made) < n_arms:
        columns.refuse(
            "choice",
            ~missed,
            f"choices that show how the {n_arms} arms are numbered, which {_shown(sorted(made))} alone do not; say first_arm=0"
            f" if they are 0 to {n_arms - 1}, first_arm=1 if they are 1 to {n_arms}",
        )
    return 0


def _advice(made: set, n_arms: int, first: int | None) -> str:
    """What to do where some choices are no arms, by what all of them look like (`first`: what `first_arm` says)."""
    whole = sorted(value for value in made if value == round(value))
    if not whole:
        return ""
    lowest = first or 0
    least, most = whole[0], whole[-1]
    if first is None and least >= 1 and most == n_arms:
        return f": the arms seem to be numbered 1 to {n_arms}; if so, say first_arm=1"
    if first is None and least == 0 and most == n_arms:
        return (
            f": if 0 marks a missed trial and the arms are 1 to {n_arms}, say missing=[0] and first_arm=1; if {n_arms} marks"
            f" one, say missing=[{n_arms}]; if there are {n_arms + 1} arms, say n_arms={n_arms + 1}"
        )
    if first is None and least == -1 and most == 1 and n_arms <= 3:
        arms = "arms=[-1, 1]" if n_arms == 2 else "arms=[-1, 0, 1]"
        zero = " and, as 0 is no choice then, missing=[0]" if 0.0 in made and n_arms == 2 else ""
        return f": if -1 is an arm (left, say), say {arms}{zero}; if -1 marks a missed trial, say missing=[-1]"
    odd = next((value for value in whole if not lowest <= value < lowest + n_arms), None)
    return "" if odd is None else f"; where {odd:g} marks a missed trial, say missing=[{odd:g}]"
