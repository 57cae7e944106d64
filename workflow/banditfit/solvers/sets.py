"""Profile sets: how far a parameter may go from its estimate before even the best of the others makes the nll too large."""

from ..numerics import _compiled
from .descent import descend

# Values looked at on each side of an estimate, and halvings of the interval in which the end lies.
_VALUES, _HALVINGS = 12, 20


@_compiled
def _fixed(ep, theta, low, high, j, value):
    """The least nll near theta with parameter j at `value`, and the theta where it is."""
    lower, upper = low.copy(), high.copy()
    lower[j] = upper[j] = value
    there = theta.copy()
    there[j] = value
    nll, _, _ = descend(ep, there, lower, upper)
    return nll, there


@_compiled
def profile_end(ep, theta, low, high, j, end, level):
    """The value of parameter j furthest from theta towards `end` at which the least nll over the other parameters is at most
    `level`, and the theta there.

    That nll is followed from theta through values up to `end`, at each from the optimum of the one before and from theta's
    own, so that a set in several parts is seen too; the end is then halved in."""
    start = theta[j]
    inside, outside = start, end
    best, last = theta.copy(), theta.copy()
    found = True
    for n in range(1, _VALUES + 1):
        share = n / _VALUES
        value = end if n == _VALUES else start + share * share * (end - start)  # closer together near the estimate
        nll, last = _fixed(ep, last, low, high, j, value)
        other, there = _fixed(ep, theta, low, high, j, value)
        if other < nll:
            nll, last = other, there
        if nll <= level:
            inside, found = value, True
            best[:] = last
        elif found:
            outside, found = value, False
    if inside == end:
        return end, best
    for _ in range(_HALVINGS):
        value = 0.5 * (inside + outside)
        nll, there = _fixed(ep, best, low, high, j, value)
        if nll <= level:
            inside = value
            best[:] = there
        else:
            outside = value
    return inside, best
