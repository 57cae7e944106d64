"""What all players share: a value function Q, by its parameters x, with the penalties that tie it to the rewards.

The soft-Bellman residual of a pair is delta = Q - (r + gamma P V), V = tau log sum exp(Q / tau). Where no state recurs, x are
the residuals themselves: Q follows by one backward sweep and gradients by one forward sweep, the penalty is a sum of squares,
and x = 0 are the optimal values. This is the same minimum as over a table of Q, and far better conditioned. Otherwise Q is
linear in x: a table (with a frozen target, or where states recur), or weights of the features of pairs.

Advantages A are Q centred over the legal actions of a state and divided by one number c, the root mean square of centred values
over pairs weighted by `values.reference` (or by that of each state alone): betas times a number and values over it, or values
plus a number per state, are the same play.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsqr

from ..errors import InputError
from .mdp import MDP
from .values import centred, gain_gradient, reference, soft, solve

FLOOR = 1e-8  # of a mean square of values in units of reward: where all actions are equally good, A is 0


@dataclass(frozen=True)
class Scale:
    """Advantages A = (Q - mean of its state) / c, c^2 = FLOOR + the weighted mean square; `per_state` has a c per state."""

    mdp: MDP
    per_state: bool = False

    def c(self, centred_q: np.ndarray) -> np.ndarray:
        """(1,) or (pairs,)"""
        if self.per_state:
            return np.sqrt(self.mdp.actions.spread(self.mdp.actions.mean(centred_q**2)) + FLOOR)
        return np.sqrt(np.array([reference(self.mdp) @ centred_q**2]) + FLOOR)

    def advantages(self, q: np.ndarray) -> np.ndarray:
        a = centred(self.mdp, q)
        return a / self.c(a)

    def in_q(self, q: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """The gradient in Q (pairs,) of a function whose gradient in A is `slope`."""
        a = centred(self.mdp, q)
        c = self.c(a)
        if self.per_state:
            along = self.mdp.actions.spread(self.mdp.actions.mean(slope * a)) * a
        else:
            along = (slope @ a) * reference(self.mdp) * a
        return centred(self.mdp, slope / c - along / c**3)


@dataclass(frozen=True)
class Point:
    """Values at one x: Q and delta (pairs,; 0 where it is not known where a pair leads), softmax(Q / tau), and the learnt
    reward of each transition, or None."""

    q: np.ndarray
    delta: np.ndarray
    policy: np.ndarray
    w: np.ndarray | None


@dataclass(frozen=True)
class Shared:
    """A family of value functions of parameters x = (those of Q, those of the reward if it is learnt).

    tau     temperature of soft values
    phi     (pairs, parameters) if Q is linear in x, or None if x are residuals
    learnt  whether rewards are tanh of a parameter per transition, instead of those of the process
    frozen  whether V of the Bellman target counts as given in gradients, and stays that of `target`
    """

    mdp: MDP
    tau: float
    phi: np.ndarray | sparse.csr_array | None = None
    learnt: bool = False
    frozen: bool = False
    target: np.ndarray | None = field(default=None)

    @property
    def n_values(self) -> int:
        return self.mdp.n_pairs if self.phi is None else self.phi.shape[1]

    def start(self) -> np.ndarray:
        """x of the optimal values, or of the nearest to these that a few rounds of fitted values come to."""
        rewards = np.arctanh(np.clip(self.mdp.reward, -0.9, 0.9)) if self.learnt else np.zeros(0)
        if self.phi is None:
            return np.r_[np.zeros(self.n_values), rewards]
        reward, known = self.mdp.expect(np.tanh(rewards)) if self.learnt else self.mdp.expected_reward, self.mdp.known
        if self.phi.shape == (self.mdp.n_pairs,) * 2:
            return np.r_[solve(self.mdp, soft(self.tau), reward)[0], rewards]
        x, phi = np.zeros(self.n_values), self.phi[known]
        for _ in range(30):
            target = reward + self.mdp.gamma * (self.mdp.P @ self.soft_values(self.phi @ x)[0])
            x = lsqr(phi, target[known], damp=1e-3)[0]
        return np.r_[x, rewards]

    def soft_values(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """V (states,) and softmax(Q / tau) (pairs,)."""
        top, policy = self.mdp.actions.softmax(q / self.tau)
        v = np.zeros(self.mdp.n_states)
        v[self.mdp.state[self.mdp.actions.first]] = self.tau * top
        return v, policy

    def at(self, x: np.ndarray) -> Point:
        values, w = x[: self.n_values], np.tanh(x[self.n_values :]) if self.learnt else None
        reward = self.mdp.expect(w) if self.learnt else self.mdp.expected_reward
        if self.phi is None:
            q, _ = solve(self.mdp, soft(self.tau), reward + values)
            return Point(q, values, self.soft_values(q)[1], w)
        q = self.phi @ values
        v, policy = self.soft_values(q)
        delta = q - reward - self.mdp.gamma * (self.mdp.P @ (v if self.target is None else self.target))
        return Point(q, np.where(self.mdp.known, delta, 0.0), policy, w)

    def in_x(self, point: Point, of_q: np.ndarray, of_delta: np.ndarray, of_w: np.ndarray | None) -> np.ndarray:
        """The gradient in x of a function whose gradients in Q, delta and the learnt rewards are these."""
        mdp = self.mdp
        if self.phi is None:
            of_gain = gain_gradient(mdp, point.policy, of_q)
            values, of_reward = of_gain + of_delta, of_gain
        else:
            of_delta = np.where(mdp.known, of_delta, 0.0)
            of_q, of_reward = of_q + of_delta, -of_delta
            if not self.frozen:
                of_q = of_q - point.policy * (mdp.gamma * (mdp.P.T @ of_delta))[mdp.state]
            values = self.phi.T @ of_q
        if not self.learnt:
            return values
        slope = mdp.chance * of_reward[mdp.source] + of_w
        return np.r_[values, slope * (1.0 - point.w**2)]


def family(mdp: MDP, tau: float, values: str, target: str, learnt: bool) -> Shared:
    """The value functions that settings ask for; raises InputError where a process has no features."""
    if values == "features":
        if mdp.features is None:
            raise InputError(f"settings, values: found 'features' for {mdp.name}, which has none, expected 'tabular'")
        spread = mdp.features.std(axis=0)
        phi = mdp.features / np.where(spread > 0, spread, 1.0)  # one penalty fits all features
        return Shared(mdp, tau, phi, learnt, target == "frozen")
    if not mdp.known.all():
        raise InputError(
            f"settings, values: found 'tabular' for {mdp.name}, only a part of which is known, expected 'features'"
        )
    if target == "frozen" or mdp.recurs:
        return Shared(mdp, tau, sparse.eye_array(mdp.n_pairs, format="csr"), learnt, target == "frozen")
    return Shared(mdp, tau, None, learnt)
