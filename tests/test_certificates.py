"""Certificates of the models that are linear in their weights: bounds that nothing undercuts, optima that brute force finds.

BOUND_CASES in the environment says through how many random cases of each model to hunt.
"""

import os
from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.methods import get_method
from banditfit.models import likelihood
from banditfit.solvers import boxes, clocks, groups
from banditfit.solvers.rate_search import descend

MODELS = [
    "rescorla_wagner",
    "rescorla_wagner(arm)",
    "dual_rates",
    "choice_kernel",
    "rescorla_wagner + bias",
    "rescorla_wagner + perseveration",
    "rescorla_wagner + choice_kernel",
    "rescorla_wagner + initial_value",
    "rescorla_wagner + unchosen_decay",
    "dual_rates + fictive + bias",
    "rescorla_wagner + sensitivities",
    "rescorla_wagner + lapse",
    "dual_rates + choice_kernel + bias + lapse",
]
KINDS = ("binary", "graded", "losses", "constant", "nothing", "huge", "one trial", "one arm", "missed", "sessions", "states")
EDGES = ("free", "rates of 0", "rates of 1", "no weight", "narrow")


def problem_of(model: str, kind: str, edge: str, rng: np.random.Generator, n_steps: int = 40) -> likelihood.Problem:
    """A random episode, degenerate in the ways that `kind` and `edge` name, in units of its own rewards."""
    n_arms = int(rng.integers(2, 5))
    n_steps = 1 if kind == "one trial" else n_steps
    choices = np.zeros((1, n_steps), dtype=int) if kind == "one arm" else rng.integers(n_arms, size=(1, n_steps))
    rewards = {
        "graded": lambda: rng.normal(size=(1, n_steps)),
        "losses": lambda: rng.choice([-1.0, 1.0], size=(1, n_steps)),
        "constant": lambda: np.ones((1, n_steps)),
        "nothing": lambda: np.zeros((1, n_steps)),
        "huge": lambda: 1e6 * rng.normal(size=(1, n_steps)),
    }.get(kind, lambda: rng.integers(2, size=(1, n_steps)).astype(float))()
    if kind not in ("one trial", "one arm"):  # staying after rewards, so that there is something to be learnt
        for t in range(1, n_steps):
            if rng.uniform() < 0.7 and rewards[0, t - 1] > 0:
                choices[0, t] = choices[0, t - 1]
    if kind == "missed":
        choices[rng.uniform(size=choices.shape) < 0.2] = -1
        rewards[choices < 0] = 0.0
    extra = {}
    if kind == "sessions":
        extra["starts"] = (rng.uniform(size=choices.shape) < 0.1) | (np.arange(n_steps) == 0)
    if kind == "states":
        extra["states"] = rng.integers(3, size=choices.shape)
    data = bf.Dataset("case", choices, rewards, n_arms, **extra)
    family = bf.get_model(model)
    problem = likelihood.problem(data, 0, family, data.bounds_of(family, None))
    problem = problem.in_units(problem.own_unit())
    roles = family.roles(n_arms)
    rates, weights = roles == "rate", np.isin(roles, ("sensitivity", "weight"))
    lower, upper = problem.lower.copy(), problem.upper.copy()
    if edge == "rates of 0":
        upper[rates] = 0.0
    elif edge == "rates of 1":
        lower[rates] = 1.0
    elif edge == "no weight":
        lower[weights] = upper[weights] = 0.0
    elif edge == "narrow":
        lower[rates] = rng.uniform(0, 0.9)
        upper[rates] = lower[rates] + rng.uniform(0, 0.1)
    return replace(problem, lower=lower, upper=upper)


def least_found(problem: likelihood.Problem, rng: np.random.Generator, starts: int) -> float:
    """The least nll of local searches from random thetas."""
    found = np.inf
    for _ in range(starts):
        low, high = problem.lower, problem.upper
        theta = low + (high - low) * rng.uniform(size=low.size) ** rng.choice([1.0, 3.0])
        found = min(found, problem.nll_theta(theta), descend(problem.episode, theta, low, high)[0])
    return found


