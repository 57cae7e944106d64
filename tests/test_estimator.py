"""The estimator in the manner of scikit-learn: what clone, searches and pipelines ask of it, and its numbers."""

import copy

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.models import likelihood
from banditfit.models.families import get_model
from test_compare import people


def table_of(data):
    """A data set as a table, one row per trial."""
    real = np.arange(data.choices.shape[1]) < data.n_steps[:, None]
    made = data.choices[real] >= 0
    columns = {
        "episode": np.repeat(data.ids, data.n_steps),
        "session": np.cumsum(data.starts, axis=1)[real],
        "choice": np.where(made, data.choices[real], np.nan),
        "reward": np.where(made, data.rewards[real], np.nan),
    }
    return pd.DataFrame(columns)


def test_settings_go_in_and_out_as_clone_asks():
    """scikit-learn's clone: the same class from get_params, whose values are the very objects, and no fit comes along."""
    given = {"model": "dual_rates", "settings": {"starts": 3}, "bounds": {"beta": (0, 2)}}
    learner = bf.ChoiceModel(**given)
    assert {name: learner.get_params()[name] for name in given} == given
    assert all(learner.get_params()[name] is given[name] for name in given)
    learner.fit(table_of(people(2)))
    other = type(learner)(**copy.deepcopy(learner.get_params(deep=False)))
    assert other.get_params() == learner.get_params() and not hasattr(other, "fits_")
    assert not hasattr(learner.__sklearn_clone__(), "fits_")
    assert other.set_params(model="forgetting", seed=3) is other and other.model == "forgetting" and other.seed == 3
    assert repr(bf.ChoiceModel("forgetting", seed=2)) == "ChoiceModel(model='forgetting', seed=2)"
    with pytest.raises(bf.InputError, match="set_params: found 'alpha', expected some of model, method"):
        other.set_params(alpha=1)


def test_fit_is_that_of_the_library_and_leaves_settings_alone():
    data = people(3)
    before = bf.ChoiceModel("rw_bias").get_params()
    learner = bf.ChoiceModel("rw_bias")
    assert learner.fit(table_of(data)) is learner and learner.get_params() == before
    fits = bf.fit(data, "rw_bias", "profile")
    np.testing.assert_allclose(learner.fits_["nll"], fits["nll"])
    assert learner.parameters_["parameter"].tolist()[:3] == ["alpha", "beta", "bias[1]"]
    assert learner.classes_.tolist() == [0, 1] and learner.n_features_in_ == 4


def test_probabilities_and_scores_are_those_of_the_likelihood():
    data = people(3)
    table = table_of(data)
    learner = bf.ChoiceModel("forgetting").fit(table)
    p = learner.predict_proba(table)
    assert p.shape == (len(table), 2)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    made = table["choice"].notna().to_numpy()
    own = np.log(p[made, table["choice"][made].astype(int)])
    assert -own.sum() == pytest.approx(learner.fits_["nll"].sum(), rel=1e-9)
    assert learner.score(table) == pytest.approx(own.mean())
    assert (learner.predict(table) == p.argmax(axis=1)).all()
    without = table.drop(columns="choice")
    assert bf.ChoiceModel("forgetting").fit(without, table["choice"]).score(without, table["choice"]) == learner.score(table)
    shuffled = table.iloc[np.argsort(np.resize([2, 1, 0], 3).repeat(50), kind="stable")]
    assert learner.score(shuffled) == pytest.approx(learner.score(table))
    np.testing.assert_allclose(learner.predict_proba(shuffled)[:50], p[100:])
    assert learner.score(data) == pytest.approx(learner.score(table))


