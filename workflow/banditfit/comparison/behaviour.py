"""What people do, whatever the model: learning curves, staying and shifting, choices by lag; and what agents do instead."""

from typing import Literal

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..fits import FitTable
from ..kinds import Count, Seed
from .agents import Agents, Outcomes

BINS, LAGS = 10, 8
Z_95 = 1.959964
COLUMNS = ["measure", "x", "people", "mean", "low", "high"]


@checked
def behaviour(data: Dataset, lags: Count = LAGS, bins: Count = BINS) -> pd.DataFrame:
    """One row per measure and place: the mean over people with its 95 % interval (`low`, `high`: 1.96 standard errors).

    measure   "reward", what a scored choice brought; "best", how often it was the arm that brought this person most on average
              in this session and state; "stay after win" and "stay after loss", how often a choice repeats the one `x` trials
              before it, by what that one brought
    x         of the first two, the trial within the session and state (from 1) at the middle of each of at most `bins` parts;
              of the others, the lag, 1 to `lags` trials
    people    how many people have such a choice

    A win is a reward above the mean of all rewards of the data set. Pairs of trials lie in one session, and in one state, whose
    other trials are passed over; a missed trial is no part of any, but counts in the lag. A choice repeats another only where
    that arm is on offer again, and the best arm is that of those on offer.
    """
    made = data.choices >= 0
    middle = float(data.rewards[made].mean()) if made.any() else 0.0
    width = -(-max((np.bincount(block).max() for block in map(_blocks, *_each(data))), default=1) // bins)
    people = [_person(data, row, middle, lags, width) for row in range(len(data))]
    rows = []
    for measure in ("reward", "best", "stay after win", "stay after loss"):
        places = sorted({x for person in people for name, x in person if name == measure})
        for x in places:
            values = np.array([person[measure, x] for person in people if (measure, x) in person])
            error = Z_95 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
            rows.append((measure, x, len(values), values.mean(), values.mean() - error, values.mean() + error))
    return pd.DataFrame(rows, columns=COLUMNS)


@checked
def predicted_behaviour(
    data: Dataset,
    fits: FitTable,
    rewards: Literal["arms", "steps", "own"] = "own",
    seed: Seed = 0,
) -> pd.DataFrame:
    """The `behaviour` of agents with the fitted parameters of each person, one play each of that person's own design: a row
    per `model`, measure and place. `rewards` as in `bf.recover`. Where it differs from that of the people, the model lacks
    something, however well it compares. Raises InputError for an arm whose rewards nobody saw."""
    outcomes = Outcomes(data, rewards)
    tables = []
    for model in dict.fromkeys(fits["model"]):
        played = Agents(data, fits, model).play(outcomes, 0, seed)
        tables.append(behaviour(played).assign(model=model))
    return pd.concat(tables, ignore_index=True)[["model", *COLUMNS]]


def _each(data: Dataset) -> tuple[list[Dataset], range]:
    return [data] * len(data), range(len(data))


def _blocks(data: Dataset, row: int) -> np.ndarray:
    """Which session and state each step of a person is in, numbered from 0."""
    n = data.n_steps[row]
    session = np.cumsum(data.starts[row, :n])
    state = np.zeros(n, dtype=np.int64) if data.states is None else data.states[row, :n]
    return np.unique(session * (state.max(initial=0) + 1) + state, return_inverse=True)[1]


def _person(data: Dataset, row: int, middle: float, lags: int, width: int) -> dict[tuple[str, float], float]:
    """The measures of one person, by measure and place."""
    block, n = _blocks(data, row), data.n_steps[row]
    order = np.argsort(block, kind="stable")
    block = block[order]
    choices, rewards, scored = (array[row, :n][order] for array in (data.choices, data.rewards, data.scored))
    place = np.arange(n) - np.flatnonzero(np.append(True, np.diff(block) > 0))[block]  # within session and state
    found: dict[tuple[str, float], float] = {}
    best = np.zeros((block.max() + 1, data.n_arms))
    counts = np.zeros_like(best)
    made = choices >= 0
    np.add.at(best, (block[made], choices[made]), rewards[made])
    np.add.at(counts, (block[made], choices[made]), 1)
    best = np.where(counts > 0, best / np.maximum(counts, 1), -np.inf)
    on_offer = np.ones((n, data.n_arms), dtype=bool) if data.available is None else data.available[row, :n][order]
    best = np.where(on_offer, best[block], -np.inf).argmax(axis=1)  # of each trial
    for part in np.unique(place[scored] // width):
        here = scored & (place // width == part)
        x = float(part * width + (width + 1) / 2)
        found["reward", x] = rewards[here].mean()
        found["best", x] = (choices[here] == best[here]).mean()
    for lag in range(1, min(lags, n - 1) + 1):
        pairs = scored[lag:] & made[:-lag] & (block[lag:] == block[:-lag])
        pairs &= np.take_along_axis(on_offer[lag:], np.maximum(choices[:-lag], 0)[:, None], axis=1)[:, 0]
        for name, which in (("win", rewards[:-lag] > middle), ("loss", rewards[:-lag] <= middle)):
            if (pairs & which).any():
                found[f"stay after {name}", float(lag)] = (choices[lag:] == choices[:-lag])[pairs & which].mean()
    return found
