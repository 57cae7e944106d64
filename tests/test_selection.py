"""Random-effects model selection against closed forms, quadrature and draws of the Dirichlet."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import beta as beta_function
from scipy.special import gammaln
from scipy.stats import beta

import banditfit as bf
from banditfit.comparison.grid import telling_terms
from banditfit.comparison.selection import exceedances, select_families

SURE = 1e4  # nats of difference: a person's model beyond doubt


def certain(counts):
    """The log evidence of people each of whose models is beyond doubt, `counts` of each."""
    return SURE * np.eye(len(counts))[np.repeat(np.arange(len(counts)), counts)]


def test_with_two_models_the_exceedance_is_the_tail_of_a_beta():
    for a, b in [(1, 1), (11.89, 2.11), (401, 3), (0.3, 0.7), (150, 155)]:
        np.testing.assert_allclose(exceedances([a, b]), [beta.sf(0.5, a, b), beta.cdf(0.5, a, b)], atol=2e-8)


def test_with_more_models_the_exceedance_is_that_of_draws_of_the_dirichlet():
    rng = np.random.default_rng(0)
    for alpha in [(3.0, 2.0, 1.0), (1.0, 1.0, 1.0, 1.0), (40.0, 44.0, 12.0, 1.0, 1.2), (0.4, 2.0, 2.0)]:
        draws = rng.dirichlet(alpha, size=200_000)
        shares = np.bincount(draws.argmax(axis=1), minlength=len(alpha)) / len(draws)
        found = exceedances(alpha)
        np.testing.assert_allclose(found, shares, atol=4 * 0.5 / np.sqrt(len(draws)))
        assert found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(exceedances(np.ones(7)), np.full(7, 1 / 7), atol=1e-9)


@pytest.mark.parametrize("counts", [(7, 3), (5, 0, 2), (1, 1, 1, 9)])
def test_people_beyond_doubt_are_counted(counts):
    """Where every person's model is certain the posterior is the prior plus the counts, and both evidences are closed forms."""
    found = bf.select_models(certain(counts))
    n, k = np.array(counts), len(counts)
    np.testing.assert_allclose(found.alpha, n + 1.0)
    np.testing.assert_allclose(found.frequency, (n + 1.0) / (n.sum() + k))
    log_beta = lambda a: gammaln(a).sum() - gammaln(a.sum())  # noqa: E731
    unequal = log_beta(n + 1.0) - log_beta(np.ones(k))  # of which SURE per person is left out on both sides
    equal = -n.sum() * np.log(k)
    assert found.bor == pytest.approx(1 / (1 + np.exp(unequal - equal)), rel=1e-6)
    np.testing.assert_allclose(found.protected, (1 - found.bor) * found.exceedance + found.bor / k)
    np.testing.assert_allclose(found.assigned.argmax(axis=1), np.repeat(np.arange(k), n))


def test_evidence_that_says_nothing_leaves_the_prior():
    found = bf.select_models(np.zeros((12, 3)))
    np.testing.assert_allclose(found.frequency, 1 / 3)
    np.testing.assert_allclose(found.protected, 1 / 3, atol=1e-9)
    assert found.bor > 0.5


def test_the_evidence_of_unequal_frequencies_is_near_and_below_the_exact_one():
    """Two models: the exact evidence is an integral over the frequency; the variational bound lies below, so the omnibus risk
    above that of the exact one."""
    L = np.random.default_rng(3).normal(0.0, 3.0, size=(15, 2)) + [1.5, 0.0]
    found = bf.select_models(L)
    ratio = np.exp(L[:, 0] - L[:, 1])
    exact = quad(lambda r: np.prod(r * ratio + 1 - r) / beta_function(1, 1), 0, 1)[0]
    equal = np.prod((ratio + 1) / 2)
    risk = equal / (equal + exact)
    assert risk < found.bor < risk + 0.1
    mean = quad(lambda r: r * np.prod(r * ratio + 1 - r), 0, 1)[0] / exact
    assert found.frequency[0] == pytest.approx(mean, abs=0.03)


