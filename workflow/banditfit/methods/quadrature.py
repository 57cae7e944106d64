"""The exact posterior of models of two parameters, a rate and its weight, by Gauss-Legendre quadrature that refines itself.

The square of coordinates u (see `_posterior`) is cut into panels of ORDER x ORDER nodes; a panel is cut into four as long
as that changes its mass. Expectations are then sums over nodes, good to about the tolerance. A check on Monte Carlo.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.polynomial import legendre
from scipy.optimize import brentq
from scipy.special import logsumexp

from ..data.dataset import Dataset
from ..errors import InputError
from ..models import likelihood
from ..models.families import get_model
from ..models.traces import _unit_traces, _values
from ..numerics import _compiled, _softmax
from ..solvers.transport import QUANTILES, coefficients, log_prior, mean_policy, place, read_priors, summary, theta_of
from . import Method, Outcome

ORDER = 10
EDGE = 8.5  # |u| at the edge of the square: 2e-17 of a uniform prior lies outside
PANELS = 3  # per side, before the first cut: the first look is at 60 x 60 nodes
NODES_AT_MOST = 300_000  # 20,000 to 60,000 are usual
LOWEST = -1e300  # of a log-density: as good as none, and differences remain finite
BRINK, BEYOND = 8.0, 1e-6  # more mass than BEYOND at |u| > BRINK goes on outside the square
NEGLIGIBLE = 1e-12  # relative mass of a node left out of the mean policy
NODES, WEIGHTS = legendre.leggauss(ORDER)


@dataclass(frozen=True)
class Settings:
    """`tolerance`: largest change of a panel's mass by refinement, relative to the whole; `levels`: how often a panel may
    be cut in four, as far as NODES_AT_MOST allow; `prior_alpha` (uniform, beta(a, b)) and `prior_beta` (uniform,
    gamma(shape, scale), lognormal(mu, sigma)), all truncated to the bounds."""

    tolerance: float = 1e-8
    levels: int = 25
    prior_alpha: str = "uniform"
    prior_beta: str = "uniform"

    def __post_init__(self):
        read_priors(self.prior_alpha, self.prior_beta)
        if not self.tolerance > 0:
            raise InputError(f"tolerance is {self.tolerance:g}, expected a positive number")
        if self.levels < 1:
            raise InputError(f"levels is {self.levels}, expected at least 1")


@_compiled
def _log_densities(u, episode, lower, upper, prior, out):
    """Fills out (panels, ORDER, ORDER) with log p(u | y) at the nodes u (panels, 2, ORDER) of each panel.

    The traces of one alpha serve all beta of its row."""
    n_panels, _, order = u.shape
    theta, log_p, there = np.empty((2, order)), np.empty((2, order)), np.empty(2)
    for panel in range(n_panels):
        for k in range(2):
            for i in range(order):
                theta[k, i], rest, _ = place(u[panel, k, i], lower[k], upper[k])
                log_p[k, i] = -0.5 * u[panel, k, i] ** 2
                if upper[k] > lower[k]:
                    log_p[k, i] += log_prior(theta[k, i], rest, prior[k])[0]
        for i in range(order):
            there[0] = theta[0, i]
            h = _unit_traces(episode, there)
            for j in range(order):
                there[1] = theta[1, j]
                nll = _softmax(episode.choices, _values(episode, there, h))
                out[panel, i, j] = max(log_p[0, i] + log_p[1, j] - nll, LOWEST)


def _nodes(corners: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Node coordinates (panels, 2, ORDER) of panels with lower corners (panels, 2) and side width (panels,)."""
    return corners[:, :, None] + width[:, None, None] * (NODES + 1.0) / 2.0


