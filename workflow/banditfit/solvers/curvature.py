"""A bound on the nll over a box of all parameters by Taylor's theorem, where only curvature decides (docs/certificates.md).

Along a line from the centre to anywhere in the box the nll is its second-order polynomial up to a sixth of the third
derivative, which is bounded here step by step. Where the Hessian at the centre exceeds what it may change by, the nll is convex
in the box, and a local minimum is the least.
"""

import numpy as np

from ..models.traces import WEIGHT, _at, _bias, _lapse, _nll_grad, _nll_hessian, _sizes
from ..numerics import _compiled
from .chords import add_shares
from .descent import descend
from .relaxation import _newton_step

_EPS = np.finfo(np.float64).eps


@_compiled
def _half_at(half, place):
    return half[place] if place >= 0 else 0.0


@_compiled
def _largest(low, high, place):
    return max(abs(_at(low, place)), abs(_at(high, place)))


@_compiled
def _line(ep, low, high, half, size, t, i, y, found):
    """How large the difference of the values of arms i and y at step t may be along a line, in its first three derivatives, and
    how far it may be from the one whose classes of steps are those of the centre: fills found (4,)."""
    n_traces, n_arms, _ = _sizes(ep)
    found[:] = 0.0
    found[0] = _half_at(half, _bias(ep, i)) + _half_at(half, _bias(ep, y))
    for k in range(n_traces):
        a, b = k * n_arms + i, k * n_arms + y
        w, v = ep.places[k, i, WEIGHT], ep.places[k, y, WEIGHT]
        for side in range(2):
            at, place = (a, w) if side == 0 else (b, v)
            weight, width = _largest(low, high, place), _half_at(half, place)
            off, first, second, third = size[at, 2, t], size[at, 5, t], size[at, 3, t], size[at, 4, t]
            if w != v:
                found[0] += width * (max(abs(size[at, 0, t]), abs(size[at, 1, t])) + off)
            found[0] += weight * first
            found[1] += 2.0 * width * first + weight * second
            found[2] += 3.0 * width * second + weight * third
            found[3] += weight * off
        if w == v:
            apart = max(abs(size[a, 1, t] - size[b, 0, t]), abs(size[b, 1, t] - size[a, 0, t]))
            found[0] += _half_at(half, w) * (apart + size[a, 2, t] + size[b, 2, t])


@_compiled
def _of_lapse(least, most, e_low, e_high, n_arms, found):
    """Bounds over the nll without a lapse l in [least, most] and the lapse in its interval, with pi = exp(-l), the probability
    p = (1 - eps) pi + eps / arms, the share s = (1 - eps) pi / p and u = (1 / arms - pi) / p. Fills found (5,): the most that
    s, s (1 - s), |1 - 2 s|, |u|, and pi / (arms p^2) may be."""
    highest, lowest, u, ratio, p_least = 0.0, 1.0, 0.0, 0.0, 1.0
    for corner in range(4):
        pi = np.exp(-least) if corner < 2 else np.exp(-most)
        eps = e_low if corner % 2 == 0 else e_high
        p = (1.0 - eps) * pi + eps / n_arms
        s = (1.0 - eps) * pi / p
        highest, lowest, p_least = max(highest, s), min(lowest, s), min(p_least, p)
        u, ratio = max(u, abs(1.0 / n_arms - pi) / p), max(ratio, pi / p)
    found[0] = highest
    if lowest <= 0.5 <= highest:
        found[1] = 0.25
    else:
        found[1] = max(lowest * (1.0 - lowest), highest * (1.0 - highest))
    found[2] = max(abs(1.0 - 2.0 * lowest), abs(1.0 - 2.0 * highest))
    found[3] = u
    found[4] = ratio / (n_arms * p_least)
    if e_low > 0.0 and e_high < 1.0:
        found[4] = min(found[4], found[1] / min(e_low * (1.0 - e_low), e_high * (1.0 - e_high)))


