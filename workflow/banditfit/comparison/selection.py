"""Random-effects Bayesian model selection: how frequent each model is among people, and how surely one is the most frequent.

Every person's data come from one of K models, drawn with frequencies r that have a Dirichlet prior. The variational posterior
of r is Dirichlet(alpha) (Stephan et al. 2009, NeuroImage 46, 1004); the Bayesian omnibus risk is the posterior probability that
all models are equally frequent, and protects the exceedance probabilities (Rigoux et al. 2014, NeuroImage 84, 971). Families of
models, such as those with and without a term, are compared in the same way (after Penny et al. 2010, PLoS Computational Biology
6, e1000709).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from scipy.integrate import quad
from scipy.special import expit, gammainc, gammaincinv, gammaln, logsumexp, psi, softmax

from ..arguments import checked
from ..errors import InputError
from ..kinds import Limits

_SETTLED = 1e-9  # how far alpha may still move, in people
_MOST = 100_000  # rounds


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """What people say of K models.

    models      (K,) their names
    alpha       (K,) of the Dirichlet posterior of their frequencies; it exceeds its sum over the models by the prior's
    frequency   (K,) the expected frequencies, alpha / sum(alpha)
    exceedance  (K,) the probability that each is the most frequent
    protected   (K,) the same, given that the frequencies may be equal
    bor         the Bayesian omnibus risk: the probability that they are
    assigned    (people, K) the probability that each person's data come from each model
    """

    models: tuple[str, ...]
    alpha: np.ndarray
    frequency: np.ndarray
    exceedance: np.ndarray
    protected: np.ndarray
    bor: float
    assigned: np.ndarray

    @property
    def table(self) -> pd.DataFrame:
        """One row per model: model, alpha, frequency, exceedance, protected."""
        names = ("alpha", "frequency", "exceedance", "protected")
        return pd.DataFrame({"model": self.models} | {name: getattr(self, name) for name in names})

    def __repr__(self) -> str:
        best = int(np.argmax(self.frequency))
        return (
            f"<Selection over {len(self.assigned)} people: '{self.models[best]}' is the most frequent of {len(self.models)}"
            f" models ({self.frequency[best]:.0%}), protected exceedance {self.protected[best]:.3f}, BOR {self.bor:.3f}>"
        )


@checked
def select_models(
    evidence: pd.DataFrame | np.ndarray,
    models: Sequence[str] | None = None,
    prior: Annotated[float, Limits(0, inside=True)] = 1.0,
) -> Selection:
    """Random-effects model selection from the log evidence of each person (rows) under each model (columns), in nats: of the
    marginal likelihood itself, or what stands for it, such as -BIC / 2. `models` are the names of the columns, by default those
    of a table, or numbers; `prior` is the Dirichlet's alpha of every model.

    Raises InputError for fewer than two models, no person, and numbers that are not finite.
    """
    held = list(map(str, evidence.columns)) if isinstance(evidence, pd.DataFrame) else None
    L = np.asarray(evidence, dtype=float)
    if L.ndim != 2 or L.shape[0] < 1 or L.shape[1] < 2:
        raise InputError(f"select_models, argument evidence: found the shape {L.shape}, expected people x two models or more")
    if not np.isfinite(L).all():
        person, model = np.argwhere(~np.isfinite(L))[0]
        raise InputError(
            f"select_models, argument evidence: found {L[person, model]} in row {person}, column {model}, expected finite"
            " numbers"
        )
    names = tuple(models or held or map(str, range(L.shape[1])))
    if len(names) != L.shape[1]:
        raise InputError(f"select_models, argument models: found {len(names)} names, expected {L.shape[1]}")
    alpha, assigned = _posterior(L, prior)
    exceedance = exceedances(alpha)
    bor = float(expit(_log_equal(L) - _free_energy(L, alpha, assigned, prior)))
    protected = (1.0 - bor) * exceedance + bor / len(names)
    return Selection(names, alpha, alpha / alpha.sum(), exceedance, protected, bor, assigned)


def select_families(evidence: np.ndarray, families: Sequence[str]) -> Selection:
    """Selection among families of models, from the log evidence (people, models) and the family of each model: the evidence of
    a family is the mean of its models', each being as probable as the others, so that none is ahead for having more."""
    L = np.asarray(evidence, dtype=float)
    names = list(dict.fromkeys(families))
    members = [[k for k, family in enumerate(families) if family == name] for name in names]
    return select_models(np.column_stack([logsumexp(L[:, own], axis=1) - np.log(len(own)) for own in members]), names)


def _posterior(L: np.ndarray, prior: float) -> tuple[np.ndarray, np.ndarray]:
    """alpha (K,), and the models to which people are assigned (people, K)."""
    alpha = np.full(L.shape[1], prior)
    for _ in range(_MOST):
        assigned = softmax(L + psi(alpha), axis=1)
        before, alpha = alpha, prior + assigned.sum(axis=0)
        if np.abs(alpha - before).max() <= _SETTLED:
            break
    return alpha, assigned


def exceedances(alpha: np.ndarray) -> np.ndarray:
    """The probability that each part of a Dirichlet(alpha) is the largest: one integral each, of independent gamma variables.

    With F_k the distribution function of Gamma(alpha_k, 1), it is the mean over u in (0, 1) of prod_j!=k F_j(F_k^-1(u))."""
    alpha = np.asarray(alpha, dtype=float)

    def largest(k: int) -> float:
        others = np.delete(alpha, k)
        return quad(lambda u: gammainc(others, gammaincinv(alpha[k], u)).prod(), 0.0, 1.0, epsabs=1e-10, limit=500)[0]

    found = np.array([largest(k) for k in range(len(alpha))])
    return found / found.sum()


def _log_equal(L: np.ndarray) -> float:
    """The log evidence of all people if all models are equally frequent."""
    return float((logsumexp(L, axis=1) - np.log(L.shape[1])).sum())


def _free_energy(L: np.ndarray, alpha: np.ndarray, assigned: np.ndarray, prior: float) -> float:
    """The variational bound on the log evidence of all people if the frequencies have the Dirichlet prior."""
    log_r = psi(alpha) - psi(alpha.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = -np.where(assigned > 0.0, assigned * np.log(assigned), 0.0).sum()
    beta = lambda a: gammaln(a).sum() - gammaln(a.sum())  # noqa: E731  (the logarithm of the Dirichlet's constant)
    expected = (assigned * (L + log_r)).sum() + ((prior - 1.0) * log_r).sum() - beta(np.full_like(alpha, prior))
    return float(expected + beta(alpha) - ((alpha - 1.0) * log_r).sum() + spread)
