"""Stored studies, for readers: what a folder such as results/paper holds, as tables and figures take it."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..files import intact
from ..study.catalogue import make
from ..study.config import Study, read_study
from ..study.results import Results, read_tables
from ..study.scores import Scores, complete, everything
from ..study.store import read_table


class _Data(Mapping[str, Dataset]):
    """The data sets of a study, each made or read when it is first asked for."""

    def __init__(self, study: Study, root: Path):
        self._study, self._root, self._made = study, root, {}

    def __getitem__(self, name: str) -> Dataset:
        if name not in self._made:
            self._made[name] = make(self._study.catalogue[name], self._root)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._study.catalogue)

    def __len__(self) -> int:
        return len(self._study.catalogue)


@checked
def load_study(folder: str | os.PathLike) -> Results:
    """The study stored in `folder`, such as "results/paper" in a copy of the project: its scores, tables, runs and data sets.
    `bf.plot(study, "kl")` draws its figures. Raises InputError for a folder that holds no finished study."""
    path = Path(folder).resolve()
    try:
        config = json.loads((path / "manifest.json").read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError):
        raise InputError(f"{folder}: found no manifest.json, expected the folder of a finished study, results/NAME") from None
    root = path.parents[1]
    study = read_study(config, root, f"{folder}/manifest.json")
    data = _Data(study, root)
    return Results(
        scores=complete(everything(Scores(path / f"scores/{name}.parquet" for name in study.catalogue))),
        tables=read_tables(sorted((path / "tables").glob("*.csv")), study.cases),
        examples=pd.concat(
            [intact(read_table, path / f"examples/{name}.parquet") for name in study.catalogue], ignore_index=True
        ),
        runs=list(study.runs.values()),
        cases=study.cases,
        data=data,
        first=data,
        seed=study.config["seed"],
    )
