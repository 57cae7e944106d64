"""Files: writing so that nobody ever reads a half-written one, and reading tables that people edit by hand."""

import csv
import io
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


def read_text(path: str | Path, expected: str) -> str:
    """The text in a file, without a byte-order mark. Raises InputError for a file that cannot be read, saying what is
    `expected` there, and for one that is not UTF-8."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: found no readable file ({error.strerror}), expected {expected}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, row {line}: found the byte 0x{error.object[error.start]:02x}, expected UTF-8 text") from None


def is_below(root: str | Path, path: str | Path) -> bool:
    """Whether `path`, relative to `root`, stays below it, wherever links lead."""
    try:
        return not Path(path).is_absolute() and (Path(root) / path).resolve().is_relative_to(Path(root).resolve())
    except (ValueError, OSError, RuntimeError):  # a NUL, a link to itself
        return False


def read_tsv(path: str | Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated table with exactly these columns, each with its line in the file. Raises InputError for
    a file that is no text, another header or a row of another length."""
    text = io.StringIO(read_text(path, "a table separated by tabs"), newline="")
    try:
        head, *rows = list(csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: found what is no table ({error}), expected cells separated by tabs") from None
    if tuple(head) != columns:
        raise InputError(f"{path}, row 1: found columns {', '.join(head) or 'none'}, expected {', '.join(columns)}")
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(columns):
            raise InputError(f"{path}, row {number}: found {len(cells)} cells, expected {len(columns)}, separated by tabs")
    return [(number, dict(zip(columns, cells, strict=True))) for number, cells in enumerate(rows, start=2)]