def certify(problem: likelihood.Problem, **settings):
    how = get_method("certified")
    return how.fit(problem, how.settings(**settings), np.random.default_rng(0), None)


def check_fit(problem: likelihood.Problem, rng: np.random.Generator, max_boxes: int, starts: int) -> bool:
    """Checks that a fit's claims hold; returns whether it closed."""
    fit = certify(problem, max_boxes=max_boxes)
    theta = fit.theta
    assert (theta >= problem.lower).all() and (theta <= problem.upper).all()
    tiny = 1e-9 * max(fit.nll, 1.0)
    assert abs(problem.nll_theta(theta) - fit.nll) <= tiny
    best = min(least_found(problem, rng, starts), fit.nll)
    assert 0.0 <= fit.lower_bound <= best + tiny
    if fit.status == "converged":
        assert fit.nll <= best + 1.001e-6
    return fit.status == "converged"


def check_box(problem: likelihood.Problem, rng: np.random.Generator) -> None:
    """Checks the bound of one random box inside the problem's against random thetas and local searches in it."""
    ends = np.sort(rng.uniform(problem.lower, problem.upper, size=(2, problem.lower.size)), axis=0)
    width = (ends[1] - ends[0]) * rng.choice([1.0, 0.1, 0.01])
    wide = problem.model.roles(problem.n_arms) != "rate"
    low = np.where(wide, problem.lower, ends[0])
    high = np.where(wide, problem.upper, ends[0] + width)
    bound, *_ = boxes.bound_box(problem.episode, groups.groups(problem), low, high, 0.5 * (low + high), np.inf, 1e-6)
    inside = replace(problem, lower=low, upper=high)
    least = least_found(inside, rng, 6)
    assert bound <= least + 1e-9 * max(least, 1.0)


