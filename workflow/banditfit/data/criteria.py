"""What else is known of people: a criterion, read from a file."""

import csv
import io
from pathlib import Path

import numpy as np

from ..arguments import checked
from ..errors import InputError
from ..files import read_text
from ..kinds import FilePath
from .dataset import Dataset


@checked
def read_criterion(path: FilePath, data: Dataset) -> dict[str, float]:
    """The criterion of each episode: a CSV file with the columns `episode` (as its owner calls it) and `criterion`, a number,
    or empty where it is not known. Raises InputError with the file, row, what was found and what is expected."""
    text = read_text(Path(path), "a CSV file with the columns 'episode' and 'criterion'")
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: found what is no table ({error}), expected cells separated by commas") from None
    if not lines or not {"episode", "criterion"} <= set(lines[0]):
        found = ", ".join(map(repr, lines[0])) if lines else "an empty file"
        raise InputError(f"{path}, row 1: found {found}, expected the columns 'episode' and 'criterion'")
    places = lines[0].index("episode"), lines[0].index("criterion")
    known, criterion = set(data.ids), {}
    for row, cells in enumerate(lines[1:], start=2):
        if not cells:
            continue
        if len(cells) != len(lines[0]):
            raise InputError(f"{path}, row {row}: found {len(cells)} cells, expected {len(lines[0])}")
        episode, text = (cells[place].strip() for place in places)
        if episode not in known or episode in criterion:
            raise InputError(
                f"{path}, row {row}: found episode '{episode}', expected each episode of '{data.name}' at most once"
            )
        try:
            criterion[episode] = float(text or "nan")
        except ValueError:
            criterion[episode] = np.inf
        if np.isinf(criterion[episode]):
            raise InputError(f"{path}, row {row}: found criterion '{text}', expected a finite number, or nothing")
    return criterion
