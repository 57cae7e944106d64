"""The relaxations and the certified fit: bounds that hold on every kind of data, optima that slower solvers agree with."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import banditfit as bf
from banditfit.methods import get_method
from banditfit.models import likelihood
from banditfit.models.families import PUBLISHED_MODELS
from banditfit.solvers import atoms, branch, columns, pricing
from conftest import make

HOSTILE = {
    "plain": {},
    "one arm never chosen": {"choices": lambda c, rng: np.where(c == 2, 0, c)},
    "one arm only": {"choices": lambda c, rng: np.zeros_like(c)},
    "no reward": {"rewards": lambda c, rng: np.zeros(c.shape)},
    "always rewarded": {"rewards": lambda c, rng: np.ones(c.shape)},
    "negative rewards": {"rewards": lambda c, rng: rng.normal(size=c.shape)},
    "one step": {"steps": 1},
    "two steps": {"steps": 2},
    "missed trials": {"choices": lambda c, rng: np.where(rng.uniform(size=c.shape) < 0.3, -1, c)},
    "nothing but missed trials": {"choices": lambda c, rng: np.full_like(c, -1)},
    "sessions": {"starts": lambda c, rng: rng.uniform(size=c.shape) < 0.2},
    "separable": {
        "choices": lambda c, rng: np.arange(c.size).reshape(c.shape) // 5 % 3,
        "rewards": lambda c, rng: (np.arange(c.size).reshape(c.shape) % 5 < 4).astype(float),
    },
    "fixed sensitivity": {"beta": (2.0, 2.0)},
    "no sensitivity": {"beta": (0.0, 0.0)},
    "strong sensitivity": {"beta": (5.0, 10.0)},
    "fixed rate": {"alpha": (0.3, 0.3)},
    "rate of zero": {"alpha": (0.0, 0.0)},
    "rate of one": {"alpha": (1.0, 1.0)},
    "narrow rates": {"alpha": (0.2, 0.25)},
}


def problem_of(model: str, case: str) -> likelihood.Problem:
    """An episode of 30 steps on three arms, hostile in the way that `case` names."""
    data = make(model, n_episodes=1)
    change = HOSTILE[case]
    rng = np.random.default_rng(1)
    steps = change.get("steps", 30)
    made = {
        field: change[field](data.choices, rng) if field in change else getattr(data, field)
        for field in ("choices", "rewards", "starts")
    }
    data = bf.Dataset("hostile", n_arms=3, **{field: value[:, :steps] for field, value in made.items()})
    family = bf.get_model(model)
    return likelihood.problem(
        data, 0, family, bf.Bounds(change.get("alpha", (0.0, 1.0)), (change.get("beta", (0.0, 5.0)),) * family.n_signals)
    )


def run(method: str, problem: likelihood.Problem, given=None, **settings):
    how = get_method(method)
    return how.fit(problem, how.settings(**settings), np.random.default_rng(0), given)


@pytest.fixture(scope="module", params=list(HOSTILE))
def case(request):
    return request.param


@pytest.mark.parametrize("model", PUBLISHED_MODELS)
def test_bounds_hold_and_nest(model, case):
    problem = problem_of(model, case)
    rng = np.random.default_rng(2)
    random = min(problem.nll_theta(rng.uniform(problem.lower, problem.upper)) for _ in range(300))
    direct = run("d_loc", problem, starts=2).nll
    steps, hull, local, best_of_all = (run(name, problem) for name in ("cvx_fast", "hull", "hull_loc", "certified"))
    best = min(random, direct, local.nll, best_of_all.nll)
    tiny = 1e-9 * max(best, 1.0)
    assert 0 <= steps.lower_bound <= hull.lower_bound + 1e-6 + tiny
    assert hull.lower_bound <= best + tiny
    assert local.lower_bound == hull.lower_bound
    assert steps.status in ("converged", "separable")
    assert hull.status == local.status == "converged"
    assert hull.nll - hull.lower_bound <= 1e-6
    assert best_of_all.status == "converged"
    assert best_of_all.nll - 1.001e-6 <= best_of_all.lower_bound <= best + tiny
    for fit in (local, best_of_all):
        theta = np.concatenate([fit.alpha.ravel(), fit.beta.ravel()])
        assert (theta >= problem.lower).all() and (theta <= problem.upper).all()
        assert abs(problem.nll_theta(theta) - fit.nll) <= tiny
    for free in (steps, hull):
        assert abs(problem.nll_of_values(problem.kernel_values(free.kernels)) - free.nll) <= 1e-8 * max(free.nll, 1.0)
        assert np.isfinite(free.kernels).all()
        assert free.kernels.min() >= 0
        assert np.diff(free.kernels, axis=-1).max(initial=0) <= 1e-12
    assert hull.kernels.sum(axis=-1).max() <= problem.upper[len(problem.upper) // 2 :].max() * (1 + 1e-9)
    if hull.alpha is not None:
        assert abs(problem.nll(hull.alpha, hull.beta) - hull.nll) <= 1e-8 * max(hull.nll, 1.0)


def test_step_kernels_agree_with_a_general_solver(small):
    """L-BFGS-B over the weights of all step kernels, which are the increments of the free kernel."""
    problem = likelihood.problem(small, 0, bf.get_model(small.model), small.bounds)
    fast = run("cvx_fast", problem)
    shape = (*problem.shape, problem.n_steps)

    def value(w):
        kernels = np.cumsum(w.reshape(shape)[..., ::-1], axis=-1)[..., ::-1]
        return problem.nll_of_values(problem.kernel_values(kernels))

    traces = np.array(
        [
            problem.kernel_values(np.cumsum(unit.reshape(shape)[..., ::-1], axis=-1)[..., ::-1])
            for unit in np.eye(np.prod(shape))
        ]
    )
    scored = problem.choices >= 0
    chosen = np.eye(problem.n_arms)[problem.choices]

    def gradient(w):
        policy = np.exp(likelihood.log_policy(np.tensordot(w, traces, 1)))
        return np.einsum("nti,ti->n", traces[:, scored], (policy - chosen)[scored])

    slow = minimize(
        value,
        np.zeros(np.prod(shape)),
        jac=gradient,
        bounds=[(0, None)] * np.prod(shape),
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9},
    )
    assert abs(fast.nll - slow.fun) <= 1e-5 * slow.fun
    assert fast.nll <= slow.fun * (1 + 1e-8)


def test_hull_agrees_with_a_general_solver_on_a_grid_of_rates(small):
    """SLSQP over the weights of 30 fixed rates is an upper bound that the continuous optimum meets from below."""
    problem = likelihood.problem(small, 1, bf.get_model(small.model), small.bounds)
    ep = columns.episode(problem)
    box = columns.Box.of(problem, ep)
    hull = run("hull", problem)
    grid = np.append(0.0, np.geomspace(0.005, 1.0, 29))
    block, a = np.repeat(np.arange(ep.blocks), 30), np.tile(grid, ep.blocks)
    traces = np.zeros((len(a), problem.n_steps, problem.n_arms))
    for n in range(len(a)):
        kernel = np.zeros((ep.blocks, problem.n_steps))
        kernel[block[n]] = a[n] * (1 - a[n]) ** np.arange(problem.n_steps)
        traces[n] = problem.kernel_values(kernel.reshape(*problem.shape, -1))
    chosen = np.eye(problem.n_arms)[problem.choices]

    def value(w):
        x = np.tensordot(w, traces, 1)
        return problem.nll_of_values(x), np.einsum("nti,ti->n", traces, np.exp(likelihood.log_policy(x)) - chosen)

    mass = np.equal.outer(np.arange(ep.blocks), block).astype(float)
    start = np.full(len(a), box.mass_low.max() / 30 + 0.01)
    room = {"type": "ineq", "fun": lambda w: box.mass_high - mass @ w, "jac": lambda w: -mass}
    slow = minimize(
        value,
        start,
        jac=True,
        bounds=[(0, None)] * len(a),
        constraints=[room],
        method="SLSQP",
        options={"maxiter": 300, "ftol": 1e-12},
    )
    assert hull.lower_bound <= slow.fun + 1e-6
    assert slow.fun - hull.nll <= 0.02
    nearest = atoms.solve_atoms(ep, *box, block, a, np.maximum(slow.x, 0.0) * (1 - 1e-9), 1e-7, np.inf, 200)
    assert abs(nearest[3] - hull.nll) <= 2e-6


def test_separable_choices_are_recognised():
    """Staying after every reward and leaving after every failure: a step kernel of length one separates such choices."""
    problem = problem_of("per_arm", "separable")
    assert run("cvx_fast", problem).status == "separable"
    assert run("cvx_fast", replace(problem, signals=-problem.signals)).status == "converged"


@pytest.mark.parametrize("interval", [(0.0, 1.0), (0.0, 0.02), (0.37, 0.41), (0.98, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("lags", [1, 2, 7, 199])
def test_least_phi_is_bounded_from_below(lags, interval):
    rng = np.random.default_rng(lags)
    dense = np.linspace(*interval, 20_001)
    for _ in range(20):
        e = np.empty(lags + 1)
        pricing._polynomial(rng.normal(size=lags) * rng.uniform(size=lags) ** 4, e)
        where, value, bound = pricing._least(e, *interval, 1e-9, interval[0])
        sampled = np.polynomial.polynomial.polyval(1 - dense, e).min()
        assert bound <= sampled + 1e-12
        assert value - 1.1e-9 <= bound <= value
        assert interval[0] <= where <= interval[1]
        assert value <= sampled + 1e-9


@pytest.mark.parametrize("row", range(3))
def test_certified_fit_is_the_best_of_a_fine_grid(row):
    problem = likelihood.problem(make("forgetting"), row, bf.get_model("forgetting"), bf.Bounds((0.0, 1.0), ((0.0, 8.0),)))
    fit = run("certified", problem)
    grid = [np.array([a, b]) for a in np.linspace(0, 1, 81) for b in np.linspace(0, 8, 81)]
    start = min(grid, key=problem.nll_theta)
    polished = minimize(problem.nll_grad, start, jac=True, bounds=[(0, 1), (0, 8)], method="L-BFGS-B")
    assert fit.nll <= polished.fun + 1e-9
    assert fit.lower_bound <= polished.fun
    assert polished.fun - fit.nll <= 1e-6


def test_search_closes_many_dimensions():
    """Forty starts of the direct fit find nothing better than the certified optimum of twelve parameters."""
    data = make("subrewards", n_episodes=2, n_steps=120)
    get_method("certified").warm_up()  # or its time limit would count the compilation
    for row in range(2):
        problem = likelihood.problem(data, row, bf.get_model("subrewards"), data.bounds)
        fit = run("certified", problem)
        assert fit.status == "converged"
        assert run("d_loc", problem, starts=40).nll >= fit.lower_bound


def test_an_ended_search_still_bounds():
    problem = likelihood.problem(make("subrewards", n_steps=120), 0, bf.get_model("subrewards"), make("subrewards").bounds)
    whole, ended = run("certified", problem), run("certified", problem, max_nodes=1)
    assert (whole.status, ended.status) == ("converged", "limit")
    assert ended.lower_bound <= whole.lower_bound + 1e-6 and "certified" not in ended.message
    assert ended.nll >= whole.lower_bound


def test_only_rates_above_the_threshold_are_trimmed():
    rng = np.random.default_rng(3)
    trimmed = 0
    for _ in range(50):
        e = np.empty(41)
        pricing._polynomial(rng.normal(size=40) * 0.9 ** np.arange(40), e)
        e[0] += 10.0
        rates = np.linspace(0, 1, 4001)
        phi = np.polynomial.polynomial.polyval(1 - rates, e)
        threshold = np.quantile(phi, rng.uniform(0.05, 0.5))
        low, high = np.zeros(1), np.ones(1)
        assert branch.trim(low, high, np.ones(1), e[None], np.zeros(1), 0.0, threshold)
        cut = (rates < low[0]) | (rates > high[0])
        assert phi[cut].min(initial=np.inf) > threshold
        trimmed += cut.any()
    assert trimmed > 40
    assert not branch.trim(np.zeros(1), np.ones(1), np.ones(1), e[None], np.zeros(1), 0.0, phi.min() - 0.1)
