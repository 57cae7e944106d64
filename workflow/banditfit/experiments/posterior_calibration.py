"""Calibration of posteriors, by simulation: are truths where they say, as often as they say?

People are simulated, fitted, and the truth is looked up in the distribution that the fit gives: u, the share of it that lies
below. If the fit is right about what it does not know, u is uniform (Talts et al. 2018, arXiv 1804.06788). Populations are
drawn anew each time; people of one are not independent of one another, so errors are those of means over populations.

from banditfit.experiments import posterior_calibration

posterior_calibration.summary(posterior_calibration.of_population("gem", "forgetting", range(20)))
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from ..arguments import checked
from ..fitting import derive_seed, fit
from ..kinds import Count, Items, Limits, Seed, Table
from ..models.families import ModelName, get_model
from ..models.simulate import PUBLISHED_BANDITS, PUBLISHED_BETA
from ..names import MethodName
from ..solvers.information import Z_95
from . import effects
from .calibration import RANKS, calibrate
from .simulated import SD, people

CENTRE, SPREADS = 0.4, (0.3, 1.0)  # sd of a population's mean, and the least and largest sd of its people, on the link scale
LEVELS = (0.5, 0.8, 0.95)
GRID = np.linspace(0.05, 0.95, 19)  # where the distribution of u is looked at
DRAWS = 2000  # of the bootstrap over populations
COLUMNS = ("method", "model", "parameter", "population", "u")

Numbers = Annotated[Sequence[Annotated[int, Limits(0)]], Items(1)]
Places = Annotated[pd.DataFrame, Table("a table as of_population, of_chains or of_effects returns it", COLUMNS)]


def _anew(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """People of a population whose mean and sds are drawn first."""
    centre, spread = CENTRE * rng.standard_normal(size[1]), rng.uniform(*SPREADS, size[1])
    return (centre + spread * rng.standard_normal(size)) / SD


@checked
def of_population(
    method: MethodName, model: ModelName, populations: Numbers, size: Count = 20, steps: Count = 100, seed: Seed = 0
) -> pd.DataFrame:
    """Of a method that gives medians and 95 % intervals: the populations of these numbers, of `size` people with `steps`
    trials, whose means and sds are drawn anew. One row per person and parameter, with u, NaN where the fit failed."""
    rows = []
    for number in populations:
        name = f"calibrated_{model}_{number}"
        made = people(name, model, size, steps, np.random.default_rng(derive_seed(name, None, "people", seed)), _anew)
        fits = fit(made.data, model, method, bounds=made.bounds, seed=seed)
        family = get_model(model)
        lower, upper = family.box(made.data.n_arms, made.bounds)
        names = family.parameter_names(made.data.n_arms)
        for j, posterior in enumerate(fits["posterior"]):
            u = _share_below(made.h[j], posterior, family, lower, upper)
            rows += [(method, model, parameter, number, share) for parameter, share in zip(names, u, strict=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _share_below(h: np.ndarray, posterior: dict | None, family, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """u (D,) of the truth h (D,) on the probit scale of the box, on the curve of quantiles through the median and the limits:
    m + sd (z + (z^2 - 1) skewness / 6), which is how `gem` and `vi` have made them."""
    if posterior is None:
        return np.full(len(h), np.nan)
    edges = []
    for what in ("lower", "median", "upper"):
        theta = np.concatenate([np.ravel(posterior[f"{parameter.name}_{what}"]) for parameter in family.parameters])
        edges.append(ndtri(np.clip((theta - lower) / (upper - lower), 1e-16, 1.0 - 1e-16)))
    low, middle, high = edges
    bend = (high + low - 2.0 * middle) / (2.0 * Z_95**2)
    sd = (high - low) / (2.0 * Z_95)
    off = (h - middle) / sd
    a = bend / sd
    # The root of a z^2 + z = off that goes through (0, 0); beyond where the curve turns there is nothing.
    root = np.sqrt(np.maximum(1.0 + 4.0 * a * off, 0.0))
    return ndtr(2.0 * off / (1.0 + root))


@checked
def of_chains(populations: Numbers, steps: Count = 100, seed: Seed = 0) -> pd.DataFrame:
    """Of `mc` on `forgetting`, episodes of these numbers, each alone, whose parameters are drawn from its prior: u from the
    rank of the truth among draws, at a random place within it."""
    task = {**PUBLISHED_BANDITS["2arm"], "beta": PUBLISHED_BETA["forgetting"]["2arm"]}
    numbers = list(populations)
    ranks = calibrate("forgetting", **task, n_episodes=max(numbers) + 1, n_steps=steps, seed=seed, episodes=numbers)
    rng = np.random.default_rng(derive_seed("calibrated", numbers[0], "mc", seed))
    return pd.DataFrame(
        {
            "method": "mc",
            "model": "forgetting",
            "parameter": ranks["parameter"].str.partition(" ")[0],
            "population": ranks["episode"],
            "u": (ranks["rank"] + rng.random(len(ranks))) / (RANKS + 1),
        }
    )


@checked
def of_effects(populations: Numbers, size: Count = 80, steps: Count = 200, seed: Seed = 0) -> pd.DataFrame:
    """Of `group_effects` in the populations of these numbers: the share of a normal about the effect found, with its standard
    error, below the true effect. NaN where there is none, of fewer than two people for each number to be learned."""
    found = effects.found(populations, size, steps, seed)
    return pd.DataFrame(
        {
            "method": "effects",
            "model": "forgetting",
            "parameter": found["parameter"] + " by " + found["term"],
            "population": found["population"],
            "u": ndtr((found["true"] - found["effect"]) / found["se"]),
        }
    )


@checked
def summary(table: Places, seed: Seed = 0) -> pd.DataFrame:
    """Per method, model and parameter: n places u, of so many `populations`, and fits that `failed`; the share of central
    intervals of each of LEVELS that hold the truth (`covered_50` ...) with its standard error over populations (`se_50` ...);
    the mean of u (.5 where nothing is told too high or too low); and `p`, of a distribution of u that is further from uniform
    anywhere on GRID, in standard errors, by a bootstrap over populations with normal weights."""
    rows = []
    for (method, model, parameter), part in table.groupby(["method", "model", "parameter"], sort=False):
        known = part[part["u"].notna()]
        u, population = known["u"].to_numpy(), known["population"].to_numpy()
        row = [method, model, parameter, len(known), len(np.unique(population)), len(part) - len(known)]
        for level in LEVELS:
            row += _mean_and_error(np.abs(u - 0.5) <= level / 2.0, population)
        rng = np.random.default_rng(derive_seed(model, None, f"{method} {parameter}", seed))
        rows.append((*row, u.mean(), _distance(u, population, rng)))
    shares = [f"{what}_{100 * level:.0f}" for level in LEVELS for what in ("covered", "se")]
    columns = ["method", "model", "parameter", "n", "populations", "failed", *shares, "mean", "p"]
    return pd.DataFrame(rows, columns=columns)


def _sums(values: np.ndarray, population: np.ndarray) -> np.ndarray:
    """Sums of values (n, ...) by population."""
    _, place = np.unique(population, return_inverse=True)
    sums = np.zeros((place.max() + 1, *values.shape[1:]))
    np.add.at(sums, place, values)
    return sums


def _mean_and_error(inside: np.ndarray, population: np.ndarray) -> tuple[float, float]:
    """The share, and its standard error over populations."""
    share = inside.mean()
    off = _sums(inside - share, population)
    return float(share), float(np.sqrt((off**2).sum() * len(off) / max(len(off) - 1, 1)) / len(inside))


def band(u: np.ndarray, population: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distribution of u on GRID; its standard errors, those of so many independent places times what populations add (the
    mean over GRID, and never less than 1: errors of each point by itself are too uncertain near the edges); and by DRAWS of the
    bootstrap the largest distance from itself anywhere there, in standard errors."""
    below = (u[:, None] <= GRID).astype(float)
    share = below.mean(axis=0)
    off = _sums(below - share, population) / len(u)
    alone = GRID * (1.0 - GRID) / len(u)
    error = np.sqrt(alone * max(((off**2).sum(axis=0) / alone).mean(), 1.0))
    drawn = np.abs(rng.standard_normal((DRAWS, len(off))) @ off / error).max(axis=1)
    return share, error, drawn


def _distance(u: np.ndarray, population: np.ndarray, rng: np.random.Generator) -> float:
    """The p of `summary`."""
    share, error, drawn = band(u, population, rng)
    return float((1 + (drawn >= np.abs((share - GRID) / error).max()).sum()) / (1 + DRAWS))
