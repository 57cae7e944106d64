"""D-LOC: direct local minimisation of the nll over all parameters from random starts (arXiv 2511.04454, section 4)."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..errors import InputError
from ..models.likelihood import Problem
from ..solvers.local import Found, Search, Solver, lowest, near_starts, quiet_starts
from ..solvers.objectives import KernelLikelihood, Likelihood
from . import Method, Outcome, Starts


@dataclass(frozen=True)
class Settings:
    """`solver`: SciPy's name of the local solver; `starts`: how many uniform random starts, of which the best is kept."""

    solver: Solver = "L-BFGS-B"
    starts: int = 5

    def __post_init__(self):
        if self.starts < 1:
            raise InputError(f"starts is {self.starts}, expected at least 1")


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best of `settings.starts` local minima; every start is kept in `starts`. Converged means that the best is a minimum,
    by its gradient and curvature, whatever the solver said."""
    begin = perf_counter()
    if problem.model.kernels:
        search, draw = Search(KernelLikelihood(problem), settings.solver), near_starts
    else:
        search, draw = Search(Likelihood(problem), settings.solver), quiet_starts
    starts = draw(problem.lower, problem.upper, settings.starts, rng)
    ends = [search.run(start) for start in starts]
    return outcome(problem, ends, begin)


def outcome(problem: Problem, ends: list[Found], begin: float) -> Outcome:
    """The Outcome of a fit from several starts, which began at `begin` by the clock."""
    best = lowest(ends)
    return Outcome(
        status=best.status if np.isfinite(best.value) else "failed",
        **problem.estimate(best.theta),
        nll=best.value,
        message=best.message,
        n_eval=sum(end.n_eval for end in ends),
        t_solve=perf_counter() - begin,
        starts=Starts(
            nll=[end.value for end in ends],
            **problem.estimates([end.theta for end in ends]),
            n_eval=[end.n_eval for end in ends],
            message=[end.message for end in ends],
        ),
    )


METHOD = Method(fit=fit, settings=Settings)
