"""CVX-LOC-T: as CVX-LOC, from the truncated kernels of CVX-T (arXiv 2511.04454, section 3)."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..models.likelihood import Problem
from ..solvers import projection
from . import Method, Outcome
from .cvx_t import TERMS


@dataclass(frozen=True)
class Settings(projection.Settings):
    """As CVX-LOC's, and `terms`: how many entries of a kernel CVX-T was told to keep."""

    terms: int = TERMS

    def __post_init__(self):
        super().__post_init__()
        if self.terms < 1:
            raise InputError(f"terms is {self.terms}, expected at least 1")


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: Outcome) -> Outcome:
    """The nearest parameters to the terms that `given`, a fit by CVX-T, could use, zeros among them included."""
    return projection.project(problem, given, settings.terms, settings, rng)


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("kernels",), needs="cvx_t")
