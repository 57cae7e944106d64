from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import banditfit as bf
from banditfit import likelihood
from banditfit.methods import _posterior, get_method

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
    posterior = row["posterior"]
    assert [posterior["alpha_sd"].item(), posterior["beta_sd"].item()] == pytest.approx(sd, rel=1e-3)
    assert row["diagnostics"]["log_evidence"] == pytest.approx(evidence, abs=2e-4)
    np.testing.assert_allclose(posterior["policy"].sum(axis=1), 1.0, atol=1e-9)
    law = DISTRIBUTIONS.get(priors[1], stats.uniform(0.0, 5.0))
    for name, p in _posterior.QUANTILES.items():
        quantile = posterior[f"beta_{name}"].item()
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
    assert row["alpha"].item() == pytest.approx(0.5, abs=1e-9)
    assert row["beta"].item() == pytest.approx(2.5, abs=1e-9)
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
    with pytest.raises(bf.InputError, match="'quadrature': found model 'per_arm', expected forgetting"):
        bf.fit(data, "per_arm", "quadrature")
    for text in ("beta(2)", "beta(2, -1)", "gamma(2, 1)", "beta(1e999, 1)", "normal(0, 1)"):
        with pytest.raises(bf.InputError, match="prior_alpha is"):
            get_method("quadrature").read_settings("quadrature", {"prior_alpha": text})


@pytest.mark.parametrize("model", ["forgetting", "per_arm", "subrewards"])
def test_log_density_has_the_gradient_of_finite_differences(model):
    family = bf.get_model(model)
    box = bf.Bounds((0.0, 1.0), ((0.0, 5.0),) * family.n_signals)
    data = episode(n_arms=3, box=box)
    problem = problem_of(data, model)
    prior = _posterior.coefficients(problem, "beta(2, 3)", "lognormal(0.3, 0.8)")
    inputs = (problem.choices, problem.arms, problem.signals, problem.starts, 3, problem.lower, problem.upper, prior)
    u = np.random.default_rng(0).normal(size=len(problem.lower))
    gradient, unused = np.empty_like(u), np.empty_like(u)
    value = _posterior.log_density(u, gradient, *inputs)

    def expected(u):
        theta = _posterior.theta_of(problem, u)
        alpha, beta = np.split(theta, 2)
        prior = stats.beta(2, 3).logpdf(alpha).sum() + stats.lognorm(0.8, scale=np.exp(0.3)).logpdf(beta).sum()
        return -problem.nll_theta(theta) + prior - u @ u / 2

    other = _posterior.log_density(np.zeros_like(u), unused, *inputs)
    assert value - other == pytest.approx(expected(u) - expected(np.zeros_like(u)), abs=1e-9)
    for k in range(len(u)):
        step = np.zeros_like(u)
        step[k] = 1e-6
        numeric = (_posterior.log_density(u + step, unused, *inputs) - _posterior.log_density(u - step, unused, *inputs)) / 2e-6
        assert gradient[k] == pytest.approx(numeric, abs=1e-6)
