"""`no_prior`: values that all share and a beta for each participant by joint gradient ascent, without a population.

This is how imitation of unequal demonstrators is learnt (IRLEED: Beliaev & Pedarsani, arXiv 2402.01886), here with temperatures
alone: L-BFGS over the shared parameters of `gem` and every z_j at once, each z_j kept within EDGE of 0 and with no prior. A
player who never errs has no finite estimate.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..arguments import checked
from ..kinds import Count
from . import gem
from .logs import Logs
from .players import Choices
from .posterior import Placed
from .simulate import TAU, Positive

EDGE = 6.0
STARTS = np.linspace(-EDGE, EDGE, 13)
FLAT = 1e-6  # curvature in nats below which choices say nothing


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
        z = STARTS[np.argmax([choices.log_likelihood(np.full(logs.n_participants, at), self.A) for at in STARTS], axis=0)]
        found = minimize(_in_z, z, args=(choices, self.A), jac=True, method="L-BFGS-B", bounds=[(-EDGE, EDGE)] * len(z))
        return placed(choices, found.x, self.A)

    def log_likelihood(self, logs: Logs, z: np.ndarray) -> np.ndarray:
        return Choices.of(logs).log_likelihood(z, self.A)


def _in_z(z: np.ndarray, choices: Choices, A: np.ndarray) -> tuple[float, np.ndarray]:
    l, D, _ = choices.in_z(z, A)
    return -l.sum(), -np.exp(z) * D


def placed(choices: Choices, z: np.ndarray, A: np.ndarray) -> Placed:
    """Estimates with intervals from the exact curvature; at an edge, or on a plateau, there is none."""
    _, D, W = choices.in_z(z, A)
    b = np.exp(z)
    H = -(b**2) * W + b * D
    identified = (np.abs(z) < EDGE - 1e-3) & (H < -FLAT)
    se = 1.0 / np.sqrt(np.where(identified, -H, 1.0))
    return Placed(z, se, z - 1.96 * se, z + 1.96 * se, identified)


def fit(logs: Logs, settings: NoPriorSettings) -> tuple[Demonstrators, Placed, list[float], bool]:
    """Values and players, their estimates, the penalised nll at the start and the end, and whether L-BFGS converged."""
    shared = gem.GemSettings(bellman=settings.bellman, tau=settings.tau)
    goal = gem.objective(logs, shared, settings.bellman)
    start = gem.begin(goal)
    m = len(start.x)

    def joint(y: np.ndarray) -> tuple[float, np.ndarray]:
        value, of_x = goal(y[:m], y[m:])
        A = goal.scale.advantages(goal.shared.at(y[:m]).q)
        return value, np.r_[of_x, _in_z(y[m:], goal.choices, A)[1]]

    y = np.r_[start.x, start.z]
    bounds = [(None, None)] * m + [(-EDGE, EDGE)] * len(start.z)
    options = {"maxiter": settings.steps, "maxfun": 2 * settings.steps}
    found = minimize(joint, y, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    q = goal.shared.at(found.x[:m]).q
    A = goal.scale.advantages(q)
    places = placed(goal.choices, found.x[m:], A)
    z = places.log_beta[places.identified]
    mu, sigma = (float(z.mean()), float(z.std())) if len(z) else (np.nan, np.nan)
    return Demonstrators(A, q, mu, sigma), places, [joint(y)[0], float(found.fun)], bool(found.success)
