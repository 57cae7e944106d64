"""The published data sets to the last bit, and what holds of any simulated one."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from banditfit import InputError, published_data, simulate
from banditfit.models.families import MODELS, PUBLISHED_MODELS
from banditfit.models.likelihood import log_policy, problem
from banditfit.models.simulate import PUBLISHED_BANDITS

FACTS = json.loads((Path(__file__).parents[1] / "config/published/dataset_facts.json").read_text())
FAMILIES = {"forgetting": "basic_forget_qlearning", "per_arm": "multi_lr_rew", "subrewards": "subrew_subvalue"}
RECIPE = {"p_reward": (0.8, 0.5, 0.2), "p_switch": 0.1, "n_episodes": 5, "n_steps": 60, "seed": 3, "beta": ((0.0, 5.0),)}


def sha256(array):
    return hashlib.sha256(array.astype(np.uint8).tobytes()).hexdigest()


@pytest.mark.parametrize("bandit", PUBLISHED_BANDITS)
@pytest.mark.parametrize("model", PUBLISHED_MODELS)
def test_published_data_bit_for_bit(model, bandit):
    data, facts = published_data(model, bandit), FACTS[f"{FAMILIES[model]}/{bandit}"]
    assert sha256(data.choices) == facts["actions_sha256"]
    assert sha256(data.rewards) == facts["rewards_sha256"]
    assert list(data.choices.shape) == facts["shape"]
    letters = {"alpha_r": ("alpha", 0), "beta_r": ("beta", 0), "alpha_a": ("alpha", 1), "beta_a": ("beta", 1)}
    for key in [key for key in facts if key.endswith("s_0")]:
        parameter, signal = letters.get(key.removesuffix("s_0"), (key.removesuffix("s_0"), 0))
        np.testing.assert_array_equal(getattr(data.truth, parameter)[0, signal], facts[key])
    assert -data.truth.nll.sum() == pytest.approx(facts["loglik_true_sum"], rel=1e-14)
    assert (data.name, data.model) == (f"{model}_{bandit}", model)


@pytest.mark.parametrize("model", PUBLISHED_MODELS)
def test_truth_is_that_of_the_choices(model):
    recipe = RECIPE | {"beta": ((0.0, 5.0),) * MODELS[model].n_signals, "initial_value": 1.0}
    data = simulate("any", model, **recipe)
    chosen = np.take_along_axis(log_policy(data.truth.values), data.choices[..., None], axis=2)
    np.testing.assert_allclose(data.truth.nll, -chosen.sum(axis=(1, 2)), rtol=1e-12)
    assert data.truth.alpha.shape == data.truth.beta.shape == (5, *MODELS[model].shape(3))
    assert (data.truth.values[:, 0] == MODELS[model].n_signals).all()


@pytest.mark.parametrize("model", PUBLISHED_MODELS)
def test_agents_that_start_at_zero_follow_the_model_of_the_fits(model):
    recipe = RECIPE | {"beta": ((0.0, 5.0),) * MODELS[model].n_signals}
    data = simulate("any", model, **recipe)
    for e in range(len(data)):
        fitted = problem(data, e, MODELS[model], data.bounds)
        np.testing.assert_allclose(fitted.values(data.truth.alpha[e], data.truth.beta[e]), data.truth.values[e], atol=1e-12)
        assert fitted.nll(data.truth.alpha[e], data.truth.beta[e]) == pytest.approx(data.truth.nll[e], rel=1e-12)


@pytest.mark.parametrize("n_arms", [2, 3, 10])
def test_stream_is_that_of_a_plain_numpy_agent(n_arms):
    """The compiled agent against RandomState's own uniform, choice and shuffle."""
    p_reward = np.linspace(0.1, 0.9, n_arms)
    data = simulate("any", "forgetting", **RECIPE | {"p_reward": p_reward.copy(), "p_switch": 0.3})
    stream = np.random.RandomState(RECIPE["seed"])
    for e in range(len(data)):
        alpha, beta = stream.uniform(0, 1), stream.uniform(0, 5)
        x = np.zeros(n_arms)
        for t in range(data.choices.shape[1]):
            y = stream.choice(n_arms, p=np.exp(x) / np.exp(x).sum())
            reward = stream.uniform() < p_reward[y]
            assert (y, reward) == (data.choices[e, t], data.rewards[e, t])
            x *= 1 - alpha
            x[y] += alpha * beta * reward
            if stream.uniform() < 0.3:
                stream.shuffle(p_reward)


def test_same_seed_same_data():
    first, again, other = (simulate("any", "per_arm", **RECIPE | {"seed": seed}) for seed in (3, 3, 4))
    for held in ("choices", "rewards"):
        np.testing.assert_array_equal(getattr(first, held), getattr(again, held))
        assert (getattr(first, held) != getattr(other, held)).any()


def test_bounds_are_the_ranges_of_the_parameters():
    data = simulate("any", "per_arm", **RECIPE | {"alpha": (0.2, 0.4), "beta": ((2.0, 3.0),)})
    assert (data.bounds.alpha, data.bounds.beta) == ((0.2, 0.4), ((2.0, 3.0),))
    assert data.truth.alpha.min() >= 0.2 and data.truth.alpha.max() <= 0.4
    assert data.truth.beta.min() >= 2.0 and data.truth.beta.max() <= 3.0


def test_large_sensitivities_do_not_overflow():
    data = simulate("any", "forgetting", **RECIPE | {"beta": ((2000.0, 3000.0),)})
    assert np.isfinite(data.truth.nll).all()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"p_reward": (0.8, 1.2)}, "simulate, argument p_reward[1]: found 1.2, expected a finite number from 0 to 1"),
        (
            {"p_reward": (0.8,)},
            "simulate, argument p_reward: found (0.8,) (a tuple), expected a probability from 0 to 1 for each of at least 2",
        ),
        ({"p_switch": -0.1}, "simulate, argument p_switch: found -0.1, expected a finite number from 0 to 1"),
        ({"n_episodes": 0}, "simulate, argument n_episodes: found 0, expected an integer of at least 1"),
        ({"n_steps": 1.5}, "simulate, argument n_steps: found 1.5, expected an integer of at least 1"),
        ({"seed": -1}, "simulate, argument seed: found -1, expected an integer from 0 to 4294967295"),
        ({"initial_value": np.inf}, "simulate, argument initial_value: found inf, expected a finite number"),
        ({"beta": ((0.0, 5.0), (0.0, 5.0))}, "bounds of beta: found 2 pairs, model 'forgetting' expects 1"),
        ({"beta": ((5.0, 0.0),)}, "bounds of beta of signal 0: found [5, 0], expected 0 <= lower <= upper"),
        ({"model": "unknown"}, "simulate, argument model: found 'unknown', expected one of forgetting, per_arm, subrewards"),
    ],
)
def test_simulate_refuses(wrong, sentence):
    with pytest.raises(InputError) as error:
        simulate("any", **{"model": "forgetting"} | RECIPE | wrong)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(("model", "bandit"), [("forgetting", "3arm"), ("unknown", "2arm")])
def test_published_data_refuses(model, bandit):
    with pytest.raises(InputError, match="expected one of"):
        published_data(model, bandit)
