"""What is not known of a population, and what it adds to the intervals of its people.

EM gives people's posteriors at one mu, B and Sigma. Here these have a posterior of their own, under the prior that EM has: what
a person's choices say of h_j is taken for a normal, with the precision K_j = V_j^-1 - Sigma^-1 by which they narrow the prior,
and mu, B, Sigma and everybody's h_j are drawn in turn (Gibbs). Means over draws of a person's mean and covariance then give
what is not known of h_j in all, Var[h_j] = E[V_j] + Var[m_j] (Kass & Steffey 1989, J. Am. Stat. Assoc. 84(407), who expand it).

Where a person has so many parameters that no normal says enough of them (`sampled`), h_j is drawn block by block from proposals
by that normal, and accepted by the likelihood itself (Metropolis & Hastings), so that means and covariances are those of draws.

Sigma is drawn from an inverse Wishart distribution. EM's d + 1 participants who say nothing but that coordinates do not
correlate, prod_k P_kk^(-(d + 1) / 2), are drawn too: that factor is the mean of exp(-sum_k P_kk l_k / 2) over l_k with density
l^((d + 1) / 2 - 1), so that l_k given P is of the gamma distribution (as Huang & Wand 2013, Bayesian Anal. 8(2)).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..models.likelihood import Problem
from ..models.traces import unpacked
from ..numerics import _cholesky, _compiled, _solve
from .members import Box, _inverse
from .newton import _log_likelihood
from .population import Expectation, Population

EACH, MOST = 100, 1000  # draws of the population per coordinate of h, and at most, after a tenth as many that are left out
WIDEST = 4.0  # times the start's variances, or twice EM's where that is more, that variances may be: what little people say of
# a parameter does not bound them, and nothing is told from beyond on any scale
SAMPLES = 600  # draws where the likelihood accepts them, after a third as many that are left out
WIDER = 0.6  # times the precision of the normal in whose place the likelihood stands, for proposals with longer tails
BLOCK = 4  # coordinates that are proposed at once where they belong to no arm
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
def _exact_sweeps(
    rng,
    words,
    begins,
    box,
    free,
    blocks,
    K,
    b,
    X,
    root,
    origin,
    start,
    widest,
    M,
    Sigma,
    first,
    h,
    means,
    squares,
    kept_M,
    kept_Sigma,
):
    """The same where h (J, D), whose free coordinates begin as given, is drawn by `blocks` (n, size) of these (-1: none) and by
    the likelihood; means and squares are those of the draws."""
    J, d = b.shape
    draws, weight = len(kept_M), np.ones(J)
    P, H, likelihood = np.empty((d, d)), np.empty((J, d)), np.empty(J)
    for sweep in range(first + draws):
        _inverse(Sigma, P)
        pull = X @ M @ P
        accepted = 0.0
        for j in range(J):
            episode = unpacked(words[begins[j] :])
            if sweep == 0:
                likelihood[j] = _log_likelihood(h[j], box.kinds, box.lower, box.upper, episode)
            for block in blocks:
                likelihood[j], moved = _visit(rng, h[j], likelihood[j], block, episode, box, free, K[j], b[j], P, pull[j])
                accepted += moved
            for a in range(d):
                H[j, a] = h[j, free[a]]
            if sweep >= first:
                for a in range(d):
                    means[j, a] += H[j, a] / draws
                    for c in range(d):
                        squares[j, a, c] += H[j, a] * H[j, c] / draws
        _population(rng, H, weight, X, root, origin, start, widest, P, M, Sigma)
        if sweep >= first:
            kept_M[sweep - first] = M
            kept_Sigma[sweep - first] = Sigma
    return accepted / (J * len(blocks))


@_compiled
def _visit(rng, h, likelihood, block, episode, box, free, K, b, P, pull):
    """Draws the free coordinates `block` of h (D,) given the others, from the normal that K and b make of the likelihood, and
    takes the draw by the likelihood itself; log p(y | h), and whether it moved."""
    d, size = len(b), 0
    while size < len(block) and block[size] >= 0:
        size += 1
    A, L, right, noise = np.empty((size, size)), np.zeros((size, size)), np.empty(size), np.empty(size)
    mean, there = np.empty(size), h.copy()
    for i in range(size):
        a = block[i]
        right[i] = b[a] + pull[a]
        noise[i] = rng.standard_normal()
        for c in range(d):
            right[i] -= (K[a, c] + P[a, c]) * h[free[c]]
        for k in range(size):
            A[i, k] = K[a, block[k]] + P[a, block[k]]
            right[i] += A[i, k] * h[free[block[k]]]
    _cholesky(A, L)
    _solve(L, right, mean)
    _spread(L, noise)
    for i in range(size):
        there[free[block[i]]] = mean[i] + noise[i]
    told = 0.0  # by the normal, of the change
    for i in range(size):
        a = block[i]
        step = there[free[a]] - h[free[a]]
        told += b[a] * step
        for c in range(d):
            told -= 0.5 * K[a, c] * step * (there[free[c]] + h[free[c]])
    value = _log_likelihood(there, box.kinds, box.lower, box.upper, episode)
    if np.log(rng.random()) < value - likelihood - told:
        h[:] = there
        return value, 1.0
    return likelihood, 0.0


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
    drawn, L, noise = np.empty((d, d)), np.zeros((d, d)), np.empty((n, d))
    for _ in range(TRIES):
        # M is integrated out of Sigma's draw, which costs a degree of freedom for each of its rows.
        _inverse_wishart(rng, J + 2 + nu - n, S, drawn)
        inside = True
        for a in range(d):
            inside = inside and drawn[a, a] <= widest[a]  # and a number
        if inside:
            Sigma[:] = drawn
            break
    _cholesky(Sigma, L)
    for c in range(n):
        for a in range(d):
            noise[c, a] = rng.standard_normal()
    M[:] = best + root @ noise @ L.T


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


def sampled(
    problems: Sequence[Problem], population: Population, expectation: Expectation, start: Population, rng: np.random.Generator
) -> tuple[Population, Expectation]:
    """The population and its people by draws that the likelihood accepts, from Laplace's approximations of them: mu, Sigma, m
    and V are the draws' means and covariances, so that V holds what is not known of the population."""
    found = np.flatnonzero(expectation.found)
    K, b, _ = _told(population, expectation)
    J, d = b.shape
    X, *given = _given(population, expectation.found, start)
    words = [problems[j].words for j in found]
    places = np.concatenate(words), np.cumsum([0, *map(len, words[:-1])])
    box = Box(population.kinds, population.lower, population.upper)
    h = np.ascontiguousarray(expectation.mode[found])
    means, squares, draws = np.zeros((J, d)), np.zeros((J, d, d)), Draws.empty(SAMPLES, X.shape[1], d)
    proposal = WIDER * K, WIDER * b
    kept = means, squares, draws.M, draws.Sigma
    _exact_sweeps(
        rng,
        *places,
        box,
        population.free,
        _blocks(problems[0], population.free),
        *proposal,
        X,
        *given,
        start.Sigma.copy(),
        SAMPLES // 3,
        h,
        *kept,
    )
    m, V, mu = expectation.m.copy(), expectation.V.copy(), population.mu.copy()
    m[found], V[found] = means, squares - means[:, :, None] * means[:, None, :]
    moved = expectation.found.copy()
    moved[found] = np.linalg.eigvalsh(V[found]).min(axis=1) > 1e-9  # else proposals were never taken
    mu[population.free] = draws.M[:, 0].mean(axis=0)
    effects = None if population.design is None else draws.M[:, 1:].mean(axis=0)
    population = replace(population, mu=mu, effects=effects, Sigma=draws.Sigma.mean(axis=0))
    return population, replace(expectation, m=m, V=V, found=moved)


def _blocks(one: Problem, free: np.ndarray) -> np.ndarray:
    """Which free coordinates are drawn at once (n, size): those of an arm, and the others by BLOCK; -1 is none."""
    names = one.model.parameter_names(one.n_arms)
    arms = [re.search(r"(\d+)\]$", names[place]) for place in free]
    of = [match.group(1) if match else f"shared {k // BLOCK}" for k, match in enumerate(arms)]
    blocks = [[k for k in range(len(free)) if of[k] == name] for name in dict.fromkeys(of)]
    size = max(map(len, blocks))
    return np.array([block + [-1] * (size - len(block)) for block in blocks])


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
