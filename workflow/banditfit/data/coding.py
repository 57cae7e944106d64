"""What the cells of a file mean: numbers and missing codes, and the settings that decide it, those of arms too."""

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
