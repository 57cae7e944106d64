"""VI: Gaussian variational inference of a population and its members, or of each person alone under a fixed prior.

The approximation is a normal on gem's links, so that everything that `gem` says of a population holds here, with the ELBO in
place of the marginal likelihood; see `solvers.variational`. With `prior` "fixed" on probit links the prior is uniform on the
bounds, which is what `mc` and `quadrature` have by default.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..data.dataset import Dataset
from ..errors import InputError
from ..models.families import get_model
from ..models.likelihood import Problem, problem
from ..solvers import em
from ..solvers.population import Links, Population, Prior
from ..solvers.population import Settings as PopulationSettings
from ..solvers.population import begin as begin_population
from ..solvers.uncertainty import widened
from ..solvers.variational import GRADIENT, Check, Family, Variational, check, rule, stepper
from . import Method, Outcome


@dataclass(frozen=True)
class Settings:
    """How people are approximated.

    family      "full_rank": a normal with any covariance; "mean_field": parameters independent of one another
    links, prior, iterations, tolerance   as of `gem`
    nodes       per dimension of the expected log-likelihood, in up to two dimensions
    points      in all, in more dimensions (a power of two)
    gradient    largest gradient of the ELBO, in nats per standard unit, at its maximum
    """

    family: Family = "full_rank"
    links: Links = "probit"
    prior: Prior = "learned"
    nodes: int = 7
    points: int = 128
    iterations: int = 200
    tolerance: float = 1e-3
    gradient: float = GRADIENT

    def __post_init__(self):
        self.of_population()
        if not self.gradient > 0:
            raise InputError(f"gradient is {self.gradient:g}, expected a positive number")

    def of_population(self) -> PopulationSettings:
        """Of the population that is learned, or is the prior; what else stands there is not asked for."""
        return PopulationSettings(
            links=self.links,
            moments="variational",
            prior=self.prior,
            nodes=self.nodes,
            points=self.points,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )

    @property
    def pools(self) -> bool:
        """Whether the participants inform one another."""
        return self.prior == "learned"


def learn(problems: list[Problem], settings: Settings, rng: np.random.Generator) -> tuple[Population, Variational, Check]:
    """The population, its members' approximations, and what fresh points say of them."""
    over = rule(len(problems[0].lower), settings.nodes, settings.points)
    step = stepper(over, settings.family, settings.gradient)
    population, found = em.learn(problems, settings.of_population(), rng, step=step)
    return population, found, check(problems, population, found, rng)


def fit(problems: list[Problem], settings: Settings, rng: np.random.Generator, given: list[None]) -> list[Outcome]:
    """Medians, 95 % intervals and sds of all participants, whose approximations are normal on the link scale. A fit's
    `diagnostics` hold the `elbo` on fresh points and its standard error `elbo_error` in nats, Pareto's k of the importance
    ratios, log_evidence by importance sampling, and of the whole population the rounds and the best objective."""
    begin = perf_counter()
    population, found, checked = learn(problems, settings, rng)
    wider = found
    if settings.pools:
        wider = widened(population, found, begin_population(problems[0], settings.of_population(), shared=False), rng)
    estimates = em.estimate(population, wider)
    outcomes = [
        _outcome(one, population, found, checked, {name: values[j] for name, values in estimates.items()}, j)
        for j, one in enumerate(problems)
    ]
    return em.closed(problems, outcomes, settings.links, perf_counter() - begin)


def _outcome(one: Problem, population: Population, found: Variational, checked: Check, theta: dict, j: int) -> Outcome:
    n_eval = int(population.n_eval + found.n_eval[j])
    if not found.found[j]:
        return Outcome("failed", message="no approximation with a finite bound was found", n_eval=n_eval)
    message = population.reason
    if not found.settled[j]:
        message = f"{em.UNSETTLED}; {message}"
    return Outcome(
        status="converged" if population.converged and found.settled[j] else "limit",
        **one.estimate(theta["median"]),
        nll=one.nll_theta(theta["median"]),
        message=message,
        n_eval=n_eval,
        diagnostics={
            "elbo": float(checked.elbo[j]),
            "elbo_error": float(checked.error[j]),
            "log_evidence": float(checked.log_evidence[j]),
            "pareto_k": float(checked.pareto_k[j]),
            "rounds": float(len(population.objective)),
            "objective": population.objective[population.kept - 1],
        },
        posterior={f"{name}_{what}": part for what, all_ in theta.items() for name, part in one.named(all_).items()},
    )


def _warm_up() -> None:
    """Compiles (or loads from the cache) with a round of two participants of two steps."""
    data = Dataset("warm-up", np.array([[0, 1]]), np.ones((1, 2)), n_arms=2)
    model = get_model("forgetting")
    fit([problem(data, 0, model, model.default_bounds)] * 2, Settings(iterations=1), np.random.default_rng(0), [None] * 2)


METHOD = Method(fit=fit, settings=Settings, population=True, warm_up=_warm_up)
