"""The published relaxation for models whose traces have one rate each: kernels on the traces' clocks (docs/relaxations.md).

A trace that moves at the choices of its arm alone is a geometric kernel of the number of these choices; so the kernels
g[0] >= g[1] >= ... >= 0 relax it on that clock as they do on the clock of steps. Initial values leave a kernel of their own,
v[0] >= v[1] >= ... >= 0 of the ticks since the session began. Where a weight may have either sign, the relaxation is solved
for each.
Traces without a rate and biases stay linear: columns with a number in their box.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..models.likelihood import Problem, log_policy
from ..models.traces import EVERY_STEP, INITIAL, RULE, _unit_traces
from ..outcome import Outcome
from .active_set import _quadratic_step
from .groups import Groups, by_sign, groups

_EPS = np.finfo(np.float64).eps
# Steps let into each block in a round at most.
_NEW = 8


@dataclass(frozen=True)
class Block:
    """A kernel: that of the signals of group `group`, or of its initial value. U (steps * arms, lags): the values that each of
    its entries adds, the sign of the weight (and of the initial value) included; most: what its entries sum to at most, or
    the first of them if it is of an initial value."""

    group: int
    initial: bool
    U: sp.csr_array
    sign: float
    most: float

    def least(self, c: np.ndarray) -> tuple[np.ndarray, float]:
        """The slopes along the steps 1[j < l], l = 1, 2, ..., from those along the entries, c (lags,), and the least slope of
        an admissible kernel per unit of `most`."""
        along = np.cumsum(c)
        means = along if self.initial else along / np.arange(1, len(c) + 1)
        return along, min(float(means.min(initial=0.0)), 0.0)


@dataclass(frozen=True)
class Relaxed:
    """The relaxation for one choice of signs: blocks, linear columns (steps * arms, columns) and their limits, and the box."""

    problem: Problem
    groups: Groups
    blocks: list[Block]
    linear: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def values(self, kernels: list[np.ndarray], v: np.ndarray) -> np.ndarray:
        """x (steps, arms), in the order of the problem."""
        x = self.linear @ v
        for block, g in zip(self.blocks, kernels, strict=True):
            x = x + block.U @ g
        return x.reshape(-1, self.problem.n_arms)

    def nll(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """The nll of values, and its derivative in them (steps * arms,)."""
        y = self.problem.choices
        scored = np.flatnonzero(y >= 0)
        logs = log_policy(x[scored])
        r = np.zeros_like(x)
        r[scored] = np.exp(logs)
        r[scored, y[scored]] -= 1.0
        return float(-logs[np.arange(len(scored)), y[scored]].sum()), r.ravel()

    def bound(self, x: np.ndarray) -> float:
        """What the nll of every admissible parameter is at least, from convexity at values x, less what rounding may add.

        An admissible kernel is decreasing and non-negative with sum at most `most`: a mixture of the means over its first l
        entries, so that it costs at least `most` times the least such mean of its slopes."""
        nll, r = self.nll(x)
        y = self.problem.choices
        n, m = x.shape
        relative = (x - x[np.arange(n), np.maximum(y, 0)][:, None]).ravel()
        terms = r * relative
        lower, magnitude, slack = nll - terms.sum(), np.abs(terms).sum(), 0.0
        for block in self.blocks:
            least = block.most * block.least(block.U.T @ r)[1]
            lower, magnitude = lower + least, magnitude + abs(least)
            slack -= block.most * block.least(-(abs(block.U).T @ np.abs(r)))[1]
        slopes, sizes = self.linear.T @ r, np.abs(self.linear).T @ np.abs(r)
        lower += np.minimum(self.low * slopes, self.high * slopes).sum()
        slack += (np.maximum(np.abs(self.low), np.abs(self.high)) * sizes).sum()
        return lower - _EPS * ((n + m + 8.0) * (nll + magnitude) + n * (m + 4.0) + (3.0 * n * m + 20.0) * slack)

    def kernels(self, found: list[np.ndarray]) -> np.ndarray:
        """Kernels of the blocks as (traces, arms, steps), those of initial values left out."""
        of = self.groups.of
        out = np.zeros((*of.shape, self.problem.n_steps))
        for block, g in zip(self.blocks, found, strict=True):
            if not block.initial:
                out[of == block.group, : len(g)] = block.sign * g
        return out


def relaxations(problem: Problem) -> Iterator[Relaxed]:
    """The relaxation for every choice of signs."""
    gr = groups(problem)
    for low, high in by_sign(gr, problem.lower, problem.upper):
        for low_value, high_value in _by_value(problem, low, high):
            yield _relaxation(problem, gr, low_value, high_value)


def _by_value(problem: Problem, low: np.ndarray, high: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The box, halved at an initial value of 0 where that may have either sign."""
    place = problem.episode.rules[:-1, INITIAL].max()
    if place < 0 or not low[place] < 0.0 < high[place]:
        yield low, high
        return
    below, above = high.copy(), low.copy()
    below[place] = above[place] = 0.0
    yield low, below
    yield above, high


