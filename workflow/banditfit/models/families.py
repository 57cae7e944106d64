"""Model families as data: which signals leave a trace, and which parameters the arms share.

Every family is the forgetting model of Zhu et al. (arXiv 2511.04454, section 2): signal s leaves on arm i the trace

    z_s(t+1)[i] = (1 - alpha_s[i]) z_s(t)[i] + alpha_s[i] beta_s[i] u_s(t)[i],    z_s(0) = 0,

values are x(t) = sum_s z_s(t), and arm i is chosen with probability softmax(x(t))[i]. A signal u_s(t) is zero for every
arm but the chosen one, so one number per step describes it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arguments import checked
from ..errors import InputError
from ..kinds import Items, OneOf, Pair, Words

SYMBOLS = {"alpha": "α", "beta": "β"}  # the parameters, as people write them

# The signal that the chosen arm receives at each step, from choices (steps,) and rewards (steps,).
SIGNALS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "reward": lambda choices, rewards: np.where(choices >= 0, rewards, 0.0),
    "choice": lambda choices, rewards: (choices >= 0).astype(float),
}


# One pair (lower, upper) per signal, or the pair itself of a model that has one signal.
Pairs = Annotated[
    tuple[Pair, ...] | Pair, Items(1), Words("a pair (lower, upper) for each signal, such as ((0, 20),) or ((0, 20), (0, 5))")
]


@checked(by_name=True)
@dataclass(frozen=True)
class Bounds:
    """The box of admissible parameters: `alpha` is (lower, upper), `beta` one (lower, upper) per signal. Raises InputError for
    what is no such pair, or no finite box with alpha in [0, 1] and beta of at least 0.

    Wherever bounds are asked for, they may be given by name too: {"alpha": (0, 1), "beta": (0, 20)}."""

    alpha: Pair
    beta: Pairs

    def __post_init__(self):
        if not isinstance(self.beta[0], tuple):
            object.__setattr__(self, "beta", (self.beta,))
        for name, (lower, upper), least, most in [
            ("alpha", self.alpha, 0.0, 1.0),
            *[(f"beta of signal {s}", pair, 0.0, np.inf) for s, pair in enumerate(self.beta)],
        ]:
            if not least <= lower <= upper <= most:
                raise InputError(
                    f"bounds of {name}: found [{lower:g}, {upper:g}], expected {least:g} <= lower <= upper"
                    + (f" <= {most:g}" if np.isfinite(most) else "")
                )

    def text(self) -> str:
        """The bounds as JSON, as a table of fits holds them; `read` reads it."""
        return json.dumps({"alpha": list(map(float, self.alpha)), "beta": [list(map(float, pair)) for pair in self.beta]})

    @classmethod
    def read(cls, text: str) -> "Bounds":
        """The bounds that `text` wrote."""
        held = json.loads(text)
        return cls(tuple(held["alpha"]), tuple(map(tuple, held["beta"])))


@dataclass(frozen=True)
class Model:
    """A model family. Parameters `alpha` and `beta` are arrays of `shape(n_arms)` = (signals, arms), or (signals, 1)
    where the arms share them."""

    name: str
    label: str
    signals: tuple[str, ...]
    shared: bool
    default_bounds: Bounds

    @property
    def n_signals(self) -> int:
        return len(self.signals)

    def shape(self, n_arms: int) -> tuple[int, int]:
        return self.n_signals, 1 if self.shared else n_arms

    def signal_values(self, choices: np.ndarray, rewards: np.ndarray) -> np.ndarray:
        """The signals at the chosen arm, shape (signals, steps)."""
        return np.stack([SIGNALS[name](choices, rewards) for name in self.signals])

    def units(self, reward_scale: float) -> np.ndarray:
        """The power of two nearest to the size of each signal (signals,), for rewards of size `reward_scale`."""
        return np.array([np.exp2(np.round(np.log2(reward_scale))) if name == "reward" else 1.0 for name in self.signals])

    def default_box(self, reward_scale: float) -> Bounds:
        """The default bounds for rewards of this size: `default_bounds`, which are for rewards up to 1, in units of it."""
        scaled = [
            (low / reward_scale, high / reward_scale) if name == "reward" else (low, high)
            for name, (low, high) in zip(self.signals, self.default_bounds.beta, strict=True)
        ]
        return Bounds(self.default_bounds.alpha, tuple(scaled))

    def parameter_names(self, n_arms: int) -> list[str]:
        """The parameters in the order of theta, such as "alpha[reward]", or "beta[choice,0]" where arms have their own."""
        arms = [""] if self.shared else [f",{arm}" for arm in range(n_arms)]
        return [f"{symbol}[{signal}{arm}]" for symbol in SYMBOLS for signal in self.signals for arm in arms]

    def box(self, n_arms: int, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of theta = (alpha.ravel(), beta.ravel()), each of shape (2 * signals * q,)."""
        if len(bounds.beta) != self.n_signals:
            raise InputError(
                f"bounds of beta: found {len(bounds.beta)} pairs, model '{self.name}' expects {self.n_signals}"
                f" (one per signal: {', '.join(self.signals)})"
            )
        shape = self.shape(n_arms)
        pairs = np.array(bounds.beta, dtype=float)
        sides = [
            np.concatenate(
                [np.full(shape, bounds.alpha[side]).ravel(), np.broadcast_to(pairs[:, side : side + 1], shape).ravel()]
            )
            for side in (0, 1)
        ]
        return sides[0], sides[1]


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model("forgetting", "forgetting Q-learning", ("reward",), True, Bounds((0.0, 1.0), ((0.0, 20.0),))),
        Model("per_arm", "a rate and sensitivity per arm", ("reward",), False, Bounds((0.0, 1.0), ((0.0, 20.0),))),
        Model(
            "subrewards",
            "reward and choice traces per arm",
            ("reward", "choice"),
            False,
            Bounds((0.0, 1.0), ((0.0, 20.0), (0.0, 20.0))),
        ),
    )
}


ModelName = Annotated[str, OneOf(lambda: MODELS)]


@checked
def get_model(name: ModelName) -> Model:
    """The family called `name`; raises InputError with the known names."""
    return MODELS[name]
