"""Lower bounds on the nll inside a box of rates, for every model that is linear in its weights (docs/certificates.md).

With the weights w, biases b and unit traces z of the rates a, values are x = sum_g w_g z_g(a) + b, where group g is what shares
one weight. At any values x0, with residuals r = policy - choice, convexity says

    J >= J(x0) - <r, x0> + sum_g w_g phi_g(a) + <r, b>,    phi_g(a) = <r, z_g(a)>,

so a rigorous range of the scalar functions phi_g over the box bounds J. It comes from phi's second-order Taylor polynomial
at the centre with a bound on the remainder, or from intervals of the traces where that is better. Whatever r is, the bound
holds; a good r comes from the convex problem in which each trace is replaced by its tangents: z_g(c) + sum_j d_j dz_g/da_j with
|d_j| <= the box's half-width. So the gap shrinks with the square of the box.
"""

import numpy as np

from ..models.traces import OWN, _lapse, _sizes
from ..numerics import _compiled, _dot
from .chords import add_scores, chords, ends_of, weighted
from .curvature import second_order
from .enclosures import _along_lines, _enclose, _ranges
from .relaxation import _aim, _first_and_second, _first_point, _newton_step, _relaxed

_EPS = np.finfo(np.float64).eps
# Newton's steps in a box at most; 3 to 6 are usual.
_STEPS = 30
# Of them before the slopes are shifted for the first time, and the share of what a relaxed optimum has to spare that slopes
# may take from its bound.
_FIRST_STEPS, _ENOUGH = 2, 0.3
# How often the shift of the slopes that curvature asks for is found anew.
_SHIFTS = 4


