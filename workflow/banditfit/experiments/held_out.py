"""Studies of whole populations: what a population is, how well held-out trials are predicted, external validity, coverage.

from banditfit import population

table = population.held_out(data, "forgetting", {"d_loc": ("d_loc", {}), "gem": ("gem", {})})
population.summarise_held_out(table)
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Annotated, Any

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..files import read_text
from ..fitting import derive_seed, fit
from ..identification import complete
from ..kinds import ByName, FilePath, Limits, Number, OneOf, Probability, Seed, Share, Table, Words
from ..methods import get_method
from ..models import likelihood
from ..models.families import ModelName, get_model
from ..models.likelihood import Problem, log_policy
from ..names import MethodName, called, method_names
from ..parameters import Bounds
from ..solvers.em import Z_95, Population, begin, estimate, expect, standard_errors
from ..solvers.em import learn as _learn
from ..tables.summaries import complete as complete_scores
from ..tables.summaries import whole

POPULATION_METHODS = {"gem": False, "gem_shared": True}  # and whether their participants share the rates
HOLD = (0.93, 0.97)  # shares of 95 % intervals with the truth inside, between which intervals are as wide as they say
BOOTSTRAP = 2000  # draws of participants
NOISE = 1.0  # sd of a simulated criterion's noise, in those of the true parameter: the truth itself correlates with it by .71

Runs = Annotated[
    Mapping[str, tuple[MethodName, Mapping[str, Any]]],
    Words('methods with their settings by name, such as {"gem": ("gem", {})}'),
]
PopulationMethod = Annotated[str, OneOf(lambda: [name for name in method_names() if called(name)[0] in POPULATION_METHODS])]
Scores = Annotated[
    pd.DataFrame,
    Table("a table of scores, as bf.score returns it", ("run", "id", "model", "episode", "alpha", "beta"), empty=True),
]
Estimates = Annotated[
    pd.DataFrame,
    Table("a table of fits or scores, as bf.fit and bf.score return them", ("run or method", "id", "alpha", "beta")),
]
Intervals = Annotated[
    pd.DataFrame,
    Table(
        "a table of fits or scores, as bf.fit and bf.score return them",
        ("run or method", "model", "episode", "posterior", "t_wall"),
        empty=True,
    ),
]
HeldOut = Annotated[
    pd.DataFrame, Table("a table as population.held_out returns it", ("dataset", "episode", "run", "nll"), empty=True)
]


@checked
def learn(
    data: Dataset,
    model: ModelName,
    method: PopulationMethod = "gem",
    settings: ByName | None = None,
    bounds: Bounds | None = None,
    seed: Seed = 0,
) -> Population:
    """The population that `method` (gem, gem_shared, or a row of config/methods.tsv that is one of them) finds in all episodes
    of `data`: its mean, covariance, trace of the objective and reason for stopping. Bounds and seed as in `fit`; raises
    InputError as `fit` does."""
    method, options = _options(method, settings)
    rng = np.random.default_rng(derive_seed(data.name, None, method, seed))
    problems = _Participants(data, model, bounds)
    return _learn(problems, options, rng, POPULATION_METHODS[method])[0].rescaled(1.0 / problems.scale)


def _options(name: str, settings: Mapping[str, Any] | None) -> tuple[str, Any]:
    """The population method of that name, and its settings."""
    method, given = called(name, settings)
    return method, get_method(method).read_settings(method, given)


class _Participants(Sequence):
    """The problems of a data set, each made when it is asked for: the online mode then holds a few of them at a time. Signals
    are in units of their own size, of all participants together, as a population method sees them in `fit`; `scale` (D,) is
    how many times as large a parameter is in them as in the user's."""

    def __init__(self, data: Dataset, model: str, bounds: Bounds | None):
        self.data, self.model = data, get_model(model)
        self.bounds = data.bounds_of(self.model, bounds)
        self.unit = self.model.units(data.reward_scale)
        shape = self.model.shape(data.n_arms)
        self.scale = np.concatenate([np.ones(np.prod(shape)), np.repeat(self.unit, shape[1])])

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, row: int) -> Problem:
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.as_told(row).in_units(self.unit)

    def as_told(self, row: int) -> Problem:
        """The same problem in the user's units, in which a fit's table is."""
        return likelihood.problem(self.data, row, self.model, self.bounds)


