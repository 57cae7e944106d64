"""A method that lies, errs, hangs or breaks costs its own row and nothing else."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.identification import settle, silent
from banditfit.methods import get_method
from banditfit.models.likelihood import problem
from banditfit.outcome import Starts
from banditfit.study.store import read_table, write_table
from conftest import make

NAN, INF = np.nan, np.inf


def change(**fields):
    return lambda outcome: replace(outcome, **fields)


def starts(**fields):
    entry = {"nll": [1.0], "alpha": [np.full((1, 1), 0.5)], "beta": [np.ones((1, 1))], "n_eval": [1], "message": [""]}
    return change(starts=Starts(**(entry | fields)))


def policy(value):
    return change(posterior={"policy": np.full((30, 3), value)})


def leave(outcome):
    sys.exit("enough")


def recurse(outcome):
    return recurse(outcome)


# Ways to go wrong after an honest fit, and what the row must say.
LIARS = [
    (lambda outcome: None, "returned None"),
    (lambda outcome: 3.0, "returned 3.0"),
    (lambda outcome: vars(outcome), "returned {'status'"),
    (lambda outcome: [outcome], "returned [Outcome"),
    (change(status="done"), "status is 'done'"),
    (change(status=None), "status is None"),
    (change(status=["converged"]), "status is ['converged']"),
    (change(alpha=None), "without finite parameters"),
    (change(alpha=np.full((1, 1), NAN), beta=np.full((1, 1), NAN)), "without finite parameters"),
    (change(alpha=None, beta=None, status="limit"), "without finite parameters"),
    (change(alpha=np.full((1, 1), INF)), "a parameter is infinite"),
    (change(beta=np.full((1, 1), -INF)), "a parameter is infinite"),
    (change(alpha=0.5), "alpha has shape (), expected (1, 1)"),
    (change(alpha=np.full((1, 3), 0.5)), "alpha has shape (1, 3)"),
    (change(beta=np.ones((2, 1))), "beta has shape (2, 1)"),
    (change(beta=[[1.0], [2.0, 3.0]]), "beta is"),
    (change(beta="large"), "beta is 'large'"),
    (change(beta=np.array([[1 + 1j]])), "beta is"),
    (change(beta=np.array([[True]])), "beta is"),
    (change(kernels=np.ones((1, 1, 3))), "kernels has shape (1, 1, 3)"),
    (change(kernels=np.full((1, 1, 30), NAN)), "kernels hold a number that is not finite"),
    (change(nll=None), "nll is None"),
    (change(nll=-INF), "nll is -inf"),
    (change(nll="low"), "nll is 'low'"),
    (change(lower_bound=INF), "lower_bound is inf"),
    (change(lower_bound=True), "lower_bound is True"),
    (change(t_solve=-1.0), "t_solve is -1.0"),
    (change(t_setup=NAN), "t_setup is nan"),
    (change(t_published="fast"), "t_published is 'fast'"),
    (change(n_eval=-1), "n_eval is -1"),
    (change(n_eval=2**70), "n_eval is"),
    (change(n_eval=1.5), "n_eval is 1.5"),
    (change(message=None), "message is None"),
    (change(message="\ud800"), "message is '\\ud800'"),
    (change(fallback=3), "fallback is 3"),
    (change(diagnostics={"r_hat": "fine"}), "diagnostics is"),
    (change(diagnostics=[1.0]), "diagnostics is"),
    (change(posterior=[1.0]), "posterior is"),
    (change(posterior={"alpha_sd": np.ones(3)}), "posterior alpha_sd has shape (3,)"),
    (change(posterior={"alpha_sd": np.full((1, 1), NAN)}), "posterior alpha_sd holds"),
    (change(posterior={"beta_lower": np.ones((1, 1)), "beta_upper": np.zeros((1, 1))}), "beta_lower lies above"),
    (policy(0.2), "policy sums to 0.6"),
    (change(posterior={"policy": np.tile([1.5, -0.5, 0.0], (30, 1))}), "expected probabilities"),
    (change(posterior={"policy": np.full((29, 3), 1 / 3)}), "posterior policy has shape (29, 3)"),
    (change(starts=[1, 2]), "starts is [1, 2]"),
    (starts(nll=[]), "not lists of one length"),
    (starts(nll=[], alpha=[], beta=[], n_eval=[], message=[]), "starts is empty"),
    (starts(alpha=[np.ones(3)]), "a start is malformed"),
    (starts(n_eval=["many"]), "a start is malformed"),
    (leave, "SystemExit: enough"),
    (recurse, "RecursionError"),
    (lambda outcome: 1 / 0, "ZeroDivisionError"),
]


@pytest.fixture(scope="module")
def data():
    return make("forgetting")


def lie(monkeypatch, data, how, episode=1):
    """Fits of a d_loc that goes wrong in one episode."""
    d_loc = get_method("d_loc")

    def lying(one, *rest):
        outcome = d_loc.fit(one, *rest)
        return how(outcome) if (one.choices == data.choices[episode]).all() else outcome

    monkeypatch.setattr("banditfit.methods.d_loc.METHOD", type(d_loc)(fit=lying, settings=d_loc.settings))
    return bf.fit(data, "forgetting", "d_loc", time_limit=5.0)


@pytest.mark.parametrize(("how", "words"), LIARS)
def test_a_malformed_outcome_is_a_failed_row_and_costs_no_other(monkeypatch, data, how, words, tmp_path):
    fits = lie(monkeypatch, data, how)
    assert fits["status"].tolist() == ["converged", "failed", "converged"]
    assert words in fits["message"][1] and "\n" not in fits["message"][1]
    write_table(fits, tmp_path / "fits.parquet")
    table = bf.score(data, read_table(tmp_path / "fits.parquet"))
    assert table["has_parameters"].tolist() == [True, False, True] and np.isnan(table["nll"][1])


def test_a_fit_has_a_time_limit(monkeypatch, data):
    d_loc = get_method("d_loc")
    bf.fit(data, "forgetting", "d_loc")  # compiled, or loaded, before the clock counts

    def slow(one, *rest):
        if (one.choices == data.choices[1]).all():
            while True:
                pass
        return d_loc.fit(one, *rest)

    monkeypatch.setattr("banditfit.methods.d_loc.METHOD", type(d_loc)(fit=slow, settings=d_loc.settings))
    fits = bf.fit(data, "forgetting", "d_loc", time_limit=2.0)
    assert fits["status"].tolist() == ["converged", "failed", "converged"] and "time limit" in fits["message"][1]
    assert fits["t_wall"][1] >= 2.0


def test_parameters_outside_the_box_are_an_unmet_claim(monkeypatch, data):
    fits = lie(monkeypatch, data, change(beta=np.full((1, 1), 1e6)))
    assert "outside the bounds of beta" in fits["message"][1]
    table = bf.score(data, fits)
    assert table["outside"].tolist() == [False, True, False] and not table["claim_held"][1] and np.isnan(table["regret"][1])


def test_a_method_cannot_change_the_data(monkeypatch, data):
    before = [data.choices.copy(), data.rewards.copy(), data.starts.copy()]
    d_loc = get_method("d_loc")

    def spoil(one, *rest):
        outcome = d_loc.fit(one, *rest)
        one.choices[:], one.signals[:], one.starts[:] = 0, 7.0, True
        return outcome

    monkeypatch.setattr("banditfit.methods.d_loc.METHOD", type(d_loc)(fit=spoil, settings=d_loc.settings))
    bf.fit(data, "forgetting", "d_loc")
    for old, new in zip(before, (data.choices, data.rewards, data.starts), strict=True):
        np.testing.assert_array_equal(old, new)


def test_given_fits_must_be_those_that_are_needed(data):
    cvx = bf.fit(data, "forgetting", "cvx")
    other = replace(data, rewards=np.roll(data.rewards, 1, axis=0), choices=np.roll(data.choices, 1, axis=0))
    wide = bf.Bounds((0.0, 1.0), ((0.0, 9.0),))
    for given, words in [
        (cvx.assign(dataset="other"), "found fits of dataset 'other'"),
        (cvx.assign(model="per_arm"), "found fits of model 'per_arm'"),
        (bf.fit(data, "forgetting", "d_loc"), "found fits of method 'd_loc', expected those of method 'cvx'"),
        (bf.fit(data, "forgetting", "cvx", bounds=wide), "found fits of bounds"),
        (pd.concat([cvx, cvx.tail(1)]), "found two fits of episode 2"),
        (cvx.head(2), "no fit of episode 2"),
        (bf.fit(other, "forgetting", "cvx", bounds=data.bounds), "expected a fit of this data"),
        (cvx.assign(kernels=[k[:, :, :5] for k in cvx["kernels"]]), "is no such fit: kernels has shape (1, 1, 5)"),
    ]:
        with pytest.raises(bf.InputError, match="given: ") as caught:
            bf.fit(data, "forgetting", "cvx_loc", given=given)
        assert words in str(caught.value)
    assert bf.fit(data, "forgetting", "cvx_loc", given=cvx)["nll"].notna().all()


# ---- Units, and what the choices tell --------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["d_loc", "profile", "certified", "cvx_loc", "hull_loc", "mc", "gem"])
def told(request, data):
    """A method, and its fits in a box of its own."""
    bounds = bf.Bounds((0.0, 1.0), ((0.0, 4.0),))
    return request.param, bf.fit(data, "forgetting", request.param, bounds=bounds)


@pytest.mark.parametrize("scale", [2.0**-40, 0.25, 128.0, 2.0**20])
def test_the_unit_of_rewards_changes_nothing_but_beta(told, scale, data):
    name, one = told
    scaled = bf.Dataset(data.name, data.choices, data.rewards * scale, n_arms=3)
    two = bf.fit(scaled, "forgetting", name, bounds=bf.Bounds((0.0, 1.0), ((0.0, 4.0 / scale),)))
    for a, b in zip(one.itertuples(), two.itertuples(), strict=True):
        np.testing.assert_array_equal(a.alpha, b.alpha)
        np.testing.assert_array_equal(a.beta, b.beta * scale)
        assert a.nll == b.nll and a.status == b.status


def test_default_bounds_are_in_units_of_the_rewards(data):
    cents = bf.Dataset("cents", data.choices, data.rewards * 5000, n_arms=3)
    assert cents.bounds_of(bf.get_model("forgetting")).beta == ((0.0, 20 / 5000),)
    assert cents.bounds_of(bf.get_model("subrewards")).beta == ((0.0, 20 / 5000), (0.0, 20.0))
    # Also of a part of the data in which nobody earned anything.
    poor = replace(cents, rewards=np.where(np.arange(3)[:, None] == 0, 0.0, cents.rewards)).select([0])
    assert poor.bounds_of(bf.get_model("forgetting")).beta == ((0.0, 20 / 5000),)


def one_episode(choices, rewards, starts=None, model="forgetting", bounds=None):
    starts = None if starts is None else np.array([starts], dtype=bool)
    data = bf.Dataset("one", np.array([choices]), np.array([rewards], dtype=float), n_arms=3, starts=starts)
    family = bf.get_model(model)
    return problem(data, 0, family, bounds or data.bounds_of(family))


@pytest.mark.parametrize(
    ("choices", "rewards", "starts", "expected"),
    [
        ([0, 1, 2, 0], [1, 0, 0, 0], None, False),  # a reward and two later choices
        ([0, 1, 2, 0], [0, 0, 0, 1], None, True),  # nothing follows it
        ([0, 1, 2, 0], [0, 0, 1, 0], None, True),  # one lag alone: only a product of the parameters counts
        ([0, 1, -1, -1], [1, 0, 0, 0], None, True),
        ([0, -1, 1, 2], [1, 0, 0, 0], None, False),
        ([0, -1, -1, 2], [1, 0, 0, 0], None, True),
        ([0, 1, 2, 0], [1, 1, 1, 0], [1, 0, 1, 0], True),  # sessions of two steps
        ([0, 1, 2, 0], [1, 1, 1, 0], [1, 0, 0, 1], False),
        ([0], [1], None, True),
        ([-1, -1, -1], [0, 0, 0], None, True),
        ([0, 1, 2, 0], [0, 0, 0, 0], None, True),
    ],
)
def test_what_is_silent(choices, rewards, starts, expected):
    one = one_episode(choices, rewards, starts)
    assert silent(one).tolist() == [expected] * 2
    # The oracle: whether two pairs of parameters with the same kernel at the first lag in use give the same likelihood.
    if expected:
        lags = {t - s for s in range(len(choices)) for t in range(s + 1, len(choices)) if rewards[s] and choices[t] >= 0}
        lag = min(lags, default=1) - 1
        pairs = [(0.3, 1.0), (0.6, 0.3 * 0.7**lag / (0.6 * 0.4**lag))]
        values = [one.nll(np.array([[alpha]]), np.array([[beta]])) for alpha, beta in pairs]
        assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_a_trace_that_is_switched_off_is_told_in_one_way():
    one = one_episode([0, 1, 2, 0, 1], [1, 0, 1, 0, 0])
    for alpha, beta in ((0.0, 3.0), (0.4, 0.0), (0.0, 0.0)):
        told, unidentified = settle(one, np.array([alpha, beta]))
        assert told[1] == 0.0 and unidentified.tolist() == [True, False]
        assert one.nll_theta(told) == one.nll_theta(np.array([alpha, beta]))
    high = one_episode([0, 1, 2, 0, 1], [1, 0, 1, 0, 0], bounds=bf.Bounds((0.0, 1.0), ((2.0, 5.0),)))
    told, unidentified = settle(high, np.array([0.0, 3.0]))
    assert told[0] == 0.0 and unidentified.tolist() == [False, True]
    fixed = one_episode([0, 1, 2, 0, 1], [1, 0, 1, 0, 0], bounds=bf.Bounds((0.4, 0.4), ((0.0, 5.0),)))
    assert not settle(fixed, np.array([0.4, 0.0]))[1].any()


@pytest.mark.parametrize("name", bf.method_names())
@pytest.mark.parametrize("kind", ["one trial", "all missed", "no reward"])
def test_a_flat_likelihood_gives_no_estimate(name, kind):
    choices = {"one trial": [[1]], "all missed": [[-1] * 12], "no reward": [[0, 1, 2, 0, 1, 2, 1, 1, 0, 2, 0, 1]]}[kind]
    rewards = np.zeros(np.shape(choices)) if kind != "one trial" else np.ones((1, 1))
    data = bf.Dataset("flat", np.array(choices), rewards, n_arms=3)
    fits = bf.fit(data, "forgetting", name)
    row = bf.score(data, fits).iloc[0]
    assert np.isnan(fits["alpha"][0]).all() and np.isnan(fits["beta"][0]).all()
    assert row["status"] == "failed" or row["not_identified"] == "alpha[reward] beta[reward]"
    assert np.isnan(row["nll"]) or row["nll"] == pytest.approx(row["guessing"], abs=1e-9)


@pytest.mark.parametrize("prior", ["gamma(2, 1)", "lognormal(0.3, 0.7)"])
def test_a_prior_is_in_the_users_units(data, prior):
    """The same data in units of a quarter, with the prior of a parameter four times as large."""
    wide = {"gamma(2, 1)": "gamma(2, 4)", "lognormal(0.3, 0.7)": f"lognormal({float(0.3 + np.log(4.0))!r}, 0.7)"}[prior]
    quarter = bf.Dataset(data.name, data.choices, data.rewards * 0.25, n_arms=3)
    boxes = [bf.Bounds((0.0, 1.0), ((0.0, upper),)) for upper in (4.0, 16.0)]
    one, two = (
        bf.fit(who, "forgetting", "quadrature", settings={"prior_beta": text}, bounds=box)
        for who, text, box in zip((data, quarter), (prior, wide), boxes, strict=True)
    )
    for a, b in zip(one.itertuples(), two.itertuples(), strict=True):
        np.testing.assert_allclose(b.beta, 4 * a.beta, rtol=1e-6)
        assert b.diagnostics["log_evidence"] == pytest.approx(a.diagnostics["log_evidence"], abs=1e-6)
