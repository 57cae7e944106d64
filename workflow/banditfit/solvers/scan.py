"""The profile likelihood along one learning rate, compiled: for a fixed rate the nll is convex in the sensitivity that goes
with it, so its least value is found exactly, and a scan of rates sees every valley.
"""

import numpy as np

from ..models.traces import _trace
from ..numerics import _compiled, _dot, _dot3, _policy
from .columns import _arms_of, _geometric_columns, _values

# Newton's steps in one sensitivity: 3 to 5 are usual, and a bracket guards the rest.
_STEPS = 40
# Nats of the quadratic model left to gain at which a profile's value is good enough to be compared with its neighbours.
_ENOUGH = 1e-9


def rates(low: float, high: float, n: int) -> np.ndarray:
    """n rates from low to high, denser towards the ends (Chebyshev's extrema): slow rates differ by their ratio."""
    return low + (high - low) * 0.5 * (1.0 - np.cos(np.pi * np.arange(n) / (n - 1)))


@_compiled
def least(choices, stack, low, high, b):
    """Minimises the nll over b in [low, high], where the values are x = stack[0] + b stack[1], each (rows, steps), by
    Newton's method inside a bracket of the slope's sign. Returns the least nll, its b and the evaluations."""
    rows, n_steps = stack.shape[1:]
    weights = np.ones((2, rows))
    mean = np.empty(n_steps)
    chosen = 0.0
    for t in range(n_steps):
        if choices[t] >= 0:
            chosen += stack[1, choices[t], t]
    left, right = low, high
    left_seen = right_seen = False
    nll = np.inf
    n_eval = 0
    while n_eval < _STEPS:
        n_eval += 1
        weights[1] = b
        nll, policy = _policy(choices, stack, weights)
        slope, curve = -chosen, 0.0
        mean[:] = 0.0
        for i in range(rows):
            slope += _dot(policy[i], stack[1, i])
            curve += _dot3(policy[i], stack[1, i], stack[1, i])
            for t in range(n_steps):
                mean[t] += policy[i, t] * stack[1, i, t]
        curve -= _dot(mean, mean)
        if slope == 0.0 or (slope > 0.0 and b <= low) or (slope < 0.0 and b >= high):
            break
        if slope > 0.0:
            right, right_seen = b, True
        else:
            left, left_seen = b, True
        after = b - slope / curve if curve > 0.0 else (left if slope > 0.0 else right)
        if after <= left:
            after = 0.5 * (left + right) if left_seen else left
        elif after >= right:
            after = 0.5 * (left + right) if right_seen else right
        if abs(slope * (after - b)) <= _ENOUGH or after == b:
            break
        b = after
    return nll, b, n_eval


@_compiled
def scan(ep, alpha, beta, block, grid, mass_low, mass_high):
    """The profile of the nll along the rate of one block, all other parameters held at alpha, beta (blocks,): for every rate
    of `grid` the best sensitivity, and the nll up to a constant that they share. Returns nll, sensitivities, evaluations."""
    s, first, count = _arms_of(ep, block)
    m, n_steps = ep.u.shape[1:]
    others = beta.copy()
    others[block] = 0.0
    every = np.arange(ep.blocks)
    x = _values(ep, _geometric_columns(ep, every, alpha)[0], every, others)
    # The arms that the block does not reach act through their sum of exponentials alone: one row stands for them.
    rows = count if count == m else count + 1
    stack = np.zeros((2, rows, n_steps))
    choices = ep.choices.copy()
    for t in range(n_steps):
        top, total = -np.inf, 0.0
        for i in range(m):
            if first <= i < first + count:
                stack[0, i - first, t] = x[i, t]
            else:
                top = max(top, x[i, t])
        if rows > count:
            for i in range(m):
                if not first <= i < first + count:
                    total += np.exp(x[i, t] - top)
            stack[0, count, t] = top + np.log(total)
            if choices[t] >= 0:
                inside = first <= choices[t] < first + count
                choices[t] = choices[t] - first if inside else count
    nll, best = np.empty(grid.size), np.empty(grid.size)
    n_eval = 0
    b = beta[block]
    for k in range(grid.size):
        for i in range(count):
            _trace(ep.arms, ep.u[s, first + i], ep.starts, first + i, grid[k], stack[1, i])
        nll[k], b, used = least(choices, stack, mass_low[block], mass_high[block], b)
        best[k] = b
        n_eval += used
    return nll, best, n_eval


def valleys(nll: np.ndarray) -> np.ndarray:
    """The positions of the local minima of a profile, the deepest first."""
    padded = np.concatenate([[np.inf], nll, [np.inf]])
    places = np.flatnonzero((nll <= padded[:-2]) & (nll < padded[2:]))
    return places[np.argsort(nll[places])]
