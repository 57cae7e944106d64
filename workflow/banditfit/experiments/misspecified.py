"""Priors and boxes told wrongly: who stays accurate when people are not as a method takes them to be.

Simulated people of `forgetting` are drawn from populations that are normal in the box that made them, or skewed, heavy-tailed
or of two kinds with the same means and sds; and methods are told that box for the sensitivity, or one several times as wide.
Of each shape several populations are drawn, and errors are those of means over them.

from banditfit.experiments import misspecified

runs = {"gem": ("gem", {}), "profile": ("profile", {})}
misspecified.summary(misspecified.study(runs, boxes=(1, 4), people=50, replicates=5))
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
from ..solvers.information import Z_95
from . import Experiment, methods_of, part_of_study, simulated
from .populations import Runs
from .simulated import BETA, People, Shape, normal

if TYPE_CHECKING:
    from ..study.config import Study

MODEL = "forgetting"
FREEDOM = 3  # of the heavy tails: variance, but no kurtosis
APART = 0.8  # sds that two kinds stand on either side of the mean
MEASURES = ("kl", "alpha_error", "beta_error", "coverage")


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
    runs: Runs,
    boxes: Sequence[float] = (1, 4, 10),
    people: int = 40,
    steps: int = 200,
    replicates: int = 10,
    seed: int = 0,
    shapes=tuple(SHAPES),
) -> pd.DataFrame:
    """One row per shape of the population, population of that shape (`replicate`), `box` (how many times as wide a box of beta
    is told as made them) and run: medians over people of the policy KL (nats a step) and of the errors of alpha and beta; the
    share of 95 % intervals that hold the truth, over alpha and beta (NaN for methods that give none); and the number of people
    and of fits that `failed`."""
    rows = []
    for shape in shapes:
        for replicate in range(replicates):
            name = f"misspecified_{shape}_{replicate}"
            rng = np.random.default_rng(derive_seed(name, None, "simulate", seed))
            made = _made(name, people, steps, rng, SHAPES[shape])
            for box in boxes:
                bounds = Bounds(beta=((BETA[0][0], box * BETA[0][1]),))
                for run, (method, settings) in runs.items():
                    fits = fit(made.data, MODEL, method, settings=dict(settings), bounds=bounds, seed=seed)
                    medians = score(made.data, fits)[["kl", "alpha_error", "beta_error"]].median()
                    failed = int((fits["status"] == "failed").sum())
                    rows.append((shape, replicate, box, run, people, *medians, _covered(made, fits), failed))
    return pd.DataFrame(rows, columns=["population", "replicate", "box", "run", "people", *MEASURES, "failed"])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per shape, box and run of what `study` returned: the number of populations (`replicates`) and of people in each; means
    over populations of the KL, the errors and the coverage, each with its standard error (`kl_se` ...); how many times as
    large the KL is as that of the run with the lowest mean there (`behind`, the geometric mean over populations, with its 95 %
    interval `behind_low`, `behind_high`); and how many fits `failed`."""
    rows = []
    for (population, box), cell in table.groupby(["population", "box"], sort=False):
        kl = cell.pivot(index="replicate", columns="run", values="kl")
        ratios = np.log(kl).sub(np.log(kl[kl.mean().idxmin()]), axis=0)
        for run, part in cell.groupby("run", sort=False):
            behind, error = ratios[run].mean(), _error(ratios[run])
            means = [number for name in MEASURES for number in (part[name].mean(), _error(part[name]))]
            ends = np.exp([behind, behind - Z_95 * error, behind + Z_95 * error])
            rows.append((population, box, run, len(part), part["people"].iloc[0], *means, *ends, part["failed"].sum()))
    pairs = [column for name in MEASURES for column in (name, f"{name}_se")]
    columns = ["population", "box", "run", "replicates", "people", *pairs, "behind", "behind_low", "behind_high", "failed"]
    return pd.DataFrame(rows, columns=columns)


def _error(values: pd.Series) -> float:
    """The standard error of the mean; NaN for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


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
    how = {name: part[name] for name in ("boxes", "people", "steps", "replicates")}
    return {"runs": study_.methods_of("misspecified"), **how, "shapes": [shape], "seed": study_.config["seed"]}


EXPERIMENT = Experiment(
    run=lambda **how: (study(**how),),
    found=("misspecified",),
    tables={"misspecified": ("misspecified", summary)},
    parts=part_of_study("misspecified", "shapes"),
    arguments=_arguments,
    methods=methods_of("misspecified"),
)
