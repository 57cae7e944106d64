"""Studies of whole populations: prediction of held-out trials, external validity, coverage, and who wins when.

from banditfit import population

table = population.held_out(data, "forgetting", ["d_loc", "gem"])
population.summarise_held_out(table)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter
from scipy.special import ndtr
from scipy.stats import pearsonr, spearmanr

from . import likelihood
from .data import Dataset, Truth
from .errors import InputError
from .fitting import derive_seed, fit
from .judge import score
from .likelihood import Problem, log_policy
from .methods import get_method
from .methods._population import Z_95, Population, estimate, expect
from .methods._population import learn as _learn
from .models import Bounds, get_model
from .simulate import PUBLISHED_BANDITS, _play_episode

POPULATION_METHODS = {"gem": False, "gem_shared": True}  # and whether their participants share the rates
BOOTSTRAP = 2000  # draws of participants

# Parameters of a simulated population on the probit scale of the bounds: types as (share, mean, sd), the same for every
# signal and arm, in the order alpha, beta.
POPULATIONS = {
    "normal": ((1.0, (0.0, 0.0), (0.6, 0.6)),),
    "two types": ((0.5, (-1.0, 0.7), (0.3, 0.3)), (0.5, (1.0, -0.7), (0.3, 0.3))),
}
STUDY_BOUNDS = {"forgetting": ((0.0, 5.0),), "per_arm": ((0.0, 5.0),), "subrewards": ((0.0, 5.0), (0.0, 2.0))}
ERRORS = {"kl": "policy KL", "alpha_error": "error of α", "beta_error": "error of β"}


def learn(
    data: Dataset,
    model: str,
    method: str = "gem",
    settings: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    seed: int = 0,
) -> Population:
    """The population that `method` (gem or gem_shared) finds in all episodes of `data`: its mean, covariance, trace of
    the objective and reason for stopping. Bounds and seed as in `fit`; raises InputError as `fit` does."""
    family = get_model(model)
    if method not in POPULATION_METHODS:
        raise InputError(f"method of a population: found '{method}', expected one of {', '.join(POPULATION_METHODS)}")
    options = get_method(method).read_settings(method, settings)
    rng = np.random.default_rng(derive_seed(data.name, None, method, seed))
    problems = _problems(data, model, bounds or data.bounds_of(family))
    return _learn(problems, options, rng, POPULATION_METHODS[method])[0]


def _problems(data: Dataset, model: str, bounds: Bounds) -> list[Problem]:
    return [likelihood.problem(data, row, get_model(model), bounds) for row in range(len(data))]


def first_trials(data: Dataset, share: float) -> Dataset:
    """The data set cut after the first `share` of each episode's steps (at least one)."""
    n_steps = np.maximum((share * data.n_steps).astype(np.int64), 1)
    kept = np.arange(data.choices.shape[1]) < n_steps[:, None]
    return replace(data, choices=np.where(kept, data.choices, -1), n_steps=n_steps, truth=None)


