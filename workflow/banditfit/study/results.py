"""A judged study, as tables, figures and the report take it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..data.dataset import Dataset
from ..files import intact
from .cases import Cases, with_models
from .entries import Run
from .scores import Scores
from .store import read_csv


@dataclass(frozen=True)
class Results:
    """A judged study, as figures take it.

    `scores` the rows of `judge.score`, of which `scores.only` gives some columns; `tables` the tables made of them, by name
    (summary, compared, outcomes, comparison, attribution, and others where the study makes them); `examples` the fits, kernels
    included, of the episode that is drawn as an example; `runs` in their order; `cases` the entries of the data sets by data
    set and model, and `data` the data sets by name, which may be outlines (`stored.outline`), and `first` the first episodes of
    each with all that is known of them; `criteria` the files of their owners' traits, by data set; `seed` the study's.
    """

    scores: pd.DataFrame | Scores
    tables: Mapping[str, pd.DataFrame]
    examples: pd.DataFrame
    runs: list[Run]
    cases: Cases
    data: Mapping[str, Dataset]
    first: Mapping[str, Dataset]
    criteria: Mapping[str, str | Path] = field(default_factory=dict)
    seed: int = 0


def read_tables(paths: Iterable[str | Path], cases: Cases) -> dict[str, pd.DataFrame]:
    """The stored tables of a study, by name. Raises InputError for a damaged one."""
    return {Path(path).stem: with_models(intact(read_csv, path), cases) for path in paths}
