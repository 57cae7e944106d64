"""Branch and bound over boxes of rates, for every model that is linear in its weights: `boxes` bounds the nll inside a box,
and Newton's method from what a bound suggests finds the optimum. Boxes are halved along the rate that widens the gap most, that
of the least bound first, until no box can hold anything better by more than the tolerance.
"""

from time import perf_counter

import numpy as np

from ..data.dataset import Dataset
from ..models import likelihood
from ..models.families import get_model
from ..models.likelihood import Problem
from ..models.traces import _nll
from ..numerics import _compiled
from .boxes import bound_box
from .descent import descend
from .groups import Groups, by_sign, groups
from .heaps import _pop, _push

# Boxes between two looks at the clock.
_CHUNK = 100
# Of the first so many boxes, what is so many nats above the best is followed down too.
_EARLY, _SPARE = 100, 3.0
# A box is not searched to less than so many times what its bound gives up to rounding.
_UNDECIDED = 4.0


@_compiled
def _consider(ep, candidate, low, high, best, value, spare):
    """Goes down from a candidate that is no more than `spare` above `value`, into `best`; returns the lower value and
    evaluations."""
    n_eval = 1
    if _nll(ep, candidate) < value + spare:
        found, used, _ = descend(ep, candidate, low, high)
        n_eval += used
        if found < value:
            value = found
            best[:] = candidate
    return value, n_eval


@_compiled
def advance(ep, gr, low, high, lows, highs, ats, splits, keys, heap, counts, best, value, tolerance):
    """Takes boxes off the heap and halves them, `_CHUNK` at most or as long as there is room for their halves.

    lows, highs, ats (nodes, parameters): boxes and where to look in them; splits (nodes,): the parameter to halve; keys
    (nodes,): their bounds; counts: how many nodes were made, the size of the heap, bounds computed, evaluations. Returns the
    least nll so far, whose theta is in `best`, and the tolerance, which rounding may raise.
    """
    for _ in range(_CHUNK):
        if counts[1] == 0 or keys[heap[0]] >= value - tolerance or counts[0] + 2 > len(keys):
            break
        node, counts[1] = _pop(heap, keys, counts[1])
        j = splits[node]
        middle = 0.5 * (lows[node, j] + highs[node, j])
        for half in range(2):
            a, b = lows[node].copy(), highs[node].copy()
            if half == 0:
                b[j] = middle
            else:
                a[j] = middle
            value, tolerance = add(
                ep,
                gr,
                low,
                high,
                a,
                b,
                ats[node],
                keys[node],
                lows,
                highs,
                ats,
                splits,
                keys,
                heap,
                counts,
                best,
                value,
                tolerance,
            )
    return value, tolerance


@_compiled
def add(ep, gr, low, high, a, b, start, above, lows, highs, ats, splits, keys, heap, counts, best, value, tolerance):
    """Bounds the box [a, b] and adds it to the heap if it may hold something better; see `advance`."""
    bound, rounding, at, score = bound_box(ep, gr, a, b, start, value - tolerance, tolerance)
    counts[2] += 1
    bound = max(bound, above)
    if bound >= value - tolerance:
        return value, tolerance
    tolerance = max(tolerance, _UNDECIDED * rounding)
    value, used = _consider(ep, at.copy(), low, high, best, value, _SPARE if counts[2] < _EARLY else 0.0)
    counts[3] += used
    if bound < value - tolerance:
        new = counts[0]
        counts[0] += 1
        lows[new], highs[new], ats[new], keys[new] = a, b, at, bound
        splits[new] = np.argmax(score)
        counts[1] = _push(heap, keys, counts[1], new)
    return value, tolerance


class RateSearch:
    """A search of a problem's box, from `known` where that is given. After `run`: the best `theta`, its `nll`, a lower
    `bound` on every other's, how many boxes were bounded (`nodes`), evaluations of the nll, and the `tolerance` searched to,
    which is more than was asked for where bounds give up more to rounding."""

    def __init__(self, problem: Problem, tolerance: float, known: np.ndarray | None = None):
        self.problem, self.tolerance, self.known = problem, tolerance, known
        self.groups: Groups = groups(problem)
        self.theta = np.clip(0.0, problem.lower, problem.upper)
        self.nll = np.inf
        self.bound = -np.inf
        self.nodes = self.n_eval = 0

    def run(self, max_nodes: int, max_seconds: float) -> None:
        begin = perf_counter()
        problem, ep = self.problem, self.problem.episode
        n, room = len(problem.lower), 256
        lows, highs, ats = (np.empty((room, n)) for _ in range(3))
        splits, keys, heap = np.zeros(room, dtype=np.int64), np.empty(room), np.zeros(room, dtype=np.int64)
        counts = np.zeros(4, dtype=np.int64)
        box = problem.lower, problem.upper
        for start in self.starts():
            value, used = _consider(ep, start, *box, self.theta, self.nll, np.inf)
            self.nll = value
            counts[3] += used
        for low, high in by_sign(self.groups, *box):
            start = np.clip(self.theta, low, high)
            self.nll, self.tolerance = add(
                ep, self.groups, *box, low, high, start, -np.inf, lows, highs, ats, splits, keys, heap, counts, self.theta,
                self.nll, self.tolerance,
            )  # fmt: skip
        while counts[1] and keys[heap[0]] < self.nll - self.tolerance:
            if counts[2] >= max_nodes or perf_counter() - begin >= max_seconds:
                break
            if counts[0] + 2 > room:
                lows, highs, ats = (np.concatenate([each, np.empty((room, n))]) for each in (lows, highs, ats))
                splits, heap = (np.concatenate([each, np.zeros(room, dtype=np.int64)]) for each in (splits, heap))
                keys, room = np.concatenate([keys, np.empty(room)]), 2 * room
            self.nll, self.tolerance = advance(
                ep, self.groups, *box, lows, highs, ats, splits, keys, heap, counts, self.theta, self.nll, self.tolerance
            )
        np.clip(self.theta, *box, out=self.theta)  # the middle of a box and half its width may round to beyond its end
        # Whatever was dropped had a bound of at least a cutoff that has only fallen since.
        least = keys[heap[0]] if counts[1] else np.inf
        self.bound = min(least, self.nll - self.tolerance)
        self.nodes, self.n_eval = int(counts[2]), int(counts[3])

    def starts(self) -> list[np.ndarray]:
        """Thetas to begin with: the one known, or rates of one half and of one tenth, weights of about one."""
        if self.known is not None:
            return [self.known.copy()]
        problem = self.problem
        roles = problem.model.roles(problem.n_arms)
        found = []
        for share in (0.5, 0.1):
            theta = np.where(roles == "rate", problem.lower + share * (problem.upper - problem.lower), 0.0)
            theta = np.where(roles == "sensitivity", 2.0, theta)
            theta = np.where(roles == "probability", 0.1 * share, theta)
            found.append(np.clip(theta, problem.lower, problem.upper))
        return found


def warm_up() -> None:
    """Compiles everything here, on a search that branches."""
    rng = np.random.default_rng(1)
    data = Dataset("warm-up", rng.integers(2, size=(1, 30)), rng.integers(2, size=(1, 30)) * 1.0, n_arms=2)
    model = get_model("dual_rates")
    RateSearch(likelihood.problem(data, 0, model, model.default_bounds), 1e-6).run(150, np.inf)
