"""D-LOC (as published): D-LOC on the likelihood of the published code, which is one step late; only to reproduce it.

The judge scores its parameters with the aligned likelihood, as the published study did.
"""

from ..likelihood import Problem
from . import Method, Outcome, d_loc


def fit(problem: Problem, settings: d_loc.Settings, rng, given: None) -> Outcome:
    """D-LOC of the lagged problem; its claimed nll is that of the aligned one, at the same parameters."""
    outcome = d_loc.fit(problem.lagged(), settings, rng, given)
    outcome.nll = problem.nll(outcome.alpha, outcome.beta)
    return outcome


METHOD = Method(fit=fit, settings=d_loc.Settings)
