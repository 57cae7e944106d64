"""Files: writing so that nobody ever reads a half-written one, and reading tables that people edit by hand."""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, and moves it there once the block has ended without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_tsv(path: str | Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated table with exactly these columns, each with its line in the file. Raises InputError for
    another header or a row of another length."""
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]
    if tuple(head) != columns:
        raise InputError(f"{path}, row 1: found columns {', '.join(head) or 'none'}, expected {', '.join(columns)}")
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(columns):
            raise InputError(f"{path}, row {number}: found {len(cells)} cells, expected {len(columns)}, separated by tabs")
    return [(number, dict(zip(columns, cells, strict=True))) for number, cells in enumerate(rows, start=2)]
