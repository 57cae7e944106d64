"""Mode and moments of one participant's parameters under a normal prior on a link scale, compiled.

Coordinate h_k stands for theta_k = link_k(h_k); theta = (alpha.ravel(), beta.ravel()) as everywhere. Only the coordinates
listed in `free` move, with prior N(mu, P^-1); the rest of h is held.
"""

from math import erfc, exp, log, pi, sqrt

import numpy as np
from numba import njit

from ..models.likelihood import _nll_theta, _spread

_compiled = njit(cache=True, nogil=True, error_model="numpy")

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
def derivatives(h, kinds, lower, upper, choices, arms, signals, starts, n_arms, g, H, F):
    """log p(y | h) = -J; fills its gradient g (D,), its exact Hessian H and the negative F (D, D) of Fisher's information.

    With x the values, J_k = dx/dtheta_k and D[f] = f(y) - E_pi f, a step adds D[J] to the gradient, -Cov_pi(J) to F, and that
    plus D[d2x] to the Hessian. Sensitivities of the unit trace h run forward with it: p = dh/dalpha obeys p' = (1 - alpha) p
    + u - h, and s = d2h/dalpha2 obeys s' = (1 - alpha) s - 2 p.
    """
    n_signals = signals.shape[0]
    D = h.size
    q = D // (2 * n_signals)
    theta, d1, d2 = np.empty(D), np.empty(D), np.empty(D)
    for k in range(D):
        theta[k], d1[k], d2[k] = _link(kinds[k], h[k], lower[k], upper[k])
    alpha, beta = _spread(theta, n_signals, n_arms)
    trace, p, s = np.zeros((n_signals, n_arms)), np.zeros((n_signals, n_arms)), np.zeros((n_signals, n_arms))
    x, J, mean = np.empty(n_arms), np.empty(2 * n_signals), np.empty(D)
    g[:] = 0.0
    H[:] = 0.0
    F[:] = 0.0
    value = 0.0
    for t in range(choices.size):
        if starts[t]:
            trace[:] = 0.0
            p[:] = 0.0
            s[:] = 0.0
        y = choices[t]
        if y >= 0:
            top = -np.inf
            for i in range(n_arms):
                x[i] = 0.0
                for c in range(n_signals):
                    x[i] += beta[c, i] * trace[c, i]
                top = max(top, x[i])
            value += x[y] - top
            total = 0.0
            for i in range(n_arms):
                x[i] = exp(x[i] - top)
                total += x[i]
            value -= log(total)
            mean[:] = 0.0
            for i in range(n_arms):
                pi_i = x[i] / total
                e = (1.0 if i == y else 0.0) - pi_i
                j = i if q > 1 else 0
                for c in range(n_signals):
                    a, b = c * q + j, (n_signals + c) * q + j
                    J[c], J[n_signals + c] = beta[c, i] * p[c, i], trace[c, i]
                    H[a, a] += e * beta[c, i] * s[c, i]
                    H[b, a] += e * p[c, i]
                for row in range(2 * n_signals):
                    k = row * q + j
                    g[k] += e * J[row]
                    mean[k] += pi_i * J[row]
                    for col in range(row + 1):
                        F[k, col * q + j] -= pi_i * J[row] * J[col]
            for k in range(D):
                if mean[k] != 0.0:
                    for l in range(k + 1):
                        F[k, l] += mean[k] * mean[l]
        for c in range(n_signals):
            for i in range(n_arms):
                keep = 1.0 - alpha[c, i]
                s[c, i] = keep * s[c, i] - 2.0 * p[c, i]
                p[c, i] = keep * p[c, i] - trace[c, i]
                trace[c, i] *= keep
        i = arms[t]
        if i >= 0:
            for c in range(n_signals):
                p[c, i] += signals[c, t]
                trace[c, i] += alpha[c, i] * signals[c, t]
    for k in range(D):
        for l in range(k + 1):
            F[k, l] *= d1[k] * d1[l]
            H[k, l] = H[k, l] * d1[k] * d1[l] + F[k, l]
            if k == l:
                H[k, k] += g[k] * d2[k]
            F[l, k] = F[k, l]
            H[l, k] = H[k, l]
        g[k] *= d1[k]
    return value


@_compiled
def _log_likelihood(h, kinds, lower, upper, choices, arms, signals, starts, n_arms):
    theta = np.empty(h.size)
    for k in range(h.size):
        theta[k] = _link(kinds[k], h[k], lower[k], upper[k])[0]
    return -_nll_theta(choices, arms, signals, starts, n_arms, theta)


@_compiled
def _cholesky(A, L):
    """Fills the lower triangle L with A = L L'; False if A is not positive definite."""
    for i in range(A.shape[0]):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            if i > j:
                L[i, j] = total / L[j, j]
            elif total > 1e-12 * abs(A[i, i]):  # a pivot below rounding is no evidence of curvature; NaN fails too
                L[i, i] = sqrt(total)
            else:
                return False
    return True