def _refine(density, settings: Settings):
    """Panels that resolve `density(nodes) -> log-densities`, as corners, widths, log-densities, log total mass, and
    what ended it before all met the tolerance, in words."""
    log_weights = np.log(np.outer(WEIGHTS, WEIGHTS) / 4.0)

    def evaluate(corners, width):
        logs = density(_nodes(corners, width))
        return logs, logsumexp(logs + log_weights, axis=(1, 2)) + 2.0 * np.log(width)

    side = 2.0 * EDGE / PANELS
    corners = -EDGE + side * np.stack(np.meshgrid(*[np.arange(PANELS)] * 2), axis=-1).reshape(-1, 2)
    width = np.full(len(corners), side)
    logs, mass = evaluate(corners, width)
    kept, ended, nodes = [], f"{settings.levels} cuts", logs.size
    for _ in range(settings.levels):
        nodes += 4 * logs.size
        if nodes > NODES_AT_MOST:
            ended = f"{NODES_AT_MOST} nodes"
            break
        width = np.repeat(width / 2.0, 4)
        corners = np.repeat(corners, 4, axis=0) + width[:, None] * np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (len(corners), 1))
        parent = mass
        logs, mass = evaluate(corners, width)
        total = logsumexp(np.concatenate([mass, *[part[3] for part in kept]]))
        # A panel may have held far more than all the rest: a node of it stood on a narrow peak.
        before = np.exp(np.minimum(parent - total, 1.0))
        change = np.abs(np.exp(logsumexp(mass.reshape(-1, 4), axis=1) - total) - before)
        open_ = np.repeat(change > settings.tolerance, 4)
        kept.append((corners[~open_], width[~open_], logs[~open_], mass[~open_]))
        corners, width, logs, mass = corners[open_], width[open_], logs[open_], mass[open_]
        if not len(mass):
            ended = ""
            break
    kept.append((corners, width, logs, mass))
    corners, width, logs, mass = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    return corners, width, logs, logsumexp(mass), ended


def _log_prior_mass(prior: np.ndarray, lower: float, upper: float) -> float:
    """log of the prior's mass in u, sqrt(2 pi) included: what its constant has to undo. Cells are halved as panels are cut."""

    def evaluate(left, width):
        u = left[:, None] + width[:, None] * (NODES + 1.0) / 2.0
        logs = _log_priors(u, lower, upper, prior)
        return logsumexp(logs, b=WEIGHTS / 2.0, axis=1) + np.log(width)

    left, step = np.linspace(-EDGE, EDGE, 64, endpoint=False, retstep=True)
    width, kept = np.full(64, step), []
    mass = evaluate(left, width)
    for _ in range(Settings.levels):
        width = np.repeat(width / 2.0, 2)
        left = np.repeat(left, 2) + width * np.tile([0, 1], len(left))
        parent, mass = mass, evaluate(left, width)
        total = logsumexp(np.concatenate([mass, *kept]))
        change = np.abs(np.exp(logsumexp(mass.reshape(-1, 2), axis=1) - total) - np.exp(np.minimum(parent - total, 1.0)))
        open_ = np.repeat(change > Settings.tolerance, 2)
        kept.append(mass[~open_])
        left, width, mass = left[open_], width[open_], mass[open_]
        if not len(mass):
            break
    return logsumexp(np.concatenate([mass, *kept]))


@_compiled
def _log_priors(u, lower, upper, prior):
    """The log of the prior's density at coordinates u (cells, ORDER) of one parameter."""
    out = -0.5 * u**2
    if upper > lower:
        for k in range(u.shape[0]):
            for i in range(u.shape[1]):
                theta, rest, _ = place(u[k, i], lower, upper)
                out[k, i] = max(out[k, i] + log_prior(theta, rest, prior)[0], LOWEST)
    return out


