"""CVX: maximum likelihood over decreasing non-negative kernels, a convex relaxation (arXiv 2511.04454, section 3)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..models.likelihood import Problem
from . import Method, Outcome


@dataclass(frozen=True)
class Settings:
    """`conic`: the conic solver. Where Clarabel ends without a solution it is asked again with shorter steps, then SCS."""

    conic: Literal["Clarabel", "SCS"] = "Clarabel"


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best kernels, and a lower bound on the nll of every admissible parameter. `n_eval` counts the solver's iterations."""
    from ..solvers.conic import relax, relax_clocks

    if not problem.model.kernels:
        return relax_clocks(problem, settings.conic)
    return relax(problem, settings.conic)


def warm_up() -> None:
    """Imports CVXPY, which takes a second or two, before the clock starts."""
    from ..solvers import conic  # noqa: F401


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("log_linear", "one_rate"), slow=True, warm_up=warm_up)
