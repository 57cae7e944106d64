"""Reading what earlier jobs stored: a damaged file ends the job in one sentence that names it and says what to do."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from .errors import InputError

T = TypeVar("T")

# What the readers of Parquet and npz raise at a file that is not what was written.
DAMAGE = (pa.ArrowException, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError)


def intact(read: Callable[[str | Path], T], path: str | Path) -> T:
    """What `read` (`tables.read_table` or `data.load`) makes of the file at `path`; raises as `naming_damage` does."""
    with naming_damage(path):
        return read(path)


@contextmanager
def naming_damage(path: str | Path) -> Iterator[None]:
    """For a block that reads the file at `path`: raises InputError with one sentence if the file is damaged, and the system's
    own error if it is absent or unreadable."""
    try:
        yield
    except DAMAGE as error:
        # A system's error has a number; pyarrow gives its own none, an absent file included.
        if getattr(error, "errno", None) is not None or not Path(path).is_file():
            raise
        words = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0].rstrip(".")
        raise InputError(
            f"{path}: found a damaged file of {Path(path).stat().st_size} bytes ({words}), expected what an earlier job wrote;"
            " delete it and run the same command again, which makes it anew"
        ) from None
