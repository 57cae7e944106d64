"""Simulated populations: who wins when.

Participants play the published bandits; their parameters are normal, or a mixture of two types, on the probit scale of the
bounds (theta = lower + (upper - lower) Phi(h)).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..fitting import derive_seed, fit
from ..judge import score
from ..models.simulate import POPULATIONS, simulate_population
from . import Experiment, methods_of, part_of_study
from .populations import Runs

if TYPE_CHECKING:
    from ..study.config import Study

METRICS = {"kl": "policy KL", "alpha_error": "error of α", "beta_error": "error of β"}


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


def _arguments(study_: "Study", size: str) -> dict[str, Any]:
    part = study_.populations["study"]
    how = {"steps": part["steps"], "replicates": part["replicates"], "seed": study_.config["seed"]}
    return {"runs": study_.methods_of("study"), "sizes": [int(size)], **how}


EXPERIMENT = Experiment(
    run=lambda **how: (study(**how),),
    found=("population_study",),
    parts=part_of_study("study", "sizes"),
    arguments=_arguments,
    methods=methods_of("study"),
)
