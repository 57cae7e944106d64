"""GEM: generalized EM with individual rates and sensitivities, h_j ~ N(mu, Sigma) on a link scale; see
`solvers.em`. With more than four parameters people and population are drawn together: `solvers.sampling`.

With the default links the bounds of the fit are part of the population (uniform parameters are its standard normal), as they
are of every other method here; `links` "logit" is told of none, so its estimates may lie outside them.
"""

from functools import partial

import numpy as np

from ..models.likelihood import Problem
from ..solvers import em
from ..solvers.population import Settings
from . import Method, Outcome


def fit(problems: list[Problem], settings: Settings, rng: np.random.Generator, given: list[None]) -> list[Outcome]:
    """Posterior medians and 95 % intervals of all participants."""
    return em.fit(problems, settings, rng, shared=False)


METHOD = Method(fit=fit, settings=Settings, population=True, warm_up=partial(em.warm_up, shared=False))