def held_out(
    data: Dataset,
    model: str,
    methods: Sequence[str],
    share: float = 0.5,
    folds: int = 5,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    bounds: Bounds | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How well each method predicts trials it has not seen, of participants its population has not seen.

    Participants are dealt into `folds`. Each is held out once: a population method learns the population from all trials
    of the other folds' participants; then each method finds the held-out participant's parameters from the first `share`
    of the trials, and these, frozen, predict the rest (traces run on, only the predictions of the rest are scored).
    `settings` are per method. Rows `chance` and, where the data know it, `truth` bound the scale.

    Returns one row per participant and method: dataset, episode, fold, method, n_scored (trials) and nll (nats per
    trial; NaN where the fit failed). Raises InputError for a share outside (0, 1) or folds without participants.
    """
    family = get_model(model)
    bounds = bounds or data.bounds_of(family)
    if not 0 < share < 1:
        raise InputError(f"share is {share:g}, expected a number between 0 and 1")
    if not 2 <= folds <= len(data):
        raise InputError(f"folds is {folds}, expected 2 to {len(data)}, the number of participants")
    early = first_trials(data, share)
    problems, early_problems = _problems(data, model, bounds), _problems(early, model, bounds)
    fold = np.random.default_rng(derive_seed(data.name, None, "folds", seed)).permutation(len(data)) % folds
    values = {"chance": [np.zeros((one.n_steps, one.n_arms)) for one in problems]}
    if data.truth is not None:
        values["truth"] = [data.truth.values[row, : one.n_steps] for row, one in enumerate(problems)]
    for method in methods:
        given = dict((settings or {}).get(method, {}))
        if method in POPULATION_METHODS:
            pairs = [(np.nan, np.nan)] * len(data)
            for held in range(folds):
                others = data.select(data.episodes[fold != held])
                found = learn(others, model, method, given, bounds, seed)
                rows = np.flatnonzero(fold == held)
                expectation = expect([early_problems[row] for row in rows], found)
                for row, theta, is_found in zip(rows, estimate(found, expectation)["median"], expectation.found, strict=True):
                    if is_found:
                        pairs[row] = problems[row].split(theta)
        else:
            fits = fit(early, model, method, settings=given, bounds=bounds, seed=seed)
            pairs = list(zip(fits["alpha"], fits["beta"], strict=True))
        values[method] = [one.values(*pair) for one, pair in zip(problems, pairs, strict=True)]
    rows = []
    for row, one in enumerate(problems):
        late = np.flatnonzero((np.arange(one.n_steps) >= early.n_steps[row]) & (one.choices >= 0))
        for method, x in values.items():
            nll = -log_policy(x[row][late])[np.arange(len(late)), one.choices[late]]
            mean = nll.mean() if len(late) else np.nan
            rows.append((data.name, data.episodes[row], fold[row], method, len(late), mean))
    return pd.DataFrame(rows, columns=["dataset", "episode", "fold", "method", "n_scored", "nll"])


def summarise_held_out(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Per dataset and method: n participants with a prediction, their mean `nll` in nats per trial with `low` and `high`
    (95 % bootstrap over participants), and `gain`, `gain_low`, `gain_high`: the same of chance less the method, paired."""
    rng = np.random.default_rng(seed)
    rows = []
    for dataset, part in table.groupby("dataset", sort=False):
        wide = part.pivot(index="episode", columns="method", values="nll")
        for method in part["method"].unique():
            both = wide[["chance", method]].dropna().to_numpy()
            draws = rng.integers(len(both), size=(BOOTSTRAP, len(both))) if len(both) else np.empty((1, 0), dtype=int)
            row = [dataset, method, len(both)]
            for number in (both[:, -1], both[:, 0] - both[:, -1]):
                means = number[draws].mean(axis=1) if len(both) else [np.nan]
                row += [number.mean() if len(both) else np.nan, *np.percentile(means, (2.5, 97.5))]
            rows.append(row)
    return pd.DataFrame(rows, columns=["dataset", "method", "n", "nll", "low", "high", "gain", "gain_low", "gain_high"])


def external_validity(fits: pd.DataFrame, criterion: Mapping[str, float]) -> pd.DataFrame:
    """Correlation of every recovered parameter with a criterion, a number per participant's id (as in a fit table).

    One row per method, parameter and coefficient (pearson, spearman): n, r, and the 95 % interval low, high on Fisher's z
    scale, with standard error sqrt(1 / (n - 3)) for Pearson and sqrt((1 + r^2 / 2) / (n - 3)) for Spearman (Bonett & Wright
    2000, Psychometrika 65). Failed fits and participants without the criterion are left out. Raises InputError with fewer
    than four participants or a criterion that does not vary; a parameter that does not vary has r NaN.
    """
    rows = []
    for method, part in fits.groupby("method", sort=False):
        wanted = part["id"].map(criterion).astype(float).to_numpy()
        for symbol in ("alpha", "beta"):
            found = np.stack(part[symbol].to_list())
            for s, j in np.ndindex(found.shape[1:]):
                x = found[:, s, j]
                kept = np.isfinite(x) & np.isfinite(wanted)
                n = int(kept.sum())
                if n < 4 or np.ptp(wanted[kept]) == 0:
                    raise InputError(
                        f"criterion: found {n} participants with a fit of '{method}' and {len(np.unique(wanted[kept]))} values,"
                        " expected at least 4 participants and a criterion that varies"
                    )
                for coefficient, correlate in (("pearson", pearsonr), ("spearman", spearmanr)):
                    r = float(correlate(x[kept], wanted[kept]).statistic) if np.ptp(x[kept]) > 0 else np.nan
                    variance = 1.0 if coefficient == "pearson" else 1.0 + r**2 / 2.0
                    # A perfect correlation has no z; the clip leaves it an interval that ends at one.
                    z, se = np.arctanh(np.clip(r, -1.0 + 1e-12, 1.0 - 1e-12)), np.sqrt(variance / (n - 3))
                    ends = np.tanh([z - Z_95 * se, z + Z_95 * se])
                    rows.append((method, f"{symbol}[{s},{j}]", coefficient, n, r, *ends))
    return pd.DataFrame(rows, columns=["method", "parameter", "coefficient", "n", "r", "low", "high"])


def coverage(data: Dataset, fits: pd.DataFrame) -> pd.DataFrame:
    """How often the 95 % intervals of `fits` hold the truth: per method and parameter (alpha, beta) the number n of
    intervals, `coverage`, and Wilson's 95 % interval low, high of it. Raises InputError without a truth of that model."""
    if data.truth is None or set(fits["model"]) != {data.model}:
        raise InputError(f"data set '{data.name}': no true parameters of model {', '.join(set(fits['model']))} to cover")
    row_of = {int(number): row for row, number in enumerate(data.episodes)}
    rows = []
    for method, part in fits.groupby("method", sort=False):
        part = part[[p is not None and "alpha_lower" in p for p in part["posterior"]]]
        for symbol, truth in (("alpha", data.truth.alpha), ("beta", data.truth.beta)):
            inside = [
                (p[f"{symbol}_lower"] <= truth[row_of[e]]) & (truth[row_of[e]] <= p[f"{symbol}_upper"])
                for e, p in zip(part["episode"], part["posterior"], strict=True)
            ]
            n = int(np.size(inside))
            c = float(np.mean(inside)) if n else np.nan
            if n:
                centre = (c + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
                half = Z_95 / (1 + Z_95**2 / n) * np.sqrt(c * (1 - c) / n + Z_95**2 / (4 * n**2))
            else:
                centre = half = np.nan
            rows.append((method, symbol, n, c, centre - half, centre + half))
    return pd.DataFrame(rows, columns=["method", "parameter", "n", "coverage", "low", "high"])


def simulate_population(
    name: str,
    population: Iterable[tuple[float, Sequence[float], Sequence[float]]],
    n_participants: int,
    n_steps: int,
    rng: np.random.Generator,
    model: str = "forgetting",
    bandit: str = "2arm",
    bounds: Bounds | None = None,
) -> Dataset:
    """Participants of a mixed population on one of the published bandits, their traces starting from zero.

    `population` lists its types as (share, mean, sd), the latter two for (alpha, beta) on the probit scale of `bounds`
    (default: those of the published 2-arm study); each parameter is drawn on its own. Returns a Dataset with its Truth.
    """
    family, task = get_model(model), PUBLISHED_BANDITS[bandit]
    bounds = bounds or Bounds((0.0, 1.0), STUDY_BOUNDS[model])
    n_arms = len(task["p_reward"])
    lower, upper = family.box(n_arms, bounds)
    shares, means, sds = (np.array(part, dtype=float) for part in zip(*population, strict=True))
    kind = rng.choice(len(shares), size=n_participants, p=shares)
    half = len(lower) // 2
    mean, sd = (np.repeat(part[kind], half, axis=1) for part in (means, sds))
    theta = lower + (upper - lower) * ndtr(mean + sd * rng.standard_normal(mean.shape))
    shape = (n_participants, *family.shape(n_arms))
    alpha, beta = theta[:, :half].reshape(shape), theta[:, half:].reshape(shape)
    choices, rewards = np.empty((n_participants, n_steps), dtype=np.int64), np.empty((n_participants, n_steps))
    values, nll = np.empty((n_participants, n_steps, n_arms)), np.empty(n_participants)
    signals = family.signal_values(np.zeros(2, dtype=np.int64), np.array([0.0, 1.0]))
    full = (family.n_signals, n_arms)
    for j in range(n_participants):
        a, b = (np.ascontiguousarray(np.broadcast_to(parameter[j], full)) for parameter in (alpha, beta))
        p_now, z = np.array(task["p_reward"]), np.zeros(full)
        nll[j] = _play_episode(rng, p_now, task["p_switch"], a, b, signals, z, choices[j], rewards[j], values[j])
    return Dataset(name, choices, rewards, n_arms, model=model, bounds=bounds, truth=Truth(alpha, beta, values, nll))


def population_study(
    methods: Sequence[str] = ("d_loc", "gem"),
    sizes: Sequence[int] = (5, 20, 100, 1000),
    steps: Sequence[int] = (25, 50, 100, 200, 400),
    replicates: int = 3,
    model: str = "forgetting",
    bandit: str = "2arm",
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Who wins when: every method on simulated populations of POPULATIONS, of every size and number of steps.

    One row per population, size, steps, replicate and method: means over participants of kl (nats a step), alpha_error and
    beta_error, the number of fits that `failed`, and t_wall (seconds a participant). All methods meet the same data.
    """
    rows = []
    for population, types in POPULATIONS.items():
        for size in sizes:
            for n_steps in steps:
                for replicate in range(replicates):
                    name = f"{population}_{size}_{n_steps}_{replicate}"
                    rng = np.random.default_rng(derive_seed(name, None, "simulate", seed))
                    data = simulate_population(name, types, size, n_steps, rng, model, bandit)
                    for method in methods:
                        fits = fit(data, model, method, settings=(settings or {}).get(method), seed=seed)
                        means = score(data, fits)[[*ERRORS, "t_wall"]].mean()
                        failed = int((fits["status"] == "failed").sum())
                        rows.append(
                            (population, size, n_steps, replicate, method, *means[list(ERRORS)], failed, means["t_wall"])
                        )
    return pd.DataFrame(rows, columns=["population", "size", "steps", "replicate", "method", *ERRORS, "failed", "t_wall"])


def winners(study: pd.DataFrame, metric: str = "kl") -> pd.DataFrame:
    """Per population, size and steps of a `population_study`: the method with the least mean `metric` over replicates, and
    `lead`, the runner-up's mean over its own."""
    cells = study.groupby(["population", "size", "steps", "method"], sort=False)[metric].mean().unstack()
    ordered = np.sort(cells.to_numpy(), axis=1)
    return cells.assign(winner=cells.idxmin(axis=1), lead=ordered[:, 1] / ordered[:, 0]).reset_index()


def draw_population_study(study: pd.DataFrame, method: str = "gem", against: str = "d_loc") -> Figure:
    """Error of `against` over that of `method` (above one: `method` wins) by size of the population, a line per number of
    steps, a panel per population and metric; geometric means over replicates."""
    index = ["population", "size", "steps", "replicate"]
    populations, steps = study["population"].unique(), sorted(study["steps"].unique())
    figure = Figure(figsize=(2.4 * len(ERRORS), 2.1 * len(populations) + 0.5), layout="constrained")
    axes = figure.subplots(len(populations), len(ERRORS), sharex=True, sharey=True, squeeze=False)
    shades = np.linspace(0.75, 0.0, len(steps))
    for column, (metric, label) in enumerate(ERRORS.items()):
        wide = study.pivot(index=index, columns="method", values=metric)
        ratio = np.log(wide[against] / wide[method]).groupby(["population", "steps", "size"]).mean()
        for row, population in enumerate(populations):
            ax = axes[row, column]
            ax.axhline(1.0, color="#8A8A8A", linewidth=0.8)
            for shade, n_steps in zip(shades, steps, strict=True):
                line = np.exp(ratio[population, n_steps])
                ax.plot(line.index, line, color=str(shade), marker="o", markersize=3, linewidth=1, label=f"{n_steps} steps")
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_title(f"{population}: {label}", fontsize=8, loc="left")
            ax.tick_params(labelsize=7)
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_minor_formatter(NullFormatter())
                axis.set_major_formatter(ScalarFormatter())
            ax.set_xticks(sorted(study["size"].unique()))
            ax.set_yticks([0.5, 1, 2, 4])
    for ax in axes[-1]:
        ax.set_xlabel("participants", fontsize=8)
    for ax in axes[:, 0]:
        ax.set_ylabel(f"error, {against} / {method}", fontsize=8)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(steps), fontsize=7, frameon=False
    )
    return figure
