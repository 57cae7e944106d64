"""Runs a method over the episodes of a data set: seeds, workers, clocks, and a row for every episode whatever happens."""

import hashlib
import json
import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from time import perf_counter, process_time
from typing import Any

import joblib
import numpy as np
import pandas as pd

from . import likelihood
from .data import Dataset
from .errors import InputError
from .methods import STATUSES, Method, Outcome, get_method
from .models import Bounds, Model, get_model


def derive_seed(dataset: str, episode: int | None, method: str, seed: int) -> int:
    """The seed of one fit, from everything that is allowed to change it and nothing else (not the solver: all solvers
    of a method meet the same starts). `episode` is None for a fit of all episodes at once."""
    text = json.dumps([dataset, None if episode is None else int(episode), method, int(seed)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def fit(
    data: Dataset,
    model: str,
    method: str,
    episodes: Iterable[int] | None = None,
    settings: dict[str, Any] | None = None,
    bounds: Bounds | None = None,
    seed: int = 0,
    n_jobs: int = 1,
    given: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Fits `model` with `method` to each episode on its own, or to all of them at once if it is a population method; one
    row per episode, in the order of `episodes`.

    Bounds are `bounds`, or the data set's own if it was made by this model, or the model's defaults. `given` is the fit
    table of the method that this one needs (`cvx_loc` needs `cvx`); without it that method is fitted first, with its
    defaults. Its time counts as part of this fit. A population method's times are shared evenly over its rows. Raises
    InputError for an unknown model, method, setting or episode.

    Columns: dataset, episode, id, model, method, settings (JSON), seed; alpha, beta (arrays in the model's shape,
    signals x q), kernels (signals x q x steps, or None); nll, lower_bound (nats; the method's claims), status, message,
    fallback, n_eval; t_setup, t_solve, t_wall, t_published (seconds), t_cpu (processor seconds of the whole fit, which other
    work on the machine hardly changes; NaN where threads shared a process); starts (dict of every start, or None);
    diagnostics (dict of numbers, or None) and posterior (dict of arrays, or None), see `methods.Outcome`.
    """
    family, how = get_model(model), get_method(method)
    options = how.read_settings(method, settings)
    if how.models is not None and model not in how.models:
        raise InputError(f"method '{method}': found model '{model}', expected {' or '.join(how.models)}")
    bounds = bounds or data.bounds_of(family)
    family.box(data.n_arms, bounds)
    data = data if episodes is None else data.select(episodes)
    if how.needs and given is None:
        given = fit(data, model, how.needs, bounds=bounds, seed=seed, n_jobs=n_jobs)
    earlier = _outcomes(data, how, given)
    seeds = [derive_seed(data.name, None if how.population else number, method, seed) for number in data.episodes]

    size = max(len(data), 1) if how.population else 1
    parts = [slice(row, row + size) for row in range(0, len(data), size)]
    jobs = [(data.select(part), family, bounds, how, options, seeds[part.start], earlier[part]) for part in parts]
    if n_jobs == 1 or len(jobs) < 2:
        how.warm_up()
        done = [_fit_job(*job) for job in jobs]
    elif how.threads:
        how.warm_up()
        with ThreadPoolExecutor(n_jobs) as pool:
            done = list(pool.map(lambda job: _fit_job(*job, alone=False), jobs))
    else:
        chunks = [jobs[i::n_jobs] for i in range(n_jobs)]
        dealt = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(_fit_chunk)(method, chunk) for chunk in chunks)
        done = [dealt[i % n_jobs][i // n_jobs] for i in range(len(jobs))]
    rows = [row for job in done for row in job]

    head = {
        "dataset": data.name,
        "episode": data.episodes,
        "id": data.ids,
        "model": model,
        "method": method,
        "settings": json.dumps(asdict(options), sort_keys=True),
        "seed": np.array(seeds, dtype=np.int64),
    }
    body = {name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in ROW_TYPES.items()}
    return pd.DataFrame({**head, **body}, index=range(len(rows)))


# What a fit leaves in its row, beside the columns that say what was fitted.
ROW_TYPES = {
    "alpha": object,
    "beta": object,
    "kernels": object,
    "nll": float,
    "lower_bound": float,
    "status": "str",
    "message": "str",
    "fallback": "str",
    "n_eval": "int64",
    "t_setup": float,
    "t_solve": float,
    "t_wall": float,
    "t_published": float,
    "t_cpu": float,
    "starts": object,
    "diagnostics": object,
    "posterior": object,
}


def _fit_chunk(method: str, jobs: list[tuple]) -> list[list[dict]]:
    get_method(method).warm_up()
    return [_fit_job(*job) for job in jobs]


def _fit_job(
    data: Dataset,
    model: Model,
    bounds: Bounds,
    method: Method,
    options: Any,
    seed: int,
    earlier: list[tuple[Outcome, float, float] | None],
    alone: bool = True,
) -> list[dict]:
    """The rows of `data`: one episode, or all the episodes of a population method; `alone` if nothing else runs in the
    process meanwhile."""
    given = [before and before[0] for before in earlier]
    rng = np.random.default_rng(seed)
    begin, cpu_begin = perf_counter(), process_time()
    try:
        problems = [likelihood.problem(data, row, model, bounds) for row in range(len(data))]
        if method.population:
            outcomes = method.fit(problems, options, rng, given)
        else:
            outcomes = [method.fit(problems[0], options, rng, given[0])]
    except Exception as error:  # one bad episode never stops a batch: its row says what happened
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        outcomes = [Outcome("failed", message=words) for _ in earlier]
    wall = (perf_counter() - begin) / len(data)
    cpu = (process_time() - cpu_begin) / len(data) if alone else np.nan
    shape = model.shape(data.n_arms)
    return [_row(outcome, len(data), wall, cpu, shape, before) for outcome, before in zip(outcomes, earlier, strict=True)]


def _row(
    outcome: Outcome,
    n_shared: int,
    wall: float,
    cpu: float,
    shape: tuple[int, int],
    earlier: tuple[Outcome, float, float] | None,
) -> dict:
    """The row of one episode, whose fit took `wall` seconds and `cpu` processor seconds and shares the times in its outcome
    with n_shared - 1 others."""
    if outcome.status not in STATUSES:
        raise InputError(f"a method returned status '{outcome.status}', expected one of {', '.join(STATUSES)}")
    before, wall_before, cpu_before = earlier or (Outcome(""), 0.0, 0.0)
    published = wall if outcome.t_published is None else outcome.t_published / n_shared
    nothing = np.full(shape, np.nan)
    return {
        "alpha": nothing if outcome.alpha is None else np.asarray(outcome.alpha, dtype=float),
        "beta": nothing if outcome.beta is None else np.asarray(outcome.beta, dtype=float),
        "kernels": outcome.kernels,
        "nll": outcome.nll,
        "lower_bound": outcome.lower_bound,
        "status": outcome.status,
        "message": outcome.message,
        "fallback": outcome.fallback,
        "n_eval": outcome.n_eval,
        "t_setup": outcome.t_setup / n_shared + before.t_setup,
        "t_solve": outcome.t_solve / n_shared + before.t_solve,
        "t_wall": wall + wall_before,
        "t_published": published + (before.t_published or 0.0),
        "t_cpu": cpu + cpu_before,
        "starts": asdict(outcome.starts) if outcome.starts else None,
        "diagnostics": outcome.diagnostics,
        "posterior": outcome.posterior,
    }


def _outcomes(data: Dataset, method: Method, given: pd.DataFrame | None) -> list[tuple[Outcome, float, float] | None]:
    """The fits that `method` starts from, in the order of the data, each with its wall and its processor time."""
    if method.needs is None:
        return [None] * len(data)
    rows = given.set_index("episode")
    absent = [int(number) for number in data.episodes if number not in rows.index]
    if absent:
        raise InputError(f"given: no fit of episode {absent[0]}, expected a row of method '{method.needs}' for each episode")
    kept = [f for f in Outcome.__dataclass_fields__ if f != "starts"]
    found = rows.loc[data.episodes]
    return [(Outcome(**{f: row[f] for f in kept}), row["t_wall"], row["t_cpu"]) for _, row in found.iterrows()]
