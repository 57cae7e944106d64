"""Scores small enough to commit: what every table, figure and sentence is made of, and nothing else.

The tables are made of these rows and not of fuller ones, so a clone that holds only them makes the same tables anew.
"""

import io
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ..parameters import edges_of
from ..parquet import write_parts
from .entries import Run, main_runs
from .store import LEAST, as_arrow, said_once, spelled_out

# Significant bits that are kept. Metrics: 1.2e-4 of themselves, far below what an episode decides. Times, which repeat to a
# few per cent, and the widths of posteriors: 2e-3. Parameters: 5e-4, well below the standard error of a posterior's mean.
# Likelihoods of what has no admissible parameters: 5e-7; all others are the best one and their regret, which is kept to LEAST
# nats. What is put in for parameters that are not identified: 8e-3. How far apart starts end, and how far rounding may shift a
# likelihood: 3e-2.
METRIC, TIME, WIDTH, PARAMETER, LIKELIHOOD, FILLER, ROUGH = 12, 8, 8, 10, 20, 6, 4
BITS = {"nll": LIKELIHOOD, "rounding": ROUGH}
WHOLE = ("lower_bound", "best_nll", "best_bound", "guessing")
# What no table or figure uses stands in the tables of fits alone: these columns, and what a posterior has beside these endings.
LEFT_OUT = ["seed", "message", "starts", "nll_claimed", "n_eval"]
ESTIMATES = ("alpha", "beta", "parameters", "fillers")
POSTERIOR = ("_lower", "_upper")
COMPARED = ("mc", "quadrature")  # methods whose posteriors are compared with one another, in standard errors
PUT_IN = ("cvx_loc", "cvx_loc_t")  # those whose fillers are compared with the published study's (benchmark/fillings.py)


def compact(scores: pd.DataFrame, runs: Iterable[Run], own: bool = False) -> pd.DataFrame:
    """The scores (`judge.score`) in the precision that counts, with parameters and posteriors for the main run of each entry
    alone (None elsewhere), without LEFT_OUT and the medians and policies of posteriors; `at_bound` names kinds of parameters,
    not arms. `parameters` is None where the columns alpha and beta are all of them. Of somebody's `own` data, of whom nobody
    else has the fits, likelihoods, estimates and what is said of each keep all digits and words, and rows come by episodes.

    Bounds and the best likelihoods keep every bit. Compacting twice changes nothing.
    """
    table = scores.drop(columns=LEFT_OUT, errors="ignore").reset_index(drop=True)
    if own:
        table = table.sort_values("episode", kind="stable", ignore_index=True)
    table["regret"] = np.round(table["regret"] / LEAST) * LEAST
    if not own:
        table["at_bound"] = table["at_bound"].map(lambda text: " ".join(edges_of(text))).astype("str")
    kept = (*WHOLE, "gap", *(("nll", "regret") if own else ()))
    for column in table.select_dtypes("float").columns.difference(kept):
        bits = TIME if column.startswith("t_") else BITS.get(column, METRIC)
        table[column] = rounded(table[column].to_numpy(), bits)
    table = spelled_out(said_once(table))
    main = table["run"].isin([run.id for run in main_runs(runs)])
    for column, shorten in _SHORTER.items():
        if column not in table:
            continue
        if own and column in ESTIMATES:
            shorten = _whole
        held = table[column].notna() & (main | (column in ("start_excess", "diagnostics")))
        short = [shorten(value) if keep else None for keep, value in zip(held, table[column], strict=True)]
        table[column] = pd.Series(short, index=table.index, dtype=object)
    if not own and "fillers" in table:
        table["fillers"] = table["fillers"].where(table["method"].isin(PUT_IN), None)
    if not own and "posterior" in table:
        spread = table["posterior"].notna() & ~table["method"].isin(COMPARED)
        table.loc[spread, "posterior"] = table.loc[spread, "posterior"].map(_without_sd)
    return table


def _whole(value: Any) -> Any:
    return value


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """The floats nearest to `values` that have `bits` significant bits; NaN and infinity stay."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)


def _parameters(value: np.ndarray) -> np.ndarray:
    return rounded(value, PARAMETER)


def _named(value: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    return None if set(value) == {"alpha", "beta"} else {name: rounded(array, PARAMETER) for name, array in value.items()}


def _fillers(value: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: rounded(array, FILLER) for name, array in value.items()}


def _posterior(value: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: rounded(array, WIDTH) for name, array in value.items() if name.endswith((*POSTERIOR, "_sd"))}


def _without_sd(value: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in value.items() if name.endswith(POSTERIOR)}


def _diagnostics(value: dict[str, float]) -> dict[str, float]:
    return {name: float(rounded(np.float64(number), METRIC)) for name, number in value.items()}


def _excess(value: np.ndarray) -> np.ndarray:
    return rounded(np.round(value, 4), ROUGH)


_SHORTER: dict[str, Callable[[Any], Any]] = {
    "alpha": _parameters,
    "beta": _parameters,
    "parameters": _named,
    "fillers": _fillers,
    "posterior": _posterior,
    "diagnostics": _diagnostics,
    "start_excess": _excess,
}


def write_scores(parts: Iterable[pd.DataFrame], path: str | Path) -> None:
    """Writes compact scores as `store.write_table` does, for `store.read_table` to read, part after part, with the bytes of the
    floats sorted by place: those of rounded numbers, most of them zero, then take next to no room. What `store.spelled_out`
    makes of other columns is left out."""
    tables = (as_arrow(said_once(part)) for part in parts)
    first = next(tables)
    empty = io.BytesIO()
    pq.write_table(first.schema.empty_table(), empty)
    # What repeats within an episode is better off in a dictionary.
    leaves = list(pq.ParquetFile(empty).schema)
    kinds = {leaf.path: leaf.physical_type == "DOUBLE" and leaf.path not in ("best_nll", "best_bound") for leaf in leaves}
    split, others = ([path for path, floats in kinds.items() if floats == kind] for kind in (True, False))
    # Seconds of processor time for a fifteenth less than zstd's best; a level more takes twice as long for a fiftieth.
    how = {"compression": "brotli", "compression_level": 10}
    write_parts(chain([first], tables), path, use_dictionary=others, use_byte_stream_split=split, **how)
