"""A file of cells as text: which bytes it is made of, what separates its cells, and where its rows begin and end.

What the file itself shows is recognised: a byte-order mark, gzip, and the separator of its header. Whatever is left open is
refused in one sentence that names the setting.
"""

import codecs
import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
# The mark of UTF-32 begins with that of UTF-16, so it is looked for first.
MARKS = {
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# What files that are no text begin with.
OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook or another zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
}


@dataclass(frozen=True)
class Sheet:
    """The cells of a file as they stand, blanks included. `header` has no empty name; `lines` are the lines of the file at
    which the `rows` start; `header_line` is that of the header, and `notes` say how the file was read."""

    header: list[str]
    header_line: int
    lines: list[int]
    rows: list[list[str]]
    separator: str
    notes: tuple[str, ...]


def quoted(text: str) -> str:
    """A text of the user's between quotes, short and on one line whatever it holds."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return f"'{shown}'" if shown.isprintable() else ascii(shown)


def read_sheet(path: str | Path, separator: str | None, encoding: str | None, fits: Callable[[list[str]], bool]) -> Sheet:
    """The cells of the file at `path`. `fits` tells whether a header has the columns that are needed, which decides where it
    can be split in several ways. Raises InputError with the file and, where there is one, the row."""
    path = checked_path(path)
    raw, packed = _bytes(path)
    text, encoding = _text(path, raw, encoding)
    source = io.StringIO(text, newline="")
    skipped, comments, top = 0, 0, ""
    for top in source:
        found = re.fullmatch(r'"?sep=(.)"?', top.rstrip("\r\n"))  # what Excel understands as the separator
        if found and not separator:
            separator = found[1]
        elif top.startswith("#"):
            comments += 1
        elif found is None and top.strip(" \t\r\n,;"):
            break
        skipped += 1
    else:
        raise InputError(f"{path}: found an empty file, expected a header and one row per trial")
    line = skipped + 1
    separator = separator or _separator(path, line, top, fits)
    rows = _rows(path, chain([top], source), separator, skipped)
    (_, header), *rows = rows
    blank = 0
    while rows and not any(cell.strip() for cell in rows[-1][1]):
        rows.pop()
        blank += 1
    if not rows:
        raise InputError(f"{path}: found only a header, expected a header and one row per trial")
    header, rows = _rectangle(path, line, header, rows, separator)
    notes = [f"{SEPARATORS.get(separator, repr(separator))}-separated {encoding} text{packed}"]
    if comments:
        notes.append(f"{comments} comment line{'s' * (comments > 1)} before the header left out")
    if blank:
        notes.append(f"{blank} empty row{'s' * (blank > 1)} at the end left out")
    return Sheet(header, line, [number for number, _ in rows], [cells for _, cells in rows], separator, tuple(notes))


def frame_sheet(table: pd.DataFrame, note: str) -> Sheet:
    """A table in memory as a sheet, whose rows are numbered from 0, as `table.iloc` counts them. Raises InputError for names of
    columns that are not unique."""
    header = [str(name).strip() for name in table.columns]
    for name in header:
        if sum(other.casefold() == name.casefold() for other in header) > 1:
            raise InputError(f"{note}: found the column {quoted(name)} twice, expected each column once")
    if not len(table):
        raise InputError(f"{note}: found no rows, expected one per trial")
    columns = [_texts(table.iloc[:, place]) for place in range(len(header))]
    return Sheet(header, 0, list(range(len(table))), [list(row) for row in zip(*columns, strict=True)], "", (note,))


def _texts(column: pd.Series) -> list[str]:
    """The cells of a column as text, empty where it says that nothing is there; whole numbers without a decimal point."""
    absent = column.isna().to_numpy()
    values = column.astype(object).to_list()

    def text(value: Any) -> str:
        if isinstance(value, float) and value == round(value, 0) and abs(value) < 1e15:
            return str(int(value))
        return str(value)

    return ["" if missing else text(value) for value, missing in zip(values, absent, strict=True)]


def parquet_sheet(path: Path) -> Sheet | None:
    """The cells of a Parquet file; None if it is none, or no file."""
    try:
        with open(path, "rb") as file:
            begins = file.read(4)
    except (OSError, ValueError):
        return None  # what is wrong with the path is said where text is read
    if begins != b"PAR1":
        return None
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())
        raise InputError(f"{path}: found a damaged Parquet file ({words}), expected a whole one") from None
    return frame_sheet(table, "Parquet table")


def checked_path(path: str | Path) -> Path:
    if hasattr(path, "to_csv"):
        raise InputError(
            f"path: found a {type(path).__name__}, expected the path of a file; bf.from_frame reads a table in memory"
        )
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise InputError(f"path: found {path!r}, expected the path of a file")
    return Path(path)


def _bytes(path: Path) -> tuple[bytes, str]:
    """What the file holds, unpacked, and a word on the packing."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected one of separated text") from None
    except IsADirectoryError:
        raise InputError(f"{path}: found a folder, expected a file of separated text") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise InputError(f"{quoted(str(path))}: found no readable file ({words}), expected one of separated text") from None
    packed = ""
    if raw.startswith(b"\x1f\x8b"):
        try:
            raw, packed = gzip.decompress(raw), ", gzip"
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: found a damaged gzip file ({error}), expected a whole one") from None
    for start, what in OTHER_FILES.items():
        if raw.startswith(start):
            raise InputError(f"{path}: found {what}, expected a file of separated text, such as CSV")
    return raw, packed