@_compiled
def _third(ep, gr, low, high, half, size, between, score):
    """The most that the third derivative of the nll along a line from the centre may be in magnitude, by up to how much the nll
    differs from that with the centre's classes of steps, and the magnitude of what its first two derivatives are sums of.
    `between` (steps, 2): in which intervals the nlls of steps without a lapse lie. Adds to `score` each parameter's part of the
    first."""
    _, n_arms, n_steps = _sizes(ep)
    e_low, e_high = (low[_lapse(ep)], high[_lapse(ep)]) if _lapse(ep) >= 0 else (0.0, 0.0)
    moved = 0.5 * (e_high - e_low)
    one, line, of = np.empty(4), np.empty(4), np.empty(5)
    third = slip = magnitude = 0.0
    for t in range(n_steps):
        y = ep.choices[t]
        if y < 0:
            continue
        line[:] = 0.0
        for i in range(n_arms):
            if i != y:
                _line(ep, low, high, half, size, t, i, y, one)
                for j in range(4):
                    line[j] = max(line[j], one[j])
        least, most = max(between[t, 0] - line[3], 0.0), between[t, 1] + line[3]
        # Of the nll without a lapse: other arms have a probability of at most `others`; differences within a step spread by
        # at most `spread` times the largest.
        others = 1.0 - np.exp(-most)
        spread, share = (1.0, 0.25) if n_arms == 2 else (2.0, 1.0)
        share = min(share, others)
        first = others * line[0]
        second = share * line[0] * line[0] + others * line[1]
        last = share * line[0] * (spread * line[0] * line[0] + 3.0 * line[1]) + others * line[2]
        _of_lapse(least, most, e_low, e_high, n_arms, of)
        bent = of[1] * of[2] * first * first * first + 3.0 * of[1] * first * second + of[0] * last
        mixed = 3.0 * moved * of[4] * (of[2] * first * first + second) + 6.0 * moved * moved * of[4] * of[3] * first
        alone = moved * of[3]
        here = bent + mixed + 2.0 * alone * alone * alone
        third += here
        if _lapse(ep) >= 0 and np.isfinite(here):
            part = alone / (alone + of[0] * first + 1e-300)
            score[_lapse(ep)] += here * part
            add_shares(ep, gr, low, high, size, t, here * (1.0 - part), score)
        slip += line[3]
        magnitude += line[0] + line[1] + line[0] * line[0] + alone + alone * alone + 2.0 * moved * of[4] * line[0]
    return third, slip, magnitude


@_compiled
def _least_of_parabola(slope, bend, left, right):
    """The least of slope v + bend v^2 / 2 over v in [left, right], bend > 0."""
    v = min(max(-slope / bend, left), right)
    return slope * v + 0.5 * bend * v * v


@_compiled
def second_order(ep, gr, low, high, size, between, start):
    """A lower bound on the nll in the box [low, high], what of it is rounding, and per parameter how much of the gap a split of
    it would close, roughly. `size` is what `enclosures` says of each trace on each arm, `between` as `_third` has it; `start`
    is where a local search may begin."""
    half, score = 0.5 * (high - low), np.zeros(low.size)
    third, slip, magnitude = _third(ep, gr, low, high, half, size, between, score)
    places = np.flatnonzero(half > 0.0)
    n = places.size
    centre = 0.5 * (low + high)
    nll, gradient, hessian, _ = _nll_hessian(ep, centre)
    given_up = _EPS * (4.0 * ep.choices.size + 50.0) * (abs(nll) + magnitude + third)
    if n == 0 or not np.isfinite(third):
        return nll - slip - given_up if n == 0 else -np.inf, given_up, score
    slope, bend = np.empty(n), np.empty((n, n))
    for a in range(n):
        slope[a] = gradient[places[a]] * half[places[a]]
        for b in range(n):
            bend[a, b] = hessian[places[a], places[b]] * half[places[a]] * half[places[b]]
    least = np.linalg.eigvalsh(bend)[0] - 1e-12 * n * np.abs(bend).max() - given_up
    if least > third and slip == 0.0:
        # Convex in the box: what a local minimum lacks of one is seen by its slopes.
        there = np.minimum(np.maximum(start, low), high)
        descend(ep, there, low, high)
        nll, gradient = _nll_grad(ep, there)
        for a in range(n):
            j = places[a]
            left, right = (low[j] - there[j]) / half[j], (high[j] - there[j]) / half[j]
            nll += _least_of_parabola(gradient[j] * half[j], least - third, left, right)
        return nll - given_up, given_up, score
    shift = max(0.0, -least) + 1e-14
    for a in range(n):
        bend[a, a] += shift
    v = np.zeros(n)
    _newton_step(np.zeros(n), -np.ones(n), np.ones(n), slope, bend, v)
    steep = slope + bend @ v
    lower = nll + slope @ v + 0.5 * (v @ (bend @ v)) - 0.5 * shift * n - third / 6.0 - slip - given_up
    for a in range(n):
        lower += min(steep[a] * (-1.0 - v[a]), steep[a] * (1.0 - v[a]))
    return lower, given_up, score
