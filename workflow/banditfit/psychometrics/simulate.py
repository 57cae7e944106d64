"""Players of two kinds: those who share one value function, and those of LaMar's measurement model, whose values depend on
their own beta because they know how they will go on."""

from typing import Annotated, Literal

import numpy as np

from ..arguments import checked
from ..fitting import derive_seed
from ..kinds import Count, Limits, Seed
from .logs import Logs
from .mdp import MDP
from .values import boltzmann, centred, reward_unit, scale_of, soft, solve

TAU = 1.0  # of soft values, in units of reward
TOGETHER = 32  # players whose policies are held at a time
Positive = Annotated[float, Limits(0, inside=True)]


@checked
def simulate(
    board: MDP,
    participants: Count = 200,
    games: Count = 50,
    generator: Literal["shared", "mdp_mm"] = "shared",
    mu: float = 0.0,
    sigma: Annotated[float, Limits(0)] = 0.75,
    seed: Seed = 0,
    tau: Positive = TAU,
) -> Logs:
    """Games of participants with log beta_j ~ N(mu, sigma^2), and their truth.

    Of the generator `shared`, all choose by softmax(beta_j A), where A are the soft-optimal values (temperature `tau`, in units
    of reward), centred over the legal actions of each state and scaled to a root mean square of 1 (`values.scale_of`). Of
    `mdp_mm`, participant j chooses by softmax(beta_j Q_j), where Q_j are the values for who goes on choosing so, with rewards
    in units of `values.reward_unit`, so that a beta means about the same of both.

    A participant's games depend on the seed and on nothing but what the arguments say of the task and of them."""
    streams = [np.random.default_rng(derive_seed(board.name, j, generator, seed)) for j in range(participants)]
    z = mu + sigma * np.array([rng.standard_normal() for rng in streams])
    truth = {"log_beta": z}
    if generator == "shared":
        q, _ = solve(board, soft(tau), board.expected_reward)
        truth |= {"q": q, "advantages": centred(board, q) / scale_of(board, q)}
    else:
        gain = board.expected_reward / reward_unit(board)
    parts = []
    for begin in range(0, participants, TOGETHER):
        beta = np.exp(z[begin : begin + TOGETHER])
        if generator == "shared":
            x = beta * truth["advantages"][:, None]
        else:
            x = beta * solve(board, boltzmann(beta), np.repeat(gain[:, None], len(beta), axis=1))[0]
        parts.append(_play(board, board.actions.softmax(x)[1], games, streams[begin : begin + TOGETHER], begin))
    game, transition = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Logs(board, np.arange(participants), game // games, game, transition, truth)


def _play(mdp: MDP, policy: np.ndarray, games: int, streams: list[np.random.Generator], begin: int) -> tuple:
    """Game and transition of every step of players with policies (pairs, players), the first of whom has number `begin`."""
    u = np.concatenate([rng.random((games, 1 + 2 * mdp.longest)) for rng in streams])
    first, first_way = mdp.actions.first, np.searchsorted(mdp.source, np.arange(mdp.n_pairs))
    ways = np.bincount(mdp.source, minlength=mdp.n_pairs)
    state = mdp.start[(u[:, 0] * len(mdp.start)).astype(np.int64)]
    alive = np.arange(len(u))
    played, taken = [], []
    for t in range(mdp.longest):
        alive = alive[mdp.run[state[alive]] >= 0]
        if not len(alive):
            break
        run = mdp.run[state[alive]]
        pair = first[run] + _draw(policy, first[run], mdp.actions.size[run], u[alive, 1 + 2 * t], alive // games)
        way = first_way[pair] + _draw(mdp.chance[:, None], first_way[pair], ways[pair], u[alive, 2 + 2 * t], 0)
        state[alive] = mdp.target[way]
        played.append(alive)
        taken.append(way)
    played, taken = np.concatenate(played), np.concatenate(taken)
    order = np.argsort(played, kind="stable")
    return played[order] + begin * games, taken[order]


def _draw(p: np.ndarray, first: np.ndarray, size: np.ndarray, u: np.ndarray, column: np.ndarray | int) -> np.ndarray:
    """By inverse CDF, which of the `size` probabilities p[first], p[first + 1], ... of a column."""
    chosen, below = np.zeros(len(first), dtype=np.int64), np.zeros(len(first))
    for k in range(int(size.max()) - 1):
        below += np.where(k < size, p[np.minimum(first + k, len(p) - 1), column], 0.0)
        chosen += (u >= below) & (k + 1 < size)
    return chosen
