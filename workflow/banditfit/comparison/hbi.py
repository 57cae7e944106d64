"""Hierarchical Bayesian inference: models fitted and compared at once, each by the people whom it explains.
Piray, Dezfouli, Heskes, Frank & Daw 2019, PLoS Comput. Biol. 15(6), e1007043. Person n's data come from one model, z_n = k with
probability m_k; if from k, then h_n ~ N(mu_k, diag(tau_k)^-1) on the link scale. The population of each model has the prior
mu_kd | tau_kd ~ N(a_0, 1 / (b tau_kd)), tau_kd ~ Gamma(v, s), and m a Dirichlet of ones. The variational posterior factors into
q(h, z) q(mu, tau) q(m), and

    q(h_n | k)    Laplace's approximation under N(a_k, diag(E tau_k)^-1), with log f_nk its log evidence
    r_nk          ~ exp(log f_nk + lambda_k + E log m_k),  lambda_k = D_k / 2 (psi(nu_k) - log nu_k - 1 / beta_k)
    q(mu_k, tau_k), q(m)   conjugate, in the sums over people weighted by r_nk

are repeated until populations stay as they are. It ends with protected exceedance probabilities (Rigoux et al. 2014), for which
it is run once more with all models equally frequent. Piray's toolbox CBM has the same constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, psi, softmax

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..experiments.populations import _Participants
from ..kinds import Items, Limits
from ..models.families import ModelName
from ..parameters import Bounds
from ..solvers.population import Expectation, Links, Population, Settings, begin, expect
from .selection import Selection, exceedances

WORTH, SHAPE, RATE = 1.0, 0.5, 0.01  # b, v and s of the prior of a population
ALPHA = 1.0  # of the Dirichlet prior, per model
ROUNDS = 200


@dataclass(frozen=True, eq=False, repr=False)
class HierarchicalSelection(Selection):
    """What `hbi` found: a `Selection` whose `frequency` is the share of people that each model explains, the mean of
    `assigned`, and beside it

    groups     one row per model and parameter: `mean` of the population and its standard error `se`, and the `sd` of people, on
               the link scale; and `value`, the parameter of the mean person
    people     one row per person, model and parameter: the `estimate`, given that model, and how far the model is `assigned`
    bound, null_bound   the variational bounds on the log evidence, in nats, of all and if all models are equally frequent
    converged  whether populations stayed as they were, at both ends; in `rounds` of the first
    """

    groups: pd.DataFrame
    people: pd.DataFrame
    bound: float
    null_bound: float
    rounds: int
    converged: bool


@checked
def hbi(
    data: Dataset,
    models: Annotated[Sequence[ModelName], Items(2)],
    links: Links = "logit",
    bounds: Bounds | None = None,
    prior_variance: Annotated[float, Limits(0, inside=True)] = 6.25,
    tolerance: Annotated[float, Limits(0, inside=True)] = 1e-3,
) -> HierarchicalSelection:
    """Compares `models` and fits their populations at once (Piray et al. 2019).

    People's parameters are normal on `links`: with "logit" rates are logistic and sensitivities exponential in them, with
    "probit" all lie within their bounds. It starts from everybody's own fit of each model under N(0, prior_variance), as the
    toolbox CBM does, whose defaults these are, and ends when no mean of a population (in its sd) and no sd (relative) moves by
    `tolerance`. Raises InputError for a model twice, for a person with no finite likelihood, and as `fit` does.
    """
    if len(set(models)) < len(models):
        raise InputError(f"hbi, argument models: found {', '.join(models)}, expected each model once")
    members = [_Members(data, model, links, bounds, prior_variance) for model in models]
    first = [one.own_fit() for one in members]
    found = _iterate(members, first, tolerance, equal=False)
    null = _iterate(members, first, tolerance, equal=True)
    alpha, r = ALPHA + found.r.sum(axis=0), found.r
    bor, exceedance = float(expit(null.bound - found.bound)), exceedances(alpha)
    return HierarchicalSelection(
        models=tuple(models),
        alpha=alpha,
        frequency=r.mean(axis=0),
        exceedance=exceedance,
        protected=(1.0 - bor) * exceedance + bor / len(members),
        bor=bor,
        assigned=r,
        groups=pd.concat([one.group(group) for one, group in zip(members, found.groups, strict=True)], ignore_index=True),
        people=pd.concat(
            [one.people(e, r[:, k]) for k, (one, e) in enumerate(zip(members, found.expectations, strict=True))],
            ignore_index=True,
        ),
        bound=found.bound,
        null_bound=null.bound,
        rounds=found.rounds,
        converged=found.converged and null.converged,
    )


def population_of(
    data: Dataset, model: str, links: Links, bounds: Bounds | None = None, tolerance: float = 1e-3
) -> tuple[Expectation, bool]:
    """The same of one model: everybody's fit under the population that is learned, and whether that stayed as it was. On
    "probit" links the start is uniform on the bounds."""
    member = _Members(data, model, links, bounds, 1.0 if links == "probit" else 6.25)
    found = _iterate([member], [member.own_fit()], tolerance, equal=False)
    return found.expectations[0], found.converged


@dataclass(frozen=True)
class _Group:
    """q(mu, tau) of a model's population: normal-gamma with a (D,), beta, nu, sigma (D,)."""

    a: np.ndarray
    beta: float
    nu: float
    sigma: np.ndarray

    @classmethod
    def of(cls, e: Expectation, r: np.ndarray) -> "_Group":
        """From the moments of people who count r (people,) each; a_0 is 0."""
        N, total = r.sum(), r @ e.m
        square = r @ (e.m**2 + np.diagonal(e.V, axis1=1, axis2=2))
        beta = WORTH + N
        return cls(total / beta, beta, SHAPE + 0.5 * N, RATE + 0.5 * (square - total**2 / beta))

    @property
    def precision(self) -> np.ndarray:
        """E tau."""
        return self.nu / self.sigma

    @property
    def slack(self) -> float:
        """lambda: what the evidence loses because mu and tau are not known."""
        return 0.5 * len(self.a) * (psi(self.nu) - np.log(self.nu) - 1.0 / self.beta)

    def divergence(self) -> float:
        """Kullback-Leibler's of q(mu, tau) from the prior, nats."""
        ratio = WORTH / self.beta
        of_mu = 0.5 * (ratio - 1.0 - np.log(ratio) + WORTH * self.precision * self.a**2)
        of_tau = (self.nu - SHAPE) * psi(self.nu) - gammaln(self.nu) + gammaln(SHAPE)
        of_tau = of_tau + SHAPE * (np.log(self.sigma) - np.log(RATE)) + self.nu * (RATE / self.sigma - 1.0)
        return float((of_mu + of_tau).sum())


