"""What the cells of a file mean: numbers, missing codes and the codes of the arms, and the settings that decide it."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..errors import InputError
from .presets import PRESETS
from .roles import OPTIONAL, ROLES, SEVERAL, Columns
from .sheet import quoted

# Cells that say that nothing is there, in any capitals; others are named by the setting `missing`.
MISSING = ("", "na", "n/a", "#n/a", "nan")
TRUTH = {"true": 1.0, "false": 0.0}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_IN_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")


def number(text: str, point: str = ".") -> float:
    """The finite number that a text says with this decimal sign, or NaN."""
    if point != ".":
        text = text.replace(".", "?").replace(point, ".")
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else math.nan


def code(value: str | float, point: str = ".") -> str | float:
    """What a cell, or a value in a setting, stands for: a number where it is one, else the text."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    value = number(text, point)
    return (text.casefold() if text.casefold() in TRUTH else text) if math.isnan(value) else value


def is_missing(text: str) -> bool:
    return text.casefold() in MISSING


@dataclass(frozen=True)
class Reading:
    """The settings of `reading.read_csv`, which explains them. Raises InputError for one that cannot be meant."""

    columns: Mapping[str, str | Sequence[str] | None] | None = None
    first_arm: int | None = None
    arms: Sequence[str | float] | None = None
    missing: Sequence[str | float] | Mapping[str, Sequence[str | float]] = ()
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    preset: str | None = None
    missed: str = "decay"
    choice_is: str | None = None

    def __post_init__(self) -> None:
        def check(name: str, right: Callable[[Any], bool], expected: str) -> None:
            value = getattr(self, name)
            if not (right(value) or value is None and name not in ("missing", "missed")):
                raise InputError(f"{name}: found {value!r}, expected {expected}")

        check("columns", lambda value: isinstance(value, Mapping), "names of columns by role, such as {'session': 'block'}")
        for role, column in (self.columns or {}).items():
            if role not in ROLES:
                raise InputError(f"columns: found the key {role!r}, expected some of {', '.join(ROLES)}")
            if role == SEVERAL and _are_columns(column):
                continue
            if not (isinstance(column, str) and column.strip()) and not (column is None and role in OPTIONAL):
                none = ", or None where no column is one" if role in OPTIONAL else ""
                one = "the name of a column, or a list of two names or more" if role == SEVERAL else "the name of a column"
                raise InputError(f"columns: found {column!r} for the {role}, expected {one}{none}")
        is_integer = lambda value: isinstance(value, Integral) and not isinstance(value, bool)  # noqa: E731
        check("first_arm", is_integer, "the number of the first arm, such as 0 or 1")
        check("arms", _are_arms, "the codes of the arms in their order, none twice, such as ['left', 'right']")
        if self.arms is not None and self.first_arm is not None and self.choice_is != "place":
            raise InputError(f"first_arm: found {self.first_arm} beside arms={self.arms!r}, expected one of the two")
        check("missing", _are_missing, "a list of codes, such as [-99], or lists for 'choice', 'reward', 'reward_if_missed'")
        character = lambda value: isinstance(value, str) and len(value) == 1 and value not in '\r\n"\0'  # noqa: E731
        check("separator", character, "one character, such as ';'")
        check("decimal", lambda value: value in (".", ","), "'.' or ','")
        check("encoding", _is_encoding, "an encoding that Python knows, such as 'cp1252'")
        check("missed", lambda value: isinstance(value, str) and value in ("decay", "drop"), "'decay' or 'drop'")
        check("preset", lambda value: value in PRESETS, f"one of {', '.join(PRESETS)}")
        check("choice_is", lambda value: value in ("arm", "place"), "'arm' or 'place'")

    def of(self, header: Sequence[str]) -> "Reading":
        """These settings on top of those of the preset, which speaks of an optional column only where the file has it."""
        if self.preset is None:
            return self
        preset, held = PRESETS[self.preset], {column.casefold() for column in header}
        usual: dict[str, str | list[str]] = {}
        for role, names in preset["columns"].items():
            columns = [names] if isinstance(names, str) else names
            there = [column for column in columns if column.casefold() in held]
            if role == SEVERAL:
                usual |= {role: columns} if len(there) == len(columns) else {}
            elif there or role not in OPTIONAL:
                usual[role] = [*there, *columns][0]
        own_arms = self.arms is not None or self.first_arm is not None
        return replace(
            self,
            columns=usual | dict(self.columns or {}),
            first_arm=self.first_arm if own_arms else preset.get("first_arm"),
            missing=self.missing if len(self.missing) else preset.get("missing", ()),
            choice_is=self.choice_is or preset.get("choice_is"),
        )

    def check_arms(self, n_arms: int) -> None:
        """Raises InputError unless `arms`, if given, are as many as there are arms."""
        if self.arms is not None and len(self.arms) != n_arms:
            raise InputError(f"arms: found {len(self.arms)} codes, expected {n_arms}, as n_arms says")

    def missing_codes(self, role: str) -> set[str | float]:
        """The codes that `missing` names for the choice, the reward or the reward_if_missed. In a list for all, 0 is no code
        of the reward: it is one."""
        if isinstance(self.missing, Mapping):
            return {code(value) for value in self.missing.get(role, ())}
        codes = {code(value) for value in self.missing}
        return {"choice": codes, "reward": codes - {0.0}, "reward_if_missed": set()}[role]


