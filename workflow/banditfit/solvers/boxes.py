"""Lower bounds on the nll inside a box of rates, for every model that is linear in its weights (docs/certificates.md).

With the weights w, biases b and unit traces z of the rates a, values are x = sum_g w_g z_g(a) + b, where group g is what shares
one weight. At any values x0, with residuals r = policy - choice, convexity says

    J >= J(x0) - <r, x0> + sum_g w_g phi_g(a) + <r, b>,    phi_g(a) = <r, z_g(a)>,

so a rigorous range of the scalar functions phi_g over the box bounds J. It comes from phi's second-order Taylor polynomial
at the centre with a bound on the remainder, or from intervals of the traces where that is better. Whatever r is, the bound
holds; a good r comes from the convex problem in which each trace is replaced by its tangents: z_g(c) + sum_j d_j dz_g/da_j with
|d_j| <= the box's half-width. So the gap shrinks with the square of the box.
"""

from typing import NamedTuple

import numpy as np

from ..models.likelihood import Problem
from ..models.traces import (
    CHOICES,
    EVERY_STEP,
    GAIN,
    INITIAL,
    LOSS,
    N_OWN,
    ONE,
    OTHERS,
    OWN,
    RULE,
    SLOT,
    UNCHOSEN,
    WEIGHT,
    _sizes,
)
from ..numerics import _cholesky, _compiled, _dot, _dot3, _softmax, _solve

_EPS = np.finfo(np.float64).eps
# Newton's steps in a box at most; 3 to 6 are usual.
_STEPS = 30
# How often the shift of the slopes that curvature asks for is found anew.
_SHIFTS = 4


class Groups(NamedTuple):
    """What shares one weight, and what shares its rates with it.

    weight  (groups,): the place of the weight in theta
    size    (groups,): how many parameters its traces have of their own, rates and initial values
    own     (groups, most): their places
    of      (traces, arms): the group of each trace on each arm
    slot    (traces, arms, most): which of the group's own parameters each of the trace's is
    biases  (biases,): places of the biases that differ, and `arm` (arms,): each arm's among these, or -1
    """

    weight: np.ndarray
    size: np.ndarray
    own: np.ndarray
    of: np.ndarray
    slot: np.ndarray
    biases: np.ndarray
    arm: np.ndarray


def groups(problem: Problem) -> Groups:
    """The groups of a problem's model."""
    ep = problem.episode
    n_traces, n_arms, _ = _sizes(ep)
    weights = ep.places[:-1, :, WEIGHT]
    weight = np.unique(weights)
    of = np.searchsorted(weight, weights)
    owns: list[list[int]] = [[] for _ in weight]
    for k in range(n_traces):
        for i in range(n_arms):
            for place in ep.places[k, i, OWN : OWN + ep.rules[k, N_OWN]]:
                if place not in owns[of[k, i]]:
                    owns[of[k, i]].append(int(place))
    most = max(map(len, owns))
    own = np.array([each + [-1] * (most - len(each)) for each in owns]).reshape(len(weight), most)
    slot = np.full((n_traces, n_arms, most + 1), -1)
    for k in range(n_traces):
        for i in range(n_arms):
            for l in range(ep.rules[k, N_OWN]):
                slot[k, i, l] = owns[of[k, i]].index(ep.places[k, i, OWN + l])
    places = ep.places[-1, :, 0]
    biases = np.unique(places[places >= 0])
    arm = np.where(places >= 0, np.searchsorted(biases, places), -1)
    return Groups(weight, np.array([len(each) for each in owns]), own, of, slot, biases, arm)


@_compiled
def _side(side, place):
    """One side of the box at a place."""
    if place >= 0:
        return side[place]
    return 1.0 if place == ONE else 0.0


