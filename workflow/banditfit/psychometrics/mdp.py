"""Finite Markov decision processes as arrays: legal actions, transitions and rewards; the two-step task as an example.

A *pair* is a state with one of its legal actions. Pairs are sorted by state, transitions by pair. A state without legal actions
ends the game.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ..arguments import checked
from ..errors import InputError
from ..kinds import Count, Limits, Probability
from .segments import Segments


@dataclass(frozen=True)
class Level:
    """States that are equally many steps from the end of the longest game, with their pairs and the runs of those."""

    states: np.ndarray
    pairs: slice | np.ndarray
    actions: Segments
    P: sparse.csr_array  # (pairs of the level, states)
    P_T: sparse.csr_array


@checked
@dataclass(frozen=True, eq=False)
class MDP:
    """A finite Markov decision process.

    state      (pairs,) the state, 0 to n_states - 1, of each pair of a state with a legal action; never falls
    action     (pairs,) the name of the action, once per state
    source     (transitions,) the pair of each transition; never falls. A pair without transitions leads where nothing is known.
    target     (transitions,) the state that it leads to
    chance     (transitions,) its probability; those of a pair sum to 1
    reward     (transitions,) in units of the choice of whoever makes the process
    start      (starts,) states in which a game begins, each equally often
    gamma      the discount per step
    max_steps  after which a game ends, where states can recur
    features   (pairs, features) for values that are linear in these; or None
    weight     (pairs,) how much each pair counts in the scale of advantages (see `values.reference`); or None

    Raises InputError for arrays that do not fit together.
    """

    name: str
    n_states: Count
    state: np.ndarray
    action: tuple[str, ...]
    source: np.ndarray
    target: np.ndarray
    chance: np.ndarray
    reward: np.ndarray
    start: np.ndarray
    gamma: Probability = 0.99
    max_steps: Count = 1000
    features: np.ndarray | None = None
    weight: np.ndarray | None = None

    def __post_init__(self):
        n_pairs, n_transitions = len(self.state), len(self.source)
        lengths = (
            ("action", self.action, n_pairs),
            *((name, getattr(self, name), n_transitions) for name in ("target", "chance", "reward")),
            *((name, getattr(self, name), n_pairs) for name in ("features", "weight") if getattr(self, name) is not None),
        )
        for name, values, expected in lengths:
            if len(values) != expected:
                raise InputError(f"MDP, argument {name}: found {len(values)} entries, expected {expected}")
        for name, limit in (("state", self.n_states), ("source", n_pairs), ("target", self.n_states), ("start", self.n_states)):
            values = getattr(self, name)
            if not len(values):
                raise InputError(f"MDP, argument {name}: found no entries, expected at least one")
            wrong = np.flatnonzero((values < 0) | (values >= limit) | (values != np.floor(values)))
            if len(wrong):
                raise InputError(
                    f"MDP, argument {name}[{wrong[0]}]: found {values[wrong[0]]}, expected a whole number from 0 to {limit - 1}"
                )
            object.__setattr__(self, name, values.astype(np.int64))
        for name in ("state", "source"):
            falls = np.flatnonzero(np.diff(getattr(self, name)) < 0)
            if len(falls):
                raise InputError(
                    f"MDP, argument {name}[{falls[0] + 1}]: found a smaller number than before, expected sorted ones"
                )
        for name in ("chance", "reward"):
            wrong = np.flatnonzero(~np.isfinite(getattr(self, name)))
            if len(wrong):
                raise InputError(f"MDP, argument {name}[{wrong[0]}]: found {getattr(self, name)[wrong[0]]}, expected a number")
        negative, total = np.flatnonzero(self.chance < 0), np.bincount(self.source, self.chance, n_pairs)
        if len(negative):
            raise InputError(
                f"MDP, argument chance[{negative[0]}]: found {self.chance[negative[0]]:g}, expected a probability from 0 to 1"
            )
        wrong = np.flatnonzero(self.known & (np.abs(total - 1.0) > 1e-9))
        if len(wrong):
            raise InputError(f"MDP, argument chance: those of pair {wrong[0]} sum to {total[wrong[0]]:g}, expected a sum of 1")
        if len(set(zip(self.state.tolist(), self.action, strict=True))) < n_pairs:
            raise InputError("MDP, argument action: found the same action twice in a state, expected each once")

    @property
    def n_pairs(self) -> int:
        return len(self.state)

    @cached_property
    def known(self) -> np.ndarray:
        """(pairs,) whether it is known where a pair leads."""
        return np.bincount(self.source, minlength=len(self.state)) > 0

    @cached_property
    def actions(self) -> Segments:
        """The runs of pairs of one state."""
        return Segments.of(self.state)

    @cached_property
    def run(self) -> np.ndarray:
        """(states,) the run of each state's pairs; -1 without any."""
        run = np.full(self.n_states, -1)
        run[self.state[self.actions.first]] = np.arange(len(self.actions.first))
        return run

    @cached_property
    def P(self) -> sparse.csr_array:
        """(pairs, states) transition probabilities."""
        return sparse.csr_array((self.chance, (self.source, self.target)), shape=(self.n_pairs, self.n_states))

    @cached_property
    def expected_reward(self) -> np.ndarray:
        """(pairs,)"""
        return self.expect(self.reward)

    def expect(self, x: np.ndarray) -> np.ndarray:
        """(pairs,) the expectation of what transitions (transitions,) bring."""
        return np.bincount(self.source, self.chance * x, self.n_pairs)

    @cached_property
    def recurs(self) -> bool:
        """Whether a game can come back to a state."""
        edges = sparse.csr_array(
            (np.ones(len(self.source)), (self.state[self.source], self.target)), shape=(self.n_states,) * 2
        )
        n_parts = connected_components(edges, connection="strong", return_labels=False)
        return n_parts < self.n_states or bool((self.state[self.source] == self.target).any())

    @cached_property
    def levels(self) -> list[Level]:
        """The states with actions, from those next to the end to the first; all in one where states recur."""
        depth = np.zeros(self.n_states, dtype=np.int64)
        at = self.state[self.actions.first]
        if self.recurs:
            depth[at] = 1
        else:
            depth[at] = 1
            of_pair = np.zeros(self.n_pairs, dtype=np.int64)
            while True:
                before = depth[at]
                np.maximum.at(of_pair, self.source, depth[self.target])
                depth[at] = 1 + self.actions.top(of_pair)
                if (depth[at] == before).all():
                    break
        found = []
        for level in range(1, int(depth.max()) + 1):
            pairs = np.flatnonzero(depth[self.state] == level)
            actions, P = Segments.of(self.state[pairs]), self.P[pairs]
            whole = pairs[-1] - pairs[0] + 1 == len(pairs)
            where = slice(int(pairs[0]), int(pairs[-1]) + 1) if whole else pairs
            found.append(Level(self.state[pairs[actions.first]], where, actions, P, P.T.tocsr()))
        return found

    @cached_property
    def longest(self) -> int:
        """The number of steps after which every game has ended."""
        return self.max_steps if self.recurs else len(self.levels)

    def visits(self, policy: np.ndarray) -> np.ndarray:
        """(pairs,) how often a game takes each pair if choices follow `policy` (pairs,)."""
        at, taken = np.bincount(self.start, minlength=self.n_states) / len(self.start), np.zeros(self.n_pairs)
        if self.recurs:
            for _ in range(self.max_steps):
                now = at[self.state] * policy
                taken, at = taken + now, self.P.T @ now
            return taken
        for level in reversed(self.levels):
            taken[level.pairs] = at[self.state[level.pairs]] * policy[level.pairs]
            at += level.P_T @ taken[level.pairs]
        return taken


@checked
def two_step(
    common: Probability = 0.7,
    rewarded: tuple[Probability, Probability, Probability, Probability] = (0.8, 0.4, 0.3, 0.1),
    gamma: Annotated[float, Limits(0, 1)] = 1.0,
) -> MDP:
    """The two-step task of Daw et al. (2011) with fixed chances of reward, as an MDP.

    From state 0, `left` leads to state 1 with probability `common` and otherwise to state 2, `right` the other way round. There
    `left` and `right` are rewarded (1, otherwise 0) with probabilities `rewarded`: state 1 left, right, state 2 left, right.
    State 3 is the end with a reward, state 4 without."""
    chance = [common, 1 - common, 1 - common, common, *(part for p in rewarded for part in (p, 1 - p))]
    return MDP(
        name="two_step",
        n_states=5,
        state=np.repeat([0, 1, 2], 2),
        action=("left", "right") * 3,
        source=np.repeat(np.arange(6), 2),
        target=np.array([1, 2, 1, 2, *[3, 4] * 4]),
        chance=np.array(chance),
        reward=np.array([0.0] * 4 + [1.0, 0.0] * 4),
        start=np.array([0]),
        gamma=gamma,
    )
