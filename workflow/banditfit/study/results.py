"""A judged study, as tables, figures and the report take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..data.dataset import Dataset
from .entries import Run


@dataclass(frozen=True)
class Results:
    """A judged study, as figures take it.

    `scores` all rows of `judge.score`, made `complete`; `tables` the tables made of them, by name (summary, compared,
    outcomes, comparison, attribution, and others where the study makes them); `examples` the fits, kernels included, of the
    episode that is drawn as an example; `runs` in their order; `catalogue` the entries of the data sets by name, and `data`
    the data sets themselves.
    """

    scores: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    examples: pd.DataFrame
    runs: list[Run]
    catalogue: Mapping[str, Any]
    data: Mapping[str, Dataset]
