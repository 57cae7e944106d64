"""From free kernels to parameters: onto the geometric kernels, each by itself (arXiv 2511.04454, section 3)."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np

from ..errors import InputError
from ..likelihood import Problem
from . import Outcome
from ._local import Found, Solver, minimise, random_starts


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
    own = "converged" if all(f.success for f in found) else "limit"
    return Outcome(
        status=own if given.status == "converged" else given.status,
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


def _nearest(g: np.ndarray, lower: np.ndarray, upper: np.ndarray, settings: Settings, rng: np.random.Generator) -> Found:
    j = np.arange(len(g))

    def value_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = theta
        powers = (1.0 - a) ** j
        slope = powers - a * j * (1.0 - a) ** np.maximum(j - 1, 0)
        miss = a * b * powers - g
        return miss @ miss, 2.0 * np.array([b * (miss @ slope), a * (miss @ powers)])

    def value(theta: np.ndarray) -> float:
        return value_and_gradient(theta)[0]

    if settings.start == "random":
        starts = random_starts(lower, upper, settings.starts, rng)
    else:
        starts = [log_line(g, lower, upper, weighted=True)]
    ends = [minimise(value, value_and_gradient, lower, upper, start, settings.solver) for start in starts]
    return min(ends, key=lambda f: (np.isnan(f.value), f.value))
