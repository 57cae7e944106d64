"""Profile sets: against a grid over all parameters, and on a ridge."""

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.experiments import sets
from banditfit.figures import FIGURES, Nothing
from banditfit.models import likelihood
from banditfit.study.cases import cases_of
from banditfit.study.catalogue import Entry
from banditfit.study.config import load_study, read_study
from banditfit.study.results import Results
from project import ROOT


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
    found = bf.profile_sets(data, fits).set_index("parameter")
    model = bf.get_model("rescorla_wagner")
    problem = likelihood.problem(data, 0, model, data.bounds_of(model, None))
    alphas, betas = np.linspace(0, 1, 201), np.linspace(0, 20, 401)
    inside = np.array([[problem.nll_theta(np.array([a, b])) for b in betas] for a in alphas]) <= fits["nll"][0] + 1.92
    for name, axis, kept in (("alpha", alphas, inside.any(axis=1)), ("beta", betas, inside.any(axis=0))):
        step, row = axis[1], found.loc[name]
        assert row["lower"] <= row["estimate"] <= row["upper"]
        assert axis[kept].min() - step <= row["lower"] <= axis[kept].min() + 1e-6
        assert axis[kept].max() - 1e-6 <= row["upper"] <= axis[kept].max() + step
    wider = bf.profile_sets(data, fits, drop=4.0).set_index("parameter")
    assert (wider["lower"] <= found["lower"]).all() and (wider["upper"] >= found["upper"]).all()


def test_slow_learning_is_a_ridge():
    data = learner(0.01, 20.0, 100, 1)
    fits = bf.fit(data, "rescorla_wagner", "certified")
    beta = bf.profile_sets(data, fits).set_index("parameter").loc["beta"]
    assert beta["at_upper"] and (beta["ridge"] or beta["estimate"] == beta["upper"])


def test_what_the_choices_do_not_tell_has_its_bounds_as_a_set():
    data = bf.Dataset("gains", np.array([[0, 1, 0, 0, 1, 0]]), np.ones((1, 6)), 2)
    found = bf.profile_sets(data, bf.fit(data, "dual_rates", "certified")).set_index("parameter")
    assert np.isnan(found.loc["alpha_neg", "estimate"])
    assert found.loc["alpha_neg", ["lower", "upper"]].tolist() == [0.0, 1.0]


def test_fits_of_other_data_are_refused():
    data = learner(0.4, 3.0, 30, 0)
    fits = bf.fit(data, "rescorla_wagner", "profile")
    with pytest.raises(bf.InputError, match="found data set 'other', expected 'learner'"):
        bf.profile_sets(data, fits.assign(dataset="other"))


def test_sets_of_people_are_drawn_for_the_best_model():
    """As a study finds them: so many people, by each model; the panel's lines are those of the table."""
    data = learner(0.01, 20.0, 100, 1)
    data = bf.Dataset("two", np.vstack([data.choices] * 2), np.vstack([data.rewards] * 2), 2)
    methods = {model: ("profile", {}) for model in ("rescorla_wagner", "choice_kernel")}
    (table,) = sets.EXPERIMENT.run(data=data, methods=methods, people=1)
    assert set(table["episode"]) == {0} and set(table["model"]) == set(methods)
    assert table[table["at_upper"]]["parameter"].tolist() == ["beta", "beta_choice"]
    entry = Entry("two", "two", None, None, "two.csv", 2, 2, None)
    cases = cases_of({"two": entry}, list(methods))
    ranked = pd.DataFrame({"dataset": "two", "model": ["rescorla_wagner", "choice_kernel"]})
    empty = pd.DataFrame({"nll": []})
    drawn = lambda tables: FIGURES["profile_sets"].draw(Results(empty, tables, empty, [], cases, {}, {}))  # noqa: E731
    figure = drawn({"profile_sets": table, "models": ranked})
    named = [ax.get_xlabel() for ax in figure.axes if ax.get_xlabel()]
    assert named == ["α", "β"] and figure.subfigs[0]._suptitle.get_text() == "two: Rescorla-Wagner"
    assert isinstance(drawn({}), Nothing)


def test_a_study_finds_sets_with_what_serves_the_models():
    study = load_study(ROOT / "config/test.yaml", ROOT)
    assert sets.EXPERIMENT.parts(study) == ["tiny_2arm"]
    asked = sets.EXPERIMENT.arguments(study, "tiny_2arm")
    assert asked["people"] == 2 and asked["methods"]["forgetting"][0] == "d_loc"
    config = study.config | {"sets": study.config["sets"] | {"run": "mcc"}}
    with pytest.raises(bf.InputError, match="sets has run 'mcc', expected one of"):
        read_study(config, ROOT, "test")
