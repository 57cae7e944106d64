"""Which parameters the scored choices say something of. What they say nothing of is "not identified" and no estimate.

A parameter is not identified if every value of it gives the same likelihood:

* alpha and beta of a trace that bears on no scored choice: its arm was never rewarded (chosen), or never before a later scored
  choice of the session. This follows from the data alone: `silent`.
* alpha and beta of a trace that bears on scored choices at one lag j alone: the kernel's value there, alpha beta (1 - alpha)^j,
  is all that the choices see. This too is `silent`.
* one of alpha and beta of a trace that the fit has switched off: where beta = 0 any alpha gives the same values, and where
  alpha = 0 any beta. Both say the same, so it is always told as beta = 0 without alpha where the bounds of beta reach 0, and
  as alpha = 0 without beta where they do not.

A parameter whose bounds coincide is given, and never counted as not identified.
"""

from typing import Any

import numpy as np

from .models.likelihood import Problem, _compiled

# A trace that moves no value by more than this (log-odds) is switched off.
SWITCHED_OFF = 1e-9


@_compiled
def _lags(arms, choices, signals, starts, n_arms):
    """The shortest and the longest lag, (signals, arms) each, at which a signal on an arm bears on a scored choice of its
    session: 0 is the very next step. The longest is -1 where there is none."""
    shortest = np.full((len(signals), n_arms), choices.size)
    longest = np.full((len(signals), n_arms), -1)
    following = last = -1  # the scored steps of the session after this one: the next, and the last
    for t in range(choices.size - 1, -1, -1):
        if arms[t] >= 0 and last >= 0:
            for s in range(len(signals)):
                if signals[s, t] != 0.0:
                    shortest[s, arms[t]] = min(shortest[s, arms[t]], following - t - 1)
                    longest[s, arms[t]] = max(longest[s, arms[t]], last - t - 1)
        if choices[t] >= 0:
            following = t
            last = max(last, t)
        if starts[t]:
            following = last = -1
    return shortest, longest


def silent(problem: Problem) -> np.ndarray:
    """Whose alpha and beta no scored choice can tell, in the model's shape (signals, q): by the data alone, for any fit."""
    shortest, longest = _lags(problem.arms, problem.choices, problem.signals, problem.starts, problem.n_arms)
    if problem.model.shared:
        shortest, longest = shortest.min(axis=1, keepdims=True), longest.max(axis=1, keepdims=True)
    return longest <= shortest


def settle(problem: Problem, alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finite parameters (signals, q) as they are reported, and which of them are not identified, (2, signals, q), alpha first.

    Values and likelihood do not change: only a trace that is switched off is written in the one way that the module's
    docstring says."""
    low, high = problem.split(problem.lower), problem.split(problem.upper)
    given = np.stack([high[0] <= low[0], high[1] <= low[1]])
    unseen = silent(problem)
    moves = np.abs(problem.unit_traces(alpha)).max(axis=0)  # (signals, arms)
    moves = moves.max(axis=1, keepdims=True) if problem.model.shared else moves
    off = ~unseen & (beta * moves <= SWITCHED_OFF)
    to_zero = off & (low[1] <= 0.0)
    without_beta = off & ~to_zero & (low[0] <= 0.0)
    beta = np.where(to_zero & ~given[1], 0.0, beta)
    alpha = np.where(without_beta & ~given[0], 0.0, alpha)
    unidentified = np.stack([unseen | to_zero, unseen | without_beta])
    return alpha, beta, unidentified & ~given


def numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """`value` as real numbers of this shape; None if it is anything else."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
    return array if array.shape == shape else None


def complete(problem: Problem, fit: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """alpha and beta of a fit, complete, and which of them are not identified. Where they are NaN they are the method's own
    numbers (`fillers`); only what the choices do not tell may be NaN. None if there are no parameters of the model's shape."""
    fillers = getattr(fit, "fillers", None) or {}
    given = [numbers(getattr(fit, symbol), problem.shape) for symbol in ("alpha", "beta")]
    if any(value is None for value in given):
        return None
    middle = problem.split((problem.lower + problem.upper) / 2)
    full = []
    for symbol, value, default in zip(("alpha", "beta"), given, middle, strict=True):
        filler = numbers(fillers.get(symbol), problem.shape)
        filler = default if filler is None else np.where(np.isfinite(filler), filler, default)
        full.append(np.where(np.isnan(value), filler, value))
    if not np.isfinite(full).all():
        return None
    _, _, unidentified = settle(problem, *full)
    return None if (np.isnan(given) & ~unidentified).any() else (*full, unidentified)
