from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import banditfit as bf
from banditfit.experiments import calibration, draws
from banditfit.figures import chains
from banditfit.methods import get_method, mc
from banditfit.models import likelihood
from banditfit.solvers import transport
from banditfit.tables import posterior
from conftest import make

BOX = bf.Bounds((0.0, 1.0), ((0.0, 5.0),))
PRIORS = [
    ("uniform", "uniform"),
    ("beta(2, 3)", "gamma(2, 1.5)"),
    ("beta(0.5, 0.5)", "lognormal(0.3, 0.8)"),
]
DISTRIBUTIONS = {
    "beta(2, 3)": stats.beta(2, 3),
    "beta(0.5, 0.5)": stats.beta(0.5, 0.5),
    "gamma(2, 1.5)": stats.gamma(2, scale=1.5),
    "lognormal(0.3, 0.8)": stats.lognorm(0.8, scale=np.exp(0.3)),
}


def episode(steps=60, n_arms=2, seed=1, box=BOX):
    """An agent with alpha .4 and beta 3 (of the box of two arms), on arms that pay with probabilities .8, .3, .3, ..."""
    rng = np.random.default_rng(seed)
    choices, rewards, value = np.zeros((1, steps), int), np.zeros((1, steps)), np.zeros(n_arms)
    for t in range(steps):
        choices[0, t] = rng.choice(n_arms, p=np.exp(value) / np.exp(value).sum())
        rewards[0, t] = rng.uniform() < (0.8 if choices[0, t] == 0 else 0.3)
        value *= 0.6
        value[choices[0, t]] += 0.4 * 3.0 * rewards[0, t]
    return bf.Dataset("agent", choices, rewards, n_arms, model="forgetting", bounds=box)


def problem_of(data, model="forgetting"):
    return likelihood.problem(data, 0, bf.get_model(model), data.bounds)


def midpoints(problem, n, priors=("uniform", "uniform")):
    """n x n nodes of equal prior mass (quantiles of the truncated prior): alpha (n,), beta (n,), log-likelihoods (n, n)."""
    axes = []
    for prior, low, high in zip(priors, problem.lower, problem.upper, strict=True):
        law = DISTRIBUTIONS.get(prior, stats.uniform(low, max(high - low, 1e-12)))
        edges = law.cdf(low), law.cdf(high)
        axes.append(law.ppf(edges[0] + (edges[1] - edges[0]) * (np.arange(n) + 0.5) / n))
    return *axes, -np.array([[problem.nll_theta(np.array([a, b])) for b in axes[1]] for a in axes[0]])


@pytest.mark.parametrize("priors", PRIORS)
def test_quadrature_is_the_sum_over_a_dense_grid(priors):
    data = episode()
    settings = dict(zip(("prior_alpha", "prior_beta"), priors, strict=True))
    row = bf.fit(data, "forgetting", "quadrature", settings=settings).iloc[0]
    alpha, beta, logs = midpoints(problem_of(data), 300, priors)
    mass = np.exp(logs - logs.max())
    evidence = np.log(mass.mean()) + logs.max()
    mass /= mass.sum()
    mean = mass.sum(axis=1) @ alpha, mass.sum(axis=0) @ beta
    sd = np.sqrt(mass.sum(axis=1) @ (alpha - mean[0]) ** 2), np.sqrt(mass.sum(axis=0) @ (beta - mean[1]) ** 2)
    assert row["status"] == "converged"
    assert [row["alpha"].item(), row["beta"].item()] == pytest.approx(mean, rel=2e-4)
    found = row["posterior"]
    assert [found["alpha_sd"].item(), found["beta_sd"].item()] == pytest.approx(sd, rel=1e-3)
    assert row["diagnostics"]["log_evidence"] == pytest.approx(evidence, abs=2e-4)
    np.testing.assert_allclose(found["policy"].sum(axis=1), 1.0, atol=1e-9)
    law = DISTRIBUTIONS.get(priors[1], stats.uniform(0.0, 5.0))
    for name, p in transport.QUANTILES.items():
        quantile = found[f"beta_{name}"].item()
        box = bf.Bounds((0.0, 1.0), ((0.0, quantile),))
        _, _, logs = midpoints(problem_of(replace(data, bounds=box)), 300, priors)
        below = np.exp(logs).mean() * law.cdf(quantile) / law.cdf(5.0)
        assert below / np.exp(evidence) == pytest.approx(p, abs=1e-4)


