"""The published convex relaxation by column generation: kernels decreasing and non-negative, otherwise free.

The same optimum as the conic solvers find (arXiv 2511.04454, section 3): such a kernel is a non-negative sum of steps
1[j < l], whose traces are windowed sums of the signal, and few of them are active.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..models.likelihood import Problem
from ..solvers import clocks
from ..solvers.atoms import warm_up
from ..solvers.columns import Box, episode
from ..solvers.steps import solve_steps
from . import Method, Outcome, hull


@dataclass(frozen=True)
class Settings(hull.Settings):
    """`tolerance`: the optimality gap at which to stop, as a share of the nll; `max_rounds`: Newton steps at most."""

    tolerance: float = 1e-8
    max_rounds: int = 300


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best free kernels. Where J has no finite optimum the kernels are where J is within the tolerance of its limit,
    and the status says so."""
    if not problem.model.kernels:
        return _composed(problem, settings)
    begin = perf_counter()
    ep = episode(problem)
    box = Box.of(problem, ep)
    ready = perf_counter()
    block, length, w, nll, bound, gap, n_eval, drift, margin = solve_steps(
        ep, box.mass_high, settings.tolerance, settings.max_rounds
    )
    kernels = np.zeros((ep.blocks, problem.n_steps))
    for k, l, weight in zip(block, length, w, strict=True):
        kernels[k, :l] += weight / ep.scale[k]
    words = "kernels are free: alpha and beta are not identified"
    if gap > settings.tolerance * max(nll, 1.0):
        status = "limit"
        words = f"stopped {gap:.1e} nats from the optimum; {words}"
    elif drift > 0.5 and margin >= -1e-6 * drift:
        # Newton's step still moves x by a nat or more, and along it no choice loses against any other arm.
        status = "separable"
        words = f"larger kernels fit ever better, by {gap:.1e} nats at most; {words}"
    else:
        status = "converged"
    return Outcome(
        status=status,
        kernels=kernels.reshape(*problem.shape, problem.n_steps),
        nll=nll,
        lower_bound=max(bound, 0.0),
        message=words,
        n_eval=n_eval,
        t_setup=ready - begin,
        t_solve=perf_counter() - ready,
    )


def _composed(problem: Problem, settings: Settings) -> Outcome:
    """The same of any other model whose traces have one rate each, on the clocks of its traces."""
    begin = perf_counter()
    found, bound, n_eval = clocks.best(problem, lambda one: clocks.generate(one, settings.tolerance, settings.max_rounds))
    words, status = [], "converged"
    if found.gap > settings.tolerance * max(found.nll, 1.0):
        status, words = "limit", [f"stopped {found.gap:.1e} nats from the optimum"]
    elif found.separable:
        status, words = "separable", [f"larger kernels fit ever better, by {found.gap:.1e} nats at most"]
    return clocks.outcome(problem, found, bound, status, words, n_eval=n_eval, t_solve=perf_counter() - begin)


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("log_linear", "one_rate"), threads=True, warm_up=warm_up)
