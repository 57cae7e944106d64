"""How well a model predicts trials of a person that its parameters have not seen: by sessions, or by blocks of trials.

In each fold the trials that are held out move the traces like forced choices, and are not scored; the parameters of the rest
predict them.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import fit
from ..identification import complete
from ..models import likelihood
from ..models.families import get_model
from ..numerics import log_policy
from ..parameters import Bounds


def folds_of(data: Dataset, held_out: str | int) -> np.ndarray:
    """The fold (episodes, steps) of every trial: its session, or which of `held_out` blocks of as many scored trials in a row
    it is in. Raises InputError for an episode that cannot be divided so."""
    if held_out == "sessions":
        folds = np.cumsum(data.starts, axis=1) - 1
        folds[np.arange(folds.shape[1]) >= data.n_steps[:, None]] = 0
        few, what = folds.max(axis=1) < 1, "one session"
    else:
        counted = np.cumsum(data.scored, axis=1) - data.scored
        n = data.scored.sum(axis=1, keepdims=True)
        folds = np.minimum(counted * held_out // np.maximum(n, 1), held_out - 1)
        few, what = n[:, 0] < held_out, "fewer scored trials than folds"
    if few.any():
        name = data.ids[int(np.argmax(few))]
        raise InputError(f"held_out: found {what} in episode '{name}' ({few.sum()} such in all), expected two or more of each")
    return folds


def predict(data: Dataset, folds: np.ndarray, model: str, method: str, bounds: Bounds, **how: Any) -> pd.DataFrame:
    """One row per episode: episode, held_out_nll, the nll (nats) of all trials by the parameters of the other folds', NaN where
    one of those fits failed; and held_out_failed, the number of such folds. `how` as `fit` takes it."""
    family = get_model(model)
    held, failed = np.zeros(len(data)), np.zeros(len(data), dtype=int)
    forced = np.zeros(data.choices.shape, dtype=bool) if data.forced is None else data.forced
    for fold in range(folds.max() + 1):
        rows = np.flatnonzero((data.scored & (folds == fold)).any(axis=1))
        part = data.select(data.episodes[rows])
        train = replace(part, forced=forced[rows] | (folds[rows] == fold), truth=None)
        fits = fit(train, model, method, bounds=bounds, **how)
        for place, (row, found) in enumerate(zip(rows, fits.itertuples(), strict=True)):
            parameters = complete(likelihood.problem(train, place, family, bounds), found)
            if parameters is None:
                failed[row] += 1
                continue
            x = likelihood.problem(part, place, family, bounds).values_of(parameters[0])
            steps = np.flatnonzero((data.scored[row] & (folds[row] == fold))[: data.n_steps[row]])
            held[row] -= log_policy(x[steps])[np.arange(len(steps)), data.choices[row, steps]].sum()
    return pd.DataFrame(
        {"episode": data.episodes, "held_out_nll": np.where(failed > 0, np.nan, held), "held_out_failed": failed}
    )
