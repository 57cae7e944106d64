"""A certified global fit: branch and bound, until no parameters can be better by more than the tolerance.

Inside a box the published families are bounded by the hull relaxation, other models by their tangents and a bound on what these
leave out, and a lapse by chords (docs/certificates.md).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from time import perf_counter

import numpy as np

from ..errors import InputError
from ..models.likelihood import Problem
from ..solvers import atoms, rate_search
from ..solvers.branch import Search, warm_up
from ..solvers.columns import Box, episode
from ..solvers.rate_search import RateSearch
from . import Method, Outcome


@dataclass(frozen=True)
class Settings:
    """`tolerance`: nats by which any other admissible parameters may at most be better; `max_nodes`: relaxations solved at
    most, of a published family; `max_boxes`: likewise the smaller ones of other models, of which several rates or a lapse need
    many; `max_seconds`: a safety net, as where it ends a search the result depends on the machine."""

    tolerance: float = 1e-6
    max_nodes: int = 5000
    max_boxes: int = 20_000
    max_seconds: float = 120.0

    def __post_init__(self):
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"{field.name} is {getattr(self, field.name):g}, expected a number above 0")


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The global optimum, with what is left between it and the bound."""
    begin = perf_counter()
    search, best = _search(problem, settings.tolerance)
    ready = perf_counter()
    search.run(settings.max_nodes if problem.model.kernels else settings.max_boxes, settings.max_seconds)
    theta = best()
    done, words = _verdict(search, settings, lambda: problem.values_of(theta))
    return Outcome(
        status="converged" if done else "limit",
        **problem.estimate(theta),
        nll=search.nll,
        lower_bound=max(search.bound, 0.0),
        message=words,
        n_eval=search.n_eval,
        t_setup=ready - begin,
        t_solve=perf_counter() - ready,
    )


def _search(problem: Problem, tolerance: float) -> tuple[Search | RateSearch, Callable[[], np.ndarray]]:
    """The search for a model, of kernels or of whatever else is linear in its weights, and what gives its best theta."""
    if not problem.model.kernels:
        search = RateSearch(problem, tolerance)
        return search, lambda: search.theta
    ep = episode(problem)
    columns = Search(ep, Box.of(problem, ep), tolerance)
    return columns, lambda: np.concatenate([columns.alpha.ravel(), (columns.beta / ep.scale).ravel()])


def _verdict(search: Search | RateSearch, settings: Settings, values: Callable[[], np.ndarray]) -> tuple[bool, str]:
    """Whether a search closed, and what it found in words; `values` gives those of the best parameters."""
    gap = max(search.nll - search.bound, 0.0)
    # The relaxation of a box that needed no branching may be left a rounding error above the tolerance.
    done = gap <= settings.tolerance * (1.0 + 1e-6)
    words = f"within {gap:.1e} nats of the global optimum, {search.nodes} relaxations"
    if not done and search.tolerance > settings.tolerance:
        words += f"; rounding in values of up to {np.abs(values()).max():.1e} hides what is less"
    return done, f"certified: {words}" if done else words


def _warm_up() -> None:
    atoms.warm_up()
    warm_up()
    rate_search.warm_up()


METHOD = Method(fit=fit, settings=Settings, all_arms=True, threads=True, warm_up=_warm_up)
