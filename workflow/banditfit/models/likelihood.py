"""The one likelihood: an episode with a model and bounds, whatever the family, for every method and the judge.

Notation of Zhu et al. (arXiv 2511.04454, section 2). With unit traces h_s (those of beta = 1), x(t)[i] = sum_s beta_s[i]
h_s(t)[i] and

    J = sum_t [ logsumexp(x(t)) - x(t)[y(t)] ]      (nats; missed trials have no term)

The compiled recursion is in `traces`.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..data.dataset import Dataset
from ..numerics import _compiled, log_policy
from ..parameters import Bounds
from .families import Model
from .terms import IN_REWARDS
from .traces import Episode, _derivatives, _nll, _nll_grad, _nll_hessian, _policy_of, _unit_traces, _values, packed

# Sensitivities beyond this are as good as infinite, and their products with signals must not overflow.
_LARGEST = 1e200


@_compiled
def _kernel_values(arms, signals, starts, kernels, x):
    """Fills x (steps, arms) with the values of free kernels (signals, arms, steps): sum_s,j g_s,i[j] u_s(t-1-j)[i]."""
    n_signals = signals.shape[0]
    n_steps = x.shape[0]
    x[:] = 0.0
    for t in range(n_steps):
        i = arms[t]
        if i < 0:
            continue
        for later in range(t + 1, n_steps):
            if starts[later]:
                break
            for s in range(n_signals):
                x[later, i] += kernels[s, i, later - 1 - t] * signals[s, t]


@dataclass(frozen=True)
class Problem:
    """One episode with a model and bounds: what every method minimises over.

    choices (steps,): those that are scored (-1: none); starts (steps,); arms (steps,): on which each step's signals fall;
    signals (rows, steps), see `Model.signal_values`; lower, upper: the box of theta; unit (rows,): how many of the user's units
    make one of each signal's here (`in_units`); order (steps,): where each step stands in the data, None for where it stands
    here; barred (arms, steps): the arms that are not offered, None where every step offers all. Steps of one state of a session
    stand together. Whatever has a value per step is given in the order of the data.
    """

    model: Model
    n_arms: int
    choices: np.ndarray
    starts: np.ndarray
    arms: np.ndarray
    signals: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    unit: np.ndarray = None
    order: np.ndarray | None = None
    barred: np.ndarray | None = None
    shape: tuple[int, int] = field(init=False)
    episode: Episode = field(init=False)

    def __post_init__(self):
        set_field = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (the frozen idiom)
        set_field("shape", self.model.shape(self.n_arms))
        signals = np.ascontiguousarray(self.signals)
        barred = np.zeros((self.n_arms, 0), dtype=bool) if self.barred is None else self.barred
        layout = self.model.layout(self.n_arms)
        set_field("episode", Episode(self.choices, self.arms, self.starts, signals, *layout, barred))
        if self.unit is None:
            set_field("unit", np.ones(len(self.signals)))

    @cached_property
    def words(self) -> np.ndarray:
        """The episode as one array, as compiled code takes the episodes of many people."""
        return packed(self.episode)

    @property
    def n_steps(self) -> int:
        return len(self.choices)

    @property
    def guessing(self) -> float:
        """The nll of equal probabilities for all arms that each scored step offers, nats."""
        scored = self.choices >= 0
        if self.barred is None:
            return float(scored.sum() * np.log(self.n_arms))
        return float(np.log((~self.barred[:, scored]).sum(axis=0)).sum())

    @property
    def full_shape(self) -> tuple[int, int]:
        """(signals, arms): the shape of parameters once shared ones are written out for every arm."""
        return self.model.n_signals, self.n_arms

    def lagged(self) -> "Problem":
        """The same episode with every signal one step late. The published direct fit (arXiv 2511.04454 v1) minimises
        this: its code scores the choice of step t + 1 with the value from before the signals of step t."""
        arms = np.where(self.starts, -1, np.roll(self.arms, 1))
        return replace(self, arms=arms, signals=np.roll(self.signals, 1, axis=1))

    def in_units(self, unit: np.ndarray) -> "Problem":
        """The same episode with signal s counted in units of unit[s], so that its sensitivities are unit[s] times as large.
        Exact where `unit` holds powers of two."""
        scale = self.model.scale(self.n_arms, unit)
        lower, upper = (np.clip(side * scale, -_LARGEST, _LARGEST) for side in (self.lower, self.upper))
        return replace(self, signals=self.signals / unit[:, None], lower=lower, upper=upper, unit=self.unit * unit)

    def own_unit(self) -> np.ndarray:
        """The power of two nearest to the largest absolute value of each signal (signals,); 1 for a signal that is all zero."""
        sizes = np.abs(self.signals).max(axis=1)
        if not self.model.kernels:  # what follows rewards has one unit
            of_rewards = np.array([row in IN_REWARDS for row in self.model.rows])
            sizes = np.where(of_rewards, sizes.max(where=of_rewards, initial=0.0), 1.0)
        return power_of_two(sizes)

    def named(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """theta as arrays (signals, arms) by the names of the parameters."""
        return self.model.named(self.n_arms, theta)

    def estimate(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """theta as the fields of an Outcome: alpha and beta of a published family, else theta itself."""
        if not self.model.kernels:
            return {"theta": np.array(theta, dtype=float)}
        return dict(zip(("alpha", "beta"), self.split(theta), strict=True))

    def estimates(self, thetas: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
        """Several as the fields of Starts."""
        found = [self.estimate(theta) for theta in thetas]
        return {name: [each[name] for each in found] for name in found[0]}

    def in_data_order(self, values: np.ndarray) -> np.ndarray:
        """What stands per step (steps, ...) of this problem, in the order of the data."""
        if self.order is None:
            return values
        there = np.empty_like(values)
        there[self.order] = values
        return there

    def values_of(self, theta: np.ndarray) -> np.ndarray:
        """x(t), shape (steps, arms), of any model; with a lapse, the logarithms of the choice probabilities. Of an arm that is
        not offered, minus infinity."""
        theta = np.ascontiguousarray(theta, dtype=np.float64)
        if self.episode.rules[-1, 0] >= 0:
            policy = _policy_of(self.episode, theta).T
            return self.in_data_order(np.log(policy, out=np.full(policy.shape, -np.inf), where=policy > 0.0))
        return self.in_data_order(_values(self.episode, theta, _unit_traces(self.episode, theta)).T)

    def derivatives(self, theta: np.ndarray) -> np.ndarray:
        """The derivatives of the values in theta, shape (parameters, arms, steps); those of a lapse are left 0."""
        return _derivatives(self.episode, np.ascontiguousarray(theta, dtype=np.float64))

    def at_bound(self, theta: np.ndarray) -> np.ndarray:
        """Which parameters of a theta vector are at a bound of non-zero width: -1 the lower, 1 the upper, 0 neither. That is
        within a millionth of the width of the box, or of a sensitivity of one in the signals' own units where the box is
        wider."""
        unit = self.own_unit()
        own = self.in_units(unit)
        theta = theta * self.model.scale(self.n_arms, unit)
        width = own.upper - own.lower
        near = 1e-6 * np.minimum(width, 1.0)
        low, high = theta <= own.lower + near, theta >= own.upper - near
        return np.where(width > 0, np.where(low, -1, np.where(high, 1, 0)), 0)

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta, in the model's shape, of a theta vector."""
        half = len(theta) // 2
        return theta[:half].reshape(self.shape), theta[half:].reshape(self.shape)

    def full(self, parameter: np.ndarray) -> np.ndarray:
        """A parameter in the model's shape, written out as a contiguous (signals, arms) array."""
        return np.ascontiguousarray(np.broadcast_to(parameter, self.full_shape), dtype=np.float64)

    def nll(self, alpha: np.ndarray, beta: np.ndarray) -> float:
        """The negative log-likelihood in nats."""
        return self.nll_theta(_theta(alpha, beta))

    def nll_theta(self, theta: np.ndarray) -> float:
        return _nll(self.episode, np.ascontiguousarray(theta, dtype=np.float64))

    def nll_grad(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """The nll and its gradient with respect to theta."""
        return _nll_grad(self.episode, np.ascontiguousarray(theta, dtype=np.float64))

    def nll_hessian(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """The nll, its gradient and Hessian with respect to theta, and Fisher's information."""
        return _nll_hessian(self.episode, np.ascontiguousarray(theta, dtype=np.float64))

    def unit_traces(self, alpha: np.ndarray) -> np.ndarray:
        """The traces of beta = 1, shape (steps, signals, arms), as they stand when each choice is made."""
        h = _unit_traces(self.episode, _theta(alpha, alpha))
        return np.ascontiguousarray(h.transpose(2, 0, 1))

    def values(self, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """x(t), shape (steps, arms)."""
        return self.values_of(_theta(alpha, beta))

    def kernel_values(self, kernels: np.ndarray) -> np.ndarray:
        """x(t), shape (steps, arms), of kernels (signals, q, steps) that need not be geometric."""
        x = np.empty((self.n_steps, self.n_arms))
        full = np.ascontiguousarray(np.broadcast_to(kernels, (*self.full_shape, kernels.shape[-1])), dtype=np.float64)
        _kernel_values(self.arms, self.signals, self.starts, full, x)
        return self.in_data_order(x)

    def nll_of_values(self, x: np.ndarray) -> float:
        """The nll in nats of values x (steps, arms)."""
        x = x if self.order is None else x[self.order]
        scored = np.flatnonzero(self.choices >= 0)
        return float(-log_policy(x[scored])[np.arange(len(scored)), self.choices[scored]].sum())

    def rounding(self, theta: np.ndarray | None, kernels: np.ndarray | None = None) -> float:
        """How far the computed nll of parameters, or else of kernels, may be from the exact one, in nats.

        A value is a sum of as many terms as its trace remembers, each rounded in proportion to the terms before they cancel,
        so they are taken with absolute signals and weights; and a few operations more make a log probability of it.
        """
        whole = replace(self, signals=np.abs(self.signals))
        if kernels is None:
            theta = np.abs(np.asarray(theta, dtype=np.float64))
            rates = theta[self.model.roles(self.n_arms) == "rate"]
            memory = min(self.n_steps, 1.0 / max(float(rates.min(initial=1.0)), 1.0 / self.n_steps))
            x = _values(whole.episode, theta, _unit_traces(whole.episode, theta)).T
        else:
            return self.rounding_of_values(whole.kernel_values(np.abs(kernels)), self.n_steps)
        return self.rounding_of_values(self.in_data_order(x), memory)

    def rounding_of_values(self, x: np.ndarray, terms: float = 0.0) -> float:
        """The same of values (steps, arms) that are sums of so many terms, none of which is larger than they are."""
        x = x if self.order is None else x[self.order]
        x = np.abs(x, out=np.zeros(x.shape), where=np.isfinite(x))  # minus infinity where an arm is not offered
        scored = self.choices >= 0
        return float(np.finfo(float).eps * (6 + terms) * (x[scored].max(axis=1) + 1.0).sum())


def power_of_two(size: np.ndarray) -> np.ndarray:
    """The powers of two nearest (by ratio) to sizes; 1 for a size of 0."""
    return np.exp2(np.round(np.log2(np.where(size > 0.0, size, 1.0))))


def _theta(alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """theta of alpha and beta in the model's shape."""
    return np.concatenate([np.ravel(alpha), np.ravel(beta)]).astype(np.float64)


def problem(data: Dataset, row: int, model: Model, bounds: Bounds) -> Problem:
    """The fitting problem of the episode in position `row`, without its padding."""
    n_steps = data.n_steps[row]
    # Copies, so that no method can change the data.
    arms, rewards, starts = (getattr(data, f)[row, :n_steps].copy() for f in ("choices", "rewards", "starts"))
    choices = np.where(data.scored[row, :n_steps], arms, -1)
    foregone = None if data.foregone is None else data.foregone[row, :n_steps]
    losses = None if data.losses is None else data.losses[row, :n_steps]
    barred = None if data.available is None else ~data.available[row, :n_steps].T
    lower, upper = model.box(data.n_arms, bounds)
    order = None
    if data.states is not None:
        # The values of one state neither see nor move with the steps of another, so each state of a session is as good as a
        # session of its own.
        states, session = data.states[row, :n_steps], np.cumsum(starts)
        order = np.lexsort((np.arange(n_steps), states, session))
        choices, arms, rewards = choices[order], arms[order], rewards[order]
        foregone, losses = (None if each is None else each[order] for each in (foregone, losses))
        barred = None if barred is None else barred[:, order]
        starts = np.append(True, (np.diff(states[order]) != 0) | (np.diff(session[order]) != 0))
    signals = model.signal_values(arms, rewards, foregone, losses)
    barred = None if barred is None or not barred.any() else np.ascontiguousarray(barred)
    return Problem(model, data.n_arms, choices, starts, arms, signals, lower, upper, order=order, barred=barred)
