"""Convex fits over non-negative combinations of kernels, compiled: the step kernels of the published relaxation and the
geometric kernels of its convex hull.

Kernels are g_k = sum_n w_n k_n with w >= 0, one such sum per block k (a signal and an arm, or a signal where the arms
share parameters), and values are x = sum_n w_n C_n, where the column C_n is the trace that kernel k_n leaves. J is convex
in w. At any w, with residuals r = p - y and the cross-correlation c_k[j] = sum_t,i r(t)[i] u(t-1-j)[i], the slope of J
along a kernel k is phi_k = sum_j c_k[j] k[j], so columns not yet in the sum are priced without being built, and convexity

    J(g') >= J(g) - sum_n w_n phi_n + sum_k min over admissible kernels k' of block k of sum_j c_k[j] k'[j]

bounds J below over everything that is admissible. Each round prices the columns, lets in the best, and takes a Newton
step in w whose quadratic model is solved exactly, with its bounds, by an active set. Geometric kernels also move: their
rates a enter the same Newton step (the curvature of J in a is that of the columns plus w phi''(a)), so that a measure
with few atoms is found to rounding error (fully corrective column generation with sliding: Boyd, Schiebinger & Recht,
SIAM J. Optim. 27 (2017), section 3; Denoyelle et al., Inverse Problems 36 (2020), section 4).
"""

from typing import NamedTuple

import numpy as np

from ..models.likelihood import Problem
from ..numerics import _compiled
from .arrays import _inner_product

# Newton's model has this much more of its diagonal, as a proximal term: equal columns would make it singular.
_RIDGE = 1e-10
# Twice the unit roundoff of float64: a sum of n terms errs by at most n / 2 of it times the sum of their magnitudes.
_EPS = np.finfo(np.float64).eps


class Episode(NamedTuple):
    """The arrays of a Problem as the compiled solvers want them. `u` (signals, arms, steps): the signals, each block's divided
    by its `scale` (blocks,), the power of two at or below the largest, so that no digit changes and solvers see signals of
    about one (arms may be paid in very different coin); `ends` (steps,): where the session of each step ends; `lags`: the
    longest history a kernel can see; `blocks`: kernels to be found."""

    choices: np.ndarray
    arms: np.ndarray
    u: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    lags: int
    shared: bool
    blocks: int
    scale: np.ndarray


def episode(problem: Problem) -> Episode:
    """The Episode of a Problem."""
    steps = np.arange(problem.n_steps)
    u = np.zeros((*problem.full_shape, problem.n_steps))
    seen = problem.arms >= 0
    u[:, problem.arms[seen], steps[seen]] = problem.signals[:, seen]
    largest = np.abs(u).max(axis=2)
    if problem.model.shared:
        largest = largest.max(axis=1, keepdims=True)
    scale = np.ldexp(1.0, np.where(largest > 0.0, np.frexp(largest)[1] - 1, 0))
    u /= scale[..., None]
    edges = np.append(np.flatnonzero(problem.starts), problem.n_steps)
    lengths = np.diff(edges)
    ends = np.repeat(edges[1:], lengths)
    return Episode(
        problem.choices,
        problem.arms,
        u,
        problem.starts,
        ends,
        max(int(lengths.max()) - 1, 1),
        problem.model.shared,
        int(np.prod(problem.shape)),
        scale.ravel(),
    )


class Box(NamedTuple):
    """The bounds of each block (blocks,): of the rates a = alpha, and of the masses sum_n w_n = beta times the scale."""

    a_low: np.ndarray
    a_high: np.ndarray
    mass_low: np.ndarray
    mass_high: np.ndarray

    @classmethod
    def of(cls, problem: Problem, ep: Episode) -> "Box":
        """The box of a problem's parameters."""
        a_low, mass_low = problem.split(problem.lower)
        a_high, mass_high = problem.split(problem.upper)
        return cls(a_low.flatten(), a_high.flatten(), mass_low.ravel() * ep.scale, mass_high.ravel() * ep.scale)