def test_what_belongs_to_a_person_alone_says_nothing():
    L = np.random.default_rng(1).normal(0, 2, size=(20, 3))
    one, other = bf.select_models(L), bf.select_models(L + 1000.0 * np.arange(20)[:, None])
    np.testing.assert_allclose(one.alpha, other.alpha, rtol=1e-6)
    assert one.bor == pytest.approx(other.bor, rel=1e-6)
    order = [2, 0, 1]
    np.testing.assert_allclose(bf.select_models(L[:, order]).exceedance, one.exceedance[order], atol=1e-7)


def test_a_table_names_the_models():
    found = bf.select_models(pd.DataFrame(certain((3, 1)), columns=["rw", "ck"]))
    assert found.table["model"].tolist() == ["rw", "ck"]
    assert repr(found).startswith("<Selection over 4 people: 'rw' is the most frequent of 2 models (67%), protected")


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (np.zeros((3, 1)), "found the shape \\(3, 1\\), expected people x two models or more"),
        (np.zeros((0, 2)), "found the shape \\(0, 2\\), expected people"),
        (np.array([[0.0, np.nan]]), "found nan in row 0, column 1, expected finite numbers"),
    ],
)
def test_evidence_that_is_refused(evidence, words):
    with pytest.raises(bf.InputError, match=words):
        bf.select_models(evidence)


def test_people_of_two_kinds_are_told_apart_while_they_are_fitted():
    rng = np.random.default_rng(1)
    bandit = {"p_reward": (0.8, 0.2), "p_switch": 0.05, "n_episodes": 8, "n_steps": 150, "beta": ((3.0, 6.0),)}
    quick = bf.simulate("quick", "forgetting", **bandit, alpha=(0.5, 0.7), seed=int(rng.integers(99)))
    found = bf.hbi(quick, ["forgetting", "choice_kernel"])
    assert found.converged
    assert found.models[int(np.argmax(found.frequency))] == "forgetting"
    np.testing.assert_allclose(found.assigned.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.frequency, found.assigned.mean(axis=0))
    assert found.bound > found.null_bound
    assert found.protected[0] > 0.9
    assert list(found.people["assigned"][:2]) == [found.assigned[0, 0]] * 2
    rates = found.people[(found.people["model"] == "forgetting") & (found.people["parameter"] == "alpha[reward]")]["estimate"]
    np.testing.assert_allclose(rates, quick.truth.alpha.ravel(), atol=0.25)


def test_a_model_is_compared_once():
    data = bf.simulate("few", "forgetting", p_reward=(0.8, 0.2), p_switch=0.0, n_episodes=2, n_steps=20, beta=((1, 2),), seed=0)
    with pytest.raises(bf.InputError, match="models: found forgetting, forgetting, expected each model once"):
        bf.hbi(data, ["forgetting", "forgetting"])


def test_families_do_not_gain_by_the_number_of_their_models():
    """People whose models are beyond doubt count for their family; where the data say nothing, a family of three is level with
    one of one, and three copies of a model are as good as the model."""
    found = select_families(certain([4, 3, 2, 1]), ["with", "with", "with", "without"])
    assert found.models == ("with", "without")
    np.testing.assert_allclose(found.alpha, [10, 2], atol=1e-6)
    flat = select_families(np.zeros((5, 4)), ["a", "a", "a", "b"])
    np.testing.assert_allclose(flat.frequency, 0.5, atol=1e-6)
    L = np.random.default_rng(0).normal(size=(12, 2)) * 3
    copies = select_families(L[:, [0, 0, 0, 1]], ["a", "a", "a", "b"])
    np.testing.assert_allclose(copies.exceedance, bf.select_models(L).exceedance, atol=1e-9)


def test_the_terms_by_which_models_differ():
    """Of one rate and two the second is named, and what all models have is not."""
    terms = telling_terms(["rescorla_wagner + bias", "rescorla_wagner + bias + lapse", "dual_rates + bias"])
    assert terms == {"rescorla_wagner": [True, True, False], "lapse": [False, True, False]}
    assert telling_terms(["forgetting", "forgetting + bias"]) == {"bias": [False, True]}
