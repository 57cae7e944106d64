"""Models as data: a model is a sum of terms (`terms`), by the id of a row of config/models.tsv or written out.

>>> get_model("dual_rates + choice_kernel + bias").parameter_names(3)
['alpha_pos', 'alpha_neg', 'alpha_choice', 'beta', 'beta_choice', 'bias[1]', 'bias[2]']

The three published families are the forgetting models of Zhu et al. (arXiv 2511.04454, section 2): signal s leaves on arm i the
trace

    z_s(t+1)[i] = (1 - alpha_s[i]) z_s(t)[i] + alpha_s[i] beta_s[i] u_s(t)[i],    z_s(0) = 0,

values are x(t) = sum_s z_s(t), and arm i is chosen with probability softmax(x(t))[i].
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import prod
from pathlib import Path
from typing import Annotated

import numpy as np

from ..arguments import Mismatch, checked, quoted
from ..errors import InputError
from ..files import read_tsv
from ..kinds import Mark, OneOf
from ..parameters import ROLES, Bounds, Parameter
from .terms import ALWAYS_0, ALWAYS_1, IN_REWARDS, SIGNALS, Trace, compose
from .traces import CHOICES, EVERY_STEP, INITIAL, N_OWN, ONE, OTHERS, OWN, RULE, SLOT, ZERO

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, repr=False)
class Model:
    """A model: `terms` is its sum of terms, `given_bounds` those that its row of models.tsv says, for rewards of up to 1."""

    name: str
    label: str
    terms: str
    traces: tuple[Trace, ...]
    parameters: tuple[Parameter, ...]
    given_bounds: Bounds | None = None
    citation: str = ""

    def __repr__(self) -> str:
        return f"<Model '{self.name}': {self.terms}>"

    # What it offers to methods

    @property
    def kernels(self) -> bool:
        """Whether values are sums of kernels of the lag in steps with weights of at least 0: the published families."""
        return [p.name for p in self.parameters] == ["alpha", "beta"] and all(trace.every_step for trace in self.traces)

    @property
    def log_linear(self) -> bool:
        """Whether the nll is convex in the sensitivities and biases, given the rates and initial values."""
        return all(parameter.role != "probability" for parameter in self.parameters)

    @property
    def one_rate(self) -> bool:
        """Whether every trace decays at one rate, on the clock of steps or on that of its arm's choices."""
        return all(trace.gain == trace.loss and (trace.every_step or trace.unchosen == ALWAYS_0) for trace in self.traces)

    @property
    def one_pair(self) -> bool:
        """Whether there is one rate with one weight, shared by all arms, and nothing else."""
        roles = sorted(parameter.role for parameter in self.parameters)
        shared = not any(parameter.by_arm or len(parameter.signals) > 1 for parameter in self.parameters)
        return shared and roles in (["rate", "sensitivity"], ["rate", "weight"])

    # Parameters

    def parameter_names(self, n_arms: int) -> list[str]:
        """The parameters in the order of theta, such as "alpha[reward]", or "beta[choice,0]" where arms have their own."""
        return [name for parameter in self.parameters for name in parameter.names(n_arms)]

    def slices(self, n_arms: int) -> dict[str, slice]:
        """Where in theta each parameter lies."""
        found, at = {}, 0
        for parameter in self.parameters:
            size = prod(parameter.shape(n_arms))
            found[parameter.name] = slice(at, at + size)
            at += size
        return found

    def named(self, n_arms: int, theta: np.ndarray) -> dict[str, np.ndarray]:
        """theta as arrays (signals, arms) by the names of the parameters."""
        return {
            parameter.name: np.asarray(theta[where]).reshape(parameter.shape(n_arms))
            for parameter, where in zip(self.parameters, self.slices(n_arms).values(), strict=True)
        }

    @property
    def symbols(self) -> dict[str, str]:
        """How people write the parameters, by name."""
        return {parameter.name: parameter.symbol for parameter in self.parameters}

    def symbol_of(self, name: str) -> str:
        """How people write one parameter, such as "β[reward,1]" of "beta[reward,1]"."""
        parameter, *where = name.partition("[")
        return self.symbols[parameter] + "".join(where)

    def arms_of(self, parameters: Mapping[str, np.ndarray]) -> int:
        """The number of arms of a task with these parameters, all or some of the model's, arrays (..., signals, arms) by name;
        the least number there can be, 2, where none of them belongs to an arm."""
        by_arm = [own for own in self.parameters if own.by_arm and own.name in parameters]
        return max((np.shape(parameters[own.name])[-1] + own.first_arm for own in by_arm), default=2)

    def roles(self, n_arms: int) -> np.ndarray:
        """The role of every parameter in theta."""
        return np.array([parameter.role for parameter in self.parameters for _ in parameter.names(n_arms)])

    def default_box(self, reward_scale: float) -> Bounds:
        """The default bounds for rewards of this size: those for rewards of up to 1, in units of it."""
        given = self.given_bounds.named() if self.given_bounds else {}
        pairs = {}
        for parameter in self.parameters:
            own = given.get(parameter.name, (ROLES[parameter.role][1],) * max(len(parameter.signals), 1))
            powers = self._powers(parameter)
            pairs[parameter.name] = tuple(
                (low * reward_scale**power, high * reward_scale**power) for (low, high), power in zip(own, powers, strict=True)
            )
        alpha, beta = pairs.pop("alpha", (None,))[0], pairs.pop("beta", None)
        return Bounds(alpha, beta, {name: own for name, (own,) in pairs.items()} or None)

    @cached_property
    def default_bounds(self) -> Bounds:
        return self.default_box(1.0)

    def box(self, n_arms: int, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of theta. Raises InputError for bounds of what this model does not have, for the wrong number
        of pairs, and for those beyond what a parameter's role allows."""
        given, default = bounds.named(), self.default_bounds.named()
        unknown = [name for name in given if name not in default]
        if unknown:
            raise InputError(f"bounds: found '{unknown[0]}', expected parameters of '{self.name}' ({', '.join(default)})")
        sides = [], []
        for parameter in self.parameters:
            pairs = given.get(parameter.name, default[parameter.name])
            n_signals, n_own = parameter.shape(n_arms)
            if parameter.name != "alpha" and len(pairs) != n_signals:
                one_per = f" (one per signal: {', '.join(parameter.signals)})" if parameter.signals else ""
                raise InputError(
                    f"bounds of {parameter.name}: found {len(pairs)} pairs, model '{self.name}' expects {n_signals}{one_per}"
                )
            least, most = ROLES[parameter.role][0]
            for lower, upper in pairs:
                if not least <= lower <= upper <= most:
                    limits = f"{least:g} <= lower <= upper <= {most:g}"
                    raise InputError(f"bounds of {parameter.name}: found [{lower:g}, {upper:g}], expected {limits}")
            for side in (0, 1):
                ends = np.array([pair[side] for pair in pairs])  # all rates share one pair
                sides[side].append(np.repeat(np.resize(ends, n_signals), n_own))
        return np.concatenate(sides[0]), np.concatenate(sides[1])

    # Units of the rewards

    def _powers(self, parameter: Parameter) -> tuple[int, ...]:
        """Per signal, the power of the unit of rewards that a parameter has."""
        signals = parameter.signals or ("reward",)
        return tuple(parameter.per_reward if signal in IN_REWARDS else 0 for signal in signals)

    def scale(self, n_arms: int, unit: np.ndarray) -> np.ndarray:
        """By what theta is multiplied where `signal_values` are counted in units of `unit` (rows,)."""
        of_rewards = next((unit[row] for row, name in enumerate(self.rows) if name in IN_REWARDS), 1.0)  # they share one
        factors = []
        for parameter in self.parameters:
            for power in self._powers(parameter):
                factors += [of_rewards**-power] * parameter.shape(n_arms)[1]
        return np.array(factors)

    def units(self, reward_scale: float) -> np.ndarray:
        """The power of two nearest to the size of each row of `signal_values`, for rewards of size `reward_scale`."""
        return np.array([np.exp2(np.round(np.log2(reward_scale))) if row in IN_REWARDS else 1.0 for row in self.rows])

    # Traces

    @property
    def rows(self) -> tuple[str, ...]:
        """The signals of `signal_values`: of every trace at the chosen arm, then of some at the others."""
        return tuple(t.signal for t in self.traces) + tuple(t.others for t in self.traces if t.others)

    def signal_values(
        self,
        choices: np.ndarray,
        rewards: np.ndarray,
        foregone: np.ndarray | None = None,
        losses: np.ndarray | None = None,
    ) -> np.ndarray:
        """What traces follow (rows, steps), from choices (steps,), rewards (steps,), the outcomes of the other arm (steps,),
        NaN where none was shown, and the losses (steps,) that are part of the rewards, by default those below 0."""
        foregone = np.full(len(choices), np.nan) if foregone is None else foregone
        losses = np.maximum(-rewards, 0.0) if losses is None else losses
        return np.stack([SIGNALS[name](choices, rewards, foregone, losses) for name in self.rows])

    @cache  # noqa: B019  (models are few, and live as long as the process)
    def layout(self, n_arms: int) -> tuple[np.ndarray, np.ndarray]:
        """`rules` and `places` of a `traces.Episode`."""
        names = {name: place for place, name in enumerate(self.parameter_names(n_arms))}
        known = {parameter.name: parameter for parameter in self.parameters}

        def place(name: str | None, signal: str, arm: int) -> int:
            """Where in theta the parameter of this name is that a signal and an arm have."""
            if name not in known:
                return ONE if name == ALWAYS_1 else ZERO
            parameter = known[name]
            if arm < parameter.first_arm:
                return ZERO
            inside = [*([signal] if parameter.signals else []), *([str(arm)] if parameter.by_arm else [])]
            return names[f"{name}[{','.join(inside)}]" if inside else name]

        own = [list(dict.fromkeys(rate for rate in trace.rates if rate in known)) for trace in self.traces]
        widest = max(len(rates) + (trace.initial is not None) for rates, trace in zip(own, self.traces, strict=True))
        rules = np.full((len(self.traces) + 1, SLOT + 3), ZERO)
        places = np.full((len(self.traces) + 1, n_arms, OWN + widest), ZERO)
        others = len(self.traces)
        for k, (trace, rates) in enumerate(zip(self.traces, own, strict=True)):
            rules[k, RULE] = EVERY_STEP if trace.every_step else CHOICES
            if trace.others:
                rules[k, OTHERS] = others
                others += 1
            rules[k, N_OWN] = len(rates) + (trace.initial is not None)
            rules[k, INITIAL] = place(trace.initial, trace.signal, 0)
            rules[k, SLOT:] = [rates.index(rate) if rate in rates else -1 for rate in trace.rates]
            for arm in range(n_arms):
                mine = [*rates, *([trace.initial] if trace.initial else [])]
                columns = [*trace.rates, trace.weight, *mine]
                places[k, arm, : len(columns)] = [place(name, trace.signal, arm) for name in columns]
        rules[-1, 0] = place("lapse", "", 0)
        places[-1, :, 0] = [place("bias", "", arm) for arm in range(n_arms)]
        return rules, places

    # The published families

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals of a published family."""
        return self.parameters[0].signals

    @property
    def n_signals(self) -> int:
        return len(self.signals)

    @property
    def shared(self) -> bool:
        """Whether the arms of a published family share its parameters."""
        return not self.parameters[0].by_arm

    def shape(self, n_arms: int) -> tuple[int, int]:
        """(signals, arms) of alpha and of beta, of a published family."""
        return self.parameters[0].shape(n_arms)


COLUMNS = ("id", "terms", "label", "bounds", "citation")


def table_of_models() -> Path:
    """The table of models: the copy in an installed package, or the project's own where the package lies in it."""
    inside = PACKAGE / "config/models.tsv"
    return inside if inside.is_file() else PACKAGE.parents[1] / "config/models.tsv"


def read_models(path: str | Path) -> dict[str, Model]:
    """The models of a table, by id. Raises InputError with one sentence: file, row, column, found, expected."""
    models = {}
    for number, row in read_tsv(path, COLUMNS):
        point = lambda column, number=number: f"{path}, row {number}, column {column}"  # noqa: E731
        if not re.fullmatch(r"[a-z][a-z0-9_]*", row["id"]) or row["id"] in models:
            raise InputError(
                f"{point('id')}: found '{row['id']}', expected another id of small letters, digits and underscores"
            )
        try:
            _, made = compose(row["terms"])
            given = None if row["bounds"] == "-" else _bounds(json.loads(row["bounds"]))
            model = Model(row["id"], row["label"], row["terms"], made.traces, made.parameters, None, row["citation"])
            if given is not None:
                model.box(2, given)
                model = replace(model, given_bounds=given)
        except InputError as error:
            raise InputError(f"{path}, row {number}: {error}") from None
        except ValueError:
            raise InputError(
                f"{point('bounds')}: found '{row['bounds']}', expected - or a JSON object such as {{\"beta\": [0, 10]}}"
            ) from None
        models[row["id"]] = model
    return models


@checked
def _bounds(bounds: Bounds) -> Bounds:
    return bounds


class Models(Mapping[str, Model]):
    """The models of config/models.tsv, read when they are first asked for."""

    @staticmethod
    @cache
    def _read() -> dict[str, Model]:
        return read_models(table_of_models())

    def __getitem__(self, name: str) -> Model:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"<models: {', '.join(self)}>"


MODELS = Models()
# Those that arXiv 2511.04454 studies.
PUBLISHED_MODELS = ("forgetting", "per_arm", "subrewards")
PublishedName = Annotated[str, OneOf(lambda: PUBLISHED_MODELS)]


@dataclass(frozen=True)
class _Named(Mark):
    """An id of config/models.tsv, or a sum of terms."""

    def words(self, kind: str) -> str:
        alone = ", ".join(name for name, model in MODELS.items() if "+" not in model.terms)
        return (
            f"one of {alone}, another of config/models.tsv (`python -m banditfit models` lists them), or a sum of terms such as"
            " 'dual_rates + choice_kernel + bias'"
        )

    def check(self, value: str) -> str:
        if value in MODELS:
            return value
        try:
            return compose(value)[0]
        except InputError as error:
            found = quoted(value)
            raise Mismatch(found if "+" not in value and "(" not in value else f"{found} ({error})") from None


ModelName = Annotated[str, _Named()]


@checked
def get_model(name: ModelName) -> Model:
    """The model with this id in config/models.tsv, or the sum of terms that is written out, such as "dual_rates + choice_kernel
    + bias". Raises InputError with the known ids and terms."""
    return MODELS[name] if name in MODELS else _composed(name)


@cache
def _composed(name: str) -> Model:
    written, made = compose(name)
    return Model(written, written, written, made.traces, made.parameters)
