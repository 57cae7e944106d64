"""Parquet files as all of this project's are: sealed against damage, written and read in row groups."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .files import UNSEALED, check_seal, replacing, seal


def write_parquet(table: pa.Table, path: str | Path, **how: Any) -> None:
    """Writes an Arrow table, sealed; `how` as `pyarrow.parquet.ParquetWriter` takes it."""
    write_parts([table], path, **how)


def write_parts(tables: Iterable[pa.Table], path: str | Path, about: Mapping[str, str] | None = None, **how: Any) -> None:
    """Writes the rows of these Arrow tables (at least one, all alike), sealed, with no more than one of them held at a time:
    each becomes a row group of the file. `about` are texts to be kept in its metadata."""
    tables = iter(tables)
    first = next(tables).replace_schema_metadata({**(about or {}), "sum": UNSEALED})
    with replacing(path) as temporary:
        # The pages have their sums too, for whoever reads the file by other means.
        with pq.ParquetWriter(temporary, first.schema, write_page_checksum=True, **({"compression": "zstd"} | how)) as file:
            file.write_table(first)
            for table in tables:
                file.write_table(table.cast(first.schema))
        seal(temporary)


def read_parquet(path: str | Path, columns: list[str] | None = None, **how: Any) -> pa.Table:
    """Reads what `write_parquet` wrote, or these columns of it. Raises ValueError, or what pyarrow raises, at damage."""
    check_seal(path)
    return pq.read_table(path, columns=columns, page_checksum_verification=True, **how).replace_schema_metadata(None)
