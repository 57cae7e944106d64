"""Peg solitaire on any board given as text, as a Markov decision process of all positions that can be reached.

A jump goes straight over an adjacent peg into an empty hole and takes that peg away; the game ends when no jump is left. A jump
costs 1 point; the end brings 100 points with one peg left, and costs 5 for each peg beyond the first. Rewards are in units of
ten points: on the scale of points the play of everybody with beta near 1 would be perfect.

A position is a whole number whose bit k tells whether there is a peg in hole k.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..arguments import checked
from ..errors import InputError
from .mdp import MDP

POINTS = 10.0  # per unit of reward
STEP, SOLVED, LEFT = -1.0, 100.0, -5.0  # points
MAX_STATES = 300_000

# `#` peg, `.` empty hole, `x` no hole; Xu & Ji, arXiv 2605.09305.
BOARDS = {
    "tiny_cross": "......\n..#...\n.####.\n..#...\n......",
    "big_cross": "xx...xx\nxx.#.xx\n...#...\n.#####.\n...#...\nxx.#.xx\nxx...xx",
    "big_l": "###x\n####\n#.##\n####",
    "diamond": "xx...xx\nxx.#.xx\n..###..\n.##.##.\n..###..\nxx.#.xx\nxx...xx",
    # Full but for one cell of an edge that is no corner.
    "four_by_four": "\n\n".join(
        "\n".join("".join("." if (i, j) == hole else "#" for j in range(4)) for i in range(4))
        for hole in [(0, 1), (0, 2), (1, 0), (1, 3), (2, 0), (2, 3), (3, 1), (3, 2)]
    ),
}


@dataclass(frozen=True)
class Jump:
    """A jump in bits: `moved` are the peg and the one it jumps over, `to` its new hole."""

    name: str
    moved: np.uint64
    to: np.uint64


@dataclass(frozen=True)
class Layout:
    """A board's holes as (row, column), its jumps, and the positions in which games begin."""

    name: str
    holes: list[tuple[int, int]]
    jumps: list[Jump]
    starts: np.ndarray

    def code(self, grid: list[str]) -> np.uint64:
        """The position of a board that is drawn."""
        return np.uint64(sum(1 << k for k, (i, j) in enumerate(self.holes) if grid[i][j] == "#"))


@dataclass(frozen=True, eq=False)
class Board(MDP):
    """A board with its positions (states,), sorted from many pegs to few."""

    layout: Layout | None = None
    positions: np.ndarray | None = None

    @property
    def pegs(self) -> np.ndarray:
        """(states,)"""
        return np.bitwise_count(self.positions)


@checked
def board(text: str) -> Board:
    """A board of peg solitaire, with `.n_states` positions and `.n_pairs` pairs of a position with a legal jump.

    `text` is one of tiny_cross, big_cross, big_l, diamond, four_by_four, or a drawing: one line per row of `#` (peg), `.`
    (empty hole) and `x` (no hole), all equally long. Drawings of several starts of the same board are set apart by an empty
    line.

    Raises InputError for anything else, and for a board with more than MAX_STATES positions: `ps.logs` takes the drawing of
    such a board, and its logs are fitted with `values="features"`."""
    layout = read_layout(text)
    positions = _reachable(layout)
    return _board(layout, positions)


def read_layout(text: str) -> Layout:
    """The layout that a name stands for or a text draws; raises InputError."""
    drawing = BOARDS.get(text.strip(), text)
    if drawing is text and not set(text) & set("\n#."):
        raise InputError(f"board {text!r}: found no such name, expected one of {', '.join(BOARDS)}, or a drawing in # . x")
    grids = [part.split("\n") for part in "\n".join(line.rstrip() for line in drawing.strip("\n").split("\n")).split("\n\n")]
    width = len(grids[0][0])
    for number, grid in enumerate(grids):
        for i, line in enumerate(grid):
            strange = next((j for j, cell in enumerate(line) if cell not in "#.x"), None)
            if strange is not None:
                raise InputError(f"board, row {i + 1}, column {strange + 1}: found {line[strange]!r}, expected one of # . x")
            if len(line) != width:
                raise InputError(f"board, row {i + 1}: found {len(line)} cells, expected {width} as in row 1")
        if _holes(grid) != _holes(grids[0]):
            raise InputError(f"board, start {number + 1}: found other holes than in start 1, expected the same board")
    holes = _holes(grids[0])
    if len(holes) > 64:
        raise InputError(f"board: found {len(holes)} holes, expected at most 64")
    layout = Layout(text.strip() if drawing is not text else "board", holes, _jumps(holes), np.zeros(0, dtype=np.uint64))
    layout = replace(layout, starts=np.array([layout.code(grid) for grid in grids], dtype=np.uint64))
    for number, start in enumerate(layout.starts):
        if not any(_can(jump, start) for jump in layout.jumps):
            raise InputError(
                f"board, start {number + 1}: found no legal jump, expected a peg next to another with an empty hole behind"
            )
    return layout


def _holes(grid: list[str]) -> list[tuple[int, int]]:
    return [(i, j) for i, line in enumerate(grid) for j, cell in enumerate(line) if cell != "x"]


