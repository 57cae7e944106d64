"""What is not known of a population: lines of nodes, draws of populations against oracles, wider intervals, Student's t."""

from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.models import likelihood, simulate
from banditfit.models.lines import _nll_line, on_a_line
from banditfit.solvers import em, information, population, sampling, uncertainty


def problems_of(data, model):
    family = bf.get_model(model)
    return [likelihood.problem(data, row, family, data.bounds_of(family, None)) for row in range(len(data))]


@pytest.fixture(scope="module")
def people():
    return simulate.simulate_population("u", simulate.POPULATIONS["normal"], 12, 60, np.random.default_rng(3))


@pytest.mark.parametrize("n_arms", [2, 4])
def test_a_line_of_weights_is_the_nll_at_each(n_arms):
    p_reward = np.linspace(0.9, 0.1, n_arms)
    how = {"p_reward": p_reward, "p_switch": 0.05, "n_episodes": 1, "n_steps": 130, "seed": 1, "beta": ((0, 5),)}
    data = bf.simulate("line", "forgetting", **how)
    choices = data.choices.copy()
    choices[0, 20:25] = -1
    data = replace(data, choices=choices, truth=None)
    for model in ("forgetting", "rescorla_wagner"):
        one = problems_of(data, model)[0]
        weights, out = np.array([-1.0, 0.0, 0.3, 4.0, 900.0]), np.empty(5)
        assert on_a_line(one.episode, 1) and not on_a_line(one.episode, 0)
        _nll_line(one.episode, np.array([0.3, 9.0]), 1, weights, out)
        np.testing.assert_allclose(out, [one.nll_theta(np.array([0.3, w])) for w in weights], rtol=1e-12)


def test_draws_of_a_population_of_people_who_are_known_are_those_of_the_conjugate_posterior():
    rng = np.random.default_rng(0)
    J, h = 40, np.random.default_rng(1).normal((0.5, -1.0), (0.7, 0.4), (40, 2))
    one = problems_of(simulate.simulate_population("k", simulate.POPULATIONS["normal"], 1, 5, rng), "forgetting")[0]
    start = population.begin(one, population.Settings(moments="laplace"), shared=False)
    known = replace(start, mu=h.mean(axis=0), Sigma=np.cov(h.T))
    V = np.tile(1e-8 * np.eye(2), (J, 1, 1))
    e = population.Expectation(h, h, V, np.zeros(J), np.zeros(J, dtype=int), np.ones(J, dtype=bool))
    draws, _, whole = uncertainty.draw(known, e, start, rng)
    mu = draws.M[:, 0]
    np.testing.assert_allclose(mu.mean(axis=0), h.sum(axis=0) / (J + 1), atol=0.05)
    np.testing.assert_allclose(mu.std(axis=0), h.std(axis=0) / np.sqrt(J), rtol=0.3)
    # The inverse Wishart's mean, with the start, the participant at its mu, and three who have variances like all others'.
    total = J * h.var(axis=0) + 1.0 + J / (J + 1) * h.mean(axis=0) ** 2
    np.testing.assert_allclose(np.diagonal(draws.Sigma, axis1=1, axis2=2).mean(axis=0), total / (J + 1 - 3), rtol=0.1)
    np.testing.assert_allclose(whole, V, rtol=1e-4, atol=1e-10)


def test_intervals_hold_what_is_not_known_of_the_population(people):
    problems = problems_of(people, "forgetting")
    found, e = em.learn(problems, population.Settings(), np.random.default_rng(0))
    start = population.begin(problems[0], population.Settings(), shared=False)
    wider = uncertainty.widened(found, e, start, np.random.default_rng(0))
    ratio = np.sqrt(np.diagonal(wider.V, axis1=1, axis2=2) / np.diagonal(e.V, axis1=1, axis2=2))
    assert 1.0 < np.median(ratio) < 1.6
    np.testing.assert_array_equal(wider.m, e.m)
    fits = bf.fit(people, "forgetting", "gem")
    plain = em.estimate(found, e)
    told = np.array([[posterior["alpha_upper"], posterior["beta_upper"]] for posterior in fits["posterior"]]).reshape(-1, 2)
    assert (told >= plain["upper"] - 1e-6).mean() > 0.8
    # Of a prior that is given, all is known.
    alone = bf.fit(people, "forgetting", "gem", settings={"prior": "fixed"})
    e = population.expect(problems, start)
    np.testing.assert_allclose(
        [posterior["beta_upper"].item() for posterior in alone["posterior"]], em.estimate(start, e)["upper"][:, 1]
    )


def test_draws_under_a_prior_that_is_given_have_the_moments_of_quadrature(people):
    problems = problems_of(people, "forgetting")
    start = population.begin(problems[0], population.Settings(nodes=25, prior="fixed"), shared=False)
    exact = population.expect(problems, start)
    drawn = em.members(problems, replace(start, moments="sampled"))
    assert drawn.found.all()
    sd, drawn_sd = (np.sqrt(np.diagonal(e.V, axis1=1, axis2=2)) for e in (exact, drawn))
    assert np.sqrt((((drawn.m - exact.m) / sd) ** 2).mean()) < 0.2
    assert 0.9 < np.median(drawn_sd / sd) < 1.1
    ends, drawn_ends = em.estimate(start, exact), em.estimate(start, drawn)
    for name in ("median", "lower", "upper"):
        assert np.abs((drawn_ends[name] - ends[name]) / ends["sd"]).mean() < 0.3
    fits = bf.fit(people, "forgetting", "gem", settings={"moments": "sampled", "prior": "fixed"})
    assert [each["r_hat"] for each in fits["diagnostics"]] and (fits["n_eval"] > 400).all()


