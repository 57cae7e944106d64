"""Recovery at a design of one's own: the design is kept, truths are found again, and every draw has its seed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.comparison.agents import Outcomes, _nearest
from banditfit.comparison.recovery import parameters_recovered
from test_compare import people

MODELS = ["rescorla_wagner", "choice_kernel"]


def own_design(n_episodes=6, n_steps=120):
    """States, forced choices and missed trials, and people who learn from rewards."""
    data = people(n_episodes, n_steps)
    rng = np.random.default_rng(9)
    states = np.repeat(rng.integers(2, size=(n_episodes, n_steps // 10)), 10, axis=1)
    return replace(data, states=states, forced=rng.random(data.choices.shape) < 0.1)


@pytest.fixture(scope="module")
def found():
    return bf.recover(own_design(), MODELS, n=2, seed=4)


def test_the_design_is_that_of_the_data(found, monkeypatch):
    from banditfit.comparison import recovery

    played = []
    whole = recovery.compare

    def kept(data, *arguments, **options):
        played.append(data)
        return whole(data, *arguments, **options)

    monkeypatch.setattr(recovery, "compare", kept)
    data = own_design(n_episodes=3)
    bf.recover(data, MODELS, n=1)
    assert len(played) == 3  # the data, and what the agents of each model made of them
    for other in played[1:]:
        for name in ("starts", "states", "forced", "n_steps", "ids", "episodes"):
            np.testing.assert_array_equal(getattr(other, name), getattr(data, name))
        kept = (data.choices < 0) | data.forced
        np.testing.assert_array_equal(other.choices[kept], data.choices[kept])
        assert (other.choices[~kept] != data.choices[~kept]).any() and (other.choices[~kept] >= 0).all()
        assert set(np.unique(other.rewards)) <= {0.0, 10.0} and other.reward_scale == data.reward_scale


def test_confusion_is_a_count_of_best_models(found):
    shares = {}
    for true in MODELS:
        part = found.people[found.people["true_model"] == true]
        wide = part.pivot(index=["repeat", "episode"], columns="model", values="bic")[MODELS]
        shares[true] = wide.idxmin(axis=1).value_counts(normalize=True).reindex(MODELS, fill_value=0)
        assert len(wide) == 12
    np.testing.assert_allclose(found.confusion.loc[MODELS, MODELS], pd.DataFrame(shares).T)
    np.testing.assert_allclose(found.confusion.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.inversion.sum(), 1.0)
    assert found.confusion.loc["rescorla_wagner", "rescorla_wagner"] > 0.6
    assert "Recovery at the design of 'people' (rewards: arms)" in repr(found)


def test_parameters_are_recovered_over_those_identified(found):
    part = found.estimates[(found.estimates["model"] == "rescorla_wagner") & (found.estimates["parameter"] == "alpha")]
    row = found.parameters.set_index(["model", "parameter"]).loc[("rescorla_wagner", "alpha")]
    known = part.dropna()
    assert row["n"] == len(known) > 5 and row["n"] + row["not_identified"] == 12
    assert row["bias"] == pytest.approx((known["estimate"] - known["true"]).mean())
    assert row["rmse"] == pytest.approx(np.sqrt(((known["estimate"] - known["true"]) ** 2).mean()))
    assert row["correlation"] == pytest.approx(known["true"].corr(known["estimate"]))
    nothing = parameters_recovered(part.assign(estimate=np.nan))
    assert nothing["n"].item() == 0 and nothing["not_identified"].item() == 12 and nothing["rmse"].isna().item()


def test_the_same_seed_makes_the_same_recovery_and_people_do_not_depend_on_one_another():
    data = own_design(n_episodes=3, n_steps=40)
    offered = np.random.default_rng(0).choice([0.0, 10.0], size=(3, 40, 2))
    one = bf.recover(data, MODELS, rewards=offered)
    other = bf.recover(data, MODELS, rewards=offered)
    pd.testing.assert_frame_equal(one.estimates, other.estimates)
    alone = bf.recover(data.select([2]), MODELS, rewards=offered[2:])
    pd.testing.assert_frame_equal(
        one.estimates[one.estimates["episode"] == 2].reset_index(drop=True), alone.estimates, check_exact=False, rtol=1e-6
    )
    assert bf.recover(data, MODELS, rewards=offered, seed=1).estimates["estimate"].ne(one.estimates["estimate"]).any()


def test_rewards_are_those_that_people_got_there():
    """Arm 0 pays 1 in the first half of a session and 3 in the second; arm 1 always 0, and its state 1 pays 7."""
    choices = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
    rewards = np.array([[1, 0, 3, 3], [0, 1, 0, 3], [7, 7, 7, 7.0]])
    states = np.array([[0] * 4, [0] * 4, [1] * 4])
    data = bf.Dataset("few", choices, rewards, 2, states=states)
    rng = np.random.default_rng(0)
    by_arm = np.stack([Outcomes(data, "arms").draw(0, 4, 2, rng) for _ in range(400)])
    assert set(np.unique(by_arm[:, :, 0])) == {1.0, 3.0} and (by_arm[:, :, 1] == 0).all()
    assert by_arm[:, :, 0].mean() == pytest.approx((1 + 3 + 3 + 1 + 3) / 5, abs=0.1)
    assert (Outcomes(data, "steps").draw(0, 4, 2, rng)[:, 0, 0] == [1, 1, 3, 3]).all()
    assert (Outcomes(data, "arms").draw(2, 4, 2, rng) == 7).all()
    low, high = _nearest(np.array([0, 2, 2, 5]), np.array([3, 9]))
    assert low.tolist() == [1, 3] and high.tolist() == [3, 4]


def test_what_a_recovery_refuses():
    data = bf.Dataset("one arm", np.zeros((2, 9)), np.ones((2, 9)), 2)
    with pytest.raises(
        bf.InputError, match="nobody chose arm 1, so what it would have brought is not known; expected an array"
    ):
        bf.recover(data, MODELS)
    with pytest.raises(bf.InputError, match="argument rewards: found the shape \\(2, 9\\), expected \\(2, 9, 2\\)"):
        bf.recover(data, MODELS, rewards=np.ones((2, 9)))
    with pytest.raises(bf.InputError, match="argument rewards: found 'pooled'"):
        bf.recover(data, MODELS, rewards="pooled")


def test_foregone_outcomes_are_those_of_the_game(monkeypatch):
    from banditfit.comparison import recovery

    played = []
    whole = recovery.compare
    monkeypatch.setattr(recovery, "compare", lambda data, *rest, **how: played.append(data) or whole(data, *rest, **how))
    data = people(2, 40)
    shown = np.random.default_rng(2).random(data.choices.shape) < 0.5
    offered = np.random.default_rng(3).choice([0.0, 10.0], size=(*data.choices.shape, 2))
    data = replace(data, foregone=np.where(shown, 0.0, np.nan))
    bf.recover(data, ["rescorla_wagner", "rescorla_wagner + fictive"], rewards=offered)
    for game in played[1:]:
        other = np.take_along_axis(offered, 1 - np.maximum(game.choices, 0)[..., None], axis=2)[..., 0]
        seen = shown & (game.choices >= 0)
        np.testing.assert_array_equal(game.foregone[seen], other[seen])
        assert np.isnan(game.foregone[~shown]).all()
