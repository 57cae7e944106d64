"""The E-step of all people in one call, compiled: modes, Laplace's approximations, and nodes of quadrature.

Where nodes are a grid whose last coordinate is a weight, those that differ in it alone share their traces (`lines`).
"""

from math import exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np

from ..models.lines import _nll_line
from ..models.traces import unpacked
from ..numerics import _cholesky, _compiled, _exp, _solve, _vectorised
from .newton import DECREMENT, ENOUGH, GRID, _link, _log_likelihood, _log_prior, best_start, climb

HARD, LAPLACE, QUADRATURE = 0, 1, 2  # what is taken for the moments of a person
NEAR = 0.1  # how far moments, in units of those that a grid was placed by, may be from them for it to stay


class Box(NamedTuple):
    """theta of h: the kinds of links, and the box, all (D,)."""

    kinds: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


class Normal(NamedTuple):
    """h_j ~ N(centres[j], P^-1 / weight[j]) over the coordinates `free`: centres (J, d), P (d, d), weight (J,), and the
    logarithm of the density's constant at a weight of one."""

    free: np.ndarray
    centres: np.ndarray
    P: np.ndarray
    weight: np.ndarray
    constant: float


class Nodes(NamedTuple):
    """Nodes in standard units `unit` (N, d), the logarithms of their weights (N,), the rotations that people meet them in
    (turns, d, d), the `caution` with which moments follow them, how often they do, and how many nodes in turn differ in a last
    coordinate that is a weight (1: none)."""

    unit: np.ndarray
    log_weights: np.ndarray
    turns: np.ndarray
    caution: float
    placements: int
    line: int


class Found(NamedTuple):
    """What is found of people, as in `Expectation`, and where moments are known already, `placed` (J,)."""

    mode: np.ndarray
    m: np.ndarray
    V: np.ndarray
    evidence: np.ndarray
    n_eval: np.ndarray
    found: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    logs: np.ndarray
    placed: np.ndarray


@_compiled
def take(words, begins, links, prior, nodes, moments, out):
    """Fills `out` with the E-step of people whose episodes are packed in `words`, person j's from begins[j] on. Who is `placed`
    keeps the nodes that stand in `out`, or gets new ones by the moments m and V that stand there if these have moved; else
    modes are sought from those that stand there."""
    for j in range(begins.size):
        if out.placed[j] and not _moved(out.m[j], out.V[j], out.centre[j], out.scale[j]):
            out.found[j] = True
            continue
        episode = unpacked(words[begins[j] :])
        if not (out.placed[j] and _placed(j, episode, links, prior, nodes, out, 1)):
            _sought(j, episode, links, prior, nodes, moments, out)


@_compiled
def _moved(m, V, centre, scale):
    """Whether moments are so far from those that a grid was placed by, N(centre, scale scale'), scale lower triangular, that it
    should be placed anew: a mean by more than NEAR of its sds, or a variance or covariance by more than a share NEAR."""
    d = m.size
    z, half = np.empty(d), np.empty((d, d))
    for a in range(d):
        z[a] = m[a] - centre[a]
        for b in range(a):
            z[a] -= scale[a, b] * z[b]
        z[a] /= scale[a, a]
        for c in range(d):  # scale^-1 V
            half[a, c] = V[a, c]
            for b in range(a):
                half[a, c] -= scale[a, b] * half[b, c]
            half[a, c] /= scale[a, a]
    farthest = 0.0
    for a in range(d):
        farthest = max(farthest, abs(z[a]))
        for c in range(d):  # and times scale^-T
            for b in range(c):
                half[a, c] -= scale[c, b] * half[a, b]
            half[a, c] /= scale[c, c]
            farthest = max(farthest, abs(half[a, c] - (1.0 if a == c else 0.0)))
    return not farthest <= NEAR