@dataclass(frozen=True)
class _Found:
    """The end of a run: `r` (people, models), every model's group and people, the bound, and how it ended."""

    r: np.ndarray
    groups: list[_Group]
    expectations: list[Expectation]
    bound: float
    rounds: int
    converged: bool


def _iterate(members: list["_Members"], expectations: list[Expectation], tolerance: float, equal: bool) -> _Found:
    """The algorithm, from everybody's own fits; with `equal` all models are equally frequent."""
    J, K = len(expectations[0].m), len(members)
    r = np.full((J, K), 1.0 / K if equal else 1.0)
    before, converged, rounds = None, False, 0
    while rounds < ROUNDS and not converged:
        rounds += 1
        groups = [_Group.of(e, r[:, k]) for k, e in enumerate(expectations)]
        alpha = ALPHA + r.sum(axis=0)
        log_m = np.full(K, -np.log(K)) if equal else psi(alpha) - psi(alpha.sum())
        expectations = [one.expect(g, e) for one, g, e in zip(members, groups, expectations, strict=True)]
        rho = np.stack([e.log_evidence + g.slack for e, g in zip(expectations, groups, strict=True)], axis=1) + log_m
        r = r if equal else softmax(rho, axis=1)
        converged = before is not None and max(map(_change, groups, before)) < tolerance
        before = groups
    bound = (r * (rho - np.log(np.maximum(r, np.finfo(float).tiny)))).sum() - sum(g.divergence() for g in groups)
    if not equal:
        bound -= _dirichlet_divergence(alpha)
    return _Found(r, groups, expectations, float(bound), rounds, converged)


def _change(after: _Group, before: _Group) -> float:
    """How far a population moved: its means in sds, its sds relatively."""
    root = np.sqrt(after.precision)
    return max(np.abs((after.a - before.a) * root).max(), np.abs(root / np.sqrt(before.precision) - 1.0).max())


def _dirichlet_divergence(alpha: np.ndarray) -> float:
    """Kullback-Leibler's of Dirichlet(alpha) from the prior, nats."""
    prior = np.full_like(alpha, ALPHA)
    constant = lambda a: gammaln(a.sum()) - gammaln(a).sum()  # noqa: E731
    return float(constant(alpha) - constant(prior) + ((alpha - prior) * (psi(alpha) - psi(alpha.sum()))).sum())


class _Members:
    """Everybody's fits of one model."""

    def __init__(self, data: Dataset, model: str, links: str, bounds: Bounds | None, variance: float):
        self.data, self.model = data, model
        self.participants = _Participants(data, model, bounds)
        self.problems = list(self.participants)
        start = begin(self.problems[0], Settings(links=links, moments="laplace"), shared=False)
        D = len(start.mu)
        self.start: Population = replace(start, mu=np.zeros(D), Sigma=variance * np.eye(D))

    def own_fit(self) -> Expectation:
        return self._sound(expect(self.problems, self.start))

    def expect(self, group: _Group, earlier: Expectation) -> Expectation:
        return self._sound(expect(self.problems, self._population(group), earlier))

    def _population(self, group: _Group) -> Population:
        return replace(self.start, mu=group.a, Sigma=np.diag(1.0 / group.precision))

    def _sound(self, e: Expectation) -> Expectation:
        if not e.found.all():
            lost = self.data.ids[int(np.argmin(e.found))]
            raise InputError(
                f"hbi: found no mode of finite likelihood of episode '{lost}' under model '{self.model}', expected one"
            )
        return e

    def group(self, group: _Group) -> pd.DataFrame:
        """The rows of `groups`."""
        own = self._population(group).rescaled(1.0 / self.participants.scale)
        return pd.DataFrame(
            {
                "model": self.model,
                "parameter": self.participants.model.parameter_names(self.data.n_arms),
                "mean": own.mu,
                "se": 1.0 / np.sqrt(group.precision * group.beta),
                "sd": 1.0 / np.sqrt(group.precision),
                "value": own.theta(own.mu),
            }
        )

    def people(self, e: Expectation, assigned: np.ndarray) -> pd.DataFrame:
        """The rows of `people`."""
        names = self.participants.model.parameter_names(self.data.n_arms)
        theta = self.start.theta(e.m) / self.participants.scale
        return pd.DataFrame(
            {
                "id": np.repeat(self.data.ids, len(names)),
                "model": self.model,
                "parameter": np.tile(names, len(self.data)),
                "estimate": theta.ravel(),
                "assigned": np.repeat(assigned, len(names)),
            }
        )
