"""What is said of each participant: mean, sd and 95 % interval of z = log beta, from a density on nodes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

TAIL = 0.025


@dataclass(frozen=True)
class Placed:
    """log_beta, se, lower and upper (participants,), and whether the choices say anything of it (otherwise these are NaN)."""

    log_beta: np.ndarray
    se: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    identified: np.ndarray

    def table(self, ids: np.ndarray) -> pd.DataFrame:
        told = {name: np.where(self.identified, getattr(self, name), np.nan) for name in ("log_beta", "se", "lower", "upper")}
        status = np.where(self.identified, "ok", "not identified")
        return pd.DataFrame({"participant": ids, **told, "status": status})


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
