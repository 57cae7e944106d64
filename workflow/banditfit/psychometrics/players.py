"""The likelihood of players' choices given advantages A: l_j(z) = sum over steps of log softmax(e^z A)(a_t), with derivatives
in z = log beta and in A; and the modes of z_j under a normal prior, all participants at once."""

from dataclasses import dataclass
from functools import cached_property
from math import exp, log

import numpy as np

from ..numerics import _compiled, _exp
from .logs import Logs
from .segments import Segments

GRID = np.linspace(-3.0, 3.0, 7)  # where climbs begin, in sds of the prior around its mean
STEPS = 50  # of Newton; 5 to 10 are usual
LONGEST = 2.0  # a longer step leaves the region where the quadratic model holds
ARMIJO, HALVINGS = 1e-4, 30
DECREMENT = 1e-9  # nats left to gain, twice over, at which a climb ends
NODES = np.linspace(-4.5, 4.5, 13)  # of quadrature, in Laplace's sds around the mode
CONCAVE = 0.1  # the exact curvature is used where it is at least this share of Fisher's


@dataclass(frozen=True)
class Choices:
    """How often each participant took each action of each state in which they had a choice: a row per participant and such
    state, an entry per legal action there.

    participant (rows,), pair and count (entries,), visits (rows,)"""

    n_participants: int
    participant: np.ndarray
    actions: Segments
    pair: np.ndarray
    count: np.ndarray
    visits: np.ndarray

    @classmethod
    def of(cls, logs: Logs) -> "Choices":
        mdp, counts = logs.mdp, logs.counts.tocoo()
        run_of_pair = mdp.run[mdp.state]
        choice = mdp.actions.size[run_of_pair[counts.col]] > 1
        n_runs = len(mdp.actions.first)
        rows = np.unique(counts.row[choice].astype(np.int64) * n_runs + run_of_pair[counts.col[choice]])
        participant, run = rows // n_runs, rows % n_runs
        size = mdp.actions.size[run]
        actions = Segments(np.cumsum(size) - size, size)
        pair = np.arange(size.sum()) + actions.spread(mdp.actions.first[run] - actions.first)
        entry = actions.spread(participant) * mdp.n_pairs + pair  # ascending
        found = counts.row[choice].astype(np.int64) * mdp.n_pairs + counts.col[choice]
        count = np.zeros(len(pair))
        count[np.searchsorted(entry, found)] = counts.data[choice]
        return cls(logs.n_participants, participant, actions, pair, count, actions.total(count))

    @cached_property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What compiled code takes: where each participant's rows begin (participants + 1,), where each row's entries begin
        (rows + 1,), then pair, count and visits."""
        rows = np.searchsorted(self.participant, np.arange(self.n_participants + 1))
        return rows, np.r_[self.actions.first, len(self.pair)], self.pair, self.count, self.visits

    @cached_property
    def total(self) -> np.ndarray:
        """(participants,) how many choices each made."""
        return np.bincount(self.participant, self.visits, self.n_participants)

    def some(self, participants: np.ndarray) -> "Choices":
        """Those of the participants (m,), in ascending order, alone."""
        place = np.full(self.n_participants, -1)
        place[participants] = np.arange(len(participants))
        rows = place[self.participant] >= 0
        entries, size = self.actions.spread(rows), self.actions.size[rows]
        actions = Segments(np.cumsum(size) - size, size)
        return Choices(
            len(participants),
            place[self.participant[rows]],
            actions,
            self.pair[entries],
            self.count[entries],
            self.visits[rows],
        )

    def always_best(self, A: np.ndarray) -> np.ndarray:
        """(participants,) whether each took no action but such that none has a larger A: then l rises with beta for ever."""
        worse = A[self.pair] < self.actions.spread(self.actions.top(A[self.pair]))
        missed = self.actions.total(self.count * worse) if len(self.pair) else np.zeros(0)
        return np.bincount(self.participant, missed, self.n_participants) == 0

    def in_z(self, z: np.ndarray, A: np.ndarray) -> np.ndarray:
        """l, sum of A(a) - E_pi A, and sum of Var_pi A, shape (3, participants)."""
        return _all_in_z(z, A, *self.arrays)

    def log_likelihood(self, z: np.ndarray, A: np.ndarray) -> np.ndarray:
        """(participants,) nats."""
        return self.in_z(z, A)[0]

    def in_A(self, z: np.ndarray, A: np.ndarray) -> tuple[float, np.ndarray]:
        """The sum of all l, and its gradient in A (pairs,)."""
        return _in_A(z, A, *self.arrays)


def modes(
    choices: Choices, A: np.ndarray, mu: float, sigma: float, z: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The mode of l_j(z) - (z - mu)^2 / (2 sigma^2), and the variance -1 / H there, each (participants,).

    The log posterior is not concave in z. Steps are Newton's where the curvature H is clearly negative and Fisher scoring's
    elsewhere, no longer than LONGEST, and halved until they rise (Armijo). Without a start z, climbs begin at the best of a
    coarse grid. The variance is from the exact H."""
    if z is None:
        grid = mu + sigma * GRID
        values = [
            choices.log_likelihood(np.full(choices.n_participants, at), A) - 0.5 * ((at - mu) / sigma) ** 2 for at in grid
        ]
        z = grid[np.argmax(values, axis=0)]
    return _climb(z, mu, sigma, A, *choices.arrays)


