"""Comparisons of models: every criterion by its formula, held-out trials by a fit of one's own, and what is said of whom."""

from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.comparison.folds import folds_of
from banditfit.models import likelihood
from banditfit.models.families import get_model

MODELS = ["rescorla_wagner", "forgetting + bias", "rw_lapse"]


def people(n_episodes=5, n_steps=50, seed=1):
    """Two sessions, missed trials, and rewards in points."""
    recipe = {"p_reward": (0.8, 0.3), "p_switch": 0.02, "beta": ((2, 8),)}
    data = bf.simulate("people", "forgetting", n_episodes=n_episodes, n_steps=n_steps, seed=seed, **recipe)
    rng = np.random.default_rng(seed)
    starts = np.zeros(data.choices.shape, dtype=bool)
    starts[:, n_steps // 2] = True
    choices = np.where(rng.random(data.choices.shape) < 0.1, -1, data.choices)
    ids = [f"P{k}" for k in range(n_episodes)]
    return bf.Dataset("people", choices, 10 * data.rewards, 2, starts=starts, ids=ids)


@pytest.fixture(scope="module")
def found():
    return bf.compare(people(), MODELS, held_out="sessions", seed=3)


def test_every_criterion_is_its_formula(found):
    data, table = people(), found.people
    assert len(table) == 15 and found.data == "people"
    for row in table.itertuples():
        place = int(np.flatnonzero(data.ids == row.id)[0])
        n = int((data.choices[place] >= 0).sum())
        k = {"rescorla_wagner": 2, "forgetting + bias": 3, "rw_lapse": 3}[row.model]
        fit = found.fits[(found.fits["model"] == row.model) & (found.fits["id"] == row.id)].iloc[0]
        model = get_model(row.model)
        problem = likelihood.problem(data, place, model, data.bounds_of(model))
        theta = np.concatenate([np.ravel(part) for part in fit["parameters"].values()])
        assert row.n_trials == n and row.n_parameters == k
        assert row.nll == pytest.approx(problem.nll_theta(theta), rel=1e-9)
        assert row.aic == pytest.approx(2 * row.nll + 2 * k)
        assert row.aicc == pytest.approx(row.aic + 2 * k * (k + 1) / (n - k - 1))
        assert row.bic == pytest.approx(2 * row.nll + k * np.log(n))
        assert row.lpt == pytest.approx(np.exp(-row.nll / n))
        assert row.guessing == pytest.approx(n * np.log(2))
    np.testing.assert_allclose(table["delta"], table["bic"] - table.groupby("id")["bic"].transform("min"))


def test_sums_and_selection_are_those_of_the_people(found):
    sums = found.people.groupby("model")[["nll", "aic", "bic", "held_out_nll"]].sum()
    models = found.models.set_index("model")
    for name in sums:
        np.testing.assert_allclose(models[name], sums.loc[models.index, name])
    assert found.best == models.index[0] == sums["bic"].idxmin() and models["delta"].iloc[0] == 0
    assert models["best_for"].sum() == 5
    wide = found.people.pivot(index="id", columns="model", values="bic")
    selection = bf.select_models(-wide / 2)
    np.testing.assert_allclose(selection.table.set_index("model")["protected"][models.index], models["protected"])
    by_aic = bf.compare(people(), MODELS[:2], criterion="aic")
    selection = bf.select_models(-by_aic.people.pivot(index="id", columns="model", values="aic")[MODELS[:2]] / 2)
    np.testing.assert_allclose(by_aic.selection.alpha, selection.alpha)


def test_a_model_that_the_method_does_not_serve_is_fitted_by_another_and_named(found):
    assert set(found.models["method"]) == {"profile"} and found.notes == ()
    assert "3 models of 'people', 5 people, by bic" in repr(found)
    found = bf.compare(people(), ["rescorla_wagner", "rw_lapse"], "hull")
    assert dict(zip(found.models["model"], found.models["method"], strict=True)) == {
        "rescorla_wagner": "hull",
        "rw_lapse": "d_loc",
    }
    (note,) = found.notes
    assert note.startswith("'rw_lapse' was fitted by 'd_loc': method 'hull' needs") and note in repr(found)


def test_held_out_sessions_are_predicted_by_fits_of_the_others(found):
    """The other session alone, as a data set of its own: traces are reset, so nothing else differs."""
    data = people()
    model = get_model("rescorla_wagner")
    total = 0.0
    for held in (0, 1):
        parts = [slice(0, 25), slice(25, 50)]
        train, test = (
            bf.Dataset("people", data.choices[:1, part], data.rewards[:1, part], 2, reward_scale=data.reward_scale)
            for part in (parts[1 - held], parts[held])
        )
        fit = bf.fit(train, "rescorla_wagner", "profile").iloc[0]
        theta = np.concatenate([np.ravel(part) for part in fit["parameters"].values()])
        total += likelihood.problem(test, 0, model, test.bounds_of(model)).nll_theta(theta)
    row = found.people[(found.people["id"] == "P0") & (found.people["model"] == "rescorla_wagner")]
    assert row["held_out_nll"].item() == pytest.approx(total, rel=1e-5)


def test_blocks_are_cut_of_scored_trials():
    data = people()
    folds = folds_of(data, 4)
    for row in range(len(data)):
        sizes = np.bincount(folds[row][data.scored[row]], minlength=4)
        assert np.ptp(sizes) <= 1 and (np.diff(folds[row]) >= 0).all()
    assert (folds_of(data, "sessions")[:, 24:26] == [0, 1]).all()
    by_blocks = bf.compare(data, MODELS[:2], criterion="held_out_nll", held_out=2)
    expected = bf.select_models(-by_blocks.people.pivot(index="id", columns="model", values="held_out_nll")[MODELS[:2]])
    np.testing.assert_allclose(by_blocks.selection.alpha, expected.alpha)
    assert by_blocks.best == by_blocks.people.groupby("model")["held_out_nll"].sum().idxmin()


def test_people_who_guess_and_people_without_a_fit_are_named():
    data = people()
    choices = data.choices.copy()
    choices[1] = np.random.default_rng(0).integers(0, 2, size=50)
    choices[2] = -1
    found = bf.compare(replace(data, choices=choices), MODELS[:2])
    assert set(found.guessing) >= {"P1", "P2"} and "P0" not in found.guessing
    assert "no model beats guessing for" in repr(found)
    unseen = found.people[found.people["id"] == "P2"]
    assert (unseen["n_trials"] == 0).all() and (unseen["not_identified"] != "").all()
    short = bf.compare(data.select([0, 1]), MODELS[:2], bounds={"bias": (1.0, 1.0)})
    assert short.people.set_index("model").loc["forgetting + bias", "n_parameters"].tolist() == [2, 2]


def test_a_fit_that_failed_leaves_a_person_out_of_all_sums(monkeypatch):
    from banditfit.methods import profile

    data = people()
    whole = profile._composed

    def fails(problem, settings, rng):
        if problem.model.name == "forgetting + bias" and np.array_equal(problem.choices, data.choices[3]):
            raise RuntimeError("no luck")
        return whole(problem, settings, rng)

    monkeypatch.setattr(profile, "_composed", fails)
    found = bf.compare(data, MODELS[:2])
    assert found.left_out == ("P3",) and "left out of all sums, for want of a fit: 1 people ('P3')" in repr(found)
    assert (found.models["n_people"] == 4).all() and found.models["failed"].sum() == 1
    known = found.people[found.people["id"] != "P3"].groupby("model")["nll"].sum()
    np.testing.assert_allclose(found.models.set_index("model")["nll"], known[found.models["model"]])


def test_bounds_are_those_of_the_models_that_have_such_parameters():
    found = bf.compare(people(), MODELS[:2], bounds={"bias": (-0.1, 0.1), "beta": (0.0, 0.5)})
    assert '"bias": [-0.1, 0.1]' in found.fits[found.fits["model"] == "forgetting + bias"]["bounds"].iloc[0]
    assert "bias" not in found.fits[found.fits["model"] == "rescorla_wagner"]["bounds"].iloc[0]
    with pytest.raises(bf.InputError, match="bounds: found 'kappa', expected parameters of the models that are compared"):
        bf.compare(people(), MODELS[:2], bounds={"kappa": (0, 1)})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"models": ["forgetting"]}, "argument models: found \\['forgetting'\\]"),
        ({"models": ["forgetting", "forgetting"]}, "found 'forgetting' alone, expected two models or more"),
        ({"models": ["forgetting", "nothing"]}, "found 'nothing', expected one of"),
        ({"models": MODELS, "criterion": "dic"}, "argument criterion: found 'dic', expected one of"),
        ({"models": MODELS, "criterion": "held_out_nll"}, "argument held_out: found None, expected 'sessions' or a number"),
        ({"models": MODELS, "held_out": 1}, "argument held_out: found 1"),
        ({"models": MODELS, "held_out": 48}, "found fewer scored trials than folds in episode 'P0'"),
    ],
)
def test_what_a_comparison_refuses(arguments, words):
    with pytest.raises(bf.InputError, match=words):
        bf.compare(people(), **arguments)


def test_one_session_cannot_be_held_out():
    data = bf.Dataset("one", np.zeros((2, 9)), np.ones((2, 9)), 2)
    with pytest.raises(bf.InputError, match="held_out: found one session in episode '0' \\(2 such in all\\)"):
        bf.compare(data, MODELS, held_out="sessions")


def test_the_default_models_are_a_factorial_set():
    grid = bf.model_grid()
    assert len(grid) == len({get_model(name).terms for name in grid}) == 16 and "rescorla_wagner" in grid
    assert len(bf.model_grid(lapse=(False, True))) == 32 and bf.model_grid((1,), (False,), (True,), (False,)) == [
        "rescorla_wagner + choice_kernel"
    ]
    table = bf.model_table(n_arms=3)
    full = table[table["model"] == "dual_rates + unchosen_decay + choice_kernel + bias"].iloc[0]
    assert full["n_parameters"] == 8 and "bias[2]" in full["parameters"] and "decay" in full["assumes"]
