"""Reading a data set from a CSV file. Whatever cannot be read in exactly one way is refused, with its place in the file."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .data import Dataset
from .errors import InputError

# What a file may hold and the column where it is looked for; a file without the optional ones is complete.
COLUMNS = {"episode": "episode", "choice": "choice", "reward": "reward", "session": "session", "step": "step"}
OPTIONAL = ("session", "step")


def read_csv(path: str | Path, *, n_arms: int, name: str | None = None, columns: Mapping[str, str] | None = None) -> Dataset:
    """Reads a comma-separated file with a header and one row per trial, in the order in which the trials happened.

    episode  any text: what is fitted on its own (a subject, say); its rows stand together. Becomes `ids`
    choice   the chosen arm, 0 .. n_arms - 1; empty or -1 for a missed trial
    reward   a number; on a missed trial empty or 0 (and kept as 0)
    session  optional, any text: where it changes within an episode, all traces are reset
    step     optional, an integer that grows by one from each row of a session to the next, as proof that none is absent

    `columns` maps these names to the file's own where they differ, e.g. {"session": "block"}; then they must be there.
    Other columns are not read. `name` is by default that of the file. Episodes may differ in length. Raises InputError
    with the file, row (its line in the file; the header is line 1) and column, what was found and what is expected.
    """
    path = Path(path)
    given = dict(columns or {})
    for role in given:
        if role not in COLUMNS:
            raise InputError(f"columns: found the key '{role}', expected some of {', '.join(COLUMNS)}")
    header, lines, rows = _rows(path)
    used = {}
    for role, column in {**COLUMNS, **given}.items():
        if column in header:
            used[role] = column
        elif role in given or role not in OPTIONAL:
            raise InputError(
                f"{path}, row 1: no column '{column}' (for the {role}); found {', '.join(map(repr, header))};"
                " expected comma-separated names, among them this one (the argument `columns` maps others)"
            )
    cells = {role: [row[header.index(column)] for row in rows] for role, column in used.items()}

    def refuse(role: str, wrong: np.ndarray, expected: str, hint: str = "") -> None:
        if wrong.any():
            first = int(np.argmax(wrong))
            many = f" ({wrong.sum()} such rows in all)" if wrong.sum() > 1 else ""
            found = f"column '{used[role]}': found '{cells[role][first]}'"
            raise InputError(f"{path}, row {lines[first]}, {found}, expected {expected}{hint}{many}")

    empty = {role: np.array([cell.strip() == "" for cell in column]) for role, column in cells.items()}
    numbers = {role: np.array(list(map(_number, cells[role]))) for role in cells if role in ("choice", "reward", "step")}

    choices = numbers["choice"]
    missed = empty["choice"] | (choices == -1)
    arm = f"an arm from 0 to {n_arms - 1}, or empty or -1 for a missed trial"
    refuse("choice", ~missed & ~(choices == np.round(choices)), arm)
    refuse("choice", ~missed & ((choices < 0) | (choices >= n_arms)), arm, _coding_hint(choices[~missed], n_arms))

    rewards = numbers["reward"]
    refuse("reward", ~empty["reward"] & np.isnan(rewards), "a finite number")
    refuse("reward", ~missed & empty["reward"], "a number, as a choice was made")
    refuse("reward", missed & ~empty["reward"] & (rewards != 0), "empty or 0, as the trial was missed")

    refuse("episode", empty["episode"], "the name of an episode")
    episode = np.array(cells["episode"])
    begins = np.append(True, episode[1:] != episode[:-1])
    first = np.flatnonzero(begins)
    _, once = np.unique(episode[first], return_index=True)
    again = np.zeros(len(rows), dtype=bool)
    again[np.delete(first, once)] = True
    refuse("episode", again, "an episode not met before, as the rows of an episode stand together")

    starts = begins.copy()
    if "session" in cells:
        refuse("session", empty["session"], "the name of a session")
        session = np.array(cells["session"])
        starts[1:] |= session[1:] != session[:-1]
    if "step" in cells:
        step = numbers["step"]
        refuse("step", ~(step == np.round(step)), "an integer")
        refuse("step", ~starts & (step != np.roll(step, 1) + 1), "one more than in the row before, in the same session")

    n_steps = np.diff(np.append(first, len(rows)))
    real = np.arange(n_steps.max()) < n_steps[:, None]

    def padded(flat, filler):
        array = np.full(real.shape, filler)
        array[real] = flat
        return array

    return Dataset(
        name=name or path.stem,
        choices=padded(np.where(missed, -1.0, choices), -1.0),
        rewards=padded(np.where(missed, 0.0, rewards), 0.0),
        n_arms=n_arms,
        starts=padded(starts, False),
        n_steps=n_steps,
        ids=episode[first],
    )


def _rows(path: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """The header, and the line number and cells of each row."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected a comma-separated one") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, row {line}: found the byte 0x{error.object[error.start]:02x}, expected UTF-8 text") from None
    lines, rows = [], []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            lines.append(reader.line_num)
            rows.append(row)
    except csv.Error as error:
        raise InputError(f"{path}, row {reader.line_num}: found {error}, expected comma-separated cells") from None
    if len(rows) < 2:
        found = "only a header" if rows else "an empty file"
        raise InputError(f"{path}: found {found}, expected a header and one row per trial")
    header = rows[0]
    for column in header:
        if header.count(column) > 1:
            raise InputError(f"{path}, row 1: found column '{column}' {header.count(column)} times, expected each column once")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise InputError(f"{path}, row {line}: found {len(row)} cells, expected {len(header)} as in the header")
    return header, lines[1:], rows[1:]


def _number(text: str) -> float:
    """The finite number that `text` says, or NaN. An underscore, which Python allows in numbers, is no part of one."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) and "_" not in text else math.nan


def _coding_hint(made: np.ndarray, n_arms: int) -> str:
    """Advice where the choices of a whole file look like another coding than 0 .. n_arms - 1."""
    if made.size == 0 or made.max() != n_arms or made.min() < 0:
        return ""
    if made.min() >= 1:
        return f": the arms seem to be numbered 1 to {n_arms}, so subtract 1 from every choice"
    return (
        f": either 0 marks a missed trial and arms are numbered 1 to {n_arms}, so write -1 for it and subtract 1 from"
        f" the others, or there are {n_arms + 1} arms, so say n_arms={n_arms + 1}"
    )
