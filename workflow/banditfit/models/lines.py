"""The nll along a line: at many values of one weight, all else held, compiled.

Unit traces do not depend on weights, so along the line values are a + w b, and the choice of arm y at step t costs
log(1 + sum_i exp((a_i - a_y) + w (b_i - b_y))) nats. The traces are run through once, and each further point of the line is one
exp for every step and every arm but the chosen one.
"""

from math import log

import numpy as np

from ..numerics import _compiled, _exp, _vectorised
from .traces import WEIGHT, Episode, _lapse, _sizes, _unit_traces, _values

BLOCK = 64  # steps whose denominators, of at most as many as there are arms each, are multiplied before a logarithm is taken


def on_a_line(episode: Episode, place: int) -> bool:
    """Whether the values are linear in theta[place], and log probabilities those of a softmax."""
    return bool((episode.places[:-1, :, WEIGHT] == place).any()) and _lapse(episode) < 0


@_compiled
def _nll_line(ep, theta, place, weights, out):
    """Fills out (n,) with the nll at theta whose element `place`, a weight, is each of weights (n,)."""
    n_traces, n_arms, n_steps = _sizes(ep)
    h = _unit_traces(ep, theta)
    there = theta.copy()
    there[place] = 0.0
    x = _values(ep, there, h)
    slope = np.zeros((n_arms, n_steps))
    for k in range(n_traces):
        for i in range(n_arms):
            if ep.places[k, i, WEIGHT] == place:
                slope[i] += h[k, i]
    a, b = np.empty((n_arms - 1, n_steps)), np.empty((n_arms - 1, n_steps))
    n = 0
    for t in range(n_steps):
        y = ep.choices[t]
        if y >= 0:
            for i in range(n_arms - 1):
                other = i if i < y else i + 1
                a[i, n] = x[other, t] - x[y, t]
                b[i, n] = slope[other, t] - slope[y, t]
            n += 1
    for k in range(weights.size):
        if n_arms == 2:
            out[k] = _two(a[0], b[0], weights[k], n)
        else:
            out[k] = _many(a, b, weights[k], n)


@_vectorised
def _two(a, b, w, n):
    """sum_t log(1 + exp(a + w b)) over the first n steps."""
    nll = 0.0
    for first in range(0, n, BLOCK):
        product, top = 1.0, 0.0
        for t in range(first, min(first + BLOCK, n)):
            x = a[t] + w * b[t]
            top += max(x, 0.0)
            product *= 1.0 + _exp(-abs(x))
        nll += top + log(product)
    return nll


@_vectorised
def _many(a, b, w, n):
    """sum_t log(1 + sum_i exp(a_i + w b_i)) over the first n steps."""
    x, top, total = np.empty((len(a), BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    nll = 0.0
    for first in range(0, n, BLOCK):
        size = min(BLOCK, n - first)
        top[:] = 0.0
        for i in range(len(a)):
            for t in range(size):
                x[i, t] = a[i, first + t] + w * b[i, first + t]
                top[t] = max(top[t], x[i, t])
        for t in range(size):
            total[t] = _exp(-top[t])
        for i in range(len(a)):
            for t in range(size):
                total[t] += _exp(x[i, t] - top[t])
        product = 1.0
        for t in range(size):
            product *= total[t]
            nll += top[t]
        nll += log(product)
    return nll
