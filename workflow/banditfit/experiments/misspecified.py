"""Priors and boxes told wrongly: who stays accurate when people are not as a method takes them to be.

Simulated people of `forgetting` are drawn from populations that are normal in the box that made them, or skewed, heavy-tailed
or of two kinds with the same means and sds; and methods are told that box for the sensitivity, or one several times as wide.

from banditfit.experiments import misspecified

misspecified.study({"gem": ("gem", {}), "profile": ("profile", {})}, boxes=(1, 4), people=50)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.dataset import Dataset, Truth
from ..fitting import derive_seed, fit
from ..judge import score
from ..models import likelihood
from ..models.families import get_model
from ..parameters import Bounds
from . import Experiment, methods_of, part_of_study, simulated
from .populations import Runs
from .simulated import BETA, People, Shape, normal

if TYPE_CHECKING:
    from ..study.config import Study

MODEL = "forgetting"
FREEDOM = 3  # of the heavy tails: variance, but no kurtosis
APART = 0.8  # sds that two kinds stand on either side of the mean


def skewed(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.exponential(size=size) - 1.0


def heavy_tailed(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.standard_t(FREEDOM, size=size) * np.sqrt((FREEDOM - 2) / FREEDOM)


def two_kinds(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Half of people above the mean in the first parameter and below it in the others, the rest the other way round."""
    side = np.where(rng.random((size[0], 1)) < 0.5, 1.0, -1.0) * np.where(np.arange(size[1]) == 0, 1.0, -1.0)
    return APART * side + np.sqrt(1.0 - APART**2) * rng.standard_normal(size)


SHAPES: dict[str, Shape] = {"normal": normal, "skewed": skewed, "heavy_tailed": heavy_tailed, "two_kinds": two_kinds}


def study(
    runs: Runs, boxes: Sequence[float] = (1, 4, 10), people: int = 100, steps: int = 200, seed: int = 0, shapes=tuple(SHAPES)
) -> pd.DataFrame:
    """One row per shape of the population, `box` (how many times as wide a box of beta is told as made them) and run: medians
    over people of the policy KL (nats a step) and of the errors of alpha and beta; the share of 95 % intervals that hold the
    truth, over alpha and beta (NaN for methods that give none); and the number of people and of fits that `failed`."""
    rows = []
    for shape in shapes:
        name = f"misspecified_{shape}"
        made = _made(name, people, steps, np.random.default_rng(derive_seed(name, None, "simulate", seed)), SHAPES[shape])
        for box in boxes:
            bounds = Bounds(beta=((BETA[0][0], box * BETA[0][1]),))
            for run, (method, settings) in runs.items():
                fits = fit(made.data, MODEL, method, settings=dict(settings), bounds=bounds, seed=seed)
                scores = score(made.data, fits)
                medians = scores[["kl", "alpha_error", "beta_error"]].median()
                rows.append((shape, box, run, people, *medians, _covered(made, fits), int((fits["status"] == "failed").sum())))
    return pd.DataFrame(
        rows, columns=["population", "box", "run", "people", "kl", "alpha_error", "beta_error", "coverage", "failed"]
    )


def _made(name: str, size: int, steps: int, rng: np.random.Generator, shape: Shape) -> People:
    """Simulated people whose truth is known to the judge."""
    made, family = simulated.people(name, MODEL, size, steps, rng, shape), get_model(MODEL)
    problems = [likelihood.problem(made.data, row, family, made.bounds) for row in range(size)]
    theta = made.theta
    alpha, beta = (np.array([one.split(each)[k] for one, each in zip(problems, theta, strict=True)]) for k in range(2))
    values = np.array([one.values_of(each) for one, each in zip(problems, theta, strict=True)])
    nll = np.array([one.nll_theta(each) for one, each in zip(problems, theta, strict=True)])
    data: Dataset = replace(made.data, model=MODEL, bounds=made.bounds, truth=Truth(alpha, beta, values, nll))
    return replace(made, data=data)


def _covered(made: People, fits: pd.DataFrame) -> float:
    inside = [
        (posterior[f"{name}_lower"] <= truth) & (truth <= posterior[f"{name}_upper"])
        for j, posterior in enumerate(fits["posterior"])
        if posterior is not None
        for name, truth in (("alpha", made.data.truth.alpha[j]), ("beta", made.data.truth.beta[j]))
    ]
    return float(np.mean(inside)) if inside else np.nan


def _arguments(study_: "Study", shape: str) -> dict[str, Any]:
    part = study_.populations["misspecified"]
    how = {name: part[name] for name in ("boxes", "people", "steps")}
    return {"runs": study_.methods_of("misspecified"), **how, "shapes": [shape], "seed": study_.config["seed"]}


EXPERIMENT = Experiment(
    run=lambda **how: (study(**how),),
    found=("misspecified",),
    parts=part_of_study("misspecified", "shapes"),
    arguments=_arguments,
    methods=methods_of("misspecified"),
)
