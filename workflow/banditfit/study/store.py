"""Tables on disk: arrays, starts and posteriors in Parquet, summaries in CSV."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import InputError
from ..files import intact, replacing
from ..parquet import read_parquet, write_parquet

_ARRAY = pa.list_(pa.list_(pa.float64()))
_STARTS = {"nll": pa.float64(), "alpha": _ARRAY, "beta": _ARRAY, "n_eval": pa.int64(), "message": pa.string()}
_STARTS["theta"] = pa.list_(pa.float64())
_ARRAYS_OF_STARTS = ("alpha", "beta", "theta")
# The columns that hold objects, and what they are on disk.
OBJECTS = {
    "alpha": _ARRAY,
    "beta": _ARRAY,
    "kernels": pa.list_(_ARRAY),
    "relaxed": _ARRAY,
    "starts": pa.struct([(name, pa.list_(kind)) for name, kind in _STARTS.items()]),
    "diagnostics": pa.map_(pa.string(), pa.float64()),
    "posterior": pa.map_(pa.string(), _ARRAY),
    "fillers": pa.map_(pa.string(), _ARRAY),
    "parameters": pa.map_(pa.string(), _ARRAY),
    "bound_holds": pa.bool_(),
    "claim_held": pa.bool_(),
}


class Fits(pd.DataFrame):
    """A table of fits or of scores: a DataFrame like any other, but that `to_parquet` keeps its arrays."""

    @property
    def _constructor(self) -> type:
        return Fits

    def to_parquet(self, path: str | Path, **options: Any) -> None:
        """Writes the table as `bf.save_fits` does, and `bf.load_fits` reads it. pandas' other options have no use here."""
        from ..fits import save_fits

        if options:
            raise InputError(f"to_parquet: found {', '.join(options)}, expected a path alone")
        save_fits(self, path)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Writes a table as Parquet, arrays as nested lists; the file appears whole or not at all."""
    write_parquet(as_arrow(table), path)


def as_arrow(table: pd.DataFrame) -> pa.Table:
    """A table as Parquet holds it, arrays as nested lists."""
    columns = {
        name: pa.array(map(_plain, table[name]), type=OBJECTS[name]) if name in OBJECTS else pa.array(table[name])
        for name in table.columns
    }
    return pa.table(columns)


def read_table(path: str | Path) -> Fits:
    """Reads what `write_table` wrote: arrays come back as NumPy arrays, starts as a dict of lists, what is absent as None."""
    stored = read_parquet(path)
    table = stored.drop_columns([name for name in stored.column_names if name in OBJECTS]).to_pandas()
    for place, name in enumerate(stored.column_names):
        if name in OBJECTS:
            values = [_restored(name, value) for value in stored[name].to_pylist(maps_as_pydicts="strict")]
            table.insert(place, name, pd.Series(values, index=table.index, dtype=object))
    return Fits(spelled_out(table) if set(SOURCES) <= set(table) else table)


# What columns that a file of scores leaves open follow from.
SOURCES = ("regret", "best_nll", "best_bound", "t_wall", "alpha_error", "beta_error", "not_identified")
LEFT_OPEN = ("nll", "gap", "t_published", "alpha_error_identified", "beta_error_identified")


def said_once(scores: pd.DataFrame) -> pd.DataFrame:
    """Judged scores as they are stored. Where a fit has a regret, its nll is that above the best nll, which is small and so
    more exact, and its gap to the best bound follows; most methods' time as published is their wall time; and where all is
    identified, the error over what is identified is the whole one."""
    follows = {name: where & ((name == "nll") | (scores[name] == value)) for name, value, where in _following(scores)}
    return scores.assign(**{name: scores[name].mask(where) for name, where in follows.items()}).drop(columns="gap")


def spelled_out(stored: pd.DataFrame) -> pd.DataFrame:
    """Stored scores with what `said_once` left open."""
    following = [(name, value, where) for name, value, where in _following(stored) if name in stored]
    whole = {name: stored[name].mask(stored[name].isna() & where, value) for name, value, where in following}
    if "gap" not in stored:
        # Rounded as regrets are, so that no gap is a gap of 0.
        gap = stored["regret"] + (stored["best_nll"] - stored["best_bound"])
        whole["gap"] = np.round(gap / LEAST) * LEAST
    return stored.assign(**whole)


def _following(scores: pd.DataFrame) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    """By column that may be left open: what it follows from, and where it may."""
    yield "nll", scores["best_nll"] + scores["regret"], scores["regret"].notna()
    yield "t_published", scores["t_wall"], scores["t_wall"].notna()
    if "not_identified" in scores:  # which an earlier version did not say
        told = scores["not_identified"].isna() | (scores["not_identified"] == "")
        yield "alpha_error_identified", scores["alpha_error"], told
        yield "beta_error_identified", scores["beta_error"], told


LEAST = 1e-9  # nats, to which regrets are kept


def objects(column: pd.Series) -> pd.Series:
    """A column of arrays, or of what else OBJECTS names, as Python's objects; those of `scores.only` are made of what
    is stored."""
    if not isinstance(column.dtype, pd.ArrowDtype):
        return column
    values = [_restored(column.name, value) for value in column.array.__arrow_array__().to_pylist(maps_as_pydicts="strict")]
    return pd.Series(values, index=column.index, dtype=object)


def one_by_one(column: pd.Series) -> Iterator[Any]:
    """The objects of such a column, CHUNK of which are held at a time."""
    for at in range(0, len(column), CHUNK):
        yield from objects(column.iloc[at : at + CHUNK])


CHUNK = 10_000


def stacked(column: pd.Series) -> np.ndarray:
    """The arrays of a column, all of one shape, as one (rows, ...)."""
    if not isinstance(column.dtype, pd.ArrowDtype):
        return np.stack(column.to_list())
    stored = column.array.__arrow_array__()
    shape = np.shape(stored[0].as_py())
    for _ in shape:
        stored = pc.list_flatten(stored)
    return stored.to_numpy().reshape(len(column), *shape)


def flattened(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The lengths of the arrays in a column, and all their numbers in one."""
    if isinstance(column.dtype, pd.ArrowDtype):
        stored = column.array.__arrow_array__()
        return pc.list_value_length(stored).to_numpy(), pc.list_flatten(stored).to_numpy()
    return np.array([len(values) for values in column], dtype=int), np.concatenate([[], *column])


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: [_plain(v) for v in item] if isinstance(item, list) else _plain(item) for key, item in value.items()}
    return value


def _restored(name: str, value: Any) -> Any:
    if name == "starts" and value is not None:
        return {
            key: [np.array(v) for v in items] if key in ("alpha", "beta", "theta") else items for key, items in value.items()
        }
    if name in ("posterior", "fillers", "parameters") and value is not None:
        return {key: np.array(items) for key, items in value.items()}
    return np.array(value) if isinstance(value, list) else value


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Writes a summary for people and programs, to eight digits; the file appears whole or not at all."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, na_rep="nan", float_format="%.8g")


def read_csv(path: str | Path) -> pd.DataFrame:
    """Reads what `write_csv` wrote; empty text stays text. Raises ValueError for a table that ends, or has a row that ends,
    before its last cell."""
    text = Path(path).read_bytes().decode()
    if not text.endswith("\n"):
        raise ValueError("its last line has no end")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} cells, the first {len(header)}")
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=["nan"])


def finished_table(path: Path) -> pd.DataFrame:
    """A table of a study that has run to its end; raises InputError where there is none, or a damaged one."""
    try:
        return intact(read_csv, path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected a table of a study that has run to its end") from None
