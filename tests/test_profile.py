"""The profile likelihood: its scan against brute force, its ends against certified optima and many local searches."""

from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.models import likelihood
from banditfit.solvers import profiles
from banditfit.solvers.columns import Box, episode
from banditfit.solvers.scan import rates, scan, valleys
from conftest import make


def problem_of(data, row):
    model = bf.get_model(data.model)
    return likelihood.problem(data, row, model, data.bounds_of(model))


def test_a_scan_is_the_least_nll_over_the_sensitivity(small):
    problem = problem_of(small, 1)
    ep = episode(problem)
    box = Box.of(problem, ep)
    rng = np.random.default_rng(0)
    alpha, beta = rng.uniform(box.a_low, box.a_high), rng.uniform(box.mass_low, box.mass_high)
    for block in range(ep.blocks):
        along = rates(box.a_low[block], box.a_high[block], 5)
        nll, best, _ = scan(ep, alpha, beta, block, along, box.mass_low, box.mass_high)

        def value(rate, b, block=block):
            there = np.concatenate([alpha, beta])
            there[block], there[ep.blocks + block] = rate, b
            return problem.nll_theta(there)

        exact = np.array([value(rate, b) for rate, b in zip(along, best, strict=True)])
        np.testing.assert_allclose(nll - nll[0], exact - exact[0], atol=1e-9)  # the same but for a constant
        brute = [min(value(rate, b) for b in np.linspace(box.mass_low[block], box.mass_high[block], 200)) for rate in along]
        assert (exact <= np.array(brute) + 1e-8).all()


def test_valleys_of_a_profile_are_its_local_minima_deepest_first():
    assert valleys(np.array([1.0, 2.0, 0.5, 0.5, 3.0, 0.7])).tolist() == [3, 5, 0]
    assert valleys(np.zeros(4)).tolist() == [3]  # a plateau is one valley
    assert valleys(np.array([2.0, 1.0])).tolist() == [1]


@pytest.mark.parametrize("bandit", ["2arm", "10arm"])
def test_with_one_rate_the_profile_is_never_above_a_certified_optimum(bandit):
    data = bf.published_data("forgetting", bandit).select(range(40))
    profile, certified = (bf.fit(data, "forgetting", name) for name in ("profile", "certified"))
    assert (profile["status"] == "converged").all()
    assert (profile["nll"] <= certified["nll"] + 1e-6).all()


@pytest.mark.parametrize("factor", [1e3, 1e4])
def test_choices_that_a_box_makes_nearly_certain_have_a_best_point_within_it(factor):
    data = bf.published_data("forgetting", "10arm").select([*range(20), 873])
    scaled = replace(data, rewards=factor * data.rewards, truth=None, reward_scale=None)
    profile, certified = (bf.fit(scaled, "forgetting", name, bounds=data.bounds) for name in ("profile", "certified"))
    scores = bf.score(scaled, profile)
    assert scores["admissible"].all() and np.isfinite(scores["nll"]).all() and (scores["claim_held"] == True).all()  # noqa: E712
    assert scores["status"].isin(["converged", "limit"]).all()
    assert (profile["nll"] >= certified["lower_bound"] - 1e-6).all()
    assert ((profile["nll"] <= certified["nll"] + 1e-6) | (profile["status"] == "limit")).all()


@pytest.mark.parametrize("model", ["rescorla_wagner", "dual_rates", "rescorla_wagner + choice_kernel"])
def test_no_valley_between_the_points_of_a_grid_is_missed(model, monkeypatch):
    """Also where the grid is too coarse to see any but one of them."""
    data = bf.published_data("forgetting", "2arm").select(range(3))
    certified = bf.fit(data, model, "certified")
    monkeypatch.setattr(profiles, "_BOUNDED", 3)
    coarse = bf.fit(data, model, "profile", settings={"grid": 3})
    assert (coarse["nll"] <= certified["nll"] + 1e-6).all() and (coarse["nll"] - coarse["lower_bound"] <= 1.1e-6).all()
    assert (coarse["lower_bound"] <= certified["nll"] + 1e-9).all()
    assert coarse["message"].str.contains("no parameters are lower by more than").all()


def test_what_boxes_do_not_rule_out_is_said_and_without_them_there_is_no_bound():
    data = bf.published_data("forgetting", "2arm").select(range(2))
    few, none = (bf.fit(data, "rescorla_wagner + choice_kernel", "profile", settings={"boxes": n}) for n in (3, 0))
    assert (few["nll"] - few["lower_bound"] > 1e-5).all() and (few["lower_bound"] >= 0.0).all()
    assert none["lower_bound"].isna().all() and (none["message"] == "a valley of the profile").all()


def test_more_rates_are_fitted_at_least_as_well_as_from_twenty_starts():
    data = bf.published_data("per_arm", "2arm").select(range(15))
    profile = bf.fit(data, "per_arm", "profile")
    local = bf.fit(data, "per_arm", "d_loc", settings={"starts": 20})
    assert (profile["nll"] <= local["nll"] + 1e-6).all()


def test_sweeps_escape_the_minima_in_which_random_starts_end():
    data = bf.published_data("subrewards", "2arm").select(range(15))
    with_sweeps, without = (bf.fit(data, "subrewards", "profile", settings={"starts": 1, "sweeps": n})["nll"] for n in (5, 0))
    assert (with_sweeps <= without + 1e-9).all() and (with_sweeps < without - 1e-3).any()


def test_missed_trials_sessions_and_a_box_without_width_are_met():
    data = make("per_arm", n_episodes=1)
    choices, starts = data.choices.copy(), data.starts.copy()
    choices[0, 5:8], starts[0, 15] = -1, True
    gappy = bf.Dataset("gappy", choices, np.where(choices < 0, 0.0, data.rewards), n_arms=3, starts=starts)
    fits = bf.fit(gappy, "per_arm", "profile", bounds=bf.Bounds((0.2, 0.2), ((1.0, 1.0),)))
    assert np.allclose(fits["alpha"][0], 0.2) and np.allclose(fits["beta"][0], 1.0)
    free = bf.fit(gappy, "per_arm", "profile")
    assert free["nll"][0] <= bf.fit(gappy, "per_arm", "certified")["nll"][0] + 1e-6


@pytest.mark.parametrize(
    ("settings", "words"), [({"grid": 2}, "grid is 2"), ({"starts": 0}, "starts is 0"), ({"boxes": -1}, "boxes is -1")]
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(bf.InputError, match=words):
        bf.fit(make("forgetting"), "forgetting", "profile", settings=settings)
