"""What jobs store for one another: a file carries the sum of its own bytes, so that no flipped bit is taken for data, and a
damaged one ends the job that reads it in one sentence, which names it and says what to do."""

import csv
import errno
import mmap
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from .errors import InputError

T = TypeVar("T")

# What the readers of Parquet, npz, CSV and JSON raise at a file that is not what was written.
DAMAGE = (pa.ArrowException, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, RuntimeError, csv.Error)

# A text that a format has room for (the metadata of Parquet, the comment of a zip file), and what the sum is taken with.
MARK = b"CRC-32 of this file, with zeros in this place: "
UNSEALED = MARK + b"00000000"


def seal(path: str | Path) -> None:
    """Puts the sum of all bytes into the file at `path`, in the place of the zeros after its last UNSEALED.

    The sums that Parquet and zip have themselves cover the data, but not what says which column they belong to."""
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
    """Where the digits of the sum stand in a file, None if nowhere, and what they should be."""
    if Path(path).stat().st_size == 0:  # which cannot be mapped
        return None, 0
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        marked = content.rfind(MARK)
        if marked < 0:
            return None, 0
        place = marked + len(MARK)
        with memoryview(content) as view, view[:marked] as before, view[place + 8 :] as after:
            return place, zlib.crc32(after, zlib.crc32(UNSEALED, zlib.crc32(before)))


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
