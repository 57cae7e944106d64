"""What a lapse makes of the nll over a box, from below: a weighted nll without one (docs/certificates.md).

With l the nll of a step without a lapse, that with one is f(l, eps) = -log((1 - eps) exp(-l) + eps / arms): concave and
increasing in l, convex in eps. What lies below it for all eps of an interval and is concave and increasing in l too (`_below`)
lies above its own chord over the l that a box allows: f >= base + share l.
"""

import numpy as np

from ..models.traces import WEIGHT, _at, _bias, _lapse, _sizes
from ..numerics import _compiled, _softmax

# What is added to an interval of l for its own rounding, and taken from each chord, relative to their size.
_WIDER, _LOWER = 1e-12, 2e-15


@_compiled
def lapsed(l, eps, n_arms):
    """f(l, eps)."""
    if eps <= 0.0:
        return l
    if l <= 30.0:
        return l - np.log((1.0 - eps) + eps / n_arms * np.exp(l))
    return -np.log((1.0 - eps) * np.exp(-l) + eps / n_arms)


@_compiled
def ends_of(low, high):
    """How far the lapse is moved from the middle of its interval for the bounds of `_below`, of which the lesser counts: to
    either end where f is concave in l on the tangents there, and once, not moved, where it need not be."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    if 0.0 < half <= 0.99 * middle * (1.0 - middle):
        return np.array([-half, half])
    return np.zeros(1)


@_compiled
def _below(l, low, high, moved, n_arms):
    """What is concave and increasing in l and at most f(l, eps) for all eps in [low, high], or, where `moved` is not 0, for
    those on one side of another eps at least: f is convex in eps, so that it lies above its tangent at the middle, and the
    sum of tangents is least at an end of the interval."""
    if moved == 0.0:
        return min(lapsed(l, low, n_arms), lapsed(l, high, n_arms))
    middle, pi = 0.5 * (low + high), np.exp(-l)
    return lapsed(l, middle, n_arms) - moved * (1.0 / n_arms - pi) / ((1.0 - middle) * pi + middle / n_arms)


@_compiled
def _of_product(w_low, w_high, d_low, d_high):
    """The range of w d."""
    a, b, c, d = w_low * d_low, w_low * d_high, w_high * d_low, w_high * d_high
    return min(min(a, b), min(c, d)), max(max(a, b), max(c, d))


@_compiled
def _difference(ep, gr, low, high, size, t, i, y):
    """Between which the value of arm i less that of arm y lies at step t. `size` as `boxes` has it."""
    n_traces, n_arms, _ = _sizes(ep)
    least = _at(low, _bias(ep, i)) - _at(high, _bias(ep, y))
    most = _at(high, _bias(ep, i)) - _at(low, _bias(ep, y))
    for k in range(n_traces):
        a, b = k * n_arms + i, k * n_arms + y
        w, v = ep.places[k, i, WEIGHT], ep.places[k, y, WEIGHT]
        if w == v:
            down, up = _of_product(_at(low, w), _at(high, w), size[a, 0, t] - size[b, 1, t], size[a, 1, t] - size[b, 0, t])
        else:
            down, up = _of_product(_at(low, w), _at(high, w), size[a, 0, t], size[a, 1, t])
            less, more = _of_product(_at(low, v), _at(high, v), size[b, 0, t], size[b, 1, t])
            down, up = down - more, up - less
        least += down
        most += up
    return least, most


@_compiled
def _log_total(values, count):
    """log(1 + sum exp(values))."""
    top = 0.0
    for j in range(count):
        top = max(top, values[j])
    total = np.exp(-top)
    for j in range(count):
        total += np.exp(values[j] - top)
    return top + np.log(total)


@_compiled
def chords(ep, gr, low, high, size, moved, share, between):
    """Fills share (steps,), the slopes of the chords, and between (steps, 2), the intervals of l; `moved` as `_below` has it.
    Returns the sum of the chords' values at l = 0, lowered by what rounding may have added."""
    _, n_arms, n_steps = _sizes(ep)
    e_low, e_high = low[_lapse(ep)], high[_lapse(ep)]
    base = 0.0
    downs, ups = np.empty(n_arms), np.empty(n_arms)
    for t in range(n_steps):
        y = ep.choices[t]
        share[t] = between[t, 0] = between[t, 1] = 0.0
        if y < 0:
            continue
        count = 0
        for i in range(n_arms):
            if i != y:
                downs[count], ups[count] = _difference(ep, gr, low, high, size, t, i, y)
                count += 1
        least, most = _log_total(downs, count), _log_total(ups, count)
        least = max(least - _WIDER * (1.0 + least), 0.0)
        most += _WIDER * (1.0 + most)
        bottom, top = _below(least, e_low, e_high, moved, n_arms), _below(most, e_low, e_high, moved, n_arms)
        if most - least > 1e-9:
            share[t] = min(max((top - bottom) / (most - least), 0.0), 2.0)
        between[t, 0], between[t, 1] = least, most
        # The lower of both ends, as the slope is rounded.
        base += min(bottom - share[t] * least, top - share[t] * most) if share[t] > 0.0 else bottom
        base -= _LOWER * (2.0 + abs(bottom) + abs(top) + share[t] * most)
    return base