def _are_codes(values: Any) -> bool:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable) or not hasattr(values, "__len__"):
        return False
    return all(isinstance(value, str | Real) and value == value for value in values)


def _are_columns(names: Any) -> bool:
    if isinstance(names, str | Mapping) or not isinstance(names, Sequence):
        return False
    return len(names) > 1 and all(isinstance(name, str) and name.strip() for name in names)


def _are_arms(values: Any) -> bool:
    if isinstance(values, set | frozenset) or not _are_codes(values) or any(is_missing(str(value)) for value in values):
        return False
    return len(set(map(code, values))) == len(values)


def _are_missing(values: Any) -> bool:
    if isinstance(values, Mapping):
        return set(values) <= {"choice", "reward", "reward_if_missed"} and all(map(_are_codes, values.values()))
    return _are_codes(values)


def _is_encoding(name: Any) -> bool:
    try:
        b"a".decode(name)
    except UnicodeError:
        return True
    except (LookupError, ValueError, TypeError):
        return False
    return True


# ---- Numbers ---------------------------------------------------------------------------------------------------------


def _is_signed(text: str, sign: str) -> bool:
    """Whether a text is a number with this sign before its decimals."""
    return sign in text and not math.isnan(number(text, sign))


def decimal_sign(columns: Columns, how: Reading) -> str:
    """What stands before the decimals in the numbers of a file."""
    if how.decimal:
        return how.decimal
    roles: list[str] = [role for role in ("reward", "loss", "choice", "step", "foregone") if role in columns.used]
    found: dict[str, tuple[str, np.ndarray]] = {}  # for each sign, a role in which it is met, and the rows
    for sign in ",.":
        for role in roles:
            rows = columns.which(role, partial(_is_signed, sign=sign))
            if rows.any():
                found.setdefault(sign, (role, rows))
    if len(found) == 2:
        role, rows = found["."]
        row, example = columns.sheet.lines[int(np.argmax(rows))], columns.cells[role][int(np.argmax(rows))]
        columns.refuse(found[","][0], found[","][1], "one decimal sign in the whole file", f", and '{example}' in row {row}")
    for sign, (role, rows) in found.items():
        # A point is taken for thousands only where cells are separated as in countries that write a decimal comma.
        doubtful = sign == "," or columns.sheet.separator == ";"
        if doubtful and all(_IN_THOUSANDS.fullmatch(columns.cells[role][row]) for row in np.flatnonzero(rows)):
            other = "." if sign == "," else ","
            columns.refuse(
                role,
                rows,
                f"a number that can be read in one way: say decimal='{sign}' if this has three decimals, or write it without"
                f" the '{sign}' and say decimal='{other}' if it is in thousands",
            )
    return next(iter(found), ".")


def numbers(columns: Columns, role: str, point: str) -> np.ndarray:
    """The numbers of a column, NaN where a cell says none."""
    return columns.each(role, lambda text: number(text, point))


