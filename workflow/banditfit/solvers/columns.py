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

# Newton's model has this much more of its diagonal, as a proximal term: equal columns would make it singular.
_RIDGE = 1e-10
# Twice the unit roundoff of float64: a sum of n terms errs by at most n / 2 of it times the sum of their magnitudes.
_EPS = np.finfo(np.float64).eps
# Where phi is scanned for the next atom: enough for every local minimum that matters, as wrong ones only cost a round.
_SCAN = 24
# How many cells of phi are halved before less precision is asked for; fifty are usual.
_CELLS = 500
# Atoms of one block at most; two or three are usual, and many where enormous masses hang on the last digits of a rate.
_CROWD = 12
# Where masses may be so many times what is found (or one, if that is more), slow atoms are tried much slower and heavier.
_WIDE = 100.0


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
            p[:, t] = 0.0
            r[:, t] = 0.0
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
        most = min(
            sizes[k, 1] * largest[first : first + count].sum(),
            np.sqrt(sizes[k, 2] * squares[first : first + count].sum()),
        )
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
            g[n] += np.dot(columns[n, i * n_steps : (i + 1) * n_steps], r[first + i])
    return g


@_compiled
def _curvature(ep, columns, block, p, r):
    """The second derivatives of J along the columns: sum_t [ sum_i p_i C_i C'_i - (sum_i p_i C_i) (sum_i p_i C'_i) ],
    with a ridge. Arranged so that steps with a near-certain choice keep their small terms: C is taken relative to the
    chosen arm, 1 - p from the residuals."""
    size = block.size
    m, n_steps = p.shape
    if ep.shared:
        relative = columns.copy()
        for t in range(n_steps):
            y = ep.choices[t]
            if y >= 0:
                for n in range(size):
                    chosen = columns[n, y * n_steps + t]
                    for i in range(m):
                        relative[n, i * n_steps + t] -= chosen
        weighted = relative * np.ascontiguousarray(p).reshape(m * n_steps)
        mean = weighted[:, :n_steps].copy()
        for i in range(1, m):
            mean += weighted[:, i * n_steps : (i + 1) * n_steps]
        curvature = np.dot(weighted, relative.T) - np.dot(mean, mean.T)
    else:
        weighted = np.empty_like(columns)
        spread = np.empty_like(columns)
        for n in range(size):
            i = block[n] % m
            for t in range(n_steps):
                weighted[n, t] = columns[n, t] * p[i, t]
                spread[n, t] = weighted[n, t] * (-r[i, t] if ep.choices[t] == i else 1.0 - p[i, t])
        curvature = -np.dot(weighted, weighted.T)
        same = np.dot(spread, columns.T)
        for n in range(size):
            for o in range(size):
                if block[n] % m == block[o] % m:
                    curvature[n, o] = same[n, o]
    for n in range(size):
        curvature[n, n] = curvature[n, n] * (1.0 + _RIDGE) + 1e-12
    return curvature


@_compiled
def _is_positive(matrix):
    """Whether a symmetric matrix is positive definite (Cholesky)."""
    n = matrix.shape[0]
    root = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            value = matrix[i, j] - np.dot(root[i, :j], root[j, :j])
            if i > j:
                root[i, j] = value / root[j, j]
            elif not value > 0.0:
                return False
            else:
                root[i, i] = np.sqrt(value)
    return True


@_compiled
def _solution(system, right, size):
    """The solution of a symmetric system, `size` rows of curvature and then those of constraints. Where rounding has made it
    singular the curvature gets ever more of a ridge; zeros if that does not help either, as where it is not finite."""
    ridge = 0.0
    for _ in range(6):
        try:
            found = np.linalg.solve(system, right)
            if np.isfinite(found.sum()):
                return found
        except Exception:  # numba knows no narrower one: singular to the last bit, or not finite
            pass
        ridge = max(100.0 * ridge, 1e-10)
        for a in range(size):
            system[a, a] += ridge * max(abs(system[a, a]), 1e-12)
    return np.zeros(right.size)


