"""GEM: derivatives, modes and moments against oracles, the population it finds, and what a bad participant does to the rest."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

import banditfit as bf
from banditfit.experiments import held_out, hierarchical, parameters, populations, recovery, who_wins
from banditfit.models import likelihood, simulate
from banditfit.models.families import PUBLISHED_MODELS
from banditfit.solvers import acceleration, em, nodes, population
from banditfit.solvers.newton import LOG, LOGIT, climb, derivatives
from banditfit.tables import coverage

pytestmark = pytest.mark.long


def small(n=6, n_steps=60, seed=0, model="forgetting", bandit="2arm"):
    rng = np.random.default_rng(seed)
    return simulate.simulate_population(f"small{seed}", simulate.POPULATIONS["normal"], n, n_steps, rng, model, bandit)


def problems_of(data):
    model = bf.get_model(data.model)
    return [likelihood.problem(data, row, model, data.bounds) for row in range(len(data))]


def derivatives_at(one, kinds, h):
    D = len(h)
    g, H, F = np.empty(D), np.empty((D, D)), np.empty((D, D))
    return derivatives(h, kinds, one.lower, one.upper, one.episode, g, H, F), g, H, F


@pytest.mark.parametrize("model", PUBLISHED_MODELS)
@pytest.mark.parametrize("links", ["probit", "logit"])
def test_derivatives_are_those_of_the_likelihood(model, links):
    data = small(1, model=model)
    starts, choices = data.starts.copy(), data.choices.copy()
    starts[0, 30] = True
    choices[0, 10:13] = -1
    one = problems_of(replace(data, starts=starts, choices=choices))[0]
    found = population.begin(one, population.Settings(links=links), shared=False)
    D = len(found.mu)
    h = np.random.default_rng(1).normal(size=D)
    value, g, H, F = derivatives_at(one, found.kinds, h)
    assert value == pytest.approx(-one.nll_theta(found.theta(h)), rel=1e-12)
    step = 1e-5 * np.eye(D)
    ahead, behind = ([derivatives_at(one, found.kinds, h + s * e) for e in step] for s in (1, -1))
    np.testing.assert_allclose(g, [(a[0] - b[0]) / 2e-5 for a, b in zip(ahead, behind, strict=True)], atol=1e-6)
    np.testing.assert_allclose(H, [(a[1] - b[1]) / 2e-5 for a, b in zip(ahead, behind, strict=True)], atol=1e-6)
    assert np.linalg.eigvalsh(F).max() < 1e-9  # the expected Hessian is negative semidefinite everywhere


@pytest.mark.parametrize("model", ["forgetting", "per_arm"])
def test_the_mode_is_the_one_that_scipy_finds(model):
    for one in problems_of(small(4, model=model)):
        start = population.begin(one, population.Settings(moments="laplace"), shared=False)
        found = population.expect([one], start)
        energy = lambda h, one=one, start=start: one.nll_theta(start.theta(h)) + 0.5 * h @ h  # noqa: E731
        grid = [a * np.ones(len(start.mu)) for a in (-1.0, 0.0, 1.0)]
        best = min((minimize(energy, x, tol=1e-10) for x in [*grid, found.mode[0]]), key=lambda r: r.fun)
        assert found.found[0]
        assert energy(found.mode[0]) <= best.fun + 1e-6
        np.testing.assert_allclose(found.mode[0], best.x, atol=2e-3)


def test_a_climb_under_a_fixed_prior_never_falls():
    rng = np.random.default_rng(2)
    for one in problems_of(small(10, n_steps=40)):
        start = population.begin(one, population.Settings(), shared=False)
        links, episode = population._arguments(start, one)
        h0 = 3.0 * rng.normal(size=2)
        h, K = h0.copy(), np.empty((2, 2))
        _, _, met = climb(h, start.free, start.mu, np.eye(2), *links, episode, K)
        energy = [one.nll_theta(start.theta(x)) + 0.5 * x @ x for x in (h0, h)]
        assert met
        assert energy[1] <= energy[0] + 1e-9
        assert np.linalg.eigvalsh(K).min() > 0


def test_quadrature_agrees_with_a_dense_grid():
    one = problems_of(small(1, n_steps=150, seed=3))[0]
    start = population.begin(one, population.Settings(nodes=9), shared=False)
    found = population.expect([one], start)
    axis = np.linspace(-6.0, 6.0, 241)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    log_joint = -np.array([one.nll_theta(start.theta(h)) for h in grid]) - 0.5 * (grid**2).sum(axis=1) - np.log(2 * np.pi)
    log_evidence = logsumexp(log_joint) + 2 * np.log(axis[1] - axis[0])
    r = np.exp(log_joint - logsumexp(log_joint))
    mean = r @ grid
    V = (grid - mean).T @ (r[:, None] * (grid - mean))
    sd = np.sqrt(np.diag(V))
    assert found.log_evidence[0] == pytest.approx(log_evidence, abs=0.02)
    np.testing.assert_allclose(found.m[0] / sd, mean / sd, atol=0.03)
    np.testing.assert_allclose(np.sqrt(np.diag(found.V[0])), sd, rtol=0.04)
    marginal = [np.interp(0.5, r.reshape(241, 241).sum(axis=1 - k).cumsum(), axis + 0.025) for k in range(2)]
    median = em.estimate(start, found)["median"][0]
    np.testing.assert_allclose(median, start.theta(np.array(marginal)), atol=0.02)


def test_without_choices_the_posterior_is_the_prior():
    data = small(1)
    one = problems_of(replace(data, choices=np.full_like(data.choices, -1)))[0]
    found = population.expect([one], population.begin(one, population.Settings(), shared=False))
    np.testing.assert_allclose(found.m[0], 0.0, atol=1e-9)
    np.testing.assert_allclose(found.V[0], np.eye(2), atol=1e-9)
    assert found.log_evidence[0] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("known", [0, 2])
def test_em_on_given_nodes_never_falls(known):
    problems = problems_of(small(20, seed=4))
    design = np.random.default_rng(5).normal(size=(20, known)) if known else None
    start = now = population.begin(problems[0], population.Settings(), shared=False, design=design)
    expectation = population.expect(problems, now)
    trace = []
    for _ in range(15):
        trace.append(em._objective(expectation, now, start))
        now = em._raised(now, expectation, start)
        expectation = population.weigh(expectation, now)
    assert np.diff(trace).min() > -1e-9


def test_the_variances_of_a_population_are_recovered_and_hard_em_loses_them():
    data = simulate.simulate_population("v", [(1.0, (0.3, -0.2), (0.6, 0.6))], 150, 200, np.random.default_rng(5))
    found = populations.learn(data, "forgetting")
    assert found.converged
    assert np.allclose(found.mu, (0.3, -0.2), atol=0.15)
    assert np.allclose(np.diag(found.Sigma), 0.36, rtol=0.35)
    hard = populations.learn(data, "forgetting", settings={"moments": "hard"})
    assert hard.Sigma[0, 0] < 0.6 * found.Sigma[0, 0]


def test_mini_batches_find_the_same_population():
    data = small(120, n_steps=100, seed=6)
    whole = populations.learn(data, "forgetting")
    online = populations.learn(data, "forgetting", settings={"batch": 20})
    assert online.converged
    np.testing.assert_allclose(online.mu, whole.mu, atol=0.06)
    np.testing.assert_allclose(online.Sigma, whole.Sigma, atol=0.06)


def test_shared_rates_are_found_with_their_standard_error():
    data = simulate.simulate_population("s", [(1.0, (0.4, 0.0), (0.0, 0.6))], 60, 100, np.random.default_rng(7))
    found = populations.learn(data, "forgetting", "gem_shared")
    assert found.converged
    assert abs(found.mu[0] - 0.4) < 3 * found.held_sd[0]
    assert 0.01 < found.held_sd[0] < 0.3
    online = populations.learn(data, "forgetting", "gem_shared", settings={"batch": 20})
    assert online.held_sd[0] == pytest.approx(found.held_sd[0], rel=0.3)
    fits = bf.fit(data, "forgetting", "gem_shared")
    assert np.ptp(np.stack(fits["alpha"])) == 0


def test_pooling_beats_fitting_alone_where_data_are_few():
    off_centre = [(1.0, (-0.8, 0.6), (0.4, 0.4))]  # of the box, so that a prior centred there is no hidden help
    data = simulate.simulate_population("few", off_centre, 200, 30, np.random.default_rng(8))
    ways = {"pooled": ("gem", {}), "alone, with a prior": ("gem", {"prior": "fixed"}), "alone": ("profile", {})}
    scores = {way: bf.score(data, bf.fit(data, "forgetting", method, settings=s)) for way, (method, s) in ways.items()}
    errors = pd.DataFrame({way: table[["kl", "alpha_error", "beta_error"]].mean() for way, table in scores.items()})
    assert (errors["pooled"] < errors["alone, with a prior"]).all()
    assert (errors["pooled"] < errors["alone"]).all()


@pytest.mark.parametrize("method", ["gem", "gem_shared"])
@pytest.mark.parametrize("model", PUBLISHED_MODELS)
def test_every_family_is_fitted_within_its_box(method, model):
    data = small(5, model=model)
    fits = bf.fit(data, model, method, settings={"iterations": 20})
    assert set(fits["status"]) <= {"converged", "limit"}
    scores = bf.score(data, fits)
    assert scores["admissible"].all()
    assert scores["claim_held"].all()
    for row in fits.itertuples():
        for name in ("alpha", "beta"):
            low, middle, high = (row.posterior[f"{name}_{part}"] for part in ("lower", "median", "upper"))
            assert (low <= middle).all()
            assert (middle <= high).all()


@pytest.mark.parametrize("settings", [{}, {"batch": 2}])
def test_the_same_seed_gives_the_same_table(settings):
    data = small(5)
    first, second = (
        bf.fit(data, "forgetting", "gem", settings={"iterations": 5, **settings}).drop(
            columns=["t_wall", "t_cpu", "t_solve", "t_published"]
        )
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(first, second)


def test_times_are_shared_over_the_rows():
    fits = bf.fit(small(5), "forgetting", "gem")
    assert fits["t_wall"].nunique() == 1
    assert (fits["t_solve"] <= fits["t_wall"]).all()
    assert len(bf.fit(small(5), "forgetting", "gem", episodes=[])) == 0


@pytest.mark.parametrize("method", ["gem", "gem_shared"])
def test_a_bad_participant_does_not_stop_the_rest(method):
    data = small(5)
    rewards = data.rewards.copy()
    rewards[2] = np.where(np.arange(60) % 2, 1e308, -1e308)  # finite, but no likelihood made of them is
    fits = bf.fit(replace(data, rewards=rewards, truth=None), "forgetting", method)
    assert fits["status"].tolist() == ["converged"] * 2 + ["failed"] + ["converged"] * 2
    assert "no mode" in fits["message"][2]
    alone = bf.fit(replace(data, rewards=rewards, truth=None), "forgetting", method, episodes=[2])
    assert alone["status"].tolist() == ["failed"]


@pytest.mark.parametrize("factor", [1.0, 1000.0])
@pytest.mark.parametrize(("method", "model"), [("gem", "forgetting"), ("gem_shared", "forgetting"), ("gem", "per_arm")])
def test_people_at_a_bound_are_counted_as_the_judge_counts_them(method, model, factor):
    bandit = {"p_reward": (0.8, 0.3), "p_switch": 0.05, "seed": 7}
    data = bf.simulate("eager", model, n_episodes=12, n_steps=150, beta=((8, 12),), **bandit)
    data = replace(data, rewards=factor * data.rewards, bounds=None, truth=None, model=None, reward_scale=None)
    fits = bf.fit(data, model, method, bounds=bf.Bounds((0, 1), ((0, 1 / factor),)))
    at_bound = bf.score(data, fits)["at_bound"]
    n = sum("beta[reward" in text for text in at_bound)
    assert n > 0
    assert fits["message"].str.endswith(f"; {n} of 12 people end at the upper bound of beta[reward]").all()
    wide = bf.fit(data, model, method, bounds=bf.Bounds((0, 1), ((0, 60 / factor),)))
    assert not wide["message"].str.contains("people").any()


@pytest.mark.parametrize("model", PUBLISHED_MODELS)
@pytest.mark.parametrize("method", ["gem", "gem_shared", "gem_map", "gem_laplace", "gem_logit"])
def test_people_who_tell_nothing_are_fitted_without_a_word_of_error(method, model):
    data = bf.Dataset("silent", np.array([[0, 1, 1], [0, -1, -1]]), np.zeros((2, 3)), 2)
    fits = bf.fit(data, model, method)
    assert (fits["status"] == "converged").all()
    rewarded = [name for name in bf.get_model(model).parameter_names(2) if "reward" in name]
    for names in fits["not_identified"]:
        assert set(rewarded) <= set(names.split())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"nodes": 2}, "nodes is 2, expected at least 3"),
        ({"points": 100}, "points is 100, expected a power of two, at least 32"),
        ({"tolerance": 0.0}, "tolerance is 0, expected a positive number"),
        ({"batch": -1}, "batch is -1, expected at least 0"),
        ({"links": "cauchit"}, "links: found 'cauchit', expected one of 'probit', 'logit'"),
        ({"node": 7}, "key 'node' is not known"),
    ],
)
def test_a_bad_setting_is_one_sentence(settings, words):
    with pytest.raises(bf.InputError, match=f"settings of method 'gem'[:,] {words}"):
        bf.fit(small(2), "forgetting", "gem", settings=settings)


def test_logit_links_are_told_of_no_bounds():
    one = problems_of(small(1))[0]
    assert population.begin(one, population.Settings(links="logit"), shared=False).kinds.tolist() == [LOGIT, LOG]


def test_held_out_trials_lie_between_chance_and_truth():
    data = small(20, n_steps=120, seed=9)
    runs = {name: (name, {}) for name in ("d_loc", "gem", "gem_shared", "cvx_fast")}
    table = held_out.held_out(data, "forgetting", runs, folds=4)
    assert table.groupby("run")["episode"].nunique().eq(20).all()
    assert table["n_scored"].eq(60).all()
    summary = held_out.summarise_held_out(table).set_index("run")
    assert summary.loc["chance", "nll"] == pytest.approx(np.log(2))
    assert summary.loc["truth", "nll"] < summary.loc["gem", "nll"] < summary.loc["chance", "nll"]
    assert summary.loc["truth", "nll"] < summary.loc["cvx_fast", "nll"] < summary.loc["chance", "nll"]  # by kernels alone
    assert (summary["low"] <= summary["nll"]).all()
    assert (summary["nll"] <= summary["high"]).all()


@pytest.mark.parametrize("method", ["gem", "gem_shared", "gem_logit"])
@pytest.mark.parametrize("model", ["forgetting", "subrewards"])
def test_a_population_is_the_same_in_any_unit_of_rewards(method, model):
    told = replace(small(4, 30, model=model), bounds=None, truth=None)
    cents = replace(told, rewards=64.0 * told.rewards, reward_scale=None)
    scale = np.array([64.0 if "beta[reward" in name else 1.0 for name in bf.get_model(model).parameter_names(2)])
    how = {"iterations": 5} if model == "subrewards" else {}  # as far as it goes
    one, other = (populations.learn(data, model, method, how) for data in (told, cents))
    h = np.linspace(-1.0, 1.0, len(scale))
    np.testing.assert_allclose(other.Sigma, one.Sigma, rtol=1e-9)
    np.testing.assert_allclose(other.theta(other.mu) * scale, one.theta(one.mu), rtol=1e-9)
    if method != "gem_logit":
        np.testing.assert_allclose(other.theta(h) * scale, one.theta(h), rtol=1e-9)
    first, second = (parameters.parameters(data, model, method, how)[0] for data in (told, cents))
    for column in ("centre", "low", "high"):
        np.testing.assert_allclose(second[column] * scale, first[column], rtol=1e-9)
    np.testing.assert_allclose(first["centre"], one.theta(one.mu), rtol=1e-9)
    runs = {"run": (method, how), "local": ("profile", {})}
    first, second = (held_out.held_out(data, model, runs, folds=2) for data in (told, cents))
    np.testing.assert_allclose(second["nll"], first["nll"], rtol=1e-9)


def test_held_out_parameters_do_not_see_what_they_predict():
    data = small(8, n_steps=80, seed=10)
    changed = data.choices.copy()
    changed[:, 40:] = 1 - changed[:, 40:]
    one, other = (held_out.first_trials(d, 0.5) for d in (data, replace(data, choices=changed)))
    a, b = (bf.fit(d, "forgetting", "gem")["alpha"] for d in (one, other))
    np.testing.assert_array_equal(np.stack(a), np.stack(b))


def test_external_validity_of_a_criterion_made_of_the_parameter():
    data = small(30)
    fits = bf.fit(data, "forgetting", "gem")
    criterion = {i: float(b[0, 0]) for i, b in zip(fits["id"], fits["beta"], strict=True)}
    table = coverage.external_validity(fits, criterion).set_index(["parameter", "coefficient"])
    assert table.loc[("beta[reward]", "pearson"), "r"] == pytest.approx(1.0)
    row = table.loc[("alpha[reward]", "spearman")]
    assert row["low"] < row["r"] < row["high"]
    with pytest.raises(bf.InputError, match="expected at least 4 participants"):
        coverage.external_validity(fits, dict(list(criterion.items())[:3]))


def test_a_simulated_criterion_is_bounded_by_its_noise():
    data = small(60)
    scores = bf.score(data, pd.concat([bf.fit(data, "forgetting", m) for m in ("gem", "d_loc", "cvx_fast")]))
    table = coverage.validity(data, scores)
    assert set(table["run"]) == {"truth", "gem", "d_loc"}  # a free kernel has no parameters
    r = table[table["coefficient"] == "pearson"].set_index(["run", "parameter"])["r"]
    ceiling = 1.0 / np.sqrt(1.0 + coverage.NOISE**2)
    for parameter in ("alpha[reward]", "beta[reward]"):
        assert r["truth", parameter] == pytest.approx(ceiling, abs=0.2)
        assert 0.2 < r["gem", parameter] < 0.9
    assert coverage.validity(replace(data, truth=None), scores).empty


def test_a_simulated_criterion_of_a_model_that_has_parameters_by_arm():
    data = bf.published_data("per_arm", "2arm").select(range(6))
    scores = bf.score(data, bf.fit(data, "per_arm", "d_loc"))
    assert set(coverage.validity(data, scores)["parameter"]) == {"alpha[reward,0]", "beta[reward,0]"}


def test_a_criterion_is_read_from_a_file(tmp_path):
    data = small(6)
    scores = bf.score(data, bf.fit(data, "forgetting", "d_loc"))
    path = tmp_path / "traits.csv"
    path.write_text("episode,age,criterion\n" + "".join(f"{e},30,{e**2}\n" for e in range(5)) + "5,31,\n")
    table = coverage.validity(data, scores, path)
    assert set(table["n"]) == {5}
    assert len(table) == 4  # two parameters, two coefficients
    for text, words in [
        ("episode\n1\n", "row 1: found 'episode', expected the columns"),
        ("", "row 1: found an empty file"),
        ("episode,criterion\n9,1\n", "row 2: found episode '9'"),
        ("episode,criterion\n1,1\n1,2\n", "row 3: found episode '1'"),
        ("episode,criterion\n1,tall\n", "row 2: found criterion 'tall'"),
        ("episode,criterion\n1\n", "row 2: found 1 cells, expected 2"),
    ]:
        path.write_text(text)
        with pytest.raises(bf.InputError, match=words):
            coverage.validity(data, scores, path)


def test_the_population_study_names_a_winner_in_every_cell():
    runs = {"d_loc": ("d_loc", {"starts": 1}), "gem": ("gem", {})}
    study = who_wins.study(runs, sizes=(5, 10), steps=(20, 40), replicates=2)
    assert len(study) == 2 * 2 * 2 * 2 * 2
    assert not study.isna().any().any()
    won = who_wins.winners(study)
    assert won["winner"].isin(["gem", "d_loc"]).all()
    assert won["sure"].isin([0.0, 0.5, 1.0]).all()
    assert (won["lead"] >= 1).all()


def test_quasi_random_points_have_the_moments_of_a_normal():
    for d in (3, 8, 20):
        unit, log_weights = nodes._points(512, d)
        np.testing.assert_allclose(unit.mean(axis=0), 0.0, atol=1e-12)
        # Weighted by importance, they are a standard normal, with its evidence and second moments.
        w = np.exp(log_weights - 0.5 * (unit**2).sum(axis=1) - 0.5 * d * np.log(2 * np.pi))
        assert w.sum() == pytest.approx(1.0)
        np.testing.assert_allclose(unit.T @ (w[:, None] * unit), np.eye(d), atol=1e-9)
        assert 1.0 / (w**2).sum() > 512 / 4  # effective points of a posterior that is normal


@pytest.mark.parametrize("model", ["per_arm", "subrewards"])
def test_points_beyond_two_dimensions_agree_with_the_sampler(model):
    data = small(3, n_steps=100, seed=12, model=model)
    fits = bf.fit(data, model, "gem", settings={"prior": "fixed"})  # whose prior is uniform, as that of `mc`
    sampled = bf.fit(data, model, "mc")
    off, ratio = [], []
    for one, other in zip(fits["posterior"], sampled["posterior"], strict=True):
        for symbol in ("alpha", "beta"):
            off.append((one[f"{symbol}_median"] - other[f"{symbol}_median"]) / other[f"{symbol}_sd"])
            ratio.append(one[f"{symbol}_sd"] / other[f"{symbol}_sd"])
    assert np.abs(off).max() < 0.3
    # One posterior in these has a second hump far from the mode, which points around the mode hardly meet.
    assert np.median(np.abs(np.array(ratio) - 1.0)) < 0.1
    assert np.abs(np.array(ratio) - 1.0).max() < 0.5


def test_many_dimensions_converge_and_say_how():
    data = small(40, n_steps=100, seed=13, model="per_arm")
    found = populations.learn(data, "per_arm")
    assert found.converged
    assert len(found.objective) < 30
    assert 1 <= found.kept <= len(found.objective)
    assert found.objective[found.kept - 1] == max(found.objective)


def test_laplace_ends_where_its_steps_do_and_says_how_far_from_its_best():
    for seed in (15, 16):
        data = small(20, n_steps=60, seed=seed, model="subrewards")
        found = populations.learn(data, "subrewards", settings={"moments": "laplace"})
        problems = problems_of(data)
        start = population.begin(problems[0], population.Settings(moments="laplace"), shared=False)
        assert found.converged
        assert found.kept == len(found.objective)
        assert em._change(em._raised(found, em.members(problems, found), start), found) < 5e-3
        assert (max(found.objective) > found.objective[-1]) == (" nats" in found.reason)


def test_leaps_end_where_steps_do_and_sooner():
    data = small(20, n_steps=60, seed=4, model="per_arm")
    problems, settings = problems_of(data), population.Settings(moments="laplace", tolerance=1e-4)
    found, _ = em.learn(problems, settings, np.random.default_rng(0))
    start = now = population.begin(problems[0], settings, shared=False)
    rounds, change = 0, 1.0
    while change > settings.tolerance:
        now, before = em._raised(now, em.members(problems, now), start), now
        change, rounds = em._change(now, before), rounds + 1
    assert len(found.objective) < rounds
    assert em._change(found, now) < 0.01


def test_a_population_is_its_coordinates():
    data = small(20, n_steps=60, seed=4, model="per_arm")
    found = populations.learn(data, "per_arm", settings={"moments": "laplace", "iterations": 3})
    again = acceleration.at(found, acceleration.coordinates(found))
    np.testing.assert_allclose(again.mu, found.mu)
    np.testing.assert_allclose(again.Sigma, found.Sigma)


def test_variational_moments_of_many_dimensions_converge():
    data = small(8, n_steps=40, seed=3, model="per_arm", bandit="10arm")
    found = populations.learn(data, "per_arm", settings={"moments": "variational", "tolerance": 0.01})
    assert found.converged
    assert found.objective[-1] > found.objective[0]


def test_quadrature_error_is_told_from_a_rise_and_from_a_fall():
    assert em._noise([5.0, 5.2, 5.1, 5.15, 5.05, 5.12]) == pytest.approx(0.1)
    for trace in ([0, 1, 2, 3, 5, 9], [9, 8, 7, 6, 5, 4], [0, 1, 2, 9, 8, 9], [1, 2, 1]):
        assert em._noise([float(v) for v in trace]) is None


def test_what_the_data_say_little_about_keeps_its_variance():
    uniform = [(1.0, (0.0, 0.0), (1.0, 1.0))]  # on the box: the prior's own population, so that posteriors average to it
    data = simulate.simulate_population("wide", uniform, 60, 60, np.random.default_rng(16), "subrewards")
    problems = problems_of(data)
    coarse, fine = (
        population.expect(problems, population.begin(problems[0], population.Settings(points=n), shared=False)).V
        for n in (1024, 8192)
    )
    ratio = np.diagonal(coarse, axis1=1, axis2=2).mean(axis=0) / np.diagonal(fine, axis1=1, axis2=2).mean(axis=0)
    assert np.abs(ratio - 1.0).max() < 0.08


def test_standard_errors_are_those_of_many_populations():
    runs = {"gem": ("gem", {})}
    table = recovery.recovery(runs, replicates=12, size=60, steps=60, seed=3)
    for symbol in ("mean", "sd"):
        spread = table.groupby("parameter")[symbol].std(ddof=1)
        told = table.groupby("parameter")[f"{symbol}_se"].median()
        assert (told / spread).between(0.5, 2.0).all(), (symbol, told, spread)
    summary = recovery.summarise_recovery(table)
    assert summary["variance_ratio"].between(0.6, 1.5).all()


def test_bootstrapped_errors_are_near_those_of_the_information():
    data = small(80, n_steps=80, seed=14)
    table, trace = parameters.parameters(data, "forgetting", bootstrap=12)
    assert (table["mean_boot"] / table["mean_se"]).between(0.4, 2.5).all()
    assert (table["sd_boot"] / table["sd_se"]).between(0.3, 2.5).all()
    assert (table["low"] < table["centre"]).all()
    assert trace["kept"].sum() == 1
    few = parameters.parameters(small(3), "forgetting")[0]
    assert few["sd_se"].isna().all()  # three participants do not say how sure they are


def test_the_hierarchical_posterior_agrees_with_gem():
    data = simulate.simulate_population("h", simulate.POPULATIONS["normal"], 30, 100, np.random.default_rng(2))
    table = hierarchical.compare(data, "forgetting", chains=2, tune=300, draws=500)
    assert (table["divergences"] == 0).all()
    assert (table["r_hat"] < 1.05).all()
    for symbol in ("mean", "sd"):
        assert ((table[f"gem_{symbol}"] - table[f"nuts_{symbol}"]).abs() < 0.75 * table[f"nuts_{symbol}_sd"]).all()
        assert (table[f"gem_{symbol}_se"] / table[f"nuts_{symbol}_sd"]).between(0.5, 1.6).all()


def test_the_gradient_of_the_hierarchical_density_is_right():
    data = small(3, n_steps=30)
    words = hierarchical._packed(problems_of(data))
    u = 0.5 * np.random.default_rng(0).normal(size=2 + 3 + 6)
    value = lambda at: hierarchical.log_density(at, np.empty_like(at), words)  # noqa: E731
    slope = np.empty_like(u)
    hierarchical.log_density(u, slope, words)
    numeric = [(value(u + step) - value(u - step)) / 2e-6 for step in 1e-6 * np.eye(len(u))]
    np.testing.assert_allclose(slope, numeric, atol=1e-6)


def test_intervals_cover_the_truth_of_their_own_population():
    data = small(100, n_steps=100, seed=11)
    table = coverage.coverage(data, bf.fit(data, "forgetting", "gem"))
    assert table["coverage"].between(0.88, 1.0).all()
    assert (table["low"] < table["coverage"]).all()
