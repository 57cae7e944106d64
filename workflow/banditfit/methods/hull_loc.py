"""An admissible fit from the hull relaxation: its measures drawn together to one atom each, then local minimisation of J.

It inherits the relaxation's lower bound, so each fit says how far from the global optimum it can be at most.
"""

from time import perf_counter

import numpy as np

from ..models.likelihood import Problem
from ..solvers.atoms import local_fits
from ..solvers.descent import descend
from ..solvers.mixtures import relaxed_by_sign
from . import Method, Outcome, Starts
from .hull import Settings, relaxed, warm_up

# Nats that the last step of Newton's method may still promise where it has arrived.
_LEFT = 1e-7


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best local minimum from four readings of the relaxed optimum (see `readings`)."""
    if not problem.model.kernels:
        return _composed(problem, settings)
    begin = perf_counter()
    found = relaxed(problem, settings)
    alphas, betas, values, counts, left = local_fits(found.ep, *found.box, found.block, found.a, found.w, settings.max_rounds)
    alphas, betas = (each.reshape(-1, *problem.shape) for each in (alphas, betas / found.ep.scale))
    bound = max(found.bound, 0.0)
    best = int(np.argmin(values))
    gap = max(values[best] - bound, 0.0)
    return Outcome(
        status="converged" if left[best] <= settings.tolerance else "limit",
        alpha=alphas[best],
        beta=betas[best],
        nll=values[best],
        lower_bound=bound,
        message=f"{'certified: ' if gap <= settings.tolerance else ''}within {gap:.1e} nats of the global optimum",
        n_eval=found.n_eval + int(counts.sum()),
        t_setup=found.t_setup,
        t_solve=perf_counter() - begin - found.t_setup,
        starts=Starts(
            nll=values.tolist(),
            alpha=list(alphas),
            beta=list(betas),
            n_eval=counts.tolist(),
            message=["means of the measures", "heaviest atoms", "largest atoms", "best atoms in turn"],
        ),
    )


def _composed(problem: Problem, settings: Settings) -> Outcome:
    """The same of any other model that is linear in its weights, from the best readings of its measures."""
    begin = perf_counter()
    best, bound, _, n_eval = relaxed_by_sign(problem, settings.tolerance, settings.max_rounds)
    thetas, ends = best.readings(), []
    for theta in thetas:
        ends.append(descend(problem.episode, theta, problem.lower, problem.upper))
    values, counts, left = map(list, zip(*ends, strict=True))
    place, bound = int(np.argmin(values)), max(bound, 0.0)
    gap = max(values[place] - bound, 0.0)
    return Outcome(
        status="converged" if left[place] <= _LEFT else "limit",
        theta=thetas[place],
        nll=values[place],
        lower_bound=bound,
        message=f"{'certified: ' if gap <= settings.tolerance else ''}within {gap:.1e} nats of the global optimum",
        n_eval=n_eval + sum(counts),
        t_solve=perf_counter() - begin,
        starts=Starts(nll=values, theta=thetas, n_eval=counts, message=["a reading of the measures"] * len(values)),
    )


METHOD = Method(fit=fit, settings=Settings, all_arms=True, requires=("log_linear",), threads=True, warm_up=warm_up)
