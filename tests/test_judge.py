"""The judge believes nobody: everything is recomputed, and false claims are found."""

from decimal import Decimal, localcontext

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.identification import complete
from banditfit.models import likelihood
from conftest import make


@pytest.fixture(scope="module")
def data():
    return make("per_arm")


@pytest.fixture(scope="module")
def fits(data):
    return pd.concat([bf.fit(data, "per_arm", name) for name in ("d_loc", "d_loc_published")], ignore_index=True)


def problem_of(episode):
    return likelihood.problem(episode, 0, bf.get_model("per_arm"), episode.bounds)


def test_scores_agree_with_the_definitions(data, fits):
    table = bf.score(data, fits)
    for row in table.itertuples():
        episode = data.select([row.episode])
        choices, rewards = episode.choices[0], episode.rewards[0]
        problem = problem_of(episode)
        (alpha, beta), unidentified = map(problem.split, complete(problem, row))
        trace, nll, kl = np.zeros(3), 0.0, 0.0
        for t, choice in enumerate(choices):
            policy = np.exp(trace) / np.exp(trace).sum()
            true = np.exp(episode.truth.values[0, t]) / np.exp(episode.truth.values[0, t]).sum()
            nll -= np.log(policy[choice])
            kl += (true * np.log(true / policy)).sum() / len(choices)
            signal = np.where(np.arange(3) == choice, rewards[t], 0.0)
            trace = (1 - alpha[0]) * trace + alpha[0] * beta[0] * signal
        assert row.nll == pytest.approx(nll, rel=1e-12) and row.kl == pytest.approx(kl, rel=1e-9)
        off = (alpha - episode.truth.alpha[0]) ** 2
        assert row.alpha_error == pytest.approx(np.sqrt(off.sum()))
        assert row.alpha_error_identified == pytest.approx(np.sqrt(off[~unidentified[0]].sum()))
    assert (table["regret"] >= 0).all() and table.groupby("episode")["regret"].min().eq(0).all()
    assert table["claim_held"].all()


def test_the_true_parameters_have_no_error(data, fits):
    told = fits.head(3).copy()
    for row in range(3):
        told.at[row, "alpha"], told.at[row, "beta"] = data.truth.alpha[row], data.truth.beta[row]
    told["nll"] = data.truth.nll  # these agents start from zero, so theirs is the likelihood that the judge computes
    table = bf.score(data, told)
    np.testing.assert_allclose(table[["alpha_error", "beta_error", "kl"]], 0.0, atol=1e-12)
    assert table["claim_held"].all()


def test_the_mean_policy_of_a_posterior_is_judged_beside_the_plug_in_one(data, fits):
    assert bf.score(data, fits)["kl_mean_policy"].isna().all()
    told = fits.head(2).copy()
    problem = problem_of(data)
    policies = [
        np.exp(likelihood.log_policy(data.truth.values[0])),
        np.exp(likelihood.log_policy(problem.values_of(complete(problem, fits.loc[0])[0]))),
    ]
    for policy in policies:
        told.at[0, "posterior"] = {"policy": policy}
        table = bf.score(data, told)
        expected = 0.0 if policy is policies[0] else table.loc[0, "kl"]
        assert table.loc[0, "kl_mean_policy"] == pytest.approx(expected, abs=1e-12)
        assert np.isnan(table.loc[1, "kl_mean_policy"])


def test_false_claims_are_found(data, fits):
    lying = fits.copy()
    lying.loc[0, "nll"] -= 1.0
    assert bf.score(data, lying)["claim_held"].tolist().count(False) == 1


def test_a_beaten_bound_is_flagged_and_not_used(data, fits):
    bounded = fits.copy()
    bounded.loc[0, "lower_bound"] = fits.loc[0, "nll"] + 0.1
    bounded.loc[1, "lower_bound"] = fits.loc[1, "nll"] - 0.5
    table = bf.score(data, bounded)
    assert not table.loc[0, "bound_holds"] and not table.loc[0, "claim_held"] and np.isnan(table.loc[0, "gap"])
    assert table.loc[1, "bound_holds"] and table.loc[1, "gap"] >= 0.5 - 1e-9
    assert table.loc[2, "bound_holds"] is None


