"""How often intervals hold the truth, and how recovered parameters go with a criterion."""

from collections.abc import Mapping
from numbers import Real
from typing import Annotated

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.criteria import read_criterion
from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import derive_seed
from ..kinds import FilePath, Seed, Table
from ..models.families import Model, get_model
from ..solvers.information import Z_95
from ..study.results import Results
from ..study.scores import complete as complete_scores
from ..study.scores import only
from ..study.store import objects, one_by_one, stacked
from . import Maker
from .summaries import whole

HOLD = (0.93, 0.97)  # shares of 95 % intervals with the truth inside, between which intervals are as wide as they say
NOISE = 1.0  # sd of a simulated criterion's noise, in those of the true parameter: the truth itself correlates with it by .71
Scores = Annotated[
    pd.DataFrame,
    Table("a table of scores, as bf.score returns it", ("run", "id", "model", "episode", "alpha", "beta"), empty=True),
]
Estimates = Annotated[
    pd.DataFrame,
    Table("a table of fits or scores, as bf.fit and bf.score return them", ("run or method", "id", "model", "alpha", "beta")),
]
Intervals = Annotated[
    pd.DataFrame,
    Table(
        "a table of fits or scores, as bf.fit and bf.score return them",
        ("run or method", "model", "episode", "posterior", "t_wall"),
        empty=True,
    ),
]


@checked
def external_validity(fits: Estimates, criterion: Mapping[str, Real], only: str | None = None) -> pd.DataFrame:
    """Correlation of every recovered parameter (of `only` one, such as "beta[reward]") with a criterion, a number per
    participant's id (as in a fit table).

    One row per run, parameter and coefficient (pearson, spearman): n, r, and the 95 % interval low, high on Fisher's z
    scale, with standard error sqrt(1 / (n - 3)) for Pearson and sqrt((1 + r^2 / 2) / (n - 3)) for Spearman (Bonett & Wright
    2000, Psychometrika 65). Failed fits, fits outside the box (where the table says so), participants without the criterion
    and those whose choices do not identify the parameter are left out. Raises InputError with fewer than four participants, a
    criterion that does not vary over those of a run, or fits of several models under one run; r is NaN for a parameter that
    does not vary, or that fewer than four participants identify.
    """
    rows = []
    if "outside" in fits:
        fits = fits[~fits["outside"].astype(bool)]
    for run, part in fits.groupby("run" if "run" in fits else "method", sort=False):
        wanted = part["id"].map(criterion).astype(float).to_numpy()
        if len(models := part["model"].unique()) > 1:
            raise InputError(
                f"fits: found those of '{models[0]}' and '{models[1]}' under '{run}', expected one model at a time"
            )
        rows += _correlations(run, _by_name(part), wanted, only)
    return pd.DataFrame(rows, columns=CORRELATIONS)


CORRELATIONS = ["run", "parameter", "coefficient", "n", "r", "low", "high"]


def _correlations(run: str, estimates: dict[str, np.ndarray], wanted: np.ndarray, only: str | None) -> list[tuple]:
    """The rows of `external_validity` of a run, from its estimates (participants,) by the names of the parameters, and what
    they are compared with (participants,)."""
    from scipy.stats import pearsonr, spearmanr

    rows = []
    fitted = np.any([np.isfinite(found) for found in estimates.values()], axis=0)
    known = wanted[np.isfinite(wanted) & fitted]
    if len(known) < 4 or np.ptp(known) == 0:
        raise InputError(
            f"criterion: found {len(known)} participants with a fit of '{run}' and {len(np.unique(known))} values,"
            " expected at least 4 participants and a criterion that varies"
        )
    for parameter, x in estimates.items():
        if only not in (None, parameter):
            continue
        kept = np.isfinite(x) & np.isfinite(wanted)
        n = int(kept.sum())
        told = n >= 4 and np.ptp(x[kept]) > 0 and np.ptp(wanted[kept]) > 0
        for coefficient, correlate in (("pearson", pearsonr), ("spearman", spearmanr)):
            r = float(correlate(x[kept], wanted[kept]).statistic) if told else np.nan
            variance = 1.0 if coefficient == "pearson" else 1.0 + r**2 / 2.0
            # A perfect correlation has no z; the clip leaves it an interval that ends at one.
            z, se = np.arctanh(np.clip(r, -1.0 + 1e-12, 1.0 - 1e-12)), np.sqrt(variance / max(n - 3, 1))
            ends = np.tanh([z - Z_95 * se, z + Z_95 * se])
            rows.append((run, parameter, coefficient, n, r, *ends))
    return rows


def _by_name(fits: pd.DataFrame) -> dict[str, np.ndarray]:
    """The estimates (rows,) in rows of fits or scores of one model by the names of its parameters, such as "beta[reward]";
    stored scores have alpha and beta alone where these are all of them."""
    held = {"alpha": stacked(fits["alpha"]), "beta": stacked(fits["beta"])}
    if "parameters" in fits and fits["parameters"].notna().any():
        named = objects(fits["parameters"])
        held = {name: held[name] if name in held else np.stack([each[name] for each in named]) for name in named.iloc[0]}
    return _apart(get_model(fits["model"].iloc[0]), held)


