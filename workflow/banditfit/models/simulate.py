"""Bandits and the agents that play them, among them the six published data sets, bit for bit.

An agent follows one of the published families (families.py), except that its traces may start from a value other than zero. All
randomness comes from one stream, seeded as NumPy's legacy RandomState, in this order:

    per episode  for each signal s: alpha_s, then beta_s, uniform within the bounds (one number, or one per arm)
    per step     the choice, by inverse CDF; the reward, 1 if a uniform number falls below p_reward[choice]; then, with
                 probability p_switch, p_reward is shuffled in place; it is not reset between episodes
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numba import njit

from ..arguments import checked
from ..data.dataset import Dataset, Truth
from ..kinds import Count, Items, Pair, Probability, Seed, Words
from ..parameters import Bounds, Pairs
from .families import PublishedName, get_model

# The study of arXiv 2511.04454 v1: its bandits in the order in which each family's stream plays them, and the range of
# beta, one pair per signal. Its agents start at one although every fit assumes zero.
PUBLISHED_SEED = 10015
PUBLISHED = {"n_episodes": 1000, "n_steps": 200, "alpha": (0.0, 1.0), "initial_value": 1.0}
PUBLISHED_BANDITS = {
    "2arm": {"p_reward": (0.9, 0.1), "p_switch": 0.02},
    "10arm": {"p_reward": (0.30, 0.27, 0.95, 0.67, 0.69, 0.29, 0.42, 0.05, 0.73, 1.00), "p_switch": 0.0},
}
PUBLISHED_BETA = {
    "forgetting": {"2arm": ((0.0, 5.0),), "10arm": ((5.0, 10.0),)},
    "per_arm": {"2arm": ((0.0, 5.0),), "10arm": ((5.0, 10.0),)},
    "subrewards": {"2arm": ((0.0, 5.0), (0.0, 2.0)), "10arm": ((5.0, 10.0), (0.0, 5.0))},
}

Chances = Annotated[Sequence[Probability], Items(2), Words("a probability from 0 to 1 for each of at least 2 arms")]


@checked
def simulate(
    name: str,
    model: PublishedName,
    *,
    p_reward: Chances,
    p_switch: Probability,
    n_episodes: Count,
    n_steps: Count,
    seed: Seed,
    beta: Pairs,
    alpha: Pair = (0.0, 1.0),
    initial_value: float = 0.0,
) -> Dataset:
    """Episodes of agents of family `model` on a bandit with len(p_reward) arms; the same seed gives the same data.

    p_reward       each arm's probability of reward 1 (otherwise 0) at the start
    p_switch       the probability, after each step, that p_reward is shuffled among the arms
    alpha, beta    (lower, upper) of the rate, and one such pair per signal for the sensitivity: each episode draws its
                   parameters uniformly from these, and they become the bounds of the data set
    initial_value  of every trace

    Returns a Dataset with its Truth. Raises InputError naming the argument that is wrong.
    """
    return next(_play(name, model, _stream(seed), p_reward, p_switch, n_episodes, n_steps, alpha, beta, initial_value))


def simulated_parts(name: str, model: str, part: int, *, seed: int, **how: Any) -> Iterator[Dataset]:
    """What `simulate` gives with these arguments, `part` episodes at a time, so that no more of them need be held."""
    return _play(name, model, _stream(seed), **how, part=part)


@checked
def published_data(model: PublishedName, bandit: Literal["2arm", "10arm"]) -> Dataset:
    """One of the six published data sets (arXiv 2511.04454 v1), named "<model>_<bandit>": 1000 episodes of 200 steps.

    `bandit` is "2arm" or "10arm". Raises InputError for any other, and for an unknown model.
    """
    rng = _stream(PUBLISHED_SEED)
    for name, arms in PUBLISHED_BANDITS.items():  # the stream runs on from one bandit to the next
        data = next(_play(f"{model}_{name}", model, rng, beta=PUBLISHED_BETA[model][name], **arms, **PUBLISHED))
        if name == bandit:
            break
    return data


def _stream(seed: int) -> np.random.Generator:
    """The bits of RandomState(seed), as a Generator because compiled code can draw only from one."""
    bits = np.random.MT19937()
    np.random.RandomState(bits).seed(seed)
    return np.random.Generator(bits)


def _play(
    name, model, rng, p_reward, p_switch, n_episodes, n_steps, alpha, beta, initial_value, part=None
) -> Iterator[Dataset]:
    """The episodes, `part` of them at a time (None: all at once), with numbers that run on."""
    family, bounds, n_arms = get_model(model), Bounds(alpha, beta), len(p_reward)
    family.box(n_arms, bounds)  # raises InputError unless beta has one pair per signal
    p_now = np.array(p_reward, dtype=float)
    step = part or n_episodes
    for begin in range(0, n_episodes, step):
        numbers = np.arange(begin, min(begin + step, n_episodes))
        yield _play_part(name, family, rng, p_now, p_switch, numbers, n_steps, bounds, initial_value)


def _play_part(name, family, rng, p_now, p_switch, numbers, n_steps, bounds, initial_value) -> Dataset:
    """The episodes of these numbers, on a bandit with p_now, which they change."""
    n_arms, n_episodes = len(p_now), len(numbers)
    n_signals, q = family.shape(n_arms)
    choices = np.empty((n_episodes, n_steps), dtype=np.int64)
    rewards = np.empty((n_episodes, n_steps))
    truth = Truth(
        alpha=np.empty((n_episodes, n_signals, q)),
        beta=np.empty((n_episodes, n_signals, q)),
        values=np.empty((n_episodes, n_steps, n_arms)),
        nll=np.empty(n_episodes),
    )
    outcomes = np.array([0.0, 1.0])
    signals = family.signal_values(np.zeros(2, dtype=np.int64), outcomes)  # (signals, 2): without and with a reward
    for e in range(n_episodes):
        for s in range(n_signals):
            truth.alpha[e, s] = rng.uniform(*bounds.alpha, size=q)
            truth.beta[e, s] = rng.uniform(*bounds.beta[s], size=q)
        z = np.full((n_signals, n_arms), float(initial_value))
        a, b = (np.repeat(parameter[e], n_arms // q, axis=1) for parameter in (truth.alpha, truth.beta))
        truth.nll[e] = _play_episode(rng, p_now, p_switch, a, b, signals, z, choices[e], rewards[e], truth.values[e])
    return Dataset(
        name, choices, rewards, n_arms, episodes=numbers, model=family.name, bounds=bounds, truth=truth, reward_scale=1.0
    )


@njit(cache=True, error_model="numpy")
def _play_episode(rng, p_reward, p_switch, alpha, beta, signals, z, choices, rewards, values):
    """Plays one episode from the traces z (signals, arms), which it changes along with p_reward; fills choices, rewards
    (steps,) and values (steps, arms), and returns the nll of the choices in nats."""
    n_signals, n_arms = z.shape
    cdf = np.empty(n_arms)
    nll = 0.0
    for t in range(choices.size):
        x = values[t]
        x[:] = 0.0
        for s in range(n_signals):
            x += z[s]
        top = x.max()
        total = 0.0
        for i in range(n_arms):
            total += np.exp(x[i] - top)
            cdf[i] = total
        y = np.searchsorted(cdf / total, rng.random(), side="right")
        nll += np.log(total) + top - x[y]
        outcome = 1 if rng.random() < p_reward[y] else 0
        for s in range(n_signals):
            for i in range(n_arms):
                z[s, i] *= 1.0 - alpha[s, i]
            z[s, y] += alpha[s, y] * beta[s, y] * signals[s, outcome]
        if rng.random() < p_switch:
            _shuffle(p_reward, rng)
        choices[t] = y
        rewards[t] = outcome
    return nll


@njit(cache=True)
def _shuffle(items, rng):
    """RandomState.shuffle: Fisher-Yates from the top, each index by masked rejection of 32-bit words."""
    for i in range(items.size - 1, 0, -1):
        mask = 1
        while mask < i:
            mask = 2 * mask + 1
        j = i + 1
        while j > i:
            j = rng.integers(0, 0xFFFFFFFF, dtype=np.uint32, endpoint=True) & mask
        items[i], items[j] = items[j], items[i]


# Types as (share, mean, sd), the same for every signal and arm, in the order alpha, beta.
POPULATIONS = {
    "normal": ((1.0, (-0.4, 0.4), (0.6, 0.6)),),  # off the centre, where gem starts
    "two types": ((0.5, (-1.0, 0.7), (0.3, 0.3)), (0.5, (1.0, -0.7), (0.3, 0.3))),
}


def simulate_population(
    name: str,
    population: Iterable[tuple[float, Sequence[float], Sequence[float]]],
    n_participants: int,
    n_steps: int,
    rng: np.random.Generator,
    model: str = "forgetting",
    bandit: str = "2arm",
    bounds: Bounds | None = None,
) -> Dataset:
    """Participants of a mixed population on one of the published bandits, their traces starting from zero.

    `population` lists its types as (share, mean, sd), the latter two for (alpha, beta) on the probit scale of `bounds`
    (default: those of the published study); each parameter is drawn on its own. Returns a Dataset with its Truth.
    """
    from scipy.special import ndtr  # here, for a job that fits begins sooner without

    family, task = get_model(model), PUBLISHED_BANDITS[bandit]
    bounds = bounds or Bounds((0.0, 1.0), PUBLISHED_BETA[model][bandit])
    n_arms = len(task["p_reward"])
    lower, upper = family.box(n_arms, bounds)
    shares, means, sds = (np.array(part, dtype=float) for part in zip(*population, strict=True))
    kind = rng.choice(len(shares), size=n_participants, p=shares)
    half = len(lower) // 2
    mean, sd = (np.repeat(part[kind], half, axis=1) for part in (means, sds))
    theta = lower + (upper - lower) * ndtr(mean + sd * rng.standard_normal(mean.shape))
    shape = (n_participants, *family.shape(n_arms))
    alpha, beta = theta[:, :half].reshape(shape), theta[:, half:].reshape(shape)
    choices, rewards = np.empty((n_participants, n_steps), dtype=np.int64), np.empty((n_participants, n_steps))
    values, nll = np.empty((n_participants, n_steps, n_arms)), np.empty(n_participants)
    signals = family.signal_values(np.zeros(2, dtype=np.int64), np.array([0.0, 1.0]))
    full = (family.n_signals, n_arms)
    for j in range(n_participants):
        a, b = (np.ascontiguousarray(np.broadcast_to(parameter[j], full)) for parameter in (alpha, beta))
        p_now, z = np.array(task["p_reward"]), np.zeros(full)
        nll[j] = _play_episode(rng, p_now, task["p_switch"], a, b, signals, z, choices[j], rewards[j], values[j])
    return Dataset(name, choices, rewards, n_arms, model=model, bounds=bounds, truth=Truth(alpha, beta, values, nll))
