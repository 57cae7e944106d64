"""Multi-start local minimisation with SciPy, shared by every method that ends in a local search."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import Bounds, minimize

# The eight solvers of the published study, all with bounds; those of GRADIENT take an analytic gradient.
SOLVERS = ("Nelder-Mead", "L-BFGS-B", "TNC", "SLSQP", "Powell", "trust-constr", "COBYLA", "COBYQA")
GRADIENT = ("L-BFGS-B", "TNC", "SLSQP", "trust-constr")
# Options where SciPy's default is slow: with bounds as sparse matrices trust-constr takes the same steps in twice the time.
OPTIONS = {"trust-constr": {"sparse_jacobian": False}}
Solver = Literal["Nelder-Mead", "L-BFGS-B", "TNC", "SLSQP", "Powell", "trust-constr", "COBYLA", "COBYQA"]


@dataclass(frozen=True)
class Found:
    """The end of one local search: `theta` inside the bounds, its `value`, evaluations, the solver's verdict and words."""

    theta: np.ndarray
    value: float
    n_eval: int
    success: bool
    message: str


def random_starts(lower: np.ndarray, upper: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform starting points, shape (n, parameters)."""
    return rng.uniform(lower, upper, size=(n, len(lower)))


def minimise(
    value: Callable[[np.ndarray], float],
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
    lower: np.ndarray,
    upper: np.ndarray,
    start: np.ndarray,
    solver: Solver,
) -> Found:
    """One local search from `start` with SciPy's defaults for `solver`.

    The end point is clipped to the bounds (COBYLA may overstep them) and its value taken there. Solvers' warnings go
    into the message.
    """
    count = 0
    objective = value_and_gradient if solver in GRADIENT else value

    def counted(theta):
        nonlocal count
        count += 1
        return objective(theta)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = minimize(
            counted,
            start,
            jac=solver in GRADIENT or None,
            bounds=Bounds(lower, upper),
            method=solver,
            options=OPTIONS.get(solver),
        )
    words = [str(result.message), *dict.fromkeys(str(w.message) for w in caught)]
    theta = np.clip(result.x, lower, upper)
    return Found(theta, float(value(theta)), count, bool(result.success), "; ".join(words))
