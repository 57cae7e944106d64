"""Agents of any model on a given design: the policy they draw from is that of the likelihood, and what they draw follows it."""

from dataclasses import replace

import numpy as np
import pytest

import banditfit as bf
from banditfit.data import stored
from banditfit.models import likelihood
from banditfit.models.families import get_model
from banditfit.models.play import play
from test_models import COMPOSITIONS, hostile, inside, problem_of

REWARDS = np.array([-1.0, 0.0, 0.4, 1.0])


def played(text, data, seed=0):
    """One game on the design of the only episode of `data`: theta, the data it makes, and its policy (steps, arms)."""
    problem = problem_of(text, data)
    theta = inside(problem, seed)
    rng = np.random.default_rng(seed)
    offered = rng.choice(REWARDS, size=(data.n_steps[0], data.n_arms))
    choices, policy = play(problem, theta, offered, rng)
    rewards = np.where(choices >= 0, offered[np.arange(len(choices)), choices], 0.0)
    return theta, replace(data, choices=choices[None], rewards=rewards[None]), policy


def policy_of(problem, theta):
    x = problem.values_of(theta)
    return np.exp(x - x.max(axis=1, keepdims=True)) / np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("text", COMPOSITIONS)
def test_agents_draw_from_the_policy_of_the_likelihood(text):
    design = replace(hostile(), states=np.random.default_rng(3).integers(3, size=(1, 60)))
    design = replace(design, forced=np.random.default_rng(4).random((1, 60)) < 0.2)
    for seed in range(2):
        theta, data, policy = played(text, design, seed)
        np.testing.assert_allclose(policy, policy_of(problem_of(text, data), theta), rtol=1e-10, atol=1e-12)
        kept = (design.choices < 0) | design.forced
        np.testing.assert_array_equal(data.choices[kept], design.choices[kept])
        assert (data.choices[~kept] >= 0).all()


def test_choices_are_as_frequent_as_the_policy_says():
    """Over many games of one agent, by a chi-square of choices against the summed probabilities of each arm."""
    text, design = "dual_rates + choice_kernel + bias + lapse", hostile(n_steps=40)
    problem = problem_of(text, design)
    theta = inside(problem, 5)
    rng = np.random.default_rng(0)
    off, spread = np.zeros(3), np.zeros(3)
    for _ in range(2000):
        choices, policy = play(problem, theta, rng.choice(REWARDS, size=(40, 3)), rng)
        made = choices >= 0
        off += np.eye(3)[choices[made]].sum(axis=0) - policy[made].sum(axis=0)
        spread += (policy[made] * (1 - policy[made])).sum(axis=0)
    assert (np.abs(off) < 4 * np.sqrt(spread)).all() and (spread > 500).all()


def test_forced_choices_move_the_values_and_are_not_scored(tmp_path):
    whole = hostile()
    forced = np.random.default_rng(4).random(whole.choices.shape) < 0.3
    data = replace(whole, forced=forced)
    for text in ("rescorla_wagner + choice_kernel", "forgetting"):
        problem, free = problem_of(text, data), problem_of(text, whole)
        theta = inside(problem)
        log_policy = np.log(policy_of(free, theta))
        scored = np.flatnonzero((whole.choices[0] >= 0) & ~forced[0])
        expected = -log_policy[scored, whole.choices[0, scored]].sum()
        assert problem.nll_theta(theta) == pytest.approx(expected, rel=1e-12)
        assert problem.nll_of_values(problem.values_of(theta)) == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(problem.values_of(theta), free.values_of(theta))
    fits = bf.fit(data, "forgetting", "certified")
    other = bf.fit(data, "forgetting", "d_loc")
    judged = bf.score(data, other)
    assert judged["claim_held"].all() and fits["status"][0] == "converged"
    assert fits["lower_bound"][0] <= judged["nll"][0] + 1e-9 and judged["nll"][0] - fits["nll"][0] < 1e-5
    assert judged["guessing"][0] == pytest.approx(len(scored) * np.log(3))
    stored.save(data, tmp_path / "data.parquet")
    for back in (
        stored.load(tmp_path / "data.parquet"),
        *stored.data_blocks(tmp_path / "data.parquet", [range(1)]),
        data.select([0]),
    ):
        np.testing.assert_array_equal(back.forced, forced)
    assert f"{(forced & (whole.choices >= 0)).sum()} forced choices" in repr(data)


