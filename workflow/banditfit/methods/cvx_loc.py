"""CVX-LOC: the kernels of CVX, projected onto the geometric ones by local least squares (arXiv 2511.04454, section 3)."""

import numpy as np

from ..models.likelihood import Problem
from ..solvers.projection import Settings, project
from . import Method, Outcome


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: Outcome) -> Outcome:
    """The nearest parameters to the kernels of `given`, a fit by CVX."""
    return project(problem, given, problem.n_steps, settings, rng)


METHOD = Method(fit=fit, settings=Settings, requires=("kernels",), needs="cvx")
