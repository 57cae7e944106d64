"""What choices can tell of values and betas, and what they cannot.

A player chooses by softmax(beta_j Q(s, .)). Betas times k and Q over k are the same play, and so are Q and Q with any number
added in a state: of the information matrix of (Q, z) as many eigenvalues are zero as there are states with a choice, and one
more. In the coordinates that `shared.Scale` leaves, advantages centred in each state and of root mean square 1, none is.
"""

import numpy as np
import pandas as pd

from ..arguments import checked
from ..kinds import Seed
from .logs import Logs
from .mdp import MDP
from .players import Choices
from .shared import Scale
from .values import reference

ZERO = 1e-9  # of the largest eigenvalue, below which one counts as zero


@checked
def spectrum(logs: Logs) -> pd.DataFrame:
    """The eigenvalues of Fisher's information of (values of pairs, z of players) at the true values, for the play that was
    seen, from the largest, as shares of it: one row per parametrisation ("Q", "A") and eigenvalue, with its number and whether
    it is zero. Counted are pairs that somebody could have taken where they had a choice. Raises InputError for logs without
    true advantages."""
    choices, A = Choices.of(logs), _truth(logs)
    pairs = np.unique(choices.pair)
    I = _information(choices, logs.truth["log_beta"], A, pairs)
    rows = []
    for name, basis in (("Q", np.eye(len(pairs))), ("A", _tangent(logs.mdp, A, pairs))):
        B = np.zeros((len(I), basis.shape[1] + logs.n_participants))
        B[: len(pairs), : basis.shape[1]] = basis
        B[len(pairs) :, basis.shape[1] :] = np.eye(logs.n_participants)
        values = np.linalg.eigvalsh(B.T @ I @ B)[::-1]
        share = np.maximum(values / values[0], 0.0)
        rows.append(pd.DataFrame({"parameters": name, "number": np.arange(1, len(share) + 1), "share": share}))
    table = pd.concat(rows, ignore_index=True)
    return table.assign(zero=table["share"] < ZERO)


@checked
def directions(logs: Logs, seed: Seed = 0) -> pd.DataFrame:
    """The nll of all choices, less that at the true Q and z, along steps `t` from -1 to 1 of: "scale" (Q times e^t, z less t),
    "levels" (t times a random number in each state, added to Q), "values" (t times a random number for each pair), and "betas"
    (z plus t): one row per direction and step, with `raw`, of softmax(beta Q), and `ours`, where Q is put through `Scale`
    first, so that a step along "scale" moves betas alone."""
    choices, A, z = Choices.of(logs), _truth(logs), logs.truth["log_beta"]
    rng, mdp, scale = np.random.default_rng(seed), logs.mdp, Scale(logs.mdp)
    levels, values = rng.standard_normal(mdp.n_states)[mdp.state], 0.5 * rng.standard_normal(mdp.n_pairs)
    moves = {
        "scale": lambda t: (np.exp(t) * A, z - t),
        "levels": lambda t: (A + t * levels, z),
        "values": lambda t: (A + t * values, z),
        "betas": lambda t: (A, z + t),
    }
    nll = lambda A, z: -float(choices.log_likelihood(z, A).sum())  # noqa: E731
    rows = []
    for name, move in moves.items():
        for t in np.linspace(-1.0, 1.0, 21):
            q, there = move(t)
            row = {"raw": nll(q, there) - nll(A, z), "ours": nll(scale.advantages(q), there) - nll(A, z)}
            rows.append({"direction": name, "t": t, **row})
    return pd.DataFrame(rows)


def _truth(logs: Logs) -> np.ndarray:
    from .outputs import know  # which raises for logs without

    return know(logs, 0.0, 1.0).advantages


def _information(choices: Choices, z: np.ndarray, A: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Fisher's information of (A of `pairs`, z): by player and state, visits times that of softmax(e^z A)."""
    place = np.searchsorted(pairs, choices.pair)
    I = np.zeros((len(pairs) + len(z),) * 2)
    _, policy = choices.actions.softmax(np.exp(z)[choices.actions.spread(choices.participant)] * A[choices.pair])
    for row, (begin, size) in enumerate(zip(choices.actions.first, choices.actions.size, strict=True)):
        some, j = slice(begin, begin + size), choices.participant[row]
        at, p, b = place[some], policy[some], np.exp(z[j])
        C = choices.visits[row] * (np.diag(p) - np.outer(p, p))
        along = C @ A[choices.pair[some]]
        I[np.ix_(at, at)] += b**2 * C
        I[at, len(pairs) + j] += b**2 * along
        I[len(pairs) + j, at] += b**2 * along
        I[len(pairs) + j, len(pairs) + j] += b**2 * (A[choices.pair[some]] @ along)
    return I


def _tangent(mdp: MDP, A: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """A basis (pairs, directions) of how advantages can move: centred in each state, their root mean square kept."""
    state = mdp.state[pairs]
    fixed = [(state == s).astype(float) for s in np.unique(state)] + [(reference(mdp) * A)[pairs]]
    return np.linalg.svd(np.array(fixed))[2][len(fixed) :].T
