"""Local searches end at minima, or say that they do not: saddles, points and cents, long and short episodes, all solvers."""

from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.methods import Outcome, get_method
from banditfit.models import likelihood
from banditfit.models.families import PUBLISHED_MODELS
from banditfit.models.simulate import published_data
from banditfit.solvers import local, projection
from banditfit.solvers.local import SOLVERS, Found, Search, Verdict
from conftest import make

# Published episodes of which all five starts, or the best of them, used to end at alpha = beta = 0.
SADDLES = (0, 6, 14, 38, 47)


@pytest.fixture(scope="module")
def published():
    return published_data("forgetting", "2arm").select(range(60))


def problems_of(data, bounds=None):
    model = bf.get_model(data.model)
    made = [likelihood.problem(data, row, model, bounds or data.bounds_of(model)) for row in range(len(data))]
    return [one.in_units(one.own_unit()) for one in made]


def guessing(problem):
    return np.count_nonzero(problem.choices >= 0) * np.log(problem.n_arms)


def test_published_episodes_reach_the_certified_optimum(published):
    for bounds in (None, bf.get_model("forgetting").default_bounds):
        fits = bf.fit(published, "forgetting", "d_loc", bounds=bounds)
        best = bf.fit(published, "forgetting", "profile", bounds=bounds)
        np.testing.assert_allclose(fits["nll"], best["nll"], rtol=0, atol=0.01)
        assert (fits["status"] == "converged").all()


def test_a_start_that_comes_to_the_saddle_leaves_it_and_says_so(published):
    """As published the search stops there; D-LOC goes on, counts the evaluations, and keeps the rows of all starts."""
    (problem,) = problems_of(published.select([14]))
    old = get_method("d_loc_published")
    settings = old.settings()
    # The episode with its signals early: the lag of the published likelihood undoes it, so both see the same nll.
    ends = [
        local.minimise(problem.nll_theta, problem.nll_grad, problem.lower, problem.upper, start, "L-BFGS-B")
        for start in local.random_starts(problem.lower, problem.upper, 20, np.random.default_rng(0))
    ]
    stuck = [end for end in ends if end.theta.tolist() == [0.0, 0.0]]
    assert stuck and all(end.status == "converged" and end.value == pytest.approx(guessing(problem)) for end in stuck)

    outcome = get_method("d_loc").fit(problem, replace(settings, starts=20), np.random.default_rng(0), None)
    left = [k for k, message in enumerate(outcome.starts.message) if "left 1 flat point that is no minimum" in message]
    assert len(left) == len(stuck) and len(outcome.starts.nll) == 20
    assert max(outcome.starts.nll) < guessing(problem) - 0.01
    assert outcome.n_eval == sum(outcome.starts.n_eval) and min(outcome.starts.n_eval) > 0
    assert outcome.status == "converged"


def test_as_published_a_solver_is_taken_at_its_word(published):
    (problem,) = problems_of(published.select([14]))
    method = get_method("d_loc_published")
    outcome = method.fit(problem, method.settings(), np.random.default_rng(3), None)
    lagged = problem.lagged()
    starts = np.random.default_rng(3).uniform(lagged.lower, lagged.upper, size=(5, 2))
    for start, nll, alpha, beta in zip(starts, outcome.starts.nll, outcome.starts.alpha, outcome.starts.beta, strict=True):
        end = local.minimise(lagged.nll_theta, lagged.nll_grad, lagged.lower, lagged.upper, start, "L-BFGS-B")
        assert (nll, alpha.item(), beta.item()) == (end.value, *end.theta)
    assert outcome.nll == problem.nll(outcome.alpha, outcome.beta)


@pytest.mark.parametrize("factor", [1e-6, 10.0, 100.0, 1e4])
def test_points_and_cents_give_the_same_fit(published, factor):
    """In the box that means the same, to the last digits; in one that is far wider, as good."""
    data = published.select(SADDLES)
    counted = replace(data, rewards=data.rewards * factor, bounds=None)
    one = bf.fit(data, "forgetting", "d_loc", bounds=bf.Bounds((0, 1), ((0, 20),)))
    same = bf.fit(counted, "forgetting", "d_loc", bounds=bf.Bounds((0, 1), ((0, 20 / factor),)))
    np.testing.assert_allclose(same["nll"], one["nll"], rtol=0, atol=1e-3)
    assert (same["status"] == "converged").all()
    if factor > 1:
        wide = bf.fit(counted, "forgetting", "d_loc", bounds=bf.Bounds((0, 1), ((0, 20),)))
        assert (wide["nll"] <= one["nll"] + 0.01).all() and (wide["status"] == "converged").all()


def test_long_episodes_end_below_guessing_at_their_optimum():
    data = bf.simulate(
        "long", "forgetting", p_reward=(0.8, 0.3, 0.5), p_switch=0.02, n_episodes=4, n_steps=5000, seed=3, beta=((0, 5),)
    )
    for bounds in (None, bf.get_model("forgetting").default_bounds):
        fits, best = (bf.fit(data, "forgetting", name, bounds=bounds) for name in ("d_loc", "profile"))
        np.testing.assert_allclose(fits["nll"], best["nll"], rtol=0, atol=1e-3)
        assert (fits["status"] == "converged").all()


