"""The hull of the kernels of a box, by column generation over atoms that slide, and local fits from them."""

import numpy as np

from ..numerics import _compiled
from .active_set import _is_positive, _quadratic_step
from .arrays import _inner_product, _joined, _longer, _rows, _stepped, _taken, _with_weight
from .columns import (
    Box,
    Episode,
    _correlate,
    _curvature,
    _geometric_column,
    _geometric_columns,
    _inner,
    _likelihood,
    _rounding,
    _sizes,
    _slopes,
    _values,
)
from .pricing import _SCAN, _error, _fill_grid, _jet, _least, _phi, _polynomial, _scan
from .steps import solve_steps

# Atoms of one block at most; two or three are usual, and many where enormous masses hang on the last digits of a rate.
_CROWD = 12
# Where masses may be so many times what is found (or one, if that is more), slow atoms are tried much slower and heavier.
_WIDE = 100.0


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
        _fill_grid(ep, a_low[k], a_high[k], grids[k])
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
            _polynomial(c[k], e[k])
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
            fresh = np.zeros(n_blocks)
            for k in range(n_blocks):
                if spent[k] - min(mass_low[k] * phi_new[k], mass_high[k] * phi_new[k]) > 0.1 * tolerance / n_blocks:
                    fresh[k] = 1.0
                crowd = 0
                for n in range(size):
                    crowd += block[n] == k
                    if block[n] == k and (abs(a[n] - a_new[k]) < 1e-9 or crowd == _CROWD):
                        fresh[k] = 0.0
            new = _with_weight(fresh)
            if new.size > 0:
                block = _joined(block, new)
                a = _joined(a, _taken(a_new, new))
                w = _joined(w, np.zeros(new.size))
                columns, slopes = _longer(columns, a.size), _longer(slopes, a.size)
                for n in range(size, a.size):
                    _geometric_column(ep, block[n], a[n], columns[n], slopes[n])
                g = _slopes(ep, columns, block, r)
                size = a.size
        elif stalled:
            break
        if size == 0:
            left = 0.0
            break
        moving = _with_weight(w)
        gradient, d = _newton_step(ep, e, block, a, w, columns, slopes, g, p, r, a_low, a_high, mass_low, mass_high, moving)
        slope = _inner_product(gradient, d)
        if not grow:
            left = -slope
        tau = 1.0
        stalled = True
        tiny += slope > -1e-14 * max(J, 1.0)
        if tiny < enough and slope < 0.0:
            for _ in range(30):
                w_trial = _stepped(w, tau, d)
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
            kept = _with_weight(w)
            block, a, w = _taken(block, kept), _taken(a, kept), _taken(w, kept)
            columns, slopes = _rows(columns, kept), _rows(slopes, kept)
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
def _newton_step(ep, e, block, a, w, columns, slopes, g, p, r, a_low, a_high, mass_low, mass_high, moving):
    """The gradient and Newton's step in the weights and, behind them, in the rates of the atoms `moving`, which have weight."""
    size, n_steps = columns.shape
    n_blocks = mass_low.size
    total = size + moving.size
    where, with_mass = np.empty(total, np.int64), np.empty(total, np.int64)
    every = _longer(columns, total)
    low, high, gradient, bend = np.empty(total), np.empty(total), np.empty(total), np.zeros(total)
    mass, down, up = np.zeros(n_blocks), np.empty(n_blocks), np.empty(n_blocks)
    for n in range(size):
        where[n] = with_mass[n] = block[n]
        low[n], high[n], gradient[n] = -w[n], np.inf, g[n]
        mass[block[n]] += w[n]
    bent = False
    for o in range(size, total):
        n = moving[o - size]
        where[o], with_mass[o] = block[n], -1
        for t in range(n_steps):
            every[o, t] = w[n] * slopes[n, t]
        _, phi1, phi2 = _phi(e[block[n]], a[n])
        gradient[o] = w[n] * phi1
        reach = 0.5 * (a[n] + 0.02)  # a step in a is trusted on the scale of a itself
        low[o] = max(a_low[block[n]] - a[n], -reach)
        high[o] = min(a_high[block[n]] - a[n], reach)
        if (low[o] >= 0.0 and phi1 > 0.0) or (high[o] <= 0.0 and phi1 < 0.0):
            low[o] = high[o] = 0.0
        else:
            bend[o] = w[n] * phi2
            bent = bent or bend[o] < 0.0
    H = _curvature(ep, every, where, p, r)
    for n in range(total):
        H[n, n] += bend[n]
    if bent and not _is_positive(H):
        for n in range(total):
            H[n, n] -= min(bend[n], 0.0)
    for k in range(n_blocks):
        down[k], up[k] = min(mass_low[k] - mass[k], 0.0), max(mass_high[k] - mass[k], 0.0)
    return gradient, _quadratic_step(H, gradient, low, high, with_mass, down, up)


