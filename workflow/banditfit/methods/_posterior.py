"""The posterior of one episode, shared by the methods that describe it: priors, and a compiled log-density.

Both methods work in coordinates u, one per parameter, in which the uniform prior is standard normal:

    theta = lower + (upper - lower) Phi(u),    log p(u | y) = -J(theta) + log prior(theta) - |u|^2 / 2 + const

So edges of the box are at infinity, a parameter that the choices say nothing of is exactly normal, and a parameter whose
bounds coincide needs no special case. `prior` is relative to the uniform density on the box.
"""

import re
from math import erfc, exp, log, pi, sqrt

import numpy as np
from numba import njit
from scipy.special import ndtr

from ..errors import InputError
from ..likelihood import Problem, _nll_grad_theta, _policy, _spread, _unit_traces

_compiled = njit(cache=True, nogil=True, error_model="numpy")

# log prior(theta) = c0 log theta + c1 log(1 - theta) + c2 theta + c3 (log theta)^2 + const, as (c0, c1, c2, c3).
PRIORS = {
    "uniform": lambda: (0.0, 0.0, 0.0, 0.0),
    "beta": lambda a, b: (a - 1.0, b - 1.0, 0.0, 0.0),
    "gamma": lambda shape, scale: (shape - 1.0, 0.0, -1.0 / scale, 0.0),
    "lognormal": lambda mu, sigma: (mu / sigma**2 - 1.0, 0.0, 0.0, -0.5 / sigma**2),
}
ALPHA_PRIORS = ("uniform", "beta")
BETA_PRIORS = ("uniform", "gamma", "lognormal")
QUANTILES = {"lower": 0.025, "median": 0.5, "upper": 0.975}


def _read(what: str, text: str, allowed: tuple[str, ...]) -> tuple[float, float, float, float]:
    """The coefficients of a prior written as `uniform`, `beta(a, b)`, `gamma(shape, scale)` or `lognormal(mu, sigma)`,
    truncated to the box; raises InputError for any other text."""
    match = re.fullmatch(r"(\w+)(?:\(([^,()]+),([^,()]+)\))?", text.strip())
    try:
        name, given = match[1], [float(number) for number in match.groups()[1:] if number]
        positive = given[1:] if name == "lognormal" else given
        if name in allowed and all(number > 0 for number in positive) and np.isfinite(given).all():
            return PRIORS[name](*given)
    except (TypeError, ValueError):
        pass
    forms = {"uniform": "uniform", "beta": "beta(a, b)", "gamma": "gamma(shape, scale)", "lognormal": "lognormal(mu, sigma)"}
    raise InputError(f"{what} is {text!r}, expected one of {'; '.join(forms[name] for name in allowed)}, with positive numbers")


def read_priors(prior_alpha: str, prior_beta: str) -> np.ndarray:
    """The coefficients of both priors, shape (2, 4)."""
    return np.array([_read("prior_alpha", prior_alpha, ALPHA_PRIORS), _read("prior_beta", prior_beta, BETA_PRIORS)])


def coefficients(problem: Problem, prior_alpha: str, prior_beta: str) -> np.ndarray:
    """The prior of every parameter, shape (parameters, 4)."""
    return np.repeat(read_priors(prior_alpha, prior_beta), len(problem.lower) // 2, axis=0)


def theta_of(problem: Problem, u: np.ndarray) -> np.ndarray:
    """Parameters theta of coordinates u (..., parameters)."""
    return problem.lower + (problem.upper - problem.lower) * ndtr(u)


def summary(problem: Problem, policy: np.ndarray, **by_theta: np.ndarray) -> dict[str, np.ndarray]:
    """`Outcome.posterior`: alpha_NAME and beta_NAME in the model's shape for each theta vector NAME, and the mean policy."""
    parts = {name: problem.split(theta) for name, theta in by_theta.items()}
    pairs = {f"{symbol}_{name}": part[i] for name, part in parts.items() for i, symbol in enumerate(("alpha", "beta"))}
    return pairs | {"policy": policy}


def mean_policy(problem: Problem, theta: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """The mass-weighted mean of the choice probabilities (steps, arms) of parameters theta (points, parameters)."""
    policy = np.zeros((problem.n_arms, problem.n_steps))
    _add_policies(np.ascontiguousarray(theta), mass / mass.sum(), problem.arms, problem.signals, problem.starts, policy)
    return policy.T


@_compiled
def _add_policies(theta, mass, arms, signals, starts, policy):
    scored = np.zeros_like(arms)  # there is a policy also where the trial was missed
    for k in range(mass.size):
        full = _spread(theta[k], len(signals), len(policy))
        policy += mass[k] * _policy(scored, _unit_traces(arms, signals, starts, full[0]), full[1])[1]


@_compiled
def place(u, lower, upper):
    """theta, 1 - theta (to full precision near an upper bound of 1) and dtheta/du of one coordinate."""
    theta = lower + (upper - lower) * 0.5 * erfc(-u / sqrt(2.0))
    rest = (1.0 - upper) + (upper - lower) * 0.5 * erfc(u / sqrt(2.0))
    return theta, rest, (upper - lower) * exp(-0.5 * u * u) / sqrt(2.0 * pi)


@_compiled
def log_prior(theta, rest, c):
    """The log prior but for its constant, and its derivative; rest is 1 - theta. A zero coefficient must not meet log(0)."""
    value = c[2] * theta
    slope = c[2]
    if c[0] != 0.0 or c[3] != 0.0:
        logarithm = log(theta)
        value += (c[0] + c[3] * logarithm) * logarithm
        slope += (c[0] + 2.0 * c[3] * logarithm) / theta
    if c[1] != 0.0:
        value += c[1] * log(rest)
        slope -= c[1] / rest
    return value, slope


@_compiled
def log_density(u, gradient, choices, arms, signals, starts, n_arms, lower, upper, prior):
    """log p(u | y) up to a constant; fills its gradient."""
    theta, slope = np.empty_like(u), np.empty_like(u)
    value = 0.0
    for k in range(u.size):
        theta[k], rest, slope[k] = place(u[k], lower[k], upper[k])
        value -= 0.5 * u[k] * u[k]
        gradient[k] = -u[k]
        if upper[k] > lower[k]:
            log_p, d_prior = log_prior(theta[k], rest, prior[k])
            value += log_p
            gradient[k] += d_prior * slope[k]
    nll, d_nll = _nll_grad_theta(choices, arms, signals, starts, n_arms, theta)
    gradient -= d_nll * slope
    return value - nll