@_compiled
def _solve(L, b, out):
    """Fills out with the solution of L L' out = b."""
    n = b.size
    for i in range(n):
        out[i] = b[i]
        for k in range(i):
            out[i] -= L[i, k] * out[k]
        out[i] /= L[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            out[i] -= L[k, i] * out[k]
        out[i] /= L[i, i]


@_compiled
def _log_prior(h, free, mu, P):
    """-(h - mu)' P (h - mu) / 2 over the free coordinates."""
    value = 0.0
    for a in range(free.size):
        for b in range(free.size):
            value -= 0.5 * (h[free[a]] - mu[a]) * P[a, b] * (h[free[b]] - mu[b])
    return value


@_compiled
def best_start(h, free, mu, sd, P, kinds, lower, upper, choices, arms, signals, starts, n_arms):
    """Moves h to the best of itself and a coarse grid: all rates, and all sensitivities, up or down by GRID sds."""
    best = _log_likelihood(h, kinds, lower, upper, choices, arms, signals, starts, n_arms) + _log_prior(h, free, mu, P)
    here, there = h.copy(), h.copy()
    for rates in GRID:
        for sensitivities in GRID:
            for a in range(free.size):
                there[free[a]] = mu[a] + sd[a] * (rates if 2 * free[a] < h.size else sensitivities)
            value = _log_likelihood(there, kinds, lower, upper, choices, arms, signals, starts, n_arms)
            value += _log_prior(there, free, mu, P)
            if value > best or best != best:
                best = value
                here[:] = there
    h[:] = here
    return len(GRID) ** 2 + 1


@_compiled
def climb(h, free, mu, P, kinds, lower, upper, choices, arms, signals, starts, n_arms, K):
    """Moves the free coordinates of h to a mode of log p(y | h) - (h - mu)' P (h - mu) / 2 and fills K (d, d) with the
    negative Hessian there. Returns log p(y | h), the evaluations made and whether the Newton decrement fell low enough.

    Newton steps use the exact Hessian where it is negative definite, blended with Fisher's information elsewhere (then K is
    too); no coordinate moves by more than LONGEST, and Armijo halving makes every step an ascent.
    """
    D, d = h.size, free.size
    g, H, F = np.empty(D), np.empty((D, D)), np.empty((D, D))
    L, slope, step, there = np.zeros((d, d)), np.empty(d), np.empty(d), h.copy()
    likelihood = derivatives(h, kinds, lower, upper, choices, arms, signals, starts, n_arms, g, H, F)
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
        if gain < DECREMENT:
            return likelihood, n_eval, True
        size = min(1.0, LONGEST / longest)
        while True:
            for a in range(d):
                there[free[a]] = h[free[a]] + size * step[a]
            likelihood_there = derivatives(there, kinds, lower, upper, choices, arms, signals, starts, n_arms, g, H, F)
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
def quadrature(
    m, V, turn, unit, log_weights, caution, h, free, mu, P, kinds, lower, upper, choices, arms, signals, starts, n_arms, L, logs
):
    """Places nodes at m + L unit (N, d), V = L L', L Cholesky's factor turned by the orthogonal `turn` (d, d), and fills logs
    (N,) with log p(y | h) plus the rule's log weight; m and V become the moments that follow. False if V was not positive
    definite or the likelihood not finite.

    The fewer nodes carry the weight, the less they can say of V: the moments move only by the share ess / (ess + caution d)
    towards what they say, with ess the effective number of nodes.
    """
    N, d = unit.shape
    factor = np.zeros((d, d))
    if not _cholesky(V, factor):
        return False
    L[:] = factor @ turn
    there, r, offset, mean, second = h.copy(), np.empty(N), np.empty(d), np.zeros(d), np.zeros((d, d))
    volume = 0.0
    for a in range(d):
        volume += log(factor[a, a])
    top = -np.inf
    for k in range(N):
        _node(m, L, unit[k], free, there)
        logs[k] = volume + log_weights[k] + _log_likelihood(there, kinds, lower, upper, choices, arms, signals, starts, n_arms)
        r[k] = logs[k] + _log_prior(there, free, mu, P)
        top = max(top, r[k])
    total, squares = 0.0, 0.0
    for k in range(N):
        r[k] = exp(r[k] - top)
        total += r[k]
        squares += r[k] * r[k]
    for k in range(N):
        _node(m, L, unit[k], free, there)
        weight = r[k] / total
        for a in range(d):
            offset[a] = there[free[a]] - m[a]
            mean[a] += weight * offset[a]
            for b in range(a + 1):
                second[a, b] += weight * offset[a] * offset[b]
    ess = total * total / squares
    share = ess / (ess + caution * d)
    for a in range(d):
        for b in range(a + 1):  # the covariance of the mixture of both, old and new
            V[a, b] = (1.0 - share) * V[a, b] + share * second[a, b] - share * share * mean[a] * mean[b]
            V[b, a] = V[a, b]
    for a in range(d):
        m[a] += share * mean[a]
    return total > 0.0 and total < np.inf


@_compiled
def _node(m, L, unit, free, h):
    """Sets the free coordinates of h to m + L unit."""
    for a in range(m.size):
        h[free[a]] = m[a]
        for b in range(m.size):
            h[free[a]] += L[a, b] * unit[b]


@_compiled
def expected(nodes, weights, h, free, kinds, lower, upper, choices, arms, signals, starts, n_arms, g, H, F):
    """Weighted sum over nodes (N, d) of the free coordinates of log p(y | h); adds that of its derivatives to g, H and F."""
    there = h.copy()
    g_k, H_k, F_k = np.empty_like(g), np.empty_like(H), np.empty_like(F)
    value = 0.0
    for k in range(weights.size):
        if weights[k] > 1e-6:
            there[free] = nodes[k]
            value += weights[k] * derivatives(there, kinds, lower, upper, choices, arms, signals, starts, n_arms, g_k, H_k, F_k)
            g += weights[k] * g_k
            H += weights[k] * H_k
            F += weights[k] * F_k
    return value
