"""`no_prior`: values that all share and a beta for each participant by joint maximum likelihood, without a population.

This is how imitation of unequal demonstrators is learnt (IRLEED: Beliaev & Pedarsani, arXiv 2402.01886), here with temperatures
alone. Given the advantages each l_j is concave in beta_j, so every z_j = log beta_j is put at its best for each x, within EDGE
of 0, and L-BFGS climbs over x alone: by the envelope theorem its gradient is that of the penalised nll at those z.

A player who always takes what the values call best, or whose choices go with them no better than chance, has no finite
estimate.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..arguments import checked
from ..kinds import Count
from ..solvers.information import Z_95
from . import gem
from .logs import Logs
from .players import Choices, modes
from .posterior import Placed
from .simulate import TAU, Positive

EDGE = 6.0
FLAT = 1e6  # the sd of a prior that says nothing


@checked(by_name=True)
@dataclass(frozen=True)
class NoPriorSettings:
    """Settings of `no_prior`: `bellman`, `tau` as of `mdp_gem`; `steps` of L-BFGS after which a fit ends unconverged."""

    bellman: gem.Weight = 10.0
    tau: Positive = TAU
    steps: Count = 500


@dataclass(frozen=True)
class Demonstrators:
    """Advantages A (pairs,) of all, whose players are placed by maximum likelihood; mu and sigma describe their estimates."""

    A: np.ndarray
    q: np.ndarray
    mu: float
    sigma: float

    def place(self, logs: Logs) -> Placed:
        choices = Choices.of(logs)
        return placed(choices, best(choices, self.A, np.zeros(logs.n_participants)), self.A)

    def log_likelihood(self, logs: Logs, z: np.ndarray) -> np.ndarray:
        return Choices.of(logs).log_likelihood(z, self.A)


def best(choices: Choices, A: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The most likely z of each participant within EDGE of 0, by a climb from z."""
    return np.clip(modes(choices, A, 0.0, FLAT, z)[0], -EDGE, EDGE)


def placed(choices: Choices, z: np.ndarray, A: np.ndarray) -> Placed:
    """Estimates with intervals from the exact curvature. As l is concave in beta, it has an optimum above 0 if it rises at 0,
    and a finite one if somebody's choices are not all the best."""
    _, D, W = choices.in_z(z, A)
    b = np.exp(z)
    H = -(b**2) * W + b * D
    rises = choices.in_z(np.full(len(z), -np.inf), A)[1] > 0
    chose = choices.total > 0
    identified = chose & rises & ~choices.always_best(A) & (np.abs(z) < EDGE) & (H < 0)
    se = 1.0 / np.sqrt(np.where(identified, -H, 1.0))
    return Placed(z, se, z - Z_95 * se, z + Z_95 * se, identified, chose & ~identified)


def fit(logs: Logs, settings: NoPriorSettings) -> tuple[Demonstrators, Placed, list[float], bool]:
    """Values and players, their estimates, the penalised nll at the start and the end, and whether L-BFGS converged."""
    goal = gem.objective(logs, gem.GemSettings(bellman=settings.bellman, tau=settings.tau), settings.bellman)
    start, trace = gem.begin(goal), []
    z = start.z

    def profiled(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal z
        point = goal.shared.at(x)
        A = goal.scale.advantages(point.q)
        z = best(goal.choices, A, z)
        value, slope = goal.of(point, A, z)
        trace.append(value)
        return value, slope

    options = {"maxiter": settings.steps, "maxfun": 2 * settings.steps}
    found = minimize(profiled, start.x, jac=True, method="L-BFGS-B", options=options)
    q = goal.shared.at(found.x).q
    A = goal.scale.advantages(q)
    places = placed(goal.choices, best(goal.choices, A, z), A)
    told = places.log_beta[places.identified]
    mu, sigma = (float(told.mean()), float(told.std())) if len(told) else (np.nan, np.nan)
    return Demonstrators(A, q, mu, sigma), places, [trace[0], float(found.fun)], bool(found.success)
