"""The parameters of a population, with their uncertainty."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..kinds import ByName, Number, Seed
from ..models.families import ModelName, get_model
from ..models.likelihood import Problem
from ..solvers.em import learn as _learn
from ..solvers.em import members
from ..solvers.information import Z_95, standard_errors
from ..solvers.population import Population, begin
from . import Experiment, methods_of, part_of_study
from .populations import PopulationMethod, _posed

if TYPE_CHECKING:
    from ..study.config import Study


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
    problems, options, rng, shared = _posed(data, model, method, settings, None, seed)
    found, expectation = _learn(problems, options, rng, shared)
    mean_se, sd_se, _ = standard_errors(found, expectation or members(problems, found), begin(problems[0], options, shared))
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


def _run(
    data: Dataset,
    models: Mapping[str, Mapping[str, tuple[str, Mapping[str, Any], int]]],
    bootstrap: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`models` has, by model and run, the method, its settings and how many episodes the run fits."""
    tables: tuple[list, list] = [], []
    for model, runs in models.items():
        for run, (method, settings, episodes) in runs.items():
            pair = parameters(data.select(slice(episodes)), model, method, settings, bootstrap=bootstrap, seed=seed)
            for table, kept in zip(pair, tables, strict=True):
                table[["dataset", "model", "run"]] = data.name, model, run
                kept.append(table[["dataset", "model", "run", *table.columns[:-3]]])
    return pd.concat(tables[0]), pd.concat(tables[1])


def _arguments(study: "Study", dataset: str) -> dict[str, Any]:
    models = {
        model: {run: (*how, study.n_episodes[dataset, model, run]) for run, how in methods.items()}
        for model, methods in study.methods_by_model("parameters", dataset).items()
    }
    bootstrap = study.populations["parameters"]["bootstrap"].get(dataset, 0)
    return {"models": models, "bootstrap": bootstrap, "seed": study.config["seed"]}


EXPERIMENT = Experiment(
    run=_run,
    found=("population", "objective"),
    parts=part_of_study("parameters", "datasets"),
    arguments=_arguments,
    methods=methods_of("parameters"),
    of_data=lambda arguments: max(n for runs in arguments["models"].values() for _, _, n in runs.values()),
)
