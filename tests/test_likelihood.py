"""The one likelihood: against its definition written out, finite differences, and every edge of the data and the box."""

import math

import numpy as np
import pytest

import banditfit as bf
from banditfit.models.families import PUBLISHED_MODELS
from banditfit.models.likelihood import Problem, problem


def definition(episode: Problem, alpha, beta, lag: int = 0) -> float:
    """The nll as sums over the past within the session, in plain Python. With `lag` 1 the newest signal is left out."""
    alpha, beta = episode.full(alpha), episode.full(beta)
    nll = 0.0
    for t, choice in enumerate(episode.choices):
        if choice < 0:
            continue
        session = max(start for start in np.flatnonzero(episode.starts) if start <= t)
        x = [0.0] * episode.n_arms
        for past in range(session, t - lag):
            arm = episode.arms[past]
            for s, signal in enumerate(episode.signals[:, past]):
                if arm >= 0:
                    age = t - lag - 1 - past
                    x[arm] += alpha[s, arm] * beta[s, arm] * (1 - alpha[s, arm]) ** age * signal
        top = max(x)
        nll += top + math.log(sum(math.exp(value - top) for value in x)) - x[choice]
    return nll


def episode_of(model: str, n_steps: int = 40, seed: int = 0, n_arms: int = 3, **changes) -> Problem:
    """Random choices and rewards with missed trials, three sessions and an arm never chosen."""
    rng = np.random.default_rng(seed)
    choices = rng.integers(-1, n_arms - 1, n_steps)
    starts = np.isin(np.arange(n_steps), [n_steps // 3, n_steps // 2])
    fields = {"choices": choices, "rewards": rng.normal(size=n_steps), "starts": starts} | changes
    data = bf.Dataset("random", n_arms=n_arms, **{name: np.atleast_2d(value) for name, value in fields.items()})
    family = bf.get_model(model)
    return problem(data, 0, family, family.default_bounds)


def parameters(episode: Problem, seed: int = 1, beta: float = 3.0):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=episode.shape), rng.uniform(0, beta, episode.shape)


@pytest.fixture(params=PUBLISHED_MODELS)
def episode(request) -> Problem:
    return episode_of(request.param)


def test_definition(episode):
    alpha, beta = parameters(episode)
    theta = np.concatenate([alpha.ravel(), beta.ravel()])
    expected = pytest.approx(definition(episode, alpha, beta), rel=1e-13)
    assert episode.nll(alpha, beta) == expected and episode.nll_theta(theta) == expected
    assert episode.nll_grad(theta)[0] == expected
    assert episode.nll_of_values(episode.values(alpha, beta)) == expected


def test_gradient_is_that_of_finite_differences(episode):
    theta = np.concatenate([parameter.ravel() for parameter in parameters(episode)])
    steps = 1e-6 * np.eye(len(theta))
    slopes = [(episode.nll_theta(theta + step) - episode.nll_theta(theta - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(episode.nll_grad(theta)[1], slopes, atol=1e-7)


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("sensitivity", [0.0, 2.0, 1e6])
def test_ends_of_the_box(episode, rate, sensitivity):
    alpha, beta = np.full(episode.shape, rate), np.full(episode.shape, sensitivity)
    nll, gradient = episode.nll_grad(np.concatenate([alpha.ravel(), beta.ravel()]))
    assert nll == pytest.approx(definition(episode, alpha, beta), rel=1e-13)
    assert np.isfinite(gradient).all()
    if rate == 0 or sensitivity == 0:
        assert nll == pytest.approx((episode.choices >= 0).sum() * np.log(3), rel=1e-14)


def test_an_arm_never_chosen_has_no_influence():
    episode = episode_of("subrewards")
    gradient = np.stack(episode.split(episode.nll_grad(np.concatenate([p.ravel() for p in parameters(episode)]))[1]))
    assert np.all(gradient[:, :, 2] == 0) and np.all(gradient[:, :, :2] != 0)


def test_without_rewards_every_parameter_is_as_good(episode):
    flat = episode_of(episode.model.name, rewards=np.zeros(40))
    reward = flat.model.signals.index("reward")
    gradient = np.stack(flat.split(flat.nll_grad(np.concatenate([p.ravel() for p in parameters(flat)]))[1]))
    assert np.all(gradient[:, reward] == 0)


@pytest.mark.parametrize("choice", [0, -1])
def test_one_step(episode, choice):
    one = episode_of(episode.model.name, choices=[choice], rewards=[1.0], starts=[True])
    assert one.nll(*parameters(one)) == pytest.approx((choice >= 0) * np.log(3))


def test_sessions_are_episodes_of_their_own(episode):
    alpha, beta = parameters(episode)
    edges = [*np.flatnonzero(episode.starts), episode.n_steps]
    parts = []
    for begin, end in zip(edges, edges[1:], strict=False):
        cut = {name: getattr(episode, name)[begin:end] for name in ("choices", "starts", "arms")}
        lower, upper, signals = episode.lower, episode.upper, np.ascontiguousarray(episode.signals[:, begin:end])
        parts.append(Problem(episode.model, episode.n_arms, **cut, signals=signals, lower=lower, upper=upper).nll(alpha, beta))
    assert len(parts) == 3 and episode.nll(alpha, beta) == pytest.approx(sum(parts), rel=1e-13)


def test_a_missed_trial_only_lets_time_pass():
    """A gap of k missed trials decays every trace by (1 - alpha)^k."""
    choices, rewards = np.array([0, -1, -1, -1, 1]), np.ones(5)
    episode = episode_of("forgetting", choices=choices, rewards=rewards, starts=np.zeros(5, bool))
    x = 0.3 * 2.0 * 0.7**3
    assert episode.nll(np.full((1, 1), 0.3), np.full((1, 1), 2.0)) == pytest.approx(np.log(3) + np.log(np.exp(x) + 2))


def test_shared_parameters_are_equal_ones():
    shared, per_arm = episode_of("forgetting"), episode_of("per_arm")
    theta = np.array([0.3, 2.0])
    nll, gradient = shared.nll_grad(theta)
    nll_of_each, gradient_of_each = per_arm.nll_grad(np.repeat(theta, 3))
    assert nll == nll_of_each
    np.testing.assert_allclose(gradient, gradient_of_each.reshape(2, 3).sum(axis=1), rtol=1e-14)


def test_kernels_of_geometric_form_give_the_same_values(episode):
    alpha, beta = parameters(episode)
    kernels = (alpha * beta)[..., None] * (1 - alpha[..., None]) ** np.arange(episode.n_steps)
    np.testing.assert_allclose(episode.kernel_values(kernels), episode.values(alpha, beta), atol=1e-13)


def test_lagged_leaves_out_the_newest_signal(episode):
    alpha, beta = parameters(episode)
    assert episode.lagged().nll(alpha, beta) == pytest.approx(definition(episode, alpha, beta, lag=1), rel=1e-13)


@pytest.mark.parametrize("n_arms", [2, 5, 50])
@pytest.mark.parametrize("n_steps", [1, 7, 700])
def test_sizes(n_arms, n_steps):
    """Long products of softmax denominators, and every remainder of the vector loops."""
    episode = episode_of("subrewards", n_steps=n_steps, n_arms=n_arms)
    alpha, beta = parameters(episode, beta=1.0)
    assert episode.nll(alpha, beta) == pytest.approx(episode.nll_of_values(episode.values(alpha, beta)), rel=1e-13)


@pytest.mark.parametrize("place", range(4))
def test_not_a_number_stays_one(place):
    """A NaN anywhere in theta is seen in the nll, whichever arm it falls on."""
    episode = episode_of("per_arm", n_arms=2, choices=np.arange(40) % 2)
    theta = np.array([0.3, 0.4, 1.0, 2.0])
    theta[place] = np.nan
    assert np.isnan(episode.nll_theta(theta)) and np.isnan(episode.nll_grad(theta)[0])
