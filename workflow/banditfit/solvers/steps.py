"""The published relaxation over decreasing kernels, by column generation over steps."""

import numpy as np

from ..numerics import _compiled
from .active_set import _quadratic_step
from .arrays import _inner_product, _joined, _longer, _rows, _stepped, _taken, _with_weight
from .columns import _correlate, _curvature, _inner, _likelihood, _rounding, _sizes, _slopes, _step_column, _values, _width


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
        block = _joined(block, new_block[:n_new])
        length = _joined(length, new_length[:n_new])
        w = _joined(w, np.zeros(n_new))
        columns = _longer(columns, w.size)
        for n in range(old, w.size):
            _step_column(ep, block[n], length[n], columns[n])
        if w.size == 0:
            break
        g = _slopes(ep, columns, block, r)
        H = _curvature(ep, columns, block, p, r)
        low, free, nowhere = np.empty(w.size), np.empty(w.size), np.empty(w.size, np.int64)
        for n in range(w.size):
            low[n], free[n], nowhere[n] = -w[n], np.inf, -1
        d = _quadratic_step(H, g, low, free, nowhere, np.empty(0), np.empty(0))
        slope = _inner_product(g, d)
        direction = _values(ep, columns, block, d)
        drift = 0.0
        margin = np.inf
        for i in range(m):
            for t in range(n_steps):
                drift = max(drift, abs(direction[i, t]))
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
            w_trial = _stepped(w, tau, d)
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
        kept = _with_weight(w_trial)
        block, length, w = _taken(block, kept), _taken(length, kept), _taken(w_trial, kept)
        columns = _rows(columns, kept)
        x, J = trial, J_trial
    return block, length, w, J, bound, gap, n_eval, drift, margin
