"""The table of methods: every way of running a method that a study can ask for, with its label, colour and citation."""

import json
import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import read_tsv
from ..methods import method_names


@dataclass(frozen=True)
class Entry:
    """A row of the table: `method` run with `settings`, crossed with a study's local solvers if `local_solvers`.

    `published` is its name in the published tables, or None; `colour` is #RRGGBB, `order` its place in tables and figures.
    `family` is the kind of method that it is grouped with in figures, and a `variant` (of another entry, to show what a part of
    it is worth) is left out of those that compare methods unless asked for.
    """

    id: str
    method: str
    settings: dict[str, Any]
    local_solvers: bool
    label: str
    published: str | None
    colour: str
    order: int
    citation: str
    family: str = "other methods"
    variant: bool = False


@dataclass(frozen=True)
class Run:
    """One run of an entry: `id` is the entry's own, or such as "d_loc.L-BFGS-B" where a local solver is named."""

    id: str
    entry: Entry
    settings: dict[str, Any]
    local_solver: str | None
    label: str


COLUMNS = tuple(field.name for field in fields(Entry) if field.default is MISSING)
OPTIONAL = tuple(field.name for field in fields(Entry) if field.default is not MISSING)


def read_entries(path: str | Path) -> dict[str, Entry]:
    """The entries by id, in their order. Raises InputError with one sentence: file, row, column, found, expected."""
    entries = {}
    for number, row in read_tsv(path, COLUMNS, OPTIONAL):
        entry = _read_entry(path, number, row)
        for other in entries.values():
            for column in ("id", "label", "colour", "order"):
                if getattr(entry, column) == getattr(other, column):
                    raise _error(path, number, column, getattr(entry, column), f"a value that row '{other.id}' does not have")
        entries[entry.id] = entry
    return dict(sorted(entries.items(), key=lambda item: item[1].order))


def expand(entries: dict[str, Entry], ids: list[str], local_solvers: list[str]) -> list[Run]:
    """The runs of a study, in the table's order: each entry once, or once with every local solver.
    Raises InputError for an id that the table does not have."""
    unknown = [id_ for id_ in ids if id_ not in entries]
    if unknown:
        raise InputError(f"methods: found '{unknown[0]}', expected ids among {', '.join(entries)}")
    runs = []
    for entry in entries.values():
        if entry.id not in ids:
            continue
        if not entry.local_solvers:
            runs.append(Run(entry.id, entry, entry.settings, None, entry.label))
        for solver in local_solvers if entry.local_solvers else ():
            settings = {**entry.settings, "solver": solver}
            runs.append(Run(f"{entry.id}.{solver}", entry, settings, solver, f"{entry.label}, {solver}"))
    return runs


def by_family(runs: Iterable[Run], variants: bool = False) -> list[Run]:
    """The main runs, those of a family together, families in the order of their first; without variants, unless they are asked
    for or there is nothing else."""
    runs = main_runs(runs)
    shown = [run for run in runs if variants or not run.entry.variant] or runs
    families = list(dict.fromkeys(run.entry.family for run in shown))
    return sorted(shown, key=lambda run: families.index(run.entry.family))


def main_runs(runs: Iterable[Run]) -> list[Run]:
    """One run of each entry, the first: with the local solver that the study lists first."""
    first: dict[str, Run] = {}
    for run in runs:
        first.setdefault(run.entry.id, run)
    return list(first.values())


def _read_entry(path: str | Path, number: int, row: dict[str, str]) -> Entry:
    def held(column: str, pattern: str, expected: str) -> str:
        if not re.fullmatch(pattern, row[column]):
            raise _error(path, number, column, row[column], expected)
        return row[column]

    # An id names files and is followed by a dot and a solver, so it holds neither dots nor slashes.
    held("id", r"[a-z][a-z0-9_]*", "small letters, digits and underscores")
    known = method_names()
    held("method", "|".join(map(re.escape, known)), f"one of {', '.join(known)}")
    try:
        settings = json.loads(row["settings"], object_pairs_hook=_each_once, parse_constant=_no_number)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise _error(path, number, "settings", row["settings"], 'a JSON object such as {} or {"starts": 5}, each key once')
    crossed = held("local_solvers", "yes|no", "yes or no") == "yes"
    if crossed and "solver" in settings:
        raise _error(path, number, "settings", row["settings"], "no key 'solver' where local_solvers is yes")
    row = {"family": Entry.family, "variant": "no"} | row
    for column in ("label", "published", "citation", "family"):
        held(column, r"\S(.*\S)?", "text without blanks at its ends" + (", or - for none" if column == "published" else ""))
    return Entry(
        id=row["id"],
        method=row["method"],
        settings=settings,
        local_solvers=crossed,
        label=row["label"],
        published=None if row["published"] == "-" else row["published"],
        colour=held("colour", r"#[0-9A-Fa-f]{6}", "a colour such as #1F77B4").upper(),
        order=int(held("order", r"[0-9]+", "a whole number")),
        citation=row["citation"],
        family=row["family"],
        variant=held("variant", "yes|no", "yes or no") == "yes",
    )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def _no_number(text: str) -> None:
    """NaN and infinity, which Python reads and JSON does not have."""
    raise ValueError


def _error(path: str | Path, number: int, column: str, found: Any, expected: str) -> InputError:
    return InputError(f"{path}, row {number}, column {column}: found '{found}', expected {expected}")
