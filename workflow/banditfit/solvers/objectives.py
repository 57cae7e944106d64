"""The nll of an episode as local searches minimise it, and the flat points from which they must go on.

At alpha = beta = 0 the gradient vanishes whatever the choices: without a trace nothing depends on its rate, and at rate 0
nothing on its sensitivity. Solvers step there from afar, as the corner of the box is where long first steps end. It is a
minimum only if at no rate a small sensitivity would help, and that is looked up: the slope of the nll in the sensitivity is
known at any rate. Otherwise the search goes on from there.
"""

from functools import cached_property

import numpy as np

from ..models.likelihood import Problem
from ..models.traces import N_OWN, OWN, WEIGHT, _one_trace, _policy_of
from ..numerics import _compiled, _dot, _dot3, _residuals
from .local import Verdict, remaining, ways_from_zero
from .scan import rates

# Nats that a minimum may still promise.
_ENOUGH = 1e-4
# Rates at which the slope of the nll along a trace is looked up.
_RATES = 40
# A trace that moves no value by more than this (log-odds) may be switched off without a change of the nll.
_FAINT = 0.05
# How often a step away from a trace that is off is halved until the nll is lower.
_HALVINGS = 10


@_compiled
def _slopes(episode, theta, blocks, grid):
    """The slope and the curvature of the nll, both (blocks, rates), in the sensitivity of each of `blocks`, now 0, at each
    rate of `grid` (blocks, rates), the other parameters held at theta."""
    policy = _policy_of(episode, theta)
    n_arms, n_steps = policy.shape
    residuals = policy.copy()
    _residuals(episode.choices, residuals)
    scored = np.empty(n_steps)
    for t in range(n_steps):
        scored[t] = 1.0 if episode.choices[t] >= 0 else 0.0
    residuals *= scored
    policy *= scored
    slope, curve = np.zeros(grid.shape), np.zeros(grid.shape)
    h, mean = np.empty(n_steps), np.empty(n_steps)
    there = theta.copy()
    n = theta.size // 2
    for k in range(blocks.size):
        for r in range(grid.shape[1]):
            there[blocks[k]] = grid[k, r]
            mean[:] = 0.0
            for s in range(len(episode.rules) - 1):
                for i in range(n_arms):
                    if episode.places[s, i, WEIGHT] == n + blocks[k]:
                        _one_trace(episode, s, i, there, h)
                        slope[k, r] += _dot(residuals[i], h)
                        curve[k, r] += _dot3(policy[i], h, h)
                        mean += policy[i] * h
            curve[k, r] -= _dot(mean, mean)
        there[blocks[k]] = theta[blocks[k]]
    return slope, curve


class _Nll:
    """The nll of an episode, that of its Problem, as `Search` minimises it. What differs by the model is only how a search gets
    out of a point where a trace is off and the gradient says nothing: that is what the two kinds below know."""

    size, enough, unit = 1.0, _ENOUGH, "nats"

    def __init__(self, problem: Problem):
        self.problem = problem
        self.value, self.value_and_gradient = problem.nll_theta, problem.nll_grad
        self.lower, self.upper = problem.lower, problem.upper
        self.known_ways: dict[bytes, list[np.ndarray]] = {}  # out of each flat point so far