@pytest.mark.parametrize("low", [0.0, 5.0, 640.0, 5e4])
def test_no_end_lies_above_guessing_where_guessing_is_admissible(low):
    """Even where the bounds make every choice certain unless alpha is 0 or nearly."""
    data = published_data("forgetting", "10arm").select(range(6))
    fits = bf.fit(data, "forgetting", "d_loc", bounds=bf.Bounds((0, 1), ((low, 2 * low + 1e7),)))
    for problem, nll in zip(problems_of(data), fits["nll"], strict=True):
        assert nll <= guessing(problem) + 1e-6


def random_small(rng):
    """A small data set of any shape and kind: missed trials, sessions, rewards of any size and sign."""
    model = str(rng.choice(PUBLISHED_MODELS))
    m, n = int(rng.integers(2, 5)), int(rng.integers(1, 60))
    choices = np.where(rng.random((1, n)) < 0.1, -1, rng.integers(0, m, size=(1, n)))
    rewards = rng.choice([0.0, 1.0, -1.0], size=(1, n), p=[0.5, 0.4, 0.1]) * 10.0 ** rng.integers(-3, 4)
    data = bf.Dataset("random", choices, rewards, m, starts=rng.random((1, n)) < 0.05)
    low = rng.choice([0.0, 0.0, 1.0], size=len(bf.get_model(model).signals))
    return data, model, bf.Bounds((0.0, 1.0), tuple((b, b + 8.0) for b in low))


@pytest.mark.parametrize("seed", range(40))
def test_converged_means_at_a_minimum(seed):
    """No point nearby is lower, and with a trace that is off no sensitivity helps at any rate."""
    rng = np.random.default_rng(seed)
    data, model, bounds = random_small(rng)
    original = likelihood.problem(data, 0, bf.get_model(model), bounds)
    problem = original.in_units(original.own_unit())
    method = get_method("d_loc")
    outcome = method.fit(problem, method.settings(starts=2), rng, None)
    if outcome.status != "converged":
        assert "no minimum" in outcome.message
        return
    theta = np.concatenate([outcome.alpha.ravel(), outcome.beta.ravel()])
    steps = rng.normal(size=(300, theta.size)) * 10.0 ** rng.uniform(-4, -2, size=(300, 1))
    near = np.clip(theta + steps, problem.lower, problem.upper)
    assert min(map(problem.nll_theta, near)) >= outcome.nll - 1e-3
    half = theta.size // 2
    for k in range(half):
        without = theta.copy()
        without[half + k] = 0.0
        if problem.lower[half + k] > 0.0 or problem.nll_theta(without) > outcome.nll + 1e-4:
            continue
        for rate in np.linspace(0.0, 1.0, 30):
            without[k] = rate
            for beta in (1e-3, 0.01, 0.1, 1.0):
                without[half + k] = beta
                assert problem.nll_theta(without) >= outcome.nll - 1e-3


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_ends_at_a_minimum_or_says_that_it_does_not(solver, published):
    data = published.select(SADDLES[:2])
    fits = bf.fit(data, "forgetting", "d_loc", settings={"solver": solver, "starts": 2})
    for problem, fit in zip(problems_of(data), fits.itertuples(), strict=True):
        assert fit.nll < guessing(problem)
        assert (fit.status == "converged") != ("no minimum: a step would still gain about" in fit.message)


def test_bounds_that_coincide_and_flat_likelihoods_are_minima():
    data = make("forgetting", n_episodes=1)
    fixed = [((0.3, 0.3), (0.0, 20.0)), ((0.0, 0.0), (0.0, 20.0)), ((0.0, 1.0), (0.0, 0.0)), ((0.2, 0.2), (1.5, 1.5))]
    for alpha, beta in fixed:
        fit = bf.fit(data, "forgetting", "d_loc", bounds=bf.Bounds(alpha, (beta,))).iloc[0]
        assert fit["status"] == "converged" and np.isfinite(fit["nll"])
    for choices, rewards in (([[1]], [[1.0]]), ([[-1, -1, -1]], [[0.0] * 3]), ([[0, 1, 0, 1]], [[0.0] * 4])):
        for model in PUBLISHED_MODELS:
            fit = bf.fit(bf.Dataset("flat", choices, rewards, 2), model, "d_loc").iloc[0]
            assert fit["status"] == "converged"


class _Bowl:
    """A parabola with a saddle beside it; a stand-in for an objective whose solver stops early."""

    lower, upper = np.zeros(2), np.full(2, 10.0)
    size, enough, unit = 1.0, 1e-4, "nats"

    def __init__(self, lefts):
        self.lefts = iter(lefts)

    def value(self, theta):
        return float(np.sum((theta - 3.0) ** 2))

    def value_and_gradient(self, theta):
        return self.value(theta), 2.0 * (theta - 3.0)

    def examine(self, theta, value):
        return Verdict([], next(self.lefts), np.ones(2), 1)


