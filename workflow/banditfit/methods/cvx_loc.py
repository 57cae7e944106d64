"""CVX-LOC: the kernels of CVX, projected onto the geometric ones by local least squares (arXiv 2511.04454, section 3)."""

import numpy as np

from ..likelihood import Problem
from . import Method, Outcome
from ._project import Settings, project


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: Outcome) -> Outcome:
    """The nearest parameters to the kernels of `given`, a fit by CVX."""
    return project(problem, given, problem.n_steps, settings, rng)


METHOD = Method(fit=fit, settings=Settings, needs="cvx")