def _text(path: Path, raw: bytes, encoding: str | None) -> tuple[str, str]:
    """The text of a file, without a byte-order mark, and the encoding it is in."""
    marked = next((name for mark, name in MARKS.items() if raw.startswith(mark)), None)
    used = encoding or marked or "UTF-8"
    if encoding is None and marked is None and b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise InputError(
            f"{path}, row {line}: found bytes of value zero, expected UTF-8 text; a text in UTF-16 that does not say so needs"
            " the setting encoding='utf-16-le' (or 'utf-16-be')"
        )
    try:
        text = raw.decode(used)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        hint = "" if encoding or marked else "; if it is in another encoding, say which, such as encoding='cp1252'"
        raise InputError(f"{path}, row {line}: found the byte 0x{raw[error.start]:02x}, expected {used} text{hint}") from None
    if (nul := text.find("\0")) >= 0:
        line = text.count("\n", 0, nul) + 1
        raise InputError(f"{path}, row {line}: found a NUL character, expected {used} text; is that its encoding?")
    return text.removeprefix("\ufeff"), used


def _separator(path: Path, line: int, top: str, fits: Callable[[list[str]], bool]) -> str:
    """The separator of a header: the one that splits it at all, or else the one that makes the columns that are needed."""
    names = {sep: next(csv.reader([top], delimiter=sep)) for sep in SEPARATORS}
    splitting = [sep for sep in SEPARATORS if len(names[sep]) > 1]
    chosen = splitting if len(splitting) == 1 else [sep for sep in splitting if fits(names[sep])]
    if len(chosen) == 1:
        return chosen[0]
    found = f"the header {quoted(top.strip())}"
    if not splitting:
        raise InputError(
            f"{path}, row {line}: found {found}, expected names separated by comma, semicolon or tab; if another character"
            " separates them, say which, such as separator='|'"
        )
    raise InputError(
        f"{path}, row {line}: found {found}, in which {' and '.join(SEPARATORS[sep] for sep in splitting)} could separate the"
        f" names, expected one that does; say which, such as separator={splitting[0]!r}"
    )


def _rows(path: Path, lines: Iterable[str], separator: str, skipped: int) -> list[tuple[int, list[str]]]:
    """The rows of cells in some lines of text, each with the line of the file at which it starts."""
    lines = iter(lines)
    top = next(lines)
    # Where blanks follow the separator in the header they do so in the rows, and may come before a quotation mark.
    padded = separator != " " and f"{separator} " in top
    reader = csv.reader(chain([top], lines), delimiter=separator, strict=True, skipinitialspace=padded)
    rows = []
    start = 1
    try:
        for cells in reader:
            rows.append((skipped + start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        words = "a quotation mark that is never closed" if "unexpected end" in str(error) else error
        name = SEPARATORS.get(separator, repr(separator))
        raise InputError(f"{path}, row {skipped + start}: found {words}, expected {name}-separated cells") from None
    return rows


def _rectangle(path: Path, line: int, header: list[str], rows: list, separator: str) -> tuple[list[str], list]:
    """The names of the header and as many cells in each row; empty cells after the last name are no column."""
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    whole = len(names) == len(header)
    for number, cells in rows:
        if whole and len(cells) == len(names) and not cells[0].isspace() and cells[0]:
            continue
        if not "".join(cells).strip():
            raise InputError(f"{path}, row {number}: found an empty row between others, expected one row per trial")
        if len(cells) < len(names) or any(cell.strip() for cell in cells[len(header) :]):
            comma = separator == "," and len(cells) > len(header)
            hint = "; a decimal comma needs quotation marks, or another separator" if comma else ""
            found = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
            cut = " (is the file cut off?)" if len(cells) < len(names) and number == rows[-1][0] else ""
            raise InputError(f"{path}, row {number}: found {found}{cut}, expected {len(names)} as in the header{hint}")
    # Programs write the number of each row in a first column without a name; elsewhere such a column has nothing to say.
    nameless = [position for position in range(1, len(header)) if position >= len(names) or not names[position]]
    for number, cells in rows if nameless else ():
        for position in nameless:
            if position < len(cells) and cells[position].strip():
                raise InputError(
                    f"{path}, row {number}: found {quoted(cells[position])} in column {position + 1}, which has no name,"
                    f" expected cells under the names {', '.join(filter(None, names))}"
                )
    named = [position for position, name in enumerate(names) if name]
    held = [names[position] for position in named]
    for name in held:
        same = [other for other in held if other.casefold() == name.casefold()]
        if len(same) > 1:
            found = (
                f"column {quoted(name)} {len(same)} times" if len(set(same)) == 1 else f"columns {', '.join(map(quoted, same))}"
            )
            raise InputError(f"{path}, row {line}: found {found}, expected each column once")
    if len(named) == len(names):
        return held, rows
    return held, [(number, [cells[position] for position in named]) for number, cells in rows]
