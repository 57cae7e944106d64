"""CVX-LOG: parameters read off the logarithm of CVX's kernels (open question 1 of arXiv 2511.04454).

log g[j] = log(a b) + j log(1 - a) is a straight line in j, so there is nothing to search. But all lags count alike, also those
at which the kernel has decayed to the solver's noise. Only to show what that costs; CVX-LOC may start from a weighted line.
"""

from dataclasses import dataclass

import numpy as np

from ..models.likelihood import Problem
from ..solvers.local import Found
from ..solvers.projection import each_kernel, log_line
from . import Method, Outcome


@dataclass(frozen=True)
class Settings:
    """There are none."""


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: Outcome) -> Outcome:
    """The lines through the logarithms of the kernels of `given`, a fit by CVX; a kernel without two positive entries has
    none, and falls back on the middle of the box."""
    outcome = each_kernel(problem, given, problem.n_steps, _line)
    if given.kernels is not None and np.any(np.sum(given.kernels > 0.0, axis=-1) < 2):
        outcome.fallback = "; ".join(filter(None, (outcome.fallback, "middle of the box")))
    return outcome


def _line(g: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Found:
    return Found(log_line(g, lower, upper, weighted=False), value=np.nan, n_eval=0, status="converged", message="closed form")


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("kernels",), needs="cvx")
