"""Values, policies and prediction errors trial by trial, such as regressors of imaging need, of these data or of new ones."""

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fits import FitTable
from ..identification import numbers
from ..models import likelihood
from ..models.families import get_model
from ..models.likelihood import Problem
from ..models.traces import _unit_traces, _values
from ..numerics import log_policy
from ..parameters import Bounds


@checked
def trial_table(data: Dataset, fits: FitTable) -> pd.DataFrame:
    """One row per fit and trial of `data`: what the model, with that person's parameters, makes of it.

    The data may be others than the parameters were fitted to, such as a later session: people are matched by their ids, those
    without a fit are left out. A parameter that is not identified has the method's own number.

    model, method, id, episode; step (from 0), session, state (where there are states); choice (-1: missed), reward, scored
    q[i]              the learnt value of arm i before the choice, in units of the rewards (a model without one has none)
    value[i]          log-odds, up to a constant: all that bears on the choice but a lapse; minus infinity where not on offer
    p[i]              the probability of choosing arm i
    log_likelihood    of the choice, nats; NaN where it is not scored
    prediction_error  the reward less the learnt value of the chosen arm; NaN on missed trials. Where gains and losses have
                      values of their own there are prediction_error[gain] and prediction_error[loss], and q likewise

    Raises InputError where no id of the data has a fit.
    """
    place = {name: row for row, name in enumerate(data.ids.tolist())}
    ids = fits["id"] if "id" in fits else fits["episode"].astype(str)
    tables = [_table(data, place[name], fit) for name, fit in zip(ids, fits.itertuples(), strict=True) if name in place]
    if not tables:
        raise InputError(f"trial_table: found no fit of an id of '{data.name}', expected fits of some, such as '{data.ids[0]}'")
    return pd.concat(tables, ignore_index=True)


def theta_of(problem: Problem, fit) -> np.ndarray | None:
    """theta of a fit, with the method's own numbers (or the box's middle) for what is not identified; None if it failed."""
    middle = problem.named((problem.lower + problem.upper) / 2)
    told, fillers = getattr(fit, "parameters", None) or {"alpha": fit.alpha, "beta": fit.beta}, fit.fillers or {}
    full = []
    for name, default in middle.items():
        value, filler = numbers(told.get(name), default.shape), numbers(fillers.get(name), default.shape)
        if value is None:
            return None
        filler = default if filler is None else np.where(np.isfinite(filler), filler, default)
        full.append(np.where(np.isfinite(value), value, filler).ravel())
    return None if fit.status == "failed" else np.concatenate(full)


def _table(data: Dataset, row: int, fit) -> pd.DataFrame:
    """The trials of one person by one fit."""
    model = get_model(fit.model)
    problem = likelihood.problem(data, row, model, Bounds.read(fit.bounds))
    n, m = problem.n_steps, data.n_arms
    choices, rewards = data.choices[row, :n], data.rewards[row, :n]
    made = choices >= 0
    found = {
        "model": fit.model,
        "method": fit.method,
        "id": data.ids[row],
        "episode": data.episodes[row],
        "step": np.arange(n),
        "session": np.cumsum(data.starts[row, :n]) - 1,
        **({} if data.states is None else {"state": data.states[row, :n]}),
        "choice": choices,
        "reward": np.where(made, rewards, np.nan),
        "scored": data.scored[row, :n],
    }
    theta = theta_of(problem, fit)
    theta = np.full(len(problem.lower), np.nan) if theta is None else theta
    lapse, h = model.slices(m).get("lapse"), _unit_traces(problem.episode, theta)
    traces, values = (problem.in_data_order(each) for each in (h.transpose(2, 0, 1), _values(problem.episode, theta, h).T))
    signals = problem.in_data_order(problem.signals.T)
    logs = log_policy(values)
    p = np.exp(logs)
    if lapse is not None:
        offered = np.isfinite(values) | np.isnan(values)
        p = (1.0 - theta[lapse]) * p + theta[lapse] * offered / offered.sum(axis=1, keepdims=True)
        logs = np.log(p, out=np.full(p.shape, -np.inf), where=offered)
    errors = {}
    for k, trace in enumerate(model.traces):
        if trace.signal == "choice":
            continue
        tail = "" if trace.signal == "reward" else trace.signal
        found |= {f"q[{tail + ',' if tail else ''}{i}]": traces[:, k, i] for i in range(m)}
        error = signals[:, k] - traces[np.arange(n), k, np.maximum(choices, 0)]
        errors[f"prediction_error[{tail}]" if tail else "prediction_error"] = np.where(made, error, np.nan)
    own = logs[np.arange(n), np.maximum(choices, 0)]
    found |= {f"value[{i}]": values[:, i] for i in range(m)} | {f"p[{i}]": p[:, i] for i in range(m)}
    return pd.DataFrame(found | {"log_likelihood": np.where(found["scored"], own, np.nan)} | errors)
