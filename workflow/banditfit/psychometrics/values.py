"""Values of states and actions by dynamic programming: one backward sweep over the levels of a process, exact where no state
recurs, repeated until nothing changes where states do.

V(s) of the values Q(s, .) is a maximum (hard), tau log sum exp(Q / tau) (soft), or the mean under softmax(beta Q) (Boltzmann;
the value for a player who will go on choosing so).
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ..errors import InputError
from .mdp import MDP
from .segments import Segments

Value = Callable[[Segments, np.ndarray], np.ndarray]
TOLERANCE = 1e-12  # of the largest value, where states recur
MAX_SWEEPS = 100_000
MAX_ROUNDS = 100  # of the fixed point of the scale


def hard(actions: Segments, q: np.ndarray) -> np.ndarray:
    return actions.top(q)


def soft(tau: float) -> Value:
    return lambda actions, q: tau * actions.softmax(q / tau)[0]


def boltzmann(beta: float | np.ndarray) -> Value:
    """`beta` is one number, or one for each column of q."""
    return lambda actions, q: actions.total(actions.softmax(beta * q)[1] * q)


def solve(mdp: MDP, value: Value, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q = gain + gamma P V of pairs, and V of states, where `gain` (pairs,) or (pairs, columns) is the expected reward of each
    pair, and whatever is added to it. Raises InputError where states recur and gamma is 1."""
    if mdp.recurs and mdp.gamma >= 1.0:
        raise InputError(f"{mdp.name}: found gamma 1 although states recur, expected less than 1")
    q, v = np.array(gain), np.zeros((mdp.n_states, *gain.shape[1:]))
    for _ in range(MAX_SWEEPS if mdp.recurs else 1):
        before = v.copy()
        for level in mdp.levels:
            q[level.pairs] = gain[level.pairs] + mdp.gamma * (level.P @ v)
            v[level.states] = value(level.actions, q[level.pairs])
        if np.abs(v - before).max(initial=0.0) <= TOLERANCE * (1.0 + np.abs(v).max(initial=0.0)):
            break
    return q, v


def gain_gradient(mdp: MDP, policy: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The gradient in `gain` (pairs,) of a function of the soft Q, whose gradient in Q is `slope`: one forward sweep, where no
    state recurs. `policy` (pairs,) is softmax(Q / tau)."""
    gradient, of_state = np.empty_like(slope), np.zeros(mdp.n_states)
    for level in reversed(mdp.levels):
        gradient[level.pairs] = slope[level.pairs] + policy[level.pairs] * level.actions.spread(of_state[level.states])
        of_state += mdp.gamma * (level.P_T @ gradient[level.pairs])
    return gradient


def centred(mdp: MDP, q: np.ndarray) -> np.ndarray:
    """Values (pairs,) less their mean over the legal actions of each state."""
    return q - mdp.actions.spread(mdp.actions.mean(q))


def scale_of(mdp: MDP, q: np.ndarray) -> float:
    """c: the root mean square of centred values over pairs, weighted by `reference`."""
    return float(np.sqrt(reference(mdp) @ centred(mdp, q) ** 2))


@lru_cache(maxsize=64)
def reference(mdp: MDP) -> np.ndarray:
    """(pairs,) what each pair counts in the scale c of advantages; sums to 1.

    It is `mdp.weight` or how often a game of a player with beta = 1 visits its state, over its number of actions, so that the
    unit of beta belongs to the process and to no one's data; states without a choice count nothing. A player with beta = 1
    chooses by softmax(A / c) of the best values, with the c that follows from these very visits.

    Raises InputError if no state has a choice, or all actions are equally good."""
    choice = mdp.actions.spread(mdp.actions.size) > 1
    if not choice.any():
        raise InputError(f"{mdp.name}: found no state with at least two legal actions, expected some")
    if mdp.weight is not None:
        return _shares(mdp.weight, choice)
    a = centred(mdp, solve(mdp, hard, mdp.expected_reward)[0])
    c = float(np.sqrt(np.mean(a[choice] ** 2)))
    if not c > 0:
        raise InputError(f"{mdp.name}: found rewards that make all actions equally good, expected some that differ")
    for _ in range(MAX_ROUNDS):
        visited = mdp.actions.spread(mdp.actions.mean(mdp.visits(mdp.actions.softmax(a / c)[1])))
        weight, before = _shares(visited, choice), c
        c = float(np.sqrt(c * np.sqrt(weight @ a**2)))  # half-way, as better play meets larger differences
        if abs(c - before) <= 1e-9 * c:
            break
    return weight


def _shares(weight: np.ndarray, choice: np.ndarray) -> np.ndarray:
    weight = np.where(choice, weight, 0.0)
    return weight / weight.sum()


def reward_unit(mdp: MDP) -> float:
    """`scale_of` the best values: in units of it, a beta of 1 means the same for every process."""
    return scale_of(mdp, solve(mdp, hard, mdp.expected_reward)[0])