@_compiled
def _enclose(ep, k, arm, low, high, h, p, c, least, most, off, second, third):
    """What is known of trace k on one arm over a box of theta, step by step. Filled, each (steps,) but p and c:

    h, p (own, steps), c (pairs, steps)  the trace of the centre and its derivatives, as `traces._gated` has them
    least, most    between which the trace lies
    off            how far it may be from the trace whose classes of steps are those of the centre: 0 unless rewards lie between
                   the values that an arm may have
    second, third  how large the derivatives of that trace along a line may be, from the centre to anywhere in the box, as the
                   line's parameter goes from 0 to 1
    """
    n = ep.rules[k, N_OWN]
    lo, hi, mid, radius = np.empty(3), np.empty(3), np.empty(3), np.zeros(3)
    half = np.zeros(n)
    for g in range(3):
        lo[g], hi[g] = _side(low, ep.places[k, arm, g]), _side(high, ep.places[k, arm, g])
        mid[g] = 0.5 * (lo[g] + hi[g])
        radius[g] = 0.5 * (hi[g] - lo[g])
    for l in range(n):
        half[l] = 0.5 * (high[ep.places[k, arm, OWN + l]] - low[ep.places[k, arm, OWN + l]])
    start_low, start_high = _side(low, ep.rules[k, INITIAL]), _side(high, ep.rules[k, INITIAL])
    two_rates = ep.places[k, arm, GAIN] != ep.places[k, arm, LOSS]
    difference = max(hi[GAIN] - lo[LOSS], hi[LOSS] - lo[GAIN])
    now = zl = zh = error = d1 = d2 = d3 = 0.0
    slope, curve = np.zeros(n), np.zeros(n * (n + 1) // 2)
    for t in range(h.size):
        if ep.starts[t]:
            zl, zh = start_low, start_high
            now = 0.5 * (zl + zh)
            slope[:] = 0.0
            curve[:] = 0.0
            error = d2 = d3 = 0.0
            d1 = 0.5 * (zh - zl)
            if ep.rules[k, INITIAL] >= 0:
                slope[n - 1] = 1.0
        h[t], least[t], most[t], off[t], second[t], third[t] = now, zl, zh, error, d2, d3
        for l in range(n):
            p[l, t] = slope[l]
        for j in range(curve.size):
            c[j, t] = curve[j]
        own = ep.arms[t] == arm
        if ep.rules[k, RULE] == EVERY_STEP:
            g, below, above, u = GAIN, GAIN, GAIN, ep.signals[k, t] if own else 0.0
        elif ep.arms[t] < 0:
            continue
        elif own:
            u = ep.signals[k, t]
            g = GAIN if u > now else LOSS
            below, above = (GAIN if u > zl else LOSS), (GAIN if u > zh else LOSS)
        else:
            u = ep.signals[ep.rules[k, OTHERS], t] if ep.rules[k, OTHERS] >= 0 else 0.0
            g = below = above = UNCHOSEN
        keep = 1.0 - lo[g]
        far = max(abs(u - zl), abs(u - zh)) + error
        d3 = keep * d3 + 3.0 * radius[g] * d2
        d2 = keep * d2 + 2.0 * radius[g] * d1
        d1 = keep * d1 + radius[g] * far
        error *= keep
        if own and ep.rules[k, RULE] == CHOICES and two_rates and zl < u < zh:
            error += difference * ((zh - u) if g == GAIN else (u - zl))
        zl += (lo[below] if u >= zl else hi[below]) * (u - zl)
        zh += (hi[above] if u >= zh else lo[above]) * (u - zh)
        # The trace of the centre and its derivatives, as in `traces`.
        stay, place = 1.0 - mid[g], ep.rules[k, SLOT + g]
        j = 0
        bend = 0.0
        for l in range(n):
            for q in range(l + 1):
                after = stay * curve[j]
                if l == place:
                    after -= slope[q]
                if q == place:
                    after -= slope[l]
                curve[j] = after
                bend += (1.0 if l == q else 2.0) * abs(after) * half[l] * half[q]
                j += 1
        steep = 0.0
        for l in range(n):
            slope[l] *= stay
        if place >= 0:
            slope[place] += u - now
        for l in range(n):
            steep += abs(slope[l]) * half[l]
        now += mid[g] * (u - now)
        # What holds at the centre holds elsewhere but for the next derivative.
        d2 = min(d2, bend + d3)
        d1 = min(d1, steep + d2)


@_compiled
def _ranges(ep, gr, low, high, r, h, p, c, size, first, second, remainder, inner, moved):
    """Ranges of phi_g over the box, for residuals r. Fills, per group: `inner` (groups, 4): phi at the centre, the least and
    the most that phi may be, and the magnitude of what was summed; `first` (groups, most) and `second` (groups, pairs), its
    derivatives; `remainder` (groups,): what the rest of the Taylor series, with changes of class, may add; `moved` (groups,
    most): how much each own parameter moves the traces. `size` holds what `_enclose` says of each trace and arm."""
    n_traces, n_arms, n_steps = _sizes(ep)
    first[:] = 0.0
    second[:] = 0.0
    inner[:] = 0.0
    remainder[:] = 0.0
    moved[:] = 0.0
    n_groups = gr.weight.size
    short = np.zeros(n_groups)  # the remainder after the linear part
    floor, ceiling = np.zeros(n_groups), np.zeros(n_groups)
    for k in range(n_traces):
        for i in range(n_arms):
            g = gr.of[k, i]
            at = k * n_arms + i
            n = ep.rules[k, N_OWN]
            phi = lowest = highest = three = two = wrong = total = 0.0
            for t in range(n_steps):
                e = r[i, t]
                phi += e * h[at, t]
                lowest += e * (size[at, 0, t] if e > 0.0 else size[at, 1, t])
                highest += e * (size[at, 1, t] if e > 0.0 else size[at, 0, t])
                e = abs(e)
                three += e * size[at, 4, t]
                two += e * size[at, 3, t]
                wrong += e * size[at, 2, t]
                total += e * max(abs(size[at, 0, t]), abs(size[at, 1, t]))
            inner[g, 0] += phi
            floor[g] += lowest
            ceiling[g] += highest
            remainder[g] += three / 6.0 + wrong
            short[g] += two / 2.0 + wrong
            j = 0
            for l in range(n):
                a = gr.slot[k, i, l]
                value = change = 0.0
                for t in range(n_steps):
                    value += r[i, t] * p[at, l, t]
                    change += abs(r[i, t] * p[at, l, t])
                first[g, a] += value
                half = 0.5 * (high[gr.own[g, a]] - low[gr.own[g, a]])
                moved[g, a] += change * half
                total += change * half
                for q in range(l + 1):
                    value = 0.0
                    for t in range(n_steps):
                        value += r[i, t] * c[at, j, t]
                    b = gr.slot[k, i, q]
                    second[g, max(a, b) * (max(a, b) + 1) // 2 + min(a, b)] += value
                    j += 1
            inner[g, 3] += total
    for g in range(n_groups):
        phi = inner[g, 0]
        linear = down = up = 0.0
        for a in range(gr.size[g]):
            half = 0.5 * (high[gr.own[g, a]] - low[gr.own[g, a]])
            steep = abs(first[g, a])
            linear += steep * half
            bend = second[g, a * (a + 1) // 2 + a]
            down += _least_parabola(steep, bend, half)
            up += _least_parabola(steep, -bend, half)
            for b in range(a):
                mixed = abs(second[g, a * (a + 1) // 2 + b]) * half * 0.5 * (high[gr.own[g, b]] - low[gr.own[g, b]])
                down -= mixed
                up -= mixed
        inner[g, 1] = max(max(floor[g], phi - linear - short[g]), phi + down - remainder[g])
        inner[g, 2] = min(min(ceiling[g], phi + linear + short[g]), phi - up + remainder[g])
        inner[g, 1] = min(inner[g, 1], phi)  # but for rounding
        inner[g, 2] = max(inner[g, 2], phi)


@_compiled
def _least_parabola(steep, bend, half):
    """The least of steep d + bend d^2 / 2 over |d| <= half."""
    end = -steep * half + 0.5 * bend * half * half
    return -0.5 * steep * steep / bend if bend > 0.0 and steep < bend * half else end


@_compiled
def _reach(low, high):
    """How far |w d| may go for |d| <= 1, by the chord of |w| over its box, as c w + e: c and e."""
    if low >= 0.0:
        return 1.0, 0.0
    if high <= 0.0:
        return -1.0, 0.0
    return (high + low) / (high - low), -2.0 * low * high / (high - low)


@_compiled
def _relaxed(gr, low, high, y, h, p, half, n_arms, x, tangent):
    """Fills x (arms, steps) with the values of y, which holds for each group its weight and how far its tangents are used, in
    [-1, 1], then the biases; and `tangent` (y, arms, steps) with their derivatives in y."""
    x[:] = 0.0
    tangent[:] = 0.0
    n_steps = x.shape[1]
    for k in range(gr.of.shape[0]):
        for i in range(n_arms):
            g = gr.of[k, i]
            at = k * n_arms + i
            first = 0
            for other in range(g):
                first += 1 + gr.size[other]
            w = y[first]
            c, e = _reach(low[gr.weight[g]], high[gr.weight[g]])
            for t in range(n_steps):
                tangent[first, i, t] += h[at, t]
                x[i, t] += w * h[at, t]
            l = 0
            while gr.slot[k, i, l] >= 0:
                a = gr.slot[k, i, l]
                l += 1
                used = half[gr.own[g, a]]
                if used == 0.0:
                    continue
                s = y[first + 1 + a] * used
                scale = (c * w + e) * used
                for t in range(n_steps):
                    tangent[first, i, t] += c * s * p[at, l - 1, t]
                    tangent[first + 1 + a, i, t] += scale * p[at, l - 1, t]
                    x[i, t] += (c * w + e) * s * p[at, l - 1, t]
    first = y.size - gr.biases.size
    for i in range(n_arms):
        if gr.arm[i] >= 0:
            for t in range(n_steps):
                tangent[first + gr.arm[i], i, t] = 1.0
                x[i, t] += y[first + gr.arm[i]]


@_compiled
def bound_box(ep, gr, low, high, start, cutoff, tolerance):
    """A lower bound on the nll of every theta in the box [low, high].

    `start` is a theta from which to look. Returns the bound, what of it is rounding, a theta inside that is likely good, and
    per parameter how much of the gap a split of it would close, roughly. The work ends when the bound reaches `cutoff`, or
    when it is clear that it cannot.
    """
    n_traces, n_arms, n_steps = _sizes(ep)
    n_groups, most = gr.own.shape
    rows = n_traces * n_arms
    own = ep.places.shape[2] - OWN
    h, size = np.empty((rows, n_steps)), np.empty((rows, 5, n_steps))
    p, c = np.zeros((rows, own, n_steps)), np.zeros((rows, own * (own + 1) // 2, n_steps))
    for k in range(n_traces):
        for i in range(n_arms):
            at = k * n_arms + i
            _enclose(ep, k, i, low, high, h[at], p[at], c[at], size[at, 0], size[at, 1], size[at, 2], size[at, 3], size[at, 4])
    half = 0.5 * (high - low)
    n = n_groups + gr.size.sum() + gr.biases.size
    y, y_low, y_high, shift = np.zeros(n), np.empty(n), np.empty(n), np.zeros(n)
    j = 0
    for g in range(n_groups):
        w = gr.weight[g]
        y_low[j], y_high[j] = low[w], high[w]
        y[j] = min(max(start[w], low[w]), high[w])
        for a in range(gr.size[g]):
            place = gr.own[g, a]
            y_low[j + 1 + a], y_high[j + 1 + a] = (-1.0, 1.0) if half[place] > 0.0 else (0.0, 0.0)
            if half[place] > 0.0:
                y[j + 1 + a] = min(max((start[place] - 0.5 * (low[place] + high[place])) / half[place], -1.0), 1.0)
        j += 1 + gr.size[g]
    for b in range(gr.biases.size):
        place = gr.biases[b]
        y_low[j + b], y_high[j + b] = low[place], high[place]
        y[j + b] = min(max(start[place], low[place]), high[place])

    x, tangent = np.empty((n_arms, n_steps)), np.empty((n, n_arms, n_steps))
    x_there, tangent_there = np.empty((n_arms, n_steps)), np.empty((n, n_arms, n_steps))
    policy, r, mean = np.empty((n_arms, n_steps)), np.zeros((n_arms, n_steps)), np.empty((n, n_steps))
    gradient, hessian, there = np.empty(n), np.empty((n, n)), np.empty(n)
    first, second = np.empty((n_groups, most)), np.empty((n_groups, most * (most + 1) // 2))
    remainder, inner, moved = np.empty(n_groups), np.empty((n_groups, 4)), np.empty((n_groups, most))
    bound, rounding = 0.0, 0.0  # the nll of choices is never negative
    score = np.zeros(low.size)
    _relaxed(gr, low, high, y, h, p, half, n_arms, x, tangent)
    policy[:] = x
    J = _softmax(ep.choices, policy)
    for _turn in range(_SHIFTS):
        for _ in range(_STEPS):
            _first_and_second(ep, policy, tangent, r, mean, gradient, hessian)
            for a in range(n):
                gradient[a] -= shift[a]
            j = 0
            for g in range(n_groups):  # a tangent of no weight is used where it promises most
                if y[j] == 0.0 and (y_low[j] >= 0.0 or y_high[j] <= 0.0):
                    for a in range(gr.size[g]):
                        if half[gr.own[g, a]] > 0.0:
                            d = 0.0
                            for k in range(n_traces):
                                for i in range(n_arms):
                                    if gr.of[k, i] == g:
                                        for l in range(ep.rules[k, N_OWN]):
                                            if gr.slot[k, i, l] == a:
                                                for t in range(n_steps):
                                                    d += r[i, t] * p[k * n_arms + i, l, t]
                            y[j + 1 + a] = -1.0 if d > 0.0 else 1.0
                    _relaxed(gr, low, high, y, h, p, half, n_arms, x, tangent)
                    total = 0.0
                    for i in range(n_arms):
                        for t in range(n_steps):
                            total += r[i, t] * tangent[j, i, t]
                    gradient[j] = total - shift[j]
                j += 1 + gr.size[g]
            left = _newton_step(y, y_low, y_high, gradient, hessian, there)
            # What the bound would lose: slopes count in full over the box, not squared as in `left`.
            loss = 0.0
            for a in range(n):
                loss += max(gradient[a] * (y[a] - y_low[a]), gradient[a] * (y[a] - y_high[a]))
            if loss <= 0.03 * tolerance or left <= 1e-24:
                break
            if J - _product(shift, y) < cutoff - 2.0 * tolerance and left < 0.05 * (cutoff - J + _product(shift, y)):
                break
            value = J - _product(shift, y)
            tau, moves = 1.0, False
            for _ in range(20):
                promised = 0.0
                trial = y + tau * (there - y)
                for a in range(n):
                    promised -= gradient[a] * (trial[a] - y[a])
                _relaxed(gr, low, high, trial, h, p, half, n_arms, x_there, tangent_there)
                policy[:] = x_there
                J_there = _softmax(ep.choices, policy)
                if J_there - _product(shift, trial) <= value - 1e-4 * promised + 1e-14 * (J_there + 1.0):
                    moves = True
                    break
                tau *= 0.5
            if not moves:
                _relaxed(gr, low, high, y, h, p, half, n_arms, x, tangent)
                policy[:] = x
                J = _softmax(ep.choices, policy)
                break
            y, J = trial, J_there
            x, x_there = x_there, x
            tangent, tangent_there = tangent_there, tangent
        _first_and_second(ep, policy, tangent, r, mean, gradient, hessian)
        _ranges(ep, gr, low, high, r, h, p, c, size, first, second, remainder, inner, moved)
        product = magnitude = slack = 0.0
        for t in range(n_steps):
            if ep.choices[t] >= 0:
                for i in range(n_arms):
                    term = r[i, t] * (x[i, t] - x[ep.choices[t], t])
                    product += term
                    magnitude += abs(term)
        lower = J - product
        j = 0
        for g in range(n_groups):
            w = gr.weight[g]
            part = min(min(low[w] * inner[g, 1], low[w] * inner[g, 2]), min(high[w] * inner[g, 1], high[w] * inner[g, 2]))
            lower += part
            magnitude += abs(part)
            slack += max(abs(low[w]), abs(high[w])) * inner[g, 3]
            linear = 0.0
            for a in range(gr.size[g]):
                linear += abs(first[g, a]) * half[gr.own[g, a]]
            if low[w] >= 0.0:
                shift[j] = inner[g, 0] - linear - inner[g, 1]
            elif high[w] <= 0.0:
                shift[j] = inner[g, 0] + linear - inner[g, 2]
            shift[j] += 1e-7 * tolerance * (1.0 if low[w] >= 0.0 else -1.0 if high[w] <= 0.0 else 0.0)
            j += 1 + gr.size[g]
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
        improved = lower - given_up - bound
        if improved > 0.0:
            bound, rounding = lower - given_up, given_up
        # A relaxation whose own value lies below the cutoff cannot show more.
        if bound >= cutoff or cutoff - 2.0 * tolerance > J or improved < 0.02 * (cutoff - bound):
            break
    # Where the gap comes from.
    at = start.copy()
    j = 0
    for g in range(n_groups):
        w = gr.weight[g]
        at[w] = y[j]
        heavy = abs(y[j]) + 0.01 * max(abs(low[w]), abs(high[w]))
        whole = 1e-300
        for a in range(gr.size[g]):
            whole += moved[g, a]
        for a in range(gr.size[g]):
            place = gr.own[g, a]
            if half[place] == 0.0:
                continue
            at[place] = 0.5 * (low[place] + high[place]) + y[j + 1 + a] * half[place]
            lost = remainder[g] * moved[g, a] / whole
            for b in range(gr.size[g]):
                bend = abs(second[g, max(a, b) * (max(a, b) + 1) // 2 + min(a, b)])
                lost += 0.5 * bend * half[place] * half[gr.own[g, b]]
            # No more is lost than by intervals of the traces.
            score[place] += heavy * min(lost, moved[g, a]) + 1e-12 * half[place]
        j += 1 + gr.size[g]
    for b in range(gr.biases.size):
        at[gr.biases[b]] = y[j + b]
    return bound, rounding, at, score


@_compiled
def _product(a, b):
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total


@_compiled
def _first_and_second(ep, policy, tangent, r, mean, gradient, hessian):
    """Fills the residuals, and the nll's gradient and Fisher's information along tangents (n, arms, steps)."""
    n, n_arms, n_steps = tangent.shape
    for i in range(n_arms):
        for t in range(n_steps):
            r[i, t] = policy[i, t] - (1.0 if ep.choices[t] == i else 0.0)
    for j in range(n):
        for t in range(n_steps):
            mean[j, t] = policy[0, t] * tangent[j, 0, t]
        for i in range(1, n_arms):
            for t in range(n_steps):
                mean[j, t] += policy[i, t] * tangent[j, i, t]
        total = 0.0
        for i in range(n_arms):
            total += _dot(r[i], tangent[j, i])
        gradient[j] = total
        for l in range(j + 1):
            total = -_dot(mean[j], mean[l])
            for i in range(n_arms):
                total += _dot3(policy[i], tangent[j, i], tangent[l, i])
            hessian[j, l] = hessian[l, j] = total


@_compiled
def _newton_step(y, low, high, gradient, hessian, there):
    """Fills `there` with the end of a Newton step from y in its box, whose parameters that the gradient pushes against a bound
    stay. Returns what the step promises."""
    n = y.size
    free = np.empty(n, dtype=np.int64)
    count = 0
    for j in range(n):
        held = high[j] <= low[j] or (y[j] <= low[j] and gradient[j] >= 0.0) or (y[j] >= high[j] and gradient[j] <= 0.0)
        if not held:
            free[count] = j
            count += 1
    there[:] = y
    slope = -gradient
    while count > 0:
        A, L = np.empty((count, count)), np.zeros((count, count))
        right, step = np.empty(count), np.empty(count)
        largest = 0.0
        for a in range(count):
            largest = max(largest, hessian[free[a], free[a]])
        for a in range(count):
            right[a] = slope[free[a]]
            for b in range(count):
                A[a, b] = hessian[free[a], free[b]]
            A[a, a] += 1e-11 * largest + 1e-13
        ridge = 1e-10
        while not _cholesky(A, L):
            for a in range(count):
                A[a, a] += ridge * (largest + 1e-3)
            ridge *= 10.0
        _solve(L, right, step)
        # Who would leave the box most goes to its side, and the others step again.
        worst, least = -1, 1.0
        for a in range(count):
            j = free[a]
            room = 1.0
            if y[j] + step[a] > high[j]:
                room = (high[j] - y[j]) / step[a]
            elif y[j] + step[a] < low[j]:
                room = (low[j] - y[j]) / step[a]
            if room < least:
                worst, least = a, room
        if worst < 0:
            for a in range(count):
                there[free[a]] = y[free[a]] + step[a]
            break
        j = free[worst]
        there[j] = high[j] if step[worst] > 0.0 else low[j]
        for a in range(count):
            slope[free[a]] -= hessian[free[a], j] * (there[j] - y[j])
        count -= 1
        free[worst] = free[count]
    promised = 0.0
    for j in range(n):
        promised -= gradient[j] * (there[j] - y[j])
    return promised
