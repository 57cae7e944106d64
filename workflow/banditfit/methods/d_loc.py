"""D-LOC: direct local minimisation of the nll over alpha and beta from random starts (arXiv 2511.04454, section 4).

At alpha = beta = 0 the gradient vanishes whatever the choices: without a trace nothing depends on its rate, and at rate 0
nothing on its sensitivity. Solvers step there from afar, as the corner of the box is where long first steps end. It is a
minimum only if at no rate a small sensitivity would help, and that is looked up: the slope of the nll in the sensitivity is
known at any rate. Otherwise the search goes on from there.
"""

from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import numpy as np

from ..errors import InputError
from ..models.likelihood import (
    Problem,
    _compiled,
    _dot,
    _dot3,
    _nll_hessian,
    _policy,
    _residuals,
    _spread,
    _trace,
    _unit_traces,
)
from ..solvers.local import Found, Search, Solver, Verdict, lowest, near_starts, remaining, ways_from_zero
from ..solvers.scan import rates
from . import Method, Outcome, Starts

# Nats that a minimum may still promise.
_ENOUGH = 1e-4
# Rates at which the slope of the nll along a trace is looked up.
_RATES = 40
# A trace that moves no value by more than this (log-odds) may be switched off without a change of the nll.
_FAINT = 0.05
# How often a step away from a trace that is off is halved until the nll is lower.
_HALVINGS = 10


@dataclass(frozen=True)
class Settings:
    """`solver`: SciPy's name of the local solver; `starts`: how many uniform random starts, of which the best is kept."""

    solver: Solver = "L-BFGS-B"
    starts: int = 5

    def __post_init__(self):
        if self.starts < 1:
            raise InputError(f"starts is {self.starts}, expected at least 1")


@_compiled
def _slopes(choices, arms, signals, starts, n_arms, theta, blocks, grid):
    """The slope and the curvature of the nll, both (blocks, rates), in the sensitivity of each of `blocks`, now 0, at each
    rate of `grid` (blocks, rates), the other parameters held at theta."""
    n_signals = len(signals)
    full = _spread(theta, n_signals, n_arms)
    _, policy = _policy(choices, _unit_traces(arms, signals, starts, full[0]), full[1])
    residuals = policy.copy()
    _residuals(choices, residuals)
    q = theta.size // (2 * n_signals)
    slope, curve = np.zeros(grid.shape), np.zeros(grid.shape)
    h, mean = np.empty(choices.size), np.empty(choices.size)
    for k in range(blocks.size):
        s, first = blocks[k] // q, blocks[k] % q
        for r in range(grid.shape[1]):
            mean[:] = 0.0
            for i in range(first, first + n_arms - q + 1):
                _trace(arms, signals[s], starts, i, grid[k, r], h)
                slope[k, r] += _dot(residuals[i], h)
                curve[k, r] += _dot3(policy[i], h, h)
                mean += policy[i] * h
            curve[k, r] -= _dot(mean, mean)
    return slope, curve


class _Likelihood:
    """The nll of an episode as `Search` minimises it. A block is a signal and an arm, or a signal where arms share parameters;
    its trace is off where its alpha or beta is 0."""

    size, enough, unit = 1.0, _ENOUGH, "nats"

    def __init__(self, problem: Problem):
        self.problem = problem
        self.arrays = (problem.choices, problem.arms, problem.signals, problem.starts, problem.n_arms)
        self.value, self.value_and_gradient = problem.nll_theta, problem.nll_grad
        self.lower, self.upper = problem.lower, problem.upper
        (self.alpha_low, self.beta_low), (self.alpha_high, self.beta_high) = np.split(self.lower, 2), np.split(self.upper, 2)
        # Blocks that the bounds allow to be off and on.
        self.optional = ((self.alpha_low <= 0.0) | (self.beta_low <= 0.0)) & (self.alpha_high > 0.0) & (self.beta_high > 0.0)
        self.guessing = np.count_nonzero(problem.choices >= 0) * np.log(problem.n_arms) if self.optional.all() else np.inf
        self.known_ways: dict[bytes, list[np.ndarray]] = {}  # out of each flat point so far

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
        _, gradient, hessian, _ = _nll_hessian(*self.arrays, np.ascontiguousarray(theta))
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
        slope, curve = _slopes(*self.arrays, theta, blocks, grid)
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


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best of `settings.starts` local minima; every start is kept in `starts`. Converged means that the best is a minimum,
    by its gradient and curvature, whatever the solver said."""
    begin = perf_counter()
    search = Search(_Likelihood(problem), settings.solver)
    starts = near_starts(problem.lower, problem.upper, settings.starts, rng)
    ends = [search.run(start) for start in starts]
    return outcome(problem, ends, begin)


def outcome(problem: Problem, ends: list[Found], begin: float) -> Outcome:
    """The Outcome of a fit from several starts, which began at `begin` by the clock."""
    best = lowest(ends)
    (alpha, beta), split = problem.split(best.theta), [problem.split(end.theta) for end in ends]
    return Outcome(
        status=best.status if np.isfinite(best.value) else "failed",
        alpha=alpha,
        beta=beta,
        nll=best.value,
        message=best.message,
        n_eval=sum(end.n_eval for end in ends),
        t_solve=perf_counter() - begin,
        starts=Starts(
            nll=[end.value for end in ends],
            alpha=[alpha for alpha, _ in split],
            beta=[beta for _, beta in split],
            n_eval=[end.n_eval for end in ends],
            message=[end.message for end in ends],
        ),
    )


METHOD = Method(fit=fit, settings=Settings)
