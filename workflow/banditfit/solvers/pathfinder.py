"""Pathfinder: normal approximations along a quasi-Newton climb to the posterior's mode, the best of which gives draws.

Zhang, Carpenter, Gelman & Vehtari 2022, JMLR 23(306). Each path starts at a draw of the prior; at every point of it, L-BFGS's
estimate of the inverse Hessian (its equation 3.1 and algorithm 3) makes a normal, and that with the largest ELBO is kept. Draws
of all paths are weighted by importance, the largest ratios smoothed. Coordinates z are those in which the prior is a standard
normal. All draws are quasi-random and the same for everybody.
"""

from dataclasses import dataclass

import numpy as np

from ..models.likelihood import Problem
from .population import Population, _arguments
from .variational import log_likelihood_and_slope, log_likelihoods

MEMORY = 6  # pairs of steps that an inverse Hessian is made of
CURVED = 1e-12  # curvature along a step, relative to the change of the gradient, below which the step says nothing
STEPS = 200  # of a climb at most
TOLERANCE = 1e-5  # gradient at its end, nats per prior sd


@dataclass(frozen=True)
class Paths:
    """Weighted draws h (N, D) of a posterior, `weights` (N,) that sum to one; `elbo` and `error` of the best path's normal,
    log p(y) by importance, all in nats; Pareto's k; evaluations; and whether every path ended at a mode."""

    h: np.ndarray
    weights: np.ndarray
    elbo: float
    error: float
    log_evidence: float
    pareto_k: float
    n_eval: int
    settled: bool


def find(one: Problem, population: Population, starts: np.ndarray, few: np.ndarray, many: np.ndarray) -> Paths:
    """Of one participant under a population with independent coordinates: a path from each row of `starts` (paths, D), in prior
    sds, with `few` (K, D) standard draws for every ELBO and `many` (M, D) from each path's best normal."""
    links, episode = _arguments(population, one)
    sd, n_eval = np.sqrt(np.diag(population.Sigma)), 0
    to_h = lambda z: population.mu + sd * z  # noqa: E731

    def log_density(z: np.ndarray) -> np.ndarray:
        nonlocal n_eval
        n_eval += len(z)
        constant = 0.5 * z.shape[1] * np.log(2.0 * np.pi)
        return log_likelihoods(to_h(z), *links, episode) - 0.5 * (z**2).sum(axis=1) - constant

    def rise(z: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal n_eval
        n_eval += 1
        value, slope = log_likelihood_and_slope(to_h(z), *links, episode)
        return value - 0.5 * z @ z, sd * slope - z

    draws, ratios, settled = [], [], True
    for start in starts:
        points, slopes, ended = _climb(rise, start)
        settled &= ended
        normals = list(_normals(points, slopes))
        elbos = [_drawn(log_density, *normal, few)[1].mean() for normal in normals]
        z, ratio = _drawn(log_density, *normals[int(np.argmax(elbos))], many)
        draws.append(z)
        ratios.append(ratio)
    return _weighted(to_h(np.concatenate(draws)), np.array(ratios), n_eval, settled)


def _climb(rise, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """The points of a climb (steps + 1, D), the gradients there, and whether it ended at a mode."""
    from scipy.optimize import minimize

    points = [start]
    end = minimize(
        lambda z: tuple(-each for each in rise(z)),
        start,
        jac=True,
        method="L-BFGS-B",
        callback=lambda z: points.append(z.copy()),
        options={"maxcor": MEMORY, "maxiter": STEPS, "gtol": TOLERANCE, "ftol": 0.0},
    )
    slopes = np.array([rise(z)[1] for z in points])
    return np.array(points), slopes, bool(end.success or np.abs(slopes[-1]).max() < 1e2 * TOLERANCE)


def _normals(points: np.ndarray, slopes: np.ndarray):
    """The mean and Cholesky factor of the normal at every point of a path but the first; a standard normal at that if it is the
    only one."""
    d = points.shape[1]
    alpha, pairs = np.ones(d), []
    if len(points) == 1:
        yield points[0], np.eye(d)
    moves = zip(np.diff(points, axis=0), -np.diff(slopes, axis=0), points[1:], slopes[1:], strict=True)
    for step, change, point, slope in moves:
        along = step @ change
        if along > CURVED * (change @ change):
            over = change @ (alpha * change)
            under = (step**2 / alpha).sum()
            alpha = 1.0 / (over / (along * alpha) + change**2 / along - over * step**2 / (along * under * alpha**2))
            pairs = [*pairs[1 - MEMORY :], (step, change, along)]
        H = np.diag(alpha)
        for s, y, sy in pairs:
            turn = np.eye(d) - np.outer(s, y) / sy
            H = turn @ H @ turn.T + np.outer(s, s) / sy
        yield point + H @ slope, np.linalg.cholesky(0.5 * (H + H.T))


def _drawn(log_density, centre: np.ndarray, factor: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws z (M, D) of a normal, and log p - log q there."""
    z = centre + unit @ factor.T
    log_q = -0.5 * (unit**2).sum(axis=1) - np.log(np.diag(factor)).sum() - 0.5 * len(centre) * np.log(2.0 * np.pi)
    return z, log_density(z) - log_q


def _weighted(h: np.ndarray, ratios: np.ndarray, n_eval: int, settled: bool) -> Paths:
    """Draws h (paths * M, D) by their importance, from the log ratios (paths, M)."""
    from .chains import pareto_smoothed

    best = ratios[ratios.mean(axis=1).argmax()]
    smoothed, k = pareto_smoothed(ratios.reshape(1, -1))
    total = np.logaddexp.reduce(smoothed[0])
    return Paths(
        h,
        np.exp(smoothed[0] - total),
        elbo=float(best.mean()),
        error=float(best.std(ddof=1) / np.sqrt(len(best))),
        log_evidence=float(total - np.log(ratios.size)),
        pareto_k=float(k[0]),
        n_eval=n_eval,
        settled=settled,
    )
