"""The estimator of scikit-learn: what its checks, clone and searches ask, and its numbers."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

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


# What scikit-learn checks of every classifier and is not asked of this one.
ROWS = "rows are trials in their order: what a row predicts depends on those before it"
WIDTH = "an array has one column for each arm, not features in any number"
LABELS = "choices are arms from 0 on, not labels of any kind"
NOT_ASKED = {
    "check_classifier_data_not_an_array": "X is a table, a data set, an array or a list",
    "check_classifiers_classes": LABELS,
    "check_classifiers_one_label": WIDTH,
    "check_classifiers_train": WIDTH,
    "check_dict_unchanged": WIDTH,
    "check_dont_overwrite_parameters": WIDTH,
    "check_estimators_dtypes": WIDTH,
    "check_estimators_fit_returns_self": LABELS,
    "check_estimators_overwrite_params": LABELS,
    "check_estimators_pickle": WIDTH,
    "check_f_contiguous_array_estimator": WIDTH,
    "check_fit2d_1feature": WIDTH,
    "check_fit2d_1sample": WIDTH,
    "check_fit_idempotent": WIDTH,
    "check_fit_score_takes_y": WIDTH,
    "check_methods_sample_order_invariance": ROWS,
    "check_methods_subset_invariance": ROWS,
    "check_pipeline_consistency": WIDTH,
    "check_positive_only_tag_during_fit": WIDTH,
    "check_readonly_memmap_input": LABELS,
}


def test_scikit_learns_own_checks():
    """Those that can be asked of trials in their order pass: settings, clone, tags, an estimator that was not fitted, ..."""
    results = check_estimator(bf.ChoiceModel("forgetting"), on_fail=None, on_skip=None)
    failed = {result["check_name"] for result in results if result["status"] == "failed"}
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    assert failed <= set(NOT_ASKED), {
        r["check_name"]: r["exception"] for r in results if r["check_name"] in failed - set(NOT_ASKED)
    }
    assert {"check_estimator_cloneable", "check_estimators_unfitted", "check_n_features_in_after_fitting"} <= passed


def test_what_those_checks_ask_of_features_holds_for_tables():
    """Fitting changes neither settings nor X, returns the estimator, twice gives the same, and a pickle predicts the same."""
    table = table_of(people(2))
    before, learner = table.copy(), bf.ChoiceModel("dual_rates", settings={"starts": 3})
    settings = dict(learner.get_params())
    assert learner.fit(table) is learner and learner.get_params() == settings
    pd.testing.assert_frame_equal(table, before)
    first = learner.predict_proba(table)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(learner)).predict_proba(table), first)
    np.testing.assert_array_equal(clone(learner).fit(table).predict_proba(table), first)
    assert not hasattr(clone(learner), "fits_")
    with pytest.raises(NotFittedError, match="ChoiceModel instance is not fitted yet"):
        clone(learner).predict(table)


def test_searches_choose_among_models():
    """GridSearchCV over models and cross_val_score, with people kept whole."""
    table = table_of(people(6))
    learner = bf.ChoiceModel("rescorla_wagner", shared=True)
    search = GridSearchCV(learner, {"model": ["rescorla_wagner", "choice_kernel"]}, cv=GroupKFold(3))
    search.fit(table, table["choice"], groups=table["episode"])
    by_hand = cross_val_score(learner, table, table["choice"], groups=table["episode"], cv=GroupKFold(3))
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(by_hand.mean(), abs=1e-12)
    assert search.best_estimator_.model == search.best_params_["model"]


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
