"""How well a sampled model predicts each trial from all others: PSIS-LOO (Vehtari et al. 2017, Stat. Comput. 27, 1413)."""

import json

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fits import FitTable
from ..models import likelihood
from ..models.families import get_model
from ..numerics import log_policy
from ..parameters import Bounds
from ..solvers.chains import group, leave_one_out

SAME = 1e-9  # how much the log-likelihood of a trial differs between draws that agree, nats
COLUMNS = ("dataset", "episode", "id", "model", "elpd_loo", "se", "p_loo", "pareto_k", "n_trials")


@checked
def loo(data: Dataset, fits: FitTable) -> pd.DataFrame:
    """One row per fit of `mc`: elpd_loo, the expected log predictive density (nats) of the scored trials, each left out in
    turn, by ArviZ; se, its standard error; p_loo, the effective number of parameters; pareto_k, the largest of the trials'
    diagnostics (above 0.7 the estimate is not to be trusted, of which ArviZ warns); n_trials.

    The draws are made again from the fits' seeds. `bf.select_models` takes elpd_loo as log evidence. Raises InputError for fits
    of another method.
    """
    strange = sorted(set(fits["method"]) - {"mc"})
    if strange:
        raise InputError(f"loo: found fits of method '{strange[0]}', expected those of 'mc' alone")
    return pd.DataFrame([_row(data, fit) for fit in fits.to_dict("records")], columns=list(COLUMNS))


def _row(data: Dataset, fit: dict) -> tuple:
    logs, drawn = pointwise(data, fit)
    head, n = (fit["dataset"], fit["episode"], fit["id"], fit["model"]), logs.shape[2]
    each = logs.mean(axis=(0, 1))
    # A trial on which all draws agree, such as the first of a session, is as well predicted without it.
    moves = np.ptp(logs, axis=(0, 1)) > SAME
    p_loo, pareto_k = 0.0, np.nan
    if moves.any():
        each[moves], p_loo, of_trials = leave_one_out(drawn, logs[:, :, moves])
        pareto_k = float(of_trials.max())
    return (*head, float(each.sum()), float(np.sqrt(n * each.var())), p_loo, pareto_k, n)


def pointwise(data: Dataset, fit: dict) -> tuple[np.ndarray, np.ndarray]:
    """The log-likelihood of every scored trial under every draw (chains, draws, trials), and the draws (chains, draws,
    parameters)."""
    from ..methods import mc

    model = get_model(fit["model"])
    one = likelihood.problem(data.select([fit["episode"]]), 0, model, Bounds.read(fit["bounds"]))
    one = one.in_units(one.own_unit())  # as the fit was made
    settings = mc.METHOD.read_settings("mc", json.loads(fit["settings"]))
    drawn = mc.sound_sample(one, settings, np.random.default_rng(fit["seed"]))[0][-1]
    posterior = group(drawn, "posterior")
    parts = [posterior[name].values for name in one.named(one.lower)]
    theta = np.concatenate([part.reshape(*part.shape[:2], -1) for part in parts], axis=2)
    choices = one.in_data_order(one.choices)
    scored = np.flatnonzero(choices >= 0)
    logs = np.empty((*theta.shape[:2], len(scored)))
    for place in np.ndindex(*theta.shape[:2]):
        logs[place] = log_policy(one.values_of(theta[place])[scored])[np.arange(len(scored)), choices[scored]]
    return logs, theta