def test_mean_policy_is_the_weighted_policy_of_a_grid():
    data = episode(steps=20)
    problem = problem_of(data)
    alpha, beta, logs = midpoints(problem, 60)
    mass = np.exp(logs - logs.max())
    policy = sum(
        mass[i, j] * np.exp(likelihood.log_policy(problem.values(np.array([[a]]), np.array([[b]]))))
        for i, a in enumerate(alpha)
        for j, b in enumerate(beta)
    )
    row = bf.fit(data, "forgetting", "quadrature").iloc[0]
    np.testing.assert_allclose(row["posterior"]["policy"], policy / mass.sum(), atol=1e-4)


def test_quadrature_finds_a_narrow_posterior():
    data = episode(steps=5_000)
    row = bf.fit(data, "forgetting", "quadrature").iloc[0]
    best = bf.fit(data, "forgetting", "d_loc").iloc[0]
    assert row["posterior"]["alpha_sd"].item() < 0.03
    # With this many trials the posterior is the normal around the maximum: mean and mode differ by a fraction of an sd.
    assert abs(row["alpha"].item() - best["alpha"].item()) < 0.2 * row["posterior"]["alpha_sd"].item()
    assert abs(row["beta"].item() - best["beta"].item()) < 0.2 * row["posterior"]["beta_sd"].item()
    width = row["posterior"]["beta_upper"].item() - row["posterior"]["beta_lower"].item()
    assert width == pytest.approx(2 * 1.96 * row["posterior"]["beta_sd"].item(), rel=0.02)


def test_without_rewards_the_posterior_is_the_prior():
    data = episode()
    silent = bf.Dataset("silent", data.choices, np.zeros_like(data.rewards), 2, model="forgetting", bounds=BOX)
    row = bf.fit(silent, "forgetting", "quadrature").iloc[0]
    # The prior's mean is no estimate: it stands where the method's own numbers do.
    assert np.isnan(row["alpha"].item()) and np.isnan(row["beta"].item())
    assert row["fillers"]["alpha"].item() == pytest.approx(0.5, abs=1e-9)
    assert row["fillers"]["beta"].item() == pytest.approx(2.5, abs=1e-9)
    assert row["posterior"]["beta_upper"].item() == pytest.approx(0.975 * 5.0, abs=1e-7)
    assert row["diagnostics"]["log_evidence"] == pytest.approx(60 * np.log(0.5), abs=1e-9)


def test_a_parameter_with_equal_bounds_stays_there():
    data = episode(box=bf.Bounds((0.0, 1.0), ((3.0, 3.0),)))
    row = bf.fit(data, "forgetting", "quadrature", settings={"prior_beta": "gamma(2, 1)"}).iloc[0]
    alpha, _, logs = midpoints(problem_of(data), 200)
    mass = np.exp(logs - logs.max())
    assert row["beta"].item() == pytest.approx(3.0)
    assert row["alpha"].item() == pytest.approx(mass.sum(axis=1) @ alpha / mass.sum(), rel=1e-4)
    assert row["diagnostics"]["log_evidence"] == pytest.approx(np.log(mass.mean()) + logs.max(), abs=1e-4)


def test_quadrature_refuses_other_models_and_bad_priors():
    data = episode()
    with pytest.raises(bf.InputError, match="'quadrature' needs one rate and one weight"):
        bf.fit(data, "per_arm", "quadrature")
    for text in ("beta(2)", "beta(2, -1)", "gamma(2, 1)", "beta(1e999, 1)", "normal(0, 1)"):
        with pytest.raises(bf.InputError, match="prior_alpha is"):
            get_method("quadrature").read_settings("quadrature", {"prior_alpha": text})