class KernelLikelihood(_Nll):
    """Of a published family, whose blocks (a signal and an arm, or a signal where arms share parameters) have an alpha and a
    beta each and are off where either is 0: any alpha is then as good, so that every one is looked through for a way out, and a
    fit can be known to be no better than guessing."""

    def __init__(self, problem: Problem):
        super().__init__(problem)
        (self.alpha_low, self.beta_low), (self.alpha_high, self.beta_high) = np.split(self.lower, 2), np.split(self.upper, 2)
        # Blocks that the bounds allow to be off and on.
        self.optional = ((self.alpha_low <= 0.0) | (self.beta_low <= 0.0)) & (self.alpha_high > 0.0) & (self.beta_high > 0.0)
        self.guessing = problem.guessing if self.optional.all() else np.inf

    def without(self, theta: np.ndarray, blocks: np.ndarray) -> np.ndarray:
        """theta with the traces of `blocks` (a mask) off."""
        return np.where(np.tile(blocks, 2), self.lower, theta)

    def examine(self, theta: np.ndarray, value: float) -> Verdict:
        off, n_eval = self.off(theta, value)
        if off.any():
            ways_out, used = self.ways_out(self.without(theta, off), np.flatnonzero(off), value)
            n_eval += used
            if ways_out:
                return Verdict(ways_out, np.inf, None, n_eval)
        _, gradient, hessian, _ = self.problem.nll_hessian(theta)
        # Where beta = 0 it is known by now, for any rate, that nothing is to be gained.
        gone = np.tile(off & (self.beta_low <= 0.0), 2)
        gradient[gone], hessian[gone], hessian[:, gone] = 0.0, 0.0, 0.0
        left, scale = remaining(self, theta, gradient, hessian)
        return Verdict([], left, scale, n_eval + 1)

    def off(self, theta: np.ndarray, value: float) -> tuple[np.ndarray, int]:
        """The blocks (a mask) that are off in theta, or so nearly that the nll is no higher without them; and evaluations."""
        if value >= self.guessing - self.enough:
            return self.optional, 0
        if self.optional.size == 1 and np.isfinite(self.guessing):
            return np.zeros(1, dtype=bool), 0
        alpha, beta = np.split(theta, 2)
        faint = self.optional & (self.sum > 0.0) & (beta * np.minimum(self.largest, alpha * self.sum) <= _FAINT)
        off = np.zeros_like(faint)
        for block in np.flatnonzero(faint):
            off[block] = True
            off[block] = self.value(self.without(theta, off)) <= value + self.enough
        return off, int(faint.sum())

    @cached_property
    def largest(self) -> np.ndarray:
        """The largest absolute signal of each block (blocks,)."""
        return np.repeat(np.abs(self.problem.signals).max(axis=1), self.problem.shape[1])

    @cached_property
    def sum(self) -> np.ndarray:
        """The sum of the absolute signals that each block sees (blocks,)."""
        seen = self.problem.arms >= 0
        arms, m = self.problem.arms[seen], self.problem.n_arms
        sums = np.stack([np.bincount(arms, np.abs(u[seen]), m) for u in self.problem.signals])
        return (sums.sum(axis=1) if self.problem.model.shared else sums).ravel()

    def ways_out(self, theta: np.ndarray, blocks: np.ndarray, value: float) -> tuple[list[np.ndarray], int]:
        """Points of an nll below `value` with `blocks`, off in theta, switched on where that helps; and evaluations.

        The first takes for each block the rate at which most is to be gained, the second the next valley, and so on. Where none
        helps, theta itself may: an end can lie above guessing.
        """
        if theta.tobytes() in self.known_ways:
            return self.known_ways[theta.tobytes()], 0
        grid = np.stack([rates(self.alpha_low[k], self.alpha_high[k], _RATES) for k in blocks])
        slope, curve = _slopes(self.problem.episode, theta, blocks, grid)
        valleys = []
        for k, row in enumerate(blocks):
            rate, beta, gain = ways_from_zero(grid[k], slope[k], curve[k], self.beta_low[row], self.beta_high[row])
            worth = gain > self.enough
            valleys.append((row, rate[worth], beta[worth]))
        found, n_eval = [], _RATES
        for way in range(max(len(rate) for _, rate, _ in valleys)):
            there = theta.copy()
            alpha, beta = there[: len(there) // 2], there[len(there) // 2 :]
            for row, rate, best in valleys:
                if len(rate):
                    alpha[row], beta[row] = (each[way if way < len(rate) else 0] for each in (rate, best))
            for _ in range(_HALVINGS):
                n_eval += 1
                if self.value(there) < value:
                    found.append(there)
                    break
                beta[blocks] = 0.5 * (self.beta_low[blocks] + beta[blocks])
        if not found and self.value(theta) < value - self.enough:
            found.append(theta)
        self.known_ways[theta.tobytes()] = found
        return found, n_eval


class Likelihood(_Nll):
    """Of any other model. A trace is off where its weight is 0; then its rates are looked through for one at which a weight of
    either sign would help."""

    def __init__(self, problem: Problem):
        super().__init__(problem)
        rules, places = problem.episode.rules, problem.episode.places
        # By the place of a weight, the places of the rates that its traces have.
        self.rates: dict[int, np.ndarray] = {}
        of_rate = problem.model.roles(problem.n_arms) == "rate"
        for k in range(len(rules) - 1):
            for i in range(problem.n_arms):
                own = [place for place in places[k, i, OWN : OWN + rules[k, N_OWN]] if of_rate[place]]
                if places[k, i, WEIGHT] >= 0 and own:
                    self.rates[int(places[k, i, WEIGHT])] = np.unique(own)

    def examine(self, theta: np.ndarray, value: float) -> Verdict:
        ways_out, n_eval = self.ways_out(theta, value)
        if ways_out:
            return Verdict(ways_out, np.inf, None, n_eval)
        _, gradient, hessian, _ = self.problem.nll_hessian(theta)
        left, scale = remaining(self, theta, gradient, hessian)
        return Verdict([], left, scale, n_eval + 1)

    def ways_out(self, theta: np.ndarray, value: float) -> tuple[list[np.ndarray], int]:
        """Points of an nll below `value` where a trace that is off is on; and evaluations."""
        without = theta.copy()
        off = []
        for weight in self.rates:
            there = without.copy()
            there[weight] = min(max(0.0, self.lower[weight]), self.upper[weight])
            if there[weight] == 0.0 and self.value(there) <= value + self.enough:
                off.append(weight)
                without = there
        if not off:
            return [], len(self.rates)
        if without.tobytes() in self.known_ways:
            return self.known_ways[without.tobytes()], len(self.rates)
        valleys = []
        for weight in off:
            places = self.rates[weight]
            shares = rates(0.0, 1.0, _RATES)
            grid = self.lower[places] + shares[:, None] * (self.upper - self.lower)[places]
            slope, curve = self._along(without, weight, places, grid)
            for sign in (1.0, -1.0):
                low, high = sorted((sign * self.lower[weight], sign * self.upper[weight]))
                if high > 0.0:
                    rate, size, gain = ways_from_zero(np.arange(_RATES), sign * slope, curve, max(low, 0.0), high)
                    valleys += [(g, weight, grid[int(r)], sign * b) for r, b, g in zip(rate, size, gain, strict=True)]
        found, n_eval = [], len(self.rates) + _RATES * len(off)
        for gain, weight, rate, size in sorted(valleys, key=lambda way: -way[0]):
            if gain <= self.enough:
                break
            there = without.copy()
            there[self.rates[weight]], there[weight] = rate, size
            for _ in range(_HALVINGS):
                n_eval += 1
                if self.value(there) < value:
                    found.append(there)
                    break
                there[weight] *= 0.5
        self.known_ways[without.tobytes()] = found
        return found, n_eval

    def _along(self, theta: np.ndarray, weight: int, places: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The slope and the curvature of the nll in a weight, both (rates,), with the rates at `places` as in `grid`."""
        there, slope, curve = theta.copy(), np.empty(len(grid)), np.empty(len(grid))
        for r, rate in enumerate(grid):
            there[places] = rate
            _, gradient, hessian, _ = self.problem.nll_hessian(there)
            slope[r], curve[r] = gradient[weight], hessian[weight, weight]
        return slope, curve
