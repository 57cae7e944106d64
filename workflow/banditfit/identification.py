"""Which parameters the scored choices say something of. What they say nothing of is "not identified" and no estimate.

A parameter is not identified if every value of it gives the same likelihood:

* alpha and beta of a trace that bears on no scored choice: its arm was never rewarded (chosen), or never before a later scored
  choice of the session. This follows from the data alone: `silent`.
* alpha and beta of a trace that bears on scored choices at one lag j alone: the kernel's value there, alpha beta (1 - alpha)^j,
  is all that the choices see. This too is `silent`.
* one of alpha and beta of a trace that the fit has switched off: where beta = 0 any alpha gives the same values, and where
  alpha = 0 any beta. Both say the same, so it is always told as beta = 0 without alpha where the bounds of beta reach 0, and
  as alpha = 0 without beta where they do not.

In models that are not of the published families the same is asked of derivatives: a parameter is not identified where no scored
choice's probability changes with it. A trace that is switched off is told as a weight of 0 without its rates.

A parameter whose bounds coincide is given, and never counted as not identified.
"""

from typing import Any

import numpy as np

from .models.likelihood import Problem
from .models.traces import WEIGHT, _unit_traces
from .numerics import _compiled

# A trace that moves no value by more than this (log-odds) is switched off.
SWITCHED_OFF = 1e-9


@_compiled
def _lags(arms, choices, signals, starts, barred):
    """The shortest and the longest lag, (signals, arms) each, at which a signal on an arm bears on a scored choice of its
    session that offers the arm: 0 is the very next step. The longest is -1 where there is none."""
    n_arms = len(barred)
    shortest = np.full((len(signals), n_arms), choices.size)
    longest = np.full((len(signals), n_arms), -1)
    # The scored steps of the session after this one that offer each arm: the next, and the last.
    following, last = np.full(n_arms, -1), np.full(n_arms, -1)
    for t in range(choices.size - 1, -1, -1):
        i = arms[t]
        if i >= 0 and last[i] >= 0:
            for s in range(len(signals)):
                if signals[s, t] != 0.0:
                    shortest[s, i] = min(shortest[s, i], following[i] - t - 1)
                    longest[s, i] = max(longest[s, i], last[i] - t - 1)
        if choices[t] >= 0:
            for k in range(n_arms):
                if barred.shape[1] == 0 or not barred[k, t]:
                    following[k] = t
                    last[k] = max(last[k], t)
        if starts[t]:
            following[:] = -1
            last[:] = -1
    return shortest, longest


def silent(problem: Problem) -> np.ndarray:
    """The parameters (a mask over theta) that no scored choice can tell: by the data alone, for any fit."""
    known = vars(problem)
    if "silent" not in known:  # asked several times of each fit, and a problem never changes
        known["silent"] = _silent(problem)
    return known["silent"]


def _silent(problem: Problem) -> np.ndarray:
    if not problem.model.kernels:
        return ~_bearing(problem, _interior(problem, 1.0 / 3.0)) & ~_bearing(problem, _interior(problem, 0.6))
    shortest, longest = _lags(problem.arms, problem.choices, problem.signals, problem.starts, problem.episode.barred)
    if problem.model.shared:
        shortest, longest = shortest.min(axis=1, keepdims=True), longest.max(axis=1, keepdims=True)
    return np.tile((longest <= shortest).ravel(), 2)


def _interior(problem: Problem, share: float) -> np.ndarray:
    """A theta inside the box, no two of whose parameters stand at the same share of their box, and none at 0."""
    width = np.minimum(problem.upper - problem.lower, 1.0)
    theta = problem.lower + width * (share + 0.3 * np.sin(1.0 + np.arange(len(width))))
    return np.where(theta == 0.0, 0.1, theta)


def _bearing(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """The parameters (a mask) with which the policy of a scored choice changes at theta."""
    slopes = problem.derivatives(theta)
    if problem.barred is not None:  # an arm that is not offered says as much as the one that is chosen
        there = np.maximum(problem.choices, 0)
        slopes = np.where(problem.barred, slopes[:, there, np.arange(problem.n_steps)][:, None], slopes)
    slopes = slopes[:, :, problem.choices >= 0]
    moves = np.ptp(slopes, axis=1).max(axis=1, initial=0.0) > SWITCHED_OFF
    return moves | (problem.model.roles(problem.n_arms) == "probability")


def settle(problem: Problem, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A finite theta as it is reported, and which of its parameters are not identified (a mask).

    Values and likelihood do not change: only a trace that is switched off is written in the one way that the module's
    docstring says."""
    given = problem.upper <= problem.lower
    unseen = silent(problem)
    theta = np.array(theta, dtype=float)
    if not problem.model.kernels:
        traces = np.abs(_unit_traces(problem.episode, theta)).max(axis=2, initial=0.0)  # (traces, arms)
        weights = problem.episode.places[:-1, :, WEIGHT]
        for place in np.unique(weights[weights >= 0]):
            moves = np.abs(theta[place]) * traces[weights == place].max()
            if moves <= SWITCHED_OFF and problem.lower[place] <= 0.0 <= problem.upper[place] and not given[place]:
                theta[place] = 0.0
        off = (theta == 0.0)[np.maximum(weights, 0)] & (weights >= 0)
        unidentified = unseen | ~_bearing(problem, theta)
        unidentified[np.unique(weights[off])] &= unseen[np.unique(weights[off])]
        return theta, unidentified & ~given
    alpha, beta = problem.split(theta)
    low = problem.split(problem.lower)
    fixed_alpha, fixed_beta = problem.split(given)
    unseen = unseen[: len(unseen) // 2].reshape(problem.shape)
    moves = np.abs(problem.unit_traces(alpha)).max(axis=0)  # (signals, arms)
    moves = moves.max(axis=1, keepdims=True) if problem.model.shared else moves
    off = ~unseen & (beta * moves <= SWITCHED_OFF)
    to_zero = off & (low[1] <= 0.0)
    without_beta = off & ~to_zero & (low[0] <= 0.0)
    beta = np.where(to_zero & ~fixed_beta, 0.0, beta)
    alpha = np.where(without_beta & ~fixed_alpha, 0.0, alpha)
    unidentified = np.concatenate([(unseen | to_zero).ravel(), (unseen | without_beta).ravel()])
    return np.concatenate([alpha.ravel(), beta.ravel()]), unidentified & ~given


def numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """`value` as real numbers of this shape; None if it is anything else."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
    return array if array.shape == shape else None


def complete(problem: Problem, fit: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """theta of a row of a table of fits, complete, and which of its parameters are not identified. Where they are NaN they are
    the method's own numbers (`fillers`); only what the choices do not tell may be NaN. None if there are no parameters of the
    model's shapes."""
    fillers = getattr(fit, "fillers", None) or {}
    middle = problem.named(_middle(problem))
    held = {name: getattr(fit, name) for name in middle} if problem.model.kernels else getattr(fit, "parameters", None) or {}
    full, absent = [], []
    for name, default in middle.items():
        value = numbers(held.get(name), default.shape)
        if value is None:
            return None
        filler = numbers(fillers.get(name), default.shape)
        filler = default if filler is None else np.where(np.isfinite(filler), filler, default)
        full.append(np.where(np.isnan(value), filler, value).ravel())
        absent.append(np.isnan(value).ravel())
    theta = np.concatenate(full)
    if not np.isfinite(theta).all():
        return None
    _, unidentified = settle(problem, theta)
    return None if (np.concatenate(absent) & ~unidentified).any() else (theta, unidentified)


def _middle(problem: Problem) -> np.ndarray:
    return (problem.lower + problem.upper) / 2
