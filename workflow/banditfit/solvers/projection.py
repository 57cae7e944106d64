"""From free kernels to parameters: onto the geometric kernels, each by itself (arXiv 2511.04454, section 3)."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np

from ..errors import InputError
from ..models.likelihood import Problem
from ..models.traces import GAIN, WEIGHT
from ..outcome import Outcome
from .descent import descend
from .local import Found, Search, Solver, Verdict, lowest, near_starts, remaining, ways_from_zero
from .scan import rates

# The nearest kernel is found when a step would gain no more than this share of the given one's squared length, which counts as
# no less than a length that moves no choice (values are log-odds).
_ENOUGH, _NOTHING = 1e-6, 1e-8
# Rates at which the way out of a = b = 0 is looked up.
_RATES = 40


@dataclass(frozen=True)
class Settings:
    """`solver`: SciPy's name of the local solver; `start`: where it starts for each kernel, "random" as published, from
    `starts` uniform points of which the best end is kept, or once from the closed form of `log_line`, weighted."""

    solver: Solver = "L-BFGS-B"
    start: Literal["random", "log-linear"] = "random"
    starts: int = 5

    def __post_init__(self):
        if self.starts < 1:
            raise InputError(f"starts is {self.starts}, expected at least 1")


def project(problem: Problem, given: Outcome, terms: int, settings: Settings, rng: np.random.Generator) -> Outcome:
    """alpha and beta whose kernels' first `terms` entries are nearest to the given ones; see `each_kernel`."""
    return each_kernel(problem, given, terms, lambda g, lower, upper: _nearest(g, lower, upper, settings, rng))


def project_rates(problem: Problem, given: Outcome, settings: Settings, rng: np.random.Generator) -> Outcome:
    """The fit of a model whose traces have one rate each, from the kernels of `given` (traces, arms, steps): every rate is that
    of the geometric kernel nearest to the largest of those that share it, then weights and initial values are the best for
    these rates."""
    if given.kernels is None:
        return Outcome("failed", lower_bound=given.lower_bound, message="there are no kernels to project")
    begin = perf_counter()
    places, theta = problem.episode.places, np.clip(0.0, problem.lower, problem.upper)
    known: dict[int, float] = {}  # the length of the kernel that a rate was read from
    ends: list[Found] = []
    for k, i in np.ndindex(given.kernels.shape[:2]):
        g, place, w = given.kernels[k, i], places[k, i, GAIN], places[k, i, WEIGHT]
        length = float(np.linalg.norm(g))
        if place < 0 or length <= known.get(place, -1.0):
            continue
        known[place] = length
        sign = -1.0 if g[0] < 0.0 else 1.0
        low, high = sorted((sign * problem.lower[w], sign * problem.upper[w]))
        box = np.array([problem.lower[place], max(low, 0.0)]), np.array([problem.upper[place], max(high, 0.0)])
        found = _nearest(np.abs(g), *box, settings, rng)
        theta[place] = found.theta[0]
        ends.append(found)
    held = problem.model.roles(problem.n_arms) == "rate"
    lower, upper = np.where(held, theta, problem.lower), np.where(held, theta, problem.upper)
    nll, n_eval, _ = descend(problem.episode, theta, lower, upper)
    statuses = [given.status, *(end.status for end in ends)]
    return Outcome(
        status=next((status for status in statuses if status != "converged"), "converged"),
        theta=theta,
        nll=nll,
        lower_bound=given.lower_bound,
        message="; ".join(dict.fromkeys(end.message for end in ends)),
        fallback=given.fallback,
        n_eval=n_eval,
        t_solve=perf_counter() - begin,
    )


def each_kernel(
    problem: Problem, given: Outcome, terms: int, find: Callable[[np.ndarray, np.ndarray, np.ndarray], Found]
) -> Outcome:
    """alpha and beta, `find(g, lower, upper)` of the first `terms` entries g of each given kernel, within bounds of (a, b).

    The bound is the given one, and so is the status if the given fit did not converge. `t_published` counts the slowest
    arm only, as the published study did for models with parameters per arm. `n_eval` counts the nll, evaluated once.
    """
    if given.kernels is None:
        return Outcome("failed", lower_bound=given.lower_bound, message="there are no kernels to project")
    begin = perf_counter()
    kernels = given.kernels[..., :terms].reshape(-1, min(terms, problem.n_steps))
    lower, upper = (side.reshape(2, -1) for side in (problem.lower, problem.upper))
    found, seconds = [], []
    for k, g in enumerate(kernels):
        start = perf_counter()
        found.append(find(g, lower[:, k], upper[:, k]))
        seconds.append(perf_counter() - start)
    theta = np.array([f.theta for f in found]).T.ravel()
    alpha, beta = problem.split(theta)
    nll = problem.nll(alpha, beta)
    statuses = [given.status, *(f.status for f in found)]
    return Outcome(
        status=next((status for status in statuses if status != "converged"), "converged"),
        alpha=alpha,
        beta=beta,
        nll=nll,
        lower_bound=given.lower_bound,
        message="; ".join(dict.fromkeys(f.message for f in found)),
        fallback=given.fallback,
        n_eval=1,
        t_solve=perf_counter() - begin,
        t_published=max(seconds),
    )


