"""Files: writing so that nobody ever reads a half-written one, and reading tables that people edit by hand."""

import csv
import errno
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import pyarrow as pa

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


def read_tsv(path: str | Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab-separated table with exactly these columns, each with its line in the file; the `optional` columns may
    follow, and a row may end before them. Raises InputError for a file that is no text, another header or a row of another
    length."""
    text = io.StringIO(read_text(path, "a table separated by tabs"), newline="")
    try:
        head, *rows = list(csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: found what is no table ({error}), expected cells separated by tabs") from None
    if tuple(head) not in (columns, columns + optional):
        raise InputError(f"{path}, row 1: found columns {', '.join(head) or 'none'}, expected {', '.join(columns + optional)}")
    for number, cells in enumerate(rows, start=2):
        if len(cells) not in (len(columns), len(head)):
            raise InputError(f"{path}, row {number}: found {len(cells)} cells, expected {len(head)}, separated by tabs")
    return [(number, dict(zip(head, cells, strict=False))) for number, cells in enumerate(rows, start=2)]


T = TypeVar("T")
# What the readers of Parquet, CSV and JSON raise at a file that is not what was written.
DAMAGE = (pa.ArrowException, EOFError, OSError, ValueError, KeyError, RuntimeError, csv.Error)
# A text that a format has room for (the metadata of Parquet), and what the sum is taken with.
MARK = b"CRC-32 of this file, with zeros in this place: "
UNSEALED = MARK + b"00000000"
CHUNK = 1 << 20  # bytes that are read at once


def seal(path: str | Path) -> None:
    """Puts the sum of all bytes into the file at `path`, in the place of the zeros after its last UNSEALED.

    The sums that Parquet has itself cover the data, but not what says which column they belong to."""
    place, total = _sum(path)
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(b"%08x" % total)


def check_seal(path: str | Path) -> None:
    """Raises ValueError if a byte of the file at `path` has changed since it was sealed. A file that never was passes."""
    place, total = _sum(path)
    if place is not None:
        with open(path, "rb") as file:
            file.seek(place)
            if file.read(8) != b"%08x" % total:
                raise ValueError("its bytes do not add up to the sum that was stored with them")


def _sum(path: str | Path) -> tuple[int | None, int]:
    """Where the digits of the sum stand in a file, None if nowhere, and what they should be.

    The mark is looked for from the end, and the bytes are summed chunk by chunk, so that a large file takes no memory."""
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        end, place = size, None
        while place is None and end > 0:
            begin = max(end - CHUNK, 0)
            file.seek(begin)
            found = file.read(end - begin + len(MARK)).rfind(MARK)
            place = begin + found + len(MARK) if found >= 0 else None
            end = begin
        if place is None:
            return None, 0
        file.seek(0)
        total = 0
        for part in _chunks(file, place - len(MARK)):
            total = zlib.crc32(part, total)
        total = zlib.crc32(UNSEALED, total)
        file.seek(place + 8)
        for part in _chunks(file, max(size - place - 8, 0)):
            total = zlib.crc32(part, total)
    return place, total


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The next `size` bytes of a file, CHUNK of them at most at a time."""
    while size > 0 and (part := file.read(min(size, CHUNK))):
        size -= len(part)
        yield part


def intact(read: Callable[[str | Path], T], path: str | Path) -> T:
    """What `read` (such as `tables.read_table` or `data.load`) makes of the file at `path`; raises as `naming_damage` does."""
    with naming_damage(path):
        return read(path)


@contextmanager
def naming_damage(path: str | Path) -> Iterator[None]:
    """For a block that reads the file at `path`: raises InputError with one sentence if the file is damaged, and the system's
    own error if it is absent or unreadable."""
    try:
        yield
    except DAMAGE as error:
        # A system's error has a number; pyarrow gives its own none, an absent file included. That of an invalid argument comes
        # of places in a damaged file that cannot be.
        if getattr(error, "errno", None) not in (None, errno.EINVAL) or not Path(path).is_file():
            raise
        words = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0].rstrip(".")
        raise InputError(
            f"{path}: found a damaged file of {Path(path).stat().st_size} bytes ({words}), expected what an earlier job wrote;"
            " delete it and run the same command again, which makes it anew"
        ) from None