def test_an_end_that_is_no_minimum_is_not_called_converged(monkeypatch):
    ends = iter([Found(np.full(2, 5.0), 8.0, 10, "converged", "stopped"), Found(np.full(2, 2.0), -6.0, 7, "limit", "again")])
    monkeypatch.setattr(local, "minimise", lambda *_: next(ends, Found(np.full(2, 9.0), 99.0, 3, "converged", "worse")))
    end = Search(_Bowl([0.3, 0.02, 0.02]), "L-BFGS-B").run(np.full(2, 5.0))
    # Two runs of the solver, a third that led nowhere, and two looks at an end.
    assert (end.value, end.status, end.n_eval) == (2.0, "limit", 10 + 1 + 7 + 1 + 3)
    assert end.message == (
        "again; the solver went on from its own end 2 times; no minimum: a step would still gain about 2.0e-02 nats"
    )


def test_what_a_quadratic_model_promises():
    bowl = _Bowl([])
    left = lambda theta, gradient, hessian: local.remaining(bowl, *map(np.array, (theta, gradient, hessian)))[0]  # noqa: E731
    assert left([3.0, 3.0], [0.0, 0.0], [[2.0, 0.0], [0.0, 2.0]]) == 0.0
    assert left([4.0, 3.0], [2.0, 0.0], [[2.0, 0.0], [0.0, 2.0]]) == pytest.approx(1.0)
    assert left([0.0, 3.0], [5.0, 0.0], [[-3.0, 0.0], [0.0, 2.0]]) == 0.0  # held by the bound
    assert left([0.0, 3.0], [-1.0, 0.0], [[2.0, 0.0], [0.0, 2.0]]) == pytest.approx(0.25)
    assert left([3.0, 3.0], [0.0, 0.0], [[0.0, 2.0], [2.0, 0.0]]) > 0.1  # a saddle
    assert left([0.0, 0.0], [0.0, 0.0], [[0.0, -2.0], [-2.0, 0.0]]) > 0.1  # in a corner, with the way down inside
    assert left([0.0, 0.0], [0.0, 0.0], [[0.0, 2.0], [2.0, 0.0]]) == 0.0  # and outside
    assert left([3.0, 3.0], [np.nan, 0.0], [[2.0, 0.0], [0.0, 2.0]]) == np.inf


def test_starts_are_drawn_as_published_unless_the_box_is_wider_than_what_matters():
    lower, upper = np.zeros(2), np.array([1.0, 20.0])
    one, two = (draw(lower, upper, 5, np.random.default_rng(1)) for draw in (local.random_starts, local.near_starts))
    np.testing.assert_array_equal(one, two)
    wide = local.near_starts(lower, np.array([1.0, 1e7]), 500, np.random.default_rng(1))
    assert (wide >= 0.0).all() and wide[:, 1].max() <= 20.0
    high = local.near_starts(np.array([0.0, 1e4]), np.array([1.0, 1e7]), 5, np.random.default_rng(1))
    assert (high[:, 1] >= 1e4).all() and high[-1, 0] * high[-1, 1] < 1.0


def test_the_nearest_kernel_is_found_in_any_unit():
    """Steps to a = b = 0 and stops on flat ground: kernels of data, by all solvers, against a search over rates."""
    rng = np.random.default_rng(0)
    lower, upper, j = np.zeros(2), np.array([1.0, 20.0]), np.arange(60)
    rate = np.concatenate([np.geomspace(1e-6, 1.0, 3000), np.linspace(0.0, 1.0, 3000)])
    columns = rate[:, None] * (1.0 - rate[:, None]) ** j
    lengths = np.maximum(np.sum(columns**2, axis=1), 1e-300)
    for size in (1e-3, 0.1, 10.0):
        for _ in range(4):
            g = size * np.sort(rng.exponential(size=60) ** 3)[::-1] * (j < rng.integers(1, 60))
            beta = np.clip(columns @ g / lengths, 0.0, 20.0)
            best = np.min(np.sum((beta[:, None] * columns - g) ** 2, axis=1))
            for solver in ("L-BFGS-B", "SLSQP", "TNC"):
                end = projection._nearest(g, lower, upper, projection.Settings(solver=solver), np.random.default_rng(1))
                assert end.status != "converged" or end.value <= best + 1e-2 * (g @ g)
                assert end.value <= g @ g


def test_a_projection_that_ends_nowhere_near_is_not_converged(monkeypatch):
    """Its message and status reach the fit; so does what the given fit said."""
    stuck = Found(np.array([0.5, 0.0]), 1.0, 3, "inaccurate", "stopped; no minimum: a step would still gain about 0.1")
    monkeypatch.setattr(projection, "_nearest", lambda *_: stuck)
    problem = problems_of(make("forgetting", n_episodes=1))[0]
    kernels = np.full((1, 1, problem.n_steps), 0.1)
    for given, expected in (("converged", "inaccurate"), ("separable", "separable")):
        outcome = projection.project(
            problem, Outcome(given, kernels=kernels), problem.n_steps, projection.Settings(), np.random.default_rng(0)
        )
        assert outcome.status == expected and "no minimum" in outcome.message