@_compiled
def _quadratic_step(H, g, low, high, block, mass_low, mass_high):
    """The step d that minimises d'Hd / 2 + g'd with low <= d <= high and mass_low[k] <= sum of d over block k <=
    mass_high[k], by a primal active set from d = 0, which must be feasible. Variables of block -1 have no mass."""
    n = g.size
    n_blocks = mass_low.size
    d = np.zeros(n)
    state = np.zeros(n, np.int64)  # 0 free, -1 at low, 1 at high
    tight = np.zeros(n_blocks, np.int64)  # the same for the masses
    mass = np.zeros(n_blocks)
    for i in range(n):
        if low[i] >= 0.0 and (g[i] > 0.0 or high[i] <= low[i]):
            state[i] = -1
        elif high[i] <= 0.0 and g[i] < 0.0:
            state[i] = 1
    for k in range(n_blocks):
        if mass_high[k] <= mass_low[k]:
            tight[k] = 1
    tolerance = 1e-14 + 1e-10 * np.abs(g).max()
    row = np.empty(n_blocks, np.int64)
    for _ in range(20 + 2 * n):
        free = np.flatnonzero(state == 0)
        row[:] = -1
        size = free.size
        for i in free:
            k = block[i]
            if k >= 0 and tight[k] != 0 and row[k] < 0:
                row[k] = size
                size += 1
        gradient = g + np.dot(H, d)
        step = np.zeros(size)
        if size > 0:
            system = np.zeros((size, size))
            right = np.zeros(size)
            for a in range(free.size):
                i = free[a]
                right[a] = -gradient[i]
                for b in range(free.size):
                    system[a, b] = H[i, free[b]]
                k = block[i]
                if k >= 0 and row[k] >= 0:
                    system[a, row[k]] = 1.0
                    system[row[k], a] = 1.0
            step = _solution(system, right, free.size)
        length = 1.0
        hit = -1  # the variable, or n + block, that stops the step
        push = np.zeros(n_blocks)
        for a in range(free.size):
            i = free[a]
            room = low[i] - d[i] if step[a] < 0.0 else high[i] - d[i]
            if step[a] != 0.0 and room / step[a] < length:
                length = max(room / step[a], 0.0)
                hit = i
            if block[i] >= 0:
                push[block[i]] += step[a]
        for k in range(n_blocks):
            if tight[k] == 0 and push[k] != 0.0:
                room = mass_low[k] - mass[k] if push[k] < 0.0 else mass_high[k] - mass[k]
                if room / push[k] < length:
                    length = max(room / push[k], 0.0)
                    hit = n + k
        for a in range(free.size):
            d[free[a]] += length * step[a]
        for k in range(n_blocks):
            if tight[k] == 0:
                mass[k] += length * push[k]
        if hit >= n:
            tight[hit - n] = -1 if push[hit - n] < 0.0 else 1
            continue
        if hit >= 0:
            state[hit] = -1 if low[hit] - d[hit] > -(high[hit] - d[hit]) else 1
            d[hit] = low[hit] if state[hit] < 0 else high[hit]
            continue
        # At the minimum of this face: let go of the bound that most wants to be left, or stop.
        gradient = g + np.dot(H, d)
        level = np.zeros(n_blocks)
        for a in range(free.size):
            k = block[free[a]]
            if k >= 0 and row[k] >= 0:
                level[k] = gradient[free[a]]
        worst = tolerance
        leave = -1
        for i in range(n):
            if state[i] != 0 and high[i] > low[i]:
                price = gradient[i] - (level[block[i]] if block[i] >= 0 else 0.0)
                if state[i] * price > worst:
                    worst = state[i] * price
                    leave = i
        for k in range(n_blocks):
            if tight[k] != 0 and mass_high[k] > mass_low[k] and tight[k] * level[k] > worst:
                worst = tight[k] * level[k]
                leave = n + k
        if leave < 0:
            break
        if leave < n:
            state[leave] = 0
        else:
            tight[leave - n] = 0
    return d


# ---------------------------------------------------------------------------------------------------------------------
# phi(a) = sum_j c[j] a (1 - a)^j as a polynomial sum_j e[j] q^j in q = 1 - a, and its least value over an interval.


@_compiled
def _polynomial(c):
    e = np.empty(c.size + 1)
    e[0] = c[0]
    for j in range(1, c.size):
        e[j] = c[j] - c[j - 1]
    e[c.size] = -c[c.size - 1]
    return e


@_compiled
def _phi(e, a):
    """phi, phi' and phi'' at a, by Horner's rule."""
    q = 1.0 - a
    f = f1 = f2 = 0.0
    for j in range(e.size - 1, -1, -1):
        f2 = f2 * q + f1
        f1 = f1 * q + f
        f = f * q + e[j]
    return f, -f1, 2.0 * f2


@_compiled
def _jet(e, q):
    """In q: value, slope, curvature, and a bound on the third derivative that holds on all of [0, q]; then sums of the
    magnitudes behind the first three, sum_j |e_j| C(j, k) q^(j-k), which `_error` asks for."""
    f = f1 = f2 = b = b1 = b2 = b3 = 0.0
    for j in range(e.size - 1, -1, -1):
        f2 = f2 * q + f1
        f1 = f1 * q + f
        f = f * q + e[j]
        b3 = b3 * q + b2
        b2 = b2 * q + b1
        b1 = b1 * q + b
        b = b * q + abs(e[j])
    return f, f1, 2.0 * f2, 6.0 * b3 * (1.0 + 2.0 * _EPS * e.size), b, b1, b2


