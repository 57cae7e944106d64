"""How well parameters are found again that made the data."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..fitting import derive_seed
from ..models.families import get_model
from ..models.simulate import POPULATIONS, PUBLISHED_BETA, simulate_population
from ..parameters import Bounds
from ..solvers.information import Z_95
from . import Experiment, methods_of, part_of_study
from .parameters import parameters
from .populations import Runs

if TYPE_CHECKING:
    from ..study.config import Study


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


def _arguments(study: "Study", experiment: str) -> dict[str, Any]:
    part = study.populations["recovery"]
    model, bandit = experiment.rsplit("_", 1)
    of_data = {"model": model, "bandit": bandit, "size": part["participants"], "steps": part["steps"]}
    return {"runs": study.methods_of("recovery"), "replicates": part["replicates"], **of_data, "seed": study.config["seed"]}


EXPERIMENT = Experiment(
    run=lambda **how: (recovery(**how),),
    found=("recovery",),
    parts=part_of_study("recovery", "experiments"),
    arguments=_arguments,
    methods=methods_of("recovery"),
    tables={"recovery": ("recovery", summarise_recovery)},
)
