"""What is not known of a population, and what it adds to the intervals of its people.

EM gives people's posteriors at one mu, B and Sigma. Here these have a posterior of their own, under the prior that EM has: what
a person's choices say of h_j is taken for a normal, with the precision K_j = V_j^-1 - Sigma^-1 by which they narrow the prior,
and mu, B, Sigma and everybody's h_j are drawn in turn (Gibbs). Means over draws of a person's mean and covariance then give
what is not known of h_j in all, Var[h_j] = E[V_j] + Var[m_j] (Kass & Steffey 1989, J. Am. Stat. Assoc. 84(407), who expand it).

Sigma is drawn from an inverse Wishart distribution. EM's d + 1 participants who say nothing but that coordinates do not
correlate, prod_k P_kk^(-(d + 1) / 2), are drawn too: that factor is the mean of exp(-sum_k P_kk l_k / 2) over l_k with density
l^((d + 1) / 2 - 1), so that l_k given P is of the gamma distribution (as Huang & Wand 2013, Bayesian Anal. 8(2)).
"""

from dataclasses import dataclass, replace

import numpy as np

from ..numerics import _cholesky, _compiled, _solve
from .members import _inverse
from .population import Expectation, Population

EACH, MOST = 100, 1000  # draws of the population per coordinate of h, and at most, after a tenth as many that are left out
WIDEST = 4.0  # times the start's variances, or twice EM's where that is more, that variances may be: what little people say of
# a parameter does not bound them, and nothing is told from beyond on any scale
TRIES = 20  # of a draw of Sigma, before the last one stays
FEWEST, PEOPLE = 50, 50_000  # draws where people are many, each adding little: of as many people per coordinate in all


@dataclass(frozen=True)
class Draws:
    """Draws of a population: `M` (draws, 1 + C, d), mu and the effects of what is known of people, and `Sigma` (draws, d,
    d)."""

    M: np.ndarray
    Sigma: np.ndarray

    @classmethod
    def empty(cls, n: int, rows: int, d: int) -> "Draws":
        return cls(np.empty((n, rows, d)), np.empty((n, d, d)))


@_compiled
def _sweeps(rng, K, b, weight, X, root, origin, start, widest, M, Sigma, first, means, squares, kept_M, kept_Sigma):
    """Gibbs draws of h_j ~ N(M' x_j, Sigma / weight[j]), of M (1 + C, d) and of Sigma (d, d), which begin as given.

    K (J, d, d) and b (J, d) are the precisions by which people's choices narrow h_j, and these times where they would have it;
    X (J, 1 + C) is 1 and what is known of people; root (1 + C, 1 + C) is Cholesky's factor of (X'WX + e e')^-1, with e of the
    first, whose prior is one participant at `origin` (d,); no variance is above `widest` (d,). After the `first` draws kept_M
    and kept_Sigma are filled, and means (J, d) and squares (J, d, d) with averages of m_j and V_j + m_j m_j'.
    """
    (J, d), draws = b.shape, len(kept_M)
    H, P, A, V = np.empty((J, d)), np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    L, right, mean, noise = np.zeros((d, d)), np.empty(d), np.empty(d), np.empty(d)
    for sweep in range(first + draws):
        _inverse(Sigma, P)
        pull = X @ M @ P
        for j in range(J):
            for a in range(d):
                right[a] = b[j, a] + weight[j] * pull[j, a]
                noise[a] = rng.standard_normal()
                for c in range(d):
                    A[a, c] = K[j, a, c] + weight[j] * P[a, c]
            _cholesky(A, L)
            _solve(L, right, mean)
            _spread(L, noise)
            for a in range(d):
                H[j, a] = mean[a] + noise[a]
            if sweep >= first:
                _inverse(A, V)
                for a in range(d):
                    means[j, a] += mean[a] / draws
                    for c in range(d):
                        squares[j, a, c] += (V[a, c] + mean[a] * mean[c]) / draws
        _population(rng, H, weight, X, root, origin, start, widest, P, M, Sigma)
        if sweep >= first:
            kept_M[sweep - first] = M
            kept_Sigma[sweep - first] = Sigma


@_compiled
def _spread(L, noise):
    """Turns standard normals into those of covariance (L L')^-1: noise becomes L'^-1 noise."""
    d = noise.size
    for a in range(d - 1, -1, -1):
        for c in range(a + 1, d):
            noise[a] -= L[c, a] * noise[c]
        noise[a] /= L[a, a]


@_compiled
def _population(rng, H, weight, X, root, origin, start, widest, P, M, Sigma):
    """Draws Sigma, and then M, given everybody's H (J, d); P is the inverse of the Sigma before."""
    (J, d), n = H.shape, X.shape[1]
    nu, weights = d + 1, weight.reshape((J, 1))
    right = (weights * X).T @ H
    right[0] += origin
    best = root @ root.T @ right
    off = np.sqrt(weights) * (H - X @ best)
    S = start + off.T @ off + np.outer(best[0] - origin, best[0] - origin)
    for a in range(d):
        S[a, a] += 2.0 * rng.standard_gamma(0.5 * nu) / P[a, a]
    L, noise = np.zeros((d, d)), np.empty((n, d))
    # M is integrated out of Sigma's draw, which costs a degree of freedom for each of its rows.
    _bounded(rng, J + 2 + nu - n, S, widest, Sigma)
    _cholesky(Sigma, L)
    for c in range(n):
        for a in range(d):
            noise[c, a] = rng.standard_normal()
    M[:] = best + root @ noise @ L.T