def test_forced_choices_are_read_from_a_column(tmp_path):
    path = tmp_path / "forced.csv"
    path.write_text("episode,choice,reward,forced\n1,0,1,True\n1,1,0,false\n1,0,1,False\n2,1,1,False\n")
    data = bf.read_csv(path, n_arms=2)
    assert data.forced.tolist() == [[True, False, False], [False, False, False]]
    path.write_text("episode,choice,reward,forced\n1,0,1,0\n1,1,0,2\n")
    with pytest.raises(bf.InputError, match="row 3, column 'forced': found '2', expected True or False, or 1 or 0"):
        bf.read_csv(path, n_arms=2)
    with pytest.raises(bf.InputError, match="forced is 3, expected True or False"):
        replace(hostile(), forced=np.full((1, 60), 3))


def test_a_game_is_the_same_in_any_units():
    data = hostile()
    model = get_model("dual_rates + fictive")
    problem = likelihood.problem(data, 0, model, data.bounds_of(model))
    unit = np.full(len(model.rows), 4.0)
    theta, offered = inside(problem), np.random.default_rng(1).choice(REWARDS, size=(60, 3))
    scaled = problem.in_units(unit)
    one = play(problem, theta, offered, np.random.default_rng(2))
    other = play(scaled, theta * model.scale(3, unit), offered, np.random.default_rng(2))
    np.testing.assert_array_equal(one[0], other[0])


def shown_to(data, seed=5):
    """Two arms, the outcome of the other one shown on half of the trials."""
    rng = np.random.default_rng(seed)
    foregone = np.where(rng.random(data.choices.shape) < 0.5, rng.choice(REWARDS, size=data.choices.shape), np.nan)
    return replace(data, foregone=foregone)


def test_the_value_of_the_other_arm_moves_to_what_it_would_have_brought(tmp_path):
    data = shown_to(hostile(n_arms=2))
    problem = problem_of("rescorla_wagner + fictive", data)
    alpha, fictive, weight = theta = np.array([0.3, 0.6, 2.0])
    Q, nll = np.zeros(2), 0.0
    for t in range(60):
        Q = np.zeros(2) if data.starts[0, t] else Q
        y, r, f = data.choices[0, t], data.rewards[0, t], data.foregone[0, t]
        if y < 0:
            continue
        nll += np.log(1 + np.exp(weight * (Q[1 - y] - Q[y])))
        Q[y] += alpha * (r - Q[y])
        Q[1 - y] += fictive * ((-r if np.isnan(f) else f) - Q[1 - y])
    assert problem.nll_theta(theta) == pytest.approx(nll, rel=1e-12)
    stored.save(data, tmp_path / "data.parquet")
    for back in (
        stored.load(tmp_path / "data.parquet"),
        *stored.data_blocks(tmp_path / "data.parquet", [range(1)]),
        data.select([0]),
    ):
        np.testing.assert_array_equal(back.foregone, data.foregone)
    with pytest.raises(bf.InputError, match="foregone are those of one other arm, expected two arms, found 3"):
        shown_to(hostile())


def test_agents_see_what_the_other_arm_offers_where_it_is_shown():
    design = shown_to(replace(hostile(n_arms=2), states=np.random.default_rng(3).integers(2, size=(1, 60))))
    problem, shown = problem_of("dual_rates + fictive", design), np.isfinite(design.foregone[0])
    theta, offered = inside(problem), np.random.default_rng(6).choice(REWARDS, size=(60, 2))
    choices, policy = play(problem, theta, offered, np.random.default_rng(0), shown)
    y, steps = np.maximum(choices, 0), np.arange(60)
    foregone = np.where(shown, offered[steps, 1 - y], np.nan)[None]
    data = replace(design, choices=choices[None], rewards=offered[steps, y][None], foregone=foregone)
    np.testing.assert_allclose(policy, policy_of(problem_of("dual_rates + fictive", data), theta), rtol=1e-10)


def test_foregone_outcomes_are_read_from_a_column(tmp_path):
    path = tmp_path / "both.csv"
    path.write_text("episode,choice,reward,foregone\n1,0,1,0.5\n1,1,0,\n2,1,1,-1\n")
    data = bf.read_csv(path, n_arms=2)
    np.testing.assert_array_equal(data.foregone, [[0.5, np.nan], [-1, np.nan]])
    path.write_text("episode,choice,reward,foregone\n1,0,1,much\n")
    with pytest.raises(bf.InputError, match="row 2, column 'foregone': found 'much', expected a finite number, or empty"):
        bf.read_csv(path, n_arms=2)
