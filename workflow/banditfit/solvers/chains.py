"""What ArviZ says of the chains of a sampler: the one module that calls it, as both of its generations understand."""

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def _named(draws: np.ndarray) -> "xr.Dataset":
    import xarray as xr

    return xr.Dataset({"theta": (("chain", "draw", "parameter"), draws)})


def r_hat(draws: np.ndarray) -> np.ndarray:
    """The rank-normalised R-hat of each parameter (parameters,), of draws (chains, draws, parameters)."""
    import arviz as az

    return az.rhat(_named(draws))["theta"].values


def leave_one_out(draws: np.ndarray, log_likelihood: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """PSIS-LOO from draws (chains, draws, parameters) and the log-likelihood of every trial under each (chains, draws, trials):
    each trial's expected log predictive density (trials,), the effective number of parameters, and Pareto's k (trials,)."""
    import arviz as az

    whole = az.from_dict(posterior={"theta": draws}, log_likelihood={"choice": log_likelihood})
    found = az.loo(whole, pointwise=True)
    return found.loo_i.values, float(found.p_loo), found.pareto_k.values


def effective_draws(draws: np.ndarray, where: Literal["bulk", "tail"]) -> np.ndarray:
    """The effective sample size of each parameter (parameters,), likewise."""
    import arviz as az

    return az.ess(_named(draws), method=where)["theta"].values


def pareto_smoothed(log_ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of importance ratios (rows, draws), the largest of each row smoothed (Vehtari et al. 2024, JMLR 25(72)), and
    Pareto's k of each row (rows,)."""
    import arviz as az

    smoothed, k = az.psislw(log_ratios, normalize=False)
    return np.asarray(smoothed), np.asarray(k)
