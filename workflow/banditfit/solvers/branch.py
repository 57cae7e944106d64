"""Branch and bound over boxes of (alpha, beta) with the hull relaxation restricted to each box.

Bounds: inside a box the relaxation bounds J below (see `_columns`), and local minimisation from its measures bounds the
optimum above. Branching: where the measure of some block is not a single atom, its rates are split at their mean, so that
neither half admits it; the block is the one whose replacement by its mean raises J most. Trimming: the bound is a sum

    J(g) >= base + sum_k min over [a_low_k, a_high_k] x [mass_low_k, mass_high_k] of mass phi_k(a)

of one term per block, so rates whose term alone lifts it to the best J known cannot be optimal and are cut off at both
ends without solving anything (reduced-cost tightening). That needs mass_low > 0, as without mass no rate matters; so first
each block's small masses are solved for and, if they are worse than the best J known, excluded (probing).
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from time import perf_counter
from typing import NamedTuple

import numpy as np

from .atoms import first_atoms, local_fit, local_fits, single_atoms, solve_atoms
from .columns import _EPS, Box, Episode, _compiled, _geometric_column, _geometric_columns, _likelihood, _values
from .pricing import _cell_bound, _jet

_ROUNDS = 200
# The shares of a block's mass in the relaxed optimum below which the optimum is tried to be ruled out, boldest first.
_PROBES = (0.5, 0.2, 0.05)
# Multiples of the masses found beyond which the optimum is tried to be ruled out, likewise.
_LARGE = (4.0, 64.0, 4096.0)
# A box is not searched to less than so many times what its bound gives up to rounding.
_UNDECIDED = 4.0


@_compiled
def _first_kept(e, start, end, threshold):
    """Walks from the rate `start` towards `end` over cells on which phi > threshold; where the first other cell starts
    (`end` if there is none). Cells double and halve with success, down to a thousandth of the rate's own scale."""
    a = start
    toward = 1.0 if end > start else -1.0
    width = 0.125 * abs(end - start)
    jet = _jet(e, 1.0 - a)
    while a != end and width > 1e-3 * (a + 0.01):
        new = a + toward * width
        if toward * (end - new) <= 0.0:
            new = end
        new_jet = _jet(e, 1.0 - new)
        left, right = (new_jet, jet) if new > a else (jet, new_jet)
        if _cell_bound(abs(new - a), left, right) > threshold:
            a, jet = new, new_jet
            width *= 2.0
        else:
            width *= 0.5
    return a


@_compiled
def trim(a_low, a_high, mass_low, e, share, bound, cutoff):
    """Cuts from each block's rates those at which the bound exceeds `cutoff`, in place; False if none are left."""
    for k in range(a_low.size):
        spare = cutoff - bound + share[k]
        spare += 4.0 * _EPS * (abs(cutoff) + abs(bound) + abs(share[k]))
        if mass_low[k] <= 0.0 or spare < 0.0 or a_high[k] <= a_low[k]:
            continue
        low = _first_kept(e[k], a_low[k], a_high[k], spare / mass_low[k])
        if low == a_high[k]:
            return False
        a_high[k] = _first_kept(e[k], a_high[k], low, spare / mass_low[k])
        a_low[k] = low
    return True


@_compiled
def split(ep, a_low, a_high, mass_low, mass_high, block, a, w):
    """The block to branch on and the rate to split it at; the widest block, in its middle, if every measure is a single
    atom (as may be where a bound missed its tolerance)."""
    mean, mass = single_atoms(block, a, w, a_low, a_high, mass_low, mass_high)
    p = np.empty(ep.u.shape[1:])
    r = np.empty(ep.u.shape[1:])
    columns, slopes = _geometric_columns(ep, block, a)
    best = int(np.argmax(a_high - a_low))
    point = 0.5 * (a_low[best] + a_high[best])
    most = -np.inf
    for k in range(ep.blocks):
        mine = np.flatnonzero(block == k)
        if mine.size < 2 or a[mine].max() <= a[mine].min():
            continue
        weights = w.copy()
        weights[mine] = 0.0
        weights[mine[0]] = mass[k]
        kept = columns[mine[0]].copy()
        _geometric_column(ep, k, mean[k], columns[mine[0]], slopes[0])
        rise = _likelihood(ep.choices, _values(ep, columns, block, weights), p, r)
        columns[mine[0]] = kept
        if rise > most:
            most = rise
            best = k
            low, high = a[mine].min(), a[mine].max()
            point = min(max(mean[k], low + 0.1 * (high - low)), high - 0.1 * (high - low))
    return best, point