@_compiled
def _slower(ep, a_low, mass_high, block, a, w, J, p, r):
    """In a box so wide that kernels may hardly decay, w -> inf as a -> 0 with w a given: the slowest atom of each block made as
    slow as its mass allows, or the square root of that, or the fourth root, whichever is first found to lower J. Newton's
    steps in a and w follow such a ridge only slowly. Returns whether one was, atoms, x, J and evaluations."""
    n_eval = 0
    found = False
    x = np.zeros(r.shape)
    for k in range(mass_high.size):
        n = -1
        mass = 0.0
        for o in range(a.size):
            if block[o] == k:
                mass += w[o]
                if n < 0 or a[o] < a[n]:
                    n = o
        if n < 0 or mass_high[k] <= _WIDE * max(mass, 1.0):
            continue
        if w[n] == 0.0 or a[n] * ep.lags > 0.5:
            continue
        most = (mass_high[k] - mass + w[n]) / w[n]
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
    order = np.arange(a.size)
    for n in range(1, a.size):  # by their rates
        o, this = n, order[n]
        while o > 0 and a[order[o - 1]] > a[this]:
            order[o] = order[o - 1]
            o -= 1
        order[o] = this
    block, a, w = _taken(block, order), _taken(a, order), _taken(w, order)
    for n in range(a.size):
        for o in range(n + 1, a.size):
            if block[n] == block[o] and w[n] > 0.0 and w[o] > 0.0 and a[o] - a[n] < 0.1 * (a[n] + 0.01):
                a[o] = (w[n] * a[n] + w[o] * a[o]) / (w[n] + w[o])
                w[o] += w[n]
                w[n] = 0.0
    kept = _with_weight(w)
    return _taken(block, kept), _taken(a, kept), _taken(w, kept)


@_compiled
def single_atoms(block, a, w, a_low, a_high, mass_low, mass_high):
    """One (rate, mass) per block: the mean rate and the mass of its measure; the middle rate where it has no mass."""
    mass = np.zeros(a_low.size)
    moment = np.zeros(a_low.size)
    for n in range(a.size):
        mass[block[n]] += w[n]
        moment[block[n]] += w[n] * a[n]
    alpha = np.empty(a_low.size)
    for k in range(a_low.size):
        alpha[k] = 0.5 * (a_low[k] + a_high[k])
        if mass[k] > 0.0:
            alpha[k] = min(max(moment[k] / mass[k], a_low[k]), a_high[k])
        mass[k] = min(max(mass[k], mass_low[k]), mass_high[k])
    return alpha, mass


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
        for k in range(n_blocks):
            alpha[s, k], beta[s, k] = mean[k], mass[k]
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
    n_steps = columns.shape[1]
    old = np.empty(n_steps)
    for _ in range(2):
        for k in range(n_blocks):
            for n in range(a.size):
                for weight in (w[n], mass[k]):
                    if block[n] != k:
                        continue
                    for t in range(n_steps):
                        old[t] = columns[k, t]
                    old_alpha, old_beta = alpha[3, k], beta[3, k]
                    alpha[3, k] = a[n]
                    beta[3, k] = min(max(weight, mass_low[k]), mass_high[k])
                    _geometric_column(ep, k, a[n], columns[k], slopes[k])
                    J = _likelihood(ep.choices, _values(ep, columns, every, beta[3]), p, r)
                    if best > J:
                        best = J
                    else:
                        alpha[3, k], beta[3, k] = old_alpha, old_beta
                        for t in range(n_steps):
                            columns[k, t] = old[t]
    return alpha, beta


# What follows is not compiled: with `solve_atoms` inside, either would be compiled as long as that is.


def local_fit(ep, a_low, a_high, mass_low, mass_high, alpha, beta, max_rounds):
    """The local minimum of J near alpha and beta (blocks,): alpha, beta, J, evaluations, and what the last step still
    promised, in nats."""
    every = np.arange(a_low.size)
    _, a, w, J, _, n_eval, left, _, _, _ = solve_atoms(
        ep, a_low, a_high, mass_low, mass_high, every, alpha.copy(), beta.copy(), 1e-9, -np.inf, max_rounds
    )
    return a, np.minimum(np.maximum(w, mass_low), mass_high), J, n_eval, left


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