def test_a_covariance_that_nothing_is_known_of_is_the_starts_on_average():
    rng, width, Sigma = np.random.default_rng(0), np.array([1.0, 4.0]), np.diag([1.0, 4.0])
    drawn = []
    for _ in range(20_000):
        sampling.spread(rng, np.zeros((2, 2)), 0, width, Sigma)
        drawn.append(Sigma.copy())
    np.testing.assert_allclose(np.diag(np.mean(drawn, axis=0)), width, rtol=0.1)
    assert abs(np.mean([each[0, 1] for each in drawn])) < 0.1
    many = np.array([[2.0, 0.5], [0.5, 1.0]])
    sampling.spread(rng, 1e6 * many, 1_000_000, width, Sigma)
    np.testing.assert_allclose(Sigma, many, atol=0.01)


def test_a_population_that_is_drawn_is_that_of_em(people):
    problems = problems_of(people, "forgetting")
    found, _ = em.learn(problems, population.Settings(), np.random.default_rng(0))
    drawn, e = em.learn(problems, population.Settings(moments="sampled"), np.random.default_rng(0))
    again, _ = em.learn(problems, population.Settings(moments="sampled"), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.mu, again.mu)
    start = population.begin(problems[0], population.Settings(), shared=False)
    mean_se, sd_se, _ = information.standard_errors(drawn, e, start)
    assert (np.abs(drawn.mu - found.mu) < 2.0 * mean_se).all()
    sd, drawn_sd = (np.sqrt(np.diag(each.Sigma)) for each in (found, drawn))
    assert (np.abs(drawn_sd - sd) < 3.0 * sd_se).all() and (mean_se < 0.5).all()
    assert "R-hat" in drawn.reason and e.r_hat.max() < 1.5


MOMENTS = [
    (2, {}, False, "quadrature"),
    (3, {}, False, "sampled"),
    (12, {}, False, "sampled"),
    (12, {"batch": 5}, False, "laplace"),
    (3, {"population": "student"}, False, "quadrature"),
    (12, {}, True, "quadrature"),
]


@pytest.mark.parametrize("arms, settings, shared, moments", MOMENTS)
def test_many_parameters_are_drawn_where_draws_are_served(people, arms, settings, shared, moments):
    data = replace(people, n_arms=arms, truth=None, bounds=None)
    one = problems_of(data.select(range(1)), "per_arm")[0]
    assert population.begin(one, population.Settings(**settings), shared).moments == moments


def test_rates_that_all_share_are_not_drawn(people):
    with pytest.raises(bf.InputError, match="moments are 'sampled', expected others where the rates are the same"):
        em.learn(
            problems_of(people, "forgetting"), population.Settings(moments="sampled"), np.random.default_rng(0), shared=True
        )


def test_what_draws_say_of_a_population_has_its_evidence_by_quadrature(people):
    problems = problems_of(people, "forgetting")
    drawn, e = em.learn(problems, population.Settings(moments="sampled"), np.random.default_rng(0))
    fine = population.Settings(moments="quadrature", nodes=25)
    exact = population.expect(
        problems, replace(population.begin(problems[0], fine, shared=False), mu=drawn.mu, Sigma=drawn.Sigma)
    )
    np.testing.assert_allclose(e.log_evidence, exact.log_evidence, atol=0.02)
    known = em.members(problems, drawn)
    np.testing.assert_allclose(known.log_evidence, exact.log_evidence, atol=0.02)


def test_a_population_of_students_t_gives_way_to_nobody_far_away():
    near = [(1.0, (0.0, 0.0), (0.3, 0.3))]
    data = simulate.simulate_population("t", near, 40, 200, np.random.default_rng(6))
    far = simulate.simulate_population("t", [(1.0, (2.0, 1.8), (0.01, 0.01))], 40, 200, np.random.default_rng(7))
    choices, rewards = data.choices.copy(), data.rewards.copy()
    choices[:2], rewards[:2] = far.choices[:2], far.rewards[:2]
    problems = problems_of(replace(data, choices=choices, rewards=rewards, truth=None), "forgetting")
    rng = np.random.default_rng(0)
    normal, _ = em.learn(problems, population.Settings(), rng)
    for moments in ("quadrature", "laplace"):
        student, _ = em.learn(problems, population.Settings(moments=moments, population="student"), rng)
        assert student.converged
        assert set(np.argsort(student.weight)[:2]) == {0, 1}
        assert student.freedom < 30
        assert (np.diag(student.Sigma) < np.diag(normal.Sigma)).all()
    given, _ = em.learn(problems, population.Settings(population="student", freedom=4.0), rng)
    assert given.freedom == 4.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"freedom": 3.0}, "freedom is 3, expected 0 where the population is normal"),
        ({"population": "student", "freedom": 0.5}, "freedom is 0.5, expected at least 1, or 0 to learn it"),
        ({"population": "student", "batch": 5}, "population is 'student', expected 'normal' with a batch or a fixed prior"),
        ({"moments": "sampled", "batch": 5}, "moments are 'sampled', expected others with a batch"),
    ],
)
def test_settings_that_do_not_go_together_are_one_sentence(people, settings, words):
    with pytest.raises(bf.InputError, match=words):
        bf.fit(people, "forgetting", "gem", settings=settings)