@_compiled
def _sought(j, episode, links, prior, nodes, moments, out):
    """The E-step of person j from a mode."""
    h, free, mu, P = out.mode[j], prior.free, prior.centres[j], prior.weight[j] * prior.P
    d = free.size
    K, laplace, sd = np.empty((d, d)), np.empty((d, d)), np.empty(d)
    _inverse(P, laplace)
    for a in range(d):
        sd[a] = sqrt(laplace[a, a])
    if nodes.line > 1:
        n_start = _best_on_lines(h, episode, links, free, mu, sd, P)
        enough = ENOUGH  # nodes follow the moments, and the mode is only where they begin
    else:
        n_start = best_start(h, free, mu, sd, P, links.kinds, links.lower, links.upper, episode)
        enough = DECREMENT
    likelihood, n_climb, out.found[j] = climb(h, free, mu, P, links.kinds, links.lower, links.upper, episode, K, enough)
    out.n_eval[j] += n_start + n_climb
    if not out.found[j]:
        return
    for a in range(d):
        out.m[j, a] = h[free[a]]
    out.evidence[j] = likelihood + prior.constant + 0.5 * d * log(prior.weight[j]) + _log_prior(h, free, mu, P)
    if moments == HARD:
        return
    out.evidence[j] += 0.5 * d * log(2.0 * pi) + _inverse(K, laplace)
    out.V[j] = laplace
    if moments == LAPLACE:
        return
    # Nodes around the mode give moments, and nodes around these better ones; if those are too few, earlier ones remain.
    for placements in range(nodes.placements, 0, -1):
        for a in range(d):
            out.m[j, a] = h[free[a]]
        out.V[j] = laplace
        if _placed(j, episode, links, prior, nodes, out, placements):
            return


@_compiled
def _inverse(K, out):
    """Fills out with K^-1; half the logarithm of its determinant."""
    d = len(K)
    L, unit, column = np.zeros((d, d)), np.zeros(d), np.empty(d)
    _cholesky(K, L)
    half = 0.0
    for a in range(d):
        unit[:] = 0.0
        unit[a] = 1.0
        _solve(L, unit, column)
        out[:, a] = column
        half -= log(L[a, a])
    return half