@pytest.mark.parametrize("method", ["quadrature", "mc"])
@pytest.mark.parametrize(
    ("which", "text"),
    [
        ("alpha", "beta(1e308, 1e308)"),
        ("alpha", "beta(1, 1e-300)"),
        ("beta", "gamma(1, 1e-300)"),
        ("beta", "gamma(1, 1e300)"),
        ("beta", "gamma(1e12, 1)"),
        ("beta", "lognormal(0, 1e-300)"),
        ("beta", "lognormal(0, 1e300)"),
        ("beta", "lognormal(1e308, 1)"),
    ],
)
def test_a_prior_of_no_use_is_refused_with_what_its_numbers_may_be(method, which, text):
    with pytest.raises(bf.InputError, match=r"prior_\w+ is '.*', expected one of .* from .* to"):
        get_method(method).read_settings(method, {f"prior_{which}": text})


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        (("beta(1e6, 1e6)", "uniform"), "300000 nodes"),
        (("uniform", "gamma(1e6, 1e-6)"), "300000 nodes"),
        (("beta(0.001, 0.001)", "uniform"), "too near a bound"),
        (("uniform", "gamma(1, 1e-100)"), "too near a bound"),
        (("uniform", "lognormal(500, 0.0001)"), "too near a bound"),
    ],
)
def test_quadrature_ends_where_a_prior_is_too_narrow_to_be_resolved(priors, words):
    settings = dict(zip(("prior_alpha", "prior_beta"), priors, strict=True))
    row = bf.fit(episode(), "forgetting", "quadrature", settings=settings).iloc[0]
    assert row["status"] == "limit" and words in row["message"] and "choose" in row["message"]
    assert row["n_eval"] <= 300_000
    assert 0.0 <= row["fillers"]["alpha"].item() <= 1.0 if row["not_identified"] else 0.0 <= row["alpha"].item() <= 1.0
    assert 0.0 <= row["beta"].item() <= 5.0


def test_the_evidence_under_two_sharp_priors_is_the_likelihood_at_their_point():
    settings = {"prior_alpha": "beta(1e6, 1e6)", "prior_beta": "gamma(1e6, 1e-6)"}
    data = episode()
    row = bf.fit(data, "forgetting", "quadrature", settings=settings).iloc[0]
    assert row["status"] == "converged"
    assert row["diagnostics"]["log_evidence"] == pytest.approx(-problem_of(data).nll_theta(np.array([0.5, 1.0])), abs=1e-3)


@pytest.mark.parametrize("model", ["forgetting", "per_arm", "subrewards"])
def test_log_density_has_the_gradient_of_finite_differences(model):
    family = bf.get_model(model)
    box = bf.Bounds((0.0, 1.0), ((0.0, 5.0),) * family.n_signals)
    data = episode(n_arms=3, box=box)
    problem = problem_of(data, model)
    prior = transport.coefficients(problem, "beta(2, 3)", "lognormal(0.3, 0.8)")
    inputs = (problem.episode, problem.lower, problem.upper, prior)
    u = np.random.default_rng(0).normal(size=len(problem.lower))
    gradient, unused = np.empty_like(u), np.empty_like(u)
    value = transport.log_density(u, gradient, *inputs)

    def expected(u):
        theta = transport.theta_of(problem, u)
        alpha, beta = np.split(theta, 2)
        prior = stats.beta(2, 3).logpdf(alpha).sum() + stats.lognorm(0.8, scale=np.exp(0.3)).logpdf(beta).sum()
        return -problem.nll_theta(theta) + prior - u @ u / 2

    other = transport.log_density(np.zeros_like(u), unused, *inputs)
    assert value - other == pytest.approx(expected(u) - expected(np.zeros_like(u)), abs=1e-9)
    for k in range(len(u)):
        step = np.zeros_like(u)
        step[k] = 1e-6
        numeric = (transport.log_density(u + step, unused, *inputs) - transport.log_density(u - step, unused, *inputs)) / 2e-6
        assert gradient[k] == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize("model", ["forgetting", "per_arm", "subrewards"])