@_compiled
def _error(h, jet):
    """How far rounding may have moved a bound on phi over the cell of width h whose end of larger q has this jet.

    By Horner's rule the term of e_j errs by 2 j + 1 roundings, e_j itself by one, and the cell's own ends count as two;
    the slope stands in the bound times h, the curvature times h^2 / 2 at most.
    """
    return _EPS * (jet[4] + 3.0 * jet[5] + h * (2.0 * jet[6] + 2.0 * jet[5]) + h * h * (0.5 * jet[3] + 2.5 * jet[6]))


@_compiled
def _cell_bound(h, left, right):
    """A lower bound of phi on a cell of width h in q, from the jets at its ends, rounding accounted for.

    The curvature is 6 sum_j |e_j| C(j,3) q^(j-3)-Lipschitz, so it lies within [least, most] on the cell; phi is then at
    least each end's parabola of curvature `least`, and at least the chord less most h^2 / 8.
    """
    least = 0.5 * (left[2] + right[2] - h * right[3])
    most = 0.5 * (left[2] + right[2] + h * right[3])
    best = min(left[0], right[0]) - max(most, 0.0) * h * h / 8.0
    for value, slope in ((left[0], left[1]), (right[0], -right[1])):
        low = min(value, value + h * (slope + 0.5 * least * h))
        if least > 0.0 and slope < 0.0 and -slope < least * h:
            low = value - 0.5 * slope * slope / least
        best = max(best, low)
    return min(best, left[0], right[0]) - _error(h, right)


@_compiled
def _least(e, a_low, a_high, tolerance, start):
    """The least value of phi on [a_low, a_high]: (where, value there, a rigorous lower bound within `tolerance` of it, or as
    near as rounding allows).

    `start` is a rate thought to be near the minimum. Cells are halved until each one's bound is within the tolerance of
    the best value met; nothing is sampled. The tolerance doubles with every _CELLS of them, so that there is an end where
    masses are so large that it is next to nothing.
    """
    where = start
    if a_high <= a_low:
        jet = _jet(e, 1.0 - a_low)
        return a_low, jet[0], jet[0] - _error(0.0, jet)
    value = _phi(e, start)[0]
    capacity = 80
    qs = np.empty((capacity, 2))
    jets = np.empty((capacity, 2, 7))
    top = 0
    # First cells in proportion to a: phi varies on the scale of a itself, down to one over the number of lags.
    offset = 1.0 / e.size
    first = 1 + int(4.0 * np.log((a_high + offset) / (a_low + offset)))
    ratio = ((a_high + offset) / (a_low + offset)) ** (1.0 / first)
    left = 1.0 - a_high
    left_jet = _jet(e, left)
    edge = a_high + offset
    for n in range(first):
        edge /= ratio
        right = 1.0 - a_low if n == first - 1 else 1.0 - (edge - offset)
        right_jet = _jet(e, right)
        qs[top, 0], qs[top, 1] = left, right
        for f in range(7):
            jets[top, 0, f] = left_jet[f]
            jets[top, 1, f] = right_jet[f]
        if left_jet[0] < value:
            where, value = 1.0 - left, left_jet[0]
        if right_jet[0] < value:
            where, value = 1.0 - right, right_jet[0]
        left, left_jet = right, right_jet
        top += 1
    bound = np.inf
    halved = 0
    while top > 0:
        top -= 1
        left, right = qs[top, 0], qs[top, 1]
        cell = _cell_bound(right - left, jets[top, 0], jets[top, 1])
        middle = 0.5 * (left + right)
        near = max(tolerance, 3.0 * _error(0.0, jets[top, 1]))
        if cell >= value - near or not left < middle < right or top + 2 > capacity:
            bound = min(bound, cell)
            continue
        jet = _jet(e, middle)
        if jet[0] < value:
            where, value = 1.0 - middle, jet[0]
        halved += 1
        if halved % _CELLS == 0:
            tolerance *= 2.0
        qs[top, 1] = middle
        qs[top + 1, 0], qs[top + 1, 1] = middle, right
        for f in range(7):
            jets[top + 1, 1, f] = jets[top, 1, f]
            jets[top, 1, f] = jet[f]
            jets[top + 1, 0, f] = jet[f]
        top += 2
    return min(max(where, a_low), a_high), value, min(bound, value)


