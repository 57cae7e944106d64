"""Every person's parameters as a tidy table, with all that tells an estimate from a number."""

from typing import Annotated

import numpy as np
import pandas as pd

from ..arguments import checked
from ..kinds import Table
from ..models.families import get_model
from ..parameters import Bounds

# Starts whose nll is within this of the best, in nats, agree with it.
AGREED = 1e-3
COLUMNS = (
    *("dataset", "episode", "id", "model", "method", "parameter", "estimate", "not_identified", "at_bound", "lower", "upper"),
    *("interval_low", "interval_high", "nll", "status", "gap", "starts", "starts_agreed"),
)

NEEDED = ("dataset", "episode", "model", "method", "alpha", "beta", "bounds", "nll", "lower_bound", "status")
FitsOrScores = Annotated[
    pd.DataFrame,
    Table("a table of fits or scores, as bf.fit or bf.score returns it", columns=NEEDED, arrays=("alpha", "beta")),
]


@checked
def parameter_table(fits: FitsOrScores) -> pd.DataFrame:
    """One row per person, model, method and parameter, of a table of fits or of scores.

    parameter        its name, such as "alpha" or "bias[2]"
    estimate         NaN where it is not identified, or the fit failed
    not_identified   whether the choices tell nothing of it
    at_bound         whether the estimate is at a bound of non-zero width: within a millionth of it, or by the judge's word in a
                     table of scores
    lower, upper     the bounds of the search
    interval_low, interval_high   the 95 % interval, of methods that give one; else NaN
    nll, status      of the fit
    gap              nats from the best proven lower bound: a certificate where it is 0; NaN without a bound. In a table of
                     scores it is the judge's
    starts, starts_agreed   how many starts (or valleys) the fit had, and how many ended within .001 nats of the best
    """
    rows = [row for fit in fits.to_dict("records") for row in _rows(fit)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(fit: dict) -> list[tuple]:
    model, parameters = get_model(fit["model"]), fit.get("parameters") or {"alpha": fit["alpha"], "beta": fit["beta"]}
    n_arms = model.arms_of(parameters)
    lower, upper = model.box(n_arms, Bounds.read(fit["bounds"]))
    names = model.parameter_names(n_arms)
    estimates = np.concatenate([np.ravel(parameters[each.name]) for each in model.parameters])
    unidentified = set(str(fit.get("not_identified") or "").split())
    width = upper - lower
    edge = (width > 0) & ((estimates <= lower + 1e-6 * width) | (estimates >= upper - 1e-6 * width))
    if isinstance(told := fit.get("at_bound"), str):
        edge = np.isin(names, [word.rpartition("=")[0] for word in told.split()])
    posterior = fit.get("posterior") or {}
    low, high = (_posterior(model, posterior, end, len(names)) for end in ("lower", "upper"))
    gap = fit["gap"] if "gap" in fit else fit["nll"] - fit["lower_bound"]
    starts, excess = fit.get("starts") or {}, fit.get("start_excess")
    ends = np.array(starts.get("nll", []) if excess is None else excess, dtype=float)
    agreed = int((ends <= ends.min() + AGREED).sum()) if len(ends) else 0
    head = (fit["dataset"], fit["episode"], fit.get("id", str(fit["episode"])), fit["model"], fit["method"])
    tail = (fit["nll"], fit["status"], gap, len(ends), agreed)
    return [
        (*head, name, estimates[k], name in unidentified, bool(edge[k]), lower[k], upper[k], low[k], high[k], *tail)
        for k, name in enumerate(names)
    ]


def _posterior(model, posterior: dict, end: str, size: int) -> np.ndarray:
    """An end of the intervals of all parameters, NaN where the fit gives none."""
    held = [posterior.get(f"{parameter.name}_{end}") for parameter in model.parameters]
    return np.full(size, np.nan) if any(part is None for part in held) else np.concatenate([np.ravel(part) for part in held])
