"""The published relaxation: its optimum against another formulation, its bound against every fit, its projection exact."""

import numpy as np
import pytest
from scipy.optimize import minimize

import banditfit as bf
from banditfit.methods import Outcome, get_method
from banditfit.models import likelihood
from banditfit.solvers import conic, projection
from banditfit.solvers.local import SOLVERS
from banditfit.solvers.projection import Settings, project
from conftest import make


def problem_of(data, row=0):
    model = bf.get_model(data.model or "per_arm")
    return likelihood.problem(data, row, model, data.bounds_of(model))


def best_by_steps(problem):
    """The relaxation's optimum over non-negative weights of step kernels, by a general-purpose solver."""
    U, choices = conic.lag_matrix(problem, problem.n_steps)
    blocks = int(np.prod(problem.shape))
    columns = np.cumsum(U.toarray().reshape(U.shape[0], blocks, -1), axis=2).reshape(U.shape[0], -1)
    steps = np.arange(len(choices))

    def value_and_gradient(w):
        x = (columns @ w).reshape(len(choices), -1)
        log_policy = likelihood.log_policy(x)
        residual = np.exp(log_policy)
        residual[steps, choices] -= 1.0
        return -log_policy[steps, choices].sum(), columns.T @ residual.ravel()

    start = np.full(columns.shape[1], 1e-3)
    found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start),
                     options={"maxiter": 5000, "maxfun": 50000, "ftol": 1e-13, "gtol": 1e-9})  # fmt: skip
    return found.fun


def test_the_optimum_agrees_with_another_formulation(small):
    problem = problem_of(small)
    outcome = conic.relax(problem, "Clarabel")
    assert outcome.nll == pytest.approx(best_by_steps(problem), abs=1e-3)
    assert np.all(np.diff(outcome.kernels, axis=-1) <= 0) and np.all(outcome.kernels >= 0)
    assert outcome.status == "separable" or outcome.nll - outcome.lower_bound < 1e-2


def test_scs_agrees_with_clarabel():
    problem = problem_of(make("forgetting"))
    one, two = (conic.relax(problem, solver) for solver in ("Clarabel", "SCS"))
    assert two.nll == pytest.approx(one.nll, abs=1e-2) and two.fallback == ""


def test_clarabel_takes_shorter_steps_where_its_usual_ones_lead_nowhere():
    problem = problem_of(bf.published_data("forgetting", "10arm").select([16]))
    outcome = conic.relax(problem, "Clarabel")
    assert (outcome.status, outcome.fallback) == ("converged", "Clarabel with shorter steps")
    assert 0.0 <= outcome.nll - outcome.lower_bound < 1e-2


def test_no_admissible_parameters_lie_below_the_bound(small):
    rng = np.random.default_rng(0)
    for row in range(len(small)):
        problem = problem_of(small, row)
        bound = conic.relax(problem, "Clarabel").lower_bound
        thetas = rng.uniform(problem.lower, problem.upper, size=(300, len(problem.lower)))
        assert bound <= min(map(problem.nll_theta, thetas))
        assert bound <= bf.fit(small, small.model, "d_loc", episodes=[row])["nll"][0]


def test_the_bound_holds_at_any_kernels(small):
    """It rests on convexity alone, not on the solver: random kernels bound too."""
    rng = np.random.default_rng(1)
    problem = problem_of(small)
    U, choices = conic.lag_matrix(problem, problem.n_steps)
    least = bf.fit(small, small.model, "d_loc", episodes=[0])["nll"][0]
    for _ in range(20):
        g = np.sort(rng.exponential(rng.exponential(2.0), size=(int(np.prod(problem.shape)), problem.n_steps)))[:, ::-1]
        assert conic.lower_bound(problem, U, choices, g) <= least


@pytest.mark.parametrize("solver", SOLVERS)
def test_geometric_kernels_are_projected_onto_themselves(solver):
    problem = problem_of(make("per_arm"))
    alpha, beta = np.array([[0.2, 0.5, 0.9]]), np.array([[1.0, 2.0, 3.5]])
    kernels = alpha[..., None] * beta[..., None] * (1 - alpha[..., None]) ** np.arange(problem.n_steps)
    outcome = project(problem, Outcome("converged", kernels=kernels), 30, Settings(solver=solver), np.random.default_rng(0))
    np.testing.assert_allclose(outcome.alpha, alpha, atol=2e-3)
    np.testing.assert_allclose(outcome.beta, beta, atol=2e-2)


def test_the_closed_form_is_exact_for_geometric_kernels_and_ignores_a_noisy_tail_if_weighted():
    lower, upper, j = np.array([0.0, 0.0]), np.array([1.0, 5.0]), np.arange(40)
    g = 0.3 * 2.0 * 0.7**j
    np.testing.assert_allclose(projection.log_line(g, lower, upper, weighted=True), [0.3, 2.0], rtol=1e-6)
    np.testing.assert_allclose(projection.log_line(g, lower, upper, weighted=False), [0.3, 2.0], rtol=1e-6)
    noisy = g + 1e-4 * np.random.default_rng(0).random(40)
    np.testing.assert_allclose(projection.log_line(noisy, lower, upper, weighted=True), [0.3, 2.0], rtol=1e-2)
    assert abs(projection.log_line(noisy, lower, upper, weighted=False)[0] - 0.3) > 0.03
    for flat in (np.zeros(40), np.ones(40), np.eye(40)[0]):
        for weighted in (True, False):
            start = projection.log_line(flat, lower, upper, weighted)
            assert np.all(start >= lower) and np.all(start <= upper)