@_compiled
def _scan(e, grid):
    """A rate at which phi is about least over the grid (ascending), polished within its neighbours by Newton's method."""
    q = 1.0 - grid
    phi = np.zeros(grid.size)
    for j in range(e.size - 1, -1, -1):
        for n in range(grid.size):
            phi[n] = phi[n] * q[n] + e[j]
    best = int(np.argmin(phi))
    low = grid[max(best - 1, 0)]
    high = grid[min(best + 1, grid.size - 1)]
    a = grid[best]
    value = phi[best]
    for _ in range(4):
        f, slope, curve = _phi(e, a)
        if curve <= 0.0:
            break
        new = min(max(a - slope / curve, low), high)
        f = _phi(e, new)[0]
        if f >= value:
            break
        a, value = new, f
    return a, value


@_compiled
def _grid(ep, a_low, a_high):
    offset = 1.0 / ep.lags
    n = np.arange(_SCAN) / (_SCAN - 1.0)
    grid = (a_low + offset) * ((a_high + offset) / (a_low + offset)) ** n - offset
    return np.minimum(np.maximum(grid, a_low), a_high)


# ---------------------------------------------------------------------------------------------------------------------
# The published relaxation: step kernels.


@_compiled
def solve_steps(ep, mass_high, tolerance, max_rounds):
    """Minimises J over kernels g_k[0] >= g_k[1] >= ... >= 0.

    Returns block, length (the step 1[j < length] of each column), w, J, a lower bound on J of all admissible parameters
    (kernels of block k sum to mass_high[k] at most), the optimality gap of w, evaluations, and `drift`: the largest
    change of x that the last Newton step still asked for, with the least margin of a choice along it. (At a finite
    optimum that change vanishes with the gap; without one, x keeps moving along a direction that no choice resists.)
    """
    m, n_steps = ep.u.shape[1], ep.u.shape[2]
    n_blocks = ep.blocks
    block = np.empty(0, np.int64)
    length = np.empty(0, np.int64)
    w = np.empty(0)
    columns = np.empty((0, _width(ep)))
    p = np.empty((m, n_steps))
    r = np.empty((m, n_steps))
    x = np.zeros((m, n_steps))
    J = _likelihood(ep.choices, x, p, r)
    n_eval = 1
    sizes = _sizes(ep)
    bound = -np.inf
    gap = np.inf
    drift = 0.0
    margin = 0.0
    for _ in range(max_rounds):
        g = _slopes(ep, columns, block, r)
        phi = _correlate(ep, r)
        inner, magnitude = _inner(ep.choices, x, r)
        lower = J - inner
        gap = 0.0
        mass = np.zeros(n_blocks)
        for n in range(w.size):
            gap += w[n] * g[n]
            mass[block[n]] += w[n] * length[n]
        new_block = np.empty(n_blocks * 8, np.int64)
        new_length = np.empty(n_blocks * 8, np.int64)
        n_new = 0
        for k in range(n_blocks):
            least = 0.0
            deepest = 0.0
            for j in range(ep.lags):
                if j > 0:
                    phi[k, j] += phi[k, j - 1]
                least = min(least, phi[k, j] / (j + 1))
                deepest = min(deepest, phi[k, j])
            lower += mass_high[k] * least
            magnitude -= mass_high[k] * least
            gap -= max(mass_high[k], mass[k]) * least
            # Let in every local minimum of phi that is deep enough to matter, at most eight.
            count = 0
            for j in range(ep.lags):
                before = phi[k, j - 1] if j > 0 else 0.0
                after = phi[k, j + 1] if j + 1 < ep.lags else np.inf
                if count < 8 and phi[k, j] < 0.1 * deepest and phi[k, j] <= before and phi[k, j] < after:
                    known = False
                    for n in range(w.size):
                        known = known or (block[n] == k and length[n] == j + 1)
                    if not known:
                        new_block[n_new] = k
                        new_length[n_new] = j + 1
                        n_new += 1
                        count += 1
        bound = max(bound, lower - _rounding(ep, sizes, J, magnitude, r, mass_high, ep.lags))
        old = w.size
        block = np.append(block, new_block[:n_new])
        length = np.append(length, new_length[:n_new])
        w = np.append(w, np.zeros(n_new))
        grown = np.empty((old + n_new, columns.shape[1]))
        grown[:old] = columns
        columns = grown
        for n in range(old, w.size):
            _step_column(ep, block[n], length[n], columns[n])
        if w.size == 0:
            break
        g = _slopes(ep, columns, block, r)
        H = _curvature(ep, columns, block, p, r)
        free = np.full(w.size, np.inf)
        d = _quadratic_step(H, g, -w, free, np.full(w.size, -1), np.empty(0), np.empty(0))
        slope = np.dot(g, d)
        direction = _values(ep, columns, block, d)
        drift = np.abs(direction).max()
        margin = np.inf
        for t in range(n_steps):
            if ep.choices[t] >= 0:
                for i in range(m):
                    margin = min(margin, direction[ep.choices[t], t] - direction[i, t])
        # The gap takes masses as they are; the Newton decrement sees whether they still want to grow.
        gap = max(gap, -slope)
        if gap <= tolerance * max(J, 1.0):
            break
        tau = 1.0
        moved = False
        for _ in range(40):
            w_trial = np.maximum(w + tau * d, 0.0)
            trial = _values(ep, columns, block, w_trial)
            J_trial = _likelihood(ep.choices, trial, p, r)
            n_eval += 1
            if J_trial <= J + 1e-4 * tau * slope + 1e-14 * J:
                moved = True
                break
            tau *= 0.5
        if not moved:
            J = _likelihood(ep.choices, x, p, r)
            break
        kept = np.flatnonzero(w_trial > 0.0)
        block, length, w = block[kept], length[kept], w_trial[kept]
        columns = columns[kept]
        x, J = trial, J_trial
    return block, length, w, J, bound, gap, n_eval, drift, margin


