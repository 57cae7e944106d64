"""D-LOC (as published): D-LOC on the likelihood of the published code, which is one step late; only to reproduce it.

A solver's end is taken at its word, as the published code took it. The judge scores its parameters with the aligned likelihood,
as the published study did.
"""

from time import perf_counter

import numpy as np

from ..models.likelihood import Problem
from ..solvers.local import minimise, random_starts
from . import Method, Outcome, d_loc


def fit(problem: Problem, settings: d_loc.Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best end on the lagged problem; its claimed nll is that of the aligned one, at the same parameters."""
    begin = perf_counter()
    lagged = problem.lagged()
    starts = random_starts(lagged.lower, lagged.upper, settings.starts, rng)
    ends = [minimise(lagged.nll_theta, lagged.nll_grad, lagged.lower, lagged.upper, start, settings.solver) for start in starts]
    outcome = d_loc.outcome(problem, ends, begin)
    outcome.nll = problem.nll(outcome.alpha, outcome.beta)
    return outcome


METHOD = Method(fit=fit, settings=d_loc.Settings, requires=("kernels",))