def log_line(g: np.ndarray, lower: np.ndarray, upper: np.ndarray, weighted: bool) -> np.ndarray:
    """(a, b) of the least-squares line log g[j] = log(a b) + j log(1 - a) through the positive entries, inside the bounds.

    An error of g[j] is an error of about 1 / g[j] of its logarithm, so where it is `weighted`, by g[j]^2, only the head of
    the kernel counts and its tail, the logarithm of noise, does not. Without two positive entries it is the middle of the box.
    """
    kept = np.flatnonzero(g > 0.0)
    if len(kept) < 2:
        return (lower + upper) / 2
    # polyfit squares its weights
    slope, height = np.polyfit(kept, np.log(g[kept]), 1, w=g[kept] if weighted else None)
    a = np.clip(-np.expm1(slope), lower[0], upper[0])
    b = np.exp(height) / a if a > 0.0 else upper[1]
    return np.array([a, np.clip(b, lower[1], upper[1])])


class _Distance:
    """The squared distance of the kernel a b (1 - a)^j from g, as `Search` minimises it over (a, b)."""

    unit = "of squared distance"

    def __init__(self, g: np.ndarray, lower: np.ndarray, upper: np.ndarray):
        self.g, self.lower, self.upper = g, lower, upper
        self.j = np.arange(len(g))
        self.size = g @ g + _NOTHING
        self.enough = _ENOUGH * self.size

    def value(self, theta: np.ndarray) -> float:
        return self.value_and_gradient(theta)[0]

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = theta
        powers = (1.0 - a) ** self.j
        slope = powers - a * self.j * (1.0 - a) ** np.maximum(self.j - 1, 0)
        miss = a * b * powers - self.g
        return miss @ miss, 2.0 * np.array([b * (miss @ slope), a * (miss @ powers)])

    def examine(self, theta: np.ndarray, value: float) -> Verdict:
        """As for the nll (d_loc.py): at a = b = 0 the gradient vanishes whatever g is, but what b does is known for any a."""
        a_low, b_low = self.lower
        if value >= self.g @ self.g - self.enough and min(a_low, b_low) <= 0.0:
            grid = rates(a_low, self.upper[0], _RATES)
            kernels = grid[:, None] * (1.0 - grid[:, None]) ** self.j
            slope, curve = -2.0 * kernels @ self.g, 2.0 * np.sum(kernels**2, axis=1)
            a, b, gain = ways_from_zero(grid, slope, curve, b_low, self.upper[1])
            ways_out = list(np.stack([a, b], axis=1)[gain > self.enough])
            if ways_out:
                return Verdict(ways_out, np.inf, None, 1)
        left, scale = remaining(self, theta, self.value_and_gradient(theta)[1], self.hessian(theta))
        return Verdict([], left, scale, 1)

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        (a, b), j = theta, self.j
        powers, lower, lowest = ((1.0 - a) ** np.maximum(j - n, 0) for n in (0, 1, 2))
        slope = powers - a * j * lower
        miss = a * b * powers - self.g
        aa = b * b * (slope @ slope) + b * (miss @ (j * (a * (j - 1) * lowest - 2.0 * lower)))
        ab = a * b * (slope @ powers) + miss @ slope
        return 2.0 * np.array([[aa, ab], [ab, a * a * (powers @ powers)]])


def _nearest(g: np.ndarray, lower: np.ndarray, upper: np.ndarray, settings: Settings, rng: np.random.Generator) -> Found:
    search = Search(_Distance(g, lower, upper), settings.solver)
    if settings.start == "random":
        starts = near_starts(lower, upper, settings.starts, rng)
    else:
        starts = [log_line(g, lower, upper, weighted=True)]
    return lowest([search.run(start) for start in starts])