@_compiled
def _likelihood(choices, x, p, r):
    """J of values x (arms, steps); fills the policy p and the residuals r, both zero where nothing is scored."""
    m, n_steps = x.shape
    nll = 0.0
    for t in range(n_steps):
        y = choices[t]
        if y < 0:
            for i in range(m):
                p[i, t] = r[i, t] = 0.0
            continue
        top = x[0, t]
        for i in range(1, m):
            top = max(top, x[i, t])
        total = 0.0
        for i in range(m):
            p[i, t] = np.exp(x[i, t] - top)
            total += p[i, t]
        nll += np.log(total) + top - x[y, t]
        for i in range(m):
            p[i, t] /= total
            r[i, t] = p[i, t]
        # 1 - p of the chosen arm, free of cancellation: residuals of near-certain choices decide separable episodes
        r[y, t] = 0.0
        rest = 0.0
        for i in range(m):
            rest += r[i, t]
        r[y, t] = -rest
    return nll


@_compiled
def _inner(choices, x, r):
    """The product of residuals r with values x, both (arms, steps), and the sum of its terms' magnitudes. Residuals of a step
    sum to zero, so x may be taken relative to the chosen arm's, which keeps the terms small where values are large."""
    total = 0.0
    magnitude = 0.0
    for t in range(x.shape[1]):
        y = choices[t]
        if y < 0:
            continue
        for i in range(x.shape[0]):
            term = r[i, t] * (x[i, t] - x[y, t])
            total += term
            magnitude += abs(term)
    return total, magnitude


@_compiled
def _sizes(ep):
    """Per block, shape (blocks, 3): how many signals it has that are not zero, the largest, and the sum of squares."""
    sizes = np.zeros((ep.blocks, 3))
    for k in range(ep.blocks):
        s, first, count = _arms_of(ep, k)
        for i in range(first, first + count):
            for t in range(ep.u.shape[2]):
                u = abs(ep.u[s, i, t])
                if u != 0.0:
                    sizes[k, 0] += 1.0
                    sizes[k, 1] = max(sizes[k, 1], u)
                    sizes[k, 2] += u * u
    return sizes


@_compiled
def _rounding(ep, sizes, J, magnitude, r, mass_high, extra):
    """How far rounding may have lifted a bound that is made of J, of the product of `_inner` whose terms have this
    `magnitude`, and of masses of at most mass_high times phi, `sizes` as above; `extra` is how many terms are summed on top of
    c's.

    J is a sum over steps, c[k, j] one over the steps with a signal. Errors in the residuals themselves only count squared:
    the bound holds at whatever residuals, and is at its highest at those of x (the dual of J, see Boyd & Vandenberghe,
    Convex Optimization, 2004, section 5.1.6).
    """
    m, n_steps = r.shape
    slack = (n_steps + m + 4.0) * (J + magnitude) + n_steps * (m + 4.0)
    largest, squares = np.zeros(m), np.zeros(m)
    for i in range(m):
        for t in range(n_steps):
            largest[i] += abs(r[i, t])
            squares[i] += r[i, t] * r[i, t]
    for k in range(mass_high.size):
        _, first, count = _arms_of(ep, k)
        # By Hoelder's and by Cauchy and Schwarz's inequality.
        of_largest = of_squares = 0.0
        for i in range(first, first + count):
            of_largest += largest[i]
            of_squares += squares[i]
        most = min(sizes[k, 1] * of_largest, np.sqrt(sizes[k, 2] * of_squares))
        slack += mass_high[k] * (sizes[k, 0] + m + extra + 4.0) * most
    return _EPS * slack


@_compiled
def _correlate(ep, r):
    """c (blocks, lags): the slope of J along each lag of each block's kernel."""
    m = r.shape[0]
    c = np.zeros((ep.blocks, ep.lags))
    for t in range(r.shape[1]):
        i = ep.arms[t]
        if i < 0:
            continue
        n = ep.ends[t] - t - 1
        for s in range(ep.u.shape[0]):
            u = ep.u[s, i, t]
            if u != 0.0:
                k = s if ep.shared else s * m + i
                for j in range(n):
                    c[k, j] += u * r[i, t + 1 + j]
    return c


@_compiled
def _arms_of(ep, block):
    """Where the columns of a block live: its signal, its first arm and how many arms."""
    m = ep.u.shape[1]
    if ep.shared:
        return block, 0, m
    return block // m, block % m, 1


