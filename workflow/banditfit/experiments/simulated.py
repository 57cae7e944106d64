"""People of any model who play a bandit of two arms, their parameters drawn from a population on the probit scale of a box."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..data.dataset import Dataset
from ..models import likelihood
from ..models.families import get_model
from ..models.play import play, taken
from ..models.simulate import PUBLISHED_BANDITS
from ..parameters import Bounds

BETA = ((0.0, 5.0), (0.0, 2.0))  # of rewards, of choices
RATES, REST, SD = -0.4, 0.4, 0.6  # the means of rates, and of what else there is, and the sd of both


@dataclass(frozen=True)
class People:
    """Simulated `data`, made within `bounds`, and everybody's coordinates `h` (people, D): theta = lower + (upper - lower)
    Phi(h)."""

    data: Dataset
    model: str
    bounds: Bounds
    h: np.ndarray

    @property
    def theta(self) -> np.ndarray:
        """Everybody's parameters (people, D)."""
        from scipy.special import ndtr

        lower, upper = get_model(self.model).box(self.data.n_arms, self.bounds)
        return lower + (upper - lower) * ndtr(self.h)


Shape = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def normal(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.standard_normal(size)


def people(name: str, model: str, size: int, steps: int, rng: np.random.Generator, shape: Shape = normal) -> People:
    """Draws everybody's h, with mean RATES or REST and sd SD, from e (people, parameters) of `shape`, of mean 0 and sd 1,
    and lets them play the published bandit of two arms."""
    from scipy.special import ndtr

    family = get_model(model)
    bounds = Bounds(beta=BETA).meant_for(family.default_bounds).over(family.default_bounds)
    lower, upper = family.box(2, bounds)
    h = np.where(family.roles(2) == "rate", RATES, REST) + SD * shape(rng, (size, len(lower)))
    theta = lower + (upper - lower) * ndtr(h)
    blank = Dataset(name, np.zeros((1, steps), dtype=np.int64), np.zeros((1, steps)), n_arms=2)
    design = likelihood.problem(blank, 0, family, bounds)
    choices, rewards = np.empty((size, steps), dtype=np.int64), np.empty((size, steps))
    for j in range(size):
        offered = _offered(steps, rng)
        choices[j], _ = play(design, theta[j], offered, rng)
        rewards[j] = taken(offered, choices[j])
    return People(Dataset(name, choices, rewards, n_arms=2), model, bounds, h)


def _offered(steps: int, rng: np.random.Generator) -> np.ndarray:
    """What each arm would bring (steps, arms) on the published bandit of two arms."""
    task = PUBLISHED_BANDITS["2arm"]
    # A shuffle of two arms swaps them every other time.
    swapped = np.cumsum(rng.random(steps) < task["p_switch"] / 2.0) % 2 == 1
    p = np.where(swapped[:, None], task["p_reward"][::-1], task["p_reward"])
    return (rng.random((steps, 2)) < p).astype(float)
