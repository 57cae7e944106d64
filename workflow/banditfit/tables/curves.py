"""Curves that stand for clouds of points: how many fits lie so near the best one, and what is fitted where the truth lies."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..study.cases import KEYS
from ..study.entries import Run, main_runs
from ..study.results import Results
from ..study.scores import only
from ..study.store import stacked
from . import Maker
from .summaries import groups

NATS = tuple(10.0**k for k in range(-6, 2))
BINS = 10  # of equally many true values
PARAMETERS = ("alpha", "beta")


def regrets(scores: pd.DataFrame, runs: Iterable[Run]) -> pd.DataFrame:
    """Per data set, model and main run: n, the fits with admissible parameters, and the share of them whose nll is at most so
    many `nats` above the least of its episode, for each of NATS. Columns: dataset, model, run, n, nats, share."""
    fits = scores[np.isfinite(scores["regret"])]
    rows = []
    for case, name, part in groups(fits, main_runs(runs)):
        regret = np.sort(part["regret"].to_numpy())
        shares = np.searchsorted(regret, np.multiply(NATS, 1 + 1e-9), side="right") / len(regret)
        rows += [(*case, name, len(regret), nats, share) for nats, share in zip(NATS, shares, strict=True)]
    return pd.DataFrame(rows, columns=[*KEYS, "run", "n", "nats", "share"])


def recovered_values(
    scores: pd.DataFrame, runs: Iterable[Run], data: Mapping[str, Dataset], parameter: str
) -> list[tuple[str | int | float, ...]]:
    """Rows of the table `recovered_values` of one of PARAMETERS: per data set, main run and bin of true values, with equally
    many in each: n, the median of the true values, and quartiles and median of the fitted ones that are identified, to four
    digits."""
    fits, rows = scores[np.isfinite(scores[f"{parameter}_error"])], []
    for case, name, part in groups(fits, [run for run in main_runs(runs) if not run.entry.variant]):
        truth = data[case.dataset].truth
        places = pd.Index(data[case.dataset].episodes).get_indexer(part["episode"])
        true, fitted = getattr(truth, parameter)[places].ravel(), stacked(part[parameter]).ravel()
        told = np.isfinite(fitted)
        if told.sum() < 2 * BINS:
            continue
        order = np.argsort(true[told], kind="stable")
        for places in np.array_split(order, BINS):
            found = np.median(true[told][places]), *np.percentile(fitted[told][places], (25, 50, 75))
            rows.append((*case, name, parameter, len(places), *(float(f"{value:.4g}") for value in found)))
    return rows


def _made(results: Results) -> tuple[pd.DataFrame]:
    rows = []
    for parameter in PARAMETERS:
        scores = only(results.scores, parameter, f"{parameter}_error")
        rows += recovered_values(scores, results.runs, results.data, parameter)
    return (pd.DataFrame(rows, columns=[*KEYS, "run", "parameter", "n", "true", "q25", "median", "q75"]),)


TABLES = [
    Maker(("regrets",), lambda results: (regrets(only(results.scores, "regret"), results.runs),)),
    Maker(("recovered_values",), _made),
]
