"""What a lapse makes of the nll over a box, from below: a weighted nll without one (docs/certificates.md).

With l the nll of a step without a lapse, that with one is f(l, eps) = -log((1 - eps) exp(-l) + eps / arms): concave and
increasing in l. The probability is linear in eps, so f is least at an end of eps' interval, and the lesser of the two ends' f
is concave and increasing too. So it lies above its chord over the l that a box allows: f >= base + share l.
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
def _least_of(l, low, high, n_arms):
    return min(lapsed(l, low, n_arms), lapsed(l, high, n_arms))


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
def chords(ep, gr, low, high, size, share, between):
    """Fills share (steps,), the slopes of the chords, and between (steps, 2), the intervals of l. Returns the sum of the
    chords' values at l = 0, lowered by what rounding may have added."""
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
        bottom, top = _least_of(least, e_low, e_high, n_arms), _least_of(most, e_low, e_high, n_arms)
        if most - least > 1e-9:
            share[t] = min(max((top - bottom) / (most - least), 0.0), 1.0)
        between[t, 0], between[t, 1] = least, most
        # The lower of both ends, as the slope is rounded.
        base += min(bottom - share[t] * least, top - share[t] * most) if share[t] > 0.0 else bottom
        base -= _LOWER * (1.0 + abs(bottom) + abs(top) + share[t] * most)
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
    n_traces, n_arms, n_steps = _sizes(ep)
    place = _lapse(ep)
    e_low, e_high = low[place], high[place]
    middle = 0.5 * (e_low + e_high)
    width = np.zeros(low.size)
    for t in range(n_steps):
        y = ep.choices[t]
        if y < 0:
            continue
        least, most = between[t, 0], between[t, 1]
        l = 0.5 * (least + most)
        if share[t] > 0.0 and policy[y, t] > 0.0:
            l = min(max(-np.log(policy[y, t] / share[t]), least), most)
        at = _least_of(l, e_low, e_high, n_arms)
        score[place] += max(lapsed(l, middle, n_arms) - at, 0.0)
        if most - least <= 1e-9:
            continue
        l = 0.5 * (least + most)
        lost = _least_of(l, e_low, e_high, n_arms) - 0.5 * (
            _least_of(least, e_low, e_high, n_arms) + _least_of(most, e_low, e_high, n_arms)
        )
        width[:] = 0.0
        total = 1e-300
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
        for j in range(width.size):
            total += width[j]
        for j in range(width.size):
            score[j] += lost * width[j] / total
