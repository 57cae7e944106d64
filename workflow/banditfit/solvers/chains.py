"""Draws of a sampler, and what ArviZ says of them: the one module that calls it, and that knows its two generations.

Before 1.0 it holds draws in an InferenceData; from 1.0 on, which needs Python 3.12, in xarray's DataTree.
"""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

Draws = Any  # an arviz.InferenceData or an xarray.DataTree: groups of variables by name, such as `draws["posterior"]`


def _later() -> bool:
    """Whether this is ArviZ 1.0 or later."""
    import arviz as az

    return int(az.__version__.split(".")[0]) >= 1


def group(draws: Draws, name: str) -> "xr.Dataset":
    """One group of draws."""
    found = draws[name]
    return found.to_dataset() if hasattr(found, "to_dataset") else found


def r_hat(draws: np.ndarray) -> np.ndarray:
    """The rank-normalised R-hat of each parameter (parameters,), of draws (chains, draws, parameters)."""
    import arviz as az

    return az.rhat(_named(draws))["theta"].values


def effective_draws(draws: np.ndarray, where: Literal["bulk", "tail"]) -> np.ndarray:
    """The effective sample size of each parameter (parameters,), likewise."""
    import arviz as az

    tails = {"prob": (0.05, 0.95)} if where == "tail" else {}  # of which the two generations have different defaults
    return az.ess(_named(draws), method=where, **tails)["theta"].values


def _named(draws: np.ndarray) -> "xr.Dataset":
    import xarray as xr

    return xr.Dataset({"theta": (("chain", "draw", "parameter"), draws)})


def leave_one_out(draws: np.ndarray, log_likelihood: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """PSIS-LOO from draws (chains, draws, parameters) and the log-likelihood of every trial under each (chains, draws, trials):
    each trial's expected log predictive density (trials,), the effective number of parameters, and Pareto's k (trials,)."""
    import arviz as az

    groups = {"posterior": {"theta": draws}, "log_likelihood": {"choice": log_likelihood}}
    if _later():
        found = az.loo(az.from_dict(groups), pointwise=True)
        return found.elpd_i.values, float(found.p), found.pareto_k.values
    found = az.loo(az.from_dict(**groups), pointwise=True)
    return found.loo_i.values, float(found.p_loo), found.pareto_k.values


def pareto_smoothed(log_ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of importance ratios (rows, draws), the largest of each row smoothed (Vehtari et al. 2024, JMLR 25(72)), and
    Pareto's k of each row (rows,)."""
    import arviz as az
    import xarray as xr

    if not _later():
        smoothed, k = az.psislw(log_ratios, normalize=False)
        return np.asarray(smoothed), np.asarray(k)
    smoothed, k = log_ratios.copy(), np.full(len(log_ratios), np.inf)
    moves = np.ptp(log_ratios, axis=1) > 0.0  # it refuses ratios that are all the same
    ratios = log_ratios[moves]
    weights, k[moves] = xr.DataArray(-ratios, dims=("row", "draw")).azstats.psislw(dim="draw")
    # It takes log-likelihoods and gives weights of sum one; the smallest ratio, never smoothed, tells by what it divided.
    least = ratios.argmin(axis=1)[:, None]
    divided = np.take_along_axis(ratios, least, axis=1) - np.take_along_axis(weights.values, least, axis=1)
    smoothed[moves] = weights.values + divided
    return smoothed, k
