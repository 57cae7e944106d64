"""Cases: a data set and the model that it is fitted with. Every table on fits is keyed by case and run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ..models.families import get_model

if TYPE_CHECKING:
    from .catalogue import Entry


class Case(NamedTuple):
    """A data set, and the model it is fitted with."""

    dataset: str
    model: str


Cases = Mapping[Case, "Entry"]  # the entry of the case's data set, whose label names the model where the data set has several
KEYS = list(Case._fields)


def cases_of(catalogue: Mapping[str, "Entry"], models: Sequence[str] | None = None) -> dict[Case, "Entry"]:
    """The cases of these data sets, each fitted with all of `models`, or with the model of its own row where they are None."""
    cases = {}
    for name, entry in catalogue.items():
        fitted = [entry.model] if models is None else list(models)
        for model in fitted:
            label = f"{entry.label}: {get_model(model).label}" if len(fitted) > 1 else entry.label
            cases[Case(name, model)] = replace(entry, label=label)
    return cases


def data_label(dataset: str, cases: Cases) -> str:
    """The label of a data set, whatever it is fitted with."""
    fitted = [case for case in cases if case.dataset == dataset]
    label = cases[fitted[0]].label
    return label.removesuffix(f": {get_model(fitted[0].model).label}") if len(fitted) > 1 else label


def own(case: Case, entry: "Entry") -> bool:
    """Whether the model is that of the data set's own row: the one that made the data, if they are not somebody's own."""
    return case.model == entry.model


def published(case: Case, entry: "Entry") -> bool:
    """Whether the published study has this case."""
    return entry.source == "published" and own(case, entry)


def key(row: Any) -> Case:
    """The case of a row of a table."""
    return Case(row.dataset, row.model)


def of(table: pd.DataFrame, case: Case) -> pd.DataFrame:
    """The rows of a case."""
    return table[(table["dataset"] == case.dataset) & (table["model"] == case.model)]


def among(table: pd.DataFrame, cases: Iterable[Case]) -> pd.DataFrame:
    """The rows of these cases."""
    held = pd.Series(False, index=table.index)
    for case in cases:
        held |= (table["dataset"] == case.dataset) & (table["model"] == case.model)
    return table[held]


def present(cases: Iterable[Case], table: pd.DataFrame) -> list[Case]:
    """Those of these cases that a table has rows of."""
    held = set(table[KEYS].drop_duplicates().itertuples(index=False, name=None)) if len(table) else set()
    return [case for case in cases if case in held]


def each(table: pd.DataFrame) -> Iterator[tuple[Case, pd.DataFrame]]:
    """The rows of every case, in the order in which they come."""
    for names, part in table.groupby(KEYS, sort=False):
        yield Case(*names), part


def with_models(table: pd.DataFrame, cases: Cases) -> pd.DataFrame:
    """A table of results with the column `model`, which those stored by an earlier version lack: data sets then had one
    each."""
    if "dataset" not in table or "model" in table:
        return table
    models = {case.dataset: case.model for case in cases}
    place = table.columns.get_loc("dataset") + 1
    table = table.copy()
    table.insert(place, "model", table["dataset"].map(models).fillna("").astype(object))
    return table
