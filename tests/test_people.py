"""Tables of people's parameters and of trials: every number against the fit, or a recursion written out."""

from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.models import likelihood
from banditfit.models.families import get_model
from test_compare import people
from test_models import hostile, inside, problem_of


def fits_of(text, data, theta):
    """A table of one fit with these parameters."""
    fits = bf.fit(data, text, "d_loc", settings={"starts": 1})
    named = problem_of(text, data).named(theta)
    return fits.assign(parameters=[named], status="converged", fillers=None)


def test_every_parameter_has_a_row():
    data = people(3)
    fits = bf.fit(data, "rw_bias", "profile")
    table = bf.parameter_table(fits)
    assert table["parameter"].tolist() == ["alpha", "beta", "bias[1]"] * 3 and table["id"].tolist()[::3] == ["P0", "P1", "P2"]
    for k, row in enumerate(fits.itertuples()):
        part = table[table["id"] == row.id]
        np.testing.assert_array_equal(
            part["estimate"], [float(np.ravel(row.parameters[n])[0]) for n in ("alpha", "beta", "bias")]
        )
        np.testing.assert_allclose(part[["lower", "upper"]], [[0, 1], [0, 2], [-5, 5]])  # rewards are 10
        assert (part["nll"] == row.nll).all() and (part["starts"] == len(row.starts["nll"])).all()
        close = np.array(row.starts["nll"]) <= min(row.starts["nll"]) + 1e-3
        assert (part["starts_agreed"] == close.sum()).all() and (part["gap"] <= 1.1e-6).all(), k


def test_what_is_not_identified_or_at_a_bound_is_marked():
    data = people(3)
    rewards = data.rewards.copy()
    rewards[1] = 0.0
    data = replace(data, rewards=rewards)
    fits = bf.fit(data, "forgetting", "certified", bounds={"alpha": (0.0, 1.0), "beta": (0.0, 0.01)})
    table = bf.parameter_table(fits)
    silent = table[table["id"] == "P1"]
    assert silent["not_identified"].all() and silent["estimate"].isna().all() and not silent["at_bound"].any()
    beta = table[(table["id"] == "P0") & (table["parameter"] == "beta[reward]")].iloc[0]
    assert beta["at_bound"] and beta["estimate"] == pytest.approx(0.01)
    assert (table["gap"].abs() < 1e-5).all()  # a certificate
    judged = bf.parameter_table(bf.score(data, fits))
    assert (judged["at_bound"] == table["at_bound"]).all() and (judged["not_identified"] == table["not_identified"]).all()


def test_intervals_are_those_of_the_posterior():
    data = people(4)
    fits = bf.fit(data, "forgetting", "gem")
    table = bf.parameter_table(fits)
    for row in fits.itertuples():
        part = table[table["id"] == row.id].set_index("parameter")
        for name in ("alpha", "beta"):
            assert part.loc[f"{name}[reward]", "interval_low"] == float(np.ravel(row.posterior[f"{name}_lower"])[0])
            assert part.loc[f"{name}[reward]", "interval_high"] == float(np.ravel(row.posterior[f"{name}_upper"])[0])


TEXTS = [
    "dual_rates + choice_kernel + bias + lapse",
    "rescorla_wagner + fictive",
    "rescorla_wagner + sensitivities",
    "forgetting",
]


@pytest.mark.parametrize("text", TEXTS)
def test_trials_add_up_to_the_likelihood(text):
    data = replace(hostile(), states=np.random.default_rng(3).integers(2, size=(1, 60)))
    problem = problem_of(text, data)
    theta = inside(problem)
    table = bf.trial_table(data, fits_of(text, data, theta))
    assert len(table) == 60 and (table["choice"] == data.choices[0]).all() and (table["state"] == data.states[0]).all()
    assert -table["log_likelihood"].sum() == pytest.approx(problem.nll_theta(theta), rel=1e-12)
    assert table["log_likelihood"].isna().sum() == (data.choices < 0).sum()
    p = table[["p[0]", "p[1]", "p[2]"]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    x = problem.values_of(theta)
    np.testing.assert_allclose(np.log(p[:, 1:] / p[:, :1]), x[:, 1:] - x[:, :1], rtol=1e-9, atol=1e-9)


def test_values_and_prediction_errors_are_those_of_rescorla_wagner():
    data = people(1)
    theta = np.array([0.3, 0.4])
    table = bf.trial_table(data, fits_of("rescorla_wagner", data, theta))
    Q = np.zeros(2)
    for t, (_, row) in enumerate(table.iterrows()):
        if data.starts[0, t]:
            Q[:] = 0.0
        np.testing.assert_allclose([row["q[0]"], row["q[1]"]], Q)
        np.testing.assert_allclose([row["value[0]"], row["value[1]"]], 0.4 * Q)
        y = data.choices[0, t]
        assert row["session"] == t // 25 and row["step"] == t
        if y < 0:
            assert np.isnan(row["prediction_error"]) and np.isnan(row["reward"])
            continue
        assert row["prediction_error"] == pytest.approx(data.rewards[0, t] - Q[y])
        Q[y] += 0.3 * (data.rewards[0, t] - Q[y])


def test_gains_and_losses_have_errors_of_their_own():
    data = hostile()
    table = bf.trial_table(data, fits_of("rescorla_wagner + sensitivities", data, np.array([0.5, 1.0, 2.0])))
    first = table[table["choice"] >= 0].iloc[0]
    assert first["prediction_error[gain]"] == max(first["reward"], 0) and first["prediction_error[loss]"] == min(
        first["reward"], 0
    )
    assert "prediction_error" not in table and "q[gain,2]" in table


def test_new_data_are_predicted_by_the_ids():
    data = people(3)
    fits = bf.fit(data, "forgetting", "profile")
    new = people(3, seed=2)
    new = replace(new, ids=["P2", "somebody", "P0"], name="later")
    table = bf.trial_table(new, fits)
    assert set(table["id"]) == {"P0", "P2"}
    model = get_model("forgetting")
    for name, place in (("P2", 0), ("P0", 2)):
        theta = np.concatenate([np.ravel(fits.loc[fits["id"] == name, part].item()) for part in ("alpha", "beta")])
        expected = likelihood.problem(new, place, model, new.bounds_of(model)).nll_theta(theta)
        assert -table.loc[table["id"] == name, "log_likelihood"].sum() == pytest.approx(expected)
    with pytest.raises(bf.InputError, match="found no fit of an id of 'later', expected fits of some, such as 'a'"):
        bf.trial_table(replace(new, ids=["a", "b", "c"]), fits)


def test_a_fit_that_failed_has_trials_without_numbers():
    data = people(1)
    fits = bf.fit(data, "forgetting", "profile").assign(status="failed")
    table = bf.trial_table(data, fits)
    assert len(table) == 50 and table["p[0]"].isna().all() and (table["choice"] == data.choices[0]).all()