def test_shared_parameters_predict_people_who_were_not_fitted():
    data = people(4)
    learner = bf.ChoiceModel("forgetting", shared=True).fit(data.select([0, 1, 2]))
    assert len(learner.fits_) == 1
    theta = np.concatenate([np.ravel(learner.fits_[name].item()) for name in ("alpha", "beta")])
    model = get_model("forgetting")
    of = lambda row: likelihood.problem(data, row, model, data.bounds_of(model)).nll_theta(theta)  # noqa: E731
    assert sum(map(of, range(3))) == pytest.approx(learner.fits_["nll"].item(), rel=1e-9)
    assert learner.score(data.select([3])) == pytest.approx(-of(3) / data.scored[3].sum())


def test_a_search_over_models_by_hand():
    """What GridSearchCV does with groups: fit on some people, score others, keep the best setting."""
    data = people(4, n_steps=100)
    scores = {}
    for name in ("forgetting", "perseveration"):
        folds = []
        for held in range(2):
            learner = bf.ChoiceModel(shared=True).set_params(model=name)
            folds.append(learner.fit(data.select([k for k in range(4) if k % 2 != held])).score(data.select([held, held + 2])))
        scores[name] = np.mean(folds)
    assert scores["forgetting"] > max(scores["perseveration"], -np.log(2))


def test_what_an_estimator_refuses():
    table = table_of(people(2))
    with pytest.raises(bf.InputError, match="ChoiceModel\\(\\): found no fit, expected a call of fit before"):
        bf.ChoiceModel().predict_proba(table)
    with pytest.raises(bf.InputError, match="y: found None, expected 3 choices, as X has rows"):
        bf.ChoiceModel().fit(np.zeros((3, 2)))
    with pytest.raises(bf.InputError, match="y: found 2 choices, expected 100"):
        bf.ChoiceModel().fit(table, [0, 1])
    with pytest.raises(bf.InputError, match="found 'nothing', expected one of"):
        bf.ChoiceModel("nothing").fit(table)
    learner = bf.ChoiceModel("forgetting").fit(table)
    with pytest.raises(bf.InputError, match="found episode 'P2', which was not fitted \\(1 such\\)"):
        learner.score(table_of(people(3)))


def test_outcomes_of_both_arms_are_full_feedback():
    rng = np.random.default_rng(2)
    X, y = rng.integers(2, size=(60, 2)).astype(float), rng.integers(2, size=60)
    y[5], X[7, 1 - y[7]] = -1, np.nan
    learner = bf.ChoiceModel("rescorla_wagner + fictive", method="d_loc").fit(X, y)
    foregone = np.where(y == 0, X[:, 1], X[:, 0])
    foregone[5] = np.nan
    rewards = np.where(y < 0, 0.0, X[np.arange(60), y])
    data = bf.Dataset("one person", [y], [rewards], 2, foregone=[foregone])
    again = bf.ChoiceModel("rescorla_wagner + fictive", method="d_loc").fit(data)
    assert learner.score(X, y) == pytest.approx(again.score(data)) and learner.predict_proba(X, y).shape == (60, 2)


@pytest.mark.parametrize(
    ("n_arms", "X", "y", "words"),
    [
        (2, np.ones((3, 3)), [0, 1, 0], "X: found the shape (3, 3), expected numbers (trials, 2), one per arm"),
        (2, np.ones((3, 2)), [0, 1], "y: found 2 choices, expected 3 choices, as X has rows"),
        (2, np.ones((3, 2)), None, "y: found None, expected 3 choices"),
        (2, np.ones((3, 2)), [0, 1, 2], "y: found 2 in row 2, expected an arm from 0 to 1, -1 or NaN"),
        (2, np.array([[1.0, np.nan]]), [1], "X: found no number of the arm chosen in row 0, expected what it brought"),
        (3, np.ones((1, 3)), [1], "X: found outcomes of arms that were not chosen, expected NaN there, or two arms"),
    ],
)
def test_outcomes_that_are_refused(n_arms, X, y, words):
    with pytest.raises(bf.InputError) as error:
        bf.ChoiceModel(n_arms=n_arms).fit(X, y)
    assert words in str(error.value)