def test_transport_is_exact_and_its_density_has_the_gradient_of_finite_differences(model):
    family = bf.get_model(model)
    box = bf.Bounds((0.0, 1.0), ((0.0, 5.0),) * family.n_signals)
    problem = problem_of(episode(n_arms=3, box=box), model)
    prior = transport.coefficients(problem, "beta(2, 3)", "lognormal(0.3, 0.8)")
    inputs = (problem.episode, problem.lower, problem.upper, prior)
    splines = transport.transport(problem, prior)  # and pairs
    v = np.random.default_rng(0).normal(scale=2.0, size=len(problem.lower))
    v[0] = -5.5  # beyond the table
    gradient, unused = np.empty_like(v), np.empty_like(v)
    value = transport.transported_log_density(v, gradient, *inputs, *splines)
    steps = 1e-6 * np.eye(len(v))
    ahead, behind = (np.array([transport.transported(v + sign * step, *splines) for step in steps]) for sign in (1, -1))
    volume = np.linalg.slogdet((ahead - behind) / 2e-6)[1]
    assert value == pytest.approx(transport.log_density(transport.transported(v, *splines), unused, *inputs) + volume, abs=1e-6)
    for k, step in enumerate(steps):
        ahead, behind = (transport.transported_log_density(v + sign * step, unused, *inputs, *splines) for sign in (1, -1))
        assert gradient[k] == pytest.approx((ahead - behind) / 2e-6, abs=1e-5)


def test_transport_straightens_the_corner_where_choices_say_little():
    rng = np.random.default_rng(5)
    data = bf.Dataset(
        "random", rng.integers(2, size=(1, 200)), rng.integers(2, size=(1, 200)) * 1.0, 2, bounds=BOX, model="forgetting"
    )
    problem = problem_of(data)
    prior = transport.coefficients(problem, "uniform", "uniform")
    splines = transport.transport(problem, prior)  # and pairs
    inputs = (problem.episode, problem.lower, problem.upper, prior)
    grid = np.linspace(-5, 5, 201)
    for u_alpha in (-5.0, -2.0, 0.0, 2.0):
        at = [np.array([u_alpha, v]) for v in grid]
        logs = np.array([transport.transported_log_density(v, np.empty(2), *inputs, *splines) for v in at])
        mass = np.exp(logs - logs.max())
        mass /= mass.sum()
        mean = mass @ grid
        assert abs(mean) < 1.0 and 0.5 < np.sqrt(mass @ (grid - mean) ** 2) < 2.0
    # At alpha near 0 beta is free over all of its range; elsewhere these choices allow only a small one.
    free, held = (transport.transported(np.array([u_alpha, 2.0]), *splines)[1] for u_alpha in (-5.0, 0.0))
    assert free == pytest.approx(2.0, abs=0.05) and held < 1.0
    exact = bf.fit(data, "forgetting", "quadrature").iloc[0]
    sampled = bf.fit(data, "forgetting", "mc").iloc[0]
    for name in ("alpha", "beta"):
        sd = exact["posterior"][f"{name}_sd"].item()
        assert abs(sampled[name] - exact[name]).item() < 4 * sd / np.sqrt(sampled["diagnostics"]["ess_bulk"])


def test_mc_samples_beside_a_parameter_with_equal_bounds():
    data = episode(box=bf.Bounds((0.0, 1.0), ((3.0, 3.0),)))
    sampled, exact = (bf.fit(data, "forgetting", method).iloc[0] for method in ("mc", "quadrature"))
    assert sampled["status"] == "converged" and sampled["beta"].item() == 3.0
    assert sampled["alpha"].item() == pytest.approx(exact["alpha"].item(), abs=0.2 * exact["posterior"]["alpha_sd"].item())


