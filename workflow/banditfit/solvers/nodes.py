"""Nodes of quadrature in standard units, and the logarithms of their weights."""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import chdtri, logsumexp, ndtri

FREEDOM = 10  # degrees of freedom of quasi-random points: fewer waste points in 20 dimensions, more miss tails in 8


def _grid(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes (n^d, d) in standard units, and the logarithm of their weight over the standard normal density."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    unit = np.stack(np.meshgrid(*[x] * d, indexing="ij"), axis=-1).reshape(-1, d)
    log_w = np.stack(np.meshgrid(*[np.log(w)] * d, indexing="ij"), axis=-1).reshape(-1, d)
    return unit, (log_w + 0.5 * unit**2).sum(axis=1)  # w is for exp(-x^2 / 2): the constants of the density cancel


def _points(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Likewise n Sobol points of Student's t with FREEDOM degrees, always the same: in pairs of opposite sign, and moved until
    their weights give a standard normal its evidence and its first two moments exactly."""
    from scipy.stats.qmc import Sobol

    uniform = Sobol(d + 1, seed=0).random(n // 2)
    half = ndtri(uniform[:, :d]) * np.sqrt(FREEDOM / chdtri(FREEDOM, uniform[:, d:]))
    unit = np.concatenate([half, -half])
    log_r = 0.5 * (FREEDOM + d) * np.log1p((unit**2).sum(axis=1) / FREEDOM) - 0.5 * (unit**2).sum(axis=1)
    log_r -= logsumexp(log_r)  # the normal density over Student's
    L = np.linalg.cholesky(unit.T @ (np.exp(log_r)[:, None] * unit))
    unit = np.ascontiguousarray(solve_triangular(L, unit.T, lower=True).T)
    return unit, log_r + 0.5 * (unit**2).sum(axis=1) + 0.5 * d * np.log(2.0 * np.pi)


def normal_points(n: int, d: int, seed: int = 0) -> np.ndarray:
    """n scrambled Sobol points (n, d) of the standard normal, in pairs of opposite sign, and moved until their second moments
    are exact."""
    from scipy.stats.qmc import Sobol

    half = ndtri(Sobol(d, seed=seed).random(n // 2))
    if n // 2 <= d:
        return np.concatenate([half, -half])
    half = solve_triangular(np.linalg.cholesky(half.T @ half / (n // 2)), half.T, lower=True).T
    return np.ascontiguousarray(np.concatenate([half, -half]))
