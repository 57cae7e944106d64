"""The judged fits of a study, of which only the columns that a table or figure is made of are ever held.

At a million episodes a column of one run is 8 MB. What every row of scores holds, arrays included, would be some 3 GB.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..files import check_seal, naming_damage
from .cases import KEYS
from .store import LEFT_OPEN, SOURCES, spelled_out

# What `only` gives beside what it is asked for.
ALWAYS = (*KEYS, "run", "episode", "admissible", "outside")
# Columns of text that have few values, which are kept once.
REPEATED = ("dataset", "model", "method", "run", "settings", "status", "bounds", "fallback", "at_bound", "not_identified")
# What says how good an estimate is, and nothing of a fit outside the box that every other method keeps to.
JUDGED = ("kl", "kl_mean_policy", "alpha_error", "beta_error", "alpha_error_identified", "beta_error_identified", "nll")
# What stands for columns that scores stored by an earlier version lack; `has_parameters` is what the judge said of the box.
LACKED = {
    "has_parameters": None,
    "not_identified": "",
    "alpha_error_identified": np.nan,
    "beta_error_identified": np.nan,
    "guessing": np.nan,
    "rounding": 0.0,
}
Where = Mapping[str, Collection[str]]


class Scores:
    """The scores in these files, which `compact.write_scores` wrote. Raises InputError for a damaged one."""

    def __init__(self, paths: Iterable[str | Path]):
        self.paths = list(paths)
        columns: dict[str, None] = {}
        for path in self.paths:
            with naming_damage(path):
                check_seal(path)
                columns |= dict.fromkeys(pq.read_schema(path).names)
        self.columns = list(columns | dict.fromkeys(["gap"] if set(SOURCES) <= columns.keys() else []))

    def read(self, columns: Iterable[str], where: Where | None = None) -> pd.DataFrame:
        """Some columns of the rows in which the columns of `where` have one of these values. Arrays stay as they are stored
        until `store.objects` or `store.stacked` is asked for them. A row group is held at a time beside what is given."""
        asked, where = list(dict.fromkeys(columns)), where or {}
        derived = set(LEFT_OPEN) & set(asked) and set(SOURCES) <= set(self.columns)
        wanted = list(dict.fromkeys([*asked, *(SOURCES if derived else ())]))
        tables = []
        for path in self.paths:
            with naming_damage(path):
                held = set(pq.read_schema(path).names)
                repeated = [name for name in REPEATED if name in held]
                file = pq.ParquetFile(path, read_dictionary=repeated, page_checksum_verification=True)
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, [name for name in {*wanted, *where} if name in held])
                    for name, values in where.items():
                        table = table.filter(pc.is_in(table[name].cast(pa.string()), pa.array(list(values), pa.string())))
                    if len(table):
                        tables.append(table.select([name for name in wanted if name in held]).replace_schema_metadata(None))
        if not tables:
            return pd.DataFrame(columns=asked)
        table = _frame(pa.concat_tables(tables, promote_options="default").unify_dictionaries())
        table = spelled_out(table) if derived else table
        return table[[name for name in asked if name in table]]


def _frame(table: pa.Table) -> pd.DataFrame:
    nested = [name for name in table.column_names if pa.types.is_nested(table.schema.field(name).type)]
    names, stored = table.column_names, {name: table[name] for name in nested}
    # Column by column, each of which is let go when it has become one of pandas'.
    frame = table.drop_columns(nested).to_pandas(split_blocks=True, self_destruct=True)
    for name, column in stored.items():
        frame[name] = pd.Series(pd.arrays.ArrowExtensionArray(column), index=frame.index)
    return frame[names]


def only(scores: pd.DataFrame | Scores, *columns: str, where: Where | None = None) -> pd.DataFrame:
    """Some columns of scores, beside ALWAYS, made `complete`; of the rows in which the columns of `where` have one of these
    values. Columns that are absent, and that nothing stands for, are left out."""
    wanted = list(dict.fromkeys([*ALWAYS, *columns]))
    if isinstance(scores, Scores):
        table = scores.read(wanted, where)
    else:
        table = scores
        for name, values in (where or {}).items():
            table = table[table[name].isin(values)]
        table = table[[name for name in wanted if name in table]] if len(table) else table.reindex(columns=wanted)
    return complete(table, wanted)


def everything(scores: pd.DataFrame | Scores) -> pd.DataFrame:
    """All rows and columns but the machine, as they are stored: for tables that have a row per person themselves."""
    return scores.read(name for name in scores.columns if name != "machine") if isinstance(scores, Scores) else scores


def complete(scores: pd.DataFrame, columns: Iterable[str] = tuple(LACKED)) -> pd.DataFrame:
    """Judged scores as all tables and figures take them. Of these columns those that scores stored by an earlier version lack
    are filled in (LACKED). A fit outside the box has no metric of accuracy (JUDGED): it stays out of every median, and is
    counted as outside."""
    filled = {name: LACKED[name] for name in columns if name in LACKED and name not in scores}
    if "has_parameters" in filled:
        filled["has_parameters"] = scores["admissible"].astype(bool) | scores["outside"].astype(bool)
    within = ~scores["outside"].astype(bool)
    judged = {name: scores[name].where(within) for name in JUDGED if name in scores}
    return scores.assign(**filled, **judged)