@_compiled
def _step_column(ep, block, length, column):
    """The trace of the kernel 1[j < length]: the sum of the last `length` signals of the session."""
    s, first, n = _arms_of(ep, block)
    n_steps = ep.u.shape[2]
    for i in range(n):
        total = 0.0
        start = 0
        for t in range(n_steps):
            if ep.starts[t]:
                total = 0.0
                start = t
            column[i * n_steps + t] = total
            total += ep.u[s, first + i, t]
            if t - length >= start:
                total -= ep.u[s, first + i, t - length]


@_compiled
def _geometric_column(ep, block, a, column, slope):
    """The trace of the kernel a (1 - a)^j, and its derivative in a."""
    s, first, n = _arms_of(ep, block)
    n_steps = ep.u.shape[2]
    for i in range(n):
        h = 0.0
        d = 0.0
        for t in range(n_steps):
            if ep.starts[t]:
                h = 0.0
                d = 0.0
            column[i * n_steps + t] = h
            slope[i * n_steps + t] = d
            u = ep.u[s, first + i, t]
            d = (1.0 - a) * d + (u - h)
            h = (1.0 - a) * h + a * u


@_compiled
def _width(ep):
    return ep.u.shape[2] * (ep.u.shape[1] if ep.shared else 1)


@_compiled
def _values(ep, columns, block, w):
    """x (arms, steps) = sum_n w_n C_n."""
    m, n_steps = ep.u.shape[1], ep.u.shape[2]
    x = np.zeros((m, n_steps))
    for n in range(w.size):
        if w[n] != 0.0:
            _, first, count = _arms_of(ep, block[n])
            for i in range(count):
                for t in range(n_steps):
                    x[first + i, t] += w[n] * columns[n, i * n_steps + t]
    return x


@_compiled
def _slopes(ep, columns, block, r):
    """The derivative of J along each column."""
    n_steps = ep.u.shape[2]
    g = np.zeros(block.size)
    for n in range(block.size):
        _, first, count = _arms_of(ep, block[n])
        for i in range(count):
            g[n] += _inner_product(columns[n, i * n_steps : (i + 1) * n_steps], r[first + i])
    return g


@_compiled
def _products(a, b):
    """The inner products of the rows of a and b."""
    return np.dot(a, b.T)


@_compiled
def _curvature(ep, columns, block, p, r):
    """The second derivatives of J along the columns: sum_t [ sum_i p_i C_i C'_i - (sum_i p_i C_i) (sum_i p_i C'_i) ],
    with a ridge. Arranged so that steps with a near-certain choice keep their small terms: C is taken relative to the
    chosen arm, 1 - p from the residuals."""
    size = block.size
    m, n_steps = p.shape
    if ep.shared:
        relative, weighted = np.empty_like(columns), np.empty_like(columns)
        mean = np.zeros((size, n_steps))
        for n in range(size):
            for i in range(m):
                for t in range(n_steps):
                    y = ep.choices[t]
                    chosen = columns[n, y * n_steps + t] if y >= 0 else 0.0
                    there = columns[n, i * n_steps + t] - chosen
                    relative[n, i * n_steps + t] = there
                    weighted[n, i * n_steps + t] = there * p[i, t]
                    mean[n, t] += there * p[i, t]
        curvature = _products(weighted, relative)
        less = _products(mean, mean)
        for n in range(size):
            for o in range(size):
                curvature[n, o] -= less[n, o]
    else:
        weighted = np.empty_like(columns)
        spread = np.empty_like(columns)
        for n in range(size):
            i = block[n] % m
            for t in range(n_steps):
                weighted[n, t] = columns[n, t] * p[i, t]
                spread[n, t] = weighted[n, t] * (-r[i, t] if ep.choices[t] == i else 1.0 - p[i, t])
        curvature = _products(weighted, weighted)
        same = _products(spread, columns)
        for n in range(size):
            for o in range(size):
                curvature[n, o] = same[n, o] if block[n] % m == block[o] % m else -curvature[n, o]
    for n in range(size):
        curvature[n, n] = curvature[n, n] * (1.0 + _RIDGE) + 1e-12
    return curvature


@_compiled
def _geometric_columns(ep, block, a):
    columns = np.empty((a.size, _width(ep)))
    slopes = np.empty((a.size, _width(ep)))
    for n in range(a.size):
        _geometric_column(ep, block[n], a[n], columns[n], slopes[n])
    return columns, slopes
