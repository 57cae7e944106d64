"""Small operations on arrays that the compiled solvers share.

Compiled code has an array expression, an index by places or an append written out wherever it stands, which takes the compiler
half a second each; as functions they are compiled once.
"""

import numpy as np

from ..numerics import _compiled


@_compiled
def _with_weight(w):
    """The places of what has weight."""
    n = 0
    for k in range(w.size):
        n += w[k] > 0.0
    places = np.empty(n, np.int64)
    n = 0
    for k in range(w.size):
        if w[k] > 0.0:
            places[n] = k
            n += 1
    return places


@_compiled
def _of_block(block, k):
    """The places of what belongs to block k."""
    n = 0
    for o in range(block.size):
        n += block[o] == k
    places = np.empty(n, np.int64)
    n = 0
    for o in range(block.size):
        if block[o] == k:
            places[n] = o
            n += 1
    return places


@_compiled
def _taken(values, places):
    """values[places], of one dimension."""
    taken = np.empty(places.size, values.dtype)
    for n in range(places.size):
        taken[n] = values[places[n]]
    return taken


@_compiled
def _rows(values, places):
    """values[places], of two dimensions."""
    taken = np.empty((places.size, values.shape[1]))
    for n in range(places.size):
        for t in range(values.shape[1]):
            taken[n, t] = values[places[n], t]
    return taken


@_compiled
def _joined(values, more):
    """One after the other, of one dimension."""
    joined = np.empty(values.size + more.size, values.dtype)
    for n in range(values.size):
        joined[n] = values[n]
    for n in range(more.size):
        joined[values.size + n] = more[n]
    return joined


@_compiled
def _longer(values, size):
    """The rows of values (rows, steps), and room for more, `size` rows in all."""
    longer = np.empty((size, values.shape[1]))
    for n in range(len(values)):
        for t in range(values.shape[1]):
            longer[n, t] = values[n, t]
    return longer


@_compiled
def _stepped(w, tau, d):
    """w + tau d, no entry below 0; d may be longer than w."""
    there = np.empty(w.size)
    for n in range(w.size):
        there[n] = w[n] + tau * d[n]
        if there[n] < 0.0:
            there[n] = 0.0
    return there


@_compiled
def _inner_product(a, b):
    return np.dot(a, b)


@_compiled
def _total(values):
    total = 0.0
    for value in values:
        total += value
    return total