def _jumps(holes: list[tuple[int, int]]) -> list[Jump]:
    """All jumps of a board; one is named by its holes, such as "3,2>3,4" (row, column, counted from 1)."""
    place = {hole: k for k, hole in enumerate(holes)}
    found = []
    for i, j in holes:
        for di, dj in ((-1, 0), (0, -1), (0, 1), (1, 0)):
            over, to = (i + di, j + dj), (i + 2 * di, j + 2 * dj)
            if over in place and to in place:
                bits = (1 << place[i, j]) | (1 << place[over])
                found.append(Jump(f"{i + 1},{j + 1}>{to[0] + 1},{to[1] + 1}", np.uint64(bits), np.uint64(1 << place[to])))
    return found


def _can(jump: Jump, positions: np.ndarray) -> np.ndarray:
    return (positions & (jump.moved | jump.to)) == jump.moved


def successors(layout: Layout, positions: np.ndarray) -> np.ndarray:
    """Every position one jump away from one of `positions`, once and sorted."""
    after = [(positions ^ (jump.moved | jump.to))[_can(jump, positions)] for jump in layout.jumps]
    return np.unique(np.concatenate(after))


def _reachable(layout: Layout) -> np.ndarray:
    """All positions that can be reached, from many pegs to few; pegs fall by one with each jump."""
    pegs = np.bitwise_count(layout.starts)
    now, found, total = np.zeros(0, dtype=np.uint64), [], 0
    for n in range(int(pegs.max()), 0, -1):
        now = np.union1d(now, layout.starts[pegs == n])
        found.append(now)
        total += len(now)
        if total > MAX_STATES:
            raise InputError(
                f"board: found more than {MAX_STATES} positions, expected fewer; logs of such a board are read by"
                ' ps.logs(drawing, table) and fitted with values="features"'
            )
        now = successors(layout, now)
    return np.concatenate(found)


def visited_board(layout: Layout, visited: np.ndarray, visits: np.ndarray) -> Board:
    """The part of a board that players saw: the positions `visited`, once each, and those one jump away. Where the jumps of
    the latter lead, nothing is known, but features tell their values. Positions count as often as they were visited,
    `visits`."""
    positions = np.union1d(visited, successors(layout, visited))
    positions = positions[np.argsort(-np.bitwise_count(positions).astype(int), kind="stable")]
    whole = _board(layout, positions)
    of_state = np.zeros(whole.n_states)
    of_state[places(positions, visited)] = visits
    return replace(whole, weight=of_state[whole.state] / whole.actions.spread(whole.actions.size))


def places(positions: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where `wanted` positions stand among `positions`; -1 for one that does not."""
    order = np.argsort(positions, kind="stable")
    at = np.minimum(np.searchsorted(positions, wanted, sorter=order), len(positions) - 1)
    return np.where(positions[order[at]] == wanted, order[at], -1)


def _board(layout: Layout, positions: np.ndarray) -> Board:
    """The process of the jumps among `positions`."""
    which = [np.flatnonzero(_can(jump, positions)) for jump in layout.jumps]
    state, jump = np.concatenate(which), np.repeat(np.arange(len(which)), [len(each) for each in which])
    order = np.lexsort((jump, state))
    state, jump = state[order], jump[order]
    change = np.array([each.moved | each.to for each in layout.jumps], dtype=np.uint64)
    after = positions[state] ^ change[jump]
    target = places(positions, after)
    ends = ~np.isin(np.arange(len(positions)), state)
    source = np.flatnonzero(target >= 0)
    reached = target[source]
    pegs = np.bitwise_count(positions[reached]).astype(float)
    points = STEP + np.where(ends[reached], np.where(pegs == 1, SOLVED, LEFT * (pegs - 1)), 0.0)
    start = places(positions, layout.starts)
    return Board(
        name=layout.name,
        n_states=len(positions),
        state=state,
        action=tuple(layout.jumps[k].name for k in jump),
        source=source,
        target=reached,
        chance=np.ones(len(source)),
        reward=points / POINTS,
        start=start[start >= 0],
        features=features(layout, after),
        layout=layout,
        positions=positions,
    )


def features(layout: Layout, after: np.ndarray) -> np.ndarray:
    """What a player can see of each position `after` a jump, shape (positions, features): 1; its legal jumps, pegs without a
    neighbour, pegs spread from their centre, pegs at the rim, whether the game is over and is solved; and each of these times
    the share of pegs that are left."""
    bits = ((after[:, None] >> np.arange(len(layout.holes), dtype=np.uint64)) & np.uint64(1)).astype(float)
    place = np.array(layout.holes, dtype=float)
    pegs = bits.sum(axis=1)
    near = (np.abs(place[:, None] - place[None]).sum(axis=2) == 1).astype(float)
    jumps = sum((_can(jump, after).astype(float) for jump in layout.jumps), np.zeros(len(after)))
    alone = (bits * (bits @ near == 0)).sum(axis=1)
    centre = bits @ place / pegs[:, None]
    spread = np.sqrt(np.maximum(bits @ (place**2).sum(axis=1) / pegs - (centre**2).sum(axis=1), 0.0))
    rim = bits @ (near.sum(axis=1) < 4).astype(float)
    seen = np.stack([np.ones(len(after)), jumps, alone, spread, rim, jumps == 0, pegs == 1], axis=1)
    return np.hstack([seen, seen * (pegs / np.bitwise_count(layout.starts).max())[:, None]])
