"""What a parameter is, whatever its model: its name, its role, which of the model's things have one of their own, and its box.

A name has one syntax everywhere: "alpha" where there is one, else with what it belongs to in brackets: "alpha[reward]",
"bias[2]" (an arm), "beta[choice,0]" (a signal and an arm).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

import numpy as np

from .arguments import checked
from .errors import InputError
from .kinds import Items, Pair, Words

SYMBOLS = {"alpha": "α", "beta": "β"}  # the parameters of the published families, as people write them

# What a parameter does decides where it may lie, and its default box for rewards of up to 1: (least, most), (lower, upper).
ROLES: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "rate": ((0.0, 1.0), (0.0, 1.0)),
    "sensitivity": ((0.0, np.inf), (0.0, 20.0)),
    "weight": ((-np.inf, np.inf), (-5.0, 5.0)),
    "offset": ((-np.inf, np.inf), (-5.0, 5.0)),
    "value": ((-np.inf, np.inf), (0.0, 1.0)),
    "probability": ((0.0, 1.0), (0.0, 1.0)),
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model.

    name, symbol  as code and people write it
    role          one of ROLES
    signals       the signals that have one each, or () where it belongs to none in particular
    by_arm        whether each arm has its own; `first_arm` is the first that has one (1 where arm 0 is the reference)
    per_reward    its power of the unit of rewards: -1 for a sensitivity to them, 1 for a value in their units, 0 for others
    """

    name: str
    symbol: str
    role: str
    signals: tuple[str, ...] = ()
    by_arm: bool = False
    first_arm: int = 0
    per_reward: int = 0

    def shape(self, n_arms: int) -> tuple[int, int]:
        """(signals, arms): how many there are, with 1 where they are shared."""
        return max(len(self.signals), 1), n_arms - self.first_arm if self.by_arm else 1

    def names(self, n_arms: int) -> list[str]:
        """Their names, in the order of theta."""
        arms = [str(arm) for arm in range(self.first_arm, n_arms)] if self.by_arm else [""]
        inside = [",".join(filter(None, [signal, arm])) for signal in self.signals or ("",) for arm in arms]
        return [f"{self.name}[{words}]" if words else self.name for words in inside]


# One pair (lower, upper) per signal, or the pair itself of a parameter that is one number.
Pairs = Annotated[
    tuple[Pair, ...] | Pair, Items(1), Words("a pair (lower, upper) for each signal, such as ((0, 20),) or ((0, 20), (0, 5))")
]


@checked(by_name=True)
@dataclass(frozen=True)
class Bounds:
    """The box of admissible parameters: `alpha` is (lower, upper), `beta` one (lower, upper) per signal, and `others` those of
    further parameters by name. Raises InputError for what is no such pair, or no finite box with alpha in [0, 1] and beta of at
    least 0. What is None has its default.

    Wherever bounds are asked for, they may be given by name too: {"alpha": (0, 1), "beta": (0, 20), "bias": (-2, 2)}."""

    alpha: Pair | None = None
    beta: Pairs | None = None
    others: Mapping[str, Pair] | None = field(default=None, metadata={"rest": True})

    def __post_init__(self) -> None:
        if self.beta is not None and not isinstance(self.beta[0], tuple):
            object.__setattr__(self, "beta", (self.beta,))
        object.__setattr__(self, "others", dict(self.others or {}))
        limited = [("alpha", self.alpha, 0.0, 1.0)] if self.alpha is not None else []
        limited += [
            (f"beta of signal {s}", pair, 0.0, np.inf) for s, pair in enumerate(cast(tuple[Pair, ...], self.beta or ()))
        ]
        limited += [(name, pair, -np.inf, np.inf) for name, pair in self._others.items()]
        for name, (lower, upper), least, most in limited:
            if not least <= lower <= upper <= most:
                limits = f"{least:g} <= lower <= upper" if np.isfinite(least) else "lower <= upper"
                raise InputError(
                    f"bounds of {name}: found [{lower:g}, {upper:g}], expected {limits}"
                    + (f" <= {most:g}" if np.isfinite(most) else "")
                )

    @property
    def _others(self) -> Mapping[str, Pair]:
        """`others`, which a Bounds always has; only who makes one may leave them out."""
        return self.others or {}

    def __hash__(self) -> int:
        return hash(self.text())

    def named(self) -> dict[str, tuple[tuple[float, float], ...]]:
        """By the name of the parameter, one pair per signal (or one)."""
        pairs: dict[str, tuple[Pair, ...]] = {}
        if self.alpha is not None:
            pairs["alpha"] = (self.alpha,)
        if self.beta is not None:
            pairs["beta"] = cast(tuple[Pair, ...], self.beta)
        return pairs | {name: (pair,) for name, pair in self._others.items()}

    def over(self, other: "Bounds") -> "Bounds":
        """These bounds, and those of another where these say nothing."""
        alpha, beta = self.alpha or other.alpha, self.beta or other.beta
        return Bounds(alpha, beta, {**other._others, **self._others} or None)

    def meant_for(self, other: "Bounds") -> "Bounds":
        """Of these bounds, those of the parameters that `other`, the whole box of another model, has. Pairs of beta go to its
        signals in their order; a signal that these have no pair for keeps that of `other`."""
        own, theirs = (cast(tuple[Pair, ...], each.beta or ()) for each in (self, other))
        beta = (own + theirs[len(own) :])[: len(theirs)] if own else None
        others = {name: pair for name, pair in self._others.items() if name in other._others}
        return Bounds(self.alpha if other.alpha else None, beta or None, others or None)

    def text(self) -> str:
        """The bounds as JSON, as a table of fits holds them; `read` reads it."""
        held: dict[str, list] = {}
        if self.alpha is not None:
            held["alpha"] = list(map(float, self.alpha))
        if self.beta is not None:
            held["beta"] = [list(map(float, pair)) for pair in cast(tuple[Pair, ...], self.beta)]
        return json.dumps(held | {name: list(map(float, pair)) for name, pair in self._others.items()})

    @classmethod
    def read(cls, text: str) -> "Bounds":
        """The bounds that `text` wrote."""
        held = json.loads(text)
        alpha, beta = held.pop("alpha", None), held.pop("beta", None)
        return cls(alpha and tuple(alpha), beta and tuple(map(tuple, beta)), {k: tuple(v) for k, v in held.items()} or None)


def edges_of(at_bound: str | bool) -> list[str]:
    """The kinds of parameters in a cell of `at_bound`, such as "beta[reward]=20", each once whichever the arm; none where the
    scores say only whether (stored by an earlier version)."""
    names = at_bound.split() if isinstance(at_bound, str) else []
    return list(dict.fromkeys(re.sub(r",\d+\]", "]", re.sub(r"\[\d+\]", "", name)) for name in names))
