"""What participants' scores say of how well a population is known."""

from collections.abc import Iterable

import numpy as np

from .newton import expected
from .population import GRID_DIMENSIONS, Expectation, Population, _arguments, _held

Z_95 = 1.959963984540054  # the 97.5 % point of the standard normal
EACH = 2  # participants per parameter of the population, from which on the information in their scores is one


def _cubature(population: Population, m: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (2 d, d) and weights with mean m and covariance V (the cubature of third degree); the mode alone if hard."""
    d = len(m)
    if population.moments == "hard":
        return m[None], np.ones(1)
    L = np.sqrt(d) * np.linalg.cholesky(V).T
    return np.concatenate([m + L, m - L]), np.full(2 * d, 0.5 / d)


def _score(problems, population: Population, expectation: Expectation, start: Population, J: int):
    """What the participants found say of h_held, scaled to J of them: Q, the expected log-likelihood with its log prior; its
    gradient, curvature and Fisher's; and each participant's gradient (n, held)."""
    D = len(population.mu)
    held, off, sd = _held(population, start)
    H, F, value, scores = np.zeros((D, D)), np.zeros((D, D)), 0.0, []
    for j in np.flatnonzero(expectation.found):
        g = np.zeros(D)
        if len(population.free) <= GRID_DIMENSIONS and expectation.r is not None:
            points = expectation.centre[j] + population.nodes @ expectation.scale[j].T, expectation.r[j]
        else:
            points = _cubature(population, expectation.m[j], expectation.V[j])
        links, episode = _arguments(population, problems[j])
        value += expected(*points, population.mu, population.free, *links, episode, g, H, F)
        scores.append(g[held])
    scores = np.array(scores)
    scale = J / len(scores)
    block = np.ix_(held, held)
    prior = np.diag(sd**-2.0)
    Q = scale * value - 0.5 * ((off / sd) ** 2).sum()
    return Q, scale * scores.sum(axis=0) - off / sd**2, scale * H[block] - prior, scale * F[block] - prior, scores


def _held_sd(parts: Iterable[tuple], population: Population, start: Population) -> np.ndarray | float:
    """Standard errors of what is the same for everybody, from the information sum_j s_j s_j' in the participants' scores of
    h_held and mu (Fisher's identity: s_j is the expected complete score), and the log priors' own. `parts` are participants'
    problems with their E-step."""
    held, _, sd = _held(population, start)
    if not len(held):
        return 0.0
    information = np.diag(np.concatenate([sd**-2.0, 1.0 / np.diag(start.Sigma)]))
    for problems, expectation in parts:
        found = expectation.found
        if not found.any():
            continue
        off = (population.weights(len(found))[:, None] * (expectation.m - population.centres(len(found))))[found]
        of_mu = np.linalg.solve(population.Sigma, off.T).T
        scores = np.hstack([_score(problems, population, expectation, start, int(found.sum()))[4], of_mu])
        information += scores.T @ scores
    out = np.zeros(len(population.mu))
    out[held] = np.sqrt(np.diag(np.linalg.inv(information)))[: len(held)]
    return out


def standard_errors(
    population: Population, expectation: Expectation, start: Population
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard errors of mu (D,), of the sds of h_j (D,) and of the effects of what is known of people (C, d), from the
    information sum_j s_j s_j' in the participants' scores of mu, effects and Sigma (Fisher's identity, as in `_held_sd`) and
    that of the prior, which is worth 1 participant of mu, none of the effects, 2 of the sds and d + 3 of the correlations.
    The inverse of a sum of J squares of p numbers is on average J / (J - p - 1) times too large (Wishart's), which is put
    right. Modes without their uncertainty (hard) have no such scores, and no errors (NaN).

    Where participants are fewer than EACH to a parameter, Sigma's correlations count as known; where they still are, the
    information is not there, and neither are the errors (NaN). What is the same for everybody has no sd. Of a population that
    was drawn the errors are the draws' sds.
    """
    if population.errors is not None:
        return _by_draws(population)
    found, d = expectation.found, len(population.free)
    J = int(found.sum())
    # What moves a person's mean: 1 for mu, and what is known of the person.
    known = np.ones((J, 1)) if population.design is None else np.hstack([np.ones((J, 1)), population.design[found]])
    n = known.shape[1] * d
    a, b = np.tril_indices(d)
    if EACH * (n + len(a)) > J:
        a = b = np.arange(d)
    mean_se, sd_se = np.full((2, len(population.mu)), np.nan)
    effect_se = np.full((known.shape[1] - 1, d), np.nan)
    held = _held(population, start)[0]
    mean_se[held] = np.broadcast_to(population.held_sd, len(population.mu))[held]
    if EACH * (n + len(a)) > J or population.moments == "hard":
        return mean_se, sd_se, effect_se
    P = np.linalg.inv(population.Sigma)
    weight = population.weights(len(found))[found][:, None]
    off = (expectation.m - population.centres(len(found)))[found] @ P
    spread = 0.5 * (weight[..., None] * (off[:, :, None] * off[:, None, :] + P @ expectation.V[found] @ P) - P)
    off = weight * off
    twice = np.where(a == b, 1.0, 2.0)  # an element off the diagonal stands in Sigma twice
    scores = np.hstack([(known[:, :, None] * off[:, None, :]).reshape(J, n), twice * spread[:, a, b]])
    prior = np.zeros((n + len(a), n + len(a)))
    prior[:d, :d] = P
    both = P[np.ix_(a, a)] * P[np.ix_(b, b)] + P[np.ix_(a, b)] * P[np.ix_(b, a)]
    worth = np.where(a == b, 2.0, d + 3.0)
    prior[n:, n:] = 0.25 * np.sqrt(np.outer(worth, worth)) * np.outer(twice, twice) * both
    information = J / (J - scores.shape[1] - 1) * scores.T @ scores
    se = np.sqrt(np.diag(np.linalg.inv(information + prior)))
    mean_se[population.free] = se[:d]
    effect_se[:] = se[d:n].reshape(effect_se.shape)
    sd_se[population.free] = se[n:][a == b] / (2.0 * np.sqrt(np.diag(population.Sigma)))
    return mean_se, sd_se, effect_se


def _by_draws(population: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    of_M, of_sd = population.errors
    mean_se, sd_se = np.full((2, len(population.mu)), np.nan)
    mean_se[population.free], sd_se[population.free] = of_M[0], of_sd
    return mean_se, sd_se, of_M[1:]