# ---------------------------------------------------------------------------------------------------------------------
# The hull relaxation: geometric kernels, a measure over their rates per block.


@_compiled
def _geometric_columns(ep, block, a):
    columns = np.empty((a.size, _width(ep)))
    slopes = np.empty((a.size, _width(ep)))
    for n in range(a.size):
        _geometric_column(ep, block[n], a[n], columns[n], slopes[n])
    return columns, slopes


@_compiled
def first_atoms(a_low, a_high, mass_low, mass_high):
    """Three rates per block, from slow to fast, that share the least mass; none where the mass must be zero."""
    n_blocks = a_low.size
    block = np.empty(3 * n_blocks, np.int64)
    a = np.empty(3 * n_blocks)
    w = np.empty(3 * n_blocks)
    size = 0
    for k in range(n_blocks):
        count = 3 if a_high[k] > a_low[k] else 1
        for n in range(count):
            if mass_high[k] > 0.0:
                block[size] = k
                a[size] = a_low[k] + (a_high[k] - a_low[k]) * (0.08, 0.3, 0.8)[n] if count == 3 else a_low[k]
                w[size] = mass_low[k] / count
                size += 1
    return block[:size], a[:size], w[:size]


@_compiled
def solve_atoms(ep, a_low, a_high, mass_low, mass_high, block, a, w, tolerance, cutoff, max_rounds):
    """Minimises J over measures: block k's kernel is sum_n w_n a_n (1 - a_n)^j with a_low[k] <= a_n <= a_high[k] and
    mass_low[k] <= sum_n w_n <= mass_high[k].

    Starts from the atoms (block, a, w), which must be admissible. Atoms come and go until the certified gap is at most
    `tolerance` nats or the bound reaches `cutoff`. With cutoff -inf no bound is sought: the number of atoms stays, and
    this is a local minimisation of J in (a, w); with one atom per block, of the likelihood in (alpha, beta) itself.
    Returns block, a, w, J, lower bound, evaluations, what is left to gain (the certified gap, or what the last step of
    a local minimisation still promised; nats), how much of the gap is rounding that the bound has to allow for, and what the
    bound is made of, per block: e (phi as a polynomial) and share.
    """
    grow = cutoff > -np.inf
    wide = mass_high.max() > _WIDE
    m, n_steps = ep.u.shape[1], ep.u.shape[2]
    n_blocks = ep.blocks
    p = np.empty((m, n_steps))
    r = np.empty((m, n_steps))
    grids = np.empty((n_blocks, _SCAN))
    for k in range(n_blocks):
        grids[k] = _grid(ep, a_low[k], a_high[k])
    slack = tolerance / (4.0 * max(mass_high.sum(), 1.0))
    columns, slopes = _geometric_columns(ep, block, a)
    x = _values(ep, columns, block, w)
    J = _likelihood(ep.choices, x, p, r)
    n_eval = 1
    bound = -np.inf
    e = np.empty((n_blocks, ep.lags + 1))
    share = np.zeros(n_blocks)
    last_e = e
    last_share = share
    a_new = np.empty(n_blocks)
    phi_new = np.empty(n_blocks)
    left = np.inf
    rounding = 0.0
    sizes = _sizes(ep)
    tiny = 0  # steps so small that J no longer shows them; Newton's convergence makes a few of them enough,
    enough = 40 if grow and wide else 4  # unless masses are so large that a bound shows what J does not
    stalled = False
    for turn in range(max_rounds):
        size = a.size
        c = _correlate(ep, r)
        for k in range(n_blocks):
            e[k] = _polynomial(c[k])
        if not grow:
            for n in range(size):
                if w[n] == 0.0:  # its rate is free as long as it has no weight: the one that most wants some
                    a[n] = _scan(e[block[n]], grids[block[n]])[0]
                    _geometric_column(ep, block[n], a[n], columns[n], slopes[n])
        g = _slopes(ep, columns, block, r)
        if grow:
            spent = np.zeros(n_blocks)
            for n in range(size):
                spent[block[n]] += w[n] * g[n]
            gap = 0.0
            for k in range(n_blocks):
                a_new[k], phi_new[k] = _scan(e[k], grids[k])
                gap += spent[k] - min(mass_low[k] * phi_new[k], mass_high[k] * phi_new[k])
            if gap <= tolerance or J - gap >= cutoff or stalled or turn == max_rounds - 1:
                inner, magnitude = _inner(ep.choices, x, r)
                lower = J - inner
                error = 0.0
                for k in range(n_blocks):
                    a_new[k], phi_new[k], least = _least(e[k], a_low[k], a_high[k], slack, a_new[k])
                    share[k] = min(mass_low[k] * least, mass_high[k] * least)
                    lower += share[k]
                    magnitude += abs(share[k])
                    error += mass_high[k] * _error(0.0, _jet(e[k], 1.0 - a_new[k]))
                given_up = _rounding(ep, sizes, J, magnitude, r, mass_high, n_blocks)
                if lower - given_up > bound:
                    bound = lower - given_up
                    rounding = given_up + 3.0 * error
                    last_e = e.copy()
                    last_share = share.copy()
                left = J - bound
                if left <= max(tolerance, 0.1 * tolerance + 1.5 * rounding) or bound >= cutoff or stalled:
                    break
            fresh = np.zeros(n_blocks, np.bool_)
            for k in range(n_blocks):
                fresh[k] = spent[k] - min(mass_low[k] * phi_new[k], mass_high[k] * phi_new[k]) > 0.1 * tolerance / n_blocks
                crowd = 0
                for n in range(size):
                    crowd += block[n] == k
                    if block[n] == k and (abs(a[n] - a_new[k]) < 1e-9 or crowd == _CROWD):
                        fresh[k] = False
            new = np.flatnonzero(fresh)
            if new.size > 0:
                new_columns, new_slopes = _geometric_columns(ep, new, a_new[new])
                columns = np.concatenate((columns, new_columns))
                slopes = np.concatenate((slopes, new_slopes))
                block = np.append(block, new)
                a = np.append(a, a_new[new])
                w = np.append(w, np.zeros(new.size))
                g = _slopes(ep, columns, block, r)
                size = a.size
        elif stalled:
            break
        if size == 0:
            left = 0.0
            break
        # Newton's model in the weights and, for atoms with weight, their rates.
        moving = np.flatnonzero(w > 0.0)
        total = size + moving.size
        where = np.empty(total, np.int64)
        where[:size] = block
        where[size:] = block[moving]
        every = np.empty((total, columns.shape[1]))
        every[:size] = columns
        low = np.empty(total)
        high = np.full(total, np.inf)
        low[:size] = -w
        gradient = np.empty(total)
        gradient[:size] = g
        bend = np.zeros(total)
        for o in range(moving.size):
            n = moving[o]
            every[size + o] = w[n] * slopes[n]
            _, phi1, phi2 = _phi(e[block[n]], a[n])
            gradient[size + o] = w[n] * phi1
            reach = 0.5 * (a[n] + 0.02)  # a step in a is trusted on the scale of a itself
            low[size + o] = max(a_low[block[n]] - a[n], -reach)
            high[size + o] = min(a_high[block[n]] - a[n], reach)
            if (low[size + o] >= 0.0 and phi1 > 0.0) or (high[size + o] <= 0.0 and phi1 < 0.0):
                low[size + o] = high[size + o] = 0.0
            else:
                bend[size + o] = w[n] * phi2
        H = _curvature(ep, every, where, p, r)
        for n in range(total):
            H[n, n] += bend[n]
        if bend.min() < 0.0 and not _is_positive(H):
            for n in range(total):
                H[n, n] -= min(bend[n], 0.0)
        with_mass = np.full(total, -1)
        with_mass[:size] = block
        mass = np.zeros(n_blocks)
        for n in range(size):
            mass[block[n]] += w[n]
        d = _quadratic_step(
            H, gradient, low, high, with_mass, np.minimum(mass_low - mass, 0.0), np.maximum(mass_high - mass, 0.0)
        )
        slope = np.dot(gradient, d)
        if not grow:
            left = -slope
        tau = 1.0
        stalled = True
        tiny += slope > -1e-14 * max(J, 1.0)
        if tiny < enough and slope < 0.0:
            for _ in range(30):
                w_trial = np.maximum(w + tau * d[:size], 0.0)
                a_trial = a.copy()
                for o in range(moving.size):
                    n = moving[o]
                    a_trial[n] = min(max(a[n] + tau * d[size + o], a_low[block[n]]), a_high[block[n]])
                columns, slopes = _geometric_columns(ep, block, a_trial)
                x = _values(ep, columns, block, w_trial)
                J_trial = _likelihood(ep.choices, x, p, r)
                n_eval += 1
                if J_trial <= J + 1e-4 * tau * slope + 1e-14 * J:
                    stalled = False
                    break
                tau *= 0.5
        if stalled:
            columns, slopes = _geometric_columns(ep, block, a)
            x = _values(ep, columns, block, w)
            J = _likelihood(ep.choices, x, p, r)
            continue
        a, w, J = a_trial, w_trial, J_trial
        if wide:
            lower, a_trial, w_trial, x_trial, J, used = _slower(ep, a_low, mass_high, block, a, w, J, p, r)
            n_eval += used
            if lower:
                a, w, x = a_trial, w_trial, x_trial
                columns, slopes = _geometric_columns(ep, block, a)
            if used > 0:
                J = _likelihood(ep.choices, x, p, r)
        if grow:
            kept = np.flatnonzero(w > 0.0)
            block, a, w = block[kept], a[kept], w[kept]
            columns, slopes = columns[kept], slopes[kept]
            near = _merged(block, a, w)
            if near[0].size < a.size:
                near_columns, near_slopes = _geometric_columns(ep, near[0], near[1])
                x_near = _values(ep, near_columns, near[0], near[2])
                J_near = _likelihood(ep.choices, x_near, p, r)
                n_eval += 1
                if J_near <= J + 1e-12 * max(J, 1.0):
                    block, a, w = near
                    columns, slopes, x, J = near_columns, near_slopes, x_near, J_near
                else:
                    J = _likelihood(ep.choices, x, p, r)
    return block, a, w, J, bound, n_eval, left, rounding, last_e, last_share