def read_rewards(columns: Columns, how: Reading, missed: np.ndarray, point: str) -> tuple[np.ndarray, list[str]]:
    """The rewards, 0 where the trial was `missed`, and notes on how they were read."""
    rewards = numbers(columns, "reward", point)
    blank = columns.which("reward", is_missing)
    in_codes = lambda codes: columns.which("reward", lambda text: bool(codes) and code(text, point) in codes)  # noqa: E731
    named = in_codes(how.missing_codes("reward"))
    truth = columns.which("reward", lambda text: text.casefold() in TRUTH)
    if np.isfinite(rewards[~missed & ~named]).any():
        columns.refuse("reward", truth, "numbers alone, or True and False alone")
    rewards[truth] = [TRUTH[columns.cells["reward"][row].casefold()] for row in np.flatnonzero(truth)]
    columns.refuse(
        "reward", ~blank & ~named & np.isnan(rewards), "a finite number without unit, or a code that `missing` names"
    )
    columns.refuse("reward", ~missed & blank, "a number, as a choice was made")
    columns.refuse(
        "reward",
        ~missed & named,
        "a reward, as a choice was made; if the code that `missing` names is one for choices alone, say missing={'choice':"
        " [...]}",
    )
    left_out = missed & ~blank & ~named & (rewards != 0)
    columns.refuse(
        "reward",
        left_out & ~in_codes(how.missing_codes("reward_if_missed")),
        "0 or a missing code, as the trial was missed; if it is what people saw for not choosing, which teaches no arm"
        " anything, say missing={'choice': [...], 'reward_if_missed': [...]}",
    )
    notes = ["rewards True and False read as 1 and 0"] if truth.any() else []
    notes += [f"rewards of {left_out.sum()} missed trials left out"] if left_out.any() else []
    return np.where(missed, 0.0, rewards), notes


def read_losses(columns: Columns, how: Reading, missed: np.ndarray, rewards: np.ndarray, point: str) -> tuple:
    """What was lost, 0 or more, 0 where the trial was `missed`, beside `rewards` that say what was won; and notes."""
    losses = numbers(columns, "loss", point)
    codes = how.missing_codes("reward")
    absent = missed & columns.which("loss", lambda text: is_missing(text) or code(text, point) in codes)
    columns.refuse("loss", np.isnan(losses) & ~absent, "a finite number without unit, 0 where nothing was lost")
    columns.refuse("loss", missed & ~absent & (losses != 0), "0 or a missing code, as the trial was missed")
    losses = np.where(missed, 0.0, losses)
    below, above = losses < 0, losses > 0
    if below.any() and above.any():
        first = columns.cells["loss"][int(np.argmax(above))]
        columns.refuse("loss", below, "losses all of at least 0, or all of at most 0", f", beside '{first}' in another row")
    wins = "what was won, at least 0, as the loss stands in a column of its own; if the reward is what was left in sum,"
    columns.refuse("reward", rewards < 0, f"{wins} say columns={{'loss': None}}")
    signed = "negative numbers, " if below.any() else ""
    return np.abs(losses), [f"what was lost read from {quoted(columns.used['loss'])} ({signed}0 to {np.abs(losses).max():g})"]


def read_foregone(columns: Columns, how: Reading, point: str) -> np.ndarray:
    """The outcomes of the other arm, NaN where none was shown."""
    found = columns.each("foregone", lambda text: TRUTH.get(text.casefold(), number(text, point)))
    codes = how.missing_codes("reward")
    absent = columns.which("foregone", lambda text: is_missing(text) or code(text, point) in codes)
    columns.refuse(
        "foregone", np.isnan(found) & ~absent, "a finite number, or empty or a code that `missing` names where none was shown"
    )
    return np.where(absent, np.nan, found)


def read_truths(columns: Columns, role: str, point: str) -> np.ndarray:
    """A column of True and False, or of 1 and 0."""
    truths = columns.each(role, lambda text: TRUTH.get(text.casefold(), number(text, point)))
    columns.refuse(role, ~np.isin(truths, (0.0, 1.0)), "True or False, or 1 or 0")
    return truths == 1.0


# ---- Arms ------------------------------------------------------------------------------------------------------------


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
        hint = f"if the arms have names, say them in their order, such as arms={shown}"
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
