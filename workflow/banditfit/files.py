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


def read_tsv(path: str | Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated table with exactly these columns, each with its line in the file. Raises InputError for
    a file that is no text, another header or a row of another length."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        head, *rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, row {line}: found the byte 0x{error.object[error.start]:02x}, expected UTF-8 text") from None
    except csv.Error as error:
        raise InputError(f"{path}: found what is no table ({error}), expected cells separated by tabs") from None
    except OSError as error:
        raise InputError(f"{path}: found no readable file ({error.strerror}), expected a table separated by tabs") from None
    if tuple(head) != columns:
        raise InputError(f"{path}, row 1: found columns {', '.join(head) or 'none'}, expected {', '.join(columns)}")
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(columns):
            raise InputError(f"{path}, row {number}: found {len(cells)} cells, expected {len(columns)}, separated by tabs")
    return [(number, dict(zip(columns, cells, strict=True))) for number, cells in enumerate(rows, start=2)]
