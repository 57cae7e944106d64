"""CVX-T: as CVX, with kernels cut off after a few terms (arXiv 2511.04454, section 3)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import InputError
from ..models.likelihood import Problem
from . import Method, Outcome
from .cvx import warm_up

TERMS = 5  # as published


@dataclass(frozen=True)
class Settings:
    """`conic` as in CVX; `terms`: how many entries of a kernel may differ from zero."""

    conic: Literal["Clarabel", "SCS"] = "Clarabel"
    terms: int = TERMS

    def __post_init__(self):
        if self.terms < 1:
            raise InputError(f"terms is {self.terms}, expected at least 1")


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best truncated kernels. They leave out the geometric ones, so their optimum bounds nothing."""
    from ..solvers.conic import relax

    return relax(problem, settings.conic, settings.terms)


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("kernels",), warm_up=warm_up)
