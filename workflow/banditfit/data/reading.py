"""Reading a data set from a file of one's own. Whatever can be read in more than one way is refused, with its place in the
file and the setting that decides; what was recognised is kept as the data set's notes."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..arguments import describe
from ..errors import InputError
from .arms import read_choices, read_offers
from .coding import Reading, decimal_sign, is_missing, numbers, read_foregone, read_losses, read_rewards, read_truths
from .dataset import CONTROL, Dataset, check_arms
from .roles import OPTIONAL, ROLES, SEVERAL, Columns, each_column, find
from .sheet import Sheet, checked_path, frame_sheet, parquet_sheet, quoted, read_sheet

SUFFIXES = re.compile(r"\.((csv|tsv|txt)(\.gz)?|parquet)$", re.IGNORECASE)


def read_csv(
    path: str | Path,
    *,
    n_arms: int,
    name: str | None = None,
    columns: Mapping[str, str | Sequence[str] | None] | None = None,
    first_arm: int | None = None,
    arms: Sequence[str | float] | None = None,
    missing: Sequence[str | float] | Mapping[str, Sequence[str | float]] = (),
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    preset: str | None = None,
    missed: str = "decay",
    choice_is: str | None = None,
) -> Dataset:
    """Reads a file of separated text with a header, or a Parquet file, with one row per trial in the order of the trials.

    Each column has a role; its name is by default that of the role, in any capitals:

    episode  any text: what is fitted on its own (a subject, say). Its rows stand together, unless `step` proves their
             order. Becomes `ids`
    choice   the chosen arm; a missing code for a missed trial
    reward   a number, or True and False for 1 and 0; on a missed trial 0 or a missing code (and kept as 0)
    loss     optional: what was lost beside the reward, which is what was won. All of one sign. The term `sensitivities` learns
             both apart, all other models learn from what is left in sum
    session  optional, any text: where it changes within an episode, all traces are reset
    state    optional, any text: the cue or context of the trial; each state has values of its own
    available optional: the codes of the arms on offer, separated by ; | / or blanks, or in `columns` a list of columns: one of
             True and False (1 or 0) for each arm in order, or for each place on the screen the code of the arm that stood there
    forced   optional, True or False (1 or 0): whether the arm was not chosen freely. It informs the values, and is not scored
    foregone optional, of two arms: the outcome of the other one, empty or a missing code where it was not shown
    step     optional, an integer that grows by one from each row of a session to the next, as proof that none is absent

    n_arms     how many arms there are, chosen or not
    name       of the data set, by default that of the file
    columns    the file's own names by role, such as {"episode": "subjID", "session": "block"}; None for a role that no
               column has. Other columns are not read, but one whose name is usual for a session, a step or a state (`block`,
               `trial`) is refused until `columns` says what it is
    first_arm  the number of the first arm. By default 0, if the file shows it: 0 is chosen, or one arm alone
    arms       in its stead, the codes of all arms in their order, such as ["left", "right"] or [-1, 1]
    missing    codes of missed choices and of their rewards, such as ["."] or [-99]; empty, NA, N/A, #N/A and NaN always are.
               A 0 in the list is no choice, but still a reward; {"choice": [-1], "reward": [-99]} tells the columns apart,
               and "reward_if_missed": [-1] names what was shown on a missed trial, which is left out
    separator  by default comma, semicolon or tab, as the header shows
    decimal    "." or ",", by default as the numbers show
    encoding   by default UTF-8, or what a byte-order mark says; gzip is unpacked
    preset     the layout of another program, "hbayesdm", "em", "aind", "cbm", "cpm" or "palminteri": names of columns, the
               first arm and missing codes, on top of which other settings are (docs/own_data.md)
    missed     "decay": traces decay over a missed trial, as time has passed; "drop": missed trials are left out, as if they had
               not been. These are two models, and which one is meant changes estimates and likelihoods
    choice_is  "place" where the choice says not the arm, but which of the columns listed for `available`; counted from
               `first_arm` too

    Blanks around names and cells, comments (lines that begin with #) before the header, and empty rows and columns at the
    end are left out. Returns a Dataset whose `notes` say how the file was read. Raises InputError with the file, the row
    (its line in the file) and the column, what was found and what is expected: nothing is dropped, recoded or guessed.

    >>> data = bf.read_csv("mine.csv", n_arms=2, columns={"session": "block"}, first_arm=1, missing=[0])
    >>> data.notes
    ('comma-separated UTF-8 text', "column 'block' is the session", 'arms numbered from 1', "missed trials: '0'")
    """
    path = checked_path(path)
    check_arms(n_arms, "n_arms")
    how = Reading(columns, first_arm, arms, missing, separator, decimal, encoding, preset, missed, choice_is)
    sheet = parquet_sheet(path)
    if sheet is None:
        sheet = read_sheet(path, separator, encoding, lambda names: all(find(names, column) for column in _needed(how, names)))
    elif separator or encoding:
        raise InputError(f"{path}: found a Parquet file, which has no separator and encoding, expected neither as a setting")
    return _dataset(str(path), sheet, how, n_arms, SUFFIXES.sub("", path.name) if name is None else name)


def from_frame(
    table: pd.DataFrame,
    *,
    n_arms: int,
    name: str = "table",
    columns: Mapping[str, str | Sequence[str] | None] | None = None,
    first_arm: int | None = None,
    arms: Sequence[str | float] | None = None,
    missing: Sequence[str | float] | Mapping[str, Sequence[str | float]] = (),
    decimal: str | None = None,
    preset: str | None = None,
    missed: str = "decay",
    choice_is: str | None = None,
) -> Dataset:
    """Reads a table in memory by the rules and settings of `read_csv`; its index is not read, and rows are numbered from 0, as
    `table.iloc` counts them. None, NaN and pd.NA are what an empty cell is.

    >>> data = bf.from_frame(table, n_arms=2, columns={"episode": "subject"})
    """
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"from_frame, argument table: found {describe(table)}, expected a pandas DataFrame")
    check_arms(n_arms, "n_arms")
    how = Reading(columns, first_arm, arms, missing, None, decimal, None, preset, missed, choice_is)
    return _dataset("table", frame_sheet(table, "table in memory"), how, n_arms, name)


def _needed(how: Reading, names: list[str]) -> list[str]:
    """The columns that the settings say a file with these must have."""
    asked = how.of(names).columns or {}
    named = [asked.get(role, role) for role in ROLES if role not in OPTIONAL]
    return [name for name in named if isinstance(name, str)]


def _dataset(where: str, sheet: Sheet, how: Reading, n_arms: int, name: str) -> Dataset:
    """The data set that a sheet holds; `where` begins what is said of it."""
    how = how.of(sheet.header)
    how.check_arms(n_arms)
    file = Columns(where, sheet, each_column(how.columns or {}))
    point = decimal_sign(file, how)
    choices, offers, choice_notes = _choices(file, how, n_arms, point)
    rewards, reward_notes = read_rewards(file, how, choices < 0, point)
    losses, loss_notes = read_losses(file, how, choices < 0, rewards, point) if "loss" in file.used else (None, [])
    rewards = rewards if losses is None else rewards - losses
    order, begins, order_notes = _order(file)
    starts = begins | _session_starts(file, order, begins)
    states, state_notes = _states(file)
    forced = read_truths(file, "forced", point) if "forced" in file.used else None
    foregone = read_foregone(file, how, point) if "foregone" in file.used else None
    _check_steps(file, order, starts, point)
    missed_notes = []
    n_missed = int((choices < 0).sum())
    counted = f"{n_missed} missed trial{'' if n_missed == 1 else 's'}"
    if n_missed and how.missed == "drop":
        order, begins, starts = _without_missed(file, order, begins, starts, choices)
        missed_notes = [f"{counted} dropped, as if there had been none"]
    elif n_missed:
        missed_notes = [f"traces decay over {counted}"]

    first = np.flatnonzero(begins)
    n_steps = np.diff(np.append(first, len(order)))
    real = np.arange(n_steps.max()) < n_steps[:, None]

    def padded(flat: np.ndarray, filler: Any) -> np.ndarray:
        array = np.full((*real.shape, *flat.shape[1:]), filler)
        array[real] = flat
        return array

    decimals = ["decimal comma"] if point == "," else []
    return Dataset(
        name=name,
        choices=padded(choices[order], -1),
        rewards=padded(rewards[order], 0.0),
        n_arms=n_arms,
        starts=padded(starts, False),
        n_steps=n_steps,
        states=None if states is None else padded(states[order], 0),
        forced=None if forced is None else padded(forced[order], False),
        foregone=None if foregone is None else padded(foregone[order], np.nan),
        losses=None if losses is None else padded(losses[order], 0.0),
        available=None if offers is None else padded(offers[order], True),
        ids=np.array([file.cells["episode"][row] for row in order[first]]),
        notes=tuple(
            chain(
                sheet.notes,
                decimals,
                file.notes,
                choice_notes,
                reward_notes,
                loss_notes,
                order_notes,
                state_notes,
                missed_notes,
            )
        ),
    )


def _choices(file: Columns, how: Reading, n_arms: int, point: str) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """The choices (rows,), the arms on offer (rows, arms), None where no column says them, and notes."""
    asked = any(role.startswith(SEVERAL) for role in file.used)
    if not asked and how.choice_is == "place":
        raise InputError(f"choice_is: found 'place', expected columns={{'{SEVERAL}': [...]}} with a column for each place")
    places = len([role for role in file.used if role.startswith(f"{SEVERAL} ")])
    if how.choice_is == "place" and places:
        choices, notes = read_choices(file, replace(how, arms=None), places, point)
    else:
        choices, notes = read_choices(file, how, n_arms, point)
    if not asked:
        return choices, None, notes
    offers, choices, offer_notes = read_offers(file, how, choices, n_arms, point)
    return choices, offers, [*notes, *offer_notes]


def _without_missed(file: Columns, order: np.ndarray, begins: np.ndarray, starts: np.ndarray, choices: np.ndarray) -> tuple:
    """The ordered rows with a choice, and where episodes and sessions start among them."""
    made = choices[order] >= 0
    episode, session = np.cumsum(begins), np.cumsum(starts)
    empty = np.zeros(len(order), dtype=bool)
    empty[order[begins]] = ~np.isin(episode[begins], episode[made])
    file.refuse("episode", empty, "an episode with a choice, as missed='drop' leaves out all others")
    return order[made], *(np.append(True, np.diff(number[made]) > 0) for number in (episode, session))


def _order(file: Columns) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The rows in the order of the episodes, as they are first met, and where each begins; and a note if they lay apart."""
    _check_names(file, "episode", [()] * len(file.sheet.rows))
    episode = _numbered(file.cells["episode"])
    _, again = _runs(episode)
    if "step" not in file.used:
        file.refuse(
            "episode",
            again,
            "the rows of an episode together, or a column that counts its trials, named by columns={'step': ...}",
            _last_met(file, again, episode),
        )
    order = np.argsort(episode, kind="stable")
    begins = np.append(True, np.diff(episode[order]) > 0)
    apart = f"rows of an episode that lay apart put together, as {quoted(file.used.get('step', ''))} counts them"
    return order, begins, [apart] if again.any() else []


def _session_starts(file: Columns, order: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Where, in the ordered rows, a session starts."""
    if "session" not in file.used:
        return begins
    _check_names(file, "session", file.cells["episode"])
    session = _numbered(zip(file.cells["episode"], file.cells["session"], strict=True))
    starts, met = _runs(session[order])
    again = np.zeros(len(order), dtype=bool)
    again[order] = met
    expected = "the rows of a session together, as traces are reset where it changes"
    file.refuse("session", again, expected, _last_met(file, again, session))
    return starts


def _states(file: Columns) -> tuple[np.ndarray | None, list[str]]:
    """The number of each row's state, in the order in which states are first met, and a note; None if no column has them."""
    if "state" not in file.used:
        return None, []
    file.refuse("state", file.which("state", is_missing), "the name of a state")
    names = list(dict.fromkeys(file.cells["state"]))
    shown = ", ".join(quoted(name) for name in names[:4]) + (", ..." if len(names) > 4 else "")
    return _numbered(file.cells["state"]), [f"{len(names)} states: {shown}"]


def _numbered(names: Iterable) -> np.ndarray:
    """A number for each name, from 0 on as they are first met."""
    number: dict = {}
    return np.array([number.setdefault(name, len(number)) for name in names])


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a run of one value starts, and where it does so although the value was met before."""
    starts = np.append(True, values[1:] != values[:-1])
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return starts, starts & ~first


def _last_met(file: Columns, again: np.ndarray, values: np.ndarray) -> str:
    """The row where the value of the first row that `again` marks was met last."""
    if not again.any():
        return ""
    row = int(np.argmax(again))
    return f", met before up to row {file.sheet.lines[np.flatnonzero(values[:row] == values[row])[-1]]}"


def _check_steps(file: Columns, order: np.ndarray, starts: np.ndarray, point: str) -> None:
    """Refuses steps that do not grow by one within a session, with what that looks like."""
    if "step" not in file.used:
        return
    steps = numbers(file, "step", point)
    file.refuse("step", ~(steps == np.round(steps)), "an integer")
    here = steps[order]
    before = np.roll(here, 1)
    wrong = ~starts & (here != before + 1)
    if not wrong.any():
        return
    at = np.flatnonzero(wrong)[np.argmin(order[wrong])]  # the first in the file
    start = np.flatnonzero(starts[: at + 1])[-1]
    if here[at] == before[at]:
        meaning = "a trial stands there twice"
    elif here[at] == here[start] and "session" not in file.used:
        meaning = (
            "the count starts again: if traces are reset there, say which column numbers the sessions, columns={'session':"
            " ...}; if not, columns={'step': None}"
        )
    elif here[at] < before[at]:
        meaning = "the rows of a session stand in the order of its trials"
    else:
        meaning = "a trial is absent (a row with an empty choice is a missed one)"
    rows = np.zeros(len(order), dtype=bool)
    rows[order] = wrong
    file.refuse(
        "step",
        rows,
        f"{before[at] + 1:g}, one more than in row {file.sheet.lines[order[at - 1]]}, the one before in the same session:"
        f" {meaning}",
    )


def _check_names(file: Columns, role: str, within: Sequence) -> None:
    """Refuses names of episodes or sessions that are none, and such as differ only in form `within` the same other name."""
    file.refuse(role, file.which(role, is_missing), f"the name of {'an' if role == 'episode' else 'a'} {role}")
    file.refuse(role, file.which(role, lambda text: bool(CONTROL.search(text))), "a name without control or lost characters")
    comment = np.array([row[0].startswith("#") for row in file.sheet.rows])
    if role == "episode" and not comment.all():
        first = int(np.argmax(comment))
        file.refuse(
            role,
            comment,
            "comments (lines that begin with #) before the header alone",
            f" in a row that begins with {quoted(file.sheet.rows[first][0])}",
        )
    forms = {text: _form(text) for text in set(file.raw[role])}
    met: dict = {}
    for text, other in dict.fromkeys(zip(file.raw[role], within, strict=True)):  # each once, as they are first met
        known = met.setdefault((other, forms[text]), text)
        if known != text:
            show = repr if known.isascii() and text.isascii() else ascii
            pairs = list(zip(file.raw[role], within, strict=True))
            row = file.sheet.lines[pairs.index((known, other))]
            file.refuse(
                role,
                np.arange(len(pairs)) == pairs.index((text, other)),
                f"{role}s whose names differ in more than their form (blanks, capitals, Unicode form, 1 and 1.0), or one"
                " name for the same",
                f" (as {show(text)}), and {show(known)} in row {row}",
            )


def _form(text: str) -> str | Decimal:
    """What is left of a name without its form: a number, or text in one Unicode form, in small letters, without odd blanks."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    plain = " ".join("".join(letter for letter in plain if unicodedata.category(letter) != "Cf").split())
    if re.fullmatch(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)(e[+-]?[0-9]{1,3})?", plain):
        return Decimal(plain.replace(",", "."))
    return plain