def _quantiles(u: np.ndarray, width: np.ndarray, mass: np.ndarray) -> list[float]:
    """The quantiles QUANTILES of one coordinate, from nodes (panels, ORDER), panel widths and node masses (panels, ORDER).

    In each panel the density is the polynomial through its nodes, so that its distribution function is exact."""
    left = u[:, 0] - width * (NODES[0] + 1.0) / 2.0
    # Node masses are w f: the Legendre coefficients of f are (2 l + 1) / 2 sum_i w_i f_i P_l(x_i).
    series = legendre.legvander(NODES, ORDER - 1).T @ mass.T * (np.arange(ORDER)[:, None] + 0.5)
    integral = legendre.legint(series, lbnd=-1)

    def below(at):
        x = np.clip(2.0 * (at - left) / width - 1.0, -1.0, 1.0)
        return legendre.legval(x, integral, tensor=False).sum()

    # Sorted, for the polynomials of a posterior that was not resolved go up and down.
    return sorted(brentq(lambda at, p=p: below(at) - p, -EDGE, EDGE, xtol=1e-12) for p in QUANTILES.values())


def fit(problem: likelihood.Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The posterior mean, with medians, 95 % intervals, standard deviations and the mean policy in `posterior` and the
    log evidence (nats) in `diagnostics`."""
    begin = perf_counter()
    prior = coefficients(problem, settings.prior_alpha, settings.prior_beta)
    n_eval = 0

    def density(u):
        nonlocal n_eval
        out = np.empty((len(u), ORDER, ORDER))
        _log_densities(u, problem.episode, problem.lower, problem.upper, prior, out)
        n_eval += out.size
        return out

    corners, width, logs, log_total, ended = _refine(density, settings)
    u = _nodes(corners, width)
    mass = np.exp(logs - logs.max()) * np.outer(WEIGHTS, WEIGHTS) / 4.0 * width[:, None, None] ** 2
    mass /= mass.sum()
    theta = theta_of(problem, np.stack(np.broadcast_arrays(u[:, 0, :, None], u[:, 1, None, :]), axis=-1))
    mean = np.einsum("pij,pijk->k", mass, theta)
    sd = np.sqrt(np.einsum("pij,pijk->k", mass, (theta - mean) ** 2))
    points = np.stack([_quantiles(u[:, k], width, mass.sum(axis=2 - k)) for k in range(2)], axis=-1)
    quantiles = dict(zip(QUANTILES, theta_of(problem, points), strict=True))
    heavy = mass > NEGLIGIBLE * mass.max()
    policy = mean_policy(problem, theta[heavy], mass[heavy])
    evidence = log_total - sum(_log_prior_mass(*each) for each in zip(prior, problem.lower, problem.upper, strict=True))
    theta = np.clip(mean, problem.lower, problem.upper)  # for the rounding of a sum of weights
    message = _unresolved(u, mass, ended, settings)
    return Outcome(
        status="limit" if message else "converged",
        **problem.estimate(theta),
        nll=problem.nll_theta(theta),
        message=message,
        n_eval=n_eval,
        t_solve=perf_counter() - begin,
        diagnostics={"log_evidence": float(evidence)},
        posterior=summary(problem, sd=sd, policy=policy, **quantiles),
    )


def _unresolved(u: np.ndarray, mass: np.ndarray, ended: str, settings: Settings) -> str:
    """What is not known of a posterior with node masses (panels, ORDER, ORDER) at u, in a sentence with what to do."""
    brink = max(mass.sum(axis=2 - k)[np.abs(u[:, k]) > BRINK].sum() for k in range(2))
    if brink > BEYOND:
        return "part of the posterior lies too near a bound to be resolved: choose a prior whose mass lies inside the box"
    if ended:
        return (
            f"after {ended} some panel still changed by more than {settings.tolerance:g}, as the posterior is too narrow:"
            " choose a wider prior or a larger tolerance, or mc"
        )
    return ""


def _warm_up():
    """Compiles (or loads from the cache) with a two-step episode."""
    data = Dataset("warm-up", np.array([[0, 1]]), np.ones((1, 2)), n_arms=2)
    model = get_model("forgetting")
    fit(likelihood.problem(data, 0, model, model.default_bounds), Settings(), None, None)


METHOD = Method(fit=fit, settings=Settings, requires=("one_pair",), threads=True, warm_up=_warm_up)
