"""D-LOC: direct local minimisation of the nll over alpha and beta from random starts (arXiv 2511.04454, section 4)."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..errors import InputError
from ..likelihood import Problem
from . import Method, Outcome, Starts
from ._local import Solver, minimise, random_starts


@dataclass(frozen=True)
class Settings:
    """`solver`: SciPy's name of the local solver; `starts`: how many uniform random starts, of which the best is kept."""

    solver: Solver = "L-BFGS-B"
    starts: int = 5

    def __post_init__(self):
        if self.starts < 1:
            raise InputError(f"starts is {self.starts}, expected at least 1")


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best of `settings.starts` local minima; every start is kept in `starts`."""
    begin = perf_counter()
    starts = random_starts(problem.lower, problem.upper, settings.starts, rng)
    found = [
        minimise(problem.nll_theta, problem.nll_grad, problem.lower, problem.upper, start, settings.solver) for start in starts
    ]
    best = min(found, key=lambda f: (np.isnan(f.value), f.value))
    alpha, beta = problem.split(best.theta)
    ends = [problem.split(f.theta) for f in found]
    return Outcome(
        status="converged" if best.success else "limit",
        alpha=alpha,
        beta=beta,
        nll=best.value,
        message=best.message,
        n_eval=sum(f.n_eval for f in found),
        t_solve=perf_counter() - begin,
        starts=Starts(
            nll=[f.value for f in found],
            alpha=[a for a, _ in ends],
            beta=[b for _, b in ends],
            n_eval=[f.n_eval for f in found],
            message=[f.message for f in found],
        ),
    )


METHOD = Method(fit=fit, settings=Settings)