@_compiled
def _best_on_lines(h, episode, links, free, mu, sd, P):
    """Moves h to the best of itself and GRID sds around mu in every coordinate, of at most two."""
    n, d = len(GRID), free.size
    unit, L = np.empty((n**d, d)), np.zeros((d, d))
    for k in range(len(unit)):
        for a in range(d):
            unit[k, a] = GRID[k // n ** (d - 1 - a) % n]
    for a in range(d):
        L[a, a] = sd[a]
    logs, there = np.empty(len(unit)), h.copy()
    best = _log_likelihood(h, links.kinds, links.lower, links.upper, episode) + _log_prior(h, free, mu, P)
    _at_nodes(mu, L, unit, n, h.copy(), links, free, episode, logs)
    for k in range(len(unit)):
        _node(mu, L, unit[k], free, there)
        value = logs[k] + _log_prior(there, free, mu, P)
        if value > best or best != best:
            best = value
            h[:] = there
    return 1 + len(unit)


@_compiled
def _placed(j, episode, links, prior, nodes, out, placements):
    """Places nodes of person j around the moments that stand in `out`, as often as asked, and moves the moments to what the
    nodes say. False if V was not positive definite or the likelihood not finite."""
    turn = nodes.turns[j % len(nodes.turns)]
    out.found[j] = True
    for _ in range(placements):
        out.centre[j] = out.m[j]
        out.n_eval[j] += len(nodes.unit)
        if not _quadrature(out.m[j], out.V[j], turn, nodes, out.mode[j], links, prior, j, episode, out.scale[j], out.logs[j]):
            out.found[j] = False
            break
    return out.found[j]


@_compiled
def _quadrature(m, V, turn, nodes, h, links, prior, j, episode, L, logs):
    """Places nodes at m + L unit (N, d), V = L L', L Cholesky's factor turned by the orthogonal `turn` (d, d), and fills logs
    (N,) with log p(y | h) plus the rule's log weight; m and V become the moments that follow. False if V was not positive
    definite or the likelihood not finite.

    The fewer nodes carry the weight, the less they can say of V: the moments move only by the share ess / (ess + caution d)
    towards what they say, with ess the effective number of nodes.
    """
    N, d = nodes.unit.shape
    free, mu, P = prior.free, prior.centres[j], prior.weight[j] * prior.P
    factor = np.zeros((d, d))
    if not _cholesky(V, factor):
        return False
    for a in range(d):
        for b in range(d):
            L[a, b] = 0.0
            for c in range(a + 1):
                L[a, b] += factor[a, c] * turn[c, b]
    there, r, offset, mean, second = h.copy(), np.empty(N), np.empty(d), np.zeros(d), np.zeros((d, d))
    volume = 0.0
    for a in range(d):
        volume += log(factor[a, a])
    _at_nodes(m, L, nodes.unit, nodes.line, there, links, free, episode, logs)
    top = -np.inf
    for k in range(N):
        _node(m, L, nodes.unit[k], free, there)
        logs[k] += volume + nodes.log_weights[k]
        r[k] = logs[k] + _log_prior(there, free, mu, P)
        top = max(top, r[k])
    total, squares = 0.0, 0.0
    for k in range(N):
        r[k] = exp(r[k] - top)
        total += r[k]
        squares += r[k] * r[k]
    for k in range(N):
        _node(m, L, nodes.unit[k], free, there)
        weight = r[k] / total
        for a in range(d):
            offset[a] = there[free[a]] - m[a]
            mean[a] += weight * offset[a]
            for b in range(a + 1):
                second[a, b] += weight * offset[a] * offset[b]
    ess = total * total / squares
    share = ess / (ess + nodes.caution * d)
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
def _at_nodes(m, L, unit, line, there, links, free, episode, logs):
    """Fills logs (N,) with log p(y | h) at h = m + L unit over the free coordinates and `there` elsewhere."""
    if line == 1:
        for k in range(len(unit)):
            _node(m, L, unit[k], free, there)
            logs[k] = _log_likelihood(there, links.kinds, links.lower, links.upper, episode)
        return
    place, last = free[-1], m.size - 1
    theta, weights = np.empty(there.size), np.empty(line)
    for first in range(0, len(unit), line):
        _node(m, L, unit[first], free, there)
        for k in range(there.size):
            theta[k] = _link(links.kinds[k], there[k], links.lower[k], links.upper[k])[0]
        for k in range(line):
            h = m[last]
            for b in range(m.size):
                h += L[last, b] * unit[first + k, b]
            weights[k] = _link(links.kinds[place], h, links.lower[place], links.upper[place])[0]
        _nll_line(episode, theta, place, weights, logs[first : first + line])
    for k in range(len(unit)):
        logs[k] = -logs[k]


@_compiled
def weighed(out, prior, unit, r):
    """Fills r (J, N) with the posterior weights of the nodes of each person, m and V of `out` with their moments and `evidence`
    with log p(y)."""
    N, d = unit.shape
    L, A, b = np.zeros((d, d)), np.empty((d, d)), np.empty(d)
    _cholesky(prior.P, L)  # P = L L': with a weight of one the prior's square is that of L' (h - its mean), or b + A unit
    for j in range(len(out.m)):
        root = sqrt(prior.weight[j])
        for a in range(d):
            b[a] = 0.0
            for c in range(a, d):
                b[a] += root * L[c, a] * (out.centre[j, c] - prior.centres[j, c])
            for e in range(d):
                A[a, e] = 0.0
                for c in range(a, d):
                    A[a, e] += root * L[c, a] * out.scale[j, c, e]
        out.evidence[j] = prior.constant + d * log(root) + _weights(out.logs[j], A, b, unit, r[j])
        _moments(unit, r[j], out.centre[j], out.scale[j], out.m[j], out.V[j])


@_vectorised
def _weights(logs, A, b, unit, r):
    """Fills r (N,), summing to one, in proportion to exp(logs - (b + A unit)^2 / 2), and returns the logarithm of their sum."""
    top = -np.inf
    for k in range(r.size):
        square = 0.0
        for a in range(b.size):
            z = b[a]
            for c in range(b.size):
                z += A[a, c] * unit[k, c]
            square += z * z
        r[k] = logs[k] - 0.5 * square
        top = max(top, r[k])
    total = 0.0
    for k in range(r.size):
        r[k] = _exp(r[k] - top)
        total += r[k]
    for k in range(r.size):
        r[k] /= total
    return top + log(total)


@_vectorised
def _moments(unit, r, centre, scale, m, V):
    """Fills m (d,) and V (d, d) with the moments of centre + scale unit under weights r."""
    d = m.size
    mean, spread = np.zeros(d), np.zeros((d, d))
    for k in range(r.size):
        for a in range(d):
            mean[a] += r[k] * unit[k, a]
    for k in range(r.size):
        for a in range(d):
            off = r[k] * (unit[k, a] - mean[a])
            for b in range(a + 1):
                spread[a, b] += off * (unit[k, b] - mean[b])
    for a in range(d):
        for b in range(a):
            spread[b, a] = spread[a, b]
    turned = np.zeros((d, d))
    for a in range(d):
        m[a] = centre[a]
        for b in range(d):
            m[a] += scale[a, b] * mean[b]
            for c in range(d):
                turned[a, b] += scale[a, c] * spread[c, b]
    for a in range(d):
        for b in range(d):
            V[a, b] = 0.0
            for c in range(d):
                V[a, b] += turned[a, c] * scale[b, c]