@_compiled
def fitted(block, a, w, a_low, a_high, mass_low, mass_high):
    """Atoms moved into a box: rates to the nearest inside, masses scaled into their range."""
    mass = np.zeros(a_low.size)
    for n in range(a.size):
        mass[block[n]] += w[n]
    a, w = a.copy(), w.copy()
    for n in range(a.size):
        k = block[n]
        a[n] = min(max(a[n], a_low[k]), a_high[k])
        if mass[k] > 0.0:
            w[n] *= min(max(mass[k], mass_low[k]), mass_high[k]) / mass[k]
    return a, w


class Node(NamedTuple):
    """A box, the bound on J inside it, how much it gives up to rounding (nats), the relaxation's optimum (block, a, w) and what
    the bound is made of (see `trim`)."""

    bound: float
    rounding: float
    box: Box
    block: np.ndarray
    a: np.ndarray
    w: np.ndarray
    e: np.ndarray
    share: np.ndarray


class Search:
    """A search of one box. After `run`: the best parameters found, `alpha` and `beta` (blocks,), their `nll`, a lower
    `bound` on every other's, how many relaxations were solved (`nodes`), evaluations of J, and the `tolerance` searched to,
    which is more than was asked for where bounds give up more to rounding."""

    def __init__(self, ep: Episode, box: Box, tolerance: float):
        self.ep, self.box, self.tolerance = ep, box, tolerance
        self.alpha = self.beta = None
        self.nll, self.bound = np.inf, 0.0
        self.nodes = self.n_eval = 0

    @property
    def cutoff(self) -> float:
        """The bound from which a box need not be looked at again."""
        return self.nll - self.tolerance

    def run(self, max_nodes: int, max_seconds: float) -> None:
        begin = perf_counter()
        root = self._solve(self.box, *first_atoms(*self.box))
        alphas, betas, values, counts, _ = local_fits(self.ep, *self.box, root.block, root.a, root.w, _ROUNDS)
        best = int(np.argmin(values))
        self.alpha, self.beta, self.nll = alphas[best], betas[best], values[best]
        self.n_eval += int(counts.sum())
        order = count()  # breaks ties of the bound, first come first served
        boxes = []
        if root.bound < self.cutoff:
            boxes = [(node.bound, next(order), node) for node in self._tightened(root)]
        while boxes and boxes[0][0] < self.cutoff and self.nodes < max_nodes and perf_counter() - begin < max_seconds:
            for child in self._branched(heappop(boxes)[2]):
                heappush(boxes, (child.bound, next(order), child))
        # Whatever was dropped had a bound of at least a cutoff that has only fallen since.
        self.bound = max(root.bound, min([self.cutoff, *(bound for bound, _, _ in boxes)]))

    def _solve(self, box: Box, block: np.ndarray, a: np.ndarray, w: np.ndarray) -> Node:
        """The relaxation in a box, from atoms of another; given up once its bound reaches the cutoff."""
        a, w = fitted(block, a, w, *box)
        block, a, w, _, bound, n_eval, _, rounding, e, share = solve_atoms(
            self.ep, *box, block, a, w, 0.1 * self.tolerance, self.cutoff, _ROUNDS
        )
        self.nodes += 1
        self.n_eval += n_eval
        return Node(bound, rounding, box, block, a, w, e, share)

    def _open(self, node: Node) -> bool:
        """Whether a node may hold better parameters. The tolerance is raised to what its bound can tell at all."""
        if node.bound < self.cutoff:
            self.tolerance = max(self.tolerance, _UNDECIDED * node.rounding)
        return node.bound < self.cutoff

    def _improve(self, node: Node) -> None:
        """Looks for a better fit near the means of a node's measures."""
        means = single_atoms(node.block, node.a, node.w, *node.box)
        alpha, beta, nll, n_eval, _ = local_fit(self.ep, *self.box, *means, _ROUNDS)
        self.n_eval += n_eval
        if nll < self.nll:
            self.alpha, self.beta, self.nll = alpha, beta, nll

    def _tightened(self, root: Node) -> list[Node]:
        """The root in a box from which small masses are probed away and rates trimmed as long as that pays."""
        box = Box(*(side.copy() for side in self.box))
        if _UNDECIDED * root.rounding > self.tolerance:
            self._drop_large_masses(box, root)
            root = self._solve(Box(*(side.copy() for side in box)), root.block, root.a, root.w)
            self._improve(root)
            if not self._open(root):
                return []
        for k in range(self.ep.blocks):
            mass = root.w[root.block == k].sum()
            if box.mass_low[k] > 0.0 or mass == 0.0:
                continue
            for part in _PROBES:
                few = box.mass_high.copy()
                few[k] = part * mass
                if self._solve(box._replace(mass_high=few), root.block, root.a, root.w).bound >= self.cutoff:
                    box.mass_low[k] = few[k]
                    break
        while True:
            width = box.a_high - box.a_low
            if not self._trim(box, root):
                return []
            if np.log((box.a_high - box.a_low + 1e-9) / (width + 1e-9)).sum() > -0.2:
                return [root._replace(box=box)]
            root = self._solve(Box(*(side.copy() for side in box)), root.block, root.a, root.w)
            self._improve(root)
            if not self._open(root):
                return []
            box = root.box

    def _drop_large_masses(self, box: Box, root: Node) -> None:
        """Lowers the most that masses may be, in place, where far larger ones than those of the optima found can be ruled out:
        a bound gives up to rounding in proportion to it."""
        for k in range(self.ep.blocks):
            mass = max(root.w[root.block == k].sum(), self.beta[k], 1.0)
            for times in _LARGE:
                many = box.mass_low.copy()
                many[k] = times * mass
                if many[k] >= box.mass_high[k]:
                    break
                large = box._replace(mass_low=many)
                if self._solve(large, *first_atoms(*large)).bound >= self.cutoff:
                    box.mass_high[k] = many[k]
                    break

    def _trim(self, box: Box, node: Node) -> bool:
        return trim(box.a_low, box.a_high, box.mass_low, node.e, node.share, node.bound, self.cutoff)

    def _branched(self, node: Node) -> Iterator[Node]:
        """The halves of a node that may hold the optimum."""
        k, point = split(self.ep, *node.box, node.block, node.a, node.w)
        for side in ("a_high", "a_low"):
            box = Box(*(value.copy() for value in node.box))
            getattr(box, side)[k] = point
            if not self._trim(box, node):
                continue
            child = self._solve(box, node.block, node.a, node.w)
            if child.bound >= self.cutoff:
                continue
            self._improve(child)
            if self._open(child) and self._trim(box, child):
                yield child


def warm_up() -> None:
    """Compiles everything here, on a search that branches."""
    rng = np.random.default_rng(1)
    arms = rng.integers(2, size=30)
    u = np.zeros((1, 2, 30))
    u[0, arms, np.arange(30)] = rng.normal(size=30)
    ep = Episode(arms, arms, u, np.arange(30) == 0, np.full(30, 30), 29, False, 2, np.ones(2))
    box = Box(np.zeros(2), np.ones(2), np.full(2, 2.0), np.full(2, 5.0))
    Search(ep, box, 1e-6).run(9, np.inf)