@pytest.mark.parametrize("priors", [PRIORS[0], PRIORS[1]])
@pytest.mark.parametrize("seed", [1, 2])
def test_mc_agrees_with_quadrature_within_its_own_error(priors, seed):
    data = episode(steps=100, seed=seed)
    settings = dict(zip(("prior_alpha", "prior_beta"), priors, strict=True))
    sampled = bf.fit(data, "forgetting", "mc", settings=settings).iloc[0]
    exact = bf.fit(data, "forgetting", "quadrature", settings=settings).iloc[0]
    assert sampled["status"] == "converged"
    for name in ("alpha", "beta"):
        sd = exact["posterior"][f"{name}_sd"].item()
        error = sd / np.sqrt(sampled["diagnostics"]["ess_bulk"])
        assert abs(sampled[name] - exact[name]).item() < 4 * error
        assert sampled["posterior"][f"{name}_sd"].item() == pytest.approx(sd, rel=0.15)
        for quantile in transport.QUANTILES:
            assert abs(sampled["posterior"][f"{name}_{quantile}"] - exact["posterior"][f"{name}_{quantile}"]).item() < 0.3 * sd
    np.testing.assert_allclose(sampled["posterior"]["policy"], exact["posterior"]["policy"], atol=0.02)


def test_mc_rows_repeat_with_their_seed_and_carry_diagnostics():
    data = episode(box=bf.Bounds((0.0, 1.0), ((0.0, 5.0), (0.0, 2.0))))
    rows = [bf.fit(data, "subrewards", "mc", seed=seed).iloc[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(rows[0]["alpha"], rows[1]["alpha"])
    np.testing.assert_array_equal(rows[0]["posterior"]["beta_upper"], rows[1]["posterior"]["beta_upper"])
    assert (rows[0]["alpha"] != rows[2]["alpha"]).all()
    assert set(rows[0]["diagnostics"]) == {"r_hat", "ess_bulk", "ess_tail", "divergences", "e_bfmi", "draws_per_second"}
    assert rows[0]["posterior"]["alpha_median"].shape == (2, 2)
    assert rows[0]["posterior"]["policy"].shape == (60, 2)
    assert rows[0]["n_eval"] > 4 * 1500


def test_a_fit_that_fails_its_diagnostics_is_sampled_longer_and_stays_visible():
    data = episode()
    row = bf.fit(data, "forgetting", "mc", settings={"draws": 50, "ess": 5000}).iloc[0]
    assert row["status"] == "not_converged"
    assert "ess_bulk is" in row["message"] and "expected at least 5000" in row["message"]
    assert row["fallback"].startswith("sampled again, longer: ")
    assert np.isfinite(row["alpha"]).all()
    # The target lies just above what the first run reaches, which the longer one passes.
    first = bf.fit(data, "forgetting", "mc", settings={"draws": 150, "ess": 1}).iloc[0]
    assert first["status"] == "converged" and not first["fallback"]
    target = int(min(first["diagnostics"][name] for name in ("ess_bulk", "ess_tail"))) + 1
    rescued = bf.fit(data, "forgetting", "mc", settings={"draws": 150, "ess": target}).iloc[0]
    assert rescued["status"] == "converged" and rescued["fallback"] and not rescued["message"]


@pytest.mark.parametrize("stuck", [1, 4])
def test_chains_that_never_moved_are_complained_of(stuck):
    rng = np.random.default_rng(0)
    v, energy = rng.normal(size=(4, 100, 2)), rng.normal(size=(4, 100))
    v[:stuck], energy[:stuck] = v[:1, :1], energy[0, 0]
    theta = 1.0 / (1.0 + np.exp(-v))
    posterior = {"alpha": theta[..., :1, None], "beta": theta[..., 1:, None]}
    statistics = {"unconstrained_draw": v, "diverging": energy > 9.0, "energy": energy}
    groups = {"posterior": posterior, "sample_stats": statistics}
    axes = ("chain", "draw", "signal", "arm")
    found = mc.diagnose({name: xr.Dataset({k: (axes[: x.ndim], x) for k, x in held.items()}) for name, held in groups.items()})
    assert found["e_bfmi"] == 0.0
    assert {"r_hat", "e_bfmi"} <= {words.split()[0] for words in mc.complaints(found, mc.Settings()).split("; ")}


def test_mc_keeps_a_parameter_with_equal_bounds():
    data = episode(box=bf.Bounds((0.0, 1.0), ((3.0, 3.0),)))
    sampled, exact = (bf.fit(data, "forgetting", method).iloc[0] for method in ("mc", "quadrature"))
    assert sampled["beta"].item() == 3.0
    assert sampled["alpha"].item() == pytest.approx(exact["alpha"].item(), abs=0.05)


def test_mc_refuses_settings_it_cannot_honour():
    for settings, words in [
        ({"chains": 1}, "chains is 1, expected at least 2"),
        ({"target_accept": 1.0}, "target_accept is 1"),
        ({"prior_beta": "beta(1, 1)"}, "prior_beta is 'beta"),
    ]:
        with pytest.raises(bf.InputError, match=words):
            get_method("mc").read_settings("mc", settings)


def test_draws_are_those_of_the_row_and_can_be_drawn(tmp_path):
    data = episode()
    row = bf.fit(data, "per_arm", "mc", bounds=BOX).iloc[0]
    inference = draws.draws(data, row, bounds=BOX)
    np.testing.assert_allclose(inference.posterior["beta"].mean(("chain", "draw")), row["beta"], rtol=1e-12)
    inference.to_netcdf(tmp_path / "draws.nc")
    assert (tmp_path / "draws.nc").stat().st_size > 10_000
    table, thinned = (draws.draw_table(inference, most) for most in (None, 100))
    assert len(table) == 4 * 1000 * 2 and len(thinned) == 4 * 100 * 2
    assert table.groupby("arm")["beta"].mean().to_numpy() == pytest.approx(row["beta"].ravel(), rel=1e-12)
    assert len(chains.plot_draws(table).axes) == 2 * 5
    with pytest.raises(bf.InputError, match="found a fit of method 'quadrature'"):
        draws.draws(data, bf.fit(data, "forgetting", "quadrature").iloc[0])


def test_calibration_ranks_every_parameter_of_every_episode():
    how = {"p_reward": (0.8, 0.2), "p_switch": 0.0, "beta": ((0.0, 5.0),), "n_episodes": 12, "n_steps": 40, "seed": 3}
    ranks = pd.concat(
        [calibration.calibrate("per_arm", **how, episodes=part) for part in (range(7), range(7, 12))], ignore_index=True
    )
    again = calibration.calibrate("per_arm", **how, episodes=[9])
    pd.testing.assert_frame_equal(ranks[ranks["episode"] == 9].reset_index(drop=True), again)
    assert ranks.groupby("parameter").size().to_dict() == dict.fromkeys(
        ["alpha reward 0", "alpha reward 1", "beta reward 0", "beta reward 1"], 12
    )
    assert ranks["rank"].between(0, calibration.RANKS).all()
    # Uniform ranks have mean 49.5 and variance near 100 ** 2 / 12; parameters of an episode are not independent.
    assert abs(ranks["rank"].mean() - calibration.RANKS / 2) < 4 * 29 / np.sqrt(12)
    counts = calibration.counted(ranks)
    assert counts["n"].sum() == len(ranks) > len(counts)
    bars = [[[bar.get_height() for bar in ax.patches[1:]] for ax in chains.plot_ranks(t).axes] for t in (ranks, counts)]
    assert bars[0] == bars[1] and len(bars[0]) == 4


def test_uniform_ranks_pass_their_test_and_shifted_ones_fail():
    rng = np.random.default_rng(0)
    ranks = pd.DataFrame({"model": "m", "parameter": np.repeat(["good", "bad"], 2000), "sound": True})
    ranks["rank"] = np.concatenate([rng.integers(100, size=2000), rng.binomial(99, 0.5, size=2000)])
    ranks.loc[:4, "sound"] = False
    good, bad = calibration.uniformity(ranks).to_dict("records")
    assert 0.001 < good["p_value"] < 0.999 and good["unsound"] == 5 and good["mean_rank"] == pytest.approx(49.5, abs=2)
    assert bad["p_value"] < 1e-12


def judged(alpha, settings="{}", method="quadrature", **changes):
    """Rows of scores with means `alpha`, one per episode; beta likewise."""
    cell = lambda value: np.array([[value]])  # noqa: E731
    rows = [
        {
            "dataset": "d",
            "model": "forgetting",
            "run": method,
            "method": method,
            "episode": e,
            "settings": settings,
            "alpha": cell(value),
            "beta": cell(value),
            "status": "converged",
            "fallback": "",
            "diagnostics": None,
            "posterior": {"alpha_sd": cell(0.5), "beta_sd": cell(0.5)},
        }
        | changes
        for e, value in enumerate(alpha)
    ]
    return pd.DataFrame(rows)


UNIFORM = '{"prior_alpha": "uniform", "prior_beta": "uniform"}'
SOUND = {"r_hat": 1.0, "ess_bulk": 400.0, "ess_tail": 500.0, "divergences": 0.0, "e_bfmi": 0.9, "draws_per_second": 1e4}


def test_errors_of_monte_carlo_are_in_its_standard_errors():
    exact = judged([1.0, 2.0, 3.0], settings=UNIFORM)
    mc = judged([1.05, 1.95, 3.1], settings=UNIFORM, method="mc", diagnostics=SOUND)  # standard error .5 / 20
    z = posterior.errors(pd.concat([exact, mc]))
    assert z[z["parameter"] == "alpha"]["z"].to_numpy() == pytest.approx([2.0, -2.0, 4.0])
    table = posterior.agreement(pd.concat([exact, mc])).set_index(["parameter", "limit"])
    near = table.loc["beta", 1.96]
    assert (near["n"], near["beyond"], near["z_largest"]) == (3, 3, pytest.approx(4.0))
    assert near["p_value"] == pytest.approx(near["chance"] ** 3) and near["chance"] == pytest.approx(0.05, abs=1e-4)
    assert table.loc["beta", 2.58]["beyond"] == 1
    # Neither fits under other priors nor those that did not converge are held against one another.
    mc["settings"] = UNIFORM.replace("uniform", "beta(2, 2)", 1)
    assert posterior.errors(pd.concat([exact, mc])).empty and posterior.agreement(pd.concat([exact, mc])).empty
    assert posterior.errors(pd.concat([exact, mc.assign(settings=UNIFORM, status="not_converged")])).empty


def test_diagnostics_count_what_fails_by_the_bars_of_the_method():
    bad = SOUND | {"r_hat": 1.2, "ess_bulk": 399.0}
    fits = judged([0.1, 0.2, 0.3, 0.4], method="mc", diagnostics=SOUND)
    fits.at[1, "diagnostics"] = bad
    fits.loc[1, ["status", "fallback"]] = ["not_converged", "sampled again, longer: r_hat is 1.3"]
    fits.loc[2, "fallback"] = "sampled again, longer: r_hat is 1.1"
    fits.loc[3, "status"], fits.loc[3, "diagnostics"] = "failed", None
    table = posterior.diagnostics(fits).set_index("diagnostic")
    assert list(table.index) == list(posterior.DIAGNOSTICS)
    assert table["failing"].to_dict() == dict.fromkeys(posterior.DIAGNOSTICS, 0) | {"r_hat": 1, "ess_bulk": 1}
    assert table.loc["r_hat", ["n", "max", "bar", "sampled_again", "not_converged"]].tolist() == [3, 1.2, "at most 1.01", 2, 1]
    assert table.loc["draws_per_second", "bar"] == "" and table.loc["ess_tail", "bar"] == "at least 400"
    assert posterior.diagnostics(fits.assign(method="quadrature")).empty


def test_kept_draws_are_those_of_the_fit_in_any_unit():
    data = make("forgetting", n_episodes=1)
    points = bf.Dataset(data.name, data.choices, 100.0 * data.rewards, n_arms=3)
    fits = bf.fit(points, "forgetting", "mc", settings={"draws": 100, "tune": 100, "chains": 2})
    drawn = draws.draws(points, fits.iloc[0]).posterior
    for symbol in ("alpha", "beta"):
        mean = drawn[symbol].mean(("chain", "draw")).to_numpy()
        np.testing.assert_allclose(mean, fits[symbol][0], rtol=1e-12)
