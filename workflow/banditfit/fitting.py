"""Runs a method over the episodes of a data set: seeds, workers, clocks, and a row for every episode whatever happens."""

import hashlib
import json
import signal
import threading
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from time import perf_counter, process_time
from typing import Annotated, Any

import numpy as np
import pandas as pd

from .arguments import checked
from .data.dataset import Dataset
from .errors import InputError
from .fits import FitTable
from .identification import settle, silent
from .kinds import ByName, Jobs, Limits, Number, Seed
from .methods import Method, get_method
from .models import likelihood
from .models.families import Model, ModelName, get_model
from .models.likelihood import Problem
from .names import MethodName, called
from .outcome import Outcome, complaint
from .parameters import Bounds
from .study.store import Fits

# Seconds that a fit of an episode may take; a population has as many for each of its episodes.
TIME_LIMIT = 1800.0
# The nll of a fit that another starts from may differ from that of its kernels by this share.
SAME_NLL = 1e-6


def derive_seed(dataset: str, episode: int | None, method: str, seed: int) -> int:
    """The seed of one fit, from everything that is allowed to change it and nothing else (not the solver: all solvers
    of a method meet the same starts). `episode` is None for a fit of all episodes at once."""
    text = json.dumps([dataset, None if episode is None else int(episode), method, int(seed)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


@checked
def fit(
    data: Dataset,
    model: ModelName,
    method: MethodName,
    episodes: Iterable[Number] | None = None,
    settings: ByName | None = None,
    bounds: Bounds | None = None,
    seed: Seed = 0,
    n_jobs: Jobs = 1,
    given: FitTable | None = None,
    time_limit: Annotated[float, Limits(0, inside=True)] = TIME_LIMIT,
) -> Fits:
    """Fits `model` with `method` to each episode on its own, or to all of them at once if it is a population method; one
    row per episode, in the order of `episodes`.

    `method` is one of `bf.method_names()`; an id of config/methods.tsv, such as gem_map, stands for its row's method with the
    row's settings, and `settings` on top. Bounds are `bounds`, by name too, or the data set's own if it was made by this model,
    or the model's defaults. `n_jobs` of -1 is all cores. `given` is the fit
    table of the method that this one needs (`cvx_loc` needs `cvx`); without it that method is fitted first, with its
    defaults. Its time counts as part of this fit. A population method's times are shared evenly over its rows. A fit that
    takes more than `time_limit` seconds (times the number of episodes, for a population) is stopped and has failed. Raises
    InputError for an unknown model, method, setting or episode, and for `given` fits of anything else.

    Columns: dataset, episode, id, model, method, settings, bounds (JSON), seed; parameters (a dict of arrays, signals x arms,
    by the names of the model's parameters; NaN where one is not identified), alpha, beta (those of these names, NaN if the
    model has none), not_identified (the names of those, such as "alpha[reward,3]"),
    fillers (the method's own numbers in their places, by which its policy and the published errors are computed; or None),
    kernels (signals x q x steps, or None); nll, lower_bound (nats; the method's claims), status, message,
    fallback, n_eval; t_setup, t_solve, t_wall, t_published (seconds), t_cpu (processor seconds of the whole fit, which other
    work on the machine hardly changes; NaN where threads shared a process); starts (dict of every start, or None);
    diagnostics (dict of numbers, or None) and posterior (dict of arrays, or None), see `methods.Outcome`.
    """
    method, settings = called(method, settings)
    family, how = get_model(model), get_method(method)
    options = how.read_settings(method, settings)
    if words := how.refusal(method, family, data.available is not None):
        raise InputError(words)
    bounds = data.bounds_of(family, bounds)
    family.box(data.n_arms, bounds)
    data = data if episodes is None else data.select(episodes)
    if how.needs and given is None:
        given = fit(data, model, how.needs, bounds=bounds, seed=seed, n_jobs=n_jobs, time_limit=time_limit)
    earlier = _outcomes(data, family, bounds, how, given)
    seeds = [derive_seed(data.name, None if how.population else number, method, seed) for number in data.episodes]

    size = max(len(data), 1) if how.population else 1
    parts = [slice(row, row + size) for row in range(0, len(data), size)]
    jobs = [(data.select(part), family, bounds, how, options, seeds[part.start], earlier[part], time_limit) for part in parts]
    if n_jobs == 1 or len(jobs) < 2:
        how.warm_up()
        done = [_fit_job(*job) for job in jobs]
    elif how.threads:
        how.warm_up()
        with ThreadPoolExecutor(n_jobs) as pool:
            beside_others = partial(_fit_job, alone=False)
            done = list(pool.map(lambda job: beside_others(*job), jobs))
    else:
        chunks = [jobs[i::n_jobs] for i in range(n_jobs)]
        import joblib

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
        "bounds": bounds.text(),
        "seed": np.array(seeds, dtype=np.int64),
    }
    body = {name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in ROW_TYPES.items()}
    return Fits({**head, **body}, index=range(len(rows)))


# What a fit leaves in its row, beside the columns that say what was fitted.
ROW_TYPES = {
    "alpha": object,
    "beta": object,
    "parameters": object,
    "not_identified": "str",
    "fillers": object,
    "kernels": object,
    "relaxed": object,
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
    time_limit: float,
    alone: bool = True,
) -> list[dict]:
    """The rows of `data`: one episode, or all the episodes of a population method; `alone` if nothing else runs in the
    process meanwhile.

    A method sees signals in units of their own size (`Problem.in_units`), whatever the user counts rewards in, and arrays of
    its own; what it returns is checked, and told in the user's units.
    """
    rng = np.random.default_rng(seed)
    begin, cpu_begin = perf_counter(), process_time()
    originals = [likelihood.problem(data, row, model, bounds) for row in range(len(data))]
    units = [model.units(data.reward_scale) if method.population else one.own_unit() for one in originals]
    problems = [one.in_units(unit) for one, unit in zip(originals, units, strict=True)]
    given = [before and before[0].rescaled(one, one.unit) for before, one in zip(earlier, problems, strict=True)]
    try:
        with limited(time_limit * len(data)):
            outcomes = method.fit(
                *((problems, options, rng, given) if method.population else (problems[0], options, rng, given[0]))
            )
        outcomes = outcomes if method.population else [outcomes]
        if not isinstance(outcomes, list) or len(outcomes) != len(data):
            raise TypeError(f"the method returned {type(outcomes).__name__}, expected a list of {len(data)} Outcomes")
    except (Exception, SystemExit) as error:  # one bad episode never stops a batch: its row says what happened
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        outcomes = [Outcome("failed", message=words.encode(errors="backslashreplace").decode()) for _ in earlier]
    wall = (perf_counter() - begin) / len(data)
    cpu = (process_time() - cpu_begin) / len(data) if alone else np.nan
    return [
        _row(outcome, original, unit, len(data), wall, cpu, before)
        for outcome, original, unit, before in zip(outcomes, originals, units, earlier, strict=True)
    ]


class TimeLimit(Exception):
    """A fit took longer than it may."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TimeLimit in a block that runs longer, as soon as it is back in Python. Only the main thread of a process can be
    stopped so; where fits share threads, they are compiled and have limits of their own."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: Any) -> None:
        raise TimeLimit(f"stopped after {seconds:g} s, the time limit")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _row(
    outcome: Outcome,
    problem: Problem,
    unit: np.ndarray,
    n_shared: int,
    wall: float,
    cpu: float,
    earlier: tuple[Outcome, float, float] | None,
) -> dict:
    """The row of one episode, whose fit (with signals in units of `unit`) took `wall` seconds and `cpu` processor seconds and
    shares the times in its outcome with n_shared - 1 others."""
    if words := complaint(outcome, problem):
        outcome = Outcome("failed", message=f"malformed: {words}")
    outcome = outcome.rescaled(problem, 1.0 / unit)
    before, wall_before, cpu_before = earlier or (Outcome(""), 0.0, 0.0)
    published = wall if outcome.t_published is None else outcome.t_published / n_shared
    t_setup, t_solve = outcome.t_setup / n_shared, outcome.t_solve / n_shared
    if t_setup == t_solve == 0.0 and outcome.status != "failed":  # a method that tells no times
        t_solve = wall
    return _estimates(problem, outcome) | {
        "kernels": None if outcome.kernels is None else np.asarray(outcome.kernels, dtype=float),
        "relaxed": None if outcome.relaxed is None else np.asarray(outcome.relaxed, dtype=float),
        "nll": outcome.nll,
        "lower_bound": outcome.lower_bound,
        "status": outcome.status,
        "fallback": outcome.fallback,
        "n_eval": outcome.n_eval,
        "t_setup": t_setup + before.t_setup,
        "t_solve": t_solve + before.t_solve,
        "t_wall": wall + wall_before,
        "t_published": published + (before.t_published or 0.0),
        "t_cpu": cpu + cpu_before,
        "starts": dict(vars(outcome.starts)) if outcome.starts else None,
        "diagnostics": outcome.diagnostics,
        "posterior": outcome.posterior,
    }


def _estimates(problem: Problem, outcome: Outcome) -> dict:
    """What a row says of the parameters: estimates, NaN where the choices tell nothing, with the names of those and the
    method's own numbers for them; and the message, which names parameters outside the bounds."""
    nothing = np.full(problem.lower.shape, np.nan)
    theta = outcome.parameters(problem)
    if theta is None or not (np.isfinite(theta) | silent(problem)).all():
        return _by_name(problem, nothing) | {"not_identified": "", "fillers": None, "message": outcome.message}
    theta = np.where(np.isnan(theta), (problem.lower + problem.upper) / 2, theta)
    told, unidentified = settle(problem, theta)
    told = np.where(unidentified, np.nan, told)
    low, high, found = (problem.named(each) for each in (problem.lower, problem.upper, told))
    outside = [
        f"{name} {low[name].min():g} to {high[name].max():g}"
        for name, value in found.items()
        if ((value < low[name]) | (value > high[name])).any()
    ]
    names = problem.model.parameter_names(problem.n_arms)
    return _by_name(problem, told) | {
        "not_identified": " ".join(name for name, flag in zip(names, unidentified, strict=True) if flag),
        "fillers": problem.named(np.where(unidentified, theta, np.nan)) if unidentified.any() else None,
        "message": "; ".join([*filter(None, [outcome.message]), *(f"outside the bounds of {words}" for words in outside)]),
    }


def _by_name(problem: Problem, theta: np.ndarray) -> dict[str, Any]:
    """The columns of a row that hold parameters."""
    found = problem.named(theta)
    absent = np.full((1, 1), np.nan)
    return {"alpha": found.get("alpha", absent), "beta": found.get("beta", absent), "parameters": found}


def _outcomes(data: Dataset, model: Model, bounds: Bounds, method: Method, given: pd.DataFrame | None) -> list:
    """The fits that `method` starts from, in the order of the data, each with its wall and its processor time.

    Raises InputError for fits that are not those of this data, model, bounds and of the method that is needed, once for
    every episode.
    """
    if method.needs is None or given is None:
        return [None] * len(data)
    for column, expected in (
        ("dataset", data.name),
        ("model", model.name),
        ("method", method.needs),
        ("bounds", bounds.text()),
    ):
        strange = [value for value in given.get(column, [None]) if value != expected]
        if strange:
            raise InputError(f"given: found fits of {column} {strange[0]!r}, expected those of {column} {expected!r} alone")
    twice = given["episode"][given["episode"].duplicated()]
    if len(twice):
        raise InputError(f"given: found two fits of episode {twice.iloc[0]}, expected one of each")
    rows = given.set_index("episode")
    absent = [int(number) for number in data.episodes if number not in rows.index]
    if absent:
        raise InputError(f"given: no fit of episode {absent[0]}, expected a row of method '{method.needs}' for each episode")
    others = () if model.kernels else ("alpha", "beta")  # whose columns hold what the model calls so
    kept = [f for f in Outcome.__dataclass_fields__ if f not in ("starts", "theta", *others)]
    found = []
    for place, (number, row) in enumerate(rows.loc[data.episodes].iterrows()):
        outcome = Outcome(**{f: row.get(f) for f in kept})
        one = likelihood.problem(data, place, model, bounds)
        words = complaint(outcome, one)
        relaxed = outcome.relaxed
        if model.kernels and outcome.kernels is not None and not words:
            relaxed = one.kernel_values(outcome.kernels)
        if not words and relaxed is not None:
            nll = one.nll_of_values(relaxed)
            if np.isfinite(outcome.nll) and abs(nll - outcome.nll) > SAME_NLL * max(abs(nll), 1.0):
                words = (
                    f"its nll is {outcome.nll:.6g}, that of its kernels on these choices {nll:.6g}; expected a fit of this data"
                )
        if words:
            raise InputError(f"given: the fit of episode {number} is no such fit: {words}")
        found.append((outcome, row["t_wall"], row["t_cpu"]))
    return found