@_compiled
def _bounded(rng, freedom, S, widest, Sigma):
    """Draws Sigma by `_inverse_wishart` with no variance above `widest` (d,); it stays if no try is."""
    drawn = np.empty_like(Sigma)
    for _ in range(TRIES):
        _inverse_wishart(rng, freedom, S, drawn)
        inside = True
        for a in range(len(drawn)):
            inside = inside and drawn[a, a] <= widest[a]  # and a number
        if inside:
            Sigma[:] = drawn
            break


@_compiled
def _inverse_wishart(rng, freedom, S, out):
    """Fills out with a draw whose inverse is Wishart's, with mean freedom S^-1, by Bartlett's decomposition."""
    d = len(S)
    inverse, L, A = np.empty((d, d)), np.zeros((d, d)), np.zeros((d, d))
    _inverse(S, inverse)
    _cholesky(inverse, L)
    for a in range(d):
        A[a, a] = np.sqrt(2.0 * rng.standard_gamma(0.5 * (freedom - a)))
        for c in range(a):
            A[a, c] = rng.standard_normal()
    factor = L @ A
    _inverse(factor @ factor.T, out)


def draw(
    population: Population, expectation: Expectation, start: Population, rng: np.random.Generator
) -> tuple[Draws, np.ndarray, np.ndarray]:
    """Draws of the population given people's choices, and what they make of the people found: the covariance of h_j at the
    population's own mu, effects and Sigma, and that over all draws, both (people found, d, d)."""
    K, b, P = _told(population, expectation)
    J, d = b.shape
    n = min(EACH * d, MOST, max(FEWEST, PEOPLE * d // J))
    X, *given = _given(population, expectation.found, start)
    means, squares, draws = np.zeros((J, d)), np.zeros((J, d, d)), Draws.empty(n, X.shape[1], d)
    weight = population.weights(len(expectation.found))[expectation.found]
    _sweeps(rng, K, b, weight, X, *given, population.Sigma.copy(), n // 10, means, squares, draws.M, draws.Sigma)
    return draws, np.linalg.inv(K + P), squares - means[:, :, None] * means[:, None, :]


def _told(population: Population, expectation: Expectation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the choices of the people found say of them: the precision K (J, d, d) by which they narrow the prior, K times where
    they would have h_j, and the prior's own precision (J, d, d)."""
    found = expectation.found
    centres, weight = population.centres(len(found))[found], population.weights(len(found))[found]
    P = weight[:, None, None] * np.linalg.inv(population.Sigma)
    K = _narrowing(np.linalg.inv(expectation.V[found]) - P, population.Sigma)
    # Where a person's choices would have h_j follows from where its mean is.
    b = np.einsum("jab,jb->ja", K + P, expectation.m[found]) - np.einsum("jab,jb->ja", P, centres)
    return K, b, P


def _given(population: Population, found: np.ndarray, start: Population) -> tuple[np.ndarray, ...]:
    """X, root, origin, start, widest and M, as `_sweeps` takes them."""
    weight = population.weights(len(found))[found]
    X, M = np.ones((int(found.sum()), 1)), population.mu[population.free][None].copy()
    if population.design is not None:
        X, M = np.hstack([X, population.design[found]]), np.vstack([M, population.effects])
    prior = np.zeros((X.shape[1], X.shape[1]))
    prior[0, 0] = 1.0
    root = np.linalg.cholesky(np.linalg.inv(X.T @ (weight[:, None] * X) + prior))
    widest = np.maximum(WIDEST * np.diag(start.Sigma), 2.0 * np.diag(population.Sigma))
    return X, root, start.mu[population.free], start.Sigma, widest, M


def _narrowing(K: np.ndarray, Sigma: np.ndarray) -> np.ndarray:
    """K (J, d, d) without what would widen the prior, as moments by a few nodes may say."""
    L = np.linalg.cholesky(Sigma)
    values, vectors = np.linalg.eigh(L.T @ K @ L)
    turned = np.linalg.solve(L.T, vectors)
    return (turned * np.maximum(values, 0.0)[:, None, :]) @ turned.transpose(0, 2, 1)


def widened(population: Population, expectation: Expectation, start: Population, rng: np.random.Generator) -> Expectation:
    """The same people with covariances that hold what is not known of the population too; means stay, and nodes move with the
    covariances."""
    _, plain, whole = draw(population, expectation, start, rng)
    wider = np.linalg.cholesky(whole) @ np.linalg.inv(np.linalg.cholesky(plain))
    V, scale, found = expectation.V.copy(), expectation.scale, expectation.found
    V[found] = wider @ V[found] @ wider.transpose(0, 2, 1)
    if scale is not None:
        scale = scale.copy()
        scale[found] = wider @ scale[found]
    return replace(expectation, V=V, scale=scale)
