"""The hull relaxation: each kernel a mixture of geometric kernels with bounded mass, the convex hull of what is admissible.

The convex hull of { beta alpha (1 - alpha)^j : alpha, beta in their box } is { integral of a (1 - a)^j dmu(a) } over
measures mu >= 0 on alpha's interval whose mass lies in beta's: completely monotone kernels. J is convex over them. Traces of
other models are mixed likewise, over all the rates and initial values that they have (docs/relaxations.md).
"""

from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..models.likelihood import Problem
from ..solvers import mixtures
from ..solvers.atoms import first_atoms, single_atoms, solve_atoms
from ..solvers.atoms import warm_up as atoms_warm_up
from ..solvers.columns import Box, Episode, episode
from ..solvers.mixtures import relaxed_by_sign
from . import Method, Outcome


@dataclass(frozen=True)
class Settings:
    """`tolerance`: the certified gap, in nats, at which to stop; `max_rounds`: Newton steps at most."""

    tolerance: float = 1e-6
    max_rounds: int = 200

    def __post_init__(self):
        if not self.tolerance > 0 or self.max_rounds < 1:
            raise InputError(f"tolerance is {self.tolerance:g} and max_rounds {self.max_rounds}, expected both above 0")


class Relaxed(NamedTuple):
    """The relaxed optimum of an episode of a published family: atoms of rate `a` and mass `w` (atoms,), each in the measure of
    its `block`; its nll and bound, how far apart they are at most (nats), and evaluations. `t_setup` is in seconds."""

    ep: Episode
    box: Box
    block: np.ndarray
    a: np.ndarray
    w: np.ndarray
    nll: float
    bound: float
    n_eval: int
    gap: float
    t_setup: float


def relaxed(problem: Problem, settings: Settings) -> Relaxed:
    """The relaxation of a problem of a published family, solved."""
    begin = perf_counter()
    ep = episode(problem)
    box = Box.of(problem, ep)
    ready = perf_counter()
    atoms = first_atoms(*box)
    block, a, w, nll, bound, n_eval, gap, *_ = solve_atoms(ep, *box, *atoms, settings.tolerance, np.inf, settings.max_rounds)
    return Relaxed(ep, box, block, a, w, nll, bound, n_eval, gap, ready - begin)


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best measures; alpha and beta where single atoms do as well, which are then the global optimum."""
    if not problem.model.kernels:
        return _composed(problem, settings)
    begin = perf_counter()
    ep, box, block, a, w, nll, bound, n_eval, gap, t_setup = relaxed(problem, settings)
    kernels = np.zeros((ep.blocks, problem.n_steps))
    for k, rate, weight in zip(block, a, w, strict=True):
        kernels[k] += weight / ep.scale[k] * rate * (1.0 - rate) ** np.arange(problem.n_steps)
    alpha, mass = single_atoms(block, a, w, *box)
    alpha, beta = alpha.reshape(problem.shape), (mass / ep.scale).reshape(problem.shape)
    collapsed = problem.nll(alpha, beta)
    if collapsed - bound <= settings.tolerance:  # kernels that no choice depends on may hold several atoms
        nll = collapsed
        words = f"single atom per measure: certified to {max(nll - bound, 0.0):.1e} nats"
    else:
        alpha = beta = None
        words = f"{len(a)} atoms for {ep.blocks} kernels: alpha and beta are not identified"
    return Outcome(
        status="converged" if gap <= settings.tolerance else "limit",
        alpha=alpha,
        beta=beta,
        kernels=kernels.reshape(*problem.shape, problem.n_steps),
        nll=nll,
        lower_bound=max(bound, 0.0),
        message=words,
        n_eval=n_eval,
        t_setup=t_setup,
        t_solve=perf_counter() - begin - t_setup,
    )


def _composed(problem: Problem, settings: Settings) -> Outcome:
    """The same of any other model that is linear in its weights."""
    begin = perf_counter()
    best, bound, left, n_eval = relaxed_by_sign(problem, settings.tolerance, settings.max_rounds)
    theta = best.readings()[0]
    nll, relaxed = problem.nll_theta(theta), None
    if nll - bound <= settings.tolerance:
        words = f"single atom per measure: certified to {max(nll - bound, 0.0):.1e} nats"
    else:
        theta, nll, relaxed = None, best.J, problem.in_data_order(best.x.T)
        words = f"{len(best.atoms.w)} atoms for {best.mixed.sum()} measures: parameters are not identified"
    return Outcome(
        status="converged" if left <= settings.tolerance else "limit",
        theta=theta,
        relaxed=relaxed,
        nll=nll,
        lower_bound=max(bound, 0.0),
        message=words,
        n_eval=n_eval,
        t_solve=perf_counter() - begin,
    )


def warm_up() -> None:
    """Compiles the relaxations of the published families and of all other models."""
    atoms_warm_up()
    mixtures.warm_up()


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("log_linear",), threads=True, warm_up=warm_up)
