"""Profile sets: against a grid over all parameters, and on a ridge."""

import numpy as np
import pytest

import banditfit as bf
from banditfit.models import likelihood


def learner(alpha: float, beta: float, n_steps: int, seed: int) -> bf.Dataset:
    """One Rescorla-Wagner learner on two arms."""
    rng = np.random.default_rng(seed)
    value, choices, rewards = np.zeros(2), [], []
    for t in range(n_steps):
        p = 1 / (1 + np.exp(-beta * (value[1] - value[0])))
        arm = int(rng.uniform() < p)
        reward = float(rng.uniform() < (0.8 if (arm == 0) == (t // 40 % 2 == 0) else 0.2))
        value[arm] += alpha * (reward - value[arm])
        choices.append(arm)
        rewards.append(reward)
    return bf.Dataset("learner", np.array([choices]), np.array([rewards]), n_arms=2)


def test_sets_are_those_of_a_grid():
    data = learner(0.4, 3.0, 150, 0)
    fits = bf.fit(data, "rescorla_wagner", "certified")
    sets = bf.profile_sets(data, fits).set_index("parameter")
    model = bf.get_model("rescorla_wagner")
    problem = likelihood.problem(data, 0, model, data.bounds_of(model, None))
    alphas, betas = np.linspace(0, 1, 201), np.linspace(0, 20, 401)
    inside = np.array([[problem.nll_theta(np.array([a, b])) for b in betas] for a in alphas]) <= fits["nll"][0] + 1.92
    for name, axis, kept in (("alpha", alphas, inside.any(axis=1)), ("beta", betas, inside.any(axis=0))):
        step, row = axis[1], sets.loc[name]
        assert row["lower"] <= row["estimate"] <= row["upper"]
        assert axis[kept].min() - step <= row["lower"] <= axis[kept].min() + 1e-6
        assert axis[kept].max() - 1e-6 <= row["upper"] <= axis[kept].max() + step
    wider = bf.profile_sets(data, fits, drop=4.0).set_index("parameter")
    assert (wider["lower"] <= sets["lower"]).all() and (wider["upper"] >= sets["upper"]).all()


def test_slow_learning_is_a_ridge():
    data = learner(0.01, 20.0, 100, 1)
    fits = bf.fit(data, "rescorla_wagner", "certified")
    beta = bf.profile_sets(data, fits).set_index("parameter").loc["beta"]
    assert beta["at_upper"] and (beta["ridge"] or beta["estimate"] == beta["upper"])


def test_what_the_choices_do_not_tell_has_its_bounds_as_a_set():
    data = bf.Dataset("gains", np.array([[0, 1, 0, 0, 1, 0]]), np.ones((1, 6)), 2)
    sets = bf.profile_sets(data, bf.fit(data, "dual_rates", "certified")).set_index("parameter")
    assert np.isnan(sets.loc["alpha_neg", "estimate"])
    assert sets.loc["alpha_neg", ["lower", "upper"]].tolist() == [0.0, 1.0]


def test_fits_of_other_data_are_refused():
    data = learner(0.4, 3.0, 30, 0)
    fits = bf.fit(data, "rescorla_wagner", "profile")
    with pytest.raises(bf.InputError, match="found data set 'other', expected 'learner'"):
        bf.profile_sets(data, fits.assign(dataset="other"))