@checked
def parameters(
    data: Dataset,
    model: ModelName,
    method: PopulationMethod = "gem",
    settings: ByName | None = None,
    bootstrap: Number = 0,
    seed: Seed = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The population that `method` finds, with its uncertainty, and the trace of its objective.

    The first table has a row per parameter, on the link scale: `mean` and `sd` over participants with standard errors
    `mean_se`, `sd_se` (from the information in the participants' scores; NaN for the sd of what is the same for
    everybody), `mean_boot` and `sd_boot` (of `bootstrap` populations of participants drawn with replacement; NaN without),
    and the parameter of the mean participant, `centre`, with its 95 % limits `low` and `high`. The second has one row per
    round: `objective` in nats, whether it was `kept`, and how the fit ended: `converged` and `reason`.
    """
    method, options = _options(method, settings)
    shared = POPULATION_METHODS[method]
    problems = _Participants(data, model, None)
    rng = np.random.default_rng(derive_seed(data.name, None, method, seed))
    found, expectation = _learn(problems, options, rng, shared)
    mean_se, sd_se = standard_errors(found, expectation or expect(problems, found), begin(problems[0], options, shared))
    draws = np.array([_moments(_learn(_drawn(problems, rng), options, rng, shared)[0]) for _ in range(bootstrap)])
    boot = draws.std(axis=0, ddof=1) if bootstrap > 1 else np.full((2, len(found.mu)), np.nan)
    found = found.rescaled(1.0 / problems.scale)
    mean, sd = _moments(found)
    table = pd.DataFrame(
        {
            "parameter": get_model(model).parameter_names(data.n_arms),
            "participants": len(data),
            "mean": mean,
            "mean_se": mean_se,
            "mean_boot": boot[0],
            "sd": sd,
            "sd_se": sd_se,
            "sd_boot": boot[1],
            "centre": found.theta(mean),
            "low": found.theta(mean - Z_95 * mean_se),
            "high": found.theta(mean + Z_95 * mean_se),
        }
    )
    rounds = np.arange(1, len(found.objective) + 1)
    end = {"converged": found.converged, "reason": found.reason}
    return table, pd.DataFrame({"round": rounds, "objective": found.objective, "kept": rounds == found.kept, **end})


def _moments(found: Population) -> np.ndarray:
    """Mean and sd over participants, shape (2, parameters); the sd of what is the same for everybody is NaN."""
    sd = np.full(len(found.mu), np.nan)
    sd[found.free] = np.sqrt(np.diag(found.Sigma))
    return np.array([found.mu, sd])


def _drawn(problems: Sequence[Problem], rng: np.random.Generator) -> list[Problem]:
    return [problems[j] for j in rng.integers(len(problems), size=len(problems))]


@checked
def first_trials(data: Dataset, share: Probability) -> Dataset:
    """The data set cut after the first `share` of each episode's steps (at least one)."""
    n_steps = np.maximum((share * data.n_steps).astype(np.int64), 1)
    kept = np.arange(data.choices.shape[1]) < n_steps[:, None]
    return replace(data, choices=np.where(kept, data.choices, -1), n_steps=n_steps, truth=None)


@checked
def held_out(
    data: Dataset,
    model: ModelName,
    runs: Runs,
    share: Share = 0.5,
    folds: Annotated[int, Limits(2)] = 5,
    bounds: Bounds | None = None,
    seed: Seed = 0,
) -> pd.DataFrame:
    """How well each run (a method with settings) predicts trials it has not seen, of participants its population has not seen.

    Participants are dealt into `folds`. Each is held out once: a population method learns the population from all trials
    of the other folds' participants; then each method finds the held-out participant's parameters from the first `share`
    of the trials, and these, frozen, predict the rest (traces run on, only the predictions of the rest are scored).
    Methods without parameters predict by their kernels. Rows `chance` and, where the data know it, `truth` bound the scale.

    Returns one row per participant and run: dataset, episode, fold, run, n_scored (trials) and nll (nats per trial; NaN
    where the fit failed). Raises InputError for a share outside (0, 1) or folds without participants.
    """
    bounds = data.bounds_of(get_model(model), bounds)
    if folds > len(data):
        raise InputError(f"folds is {folds}, expected 2 to {len(data)}, the number of participants")
    early = first_trials(data, share)
    problems, early_problems = _Participants(data, model, bounds), _Participants(early, model, bounds)
    fold = np.random.default_rng(derive_seed(data.name, None, "folds", seed)).permutation(len(data)) % folds
    values = {"chance": [np.zeros((one.n_steps, one.n_arms)) for one in problems]}
    if data.truth is not None:
        values["truth"] = [data.truth.values[row, : one.n_steps] for row, one in enumerate(problems)]
    for run, (name, own) in runs.items():
        method, settings = called(name, own)
        if method in POPULATION_METHODS:
            values[run] = [np.full((one.n_steps, one.n_arms), np.nan) for one in problems]
            for held in range(folds):
                others = data.select(data.episodes[fold != held])
                found = learn(others, model, method, settings, bounds, seed).rescaled(problems.scale)
                rows = np.flatnonzero(fold == held)
                expectation = expect([early_problems[row] for row in rows], found)
                for row, theta, is_found in zip(rows, estimate(found, expectation)["median"], expectation.found, strict=True):
                    if is_found:
                        values[run][row] = problems[row].values_of(theta)
        else:
            fits = fit(early, model, method, settings=settings, bounds=bounds, seed=seed)
            values[run] = [
                _values(problems.as_told(row), early_problems.as_told(row), found)
                for row, found in enumerate(fits.itertuples())
            ]
    rows = []
    for row, one in enumerate(problems):
        late = np.flatnonzero((np.arange(one.n_steps) >= early.n_steps[row]) & (data.choices[row, : one.n_steps] >= 0))
        for run, x in values.items():
            nll = -log_policy(x[row][late])[np.arange(len(late)), data.choices[row, late]]
            mean = nll.mean() if len(late) else np.nan
            rows.append((data.name, data.episodes[row], fold[row], run, len(late), mean))
    return pd.DataFrame(rows, columns=["dataset", "episode", "fold", "run", "n_scored", "nll"])


def _values(one: Problem, early: Problem, row) -> np.ndarray:
    """x(t) of a fit to an episode's first trials, `early`, over all of its trials; NaN where the fit failed. A parameter that
    the first trials do not identify has the value that the method itself had."""
    if (parameters := complete(early, row)) is not None:
        return one.values_of(parameters[0])
    if row.kernels is None:
        return np.full((one.n_steps, one.n_arms), np.nan)
    unseen = one.n_steps - row.kernels.shape[-1]  # lags longer than what was fitted have no weight
    return one.kernel_values(np.pad(row.kernels, ((0, 0), (0, 0), (0, unseen))))


@checked
def summarise_held_out(table: HeldOut, seed: Seed = 0) -> pd.DataFrame:
    """Per dataset and run: n participants with a prediction, their mean `nll` in nats per trial with `low` and `high`
    (95 % bootstrap over participants), and `gain`, `gain_low`, `gain_high`: the same of chance less the run, paired."""
    rng = np.random.default_rng(seed)
    rows = []
    for dataset, part in table.groupby("dataset", sort=False):
        wide = part.pivot(index="episode", columns="run", values="nll")
        for run in part["run"].unique():
            both = wide[["chance", run]].dropna().to_numpy()
            draws = rng.integers(len(both), size=(BOOTSTRAP, len(both))) if len(both) else np.empty((1, 0), dtype=int)
            row = [dataset, run, len(both)]
            for number in (both[:, -1], both[:, 0] - both[:, -1]):
                means = number[draws].mean(axis=1) if len(both) else [np.nan]
                row += [number.mean() if len(both) else np.nan, *np.percentile(means, (2.5, 97.5))]
            rows.append(row)
    return pd.DataFrame(rows, columns=["dataset", "run", "n", "nll", "low", "high", "gain", "gain_low", "gain_high"])


@checked
def external_validity(fits: Estimates, criterion: Mapping[str, Real], only: str | None = None) -> pd.DataFrame:
    """Correlation of every recovered parameter (of `only` one, such as "beta[0,0]") with a criterion, a number per
    participant's id (as in a fit table).

    One row per run, parameter and coefficient (pearson, spearman): n, r, and the 95 % interval low, high on Fisher's z
    scale, with standard error sqrt(1 / (n - 3)) for Pearson and sqrt((1 + r^2 / 2) / (n - 3)) for Spearman (Bonett & Wright
    2000, Psychometrika 65). Failed fits, fits outside the box (where the table says so), participants without the criterion
    and those whose choices do not identify the parameter are left out. Raises InputError with fewer than four participants or
    a criterion that does not vary over those of a run; r is NaN for a parameter that does not vary, or that fewer than four
    participants identify.
    """
    from scipy.stats import pearsonr, spearmanr

    rows = []
    if "outside" in fits:
        fits = fits[~fits["outside"].astype(bool)]
    for run, part in fits.groupby("run" if "run" in fits else "method", sort=False):
        wanted = part["id"].map(criterion).astype(float).to_numpy()
        fitted = [bool(np.isfinite(a).any() or np.isfinite(b).any()) for a, b in zip(part["alpha"], part["beta"], strict=True)]
        known = wanted[np.isfinite(wanted) & np.array(fitted, dtype=bool)]
        if len(known) < 4 or np.ptp(known) == 0:
            raise InputError(
                f"criterion: found {len(known)} participants with a fit of '{run}' and {len(np.unique(known))} values,"
                " expected at least 4 participants and a criterion that varies"
            )
        for symbol in ("alpha", "beta"):
            found = np.stack(part[symbol].to_list())
            for s, j in np.ndindex(found.shape[1:]):
                parameter = f"{symbol}[{s},{j}]"
                if only not in (None, parameter):
                    continue
                x = found[:, s, j]
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
    return pd.DataFrame(rows, columns=["run", "parameter", "coefficient", "n", "r", "low", "high"])


@checked
def validity(data: Dataset, scores: Scores, criterion: FilePath | None = None, seed: Seed = 0) -> pd.DataFrame:
    """External validity of every run that gives parameters: of all of them, against the criterion in a file (`read_criterion`);
    or, where the truth is known, of the first alpha and beta, and of the `truth`, each against a criterion made of that true
    parameter in units of its sd and normal noise of sd NOISE.

    Columns of `external_validity`, with the dataset first. Runs of fewer participants than others are left out, as they would
    be compared over other people. No rows where there is neither, or for runs with fewer than four
    participants; raises InputError as `read_criterion` and `external_validity` do."""
    scores = complete_scores(scores)
    held = scores["has_parameters"] & scores["alpha"].notna() & ~scores["outside"].astype(bool) & whole(scores)
    given = scores[held.astype(bool)]
    given = given[given.groupby("run")["run"].transform("size") > 3]
    tables = []
    if criterion is not None and len(given):
        tables.append(external_validity(given, read_criterion(criterion, data)))
    elif data.truth is not None and set(scores["model"]) == {data.model}:
        kept = data.select(sorted(given["episode"].unique()))
        truth = pd.DataFrame({"run": "truth", "id": kept.ids})
        truth["alpha"], truth["beta"] = list(kept.truth.alpha), list(kept.truth.beta)
        everybody = pd.concat([truth, given[["run", "id", "alpha", "beta"]]], ignore_index=True)
        for symbol in ("alpha", "beta"):
            true = getattr(kept.truth, symbol)[:, 0, 0]
            if len(true) < 4 or np.ptp(true) == 0:
                continue
            rng = np.random.default_rng(derive_seed(data.name, None, f"criterion of {symbol}", seed))
            noisy = (true - true.mean()) / true.std() + NOISE * rng.standard_normal(len(true))
            tables.append(external_validity(everybody, dict(zip(kept.ids, noisy, strict=True)), f"{symbol}[0,0]"))
    columns = ["run", "parameter", "coefficient", "n", "r", "low", "high"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    table.insert(0, "dataset", data.name)
    return table


@checked
def read_criterion(path: FilePath, data: Dataset) -> dict[str, float]:
    """The criterion of each episode: a CSV file with the columns `episode` (as its owner calls it) and `criterion`, a number,
    or empty where it is not known. Raises InputError with the file, row, what was found and what is expected."""
    text = read_text(path, "a CSV file with the columns 'episode' and 'criterion'")
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: found what is no table ({error}), expected cells separated by commas") from None
    if not lines or not {"episode", "criterion"} <= set(lines[0]):
        found = ", ".join(map(repr, lines[0])) if lines else "an empty file"
        raise InputError(f"{path}, row 1: found {found}, expected the columns 'episode' and 'criterion'")
    places = lines[0].index("episode"), lines[0].index("criterion")
    known, criterion = set(data.ids), {}
    for row, cells in enumerate(lines[1:], start=2):
        if not cells:
            continue
        if len(cells) != len(lines[0]):
            raise InputError(f"{path}, row {row}: found {len(cells)} cells, expected {len(lines[0])}")
        episode, text = (cells[place].strip() for place in places)
        if episode not in known or episode in criterion:
            raise InputError(
                f"{path}, row {row}: found episode '{episode}', expected each episode of '{data.name}' at most once"
            )
        try:
            criterion[episode] = float(text or "nan")
        except ValueError:
            criterion[episode] = np.inf
        if np.isinf(criterion[episode]):
            raise InputError(f"{path}, row {row}: found criterion '{text}', expected a finite number, or nothing")
    return criterion


@checked
def coverage(data: Dataset, fits: Intervals) -> pd.DataFrame:
    """How often the 95 % intervals of `fits` hold the truth: per run and parameter (alpha, beta) the number n of intervals,
    `coverage`, Wilson's 95 % interval low, high of it, and `ms`, the median wall time of a fit. Intervals of parameters that
    the choices do not identify (NaN in `fits`) are left out: they say what the prior says. Runs without intervals have no row,
    and without a truth of that model there is none. The dataset comes first."""
    columns = ["dataset", "run", "parameter", "n", "coverage", "low", "high", "ms"]
    if data.truth is None or set(fits["model"]) != {data.model}:
        return pd.DataFrame(columns=columns)
    row_of = {int(number): row for row, number in enumerate(data.episodes)}
    rows = []
    fits = fits[[p is not None and "alpha_lower" in p for p in fits["posterior"]]]
    for run, part in fits.groupby("run" if "run" in fits else "method", sort=False):
        for symbol, truth in (("alpha", data.truth.alpha), ("beta", data.truth.beta)):
            true, found = (np.stack(held) for held in ([truth[row_of[e]] for e in part["episode"]], part[symbol].to_list()))
            lower, upper = (np.stack([p[f"{symbol}_{end}"] for p in part["posterior"]]) for end in ("lower", "upper"))
            inside = ((lower <= true) & (true <= upper))[np.isfinite(found)]
            if inside.size == 0:
                continue
            n, c = int(np.size(inside)), float(np.mean(inside))
            centre = (c + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
            half = Z_95 / (1 + Z_95**2 / n) * np.sqrt(c * (1 - c) / n + Z_95**2 / (4 * n**2))
            rows.append((data.name, run, symbol, n, c, centre - half, centre + half, 1e3 * part["t_wall"].median()))
    return pd.DataFrame(rows, columns=columns)
