"""Simulated populations: who wins when, and whether a population's own parameters come back.

Participants play the published bandits; their parameters are normal, or a mixture of two types, on the probit scale of the
bounds (theta = lower + (upper - lower) Phi(h)).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from ..data.dataset import Dataset, Truth
from ..fitting import derive_seed, fit
from ..judge import score
from ..models.families import get_model
from ..models.simulate import PUBLISHED_BANDITS, PUBLISHED_BETA, _play_episode
from ..parameters import Bounds
from ..solvers.em import Z_95
from .held_out import Runs, parameters

# Types as (share, mean, sd), the same for every signal and arm, in the order alpha, beta.
POPULATIONS = {
    "normal": ((1.0, (-0.4, 0.4), (0.6, 0.6)),),  # off the centre, where gem starts
    "two types": ((0.5, (-1.0, 0.7), (0.3, 0.3)), (0.5, (1.0, -0.7), (0.3, 0.3))),
}
METRICS = {"kl": "policy KL", "alpha_error": "error of α", "beta_error": "error of β"}


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
    (default: those of the published study); each parameter is drawn on its own. Returns a Dataset with its Truth.
    """
    family, task = get_model(model), PUBLISHED_BANDITS[bandit]
    bounds = bounds or Bounds((0.0, 1.0), PUBLISHED_BETA[model][bandit])
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


def study(
    runs: Runs,
    sizes: Sequence[int] = (5, 20, 100, 1000),
    steps: Sequence[int] = (25, 50, 100, 200, 400),
    replicates: int = 3,
    model: str = "forgetting",
    bandit: str = "2arm",
    seed: int = 0,
) -> pd.DataFrame:
    """Who wins when: every run on simulated populations of POPULATIONS, of every size and number of steps.

    One row per population, size, steps, replicate and run: means over participants of kl (nats a step), alpha_error and
    beta_error, the number of fits that `failed`, and t_wall (seconds a participant). All runs meet the same data.
    """
    rows = []
    for population, types in POPULATIONS.items():
        for size in sizes:
            for n_steps in steps:
                for replicate in range(replicates):
                    name = f"{population}_{size}_{n_steps}_{replicate}"
                    rng = np.random.default_rng(derive_seed(name, None, "simulate", seed))
                    data = simulate_population(name, types, size, n_steps, rng, model, bandit)
                    for run, (method, settings) in runs.items():
                        fits = fit(data, model, method, settings=dict(settings), seed=seed)
                        means = score(data, fits)[[*METRICS, "t_wall"]].mean()
                        failed = int((fits["status"] == "failed").sum())
                        rows.append((population, size, n_steps, replicate, run, *means[list(METRICS)], failed, means["t_wall"]))
    return pd.DataFrame(rows, columns=["population", "size", "steps", "replicate", "run", *METRICS, "failed", "t_wall"])


def winners(table: pd.DataFrame, metric: str = "kl") -> pd.DataFrame:
    """Per population, size and steps of a `study`: the run with the least mean `metric` over replicates, `lead`, the
    runner-up's mean over its own, and `sure`, the share of replicates in which it is the least of all."""
    cell = ["population", "size", "steps"]
    wide = table.pivot(index=[*cell, "replicate"], columns="run", values=metric)
    means = wide.groupby(cell, sort=False).mean()
    ordered = np.sort(means.to_numpy(), axis=1)
    out = pd.DataFrame({"winner": means.idxmin(axis=1), "lead": ordered[:, 1] / ordered[:, 0]})
    least = wide.idxmin(axis=1).rename("least").reset_index("replicate").join(out["winner"])
    out["sure"] = (least["least"] == least["winner"]).groupby(cell, sort=False).mean()
    return out.reset_index()


def recovery(
    runs: Runs,
    replicates: int = 10,
    size: int = 200,
    steps: int = 200,
    model: str = "forgetting",
    bandit: str = "2arm",
    seed: int = 0,
) -> pd.DataFrame:
    """Does a population come back? Every run of a population method on `replicates` simulated normal populations.

    One row per replicate, run and parameter, on the link scale: `mean` and `sd` found with standard errors `mean_se` and
    `sd_se`, the `true_mean` and `true_sd` of the population, and `sample_mean` and `sample_sd`, those of the participants
    that were drawn from it. Links must be the default's.
    """
    ((_, true_mean, true_sd),) = POPULATIONS["normal"]
    bounds = Bounds((0.0, 1.0), PUBLISHED_BETA[model][bandit])
    tables = []
    for replicate in range(replicates):
        name = f"recovery_{model}_{bandit}_{size}_{steps}_{replicate}"
        rng = np.random.default_rng(derive_seed(name, None, "simulate", seed))
        data = simulate_population(name, POPULATIONS["normal"], size, steps, rng, model, bandit, bounds)
        lower, upper = get_model(model).box(data.n_arms, bounds)
        theta = np.concatenate([data.truth.alpha.reshape(size, -1), data.truth.beta.reshape(size, -1)], axis=1)
        h = ndtri((theta - lower) / (upper - lower))
        half = theta.shape[1] // 2
        known = {
            "true_mean": np.repeat(true_mean, half),
            "true_sd": np.repeat(true_sd, half),
            "sample_mean": h.mean(axis=0),
            "sample_sd": h.std(axis=0),
        }
        for run, (method, settings) in runs.items():
            found = parameters(data, model, method, settings, seed=seed)[0]
            found = found[["parameter", "mean", "mean_se", "sd", "sd_se"]]
            tables.append(found.assign(**known, replicate=replicate, run=run, model=model, bandit=bandit))
    return pd.concat(tables, ignore_index=True)


def summarise_recovery(table: pd.DataFrame) -> pd.DataFrame:
    """Per experiment, run and parameter of `recovery`: n replicates; the mean over them of the `variance_ratio`, found over
    true, with its standard error, and likewise of `sample_ratio`, found over that of the participants drawn; and the shares
    of standard-error intervals (95 %) that hold the true mean and sd, `mean_covered` and `sd_covered`."""
    rows = []
    for key, part in table.groupby(["model", "bandit", "run", "parameter"], sort=False):
        row = [*key, len(part)]
        for column in ("true_sd", "sample_sd"):
            ratio = (part["sd"] / part[column]) ** 2
            row += [ratio.mean(), ratio.std(ddof=1) / np.sqrt(len(part))]
        for symbol in ("mean", "sd"):
            off = (part[symbol] - part[f"true_{symbol}"]).abs()
            row.append((off <= Z_95 * part[f"{symbol}_se"]).mean())
        rows.append(row)
    columns = ["variance_ratio", "variance_ratio_se", "sample_ratio", "sample_ratio_se", "mean_covered", "sd_covered"]
    return pd.DataFrame(rows, columns=["model", "bandit", "run", "parameter", "n", *columns])
