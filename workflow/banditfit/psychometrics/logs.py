"""What players did: every step of every game of every participant."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import numpy as np
import pandas as pd
from scipy import sparse

from ..arguments import checked
from ..errors import InputError
from ..kinds import Table
from . import boards
from .mdp import MDP

GameTable = Annotated[
    pd.DataFrame, Table("a table of moves with columns participant, game and action", ("participant", "game", "action"))
]


@dataclass(frozen=True, eq=False)
class Logs:
    """Games of players, in order of participant, game and step.

    mdp          what was played
    ids          (participants,) as their owner calls them
    participant  (steps,) the place of each step's participant in `ids`
    game         (steps,) games counted over all participants
    transition   (steps,) the transition of `mdp` that each step was
    truth        of simulated players: log_beta (participants,); q and advantages (pairs,) if these are shared
    """

    mdp: MDP
    ids: np.ndarray
    participant: np.ndarray
    game: np.ndarray
    transition: np.ndarray
    truth: dict[str, np.ndarray] | None = None

    @cached_property
    def pair(self) -> np.ndarray:
        """(steps,)"""
        return self.mdp.source[self.transition]

    @property
    def n_participants(self) -> int:
        return len(self.ids)

    @cached_property
    def owner(self) -> np.ndarray:
        """(games,) the participant of each game."""
        owner = np.zeros(int(self.game.max()) + 1, dtype=np.int64)
        owner[self.game] = self.participant
        return owner

    @cached_property
    def counts(self) -> sparse.csr_array:
        """(participants, pairs) how often each participant took each pair."""
        shape = (self.n_participants, self.mdp.n_pairs)
        return sparse.coo_array((np.ones(len(self.pair)), (self.participant, self.pair)), shape=shape).tocsr()

    def steps(self) -> np.ndarray:
        """(steps,) the number of each step within its game, from 1."""
        first = np.flatnonzero(np.r_[True, np.diff(self.game) != 0])
        return np.arange(len(self.game)) - np.repeat(first, np.diff(np.r_[first, len(self.game)])) + 1

    def select(self, games: np.ndarray) -> "Logs":
        """Logs of those games where `games` (games,) is true; participants without a game are left out."""
        kept = games[self.game]
        members, participant = np.unique(self.participant[kept], return_inverse=True)
        truth = self.truth and self.truth | {"log_beta": self.truth["log_beta"][members]}
        game = np.unique(self.game[kept], return_inverse=True)[1]
        return replace(
            self, ids=self.ids[members], participant=participant, game=game, transition=self.transition[kept], truth=truth
        )

    def scores(self) -> pd.DataFrame:
        """One row per participant: games, mean reward of a game in the units of the process, and for a board the share of games
        that ended with one peg, `solved`."""
        total = np.bincount(self.game, self.mdp.reward[self.transition], len(self.owner))
        found = {"participant": self.ids, "games": np.bincount(self.owner, minlength=self.n_participants)}
        found["score"] = np.bincount(self.owner, total, self.n_participants) / found["games"]
        if isinstance(self.mdp, boards.Board):
            last = self.transition[np.r_[np.diff(self.game) != 0, True]]
            solved = self.mdp.pegs[self.mdp.target[last]] == 1
            found["solved"] = np.bincount(self.owner, solved, self.n_participants) / found["games"]
        return pd.DataFrame(found)

    def table(self) -> pd.DataFrame:
        """One row per step: participant, game, state, action, as `ps.logs` reads it."""
        begin = np.flatnonzero(np.r_[True, np.diff(self.owner) != 0])
        within = np.arange(len(self.owner)) - np.repeat(begin, np.diff(np.r_[begin, len(self.owner)]))
        return pd.DataFrame(
            {
                "participant": self.ids[self.participant],
                "game": within[self.game] + 1,
                "state": self.mdp.state[self.pair],
                "action": np.array(self.mdp.action)[self.pair],
            }
        )


@checked
def logs(task: MDP | str, table: GameTable) -> Logs:
    """Logs of a table of moves, one row per step in the order of play, with columns

    participant, game   anything that tells participants, and the games of one, apart
    action              the name of the action; on a board the jump, such as "3,2>3,4" (row, column of the peg and of its new
                        hole, counted from 1 in the drawing)
    state               (optional on a board with one start, and whenever only the first state is possible) the number of
                        the state before the step
    next_state          (where chance decides) the number of the state after the step

    `task` is a board or another MDP, or the drawing of a board with too many positions, whose logs hold the part that was
    visited. Raises InputError with the row, what was found and what is expected."""
    owner, game = pd.factorize(table["participant"]), pd.MultiIndex.from_frame(table[["participant", "game"]])
    if table[["participant", "game"]].isna().any().any():
        raise InputError("logs: found rows without participant or game, expected both in every row")
    game = pd.factorize(game)[0]
    order = np.lexsort((np.arange(len(table)), game, owner[0]))
    table, participant = table.iloc[order], owner[0][order]
    game = pd.factorize(game[order])[0]
    if isinstance(task, str):
        task = _visited(boards.read_layout(task), table["action"].tolist(), game, order)
    transition = _follow(task, table, game, order)
    return Logs(task, np.asarray(owner[1]), participant, game, transition)


def _where(row: int) -> str:
    return f"logs, row {row + 1}"


def _follow(mdp: MDP, table: pd.DataFrame, game: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The transition (steps,) of each row of a table that is sorted by game; `rows` are its rows' numbers as given."""
    pairs = {key: pair for pair, key in enumerate(zip(mdp.state.tolist(), mdp.action, strict=True))}
    first = np.searchsorted(mdp.source, np.arange(mdp.n_pairs + 1))
    actions = table["action"].astype(str).tolist()
    states = table["state"].tolist() if "state" in table else [None] * len(table)
    nexts = table["next_state"].tolist() if "next_state" in table else [None] * len(table)
    starts = {int(state) for state in mdp.start}
    found = np.empty(len(table), dtype=np.int64)
    possible: set[int] = set()
    for k, (action, state, after) in enumerate(zip(actions, states, nexts, strict=True)):
        begins = k == 0 or game[k] != game[k - 1]
        possible = starts if begins else possible
        here = next(iter(possible)) if state is None and len(possible) == 1 else state
        if here is None:
            raise InputError(f"{_where(rows[k])}: found no column 'state', expected one, as several states are possible there")
        if here not in possible:
            words = "a start" if begins else "where the step before leads"
            raise InputError(f"{_where(rows[k])}: found state {here}, expected {words}, one of {sorted(possible)[:10]}")
        pair = pairs.get((here, action))
        if pair is None:
            legal = [name for at, name in zip(mdp.state, mdp.action, strict=True) if at == here]
            raise InputError(
                f"{_where(rows[k])}: found action {action!r} in state {here}, expected one of {', '.join(legal) or 'none'}"
            )
        ways = range(first[pair], first[pair + 1])
        if after is None and k + 1 < len(table) and game[k + 1] == game[k]:
            after = states[k + 1]
        if after is not None:
            ways = [way for way in ways if mdp.target[way] == after]
        if len(ways) != 1:
            raise InputError(
                f"{_where(rows[k])}: found {'no' if after is None else 'an impossible'} next state, expected one of "
                f"{mdp.target[first[pair] : first[pair + 1]].tolist()} (column next_state)"
            )
        found[k] = ways[0]
        possible = {int(mdp.target[ways[0]])}
    return found


def _visited(layout: boards.Layout, actions: list[str], game: np.ndarray, rows: np.ndarray) -> boards.Board:
    """The part of a board that games visited, from its one start."""
    if len(layout.starts) != 1:
        raise InputError(f"board: found {len(layout.starts)} starts, expected one for a board of visited positions")
    jumps = {jump.name: jump for jump in layout.jumps}
    positions = np.empty(len(actions), dtype=np.uint64)
    after = layout.starts[0]
    for k, action in enumerate(actions):
        position = layout.starts[0] if k == 0 or game[k] != game[k - 1] else after
        jump = jumps.get(str(action))
        if jump is None or (position & (jump.moved | jump.to)) != jump.moved:
            raise InputError(f"{_where(rows[k])}: found action {action!r}, expected a legal jump such as '3,2>3,4'")
        positions[k], after = position, position ^ (jump.moved | jump.to)
    visited, visits = np.unique(positions, return_counts=True)
    return boards.visited_board(layout, visited, visits)
