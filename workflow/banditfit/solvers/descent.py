"""Newton's method for a local minimum of the nll in a box of theta."""

import numpy as np

from ..models.traces import _nll, _nll_hessian
from ..numerics import _compiled
from .relaxation import _newton_step

# Newton's steps at most; 5 to 15 are usual.
_ROUNDS = 100
# Shares of Fisher's information in the curvature: the first that makes it positive definite along the step serves.
_SHARES = (0.0, 0.1, 0.3, 1.0)


@_compiled
def descend(ep, theta, low, high):
    """Moves theta down to a local minimum of the nll in the box [low, high]. Returns the nll, evaluations, and what the last
    step still promised (nats)."""
    n_eval, left = 0, np.inf
    there = theta.copy()
    nll = np.inf
    for _ in range(_ROUNDS):
        nll, gradient, hessian, fisher = _nll_hessian(ep, theta)
        n_eval += 1
        moved = False
        left = 0.0
        for share in _SHARES:
            mixed = (1.0 - share) * hessian + share * fisher
            promised = _newton_step(theta, low, high, gradient, mixed, there)
            left = max(left, promised)
            if promised <= 1e-11:
                continue
            tau = 1.0
            for _ in range(12):
                trial = theta + tau * (there - theta)
                n_eval += 1
                if _nll(ep, trial) <= nll - 1e-4 * tau * promised:
                    moved = True
                    theta[:] = np.minimum(np.maximum(trial, low), high)
                    break
                tau *= 0.5
            if moved:
                break
        if not moved:
            break
    return _nll(ep, theta), n_eval, left
