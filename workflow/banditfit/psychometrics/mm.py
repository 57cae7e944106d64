"""`mdp_mm`: the Markov decision process measurement model (LaMar 2018, Psychometrika 83, 67-88).

A participant chooses by softmax(beta_j Q_j), where Q_j = r + gamma P V_j and V_j is the mean of Q_j under that very policy:
values are those of a player who knows how they will go on. Rewards are known, in units of `values.reward_unit`; log beta_j ~
N(mu, sigma^2). The marginal likelihood is a sum over a fixed grid of log beta, and mu and sigma are its maximum by EM, which
never falls.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import logsumexp

from ..arguments import checked
from ..errors import InputError
from ..kinds import Count
from .logs import Logs
from .mdp import MDP
from .players import Choices
from .posterior import Placed, summarise
from .values import boltzmann, reward_unit, solve

EDGE = 6.0  # log beta beyond which play is random, or perfect
SOLVED, NODES = 121, 601  # values of log beta at which values are computed, and to which likelihoods are interpolated
TOGETHER = 16  # of the former at a time
STILL = 1e-9  # a rise of the marginal log-likelihood per participant that counts as none
LEAST_SIGMA = 0.02  # the distance of nodes: below, a sum over these is no integral


@checked(by_name=True)
@dataclass(frozen=True)
class MmSettings:
    """Settings of `mdp_mm`: `rounds` of EM after which a fit ends unconverged."""

    rounds: Count = 1000


@dataclass(frozen=True)
class MeasurementModel:
    """A process and a population of its players."""

    mdp: MDP
    mu: float
    sigma: float

    def q(self, beta: np.ndarray) -> np.ndarray:
        """The values (pairs, players) of players with these betas, in units of `reward_unit`."""
        gain = np.repeat((self.mdp.expected_reward / reward_unit(self.mdp))[:, None], len(beta), axis=1)
        return solve(self.mdp, boltzmann(beta), gain)[0]

    def log_policy(self, beta: np.ndarray) -> np.ndarray:
        """(pairs, players)"""
        x = beta * self.q(beta)
        return x - self.mdp.actions.spread(self.mdp.actions.softmax(x)[0])

    def place(self, logs: Logs) -> Placed:
        """The posteriors of participants, given mu and sigma."""
        nodes, L = likelihoods(logs)
        return summarise(nodes, L - 0.5 * ((nodes - self.mu) / self.sigma) ** 2, _identified(logs))

    def log_likelihood(self, logs: Logs, z: np.ndarray) -> np.ndarray:
        """(participants,) nats of their choices at log beta z."""
        found = np.empty(len(z))
        for begin in range(0, len(z), TOGETHER):
            some = slice(begin, begin + TOGETHER)
            found[some] = logs.counts[some].multiply(self.log_policy(np.exp(z[some])).T).sum(axis=1)
        return found


def _identified(logs: Logs) -> np.ndarray:
    return Choices.of(logs).total > 0


def likelihoods(logs: Logs) -> tuple[np.ndarray, np.ndarray]:
    """Nodes of log beta (nodes,), and the log-likelihood of each participant there (participants, nodes)."""
    if not logs.mdp.known.all():
        raise InputError(f"mdp_mm: found {logs.mdp.name}, of which only a part is known, expected a whole process")
    model, solved = MeasurementModel(logs.mdp, 0.0, 1.0), np.linspace(-EDGE, EDGE, SOLVED)
    parts = [logs.counts @ model.log_policy(np.exp(solved[begin : begin + TOGETHER])) for begin in range(0, SOLVED, TOGETHER)]
    nodes = np.linspace(-EDGE, EDGE, NODES)
    return nodes, CubicSpline(solved, np.hstack(parts), axis=1)(nodes)


def fit(logs: Logs, settings: MmSettings) -> tuple[MeasurementModel, list[float], bool]:
    """The population that maximises the marginal likelihood, that likelihood (nats) after each round, and whether it
    converged."""
    nodes, L = likelihoods(logs)
    mu, sigma, trace = 0.0, 1.0, []
    for _ in range(settings.rounds):
        log_prior = -0.5 * ((nodes - mu) / sigma) ** 2
        log_joint = L + log_prior - logsumexp(log_prior)
        evidence = logsumexp(log_joint, axis=1)
        trace.append(float(evidence.sum()))
        p = np.exp(log_joint - evidence[:, None])
        mu = float((p @ nodes).mean())
        sigma = max(float(np.sqrt((p @ (nodes - mu) ** 2).mean())), LEAST_SIGMA)
        if len(trace) > 1 and trace[-1] - trace[-2] <= STILL * len(L):
            return MeasurementModel(logs.mdp, mu, sigma), trace, True
    return MeasurementModel(logs.mdp, mu, sigma), trace, False
