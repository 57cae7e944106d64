"""GEM with the rates alpha shared by all participants and individual sensitivities beta_j: the psychometric reinforcement-
learning measurement model (Xu & Ji, arXiv 2605.09305), where a temperature is all that tells participants apart.
"""

from functools import partial

import numpy as np

from ..models.likelihood import Problem
from ..solvers import em
from ..solvers.population import Settings
from . import Method, Outcome


def fit(problems: list[Problem], settings: Settings, rng: np.random.Generator, given: list[None]) -> list[Outcome]:
    """The common rates, and posterior medians and 95 % intervals of every participant's sensitivities."""
    return em.fit(problems, settings, rng, shared=True)


METHOD = Method(fit=fit, settings=Settings, requires=("kernels",), population=True, warm_up=partial(em.warm_up, shared=True))
