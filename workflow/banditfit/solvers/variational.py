"""Gaussian variational inference of the members of a population: the E-step of a variational EM.

Participant j's posterior of h_j, on the link scale, is approximated by q_j = N(m, V), V = L L', the normal that maximises

    ELBO = E_q[log p(y | h)] + E_q[log N(h; mu, Sigma)] + entropy of q  <=  log p(y)

(Blei et al. 2017, J. Am. Stat. Assoc. 112, 859): with any V ("full_rank") or a diagonal one ("mean_field"). The expectation of
the log-likelihood is taken over fixed standard nodes e_k, h_k = m + L e_k (Giordano et al. 2024, JMLR 25(18)): Gauss-Hermite's
in up to two dimensions, quasi-random points with a standard normal's first two moments beyond. So nothing is random, the bound
on these nodes has a gradient, and SciPy's L-BFGS-B climbs it, in coordinates in which Laplace's approximation is a standard
normal: m = m_0 + L_0 a and L = L_0 (A + diag(exp c)), A strictly lower triangular (none for mean field).

On given nodes the sum of the bounds cannot fall from round to round, for the M-step of `em` maximises its other part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from ..models.likelihood import Problem
from ..models.traces import _nll_grad
from ..numerics import _compiled
from .newton import _link, _log_likelihood
from .nodes import _grid, normal_points
from .population import GRID_DIMENSIONS, Expectation, Population, _arguments
from .population import expect as take

Family = Literal["full_rank", "mean_field"]
FARTHEST = 10.0  # standard units of the start that m may move in one climb, and e-foldings of its width
GRADIENT = 1e-4  # of the bound at its maximum, nats per standard unit of the start
TOO_STEEP = 1e-2  # gradient in standard units, nats, at which an end that meets no tolerance is no maximum
CHECK_SETS, CHECK_POINTS = 8, 128  # of fresh points that a finished bound is computed on


@dataclass(frozen=True)
class Variational(Expectation):
    """The E-step of variational EM: log_evidence is the ELBO on the nodes that it was maximised on; `factor` (J, d, d) is L,
    and `settled` (J,) whether its maximum was reached."""

    factor: np.ndarray = None
    settled: np.ndarray = None


@dataclass(frozen=True)
class Rule:
    """Standard nodes (N, d) and their weights (N,), which sum to one."""

    nodes: np.ndarray
    weights: np.ndarray


def enough_points(d: int) -> int:
    """The fewest that tell a covariance from its errors: a power of two, three to a dimension."""
    return max(64, 1 << (3 * d - 1).bit_length())


def rule(d: int, nodes: int, points: int) -> Rule:
    if d > GRID_DIMENSIONS:
        return Rule(normal_points(points, d), np.full(points, 1.0 / points))
    unit, log_weights = _grid(nodes, d)
    weights = np.exp(log_weights - 0.5 * (unit**2).sum(axis=1))
    return Rule(unit, weights / weights.sum())


@_compiled
def log_likelihoods(h, kinds, lower, upper, episode):
    """log p(y | h) at each row of h (N, D)."""
    out = np.empty(len(h))
    for k in range(len(h)):
        out[k] = _log_likelihood(h[k], kinds, lower, upper, episode)
    return out


@_compiled
def log_likelihood_and_slope(h, kinds, lower, upper, episode):
    """log p(y | h) and its gradient in h (D,)."""
    theta, rise = np.empty(h.size), np.empty(h.size)
    for k in range(h.size):
        theta[k], rise[k], _ = _link(kinds[k], h[k], lower[k], upper[k])
    nll, slope = _nll_grad(episode, theta)
    for k in range(h.size):
        slope[k] *= -rise[k]
    return -nll, slope


@_compiled
def expected_likelihood(m, L, nodes, weights, h, free, kinds, lower, upper, episode, of_m, of_L):
    """E[log p(y | h)] with the free coordinates of h at m + L e, over nodes e (N, d); fills its gradients in m (d,) and in L
    (d, d)."""
    of_m[:] = 0.0
    of_L[:] = 0.0
    value, there = 0.0, h.copy()
    for k in range(weights.size):
        for a in range(m.size):
            there[free[a]] = m[a]
            for b in range(a + 1):
                there[free[a]] += L[a, b] * nodes[k, b]
        found, slope = log_likelihood_and_slope(there, kinds, lower, upper, episode)
        value += weights[k] * found
        for a in range(m.size):
            of_m[a] += weights[k] * slope[free[a]]
            for b in range(a + 1):
                of_L[a, b] += weights[k] * slope[free[a]] * nodes[k, b]
    return value


def expect(
    problems: Sequence[Problem],
    population: Population,
    earlier: Variational | None,
    family: Family,
    over: Rule,
    tolerance: float,
) -> Variational:
    """The E-step, every participant on its own, from the `earlier` one's normals or from Laplace's approximations."""
    from scipy.optimize import minimize

    J, d = len(problems), len(population.free)
    if earlier is None:
        earlier = laplace(problems, population)
    found, n_eval = earlier.found.copy(), earlier.n_eval.copy() if earlier.settled is None else np.zeros(J, dtype=np.int64)
    m, factor, bound, settled = earlier.m.copy(), earlier.factor.copy(), np.zeros(J), np.zeros(J, dtype=bool)
    below = np.tril_indices(d, -1) if family == "full_rank" else (np.empty(0, dtype=int),) * 2
    limits = [(-FARTHEST, FARTHEST)] * (2 * d) + [(None, None)] * len(below[0])
    P, centres = np.linalg.inv(population.Sigma), population.centres(J)
    constant = 0.5 * np.linalg.slogdet(P)[1] + 0.5 * d
    for j in np.flatnonzero(found):
        if earlier.settled is None and family == "mean_field":  # the best diagonal V of a normal posterior
            factor[j] = np.diag(1.0 / np.linalg.norm(np.linalg.inv(factor[j]), axis=0))
        links, episode = _arguments(population, problems[j])
        given = (below, over, m[j].copy(), factor[j].copy(), centres[j], P, (population.mu, population.free, *links, episode))
        x, options = np.zeros(2 * d + len(below[0])), {"gtol": tolerance, "ftol": 0.0}
        end = minimize(_loss, x, given, "L-BFGS-B", jac=True, bounds=limits, options=options)
        m[j], factor[j] = _moved(end.x, below, *given[2:4])
        bound[j] = constant - end.fun
        settled[j] = np.isfinite(end.fun) and (end.success or np.abs(end.jac).max() < TOO_STEEP)
        found[j] = np.isfinite(end.fun)
        n_eval[j] += end.nfev * len(over.weights)
    V = factor @ factor.transpose(0, 2, 1)
    return Variational(population.full(m), m, V, bound, n_eval, found, factor=factor, settled=settled)


def stepper(over: Rule, family: Family = "full_rank", tolerance: float = GRADIENT) -> partial:
    """`expect` as `em.learn` takes it."""
    return partial(expect, family=family, over=over, tolerance=tolerance)


def laplace(problems: Sequence[Problem], population: Population) -> Variational:
    """Laplace's approximations as normals to start from; `settled` is None."""
    e = take(problems, replace(population, moments="laplace"))
    factor = np.tile(np.eye(e.m.shape[1]), (len(problems), 1, 1))
    factor[e.found] = np.linalg.cholesky(e.V[e.found])
    return Variational(e.mode, e.m, e.V, e.log_evidence, e.n_eval, e.found, factor=factor)