@_compiled
def _slower(ep, a_low, mass_high, block, a, w, J, p, r):
    """In a box so wide that kernels may hardly decay, w -> inf as a -> 0 with w a given: the slowest atom of each block made as
    slow as its mass allows, or the square root of that, or the fourth root, whichever is first found to lower J. Newton's
    steps in a and w follow such a ridge only slowly. Returns whether one was, atoms, x, J and evaluations."""
    n_eval = 0
    found = False
    x = np.zeros(r.shape)
    for k in range(mass_high.size):
        mine = np.flatnonzero(block == k)
        if mine.size == 0 or mass_high[k] <= _WIDE * max(w[mine].sum(), 1.0):
            continue
        n = mine[np.argmin(a[mine])]
        if w[n] == 0.0 or a[n] * ep.lags > 0.5:
            continue
        most = (mass_high[k] - w[mine].sum() + w[n]) / w[n]
        if a_low[k] > 0.0:
            most = min(most, a[n] / a_low[k])
        for root in (1.0, 0.5, 0.25):
            times = most**root
            if not times > 1.5:
                break
            a_trial = a.copy()
            w_trial = w.copy()
            a_trial[n] = max(a[n] / times, a_low[k])
            w_trial[n] = w[n] * times
            x_trial = _values(ep, _geometric_columns(ep, block, a_trial)[0], block, w_trial)
            J_trial = _likelihood(ep.choices, x_trial, p, r)
            n_eval += 1
            if J_trial < J - 1e-12 * max(J, 1.0):
                found = True
                a, w, x, J = a_trial, w_trial, x_trial, J_trial
                break
    return found, a, w, x, J, n_eval


