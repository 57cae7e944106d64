"""How well methods predict trials they have not seen, of participants their population has not seen.

from banditfit.experiments import held_out

table = held_out.held_out(data, "forgetting", {"d_loc": ("d_loc", {}), "gem": ("gem", {})})
held_out.summarise_held_out(table)
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import derive_seed, fit
from ..identification import complete
from ..kinds import Limits, Probability, Seed, Share, Table
from ..models.families import ModelName, get_model
from ..models.likelihood import Problem, log_policy
from ..names import called
from ..parameters import Bounds
from ..solvers.em import estimate, members
from ..study.cases import KEYS, each
from . import Experiment, methods_of, part_of_study
from .populations import POPULATION_METHODS, Runs, _Participants, learn

if TYPE_CHECKING:
    from ..study.config import Study

BOOTSTRAP = 2000  # draws of participants

HeldOut = Annotated[
    pd.DataFrame, Table("a table as held_out.held_out returns it", (*KEYS, "episode", "run", "nll"), empty=True)
]


@checked
def first_trials(data: Dataset, share: Probability) -> Dataset:
    """The data set cut after the first `share` of each episode's steps (at least one)."""
    n_steps = np.maximum((share * data.n_steps).astype(np.int64), 1)
    kept = np.arange(data.choices.shape[1]) < n_steps[:, None]
    return replace(data, choices=np.where(kept, data.choices, -1), n_steps=n_steps, truth=None)


@checked
def held_out(
    data: Dataset,
    model: ModelName,
    runs: Runs,
    share: Share = 0.5,
    folds: Annotated[int, Limits(2)] = 5,
    bounds: Bounds | None = None,
    seed: Seed = 0,
) -> pd.DataFrame:
    """How well each run (a method with settings) predicts trials it has not seen, of participants its population has not seen.

    Participants are dealt into `folds`. Each is held out once: a population method learns the population from all trials
    of the other folds' participants; then each method finds the held-out participant's parameters from the first `share`
    of the trials, and these, frozen, predict the rest (traces run on, only the predictions of the rest are scored).
    Methods without parameters predict by their kernels. Rows `chance` and, where the data know it, `truth` bound the scale.

    Returns one row per participant and run: dataset, model, episode, fold, run, n_scored (trials) and nll (nats per trial; NaN
    where the fit failed). Raises InputError for a share outside (0, 1) or folds without participants.
    """
    bounds = data.bounds_of(get_model(model), bounds)
    if folds > len(data):
        raise InputError(f"folds is {folds}, expected 2 to {len(data)}, the number of participants")
    early = first_trials(data, share)
    problems, early_problems = _Participants(data, model, bounds), _Participants(early, model, bounds)
    fold = np.random.default_rng(derive_seed(data.name, None, "folds", seed)).permutation(len(data)) % folds
    values = {"chance": [np.zeros((one.n_steps, one.n_arms)) for one in problems]}
    if data.truth is not None:
        values["truth"] = [data.truth.values[row, : one.n_steps] for row, one in enumerate(problems)]
    for run, (name, own) in runs.items():
        method, settings = called(name, own)
        if method in POPULATION_METHODS:
            values[run] = [np.full((one.n_steps, one.n_arms), np.nan) for one in problems]
            for held in range(folds):
                others = data.select(data.episodes[fold != held])
                found = learn(others, model, method, settings, bounds, seed).rescaled(problems.scale)
                rows = np.flatnonzero(fold == held)
                expectation = members([early_problems[row] for row in rows], found)
                for row, theta, is_found in zip(rows, estimate(found, expectation)["median"], expectation.found, strict=True):
                    if is_found:
                        values[run][row] = problems[row].values_of(theta)
        else:
            fits = fit(early, model, method, settings=settings, bounds=bounds, seed=seed)
            values[run] = [
                _values(problems.as_told(row), early_problems.as_told(row), found)
                for row, found in enumerate(fits.itertuples())
            ]
    rows = []
    for row, one in enumerate(problems):
        late = np.flatnonzero((np.arange(one.n_steps) >= early.n_steps[row]) & data.scored[row, : one.n_steps])
        for run, x in values.items():
            nll = -log_policy(x[row][late])[np.arange(len(late)), data.choices[row, late]]
            mean = nll.mean() if len(late) else np.nan
            rows.append((data.name, model, data.episodes[row], fold[row], run, len(late), mean))
    return pd.DataFrame(rows, columns=[*KEYS, "episode", "fold", "run", "n_scored", "nll"])


def _values(one: Problem, early: Problem, row) -> np.ndarray:
    """x(t) of a fit to an episode's first trials, `early`, over all of its trials; NaN where the fit failed. A parameter that
    the first trials do not identify has the value that the method itself had."""
    if (parameters := complete(early, row)) is not None:
        return one.values_of(parameters[0])
    if row.kernels is None:
        return np.full((one.n_steps, one.n_arms), np.nan)
    unseen = one.n_steps - row.kernels.shape[-1]  # lags longer than what was fitted have no weight
    return one.kernel_values(np.pad(row.kernels, ((0, 0), (0, 0), (0, unseen))))


@checked
def summarise_held_out(table: HeldOut, seed: Seed = 0) -> pd.DataFrame:
    """Per dataset, model and run: n participants with a prediction, their mean `nll` in nats per trial with `low` and `high`
    (95 % bootstrap over participants), and `gain`, `gain_low`, `gain_high`: the same of chance less the run, paired."""
    rng = np.random.default_rng(seed)
    rows = []
    for case, part in each(table):
        wide = part.pivot(index="episode", columns="run", values="nll")
        for run in part["run"].unique():
            both = wide[["chance", run]].dropna().to_numpy()
            draws = rng.integers(len(both), size=(BOOTSTRAP, len(both))) if len(both) else np.empty((1, 0), dtype=int)
            row = [*case, run, len(both)]
            for number in (both[:, -1], both[:, 0] - both[:, -1]):
                means = number[draws].mean(axis=1) if len(both) else [np.nan]
                row += [number.mean() if len(both) else np.nan, *np.percentile(means, (2.5, 97.5))]
            rows.append(row)
    return pd.DataFrame(rows, columns=[*KEYS, "run", "n", "nll", "low", "high", "gain", "gain_low", "gain_high"])


def _run(data: Dataset, models: Mapping[str, Runs], episodes: int, **how: Any) -> tuple[pd.DataFrame]:
    data = data.select(slice(episodes))
    return (pd.concat([held_out(data, model, runs, **how) for model, runs in models.items()]),)


def _arguments(study: "Study", dataset: str) -> dict[str, Any]:
    part = study.populations["held_out"]
    models = study.methods_by_model("held_out", dataset)
    return {"models": models, **{key: part[key] for key in ("episodes", "share", "folds")}, "seed": study.config["seed"]}


EXPERIMENT = Experiment(
    run=_run,
    found=("held_out",),
    parts=part_of_study("held_out", "datasets"),
    arguments=_arguments,
    methods=methods_of("held_out"),
    tables={"held_out": ("held_out", summarise_held_out)},
    of_data=lambda arguments: arguments["episodes"],
)
