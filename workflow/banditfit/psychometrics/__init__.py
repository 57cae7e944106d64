"""Psychometrics: how decisive people are, from sequential games.

>>> from banditfit import psychometrics as ps
>>> board = ps.board("tiny_cross")
>>> logs = ps.simulate(board, participants=200, games=50, seed=0)
>>> fit = ps.fit(logs, method="mdp_gem")
>>> fit.table, fit.mu, fit.sigma
"""

from .boards import BOARDS, Board, board
from .fits import Fit, check_settings, fit
from .identification import directions, spectrum
from .logs import Logs, logs
from .mdp import MDP, two_step
from .outputs import held_out, influence, influence_by_step, know, newton, oracle, recovery, validity
from .simulate import simulate

__all__ = [
    "BOARDS",
    "MDP",
    "Board",
    "Fit",
    "Logs",
    "board",
    "check_settings",
    "directions",
    "fit",
    "held_out",
    "influence",
    "influence_by_step",
    "know",
    "logs",
    "newton",
    "oracle",
    "recovery",
    "simulate",
    "spectrum",
    "two_step",
    "validity",
]