@_compiled
def _merged(block, a, w):
    """The atoms with neighbours of one block drawn together to their mean."""
    order = np.argsort(a)
    block, a, w = block[order], a[order].copy(), w[order].copy()
    for n in range(a.size):
        for o in range(n + 1, a.size):
            if block[n] == block[o] and w[n] > 0.0 and w[o] > 0.0 and a[o] - a[n] < 0.1 * (a[n] + 0.01):
                a[o] = (w[n] * a[n] + w[o] * a[o]) / (w[n] + w[o])
                w[o] += w[n]
                w[n] = 0.0
    kept = np.flatnonzero(w > 0.0)
    return block[kept], a[kept], w[kept]


# ---------------------------------------------------------------------------------------------------------------------
# From measures to parameters.


@_compiled
def single_atoms(block, a, w, a_low, a_high, mass_low, mass_high):
    """One (rate, mass) per block: the mean rate and the mass of its measure; the middle rate where it has no mass."""
    mass = np.zeros(a_low.size)
    moment = np.zeros(a_low.size)
    for n in range(a.size):
        mass[block[n]] += w[n]
        moment[block[n]] += w[n] * a[n]
    alpha = 0.5 * (a_low + a_high)
    for k in range(a_low.size):
        if mass[k] > 0.0:
            alpha[k] = min(max(moment[k] / mass[k], a_low[k]), a_high[k])
    return alpha, np.minimum(np.maximum(mass, mass_low), mass_high)


