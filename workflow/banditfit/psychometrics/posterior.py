"""What is said of each participant: mean, sd and 95 % interval of z = log beta, from a density on nodes.

Statuses are those of all fits (`outcome.STATUSES`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

TAIL = 0.025


@dataclass(frozen=True)
class Placed:
    """log_beta, se, lower and upper (participants,); whether the choices say anything of it (otherwise these are NaN); and
    whether the likelihood of somebody's choices has no finite optimum, and no prior gives it one."""

    log_beta: np.ndarray
    se: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    identified: np.ndarray
    separable: np.ndarray | None = None

    def table(self, ids: np.ndarray, status: str) -> pd.DataFrame:
        """One row per participant; `status` is that of the fit of what they share."""
        told = {name: np.where(self.identified, getattr(self, name), np.nan) for name in ("log_beta", "se", "lower", "upper")}
        statuses = np.full(len(ids), status, dtype=object)
        if self.separable is not None:
            statuses[self.separable] = "separable"
        silent = np.where(self.identified, "", "log_beta")
        return pd.DataFrame({"participant": ids, **told, "status": statuses, "not_identified": silent})


def summarise(nodes: np.ndarray, log_density: np.ndarray, identified: np.ndarray) -> Placed:
    """The moments and 95 % limits of densities (participants, nodes) on evenly spaced nodes, (nodes,) or one row each; a
    density is taken as linear between nodes for its quantiles."""
    nodes = np.broadcast_to(nodes, log_density.shape)
    p = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    mean = (p * nodes).sum(axis=1)
    se = np.sqrt((p * (nodes - mean[:, None]) ** 2).sum(axis=1))
    below = np.cumsum(p, axis=1) - 0.5 * p
    limits = [np.array([np.interp(tail, b, x) for b, x in zip(below, nodes, strict=True)]) for tail in (TAIL, 1.0 - TAIL)]
    return Placed(mean, se, *limits, identified)
