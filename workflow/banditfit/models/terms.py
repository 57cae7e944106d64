"""The terms that a model is a sum of, and the grammar they are written in: "dual_rates + choice_kernel + bias + lapse".

One term says how rewards become values, the others add to it (docs/models.md has their equations). A term with brackets has
its parameters per signal or per arm: "forgetting(arm)". A composition becomes traces on one compiled recursion (`traces`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..parameters import Parameter

# What a trace follows at the chosen arm of each step (and "foregone" at the other), from choices, rewards, the foregone
# outcomes that were shown and the losses among the rewards, all (steps,).
SIGNALS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "reward": lambda choices, rewards, foregone, losses: np.where(choices >= 0, rewards, 0.0),
    "choice": lambda choices, rewards, foregone, losses: (choices >= 0).astype(float),
    "gain": lambda choices, rewards, foregone, losses: np.where(choices >= 0, rewards + losses, 0.0),
    "loss": lambda choices, rewards, foregone, losses: np.where(choices >= 0, -losses, 0.0),
    "foregone": lambda choices, rewards, foregone, losses: np.where(
        choices >= 0, np.where(np.isnan(foregone), -rewards, foregone), 0.0
    ),
}
IN_REWARDS = ("reward", "gain", "loss", "foregone")  # those that are counted in units of the rewards

ALWAYS_0, ALWAYS_1 = "0", "1"  # rates that are no parameters


@dataclass(frozen=True)
class Trace:
    """A trace of a model: what it follows at the chosen arm (`signal`) and at the others (`others`, or None), whether every
    step counts or choices alone, and the names of the parameters that are its rate after a gain, a loss and of an arm not
    chosen, its weight and its initial value."""

    signal: str
    every_step: bool
    gain: str
    loss: str
    unchosen: str
    weight: str
    initial: str | None = None
    others: str | None = None

    @property
    def rates(self) -> tuple[str, str, str]:
        return self.gain, self.loss, self.unchosen


@dataclass(frozen=True)
class Composition:
    """What a sum of terms amounts to: its traces and its parameters, rates first, then sensitivities, then the rest."""

    traces: tuple[Trace, ...] = ()
    parameters: tuple[Parameter, ...] = ()

    def with_(self, *parameters: Parameter, traces: tuple[Trace, ...] = ()) -> "Composition":
        return Composition(self.traces + traces, self.parameters + parameters)


ALPHA = Parameter("alpha", "α", "rate")
BETA = Parameter("beta", "β", "sensitivity", per_reward=-1)


def _forgetting(model: Composition, axes: tuple[str, ...]) -> Composition:
    signals = ("reward", "choice") if "signal" in axes else ("reward",)
    own = {"signals": signals, "by_arm": "arm" in axes}
    traces = tuple(Trace(signal, True, "alpha", "alpha", "alpha", "beta") for signal in signals)
    return model.with_(replace(ALPHA, **own), replace(BETA, **own), traces=traces)


def _rescorla_wagner(model: Composition, axes: tuple[str, ...]) -> Composition:
    own = {"by_arm": "arm" in axes}
    trace = Trace("reward", False, "alpha", "alpha", ALWAYS_0, "beta")
    return model.with_(replace(ALPHA, **own), replace(BETA, **own), traces=(trace,))


def _dual_rates(model: Composition, axes: tuple[str, ...]) -> Composition:
    rates = (Parameter("alpha_pos", "α₊", "rate"), Parameter("alpha_neg", "α₋", "rate"))
    return model.with_(*rates, BETA, traces=(Trace("reward", False, "alpha_pos", "alpha_neg", ALWAYS_0, "beta"),))


def _unchosen(model: Composition, rate: Parameter, others: str | None) -> Composition:
    """With another rate for the arms that are not chosen."""
    traces = tuple(trace if trace.every_step else replace(trace, unchosen=rate.name, others=others) for trace in model.traces)
    if any(not trace.every_step and trace.unchosen != ALWAYS_0 for trace in model.traces) or traces == model.traces:
        raise InputError("found no values of arms not chosen to change, expected it once, beside rescorla_wagner or dual_rates")
    return Composition(traces, (*model.parameters, rate))


def _unchosen_decay(model: Composition, axes: tuple[str, ...]) -> Composition:
    return _unchosen(model, Parameter("alpha_forget", "αꜰ", "rate"), None)


def _fictive(model: Composition, axes: tuple[str, ...]) -> Composition:
    return _unchosen(model, Parameter("alpha_fictive", "α̃", "rate"), "foregone")


def _sensitivities(model: Composition, axes: tuple[str, ...]) -> Composition:
    (trace,) = (trace for trace in model.traces if trace.signal == "reward")
    if trace.gain != trace.loss or trace.others or len(model.parameters[-1].signals) > 1:
        raise InputError("found it where rewards are one signal, expected it beside forgetting or rescorla_wagner")
    pair = (("gain", "beta_reward", "βʀ"), ("loss", "beta_punish", "βᴘ"))
    traces = tuple(replace(trace, signal=signal, weight=name) for signal, name, _ in pair)
    weights = tuple(Parameter(name, symbol, "sensitivity", per_reward=-1) for _, name, symbol in pair)
    kept = tuple(replace(p, signals=()) for p in model.parameters if p.name != "beta")
    return Composition(tuple(t for t in model.traces if t is not trace) + traces, kept + weights)


def _outcome_rates(model: Composition, axes: tuple[str, ...]) -> Composition:
    names = {"gain": "alpha_reward", "loss": "alpha_punish"}
    if not set(names) <= {trace.signal for trace in model.traces}:
        raise InputError("found no values of gains and losses, expected it beside sensitivities")

    def own(trace: Trace) -> Trace:
        rate = names.get(trace.signal, "")
        return replace(trace, **{which: rate for which in ("gain", "loss", "unchosen") if getattr(trace, which) == "alpha"})

    rates = (Parameter("alpha_reward", "αʀ", "rate"), Parameter("alpha_punish", "αᴘ", "rate"))
    return Composition(tuple(map(own, model.traces)), rates + tuple(p for p in model.parameters if p.name != "alpha"))


def _initial_value(model: Composition, axes: tuple[str, ...]) -> Composition:
    traces = tuple(replace(t, initial="initial_value") if t.signal == "reward" else t for t in model.traces)
    if traces == model.traces:
        raise InputError("found it where gains and losses have values of their own, expected one value of rewards")
    return Composition(traces, (*model.parameters, Parameter("initial_value", "Q₀", "value", per_reward=1)))


def _choice_kernel(model: Composition, axes: tuple[str, ...]) -> Composition:
    rate, weight = Parameter("alpha_choice", "αᴄ", "rate"), Parameter("beta_choice", "βᴄ", "weight")
    return model.with_(rate, weight, traces=(Trace("choice", True, *["alpha_choice"] * 3, "beta_choice"),))


def _perseveration(model: Composition, axes: tuple[str, ...]) -> Composition:
    return model.with_(Parameter("kappa", "κ", "weight"), traces=(Trace("choice", True, *[ALWAYS_1] * 3, "kappa"),))


def _bias(model: Composition, axes: tuple[str, ...]) -> Composition:
    return model.with_(Parameter("bias", "b", "offset", by_arm=True, first_arm=1))


def _lapse(model: Composition, axes: tuple[str, ...]) -> Composition:
    return model.with_(Parameter("lapse", "ε", "probability"))


@dataclass(frozen=True)
class Term:
    """A term: what it makes of the terms before it, whether it is the one that says how rewards become `values`, the axes that
    may stand in its brackets, and what it assumes, in a few words."""

    add: Callable[[Composition, tuple[str, ...]], Composition]
    words: str
    values: bool = False
    axes: tuple[str, ...] = ()


TERMS = {
    "forgetting": Term(_forgetting, "the values of all arms decay at every step", True, ("signal", "arm")),
    "rescorla_wagner": Term(_rescorla_wagner, "the chosen arm's value moves to the reward", True, ("arm",)),
    "dual_rates": Term(
        _dual_rates,
        "the chosen arm's value moves to the reward, at one rate where that is above it and at another elsewhere",
        True,
    ),
    "unchosen_decay": Term(_unchosen_decay, "the values of arms not chosen decay"),
    "fictive": Term(
        _fictive,
        "the values of arms not chosen move to the foregone outcome, or the reward with its sign turned where none is shown",
    ),
    "sensitivities": Term(_sensitivities, "rewards and punishments have values and sensitivities of their own"),
    "outcome_rates": Term(_outcome_rates, "rewards and punishments are learnt at rates of their own"),
    "initial_value": Term(_initial_value, "values begin a session at a value of their own, not at 0"),
    "choice_kernel": Term(_choice_kernel, "past choices attract or repel, and fade"),
    "perseveration": Term(_perseveration, "the last choice attracts or repels"),
    "bias": Term(_bias, "each arm has an offset, arm 0 being the reference"),
    "lapse": Term(_lapse, "a share of choices is made at random"),
}
_ORDER = {"rate": 0, "sensitivity": 1, "weight": 1, "value": 2, "offset": 3, "probability": 4}


def compose(text: str) -> tuple[str, Composition]:
    """The composition that a sum of terms is, and the sum in its one order. Raises InputError for what is none."""
    met: dict[str, tuple[str, ...]] = {}
    for part in text.split("+"):
        match = re.fullmatch(r"\s*([a-z_]+)\s*(?:\(([a-z, ]*)\))?\s*", part)
        if not match or match[1] not in TERMS:
            raise InputError(f"model '{text}': found '{part.strip()}', expected terms among {', '.join(TERMS)}, joined by +")
        name, axes = match[1], tuple(axis.strip() for axis in (match[2] or "").split(",") if axis.strip())
        if name in met:
            raise InputError(f"model '{text}': found {name} twice, expected each term once")
        if not set(axes) <= set(TERMS[name].axes) or len(set(axes)) < len(axes):
            known = " and ".join(TERMS[name].axes) or "nothing"
            raise InputError(f"model '{text}': found {name}({', '.join(axes)}), expected {known} in its brackets, each once")
        met[name] = axes
    for one, other in (("choice_kernel", "perseveration"), ("unchosen_decay", "fictive")):
        if one in met and other in met:
            raise InputError(f"model '{text}': found {one} and {other}, two forms of one thing, expected one of them")
    if sum(TERMS[name].values for name in met) > 1:
        names = [name for name in met if TERMS[name].values]
        raise InputError(f"model '{text}': found {' and '.join(names)}, expected one term for the values of rewards")
    # The values first, whatever the order they are written in, and what changes them next.
    order = {name: place for place, name in enumerate(TERMS)}
    model = Composition()
    for name in sorted(met, key=order.get):
        try:
            model = TERMS[name].add(model, met[name])
        except (InputError, ValueError) as error:
            words = str(error) if isinstance(error, InputError) else "found it without a term for the values of rewards"
            raise InputError(f"model '{text}', {name}: {words}") from None
    if not model.traces:
        raise InputError(f"model '{text}': found nothing that is learnt, expected rescorla_wagner, choice_kernel or the like")
    written = [f"{name}({', '.join(met[name])})" if met[name] else name for name in sorted(met, key=order.get)]
    parameters = tuple(sorted(model.parameters, key=lambda parameter: _ORDER[parameter.role]))
    return " + ".join(written), Composition(model.traces, parameters)
