"""The rate at which a new atom helps most: the global minimum of a polynomial on an interval, with its certificate."""

import numpy as np

from ..numerics import _compiled
from .columns import _EPS

# Where phi is scanned for the next atom: enough for every local minimum that matters, as wrong ones only cost a round.
_SCAN = 24
# How many cells of phi are halved before less precision is asked for; fifty are usual.
_CELLS = 500


@_compiled
def _polynomial(c, e):
    """Fills e (lags + 1,) with the coefficients of phi."""
    e[0] = c[0]
    for j in range(1, c.size):
        e[j] = c[j] - c[j - 1]
    e[c.size] = -c[c.size - 1]


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
    q, phi = np.empty(grid.size), np.zeros(grid.size)
    for n in range(grid.size):
        q[n] = 1.0 - grid[n]
    for j in range(e.size - 1, -1, -1):
        for n in range(grid.size):
            phi[n] = phi[n] * q[n] + e[j]
    best = 0
    for n in range(1, grid.size):
        if phi[n] < phi[best]:
            best = n
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
def _fill_grid(ep, a_low, a_high, grid):
    """Fills a grid of rates, ascending, equally far apart where phi varies on the scale of a itself."""
    offset = 1.0 / ep.lags
    ratio = (a_high + offset) / (a_low + offset)
    for n in range(grid.size):
        a = (a_low + offset) * ratio ** (n / (grid.size - 1.0)) - offset
        grid[n] = min(max(a, a_low), a_high)