def _apart(model: Model, held: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters, arrays (rows, signals, arms), each by its own name (rows,)."""
    n_arms = model.arms_of(held)
    return {
        name: column
        for parameter in model.parameters
        if parameter.name in held
        for name, column in zip(
            parameter.names(n_arms), held[parameter.name].reshape(len(held[parameter.name]), -1).T, strict=True
        )
    }


@checked
def validity(data: Dataset, scores: Scores, criterion: FilePath | None = None, seed: Seed = 0) -> pd.DataFrame:
    """External validity of every model and run that gives parameters: of all of them, against the criterion in a file
    (`read_criterion`); or, where the truth is known, of the first alpha and beta of the model that made the data, and of the
    `truth`, each against a criterion made of that true parameter in units of its sd and normal noise of sd NOISE.

    Columns of `external_validity`, with the dataset and the model first. Runs of fewer participants than others are left out,
    as they would be compared over other people. No rows where there is neither, or for runs with fewer than four participants;
    raises InputError as `read_criterion` and `external_validity` do."""
    scores = complete_scores(scores)
    held = scores["has_parameters"] & scores["alpha"].notna() & ~scores["outside"].astype(bool) & whole(scores)
    given = scores[held.astype(bool)]
    told = None if criterion is None or given.empty else read_criterion(criterion, data)
    columns = ["dataset", "model", "run", "parameter", "coefficient", "n", "r", "low", "high"]
    tables = [pd.DataFrame(columns=columns)]
    for model, fits in given.groupby("model", sort=False):
        fits = fits[fits.groupby("run")["run"].transform("size") > 3]
        if fits.empty:
            continue
        if told is not None:
            found = [external_validity(fits, told)]
        else:
            found = _against_truth(data, fits, seed) if data.truth is not None and model == data.model else []
        tables += [table.assign(dataset=data.name, model=model)[columns] for table in found]
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _against_truth(data: Dataset, fits: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    """`external_validity` of fits of the model that made the data, and of the truth, for a criterion made of each of the first
    true alpha and beta."""
    # Where in the data the episodes are that some run fits.
    places, model = np.unique(_places(data, fits)), get_model(data.model)
    tables = []
    for symbol in ("alpha", "beta"):
        truth = getattr(data.truth, symbol)[places]
        true = truth[:, 0, 0]
        if len(true) < 4 or np.ptp(true) == 0:
            continue
        rng = np.random.default_rng(derive_seed(data.name, None, f"criterion of {symbol}", seed))
        noisy = np.full(len(data), np.nan)
        noisy[places] = (true - true.mean()) / true.std() + NOISE * rng.standard_normal(len(true))
        of_truth = _apart(model, {symbol: truth})
        first = next(iter(of_truth))
        rows = _correlations("truth", of_truth, noisy[places], first)
        for run, part in fits.groupby("run", sort=False):
            rows += _correlations(run, _by_name(part), noisy[_places(data, part)], first)
        tables.append(pd.DataFrame(rows, columns=CORRELATIONS))
    return tables


def _places(data: Dataset, fits: pd.DataFrame) -> np.ndarray:
    """Where the episodes of fits stand in the data."""
    return pd.Index(data.episodes).get_indexer(fits["episode"])


@checked
def coverage(data: Dataset, fits: Intervals) -> pd.DataFrame:
    """How often the 95 % intervals of `fits` hold the truth: per run and parameter (alpha, beta) the number n of intervals,
    `coverage`, Wilson's 95 % interval low, high of it, and `ms`, the median wall time of a fit. Intervals of parameters that
    the choices do not identify (NaN in `fits`) are left out: they say what the prior says. Runs without intervals have no row,
    and fits of another model than the one that made the data have none either. The dataset and the model come first."""
    columns = ["dataset", "model", "run", "parameter", "n", "coverage", "low", "high", "ms"]
    fits = fits[fits["model"] == data.model]
    if data.truth is None or fits.empty:
        return pd.DataFrame(columns=columns)
    from scipy.stats import binomtest

    rows = []
    for run, part in fits[fits["posterior"].notna()].groupby("run" if "run" in fits else "method", sort=False):
        for symbol, truth in (("alpha", data.truth.alpha), ("beta", data.truth.beta)):
            ends = [
                (posterior[f"{symbol}_lower"], posterior[f"{symbol}_upper"]) if f"{symbol}_lower" in posterior else None
                for posterior in one_by_one(part["posterior"])
            ]
            given = part[[pair is not None for pair in ends]]
            if given.empty:
                continue
            lower, upper = (np.stack(side) for side in zip(*(pair for pair in ends if pair is not None), strict=True))
            true, found = truth[_places(data, given)], stacked(given[symbol])
            inside = ((lower <= true) & (true <= upper))[np.isfinite(found)]
            if inside.size == 0:
                continue
            n, held = int(inside.size), int(inside.sum())
            ends = binomtest(held, n).proportion_ci(method="wilson")
            rows.append((data.name, data.model, run, symbol, n, held / n, *ends, 1e3 * given["t_wall"].median()))
    return pd.DataFrame(rows, columns=columns)


SCORED = ("id", "alpha", "beta", "parameters", "posterior", "has_parameters", "t_wall")


def _made(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    intervals, criteria = [], []
    for name, data in results.data.items():
        scores = only(results.scores, *SCORED, where={"dataset": [name]})
        intervals.append(coverage(data, scores))
        criteria.append(validity(data, scores, results.criteria.get(name), results.seed))
    gathered = [[table for table in tables if len(table)] or tables[:1] for tables in (intervals, criteria)]
    return tuple(pd.concat(tables, ignore_index=True) for tables in gathered)


TABLES = [Maker(("coverage", "validity"), _made)]