def _relaxation(problem: Problem, gr: Groups, low: np.ndarray, high: np.ndarray) -> Relaxed:
    ep, blocks, columns, places = problem.episode, [], [], []
    traces = _unit_traces(ep, np.clip(0.5 * (low + high), low, high)).transpose(2, 1, 0)  # (steps, arms, traces)
    for g, w in enumerate(gr.weight):
        mine = gr.of == g
        if gr.size[g] == 0:
            columns.append(np.where(mine.T, traces, 0.0).sum(axis=2).ravel())
            places.append(w)
            continue
        sign = 1.0 if high[w] > 0.0 else -1.0
        most = max(abs(low[w]), abs(high[w]))
        signals, initials = zip(*(_lags(problem, k, i) for k, i in np.argwhere(mine)), strict=True)
        blocks.append(Block(g, False, _joined(problem, signals, sign), sign, most))
        place = ep.rules[np.flatnonzero(mine.any(axis=1))[0], INITIAL]
        if place >= 0 and max(abs(low[place]), abs(high[place])) > 0.0:
            of_value = 1.0 if high[place] > 0.0 else -1.0
            value = max(abs(low[place]), abs(high[place]))
            blocks.append(Block(g, True, _joined(problem, initials, sign * of_value), sign * of_value, most * value))
    for b, place in enumerate(gr.biases):
        columns.append(np.tile(gr.arm == b, problem.n_steps) * 1.0)
        places.append(place)
    linear = np.array(columns).reshape(len(columns), problem.n_steps * problem.n_arms).T
    return Relaxed(problem, gr, blocks, linear, low[places], high[places])


def _lags(problem: Problem, k: int, arm: int) -> tuple[tuple, tuple]:
    """Rows, columns and entries of the values that the kernel of trace k adds on one arm: of its signals, by the ticks of its
    clock since each, and of a value of 1 at the start of each session, by the ticks since."""
    ep, n = problem.episode, problem.n_steps
    own = ep.arms == arm
    ticking = np.ones(n, dtype=bool) if ep.rules[k, RULE] == EVERY_STEP else own
    signal = np.where(own, ep.signals[k], 0.0)
    rows, columns, entries, since_start = [], [], [], []
    edges = np.append(np.flatnonzero(problem.starts), n)
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        ticks = begin + np.flatnonzero(ticking[begin:end])
        steps = begin + np.flatnonzero(problem.choices[begin:end] >= 0)
        before = np.searchsorted(ticks, steps)
        since_start.append((steps, before))
        loud = np.flatnonzero(signal[ticks])
        step, tick = np.nonzero(loud[None, :] < before[:, None])
        rows.append(steps[step])
        columns.append(before[step] - 1 - loud[tick])
        entries.append(signal[ticks[loud[tick]]])
    rows, columns, entries = (np.concatenate(each) for each in (rows, columns, entries))
    steps, before = (np.concatenate(each) for each in zip(*since_start, strict=True))
    m = problem.n_arms
    return (rows * m + arm, columns, entries), (steps * m + arm, before, np.ones(len(steps)))


def _joined(problem: Problem, parts: tuple, sign: float) -> sp.csr_array:
    rows, columns, entries = (np.concatenate(each) for each in zip(*parts, strict=True))
    shape = (problem.n_steps * problem.n_arms, int(columns.max(initial=0)) + 1)
    return sp.csr_array((sign * entries, (rows, columns)), shape=shape)


@dataclass
class Solution:
    """What a relaxation came to: kernels (one of each block), linear numbers v, values x (steps, arms), their nll, the gap of
    the optimum that is left, the bound, evaluations, and whether larger kernels fit ever better."""

    of: Relaxed
    kernels: list[np.ndarray]
    v: np.ndarray
    x: np.ndarray
    nll: float
    gap: float
    bound: float
    n_eval: int
    separable: bool = False


