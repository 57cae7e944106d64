"""Certificates of the models that are linear in their weights: bounds that nothing undercuts, optima that brute force finds."""

from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.benchmark import hunt
from banditfit.benchmark.hunt import EDGES, KINDS, MODELS, TINY, case, chunk, least_found, slack_of_box, slack_of_fit
from banditfit.experiments.optima import learners
from banditfit.fitting import derive_seed
from banditfit.methods import get_method
from banditfit.models import likelihood
from banditfit.models.traces import OWN, _unit_traces
from banditfit.solvers import boxes, clocks, enclosures, groups


def certify(problem: likelihood.Problem, **settings):
    how = get_method("certified")
    return how.fit(problem, how.settings(**settings), np.random.default_rng(0), None)


def seed(*words: str) -> np.random.Generator:
    return np.random.default_rng(sum(ord(c) * (k + 1) for k, c in enumerate("/".join(words))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_no_parameters_undercut_a_bound(model, kind):
    rng = seed(model, kind)
    for edge in rng.choice(EDGES, 3, replace=False):
        problem = case(model, kind, edge, rng)
        assert slack_of_box(problem, rng) >= -TINY
        least = least_found(problem, rng, 4)
        assert slack_of_fit("certified", problem, least, max_boxes=60, max_nodes=60)[0] >= -TINY


@pytest.mark.parametrize("model", MODELS)
def test_a_chunk_of_the_hunt_finds_nothing(model):
    row = chunk(model, 0, cases=8)
    assert row["wrong"] == "" and row["cases"] == 8 and row["boxes"] >= -TINY and row["certified"] >= -TINY


def ranges(problem: likelihood.Problem, low: np.ndarray, high: np.ndarray, r: np.ndarray) -> np.ndarray:
    """What `enclosures` says of phi in a box: at the centre, the least, the most, and what was summed, of each group."""
    ep, gr = problem.episode, groups.groups(problem)
    (n_traces, n_arms), n_steps = ep.places[:-1].shape[:2], ep.choices.size
    rows, own, (n_groups, most) = n_traces * n_arms, ep.places.shape[2] - OWN, gr.own.shape
    h, p, span = np.empty((rows, n_steps)), np.zeros((rows, own, n_steps)), np.empty((rows, own, 2, n_steps))
    bent = np.empty((rows, own * (own + 1) // 2, 2, n_steps))
    size, kind = np.empty((rows, 3, n_steps)), np.empty((rows, n_steps), np.int8)
    for at in range(rows):
        enclosures._enclose(ep, *divmod(at, n_arms), low, high, h[at], p[at], span[at], bent[at], size[at], kind[at])
    first, lost, moved = (np.empty((n_groups, most)) for _ in range(3))
    inner = np.empty((n_groups, 4))
    enclosures._ranges(ep, gr, low, high, r, h, p, span, bent, size, kind, first, lost, inner, moved)
    return inner


@pytest.mark.parametrize("model", MODELS)
def test_no_rates_leave_the_range_of_their_traces_with_any_residuals(model):
    rng = seed(model, "ranges")
    for _ in range(4):
        problem = case(model, str(rng.choice(KINDS)), str(rng.choice(EDGES)), rng, n_steps=int(rng.integers(2, 100)))
        of, ends = (
            groups.groups(problem).of,
            np.sort(rng.uniform(problem.lower, problem.upper, (2, problem.lower.size)), axis=0),
        )
        r = rng.normal(size=(problem.n_arms, problem.episode.choices.size))
        for share in (1.0, 0.1, 1e-3):
            width = share * (ends[1] - ends[0])
            inner, phis = ranges(problem, ends[0], ends[0] + width, r), []
            for corner in range(20):
                place = rng.uniform(size=width.size)
                h = _unit_traces(problem.episode, ends[0] + width * (np.round(place) if corner % 2 else place))
                terms = (r * h).sum(axis=2)
                phis.append([terms[of == g].sum() for g in range(len(inner))])
            least, most, slack = np.min(phis, axis=0), np.max(phis, axis=0), 1e-12 * r.shape[1] * (1.0 + inner[:, 3])
            assert (inner[:, 1] - slack <= least).all() and (most <= inner[:, 2] + slack).all()


def test_the_range_of_slow_rates_in_a_long_session_is_hardly_wider_than_what_they_reach():
    """Residuals of either sign cancel, in the bound as they do in phi."""
    rng = np.random.default_rng(0)
    problem = case("dual_rates", "binary", "free", rng, n_steps=400)
    low, high = np.array([0.01, 0.01, 0.0]), np.array([0.02, 0.015, 5.0])
    ends = [[a, b, 1.0] for a in (low[0], high[0]) for b in (low[1], high[1])]
    r = rng.normal(size=(problem.n_arms, 400))
    phi = [(r * _unit_traces(problem.episode, np.array(end))[0]).sum() for end in ends]
    (inner,) = ranges(problem, low, high, r)
    assert inner[2] - inner[1] <= 1.1 * (max(phi) - min(phi))


def test_an_optimum_at_the_end_of_a_narrow_box_is_not_rounded_to_beyond_it():
    rng = np.random.default_rng(derive_seed("rescorla_wagner + unchosen_decay", 408, "hunt", 0))
    kind, edge = str(rng.choice(KINDS)), str(rng.choice(EDGES))
    problem = case("rescorla_wagner + unchosen_decay", kind, edge, rng, n_steps=int(rng.integers(2, 80)))
    theta = certify(problem).theta
    assert (theta >= problem.lower).all() and (theta <= problem.upper).all()


def test_a_hunt_goes_on_where_it_stopped_and_tells_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hunt, "CHUNK", 2)
    monkeypatch.setattr(hunt, "slack_of_fit", lambda method, problem, least, **settings: (-0.5, True))
    hunt.hunt(2, tmp_path, 1, ["rescorla_wagner"])
    monkeypatch.setattr(hunt, "MODELS", ("rescorla_wagner",))
    monkeypatch.setattr(hunt, "slack_of_fit", lambda method, problem, least, **settings: (0.5, True))
    table = hunt.hunt(4, tmp_path, 1, ["rescorla_wagner"])
    assert sorted(table["chunk"]) == [0, 1]
    monkeypatch.setattr(hunt, "hunt", lambda *how: table)
    hunt.report(4, tmp_path, 1)
    told = capsys.readouterr().out
    assert "a bound above parameters by 5.0e-01 of their nll" in told and "case 0" in told and "case 2" not in told


@pytest.mark.parametrize("model", ["rescorla_wagner", "choice_kernel", "dual_rates", "rescorla_wagner + perseveration"])
def test_a_certified_optimum_is_that_of_brute_force(model):
    rng = seed(model)
    for _ in range(3):
        problem = case(model, "binary", "free", rng, n_steps=120)
        fit = certify(problem)
        assert fit.status == "converged" and fit.message.startswith("certified")
        assert fit.lower_bound <= least_found(problem, rng, 100) + 1e-9
        assert fit.nll <= least_found(problem, rng, 100) + 1e-6


def test_the_gap_of_a_box_shrinks_with_its_square():
    rng = np.random.default_rng(3)
    problem = case("dual_rates", "binary", "free", rng, n_steps=120)
    fit = certify(problem)
    gaps = []
    for half in (0.008, 0.004, 0.002):
        low, high = problem.lower.copy(), problem.upper.copy()
        low[:2], high[:2] = np.maximum(fit.theta[:2] - half, 0.0), np.minimum(fit.theta[:2] + half, 1.0)
        bound, *_ = boxes.bound_box(problem.episode, groups.groups(problem), low, high, fit.theta, np.inf, 1e-6)
        gaps.append(fit.nll - bound)
    assert gaps[1] <= gaps[0] / 3 and gaps[2] <= gaps[1] / 3


def test_with_a_lapse_the_gap_near_the_optimum_shrinks_with_the_third_power_and_the_proof_closes():
    data, _ = learners("rescorla_wagner + lapse", 2, 1, 100, 0)
    model = bf.get_model("rescorla_wagner + lapse")
    problem = likelihood.problem(data, 0, model, data.bounds_of(model, None))
    fit = certify(problem)
    assert fit.status == "converged" and fit.nll <= least_found(problem, np.random.default_rng(0), 50) + 1e-6
    gr, gaps = groups.groups(problem), []
    for half in (0.02, 0.01):
        middle = np.array([0.5, 4.0, 0.2])
        low, high = middle - half * np.array([1.0, 4.0, 1.0]), middle + half * np.array([1.0, 4.0, 1.0])
        bound, *_ = boxes.bound_box(problem.episode, gr, low, high, middle, np.inf, 1e-6)
        gaps.append(least_found(replace(problem, lower=low, upper=high), np.random.default_rng(0), 4) - bound)
    assert 0.0 <= gaps[1] <= gaps[0] / 6


def test_rewards_in_other_units_are_certified_the_same():
    data = bf.Dataset("coins", np.random.default_rng(0).integers(2, size=(1, 60)), np.ones((1, 60)), 2)
    one = bf.fit(data, "rescorla_wagner + bias", "certified")
    other = bf.fit(bf.Dataset("coins", data.choices, 64.0 * data.rewards, 2), "rescorla_wagner + bias", "certified")
    assert abs(one["nll"][0] - other["nll"][0]) <= 1e-9 and abs(one["lower_bound"][0] - other["lower_bound"][0]) <= 1e-9


@pytest.mark.parametrize("model", ["rescorla_wagner(arm) + perseveration", "rescorla_wagner + choice_kernel + bias"])
def test_column_generation_and_conic_solver_agree_on_own_clocks(model):
    problem = case(model, "states", "free", seed(model), n_steps=80)
    fast, conic = (get_method(name).fit(problem, get_method(name).settings(), None, None) for name in ("cvx_fast", "cvx"))
    assert abs(fast.nll - conic.nll) <= 1e-4 and conic.lower_bound <= fast.lower_bound + 1e-4
    hull = get_method("hull")
    assert fast.lower_bound <= hull.fit(problem, hull.settings(), None, None).lower_bound + 1e-5


def test_a_rescorla_wagner_trace_is_a_kernel_of_the_arms_own_choices():
    problem = case("rescorla_wagner + initial_value", "states", "free", seed("clock"))
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