def test_parameters_read_off_a_logarithm_say_where_there_was_no_line():
    problem = problem_of(make("per_arm"))
    alpha, beta = np.array([[0.2, 0.5, 0.9]]), np.array([[1.0, 2.0, 3.5]])
    kernels = alpha[..., None] * beta[..., None] * (1 - alpha[..., None]) ** np.arange(problem.n_steps)
    method, rng = get_method("cvx_log"), np.random.default_rng(0)
    outcome = method.fit(problem, method.settings(), rng, Outcome("converged", kernels=kernels, lower_bound=1.0))
    np.testing.assert_allclose([outcome.alpha, outcome.beta], [alpha, beta], rtol=1e-6)
    assert (outcome.status, outcome.fallback, outcome.lower_bound) == ("converged", "", 1.0)
    assert outcome.nll == problem.nll(outcome.alpha, outcome.beta)
    kernels[0, 1] = 0.0
    outcome = method.fit(problem, method.settings(), rng, Outcome("separable", kernels=kernels, fallback="SCS"))
    assert (outcome.status, outcome.fallback) == ("separable", "SCS; middle of the box")
    assert outcome.alpha[0, 1] == 0.5


def degenerate():
    ones, none = np.ones((1, 12)), np.zeros((1, 12))
    mixed = np.array([[0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0]])
    yield "no rewards", bf.Dataset("d", mixed, none, 2)
    yield "one step", bf.Dataset("d", [[1]], [[1.0]], 2)
    yield "an arm never chosen", bf.Dataset("d", mixed, ones, 3)
    yield "always the same", bf.Dataset("d", none.astype(int), ones, 2)
    yield (
        "missed trials",
        bf.Dataset("d", np.where(np.arange(12) % 3 == 2, -1, mixed), np.where(np.arange(12) % 3 == 2, 0, ones), 2),
    )
    yield "all missed", bf.Dataset("d", np.full((1, 12), -1), none, 2)
    yield "losses", bf.Dataset("d", mixed, -ones, 2)


@pytest.mark.parametrize(("name", "data"), list(degenerate()))
def test_degenerate_data_keep_a_valid_bound(name, data):
    problem = problem_of(data)
    outcome = conic.relax(problem, "Clarabel")
    assert outcome.status in ("converged", "inaccurate", "separable"), outcome.message
    thetas = np.random.default_rng(0).uniform(problem.lower, problem.upper, size=(200, len(problem.lower)))
    assert 0.0 <= outcome.lower_bound <= min(map(problem.nll_theta, thetas)) + 1e-9


def test_choices_that_follow_every_reward_are_recognised_as_separable():
    choices = np.array([[0, 0, 0, 1, 1, 1, 1, 0, 0, 0]])
    rewards = np.array([[1, 1, 0, 1, 1, 1, 0, 1, 1, 1.0]])
    outcome = conic.relax(problem_of(bf.Dataset("d", choices, rewards, 2)), "Clarabel")
    # Only the first choice and the two after no reward stay undecided, however large the kernel.
    assert outcome.status == "separable" and outcome.nll == pytest.approx(3 * np.log(2), abs=1e-3)
    assert outcome.lower_bound <= outcome.nll


def test_sessions_are_episodes_of_their_own():
    """Kernels do not reach across a start: two sessions have the values of two episodes."""
    data = make("per_arm", n_episodes=2, n_steps=15)
    joined = bf.Dataset("joined", data.choices.reshape(1, -1), data.rewards.reshape(1, -1), 3,
                        starts=np.arange(30)[None] % 15 == 0, model="per_arm", bounds=data.bounds)  # fmt: skip
    g = np.sort(np.random.default_rng(0).random((1, 3, 30)))[..., ::-1]
    values = problem_of(joined).kernel_values(g)
    apart = [problem_of(data, row).kernel_values(g[..., :15]) for row in (0, 1)]
    np.testing.assert_allclose(values, np.concatenate(apart))
    U, _ = conic.lag_matrix(problem_of(joined), 30)
    np.testing.assert_allclose((U @ g.ravel()).reshape(30, 3), values)


def test_truncation_gives_no_bound(small):
    outcome = bf.fit(small, small.model, "cvx_t", episodes=[0])
    assert np.isnan(outcome["lower_bound"][0]) and "there is no bound" in outcome["message"][0]
    assert not np.any(outcome["kernels"][0][..., 5:])


def test_cvx_loc_t_projects_all_the_terms_that_were_kept_and_as_published_cuts_them_off():
    data = make("forgetting")
    problem = problem_of(data)
    kernels = np.zeros((1, 1, problem.n_steps))
    kernels[..., :2] = 1.5, 0.5  # the fit kept two of its five terms; the other three are fitted values of zero
    given = Outcome("converged", kernels=kernels)
    fit = lambda name: get_method(name).fit(problem, get_method(name).settings(), np.random.default_rng(0), given)  # noqa: E731
    right, published = fit("cvx_loc_t"), fit("cvx_loc_t_published")
    a, b, j = right.alpha.item(), right.beta.item(), np.arange(5)
    miss = lambda a, b: ((a * b * (1 - a) ** j - kernels[0, 0, :5]) ** 2).sum()  # noqa: E731
    assert miss(a, b) < min(miss(a + e, b + f) for e in (-0.01, 0.01) for f in (-0.01, 0.01))
    np.testing.assert_allclose(published.kernels[0, 0, :5], a * b * (1 - a) ** j)
    assert not published.kernels[..., 5:].any() and published.alpha is None