def generate(of: Relaxed, tolerance: float, max_rounds: int) -> Solution:
    """The optimum by column generation over steps 1[j < l], as `steps.solve_steps` has it."""
    problem, m = of.problem, of.problem.n_arms
    blocks = of.blocks
    chosen: list[tuple[int, int]] = []
    columns, w = np.zeros((0, problem.n_steps * m)), np.zeros(0)
    v = np.clip(0.0, of.low, of.high)
    x = of.values([np.zeros(b.U.shape[1]) for b in blocks], v)
    nll, r = of.nll(x)
    n_eval, bound, gap, drift, margin = 1, -np.inf, np.inf, 0.0, 0.0
    for _ in range(max_rounds):
        bound = max(bound, of.bound(x))
        slopes = of.linear.T @ r
        gap = float(w @ (columns @ r) + v @ slopes - np.minimum(of.low * slopes, of.high * slopes).sum())
        for k, block in enumerate(blocks):
            along, least = block.least(block.U.T @ r)
            size = [1 if block.initial else l for b, l in chosen if b == k]
            mass = float(w[[b == k for b, _ in chosen]] @ size) if size else 0.0
            gap -= max(block.most, mass) * least
            fresh = [(k, l) for l in _deep(along) if (k, l) not in chosen][:_NEW]
            steps = [block.U @ (np.arange(block.U.shape[1]) < l) for _, l in fresh]
            chosen += fresh
            columns, w = np.vstack([columns, *steps]), np.append(w, np.zeros(len(fresh)))
        every = np.vstack([columns, of.linear.T])
        if not len(every):
            gap = 0.0
            break
        g = every @ r
        low = np.concatenate([-w, of.low - v])
        high = np.concatenate([np.full(len(w), np.inf), of.high - v])
        nowhere = np.full(len(every), -1)
        d = _quadratic_step(_curvature(of, every, x), g, low, high, nowhere, np.empty(0), np.empty(0))
        slope, along = float(g @ d), (d @ every).reshape(-1, m)
        scored = problem.choices >= 0
        drift = float(np.abs(along).max(initial=0.0))
        margin = float((along[scored, problem.choices[scored]][:, None] - along[scored]).min(initial=0.0))
        gap = max(gap, -slope)
        if gap <= tolerance * max(nll, 1.0):
            break
        tau = 1.0
        for _ in range(40):
            there = np.maximum(w + tau * d[: len(w)], 0.0), np.clip(v + tau * d[len(w) :], of.low, of.high)
            x_there = (there[0] @ columns + of.linear @ there[1]).reshape(-1, m)
            nll_there, r_there = of.nll(x_there)
            n_eval += 1
            if nll_there <= nll + 1e-4 * tau * slope + 1e-14 * nll:
                break
            tau *= 0.5
        else:
            break
        (w, v), x, nll, r = there, x_there, nll_there, r_there
        kept = w > 0.0
        columns, w, chosen = columns[kept], w[kept], [each for each, keep in zip(chosen, kept, strict=True) if keep]
    kernels = [np.zeros(block.U.shape[1]) for block in blocks]
    for (k, l), weight in zip(chosen, w, strict=False):
        kernels[k][:l] += weight
    done = gap <= tolerance * max(nll, 1.0)
    return Solution(of, kernels, v, x, nll, gap, bound, n_eval, done and drift > 0.5 and margin >= -1e-6 * drift)


def _deep(along: np.ndarray) -> np.ndarray:
    """The lengths of the steps at which slopes have a local minimum deep enough to matter."""
    before, after = np.append(0.0, along[:-1]), np.append(along[1:], np.inf)
    before[0] = np.inf
    return 1 + np.flatnonzero((along < 0.1 * min(along.min(initial=0.0), 0.0)) & (along <= before) & (along < after))


def _curvature(of: Relaxed, every: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The second derivatives of the nll along columns (columns, steps * arms), with a ridge."""
    scored = of.problem.choices >= 0
    p = np.where(scored[:, None], np.exp(log_policy(x)), 0.0)
    shaped = every.reshape(len(every), *x.shape)
    # Relative to the chosen arm, so that steps with a near-certain choice keep their small terms.
    shaped = shaped - shaped[:, np.arange(len(x)), np.maximum(of.problem.choices, 0)][:, :, None]
    weighted, flat = (shaped * p).reshape(len(every), -1), shaped.reshape(len(every), -1)
    mean = (shaped * p).sum(axis=2)
    H = weighted @ flat.T - mean @ mean.T
    H[np.diag_indices(len(H))] = H.diagonal() * (1.0 + 1e-10) + 1e-12
    return H


def outcome(problem: Problem, found: Solution, bound: float, status: str, words: list[str], **how) -> Outcome:
    """The outcome of a relaxed optimum; `words` come before those that say what it does not tell, `how` are other fields."""
    return Outcome(
        status=status,
        kernels=found.of.kernels(found.kernels),
        relaxed=problem.in_data_order(found.x),
        nll=found.nll,
        lower_bound=max(bound, 0.0),
        message="; ".join([*words, "kernels are free: parameters are not identified"]),
        **how,
    )


def best(problem: Problem, solve: Callable[[Relaxed], Solution]) -> tuple[Solution, float, int]:
    """The solution of least nll over the choices of signs, the bound that holds for all, and evaluations."""
    solved = [solve(one) for one in relaxations(problem)]
    return min(solved, key=lambda one: one.nll), min(one.bound for one in solved), sum(one.n_eval for one in solved)