@_compiled
def _readings(ep, a_low, a_high, mass_low, mass_high, block, a, w):
    """Four ways to read measures as parameters, alpha and beta (4, blocks): their means and masses; the heaviest atom's
    rate with the mass of all; the atom whose kernel is largest (in the norm w sqrt(a)) alone; and in each block in
    turn, twice, whichever of its atoms or its mean makes J least."""
    n_blocks = a_low.size
    alpha = np.empty((4, n_blocks))
    beta = np.empty((4, n_blocks))
    mean, mass = single_atoms(block, a, w, a_low, a_high, mass_low, mass_high)
    for s in range(4):
        alpha[s] = mean
        beta[s] = mass
    heaviest = np.zeros(n_blocks)
    largest = np.zeros(n_blocks)
    for n in range(a.size):
        k = block[n]
        if w[n] > heaviest[k]:
            heaviest[k] = w[n]
            alpha[1, k] = a[n]
        if w[n] * np.sqrt(a[n]) > largest[k]:
            largest[k] = w[n] * np.sqrt(a[n])
            alpha[2, k] = a[n]
            beta[2, k] = min(max(w[n], mass_low[k]), mass_high[k])
    every = np.arange(n_blocks)
    p = np.empty(ep.u.shape[1:])
    r = np.empty(ep.u.shape[1:])
    columns, slopes = _geometric_columns(ep, every, alpha[3])
    x = _values(ep, columns, every, beta[3])
    best = _likelihood(ep.choices, x, p, r)
    one = np.empty((2, columns.shape[1]))
    for _ in range(2):
        for k in range(n_blocks):
            for n in range(a.size):
                for weight in (w[n], mass[k]):
                    if block[n] != k:
                        continue
                    one[0] = columns[k]
                    old_alpha, old_beta = alpha[3, k], beta[3, k]
                    alpha[3, k] = a[n]
                    beta[3, k] = min(max(weight, mass_low[k]), mass_high[k])
                    _geometric_column(ep, k, a[n], columns[k], one[1])
                    J = _likelihood(ep.choices, _values(ep, columns, every, beta[3]), p, r)
                    if best > J:
                        best = J
                    else:
                        alpha[3, k], beta[3, k] = old_alpha, old_beta
                        columns[k] = one[0]
    return alpha, beta


@_compiled
def local_fit(ep, a_low, a_high, mass_low, mass_high, alpha, beta, max_rounds):
    """The local minimum of J near alpha and beta (blocks,): alpha, beta, J, evaluations, and what the last step still
    promised, in nats."""
    every = np.arange(a_low.size)
    _, a, w, J, _, n_eval, left, _, _, _ = solve_atoms(
        ep, a_low, a_high, mass_low, mass_high, every, alpha.copy(), beta.copy(), 1e-9, -np.inf, max_rounds
    )
    return a, np.minimum(np.maximum(w, mass_low), mass_high), J, n_eval, left


@_compiled
def local_fits(ep, a_low, a_high, mass_low, mass_high, block, a, w, max_rounds):
    """The local minima near the four readings of measures; each output of `local_fit`, stacked."""
    alpha, beta = _readings(ep, a_low, a_high, mass_low, mass_high, block, a, w)
    values = np.empty(4)
    counts = np.empty(4, np.int64)
    left = np.empty(4)
    for s in range(4):
        alpha[s], beta[s], values[s], counts[s], left[s] = local_fit(
            ep, a_low, a_high, mass_low, mass_high, alpha[s], beta[s], max_rounds
        )
    return alpha, beta, values, counts, left


def warm_up() -> None:
    """Compiles everything here, on two steps of a one-block problem."""
    arms = np.array([0, 1])
    start = np.array([True, False])
    ep = Episode(arms, arms, np.ones((1, 2, 2)), start, np.array([2, 2]), 1, True, 1, np.ones(1))
    box = Box(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
    solve_steps(ep, box.mass_high, 1e-8, 9)
    atoms = solve_atoms(ep, *box, *first_atoms(*box), 1e-6, np.inf, 9)[:3]
    single_atoms(*atoms, *box)
    local_fits(ep, *box, *atoms, 9)
