"""Mode and moments of one participant's parameters under a normal prior on a link scale, compiled.

Coordinate h_k stands for theta_k = link_k(h_k); theta = (alpha.ravel(), beta.ravel()) as everywhere. Only the coordinates
listed in `free` move, with prior N(mu, P^-1); the rest of h is held.
"""

from math import erfc, exp, pi, sqrt

import numpy as np

from ..models.traces import WEIGHT, _nll, _nll_hessian
from ..numerics import _cholesky, _compiled, _solve

PROBIT, LOGIT, LOG = 0, 1, 2  # links
GRID = (-1.5, 0.0, 1.5)
STEPS = 100  # of Newton; 5 to 10 are usual
LONGEST = 2.0  # a step of more than two units of a link scale leaves the region where the quadratic model holds
DECREMENT = 1e-8  # nats left to gain, twice over, at which the climb ends
ENOUGH = 1e-2  # likewise, at which a climb that cannot go on (on a plateau, or for rounding) still counts as a mode
FISHER_SHARES = (0.0, 0.1, 0.3, 1.0)  # of Fisher's information in the curvature: the first that makes it positive definite


@_compiled
def _link(kind, h, lower, upper):
    """theta of one coordinate h, with its first and second derivative."""
    if kind == PROBIT:  # the box [lower, upper]: a standard normal h is a uniform theta
        slope = (upper - lower) * exp(-0.5 * h * h) / sqrt(2.0 * pi)
        return lower + (upper - lower) * 0.5 * erfc(-h / sqrt(2.0)), slope, -h * slope
    if kind == LOGIT:
        theta = 1.0 / (1.0 + exp(-h))
        slope = theta * (1.0 - theta)
        return theta, slope, slope * (1.0 - 2.0 * theta)
    theta = exp(h)
    return theta, theta, theta


@_compiled
def derivatives(h, kinds, lower, upper, episode, g, H, F):
    """log p(y | h) = -J; fills its gradient g (D,), its exact Hessian H and the negative F (D, D) of Fisher's information, all
    by the chain rule from those in theta."""
    D = h.size
    theta, d1, d2 = np.empty(D), np.empty(D), np.empty(D)
    for k in range(D):
        theta[k], d1[k], d2[k] = _link(kinds[k], h[k], lower[k], upper[k])
    nll, gradient, hessian, fisher = _nll_hessian(episode, theta)
    for k in range(D):
        for l in range(D):
            F[k, l] = -fisher[k, l] * d1[k] * d1[l]
            H[k, l] = -hessian[k, l] * d1[k] * d1[l]
        H[k, k] -= gradient[k] * d2[k]
        g[k] = -gradient[k] * d1[k]
    return -nll


@_compiled
def _log_likelihood(h, kinds, lower, upper, episode):
    theta = np.empty(h.size)
    for k in range(h.size):
        theta[k] = _link(kinds[k], h[k], lower[k], upper[k])[0]
    return -_nll(episode, theta)


@_compiled
def _log_prior(h, free, mu, P):
    """-(h - mu)' P (h - mu) / 2 over the free coordinates."""
    value = 0.0
    for a in range(free.size):
        for b in range(free.size):
            value -= 0.5 * (h[free[a]] - mu[a]) * P[a, b] * (h[free[b]] - mu[b])
    return value


@_compiled
def best_start(h, free, mu, sd, P, kinds, lower, upper, episode):
    """Moves h to the best of itself and a coarse grid: all rates, and all the rest, up or down by GRID sds."""
    first_weight = h.size  # rates stand first in theta
    for k in range(len(episode.rules) - 1):
        for i in range(episode.places.shape[1]):
            if episode.places[k, i, WEIGHT] >= 0:
                first_weight = min(first_weight, episode.places[k, i, WEIGHT])
    best = _log_likelihood(h, kinds, lower, upper, episode) + _log_prior(h, free, mu, P)
    here, there = h.copy(), h.copy()
    for rates in GRID:
        for sensitivities in GRID:
            for a in range(free.size):
                there[free[a]] = mu[a] + sd[a] * (rates if free[a] < first_weight else sensitivities)
            value = _log_likelihood(there, kinds, lower, upper, episode)
            value += _log_prior(there, free, mu, P)
            if value > best or best != best:
                best = value
                here[:] = there
    h[:] = here
    return len(GRID) ** 2 + 1


@_compiled
def climb(h, free, mu, P, kinds, lower, upper, episode, K, decrement=DECREMENT):
    """Moves the free coordinates of h to a mode of log p(y | h) - (h - mu)' P (h - mu) / 2 and fills K (d, d) with the
    negative Hessian there. Returns log p(y | h), the evaluations made and whether Newton's `decrement` fell low enough.

    Newton steps use the exact Hessian where it is negative definite, blended with Fisher's information elsewhere (then K is
    too); no coordinate moves by more than LONGEST, and Armijo halving makes every step an ascent.
    """
    D, d = h.size, free.size
    g, H, F = np.empty(D), np.empty((D, D)), np.empty((D, D))
    L, slope, step, there = np.zeros((d, d)), np.empty(d), np.empty(d), h.copy()
    likelihood = derivatives(h, kinds, lower, upper, episode, g, H, F)
    value = likelihood + _log_prior(h, free, mu, P)
    n_eval = 1
    for _ in range(STEPS):
        for a in range(d):
            slope[a] = g[free[a]]
            for b in range(d):
                slope[a] -= P[a, b] * (h[free[b]] - mu[b])
        positive = False
        for share in FISHER_SHARES:
            for a in range(d):
                for b in range(d):
                    curvature = (1.0 - share) * H[free[a], free[b]] + share * F[free[a], free[b]]
                    K[a, b] = P[a, b] - curvature
            if _cholesky(K, L):
                positive = True
                break
        if not positive:
            return likelihood, n_eval, False
        _solve(L, slope, step)
        gain, longest = 0.0, 0.0
        for a in range(d):
            gain += slope[a] * step[a]
            longest = max(longest, abs(step[a]))
        if gain < decrement:
            return likelihood, n_eval, True
        size = min(1.0, LONGEST / longest)
        while True:
            for a in range(d):
                there[free[a]] = h[free[a]] + size * step[a]
            likelihood_there = derivatives(there, kinds, lower, upper, episode, g, H, F)
            value_there = likelihood_there + _log_prior(there, free, mu, P)
            n_eval += 1
            if value_there >= value + 1e-4 * size * gain:
                break
            size /= 2.0
            if size < 1e-10:  # the rest is rounding
                return likelihood, n_eval, gain < ENOUGH
        h[:] = there
        likelihood, value = likelihood_there, value_there
    return likelihood, n_eval, gain < ENOUGH


@_compiled
def expected(nodes, weights, h, free, kinds, lower, upper, episode, g, H, F):
    """Weighted sum over nodes (N, d) of the free coordinates of log p(y | h); adds that of its derivatives to g, H and F."""
    there = h.copy()
    g_k, H_k, F_k = np.empty_like(g), np.empty_like(H), np.empty_like(F)
    value = 0.0
    for k in range(weights.size):
        if weights[k] > 1e-6:
            there[free] = nodes[k]
            value += weights[k] * derivatives(there, kinds, lower, upper, episode, g_k, H_k, F_k)
            g += weights[k] * g_k
            H += weights[k] * H_k
            F += weights[k] * F_k
    return value