def _moved(x: np.ndarray, below: tuple, m_0: np.ndarray, L_0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """m and L of coordinates x = (a, c, A)."""
    d = len(m_0)
    inner = np.diag(np.exp(x[d : 2 * d]))
    inner[below] = x[2 * d :]
    return m_0 + L_0 @ x[:d], L_0 @ inner


def _loss(x, below, over: Rule, m_0, L_0, centre, P, arguments) -> tuple[float, np.ndarray]:
    """-ELBO up to a constant, and its gradient in x = (a, c, A)."""
    d = len(m_0)
    m, L = _moved(x, below, m_0, L_0)
    of_m, of_L = np.empty(d), np.empty((d, d))
    value = expected_likelihood(m, L, over.nodes, over.weights, *arguments, of_m, of_L)
    if not np.isfinite(value):
        return np.inf, np.zeros_like(x)
    pull, PL = P @ (m - centre), P @ L
    value += np.log(np.diag(L)).sum() - 0.5 * (m - centre) @ pull - 0.5 * (L * PL).sum()
    of_inner = L_0.T @ (of_L - PL)
    of_c = np.diag(of_inner) * np.exp(x[d : 2 * d]) + 1.0
    return -value, -np.concatenate([L_0.T @ (of_m - pull), of_c, of_inner[below]])


@dataclass(frozen=True)
class Check:
    """What fresh draws say of approximations: the ELBO (J,) and its standard error, log p(y) by importance, all in nats, and
    Pareto's k of the importance ratios (J,): above .7 neither q nor log p(y) is to be trusted (Yao et al. 2018, ICML)."""

    elbo: np.ndarray
    error: np.ndarray
    log_evidence: np.ndarray
    pareto_k: np.ndarray


def check(problems: Sequence[Problem], population: Population, found: Variational, rng: np.random.Generator) -> Check:
    """The bounds on CHECK_SETS sets of CHECK_POINTS points each that no q was fitted to."""
    from .chains import pareto_smoothed

    J, d = found.m.shape
    sets = np.concatenate([normal_points(CHECK_POINTS, d, int(rng.integers(2**32))) for _ in range(CHECK_SETS)])
    ratios = np.zeros((J, len(sets)))
    for j in np.flatnonzero(found.found):
        ratios[j] = log_ratios(problems[j], population, j, found.m[j], found.factor[j], sets)
    of_sets = ratios.reshape(J, CHECK_SETS, CHECK_POINTS).mean(axis=2)
    smoothed, k = pareto_smoothed(ratios)
    evidence = np.logaddexp.reduce(smoothed, axis=1) - np.log(len(sets))
    return Check(of_sets.mean(axis=1), of_sets.std(axis=1, ddof=1) / np.sqrt(CHECK_SETS), evidence, k)


def log_ratios(one: Problem, population: Population, j: int, m: np.ndarray, L: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """log p(y, h) - log q(h) at h = m + L unit (N, d), for participant j."""
    h = m + unit @ L.T
    links, episode = _arguments(population, one)
    off = h - population.centres(j + 1)[j]
    joint = log_likelihoods(population.full(h), *links, episode) - 0.5 * (off @ np.linalg.inv(population.Sigma) * off).sum(
        axis=1
    )
    joint -= 0.5 * np.linalg.slogdet(population.Sigma)[1]
    return joint + 0.5 * (unit**2).sum(axis=1) + np.linalg.slogdet(L)[1]
