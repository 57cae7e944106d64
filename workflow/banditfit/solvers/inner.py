"""The M-step, and EM on given nodes until they no longer serve, compiled; `em` says what is maximised."""

from math import log, pi

import numpy as np

from ..numerics import _compiled
from .members import Normal, _inverse, weighed


@_compiled
def maximised(first, second, J, total, origin, start, Sigma, mu):
    """The M-step of mu (d,) and Sigma (d, d), both overwritten, from the sums of `statistics` over J participants whose weights
    sum to `total`."""
    d = first.size
    nu = d + 1
    P = np.empty((d, d))
    _inverse(Sigma, P)
    for a in range(d):
        mu[a] = (first[a] + origin[a]) / (total + 1.0)
    for a in range(d):
        for b in range(d):
            spread = second[a, b] - first[a] * mu[b] - mu[a] * first[b] + total * mu[a] * mu[b]
            pull = (mu[a] - origin[a]) * (mu[b] - origin[b]) + start[a, b]
            if a == b:
                pull += nu / P[a, a]
            Sigma[a, b] = (spread + pull) / (J + 2 + nu)


@_compiled
def statistics(m, V, found, weight, explained, first, second):
    """Fills `first` (d,) and `second` (d, d) with weighted sums over the participants found of m, less what is `explained` of
    it (J, d), and of its square with V; how many were found, and the sum of their weights."""
    first[:] = 0.0
    second[:] = 0.0
    J, total = 0, 0.0
    for j in range(len(m)):
        if found[j]:
            J += 1
            total += weight[j]
            for a in range(first.size):
                off = weight[j] * (m[j, a] - explained[j, a])
                first[a] += off
                for b in range(first.size):
                    second[a, b] += off * (m[j, b] - explained[j, b]) + weight[j] * V[j, a, b]
    return J, total


@_compiled
def raised(m, V, found, weight, design, fitted, origin, start, mu, effects, Sigma, explained):
    """The M-step of effects (C, d), then of mu (d,) and Sigma (d, d), all overwritten, and `explained` (J, d), what of
    anybody's mean is due to the effects. `fitted` (C, J), the pseudoinverse of the `design` (J, C) of those found, gives least
    squares."""
    d = mu.size
    for c in range(len(effects)):
        effects[c] = 0.0
    for j in range(len(m)):
        if found[j]:
            for c in range(len(effects)):
                for a in range(d):
                    effects[c, a] += fitted[c, j] * (m[j, a] - mu[a])
    for j in range(len(m)):
        for a in range(d):
            explained[j, a] = 0.0
            for c in range(len(effects)):
                explained[j, a] += design[j, c] * effects[c, a]
    first, second = np.empty(d), np.empty((d, d))
    J, total = statistics(m, V, found, weight, explained, first, second)
    maximised(first, second, J, total, origin, start, Sigma, mu)


@_compiled
def reweighted(m, V, centres, P, freedom, weight):
    """Fills weight (J,) with the means (freedom + d) / (freedom + E[(h_j - centre)' P (h_j - centre)]) of the scales of
    Student's
    t; they stay where there is no `freedom`, of a normal population."""
    if freedom == 0.0:
        return
    d = len(P)
    for j in range(len(m)):
        square = 0.0
        for a in range(d):
            for b in range(d):
                square += P[a, b] * ((m[j, a] - centres[j, a]) * (m[j, b] - centres[j, b]) + V[j, a, b])
        weight[j] = (freedom + d) / (freedom + square)


@_compiled
def on_nodes(out, free, unit, r, freedom, weight, design, fitted, origin, start, mu, effects, Sigma, steps, tolerance, support):
    """EM steps of mu, effects, Sigma and weights, overwritten, on the nodes of one E-step, whose weights r (J, N), moments and
    evidence follow. They end when a step changes the population by less than `tolerance`, or where the median effective number
    of nodes has fallen to the share `support`: those no longer support the population that moves away from them, and its
    likelihood on them would be fiction."""
    J, d = out.m.shape
    explained, before, P = np.zeros((J, d)), np.zeros((J, d)), np.empty((d, d))
    centres, sd, old_mu, old_Sigma = np.empty((J, d)), np.empty(d), np.empty(d), np.empty((d, d))
    for j in range(J):
        for a in range(d):
            for c in range(len(effects)):
                before[j, a] += design[j, c] * effects[c, a]
    at_first = _effective(r, out.found)
    for _ in range(steps):
        old_mu[:] = mu
        old_Sigma[:] = Sigma
        raised(out.m, out.V, out.found, weight, design, fitted, origin, start, mu, effects, Sigma, explained)
        half = _inverse(Sigma, P)
        change = 0.0
        for a in range(d):
            sd[a] = np.sqrt(Sigma[a, a])
        for a in range(d):
            change = max(change, abs(mu[a] - old_mu[a]) / sd[a])
            for b in range(d):
                change = max(change, abs(Sigma[a, b] - old_Sigma[a, b]) / (sd[a] * sd[b]))
        for j in range(J):
            for a in range(d):
                centres[j, a] = mu[a] + explained[j, a]
                change = max(change, abs(explained[j, a] - before[j, a]) / sd[a])
                before[j, a] = explained[j, a]
        reweighted(out.m, out.V, centres, P, freedom, weight)
        weighed(out, Normal(free, centres, P, weight, half - 0.5 * d * log(2.0 * pi)), unit, r)
        if change < tolerance or _effective(r, out.found) < support * at_first:
            break


@_compiled
def _effective(r, found):
    """The effective number of nodes per participant found, the median."""
    each = np.empty(len(r))
    n = 0
    for j in range(len(r)):
        if found[j]:
            total = 0.0
            for k in range(r.shape[1]):
                total += r[j, k] * r[j, k]
            each[n] = 1.0 / total
            n += 1
    return np.median(each[:n])