@_compiled
def bound_box(ep, gr, low, high, start, cutoff, tolerance):
    """A lower bound on the nll of every theta in the box [low, high].

    `start` is a theta from which to look. Returns the bound, what of it is rounding, a theta inside that is likely good, and
    per parameter how much of the gap a split of it would close, roughly. The work ends when the bound reaches `cutoff`, or
    when it is clear that it cannot.
    """
    n_traces, n_arms, n_steps = _sizes(ep)
    rows = n_traces * n_arms
    own = ep.places.shape[2] - OWN
    h, p, span = np.empty((rows, n_steps)), np.zeros((rows, own, n_steps)), np.empty((rows, own, 2, n_steps))
    bent = np.empty((rows, own * (own + 1) // 2, 2, n_steps))
    size, kind = np.empty((rows, 6 if _lapse(ep) >= 0 else 3, n_steps)), np.empty((rows, n_steps), np.int8)
    for k in range(n_traces):
        for i in range(n_arms):
            at = k * n_arms + i
            _enclose(ep, k, i, low, high, h[at], p[at], span[at], bent[at], size[at], kind[at])
    share, between = np.empty(0), np.empty((0, 2))
    if _lapse(ep) < 0:
        return _bound(ep, gr, low, high, start, cutoff, tolerance, h, p, span, bent, size, kind, 0.0, share, between)
    # With a lapse the nll is at least a weighted one without, and a constant.
    share, between = np.empty(n_steps), np.empty((n_steps, 2))
    bound, rounding, at, score = np.inf, 0.0, start.copy(), np.zeros(low.size)
    for moved in ends_of(low[_lapse(ep)], high[_lapse(ep)]):
        base = chords(ep, gr, low, high, size, moved, share, between)
        one, lost, there, gaps = _bound(
            ep, gr, low, high, start, cutoff, tolerance, h, p, span, bent, size, kind, base, share, between
        )
        if one < bound:
            bound, rounding, at, score = one, lost, there, gaps
    if bound < cutoff:
        for k in range(n_traces):
            for i in range(n_arms):
                _along_lines(ep, k, i, low, high, size[k * n_arms + i], kind[k * n_arms + i])
        curved, lost, curves = second_order(ep, gr, low, high, size, between, at)
        if curved > bound:
            return curved, lost, at, curves
    return bound, rounding, at, score


@_compiled
def _bound(ep, gr, low, high, start, cutoff, tolerance, h, p, span, bent, size, kind, base, share, between):
    """The same of the nll, or of `base` and the nll weighted by `share` (see `chords`); `enclosures` has filled the rest."""
    n_arms, n_steps = ep.places.shape[1], h.shape[1]
    n_groups, most = gr.own.shape
    cutoff -= base
    half = 0.5 * (high - low)
    y, y_low, y_high = _first_point(gr, low, high, start, half)
    n = y.size
    shift = np.zeros(n)

    x, tangent = np.empty((n_arms, n_steps)), np.empty((n, n_arms, n_steps))
    x_there, tangent_there = np.empty((n_arms, n_steps)), np.empty((n, n_arms, n_steps))
    policy, r, mean = np.empty((n_arms, n_steps)), np.zeros((n_arms, n_steps)), np.empty((n, n_steps))
    gradient, hessian, there = np.empty(n), np.empty((n, n)), np.empty(n)
    first, lost = np.empty((n_groups, most)), np.empty((n_groups, most))
    inner, moved = np.empty((n_groups, 4)), np.empty((n_groups, most))
    bound, rounding = -base, 0.0  # the nll of choices is never negative
    _relaxed(gr, low, high, y, h, p, half, n_arms, x, tangent)
    policy[:] = x
    J = weighted(ep.choices, policy, share)
    for turn in range(_SHIFTS):
        for step in range(_STEPS):
            _first_and_second(ep, policy, share, tangent, r, mean, gradient, hessian)
            for a in range(n):
                gradient[a] -= shift[a]
            _aim(ep, gr, low, high, y_low, y_high, half, h, p, r, shift, y, x, tangent, gradient)
            left = _newton_step(y, y_low, y_high, gradient, hessian, there)
            value = J - _dot(shift, y)
            # What the bound would lose: slopes count in full over the box, not squared as in `left`.
            loss = 0.0
            for a in range(n):
                loss += max(gradient[a] * (y[a] - y_low[a]), gradient[a] * (y[a] - y_high[a]))
            spare = value - cutoff
            if loss <= max(0.03 * tolerance, _ENOUGH * spare) or left <= 1e-24:
                break
            if spare < -2.0 * tolerance and left < -0.5 * spare:
                break
            if turn == 0 and step == _FIRST_STEPS and spare > 0.0:  # the shift matters more
                break
            tau, moves = 1.0, False
            for _ in range(20):
                promised = 0.0
                trial = y + tau * (there - y)
                for a in range(n):
                    promised -= gradient[a] * (trial[a] - y[a])
                _relaxed(gr, low, high, trial, h, p, half, n_arms, x_there, tangent_there)
                policy[:] = x_there
                J_there = weighted(ep.choices, policy, share)
                if J_there - _dot(shift, trial) <= value - 1e-4 * promised + 1e-14 * (J_there + 1.0):
                    moves = True
                    break
                tau *= 0.5
            if not moves:
                _relaxed(gr, low, high, y, h, p, half, n_arms, x, tangent)
                policy[:] = x
                J = weighted(ep.choices, policy, share)
                break
            y, J = trial, J_there
            x, x_there = x_there, x
            tangent, tangent_there = tangent_there, tangent
        else:
            _first_and_second(ep, policy, share, tangent, r, mean, gradient, hessian)
        _ranges(ep, gr, low, high, r, h, p, span, bent, size, kind, first, lost, inner, moved)
        lower, given_up = _proved(ep, gr, low, high, J, r, x, inner)
        _shift_slopes(gr, low, high, half, first, inner, 1e-7 * tolerance, shift)
        improved = lower - bound
        if improved > 0.0:
            bound, rounding = lower, given_up
        # A relaxation whose own value lies below the cutoff cannot show more.
        if bound >= cutoff or cutoff - 2.0 * tolerance > J or (turn > 0 and improved < 0.02 * (cutoff - bound)):
            break
    at, score = _gap(gr, low, high, start, half, y, lost, moved)
    if share.size > 0:
        at[_lapse(ep)] = min(max(start[_lapse(ep)], low[_lapse(ep)]), high[_lapse(ep)])
        add_scores(ep, gr, low, high, size, between, share, policy, score)
    return bound + base, rounding + _EPS * abs(base), at, score


@_compiled
def _proved(ep, gr, low, high, J, r, x, inner):
    """The bound of the head of this module, from the nll J and the residuals r at the values x and the ranges of phi in
    `inner`, less what rounding may have made of it; and that share."""
    _, n_arms, n_steps = _sizes(ep)
    product = magnitude = slack = 0.0
    for t in range(n_steps):
        if ep.choices[t] >= 0:
            for i in range(n_arms):
                term = r[i, t] * (x[i, t] - x[ep.choices[t], t])
                product += term
                magnitude += abs(term)
    lower = J - product
    for g in range(gr.weight.size):
        w = gr.weight[g]
        least = min(min(low[w] * inner[g, 1], low[w] * inner[g, 2]), min(high[w] * inner[g, 1], high[w] * inner[g, 2]))
        lower += least
        magnitude += abs(least)
        slack += max(abs(low[w]), abs(high[w])) * inner[g, 3]
    for b in range(gr.biases.size):
        place = gr.biases[b]
        total = 0.0
        for i in range(n_arms):
            if gr.arm[i] == b:
                for t in range(n_steps):
                    total += r[i, t]
                    slack += abs(r[i, t]) * max(abs(low[place]), abs(high[place]))
        lower += min(low[place] * total, high[place] * total)
        magnitude += abs(low[place] * total)
    given_up = _EPS * (
        (n_steps + n_arms + 8.0) * (abs(J) + magnitude) + n_steps * (n_arms + 4.0) + (3.0 * n_steps + 20.0) * slack
    )
    return lower - given_up, given_up


@_compiled
def _shift_slopes(gr, low, high, half, first, inner, least, shift):
    """Sets the shift of the slope of each weight of one sign: what the range of phi has beyond its linear part, and `least`
    towards the weight's end nearer to 0."""
    j = 0
    for g in range(gr.weight.size):
        w = gr.weight[g]
        linear = 0.0
        for a in range(gr.size[g]):
            linear += abs(first[g, a]) * half[gr.own[g, a]]
        if low[w] >= 0.0:
            shift[j] = inner[g, 0] - linear - inner[g, 1] + least
        elif high[w] <= 0.0:
            shift[j] = inner[g, 0] + linear - inner[g, 2] - least
        j += 1 + gr.size[g]


@_compiled
def _gap(gr, low, high, start, half, y, lost, moved):
    """The theta of a point of the relaxed problem, and per parameter what its width adds to the gap, roughly."""
    at, score = start.copy(), np.zeros(low.size)
    j = 0
    for g in range(gr.weight.size):
        w = gr.weight[g]
        at[w] = y[j]
        heavy = abs(y[j]) + 0.01 * max(abs(low[w]), abs(high[w]))
        for a in range(gr.size[g]):
            place = gr.own[g, a]
            if half[place] > 0.0:
                at[place] = 0.5 * (low[place] + high[place]) + y[j + 1 + a] * half[place]
                # No more is lost than by intervals of the traces.
                score[place] += heavy * min(lost[g, a], moved[g, a]) + 1e-12 * half[place]
        j += 1 + gr.size[g]
    for b in range(gr.biases.size):
        at[gr.biases[b]] = y[j + b]
    return at, score