def exact_nll(choices, rewards, alpha, beta):
    """The nll of a forgetting model with two arms, in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        alpha, beta, x, nll = Decimal(alpha), Decimal(beta), [Decimal(0)] * 2, Decimal(0)
        for choice, reward in zip(choices.tolist(), rewards.tolist(), strict=True):
            ahead = x[1 - choice] - x[choice]
            nll += max(ahead, Decimal(0)) + (1 + (-abs(ahead)).exp()).ln()
            x = [(1 - alpha) * value for value in x]
            x[choice] += alpha * beta * Decimal(reward)
        return nll


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("cancels", [True, False])
def test_a_bound_is_held_to_the_rounding_of_what_was_computed(last, cancels):
    # Sensitivities of rewards of a million add up to values of millions, which rewards as large take back; what is left
    # decides the last 150 choices. Where nothing is taken back the nll is as large as the values.
    alpha, beta, x = 0.0025, 20.0, 0.0
    choices, rewards = np.full((1, 400), last), np.zeros((1, 400))
    choices[0, :250] = 0
    for t in range(250):
        rewards[0, t] = 1e6 if t < 120 else max(-1e6, -(1.0 - alpha) * x / (alpha * beta)) if cancels else 0.0
        x = (1.0 - alpha) * x + alpha * beta * rewards[0, t]
    data = bf.Dataset("large", choices, rewards, 2, model="forgetting", bounds=bf.Bounds((0.0, 1.0), ((0.0, 20.0),)))
    fit = bf.fit(data, "forgetting", "d_loc", settings={"starts": 1})
    fit.at[0, "alpha"], fit.at[0, "beta"] = np.full((1, 1), alpha), np.full((1, 1), beta)
    fit.loc[0, ["not_identified", "fillers"]] = ["", None]
    exact = exact_nll(choices[0], rewards[0], alpha, beta)
    nll = bf.score(data, fit).loc[0, "nll"]
    rounding = bf.score(data, fit).loc[0, "rounding"]
    assert abs(Decimal(nll) - exact) <= Decimal(rounding)
    for above, holds in ((0.0, True), (4.0 * rounding, False)):
        fit["lower_bound"] = float(exact) + above
        assert bf.score(data, fit).loc[0, "bound_holds"] is holds


def test_parameters_outside_the_box_set_no_standard(data, fits):
    outside = fits.copy()
    outside.at[0, "beta"] = np.full((1, 3), 100.0)
    table = bf.score(data, outside)
    assert not table.loc[0, "admissible"] and np.isnan(table.loc[0, "regret"]) and np.isfinite(table.loc[0, "nll"])


def test_parameters_at_a_bound_are_named(data, fits):
    edge = fits.copy()
    edge.at[0, "alpha"] = np.array([[0.0, 1.0, 0.5]])
    edge.at[0, "beta"] = np.array([[1.0, 4.0, 2.0]])
    assert bf.score(data, edge).loc[0, "at_bound"] == "alpha[reward,0]=0 alpha[reward,1]=1 beta[reward,1]=4"


def test_without_truth_there_is_no_error_but_a_likelihood(data, fits):
    blind = bf.Dataset(data.name, data.choices, data.rewards, 3, model="per_arm", bounds=data.bounds)
    table = bf.score(blind, fits)
    assert table[["kl", "alpha_error", "beta_error"]].isna().all(axis=None) and table["nll"].notna().all()


def test_strangers_are_refused(data, fits):
    with pytest.raises(bf.InputError, match="found data set 'small_per_arm', expected 'other'"):
        bf.score(bf.Dataset("other", data.choices, data.rewards, 3), fits)
    both = bf.score(data, pd.concat([fits, fits.assign(model="forgetting")], ignore_index=True))
    assert both["has_parameters"].tolist() == [True] * len(fits) + [False] * len(fits)  # those of another shape are none


def test_a_fit_is_held_to_its_own_bounds(data):
    wide = bf.fit(data, "per_arm", "d_loc", bounds=bf.Bounds((0.0, 1.0), ((0.0, 50.0),)))
    table = bf.score(data, pd.concat([bf.fit(data, "per_arm", "d_loc"), wide], ignore_index=True))
    assert table["admissible"].all()
    # Those with the same bounds alone are compared: a wider box holds lower likelihoods.
    assert (table["regret"] == 0).all() and (table["best_nll"][3:].to_numpy() <= table["best_nll"][:3].to_numpy() + 1e-9).all()
    held = bf.score(data, wide, bounds=bf.Bounds((0.0, 1.0), ((0.0, 1e-3),)))
    assert not held["admissible"].any() and not held["claim_held"].any()


@pytest.mark.parametrize(
    "alpha", [None, "much", [0.5], np.full((1, 2), 0.5), np.full((3, 1), 0.5), [[0.5, None, 0.5]], [[0.5, np.inf, 0.5]]]
)
def test_parameters_of_another_shape_are_none(data, fits, alpha):
    odd = fits.copy()
    odd.at[0, "alpha"] = alpha
    row = bf.score(data, odd).loc[0]
    assert not row["has_parameters"] and not row["admissible"] and np.isnan(row["nll"])


def test_what_the_choices_do_not_tell_is_no_estimate():
    """Arm 0 is rewarded and chosen again, arm 1 is never rewarded, arm 2 is rewarded on the last step alone."""
    choices, rewards = np.array([[0, 1, 0, 1, 0, 1, 0, 2]]), np.array([[1.0, 0, 1, 0, 0, 0, 1, 1]])
    data = bf.Dataset("told", choices, rewards, n_arms=3)
    fits = pd.concat([bf.fit(data, "per_arm", name) for name in ("d_loc", "profile", "certified", "gem", "mc")])
    untold = "alpha[reward,1] alpha[reward,2] beta[reward,1] beta[reward,2]"
    for row in fits.itertuples():
        assert row.not_identified == untold
        assert np.isnan(row.alpha[0, 1:]).all() and np.isnan(row.beta[0, 1:]).all() and np.isfinite(row.beta[0, 0])
        assert np.isfinite(row.fillers["alpha"][0, 1:]).all()
    table = bf.score(data, fits)
    assert (
        table["has_parameters"].all()
        and table["claim_held"].all()
        and table["not_identified"].str.contains(untold, regex=False).all()
    )
    # A number in the place of what is not identified changes nothing, and is none either.
    told = fits.copy()
    told["alpha"] = [np.where(np.isnan(alpha), 0.3, alpha) for alpha in told["alpha"]]
    assert (bf.score(data, told)["not_identified"] == table["not_identified"]).all()


def test_a_parameter_that_the_choices_tell_may_not_be_absent(data, fits):
    absent = fits.copy()
    absent.at[0, "alpha"] = np.full((1, 3), np.nan)
    assert not bf.score(data, absent).loc[0, "has_parameters"]
