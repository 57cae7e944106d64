"""CVX-LOC-T (as published): for `forgetting`, the published code scores the policy of the kernel cut off after its terms.

Its figures of KL come out of that alone; those of the parameters are CVX-LOC-T's. Only to reproduce them.
"""

import numpy as np

from ..models.likelihood import Problem
from . import Method, Outcome, cvx_loc_t


def fit(problem: Problem, settings: cvx_loc_t.Settings, rng: np.random.Generator, given: Outcome) -> Outcome:
    """The kernels a b (1 - a)^j, j < terms, of CVX-LOC-T's parameters, which belong to no admissible ones."""
    outcome = cvx_loc_t.fit(problem, settings, rng, given)
    if outcome.alpha is None:
        return outcome
    a, b, j = outcome.alpha[..., None], outcome.beta[..., None], np.arange(problem.n_steps)
    outcome.kernels = np.where(j < settings.terms, a * b * (1.0 - a) ** j, 0.0)
    outcome.alpha = outcome.beta = None
    outcome.message = "; ".join(filter(None, (outcome.message, "alpha and beta are not identified: the kernel is cut off")))
    outcome.nll = problem.nll_of_values(problem.kernel_values(outcome.kernels))
    return outcome


METHOD = Method(fit=fit, settings=cvx_loc_t.Settings, all_arms=True, needs="cvx_t", requires=("one_kernel",))
