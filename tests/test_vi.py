"""Variational inference and Pathfinder: gradients and bounds against oracles, and posteriors against quadrature."""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import check_grad

import banditfit as bf
from banditfit.models import likelihood, simulate
from banditfit.solvers import pathfinder, population, variational


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    return simulate.simulate_population("vi", simulate.POPULATIONS["normal"], 6, 100, rng)


@pytest.fixture(scope="module")
def exact(people):
    return bf.fit(people, "forgetting", "quadrature")


def of(fits, what):
    """(people, parameters) of their posteriors."""
    return np.array([[posterior[f"{name}_{what}"].item() for name in ("alpha", "beta")] for posterior in fits["posterior"]])


def diagnostic(fits, name):
    return np.array([found[name] for found in fits["diagnostics"]])


@pytest.mark.parametrize("model", ["forgetting", "dual_rates"])
def test_the_slope_of_the_bound_is_that_of_its_value(people, model):
    family = bf.get_model(model)
    one = likelihood.problem(people, 0, family, family.default_bounds)
    start = population.begin(one, population.Settings(moments="laplace"), shared=False)
    d = len(start.mu)
    rng, below = np.random.default_rng(1), np.tril_indices(d, -1)
    arguments = (start.mu, start.free, *population._arguments(start, one)[0], one.episode)
    given = (below, variational.rule(d, 5, 16), 0.3 * rng.normal(size=d), np.eye(d) + 0.1 * np.tri(d), np.zeros(d), np.eye(d))
    loss = lambda x: variational._loss(x, *given, arguments)  # noqa: E731
    x = 0.2 * rng.normal(size=2 * d + len(below[0]))
    assert check_grad(lambda x: loss(x)[0], lambda x: loss(x)[1], x) < 1e-4


def test_bounds_lie_below_the_evidence_and_posteriors_near_the_exact_ones(people, exact):
    evidence, bounds = diagnostic(exact, "log_evidence"), {}
    for family in ("full_rank", "mean_field"):
        fits = bf.fit(people, "forgetting", "vi", settings={"family": family, "prior": "fixed"})
        assert (fits["status"] == "converged").all()
        bounds[family] = diagnostic(fits, "elbo")
        assert (bounds[family] <= evidence + 4 * diagnostic(fits, "elbo_error")).all()
        assert (bounds[family] > evidence - 0.3).all()
        np.testing.assert_allclose(diagnostic(fits, "log_evidence"), evidence, atol=0.15)
        assert np.abs((of(fits, "median") - of(exact, "median")) / of(exact, "sd")).max() < 0.35
        assert 0.85 < np.median(of(fits, "sd") / of(exact, "sd")) < 1.05  # narrower, as Kullback-Leibler from q to p makes it
    assert (bounds["full_rank"] >= bounds["mean_field"] - 0.02).all()


def test_the_bound_of_a_population_never_falls(people):
    family = bf.get_model("forgetting")
    problems = [likelihood.problem(people, row, family, people.bounds) for row in range(len(people))]
    from banditfit.methods import vi

    found, _, checked = vi.learn(problems, vi.Settings(), np.random.default_rng(0))
    assert found.converged
    assert np.diff(found.objective).min() > -1e-3
    assert np.isfinite(checked.elbo).all()


@pytest.mark.parametrize("method", ["vi", "pathfinder"])
def test_the_same_seed_gives_the_same_table(people, method):
    two = people.select([0, 1])
    once, again = (bf.fit(two, "rescorla_wagner", method) for _ in range(2))
    assert once["nll"].tolist() == again["nll"].tolist()
    assert once["diagnostics"].tolist() == again["diagnostics"].tolist()


def test_pathfinder_finds_the_posterior_of_quadrature(people, exact):
    fits = bf.fit(people, "forgetting", "pathfinder")
    assert set(fits["status"]) <= {"converged", "inaccurate"}
    assert ((fits["status"] == "inaccurate") == (diagnostic(fits, "pareto_k") > 0.7)).all()
    np.testing.assert_allclose(diagnostic(fits, "log_evidence"), diagnostic(exact, "log_evidence"), atol=0.3)
    assert np.abs((of(fits, "median") - of(exact, "median")) / of(exact, "sd")).max() < 0.4


def test_a_path_to_the_mode_of_a_normal_learns_its_covariance():
    rng = np.random.default_rng(2)
    root = np.tril(0.3 * rng.normal(size=(3, 3)), -1) + np.diag([0.5, 1.0, 2.0])
    P, mode = np.linalg.inv(root @ root.T), np.array([1.0, -2.0, 0.5])
    rise = lambda z: (-0.5 * (z - mode) @ P @ (z - mode), -P @ (z - mode))  # noqa: E731
    points, slopes, settled = pathfinder._climb(rise, np.zeros(3))
    *_, (centre, factor) = pathfinder._normals(points, slopes)
    assert settled
    np.testing.assert_allclose(centre, mode, atol=1e-4)
    np.testing.assert_allclose(factor @ factor.T, root @ root.T, rtol=0.05)


def test_points_have_the_moments_of_a_standard_normal():
    for points in map(partial(variational.normal_points, 64), (2, 5, 8)):
        assert np.abs(points.mean(axis=0)).max() < 1e-12
        np.testing.assert_allclose(points.T @ points / 64, np.eye(points.shape[1]), atol=1e-12)