@_compiled
def weighted(choices, x, share):
    """As `_softmax`, with each step counted `share` times, in the nll and in the probabilities; the nll itself where share is
    empty."""
    if share.size == 0:
        return _softmax(choices, x)
    total = 0.0
    for t in range(choices.size):
        y = choices[t]
        if y < 0:
            x[:, t] = 0.0
            continue
        top = x[0, t]
        for i in range(1, len(x)):
            top = max(top, x[i, t])
        mass, chosen = 0.0, x[y, t]
        for i in range(len(x)):
            x[i, t] = np.exp(x[i, t] - top)
            mass += x[i, t]
        total += share[t] * (top - chosen + np.log(mass))
        for i in range(len(x)):
            x[i, t] *= share[t] / mass
    return total


@_compiled
def add_scores(ep, gr, low, high, size, between, share, policy, score):
    """Adds to `score` what each parameter's width adds to the gap by the chords, roughly; `policy` is that of `weighted`."""
    n_steps = _sizes(ep)[2]
    n_arms = ep.places.shape[1]
    place = _lapse(ep)
    e_low, e_high = low[place], high[place]
    middle, half = 0.5 * (e_low + e_high), 0.5 * (e_high - e_low)
    apart = ends_of(e_low, e_high).size == 2
    for t in range(n_steps):
        y = ep.choices[t]
        if y < 0:
            continue
        least, most = between[t, 0], between[t, 1]
        l = 0.5 * (least + most)
        if share[t] > 0.0 and policy[y, t] > 0.0:
            l = min(max(-np.log(policy[y, t] / share[t]), least), most)
        if apart:
            score[place] += 0.5 * (_below(l, e_low, e_high, half, n_arms) - lapsed(l, middle, n_arms)) ** 2
        else:
            score[place] += max(lapsed(l, middle, n_arms) - _below(l, e_low, e_high, 0.0, n_arms), 0.0)
        if most - least > 1e-9:
            ends = 0.5 * (lapsed(least, middle, n_arms) + lapsed(most, middle, n_arms))
            add_shares(ep, gr, low, high, size, t, lapsed(0.5 * (least + most), middle, n_arms) - ends, score)


@_compiled
def add_shares(ep, gr, low, high, size, t, lost, score):
    """Adds to `score` what is `lost` at a step, shared among weights, biases, rates and initial values by how far each may move
    the values there."""
    n_traces, n_arms, _ = _sizes(ep)
    width = np.zeros(low.size)
    for i in range(n_arms):
        if _bias(ep, i) >= 0:
            width[_bias(ep, i)] += high[_bias(ep, i)] - low[_bias(ep, i)]
        for k in range(n_traces):
            a, w = k * n_arms + i, ep.places[k, i, WEIGHT]
            if w >= 0:
                width[w] += (high[w] - low[w]) * max(abs(size[a, 0, t]), abs(size[a, 1, t]))
            moved = (size[a, 1, t] - size[a, 0, t]) * max(abs(_at(low, w)), abs(_at(high, w)))
            g, whole = gr.of[k, i], 1e-300
            for b in range(gr.size[g]):
                whole += high[gr.own[g, b]] - low[gr.own[g, b]]
            for b in range(gr.size[g]):
                width[gr.own[g, b]] += moved * (high[gr.own[g, b]] - low[gr.own[g, b]]) / whole
    total = 1e-300
    for j in range(width.size):
        total += width[j]
    for j in range(width.size):
        score[j] += lost * width[j] / total
