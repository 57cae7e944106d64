"""Choice sets, forced choices and losses: the likelihood written out, and everything that follows the arms on offer."""

import math

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.comparison.agents import Agents, Outcomes
from banditfit.data import stored
from banditfit.experiments.own_design import facts
from banditfit.models import likelihood
from banditfit.models.families import get_model
from banditfit.models.traces import packed, unpacked
from banditfit.report import read
from banditfit.study.cases import Case
from banditfit.study.catalogue import own_entry

ENTRY = own_entry("sets.csv", 4, {}, "here")
MODELS = ["forgetting", "rescorla_wagner", "dual_rates + choice_kernel + bias + lapse"]


def people(n_people=3, n_steps=60, n_arms=4, seed=0, **fields):
    """Two or three of four arms on each trial, sometimes one; sessions, missed trials, rewards of either sign, no two alike."""
    rng = np.random.default_rng(seed)
    shape = (n_people, n_steps)
    size = rng.choice([1, 2, 3], p=[0.1, 0.6, 0.3], size=shape)
    available = rng.random((*shape, n_arms)).argsort(axis=2) < size[..., None]
    choices = np.where(available, rng.random((*shape, n_arms)) + 0.1 * np.arange(n_arms), -1.0).argmax(axis=2)
    choices[rng.random(shape) < 0.1] = -1
    starts = np.zeros(shape, dtype=bool)
    starts[:, n_steps // 2] = True
    given = {"starts": starts, "available": available} | fields
    return bf.Dataset("sets", choices, rng.normal(size=shape), n_arms, **given)


def problem_of(data, name, row=0):
    model = get_model(name)
    return likelihood.problem(data, row, model, data.bounds_of(model))


def theta_of(problem, seed=1):
    """A theta inside the box, the weights within 3."""
    rng = np.random.default_rng(seed)
    low, high = np.maximum(problem.lower, -3.0), np.minimum(problem.upper, 3.0)
    return low + (high - low) * rng.uniform(0.1, 0.9, len(low))


def written_out(data, row, name, named):
    """The nll, and the policy (steps, arms), of these parameters in plain Python."""
    get = lambda key: float(np.ravel(named.get(key, 0.0))[0])  # noqa: E731
    bias = [0.0, *np.ravel(named.get("bias", np.zeros(data.n_arms - 1)))]
    nll, policies = 0.0, []
    for t in range(data.n_steps[row]):
        if data.starts[row, t]:
            q, c = [0.0] * data.n_arms, [0.0] * data.n_arms
        on = [i for i in range(data.n_arms) if data.available is None or data.available[row, t, i]]
        x = {i: get("beta") * q[i] + get("beta_choice") * c[i] + bias[i] for i in on}
        total = sum(math.exp(x[i]) for i in on)
        p = {i: (1 - get("lapse")) * math.exp(x[i]) / total + get("lapse") / len(on) for i in on}
        policies.append([p.get(i, 0.0) for i in range(data.n_arms)])
        y, r = data.choices[row, t], data.rewards[row, t]
        if data.scored[row, t]:
            nll -= math.log(p[y])
        for i in range(data.n_arms):
            c[i] += get("alpha_choice") * ((i == y) - c[i])
            if name == "forgetting":
                q[i] += get("alpha") * ((r if i == y else 0.0) - q[i])
            elif i == y:
                rate = get("alpha") if "alpha" in named else get("alpha_pos") if r > q[i] else get("alpha_neg")
                q[i] += rate * (r - q[i])
    return nll, np.array(policies)


@pytest.mark.parametrize("name", MODELS)
def test_the_likelihood_is_that_of_the_arms_on_offer(name):
    data = people()
    one = problem_of(data, name)
    theta = theta_of(one)
    nll, policy = written_out(data, 0, name, one.named(theta))
    assert one.nll_theta(theta) == pytest.approx(nll, rel=1e-12)
    assert one.nll_of_values(one.values_of(theta)) == pytest.approx(nll, rel=1e-12)
    np.testing.assert_allclose(np.exp(likelihood.log_policy(one.values_of(theta))), policy, atol=1e-12)
    # Derivatives, by finite differences.
    _, gradient, hessian, _ = one.nll_hessian(theta)
    np.testing.assert_allclose(one.nll_grad(theta)[1], gradient, rtol=1e-9, atol=1e-9)
    for j, step in enumerate(np.eye(len(theta)) * 1e-6):
        up, down = one.nll_grad(theta + step), one.nll_grad(theta - step)
        assert gradient[j] == pytest.approx((up[0] - down[0]) / 2e-6, rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(hessian[j], (up[1] - down[1]) / 2e-6, rtol=1e-4, atol=1e-4)
    there = unpacked(packed(one.episode))
    assert all(np.array_equal(a, b) for a, b in zip(there, one.episode, strict=True))


def test_a_state_keeps_the_arms_of_its_steps():
    data = people(states=np.random.default_rng(5).integers(0, 2, (3, 60)))
    one = problem_of(data, "rescorla_wagner")
    values = one.values_of(theta_of(one))
    np.testing.assert_array_equal(np.isneginf(values), ~data.available[0])


def test_the_only_arm_on_offer_is_a_forced_choice(tmp_path):
    data = people()
    alone = (data.available.sum(axis=2) == 1) & (data.choices >= 0)
    assert alone.any() and not data.scored[alone].any() and f"{alone.sum()} forced choices" in repr(data)
    assert "1 to 3 of 4 arms on offer" in repr(data)
    stored.save(data, tmp_path / "sets.parquet")
    np.testing.assert_array_equal(stored.load(tmp_path / "sets.parquet").available, data.available)
    told = dict(facts(data)[["fact", "value"]].itertuples(index=False))
    assert told["arms on offer"] == "1 to 3" and told["forced choices"] == str(alone.sum())
    said = " ".join(read.section({"facts": facts(data)}, [], {Case("sets", "rescorla_wagner"): ENTRY})["parts"][0]["sentences"])
    assert "On a trial 1 to 3 of 4 arms were on offer" in said and f"{alone.sum()} choices were forced" in said
    marked = people(forced=alone)
    one, other = (problem_of(each, "rescorla_wagner") for each in (data, marked))
    assert one.nll_theta(theta_of(one)) == other.nll_theta(theta_of(other))


@pytest.mark.parametrize("name", ["forgetting", "rescorla_wagner", "rw_choice_kernel"])
def test_profile_and_random_starts_agree_and_criteria_count_free_choices(name):
    data = people(2)
    fits = pd.concat([bf.fit(data, name, method, settings=how) for method, how in (("profile", {}), ("d_loc", {"starts": 8}))])
    scores = bf.score(data, fits)
    assert (scores["status"] == "converged").all() and scores["claim_held"].all() and scores["admissible"].all()
    best = scores.pivot(index="episode", columns="method", values="nll")
    assert (best["profile"] <= best["d_loc"] + 1e-6).all()
    offered = np.log(data.available.sum(axis=2))
    np.testing.assert_allclose(scores["guessing"][:2], (offered * data.scored).sum(axis=1))
    np.testing.assert_array_equal(scores["n_scored"][:2], data.scored.sum(axis=1))


def test_methods_that_need_all_arms_say_so_and_a_comparison_goes_on():
    data = people(2)
    for method in ("hull", "certified", "cvx_fast"):
        with pytest.raises(bf.InputError, match=f"'{method}' needs all arms on offer at every step; model .* profile, "):
            bf.fit(data, "rescorla_wagner", method)
    found = bf.compare(data, ["rescorla_wagner", "forgetting"], "hull")
    assert set(found.models["method"]) == {"d_loc"} and len(found.notes) == 2
    trials = bf.trial_table(data, found.fits)
    p = trials[[f"p[{i}]" for i in range(4)]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert (p[: data.choices.shape[1]][~data.available[0]] == 0.0).all()


def test_agents_choose_what_is_on_offer_and_behaviour_counts_it():
    data = people(3, losses=np.random.default_rng(2).integers(0, 3, (3, 60)).astype(float))
    fits = bf.fit(data, "rescorla_wagner + lapse", "d_loc", settings={"starts": 1})
    played = Agents(data, fits, "rescorla_wagner + lapse").play(Outcomes(data, "own"), 0, 1)
    assert np.take_along_axis(played.available, np.maximum(played.choices, 0)[..., None], axis=2)[played.choices >= 0].all()
    fixed = ~data.scored
    np.testing.assert_array_equal(played.choices[fixed], data.choices[fixed])
    assert (played.choices != data.choices).any() and played.losses.max() > 0
    table = bf.behaviour(data, lags=1).set_index("measure")["mean"]
    stayed = []
    middle = data.rewards[data.choices >= 0].mean()
    for row in range(3):
        pairs = []
        for t in range(1, 60):
            before, y = data.choices[row, t - 1], data.choices[row, t]
            same = not data.starts[row, t] and before >= 0 and data.scored[row, t] and data.available[row, t, before]
            if same and data.rewards[row, t - 1] > middle:
                pairs.append(y == before)
        stayed.append(np.mean(pairs))
    assert table["stay after win"] == pytest.approx(np.mean(stayed))


def test_gains_and_losses_of_one_trial_are_learnt_apart():
    """One arm wins 1 and loses 2 at once: values of gains rise, those of losses fall, and models of one signal see -1."""
    data = bf.Dataset("both", [[0, 0, 1]], [[-1.0, -1.0, 0.0]], 2, losses=[[2.0, 2.0, 0.0]])
    assert data.reward_scale == 2.0
    one = problem_of(data, "rescorla_wagner + sensitivities")
    theta = one.model.box(2, one.model.default_bounds)[0]
    theta[:] = [0.5, 3.0, 1.0]
    x = one.values_of(theta)
    np.testing.assert_allclose(x[:, 0], [0.0, 0.5 * (3.0 - 2.0), 0.75 * (3.0 - 2.0)])
    single = problem_of(data, "rescorla_wagner")
    np.testing.assert_allclose(single.values_of(np.array([0.5, 3.0]))[:, 0], [0.0, -1.5, -2.25])


def table(**columns):
    return pd.DataFrame({"episode": "a", "choice": [0, 2, 1], "reward": [1, 0, 2]} | columns)


FORMS = {
    "a list": ({"available": ["0;2", "1|2", "1 0"]}, {}),
    "a column for each arm": (
        {"x": [1, 0, 1], "y": [0, 1, 1], "z": [True, True, False]},
        {"columns": {"available": ["x", "y", "z"]}},
    ),
    "places": ({"left": [2, 1, 0], "right": [0, 2, 1]}, {"columns": {"available": ["left", "right"]}}),
    "places that are chosen": (
        {"left": [2, 1, 0], "right": [0, 2, 1], "choice": [1, 1, 1]},
        {"columns": {"available": ["left", "right"]}, "choice_is": "place"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_arms_on_offer_are_read_in_each_form(form):
    columns, settings = FORMS[form]
    data = bf.from_frame(table(**columns), n_arms=3, **settings)
    np.testing.assert_array_equal(data.available[0], [[1, 0, 1], [0, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(data.choices[0], [0, 2, 1])


def test_presets_of_choice_sets_and_losses(tmp_path):
    cpm = pd.DataFrame(
        {
            "ppt": [1, 1, 2],
            "trial": [1, 2, 1],
            "stimulus_left": [2, 2, 4],
            "stimulus_right": [4, 1, 1],
            "responses": [1, 2, 2],
            "feedback": [0, 1, 1],
        }
    )
    data = bf.from_frame(cpm, n_arms=4, preset="cpm")
    np.testing.assert_array_equal(data.choices, [[1, 0], [0, -1]])
    assert "a choice is that of a place" in data.notes and data.available[0, 0].tolist() == [False, True, False, True]
    four = pd.DataFrame({"subjID": 1, "trial": [1, 2], "choice": [4, 1], "gain": [50, 0], "loss": [0, -25]})
    data = bf.from_frame(four, n_arms=4, preset="hbayesdm")
    assert data.rewards.tolist() == [[50, -25]] and data.losses.tolist() == [[0, 25]] and data.reward_scale == 50
    four.to_parquet(tmp_path / "four.parquet")
    again = bf.read_csv(tmp_path / "four.parquet", n_arms=4, preset="hbayesdm")
    assert again.losses.tolist() == data.losses.tolist()


LEFT_RIGHT = {"columns": {"available": ["left", "right"]}}
REFUSED = [
    ({"available": ["0;2", "1", "1"]}, {}, "column 'choice': found '2', expected an arm that is on offer"),
    ({"available": ["0;2", "", "1"]}, {}, "column 'available': found '', expected the codes of the arms on offer"),
    ({"available": ["0;2", "2;5", "1"]}, {}, "column 'available': found '2;5', expected codes among 0, 1, 2"),
    ({"available": ["0;0", "2", "1"]}, {}, "column 'available': found '0;0', expected each arm once"),
    ({"left": [0, 1, 1], "right": [2, 2, 7]}, LEFT_RIGHT, "column 'right': found '7', expected the code of one of 3 arms"),
    ({"left": [0, 1, 1], "right": [2, 0, 2]}, LEFT_RIGHT, "column 'choice': found '2', expected an arm that is on offer"),
    ({"left": 0, "right": 1}, {"columns": {"available": "left"}, "choice_is": "place"}, "choice_is: found 'place', expected a"),
    ({}, {"choice_is": "place"}, "choice_is: found 'place', expected columns="),
    ({}, {"choice_is": "side"}, "choice_is: found 'side', expected 'arm' or 'place'"),
    ({}, {"columns": {"available": ["left"]}}, "columns: found \\['left'\\] for the available, expected the name of a column"),
    ({"left": 0}, LEFT_RIGHT, "no column 'right' \\(for the available 2\\)"),
    ({}, {"columns": {"choice": ["a", "b"]}}, "columns: found \\['a', 'b'\\] for the choice, expected the name of a column"),
    ({"left": [0, 1, ""], "right": [2, 2, 1], "choice": [0, 1, 0]}, LEFT_RIGHT | {"choice_is": "place"}, "a place at which"),
    ({"loss": [0, 1, -1]}, {}, "column 'loss': found '-1', beside '1' in another row, expected losses all of at least 0"),
    ({"loss": [0, "x", 1]}, {}, "column 'loss': found 'x', expected a finite number"),
    ({"loss": [0, None, 1]}, {}, "column 'loss': found '', expected a finite number"),
    ({"loss": 0, "reward": [1, -1, 0]}, {}, "column 'reward': found '-1', expected what was won, at least 0"),
    ({"loss": [0, 0, 1], "choice": [0, 2, None], "reward": [1, 0, 0]}, {}, "column 'loss': found '1', expected 0 or a missing"),
]


@pytest.mark.parametrize(("columns", "settings", "words"), REFUSED)
def test_what_is_no_choice_set_or_loss_is_refused(columns, settings, words):
    with pytest.raises(bf.InputError, match=words):
        bf.from_frame(table(**columns), n_arms=3, **settings)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"available": np.ones((1, 3))}, "available have shape"),
        ({"available": np.full((1, 3, 2), 2)}, "True or False for every arm"),
        ({"available": np.zeros((1, 3, 2), dtype=bool)}, "the number of arms on offer is 0, expected at least 1"),
        ({"available": np.array([[[1, 0], [1, 0], [1, 1]]])}, "step 1: choice is 1, expected an arm on offer"),
        ({"losses": [[0, -1, 0]]}, "step 1: loss is -1, expected a number of at least 0"),
        ({"losses": [["a", "b", "c"]]}, "losses hold text"),
    ],
)
def test_what_is_no_array_of_sets_or_losses_is_refused(fields, words):
    with pytest.raises(bf.InputError, match=words):
        bf.Dataset("none", [[0, 1, 0]], [[0, 0, 0]], 2, **fields)
