"""The names by which a method is called: its own, or the id of a row of config/methods.tsv, which is a method with settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from . import methods
from .arguments import Mismatch, quoted
from .kinds import Mark
from .study.entries import Entry, read_entries

PACKAGE = Path(__file__).parent


def table_of_methods() -> Path:
    """The table of methods: the copy in an installed package, or the project's own where the package lies in it."""
    inside = PACKAGE / "config/methods.tsv"
    return inside if inside.is_file() else PACKAGE.parents[1] / "config/methods.tsv"


@cache
def _entries() -> dict[str, Entry]:
    return read_entries(table_of_methods())


def method_names() -> list[str]:
    """All that `fit` can be told as `method`, in alphabetical order: the methods, and the ids of config/methods.tsv, such as
    gem_map, which are methods with settings."""
    return sorted({*methods.method_names(), *_entries()})


def called(name: str, settings: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The method behind a name of `method_names`, and its settings: those of the table's row with `settings` on top."""
    own = {} if settings is None else dict(settings)
    if name in methods.method_names():
        return name, own
    entry = _entries()[name]
    return entry.method, {**entry.settings, **own}


@dataclass(frozen=True)
class _Named(Mark):
    """One of `method_names`. What a report says instead, a label or a run with its solver, is answered with the name."""

    def words(self, kind: str) -> str:
        return f"one of {', '.join(method_names())}"

    def check(self, value: str) -> str:
        if value in methods.method_names() or value in _entries():
            return value
        for entry in _entries().values():
            if value.casefold() in (entry.label.casefold(), entry.id):
                raise Mismatch(quoted(value), f"its id, '{entry.id}'")
            if entry.local_solvers and value.startswith(f"{entry.id}."):
                solver = value.removeprefix(f"{entry.id}.")
                raise Mismatch(quoted(value), f"'{entry.id}' with settings={{'solver': {solver!r}}}")
        raise Mismatch(quoted(value))


MethodName = Annotated[str, _Named()]
