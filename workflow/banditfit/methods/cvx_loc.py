"""CVX-LOC: the kernels of CVX, projected onto the geometric ones by local least squares (arXiv 2511.04454, section 3).

Of models that are not published families the rates are those of the projected kernels, and all weights the best for them, for
the nll is convex in these.
"""

import numpy as np

from ..models.likelihood import Problem
from ..solvers.projection import Settings, project, project_rates
from . import Method, Outcome


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: Outcome) -> Outcome:
    """The nearest parameters to the kernels of `given`, a fit by CVX."""
    if not problem.model.kernels:
        return project_rates(problem, given, settings, rng)
    return project(problem, given, problem.n_steps, settings, rng)


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("log_linear", "one_rate"), needs="cvx")