def moments(
    choices: Choices, A: np.ndarray, mu: float, sigma: float, z: np.ndarray, V: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each z_j given its choices, by quadrature around its mode z with Laplace's variance V."""
    nodes = z + NODES[:, None] * np.sqrt(V)
    density = np.stack([choices.log_likelihood(each, A) - 0.5 * ((each - mu) / sigma) ** 2 for each in nodes])
    p = np.exp(density - density.max(axis=0))
    p /= p.sum(axis=0)
    mean = (p * nodes).sum(axis=0)
    return mean, (p * (nodes - mean) ** 2).sum(axis=0)


@_compiled
def _in_z(j, b, A, rows, first, pair, count, visits):
    """Of participant j with beta b: l, sum of A(a) - E_pi A, and sum of Var_pi A."""
    l = D = W = 0.0
    for i in range(rows[j], rows[j + 1]):
        top = A[pair[first[i]]]
        for k in range(first[i] + 1, first[i + 1]):
            top = max(top, A[pair[k]])
        total = mean = square = 0.0
        for k in range(first[i], first[i + 1]):
            a = A[pair[k]] - top
            e = _exp(b * a)
            total += e
            mean += e * a
            square += e * a * a
            l += count[k] * b * a
            D += count[k] * a
        mean /= total
        l -= visits[i] * log(total)
        D -= visits[i] * mean
        W += visits[i] * (square / total - mean * mean)
    return l, D, W


@_compiled
def _all_in_z(z, A, rows, first, pair, count, visits):
    found = np.empty((3, z.size))
    for j in range(z.size):
        found[:, j] = _in_z(j, exp(z[j]), A, rows, first, pair, count, visits)
    return found


@_compiled
def _in_A(z, A, rows, first, pair, count, visits):
    value, slope = 0.0, np.zeros(A.size)
    e = np.empty(pair.size)
    for j in range(z.size):
        b = exp(z[j])
        for i in range(rows[j], rows[j + 1]):
            top = A[pair[first[i]]]
            for k in range(first[i] + 1, first[i + 1]):
                top = max(top, A[pair[k]])
            total = 0.0
            for k in range(first[i], first[i + 1]):
                x = b * (A[pair[k]] - top)
                value += count[k] * x
                e[k] = _exp(x)
                total += e[k]
            value -= visits[i] * log(total)
            for k in range(first[i], first[i + 1]):
                slope[pair[k]] += b * (count[k] - visits[i] * e[k] / total)
    return value, slope


@_compiled
def _climb(z, mu, sigma, A, rows, first, pair, count, visits):
    found, V = z.copy(), np.empty(z.size)
    for j in range(z.size):
        l, D, W = _in_z(j, exp(found[j]), A, rows, first, pair, count, visits)
        for _ in range(STEPS):
            b = exp(found[j])
            gradient = b * D - (found[j] - mu) / sigma**2
            F = -b * b * W - 1.0 / sigma**2
            H = F + b * D
            V[j] = -1.0 / (H if H < 0.0 else F)
            step = -gradient / (H if H <= CONCAVE * F else F)
            step = min(max(step, -LONGEST), LONGEST)
            if gradient * step <= DECREMENT:
                break
            value = l - 0.5 * ((found[j] - mu) / sigma) ** 2
            for _ in range(HALVINGS):
                there = found[j] + step
                l, D, W = _in_z(j, exp(there), A, rows, first, pair, count, visits)
                rise = l - 0.5 * ((there - mu) / sigma) ** 2 - value
                if rise >= ARMIJO * gradient * step - 1e-12 * abs(value):
                    break
                step *= 0.5
            found[j] = there
    return found, V
