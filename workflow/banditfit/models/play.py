"""Agents of any model on a design that is given: the same sessions, states, arms on offer, missed trials and
forced choices.

The recursion is that of `traces`, one step at a time, as the choices are not there beforehand.
"""

import numpy as np

from ..numerics import _compiled
from .likelihood import Problem
from .traces import CHOICES, GAIN, INITIAL, LOSS, OTHERS, RULE, UNCHOSEN, WEIGHT, Episode, _at, _bias, _lapse, _offered, _sizes


@_compiled
def _move(ep, k, theta, arm, chosen, signals, now):
    """Trace k of an arm after a step on which `chosen` (-1: none) brought `signals` (rows,)."""
    row = k if arm == chosen else ep.rules[k, OTHERS]
    u = signals[row] if row >= 0 else 0.0
    if ep.rules[k, RULE] == CHOICES:
        if chosen < 0:
            return now
        gate = UNCHOSEN if arm != chosen else GAIN if u > now else LOSS
    else:
        gate = GAIN
    return now + _at(theta, ep.places[k, arm, gate]) * (u - now)


@_compiled
def _play(ep, theta, signals, free, uniform, choices, policy):
    """Draws the choices (steps,) where `free`, by inverse CDF of `uniform` (steps,); elsewhere they stay as they are. `signals`
    (arms, rows, steps) are those that each arm would bring. Fills policy (steps, arms)."""
    n_traces, n_arms, n_steps = _sizes(ep)
    z = np.empty((n_traces, n_arms))
    eps = _at(theta, _lapse(ep))
    for t in range(n_steps):
        if ep.starts[t]:
            for k in range(n_traces):
                z[k] = _at(theta, ep.rules[k, INITIAL])
        x = policy[t]
        for i in range(n_arms):
            x[i] = _at(theta, _bias(ep, i))
            for k in range(n_traces):
                x[i] += _at(theta, ep.places[k, i, WEIGHT]) * z[k, i]
        last = 0
        for i in range(n_arms):
            if ep.barred.shape[1] > 0 and ep.barred[i, t]:
                x[i] = -np.inf
            else:
                last = i
        x[:] = np.exp(x - x.max())
        total, by_lapse = x.sum(), eps / _offered(ep.barred, t)
        for i in range(n_arms):
            share = by_lapse if ep.barred.shape[1] == 0 or not ep.barred[i, t] else 0.0
            x[i] = (1.0 - eps) * x[i] / total + share
        if free[t]:
            left, y = uniform[t], 0
            while y < last and left >= x[y]:
                left -= x[y]
                y += 1
            choices[t] = y
        y = choices[t]
        brought = np.zeros(signals.shape[1]) if y < 0 else signals[y, :, t].copy()
        for k in range(n_traces):
            for i in range(n_arms):
                z[k, i] = _move(ep, k, theta, i, y, brought, z[k, i])


def play(
    problem: Problem,
    theta: np.ndarray,
    offered: np.ndarray,
    rng: np.random.Generator,
    shown: np.ndarray | None = None,
    losses: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choices (steps,) of an agent with the parameters theta on the design of `problem`, and the policy (steps, arms) they were
    drawn from. `offered` (steps, arms) is what each arm would bring on each step. Missed trials stay missed, and forced choices
    what they were. `shown` (steps,) is where what the other of two arms offered is seen too, and `losses` (steps, arms) are
    part of what arms bring. All of it is in the order of the data."""
    n_steps, n_arms = problem.n_steps, problem.n_arms
    order = np.arange(n_steps) if problem.order is None else problem.order
    offered = np.asarray(offered, dtype=float)[order]
    seen = np.zeros(n_steps, dtype=bool) if shown is None else shown[order]
    signals = np.stack(
        [
            problem.model.signal_values(
                np.full(n_steps, i),
                offered[:, i],
                np.where(seen, offered[:, 1 - i], np.nan),
                None if losses is None else losses[order, i],
            )
            for i in range(n_arms)
        ]
    )
    signals = signals / problem.unit[:, None]
    choices, policy = problem.arms.copy(), np.empty((n_steps, n_arms))
    uniform = rng.random(n_steps)[order]
    episode: Episode = problem.episode
    _play(episode, np.asarray(theta, dtype=float), signals, problem.choices >= 0, uniform, choices, policy)
    return problem.in_data_order(choices), problem.in_data_order(policy)


def taken(offered: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """The rewards (steps,) of choices, 0 where there is none, of what each arm offered (steps, arms)."""
    return np.where(choices >= 0, offered[np.arange(len(choices)), choices], 0.0)