def seed(*words: str) -> np.random.Generator:
    return np.random.default_rng(sum(ord(c) * (k + 1) for k, c in enumerate("/".join(words))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_no_parameters_undercut_a_bound(model, kind):
    rng = seed(model, kind)
    for edge in EDGES:
        problem = problem_of(model, kind, edge, rng)
        check_box(problem, rng)
        check_fit(problem, rng, max_boxes=60, starts=4)


@pytest.mark.parametrize("model", MODELS)
def test_a_hunt_for_parameters_below_a_bound(model):
    rng = seed(model)
    for _ in range(int(os.environ.get("BOUND_CASES", "4"))):
        problem = problem_of(model, rng.choice(KINDS), rng.choice(EDGES), rng, n_steps=int(rng.integers(2, 80)))
        check_box(problem, rng)
        check_fit(problem, rng, max_boxes=100, starts=4)


@pytest.mark.parametrize("model", ["rescorla_wagner", "choice_kernel", "dual_rates", "rescorla_wagner + perseveration"])
def test_a_certified_optimum_is_that_of_brute_force(model):
    rng = seed(model)
    for _ in range(3):
        problem = problem_of(model, "binary", "free", rng, n_steps=120)
        fit = certify(problem)
        assert fit.status == "converged" and fit.message.startswith("certified")
        assert fit.lower_bound <= least_found(problem, rng, 100) + 1e-9
        assert fit.nll <= least_found(problem, rng, 100) + 1e-6


def test_the_gap_of_a_box_shrinks_with_its_square():
    rng = np.random.default_rng(3)
    problem = problem_of("dual_rates", "binary", "free", rng, n_steps=120)
    fit = certify(problem)
    gaps = []
    for half in (0.008, 0.004, 0.002):
        low, high = problem.lower.copy(), problem.upper.copy()
        low[:2], high[:2] = np.maximum(fit.theta[:2] - half, 0.0), np.minimum(fit.theta[:2] + half, 1.0)
        bound, *_ = boxes.bound_box(problem.episode, groups.groups(problem), low, high, fit.theta, np.inf, 1e-6)
        gaps.append(fit.nll - bound)
    assert gaps[1] <= gaps[0] / 3 and gaps[2] <= gaps[1] / 3


def test_rewards_in_other_units_are_certified_the_same():
    data = bf.Dataset("coins", np.random.default_rng(0).integers(2, size=(1, 60)), np.ones((1, 60)), 2)
    one = bf.fit(data, "rescorla_wagner + bias", "certified")
    other = bf.fit(bf.Dataset("coins", data.choices, 64.0 * data.rewards, 2), "rescorla_wagner + bias", "certified")
    assert abs(one["nll"][0] - other["nll"][0]) <= 1e-9 and abs(one["lower_bound"][0] - other["lower_bound"][0]) <= 1e-9


RELAXATIONS = ("cvx_fast", "hull", "hull_loc")


def check_relaxation(method: str, problem: likelihood.Problem, least: float) -> float:
    """Checks that what a relaxation claims holds, given the least nll that is known; returns its bound."""
    how = get_method(method)
    fit = how.fit(problem, how.settings(), np.random.default_rng(0), None)
    tiny = 1e-9 * max(least, 1.0)
    assert 0.0 <= fit.lower_bound <= least + tiny
    if fit.theta is None:
        assert abs(problem.nll_of_values(fit.relaxed) - fit.nll) <= 1e-8 * max(fit.nll, 1.0)
        assert fit.nll <= least + 1e-6 or fit.status == "limit"
    else:
        assert (fit.theta >= problem.lower).all() and (fit.theta <= problem.upper).all()
        assert abs(problem.nll_theta(fit.theta) - fit.nll) <= tiny
    return fit.lower_bound


@pytest.mark.parametrize("model", MODELS)
def test_no_parameters_undercut_a_relaxation(model):
    rng = seed(model, "relaxed")
    for _ in range(max(1, int(os.environ.get("BOUND_CASES", "8")) // 4)):
        problem = problem_of(model, rng.choice(KINDS), rng.choice(EDGES), rng, n_steps=int(rng.integers(2, 80)))
        least = least_found(problem, rng, 4)
        for method in RELAXATIONS:
            if get_method(method).serves(problem.model):
                check_relaxation(method, problem, least)


@pytest.mark.parametrize("model", ["rescorla_wagner(arm) + perseveration", "rescorla_wagner + choice_kernel + bias"])
def test_column_generation_and_conic_solver_agree_on_own_clocks(model):
    problem = problem_of(model, "states", "free", seed(model), n_steps=80)
    fast, conic = (get_method(name).fit(problem, get_method(name).settings(), None, None) for name in ("cvx_fast", "cvx"))
    assert abs(fast.nll - conic.nll) <= 1e-4 and conic.lower_bound <= fast.lower_bound + 1e-4
    hull = get_method("hull")
    assert fast.lower_bound <= hull.fit(problem, hull.settings(), None, None).lower_bound + 1e-5


def test_a_rescorla_wagner_trace_is_a_kernel_of_the_arms_own_choices():
    problem = problem_of("rescorla_wagner + initial_value", "states", "free", seed("clock"))
    (one,) = clocks.relaxations(problem)
    alpha, beta, value = 0.3, 2.0, 0.6
    signals, initial = (np.arange(block.U.shape[1]) for block in one.blocks)
    kernels = [beta * alpha * (1 - alpha) ** signals, beta * value * (1 - alpha) ** initial]
    x = problem.in_data_order(one.values(kernels, np.zeros(0)))
    scored = problem.in_data_order(problem.choices) >= 0
    theta = np.array([alpha, beta, value])
    np.testing.assert_allclose(x[scored], problem.values_of(theta)[scored], atol=1e-12)


def test_slopes_are_right_where_a_value_has_come_up_to_the_reward():
    """At alpha_neg = 0 a value rises to 1, to the last bit, and stays; at any more it falls and rises again."""
    rewards = np.ones((1, 120))
    rewards[0, 70::5] = 0.0
    choices = (np.arange(120)[None] % 7 == 0).astype(int)
    model = bf.get_model("dual_rates")
    problem = likelihood.problem(bf.Dataset("ups", choices, rewards, 2), 0, model, model.default_bounds)
    theta, step = np.array([0.5, 0.0, 2.0]), 1e-7
    slope = (problem.nll_theta(theta + [0.0, step, 0.0]) - problem.nll_theta(theta)) / step
    assert abs(problem.nll_grad(theta)[1][1] - slope) <= 1e-4 * abs(slope)
