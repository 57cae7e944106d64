"""Tables of fits in a notebook: what they must hold, and how they are kept on disk."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import pyarrow as pa

from .arguments import checked
from .errors import InputError
from .kinds import FilePath, Table
from .study.store import Fits, read_table, write_table

# What is needed of a table to judge it, and to start other fits from it.
NEEDED = (
    *("dataset", "episode", "model", "method", "alpha", "beta", "kernels"),
    *("nll", "lower_bound", "status", "starts", "posterior"),
)
# A table of fits as an argument.
FitTable = Annotated[
    pd.DataFrame,
    Table("a table of fits, as bf.fit returns it or bf.load_fits reads it", columns=NEEDED, arrays=("alpha", "beta")),
]


@checked
def save_fits(fits: Annotated[pd.DataFrame, Table("a table of fits or scores")], path: FilePath) -> None:
    """Writes a table of fits or scores as a Parquet file, arrays, starts, diagnostics and posteriors included; the index is
    not stored. Raises InputError for a column that Parquet cannot hold."""
    try:
        write_table(fits.reset_index(drop=True), Path(path))
    except pa.ArrowException as error:
        words = " ".join(str(error).split())
        raise InputError(
            f"{path}: found a column that Parquet cannot hold ({words}), expected those of bf.fit or bf.score"
        ) from None


@checked
def load_fits(path: FilePath) -> Fits:
    """The table that `save_fits`, `Fits.to_parquet` or a study wrote. Raises InputError for another file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: found no such file, expected one that bf.save_fits wrote")
    try:
        return read_table(path)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: found a damaged or another file ({words}), expected one that bf.save_fits wrote") from None
