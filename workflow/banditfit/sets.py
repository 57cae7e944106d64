"""Profile sets: the values of each parameter that the choices do not speak against.

A value belongs to the set if with the best other parameters the nll is at most so many nats above that of the fit; 1.92, half
the 95 % quantile of chi-squared with one degree of freedom, makes it a 95 % confidence set of a likelihood-ratio test.
"""

from typing import Annotated

import numpy as np
import pandas as pd

from .arguments import checked
from .data.dataset import Dataset
from .errors import InputError
from .fits import FitTable
from .identification import complete
from .kinds import Limits
from .models import likelihood
from .models.families import get_model
from .parameters import Bounds
from .solvers.sets import profile_end

DROP = 1.92
# On a ridge the rates at the largest sensitivity are at most this share of the fit's.
RIDGE = 0.5


@checked
def profile_sets(data: Dataset, fits: FitTable, drop: Annotated[float, Limits(0, inside=True)] = DROP) -> pd.DataFrame:
    """The profile set of every parameter of every fit, one row each, in their order; without parameters there is none.

    Columns: dataset, episode, model, method, parameter (such as "bias[1]"), estimate (NaN where it is not identified), lower,
    upper (the furthest values on either side that belong to the set; for what is not identified, its bounds), at_lower,
    at_upper (the set ends at the bound, where the choices do not end it), and ridge: the set of a sensitivity that reaches its
    upper bound along ever smaller rates, so that only the product of the two is told. Ends are found by local searches outwards
    from the fit, which is meant to be an optimum (`certified`, `profile`). Raises InputError for fits of another data set.
    """
    strangers = set(fits["dataset"]) - {data.name}
    if strangers:
        raise InputError(f"fits: found data set '{sorted(strangers)[0]}', expected '{data.name}'")
    position = {int(number): row for row, number in enumerate(data.episodes)}
    rows = []
    for fit in fits.itertuples():
        model = get_model(fit.model)
        problem = likelihood.problem(data, position[fit.episode], model, Bounds.read(fit.bounds))
        parameters = complete(problem, fit)
        if parameters is None:
            continue
        head = {name: getattr(fit, name) for name in ("dataset", "episode", "model", "method")}
        rows += [head | row for row in _sets(problem, *parameters, drop)]
    columns = [
        "dataset",
        "episode",
        "model",
        "method",
        "parameter",
        "estimate",
        "lower",
        "upper",
        "at_lower",
        "at_upper",
        "ridge",
    ]
    return pd.DataFrame(rows, columns=columns)


def _sets(problem: likelihood.Problem, theta: np.ndarray, unidentified: np.ndarray, drop: float) -> list[dict]:
    """The sets of one fit. Searches see signals in units of their own size."""
    unit = problem.own_unit()
    own, scale = problem.in_units(unit), problem.model.scale(problem.n_arms, unit)
    inside = np.clip(theta * scale, own.lower, own.upper)
    level = own.nll_theta(inside) + drop
    roles = problem.model.roles(problem.n_arms)
    rates = (roles == "rate") & ~unidentified
    rows = []
    for j, name in enumerate(problem.model.parameter_names(problem.n_arms)):
        ends, ridge = [own.lower[j], own.upper[j]], False
        if not unidentified[j] and own.upper[j] > own.lower[j]:
            ends = []
            for end in (own.lower[j], own.upper[j]):
                value, there = profile_end(own.episode, inside, own.lower, own.upper, j, end, level)
                ends.append(value)
            smaller = (there[rates] <= RIDGE * inside[rates]).any()
            ridge = bool(roles[j] == "sensitivity" and value == own.upper[j] and inside[j] < value and smaller)
        rows.append(
            {
                "parameter": name,
                "estimate": np.nan if unidentified[j] else theta[j],
                "lower": ends[0] / scale[j],
                "upper": ends[1] / scale[j],
                "at_lower": bool(ends[0] == own.lower[j]),
                "at_upper": bool(ends[1] == own.upper[j]),
                "ridge": ridge,
            }
        )
    return rows
