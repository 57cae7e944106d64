"""PSIS-LOO of sampled fits against the exact leave-one-trial-out density, by quadrature over both parameters."""

import numpy as np
import pytest
from scipy.special import logsumexp

import banditfit as bf
from banditfit.models import likelihood
from banditfit.models.families import get_model
from banditfit.numerics import log_policy
from test_compare import people


def sampled(seed):
    """A person, the bounds, and a fit by `mc`."""
    bandit = {"p_reward": (0.8, 0.3), "p_switch": 0.02, "beta": ((1, 2),)}
    data = bf.simulate("one", "forgetting", n_episodes=1, n_steps=60, seed=seed, **bandit)
    bounds = bf.Bounds((0.0, 1.0), ((0.0, 6.0),))
    return data, bounds, bf.fit(data, "forgetting", "mc", settings={"draws": 2000}, bounds=bounds)


def test_the_density_of_each_trial_is_that_of_quadrature():
    data, bounds, fits = sampled(1)
    (row,) = bf.loo(data, fits).itertuples()
    model = get_model("forgetting")
    problem = likelihood.problem(data, 0, model, bounds)
    scored = np.flatnonzero(problem.choices >= 0)
    grid = (np.arange(80) + 0.5) / 80  # the prior is uniform
    thetas = [(a, problem.upper[1] * b) for a in grid for b in grid]
    logs = np.array(
        [log_policy(problem.values_of(np.array(t))[scored])[np.arange(len(scored)), problem.choices[scored]] for t in thetas]
    )
    whole = logs.sum(axis=1)
    exact = sum(logsumexp(whole) - logsumexp(whole - logs[:, t]) for t in range(len(scored)))
    assert row.n_trials == len(scored) and row.pareto_k < 0.7 and 0 < row.p_loo < 4
    assert row.elpd_loo == pytest.approx(exact, abs=0.1)


def test_a_trial_that_decides_too_much_is_told():
    data, _, fits = sampled(3)
    with pytest.warns(UserWarning, match="shape parameter of Pareto distribution is greater than 0.70"):
        assert bf.loo(data, fits)["pareto_k"].item() > 0.7


def test_other_fits_are_refused():
    data = people(1)
    with pytest.raises(bf.InputError, match="loo: found fits of method 'profile', expected those of 'mc' alone"):
        bf.loo(data, bf.fit(data, "forgetting", "profile"))
