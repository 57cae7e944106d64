"""Pathfinder (Zhang et al. 2022): each person's posterior from the path of a climb to its mode; see `solvers.pathfinder`.

The prior is the start of gem's population: on probit links uniform on the bounds, which is what `mc` and `quadrature` have by
default.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..data.dataset import Dataset
from ..errors import InputError
from ..models.families import get_model
from ..models.likelihood import Problem, problem
from ..solvers.nodes import normal_points
from ..solvers.pathfinder import Paths, find
from ..solvers.population import Links, Population, begin
from ..solvers.population import Settings as PopulationSettings
from ..solvers.transport import QUANTILES
from . import Method, Outcome

TRUSTED = 0.7  # Pareto's k up to which importance makes the draws those of the posterior


@dataclass(frozen=True)
class Settings:
    """`paths`, each from a draw of the prior; `elbo_draws` for the ELBO of every normal on a path, and `draws` from the best of
    each path (powers of two); `links` as of `gem`."""

    paths: int = 4
    elbo_draws: int = 32
    draws: int = 256
    links: Links = "probit"

    def __post_init__(self):
        if self.paths < 1:
            raise InputError(f"paths is {self.paths}, expected at least 1")
        for name in ("elbo_draws", "draws"):
            value = getattr(self, name)
            if value < 8 or value & (value - 1):
                raise InputError(f"{name} is {value}, expected a power of two, at least 8")


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """Posterior medians, with 95 % limits and sds in `posterior`; the `diagnostics` hold the `elbo` of the best path and its
    standard error `elbo_error` in nats, log_evidence by importance sampling, and Pareto's k, above .7 of which the fit is
    inaccurate."""
    begin_time = perf_counter()
    prior = begin(problem, PopulationSettings(links=settings.links, moments="laplace"), shared=False)
    D = len(prior.mu)
    few, many = normal_points(settings.elbo_draws, D), normal_points(settings.draws, D, seed=1)
    found = find(problem, prior, rng.standard_normal((settings.paths, D)), few, many)
    status, message = _ended(found)
    theta = summary(prior, found)
    return Outcome(
        status=status,
        **problem.estimate(theta["median"]),
        nll=problem.nll_theta(theta["median"]),
        message=message,
        n_eval=found.n_eval,
        t_solve=perf_counter() - begin_time,
        diagnostics={
            "elbo": found.elbo,
            "elbo_error": found.error,
            "log_evidence": found.log_evidence,
            "pareto_k": found.pareto_k,
        },
        posterior={f"{name}_{what}": part for what, all_ in theta.items() for name, part in problem.named(all_).items()},
    )


def _ended(found: Paths) -> tuple[str, str]:
    if found.pareto_k > TRUSTED:
        words = f"Pareto's k is {found.pareto_k:.2f}, expected at most {TRUSTED}: no path's normal covers the posterior"
        return "inaccurate", words
    if not found.settled:
        return "limit", "a path ended before it was at a mode"
    return "converged", ""


def summary(population: Population, found: Paths) -> dict[str, np.ndarray]:
    """On the natural scale, arrays (D,): `median`, 95 % limits `lower` and `upper`, and `sd`."""
    theta = population.theta(found.h)
    mean = found.weights @ theta
    sd = np.sqrt(found.weights @ (theta - mean) ** 2)
    quantile = lambda q: np.quantile(theta, q, axis=0, weights=found.weights, method="inverted_cdf")  # noqa: E731
    quantiles = {name: quantile(q) for name, q in QUANTILES.items()}
    return {**quantiles, "sd": sd}


def _warm_up() -> None:
    """Compiles (or loads from the cache) with a two-step episode."""
    data = Dataset("warm-up", np.array([[0, 1]]), np.ones((1, 2)), n_arms=2)
    model = get_model("forgetting")
    fit(problem(data, 0, model, model.default_bounds), Settings(), np.random.default_rng(0), None)


METHOD = Method(fit=fit, settings=Settings, warm_up=_warm_up)
