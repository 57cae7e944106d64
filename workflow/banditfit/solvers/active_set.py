"""A quadratic model minimised within bounds and budgets of mass, compiled."""

import numpy as np

from ..numerics import _compiled
from .arrays import _inner_product, _of_block, _total


@_compiled
def _is_positive(matrix):
    """Whether a symmetric matrix is positive definite (Cholesky)."""
    n = matrix.shape[0]
    root = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            value = matrix[i, j] - _inner_product(root[i, :j], root[j, :j])
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
            if np.isfinite(_total(found)):
                return found
        except Exception:  # numba knows no narrower one: singular to the last bit, or not finite
            pass
        ridge = max(100.0 * ridge, 1e-10)
        for a in range(size):
            system[a, a] += ridge * max(abs(system[a, a]), 1e-12)
    return np.zeros(right.size)


@_compiled
def _slope_at(H, g, d):
    """g + H d."""
    slope = np.dot(H, d)
    for i in range(g.size):
        slope[i] = g[i] + slope[i]
    return slope


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
    largest = 0.0
    for i in range(n):
        largest = max(largest, abs(g[i]))
    tolerance = 1e-14 + 1e-10 * largest
    row = np.empty(n_blocks, np.int64)
    for _ in range(20 + 2 * n):
        free = _of_block(state, 0)
        size = free.size
        for k in range(n_blocks):
            row[k] = -1
        for a in range(free.size):
            k = block[free[a]]
            if k >= 0 and tight[k] != 0 and row[k] < 0:
                row[k] = size
                size += 1
        gradient = _slope_at(H, g, d)
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
        gradient = _slope_at(H, g, d)
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
