"""CVX-LOC-T: as CVX-LOC, from the truncated kernels of CVX-T (arXiv 2511.04454, section 3)."""

import numpy as np

from ..likelihood import Problem
from . import Method, Outcome
from ._project import Settings, project


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: Outcome) -> Outcome:
    """The nearest parameters to the terms that `given`, a fit by CVX-T, has kept."""
    kept = 0 if given.kernels is None else np.flatnonzero(given.kernels.any(axis=(0, 1)))
    return project(problem, given, int(np.max(kept, initial=0)) + 1, settings, rng)


METHOD = Method(fit=fit, settings=Settings, needs="cvx_t")
