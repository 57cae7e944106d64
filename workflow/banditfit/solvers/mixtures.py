"""Mixtures of traces: the hull relaxation of every model that is linear in its weights (docs/relaxations.md).

A group of traces shares one weight w and parameters of its own, rates and initial values a. In place of w z(a) stands the
integral of z(a) over a measure on a's box whose mass lies in w's; what is admissible is a measure at a single point. The nll
is convex in the measures, and few points (atoms) carry them, so atoms enter where the slope phi(a) = <r, z(a)> is least, and
Newton's method moves them with their weights. At any measure, with residuals r, `boxes._proved` makes a lower bound of the
least that phi may be, which `least_slope` encloses. Weights whose traces have nothing of their own, and biases, stay what they
are: numbers in their box.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..data.dataset import Dataset
from ..models import likelihood
from ..models.families import get_model
from ..models.likelihood import Problem
from ..models.traces import N_OWN, OWN, _gated, _one_trace, _sizes, _unit_traces
from ..numerics import _compiled, _dot, _softmax
from .active_set import _quadratic_step
from .boxes import _proved
from .enclosures import _enclose, _ranges
from .groups import Groups, by_sign, groups
from .heaps import _pop, _push
from .relaxation import _first_and_second, _newton_step

# Points of a grid at which phi is looked up, by how many own parameters it has, and Newton's steps from the best of them.
_GRID = (1, 24, 12, 7, 5)
_POLISH = 8
# Boxes halved at most to enclose the least of phi; tens are usual with one own parameter, hundreds with two.
_BOXES = 2000
# Steps too small to show in the nll that are taken for the bound's sake: it shows slopes in full, the nll their squares.
_TINY = 5
# Shares of the curvature of traces in Newton's steps.
_SHARES = (1.0, 0.9, 0.7, 0.3)
# Atoms of one group at most.
_CROWD = 12
# Combinations of atoms that are looked at as parameters, and readings that are given.
_COMBINED, _READINGS = 64, 4
# Where atoms begin, as shares of the box.
_FIRST = (0.08, 0.3, 0.8)


@_compiled
def fill_atom(ep, gr, g, theta, column, slope, curve):
    """Fills column (arms, steps) with the traces of group g at theta, and slope (own, arms, steps) and curve (pairs, arms,
    steps) with their derivatives in the group's own parameters."""
    n_traces, n_arms, n_steps = _sizes(ep)
    widest = ep.places.shape[2] - OWN
    h, p, c = np.empty(n_steps), np.zeros((widest, n_steps)), np.zeros((widest * (widest + 1) // 2, n_steps))
    column[:] = 0.0
    slope[:] = 0.0
    curve[:] = 0.0
    for k in range(n_traces):
        for i in range(n_arms):
            if gr.of[k, i] != g:
                continue
            _gated(ep, k, i, theta, h, p, c)
            for t in range(n_steps):
                column[i, t] += h[t]
            j = 0
            for l in range(ep.rules[k, N_OWN]):
                a = gr.slot[k, i, l]
                for t in range(n_steps):
                    slope[a, i, t] += p[l, t]
                for q in range(l + 1):
                    b = gr.slot[k, i, q]
                    pair = max(a, b) * (max(a, b) + 1) // 2 + min(a, b)
                    for t in range(n_steps):
                        curve[pair, i, t] += c[j, t]
                    j += 1


@_compiled
def _slope_at(ep, gr, g, theta, r, h):
    """phi_g at theta."""
    n_traces, n_arms, _ = _sizes(ep)
    total = 0.0
    for k in range(n_traces):
        for i in range(n_arms):
            if gr.of[k, i] == g:
                _one_trace(ep, k, i, theta, h)
                total += _dot(r[i], h)
    return total


@_compiled
def price(ep, gr, g, low, high, r, sign, points):
    """Where sign * phi_g is about least over the own parameters' box: the best of a grid of `points` along each, denser towards
    the lower ends, polished by Newton's method. Returns theta and the value."""
    n_arms, n_steps = r.shape
    size = gr.size[g]
    h = np.empty(n_steps)
    theta = 0.5 * (low + high)
    counts = np.ones(size, dtype=np.int64)
    total = 1
    for a in range(size):
        if high[gr.own[g, a]] > low[gr.own[g, a]]:
            counts[a] = points
        total *= counts[a]
    best, found = np.inf, theta.copy()
    for index in range(total):
        rest = index
        for a in range(size):
            place = gr.own[g, a]
            if counts[a] > 1:
                share = (rest % counts[a]) / (counts[a] - 1.0)
                theta[place] = low[place] + (high[place] - low[place]) * share * share
            else:
                theta[place] = low[place]
            rest //= counts[a]
        value = sign * _slope_at(ep, gr, g, theta, r, h)
        if value < best:
            best = value
            found[:] = theta
    column, slope = np.empty((n_arms, n_steps)), np.empty((size, n_arms, n_steps))
    curve = np.empty((size * (size + 1) // 2, n_arms, n_steps))
    gradient, hessian, there = np.zeros(size), np.zeros((size, size)), np.empty(size)
    y, y_low, y_high = np.empty(size), np.empty(size), np.empty(size)
    for a in range(size):
        y_low[a], y_high[a] = low[gr.own[g, a]], high[gr.own[g, a]]
    for _ in range(_POLISH):
        fill_atom(ep, gr, g, found, column, slope, curve)
        for a in range(size):
            y[a] = found[gr.own[g, a]]
            gradient[a] = 0.0
            for i in range(n_arms):
                gradient[a] += sign * _dot(r[i], slope[a, i])
            for b in range(a + 1):
                bend = 0.0
                for i in range(n_arms):
                    bend += sign * _dot(r[i], curve[a * (a + 1) // 2 + b, i])
                hessian[a, b] = hessian[b, a] = bend
        if not _newton_step(y, y_low, y_high, gradient, hessian, there) > 0.0:
            break
        moved = False
        tau = 1.0
        for _ in range(6):
            theta[:] = found
            for a in range(size):
                theta[gr.own[g, a]] = min(max(y[a] + tau * (there[a] - y[a]), y_low[a]), y_high[a])
            value = sign * _slope_at(ep, gr, g, theta, r, h)
            if value < best:
                best = value
                found[:] = theta
                moved = True
                break
            tau *= 0.25
        if not moved:
            break
    return found, best


@_compiled
def least_slope(ep, gr, g, low, high, r, sign, where, value, slack):
    """What sign * phi_g is at least over the own parameters' box, the largest magnitude of what was summed for it, and the
    theta of the least value met, with that value.

    It takes `value` at the theta `where`. Boxes are halved, that of the least bound first, until every bound is within `slack`
    of the least value met, or _BOXES were.
    """
    n_traces, n_arms, n_steps = _sizes(ep)
    n_groups, most = gr.own.shape
    rows, own = n_traces * n_arms, ep.places.shape[2] - OWN
    h, p, span = np.empty((rows, n_steps)), np.zeros((rows, own, n_steps)), np.empty((rows, own, 2, n_steps))
    bent = np.empty((rows, own * (own + 1) // 2, 2, n_steps))
    size, kind = np.empty((rows, 3, n_steps)), np.empty((rows, n_steps), np.int8)
    first, lost = np.empty((n_groups, most)), np.empty((n_groups, most))
    inner, moved = np.empty((n_groups, 4)), np.empty((n_groups, most))
    room = 2 * _BOXES + 2
    lows, highs, keys, splits = np.empty((room, low.size)), np.empty((room, low.size)), np.empty(room), np.empty(room, np.int64)
    heap = np.empty(room, np.int64)
    a_low, a_high = low.copy(), high.copy()
    made = waiting = 0
    set_aside, magnitude = np.inf, 0.0
    halves = 1  # the whole box first
    node = 0
    for _ in range(_BOXES):
        for half in range(halves):
            if halves == 2:
                a_low[:], a_high[:] = lows[node], highs[node]
                middle = 0.5 * (a_low[splits[node]] + a_high[splits[node]])
                if half == 0:
                    a_high[splits[node]] = middle
                else:
                    a_low[splits[node]] = middle
            for k in range(n_traces):
                for i in range(n_arms):
                    if gr.of[k, i] == g:
                        at = k * n_arms + i
                        _enclose(ep, k, i, a_low, a_high, h[at], p[at], span[at], bent[at], size[at], kind[at])
            _ranges(ep, gr, a_low, a_high, r, h, p, span, bent, size, kind, first, lost, inner, moved, g)
            if sign * inner[g, 0] < value:
                value = sign * inner[g, 0]
                where = 0.5 * (a_low + a_high)
            magnitude = max(magnitude, inner[g, 3])
            least = inner[g, 1] if sign > 0.0 else -inner[g, 2]
            along = _split(gr, g, a_low, a_high, lost, moved)
            if least >= value - slack or along < 0:
                set_aside = min(set_aside, least)
                continue
            lows[made], highs[made], keys[made], splits[made] = a_low, a_high, least, along
            made += 1
            waiting = _push(heap, keys, waiting, made - 1)
        halves = 2
        if waiting == 0 or keys[heap[0]] >= value - slack:
            break
        node, waiting = _pop(heap, keys, waiting)
    else:
        # What was taken off last has not been looked into.
        set_aside = min(set_aside, keys[node])
    if waiting > 0:
        set_aside = min(set_aside, keys[heap[0]])
    return min(set_aside, value), magnitude, where, value


@_compiled
def _split(gr, g, low, high, lost, moved):
    """The own parameter of group g whose width makes the range of phi widest, or -1 where none has any."""
    found, most = -1, -1.0
    for a in range(gr.size[g]):
        half = 0.5 * (high[gr.own[g, a]] - low[gr.own[g, a]])
        score = min(lost[g, a], moved[g, a]) + 1e-12 * half
        if half > 1e-15 and score > most:
            found, most = gr.own[g, a], score
    return found


class Atoms(NamedTuple):
    """Atoms of measures: group (atoms,), theta (atoms, parameters), in which the group's own parameters count, and the
    weights w >= 0 (atoms,)."""

    group: np.ndarray
    theta: np.ndarray
    w: np.ndarray

    def kept(self, mask: np.ndarray) -> "Atoms":
        return Atoms(self.group[mask], self.theta[mask], self.w[mask])

    def joined(self, group: int, theta: np.ndarray, w: float) -> "Atoms":
        return Atoms(np.append(self.group, group), np.vstack([self.theta, theta]), np.append(self.w, w))


@dataclass
class Mixture:
    """The relaxation of a problem in a box [low, high] in which every weight with own parameters has one sign. After `run`: the
    `atoms`, the numbers `v` of what stays linear, values `x` (arms, steps), their nll `J`, the lower `bound`, what is `left`
    between both, how much of that is `rounding`, and evaluations."""

    problem: Problem
    groups: Groups
    low: np.ndarray
    high: np.ndarray
    tolerance: float

    def __post_init__(self):
        gr, low, high = self.groups, self.low, self.high
        self.ep, self.n_eval = self.problem.episode, 0
        self.sign = np.where(high[gr.weight] > 0.0, 1.0, -1.0)
        ends = np.sort(np.abs(np.stack([low[gr.weight], high[gr.weight]])), axis=0)
        self.mass_low, self.mass_high = ends
        # What has nothing of its own is linear: its column is known.
        self.mixed = np.array([bool((high > low)[own[:n]].any()) for own, n in zip(gr.own, gr.size, strict=True)], dtype=bool)
        middle = 0.5 * (low + high)
        traces = _unit_traces(self.ep, middle).transpose(1, 0, 2)
        fixed = [np.where((g == gr.of.T)[:, :, None], traces, 0.0).sum(axis=1) for g in np.flatnonzero(~self.mixed)]
        offsets = [np.repeat((gr.arm == b)[:, None], self.problem.n_steps, axis=1) * 1.0 for b in range(len(gr.biases))]
        self.places = np.concatenate([gr.weight[~self.mixed], gr.biases]).astype(int)
        self.columns = np.array([*fixed, *offsets]).reshape(len(self.places), *traces.shape[::2])
        self.v = np.clip(0.0, low[self.places], high[self.places])
        self.atoms = self._first()
        self.slack = tolerance_of_slopes(self.tolerance, self.mass_high)
        self.bound, self.left, self.rounding, self.tiny = 0.0, np.inf, 0.0, 0
        self.points = _GRID[min(int(gr.size.max(initial=0)), len(_GRID) - 1)]

    def _first(self) -> Atoms:
        atoms = Atoms(np.zeros(0, dtype=np.int64), np.zeros((0, len(self.low))), np.zeros(0))
        for g in np.flatnonzero(self.mixed & (self.mass_high > 0.0)):
            for share in _FIRST:
                atoms = atoms.joined(g, self.low + share * (self.high - self.low), self.mass_low[g] / len(_FIRST))
        return atoms

    def _shapes(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The columns of atoms (atoms, arms, steps), with the sign of their weight, and derivatives in their own parameters."""
        n, most = len(atoms.w), self.groups.own.shape[1]
        shape = (self.problem.n_arms, self.problem.n_steps)
        columns = np.empty((n, *shape))
        slopes, curves = np.empty((n, most, *shape)), np.empty((n, most * (most + 1) // 2, *shape))
        for k, (g, theta) in enumerate(zip(atoms.group, atoms.theta, strict=True)):
            fill_atom(self.ep, self.groups, g, theta, columns[k], slopes[k], curves[k])
        sign = self.sign[atoms.group]
        return columns * sign[:, None, None], slopes * sign[:, None, None, None], curves * sign[:, None, None, None]

    def _nll(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        policy = x.copy()
        self.n_eval += 1
        return _softmax(self.ep.choices, policy), policy

    def _values(self, columns: np.ndarray, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.tensordot(w, columns, 1) + np.tensordot(v, self.columns, 1)

    def run(self, max_rounds: int, cutoff: float = np.inf) -> None:
        """Solves until the certified gap is at most the tolerance, or the bound reaches `cutoff`."""
        shapes = self._shapes(self.atoms)
        self.x = self._values(shapes[0], self.atoms.w, self.v)
        self.J, policy = self._nll(self.x)
        stalled = False
        for turn in range(max_rounds):
            r = _residuals_of(self.ep.choices, policy)
            spent, priced = self._prices(shapes[0], r)
            gap = spent - sum(min(self.mass_low[g] * phi, self.mass_high[g] * phi) for g, _, phi in priced)
            if gap <= self.tolerance or self.J - gap >= cutoff or stalled or turn == max_rounds - 1:
                self._prove(r, priced)
                self.left = self.J - self.bound
                if self.left <= max(self.tolerance, 1.5 * self.rounding) or self.bound >= cutoff or stalled:
                    break
            shapes = self._let_in(shapes, r, priced)
            stalled, shapes, policy = self._step(shapes, policy, r)
            if not stalled:
                shapes, policy = self._tidy(shapes, policy)

    def _prices(self, columns: np.ndarray, r: np.ndarray) -> tuple[float, list[tuple[int, np.ndarray, float]]]:
        """What the atoms and linear parts cost, less the least that linear parts may; and per group where phi is least."""
        slopes = np.tensordot(columns, r, 2)
        linear = np.tensordot(self.columns, r, 2)
        low, high = self.low[self.places], self.high[self.places]
        spent = float(self.atoms.w @ slopes + self.v @ linear - np.minimum(low * linear, high * linear).sum())
        priced = []
        for g in np.flatnonzero(self.mixed & (self.mass_high > 0.0)):
            theta, phi = price(self.ep, self.groups, g, self.low, self.high, r, self.sign[g], self.points)
            priced.append((g, theta, phi))
        return spent, priced

    def _prove(self, r: np.ndarray, priced: list) -> None:
        """The lower bound that the present residuals give. Where phi is less than had been seen, `priced` is told."""
        gr, inner = self.groups, np.zeros((len(self.groups.weight), 4))
        for place, (g, theta, phi) in enumerate(priced):
            least, magnitude, theta, phi = least_slope(
                self.ep, gr, g, self.low, self.high, r, self.sign[g], theta, phi, self.slack
            )
            priced[place] = g, theta, phi
            inner[g, 1:] = self.sign[g] * least, self.sign[g] * least, magnitude
        for g in np.flatnonzero(~self.mixed):
            terms = r * self.columns[np.flatnonzero(self.places == gr.weight[g])[0]]
            inner[g, 1:] = terms.sum(), terms.sum(), np.abs(terms).sum()
        bound, rounding = _proved(self.ep, gr, self.low, self.high, self.J, r, self.x, inner)
        if bound > self.bound:
            self.bound, self.rounding = bound, rounding

    def _let_in(self, shapes: tuple, r: np.ndarray, priced: list) -> tuple:
        """Lets in the atoms that help most, one of each group, and returns the shapes with theirs."""
        before = len(self.atoms.w)
        for g, theta, phi in priced:
            mine = self.atoms.group == g
            spent = self.atoms.w[mine] @ np.tensordot(shapes[0][:before][mine[:before]], r, 2)
            gain = spent - min(self.mass_low[g] * phi, self.mass_high[g] * phi)
            own = self.groups.own[g, : self.groups.size[g]]
            near = np.abs(self.atoms.theta[mine][:, own] - theta[own]).max(axis=1, initial=0.0) < 1e-9
            if gain > 0.1 * self.tolerance / max(len(priced), 1) and not near.any() and mine.sum() < _CROWD:
                self.atoms = self.atoms.joined(g, theta, 0.0)
        if len(self.atoms.w) == before:
            return shapes
        fresh = self._shapes(self.atoms.kept(np.arange(len(self.atoms.w)) >= before))
        return tuple(np.concatenate(pair) for pair in zip(shapes, fresh, strict=True))

    def _step(self, shapes: tuple, policy: np.ndarray, r: np.ndarray) -> tuple[bool, tuple, np.ndarray]:
        """Newton's step in the weights, the linear parts and the own parameters of atoms with weight; whether it failed."""
        atoms, gr, (columns, slopes, curves) = self.atoms, self.groups, shapes
        n, n_linear = len(atoms.w), len(self.v)
        moves = [(k, a) for k in np.flatnonzero(atoms.w > 0.0) for a in range(gr.size[atoms.group[k]])]
        total = n + n_linear + len(moves)
        if total == 0:
            return True, shapes, policy
        parts = [atoms.w[k] * slopes[k, a] for k, a in moves]
        every = np.concatenate([columns, self.columns, np.array(parts).reshape(len(parts), *r.shape)])
        gradient, hessian = np.empty(total), np.empty((total, total))
        mean = np.empty((total, r.shape[1]))
        _first_and_second(self.ep, policy, np.empty(0), every, r, mean, gradient, hessian)
        hessian[np.diag_indices(total)] = hessian.diagonal() * (1.0 + 1e-10) + 1e-12
        places = [gr.own[atoms.group[k], a] for k, a in moves]
        at = np.array([atoms.theta[k, place] for (k, _), place in zip(moves, places, strict=True)])
        reach = 0.5 * (np.abs(at) + 0.02)
        below, above = np.maximum(self.low[places] - at, -reach), np.minimum(self.high[places] - at, reach)
        pushed = ((below >= 0.0) & (gradient[n + n_linear :] > 0.0)) | ((above <= 0.0) & (gradient[n + n_linear :] < 0.0))
        below, above = np.where(pushed, 0.0, below), np.where(pushed, 0.0, above)
        bent = np.zeros_like(hessian)
        for one, (k, a) in enumerate(moves, n + n_linear):
            bent[k, one] = bent[one, k] = gradient[one] / atoms.w[k]
            for other, (l, b) in enumerate(moves, n + n_linear):
                if k == l:
                    pair = max(a, b) * (max(a, b) + 1) // 2 + min(a, b)
                    bent[one, other] = atoms.w[k] * float((r * curves[k, pair]).sum())
        v_low, v_high = self.low[self.places] - self.v, self.high[self.places] - self.v
        mass = np.bincount(atoms.group, atoms.w, len(self.mass_low))
        group = np.concatenate([atoms.group, np.full(n_linear + len(moves), -1)]).astype(np.int64)
        down, up = np.minimum(self.mass_low - mass, 0.0), np.maximum(self.mass_high - mass, 0.0)
        tiny = 0
        for curvature, share in _positive(hessian, bent):
            d = _quadratic_step(
                curvature, gradient, np.concatenate([-atoms.w, v_low, share * below]),
                np.concatenate([np.full(n, np.inf), v_high, share * above]), group, down, up,
            )  # fmt: skip
            slope = float(gradient @ d)
            tiny += slope > -1e-14 * max(self.J, 1.0)
            if self.tiny + tiny < _TINY and slope < 0.0:
                found = self._along(d[:n], d[n : n + n_linear], list(zip(d[n + n_linear :], moves, places, strict=True)), slope)
                if found is not None:
                    self.tiny += tiny
                    return False, *found
        return True, shapes, policy

    def _along(self, w: np.ndarray, v: np.ndarray, moves: list, slope: float) -> tuple[tuple, np.ndarray] | None:
        """Goes along a step as far as the nll falls; the shapes and policy there, or None where it does not."""
        atoms, tau = self.atoms, 1.0
        for _ in range(30):
            theta = atoms.theta.copy()
            for step, (k, _), place in moves:
                theta[k, place] = np.clip(theta[k, place] + tau * step, self.low[place], self.high[place])
            trial = Atoms(atoms.group, theta, np.maximum(atoms.w + tau * w, 0.0))
            v_there = np.clip(self.v + tau * v, self.low[self.places], self.high[self.places])
            there = self._shapes(trial)
            x = self._values(there[0], trial.w, v_there)
            nll, policy = self._nll(x)
            if nll - self.J <= 1e-4 * tau * slope + 1e-14 * max(self.J, 1.0):
                self.atoms, self.v, self.x, self.J = trial, v_there, x, nll
                return there, policy
            tau *= 0.5
        return None

    def _tidy(self, shapes: tuple, policy: np.ndarray) -> tuple[tuple, np.ndarray]:
        """Atoms without weight leave; near neighbours of one group become their mean where the nll does not rise."""
        kept = self.atoms.w > 0.0
        self.atoms, shapes = self.atoms.kept(kept), tuple(each[kept] for each in shapes)
        near = self._merged()
        if len(near.w) < len(self.atoms.w):
            there = self._shapes(near)
            x = self._values(there[0], near.w, self.v)
            nll, policy_there = self._nll(x)
            if nll - self.J <= 1e-12 * max(self.J, 1.0):
                self.atoms, self.x, self.J = near, x, nll
                return there, policy_there
        return shapes, policy

    def _merged(self) -> Atoms:
        group, theta, w = (each.copy() for each in self.atoms)
        for k in range(len(w)):
            for l in range(k + 1, len(w)):
                own = self.groups.own[group[k], : self.groups.size[group[k]]]
                if group[k] == group[l] and w[k] > 0.0 and w[l] > 0.0:
                    apart = np.abs(theta[k, own] - theta[l, own])
                    if (apart < 0.1 * (np.minimum(np.abs(theta[k, own]), np.abs(theta[l, own])) + 0.01)).all():
                        theta[l] = (w[k] * theta[k] + w[l] * theta[l]) / (w[k] + w[l])
                        w[k], w[l] = 0.0, w[k] + w[l]
        return Atoms(group, theta, w).kept(w > 0.0)

    def readings(self) -> list[np.ndarray]:
        """Thetas that the measures may be read as, the best _READINGS of: their means, and one atom of each group, with all its
        mass. Groups that share a rate have a say in it by their masses."""
        mixed = [g for g in np.flatnonzero(self.mixed) if (self.atoms.group == g).any()]
        mass = np.bincount(self.atoms.group, self.atoms.w, len(self.mass_low))
        points = [self.atoms.theta[self.atoms.group == g] for g in mixed]
        shares = [self.atoms.w[self.atoms.group == g] + 1e-300 for g in mixed]
        means = [share @ each / share.sum() for share, each in zip(shares, points, strict=True)]
        found = []
        for choice in [means, *itertools.islice(itertools.product(*points), _COMBINED)]:
            theta, weight = 0.5 * (self.low + self.high), np.zeros(len(self.low))
            theta[self.places] = self.v
            for g, point in zip(mixed, choice, strict=True):
                own = self.groups.own[g, : self.groups.size[g]]
                share = (mass[g] + 1e-300) / (weight[own] + mass[g] + 1e-300)
                theta[own] = theta[own] + share * (point[own] - theta[own])
                weight[own] += mass[g]
            weights = self.groups.weight[self.mixed]
            theta[weights] = self.sign[self.mixed] * mass[self.mixed]
            found.append(np.clip(theta, self.low, self.high))
        return sorted(found, key=self.problem.nll_theta)[:_READINGS]


def relaxed_by_sign(problem: Problem, tolerance: float, max_rounds: int) -> tuple[Mixture, float, float, int]:
    """The relaxation of a problem, solved for either sign of the weights that may have both: the one of least nll, the bound
    that holds for all, what is left between its nll and that, and evaluations."""
    gr = groups(problem)
    solved: list[Mixture] = []
    for low, high in by_sign(gr, problem.lower, problem.upper):
        one = Mixture(problem, gr, low, high, tolerance)
        one.run(max_rounds, min([np.inf, *(other.J for other in solved)]))
        solved.append(one)
    best, bound = min(solved, key=lambda one: one.J), min(one.bound for one in solved)
    return best, bound, best.J - bound, sum(one.n_eval for one in solved)


def warm_up() -> None:
    """Compiles everything here."""
    rng = np.random.default_rng(1)
    data = Dataset("warm-up", rng.integers(2, size=(1, 30)), rng.integers(2, size=(1, 30)) * 1.0, n_arms=2)
    model = get_model("dual_rates")
    relaxed_by_sign(likelihood.problem(data, 0, model, model.default_bounds), 1e-6, 30)


def tolerance_of_slopes(tolerance: float, mass_high: np.ndarray) -> float:
    """How near to the least of phi its enclosures must come for a gap of this size in nats."""
    return tolerance / (4.0 * max(float(mass_high.sum()), 1.0))


def _positive(fisher: np.ndarray, bent: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Curvatures to step with, each with the share of their reach that own parameters may move: Fisher's information with as
    much of what the curvature of traces adds to it as leaves it positive definite; alone; and with a ridge, for weights only,
    as traces have kinks."""
    for share in _SHARES:
        try:
            np.linalg.cholesky(fisher + share * bent)
        except np.linalg.LinAlgError:
            continue
        yield fisher + share * bent, 1.0
        break
    yield fisher, 1.0
    yield fisher + 1e-6 * np.diag(1.0 + fisher.diagonal()), 0.0


def _residuals_of(choices: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """policy - choice (arms, steps), 0 on missed trials."""
    return policy - (choices == np.arange(len(policy))[:, None])
