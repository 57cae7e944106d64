"""The profile likelihood of models that are linear in all but their rates and initial values: for given ones of these the nll
is convex in the weights, so its least value is found exactly, and only they are left to search.

With one to search, or two, a grid sees every valley that is wider than its cells; each is followed to its ground. Between its
points boxes of them are bounded below, with all weights free (`boxes`), and halved until none can hide a lower valley. With
more, those of many random ones are followed that have no lower one near by (multi-level single linkage: Rinnooy Kan & Timmer,
Math. Program. 39, 57, 1987), and from the best end each is scanned in turn, as long as a lower valley is met.

With a lapse the nll is not convex in the weights. Then the profile is that of no lapse, and its valleys and points between them
are followed with all parameters, from several lapses; so are random parameters.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ..models.likelihood import Problem
from ..models.traces import WEIGHT, _bar, _bias, _unit_traces
from ..numerics import _cholesky, _compiled, _dot, _dot3, _residuals, _softmax, _solve
from .descent import descend
from .local import Found, Search
from .objectives import Likelihood
from .rate_search import RateSearch
from .scan import rates

# Newton's steps in the weights: 4 to 8 are usual.
_STEPS = 60
# Nats of the quadratic model left to gain at which the least nll in the weights is found.
_ENOUGH = 1e-10
# Nats that a whole step of Newton's method promised and after which none is needed more.
_NEARLY = 1e-5
# Random points for each start, an even number; which share of them, the lowest, may be followed, and how many are at most.
_DRAWS, _LOWEST, _FOLLOWED = 100, 0.25, 6
# How far from a lower point a point must lie to be followed, in units that shrink as points grow many.
_SIGMA = 4.0
# Nats above the best at which a valley of a scan is followed.
_SPARE = 3.0
# Shares of its box from which a lapse is followed, and every how many-th point of a grid is followed as well.
_LAPSES, _BETWEEN = (0.01, 0.1, 0.3), 5
# Random parameters that are followed as well, for each start.
_ANYWHERE = 4
# How far from their upper bound rates stay while a minimum is looked for, as a share of the box.
_EDGE = 1e-9
# Points of a grid in each of two dimensions; fewer where what lies between them is bounded.
_SQUARE, _BOUNDED = 20, 10
# Nats by which nothing may be lower between the points.
_MISSED = 1e-6
# Nats that the last step of Newton's method may still promise where it has arrived.
_LEFT = 1e-8
# Nats by which a valley must be lower to be followed.
_LOWER = 1e-7


@_compiled
def best_weights(ep, columns, w, lower, upper):
    """Minimises the nll of an episode with the values sum_j w[j] columns[j] over w in its box, from w, which it moves, by
    projected Newton steps; columns (weights, arms - 1, steps) are `_beyond` the last arm, whose values are 0. Returns the nll
    and the evaluations."""
    choices = ep.choices
    n, n_arms, n_steps = columns.shape
    x, mean = np.empty((n_arms + 1, n_steps)), np.empty((n, n_steps))
    gradient, hessian, there = np.empty(n), np.empty((n, n)), w.copy()
    _combine(ep.barred, columns, w, x)
    nll, n_eval = _softmax(choices, x), 1
    for _ in range(_STEPS):
        mean[:] = 0.0
        for j in range(n):
            for i in range(n_arms):
                for t in range(n_steps):
                    mean[j, t] += x[i, t] * columns[j, i, t]
        for j in range(n):
            for l in range(j + 1):
                total = -_dot(mean[j], mean[l])
                for i in range(n_arms):
                    total += _dot3(x[i], columns[j, i], columns[l, i])
                hessian[j, l] = hessian[l, j] = total
        _residuals(choices, x)
        for j in range(n):
            gradient[j] = 0.0
            for i in range(n_arms):
                gradient[j] += _dot(x[i], columns[j, i])
        # A weight that the gradient pushes against a bound stays there.
        free = np.ones(n, dtype=np.bool_)
        for j in range(n):
            if (w[j] <= lower[j] and gradient[j] >= 0.0) or (w[j] >= upper[j] and gradient[j] <= 0.0) or upper[j] <= lower[j]:
                free[j] = False
        places = np.flatnonzero(free)
        if places.size == 0:
            break
        A, L = np.empty((places.size, places.size)), np.zeros((places.size, places.size))
        slope, step = np.empty(places.size), np.empty(places.size)
        for a in range(places.size):
            slope[a] = -gradient[places[a]]
            for b in range(places.size):
                A[a, b] = hessian[places[a], places[b]]
        ridge = 0.0
        while not _cholesky(A, L):  # flat directions
            for a in range(places.size):
                A[a, a] += 9.0 * ridge + 1e-9 * (1.0 + abs(A[a, a])) * (ridge == 0.0)
            ridge = 10.0 * ridge if ridge > 0.0 else 1e-9
        _solve(L, slope, step)
        size, moved = 1.0, False
        for _ in range(40):
            promised = 0.0
            for j in range(n):
                there[j] = w[j]
            for a in range(places.size):
                j = places[a]
                there[j] = min(max(w[j] + size * step[a], lower[j]), upper[j])
                promised -= gradient[j] * (there[j] - w[j])
            if promised <= _ENOUGH:
                break
            _combine(ep.barred, columns, there, x)
            value = _softmax(choices, x)
            n_eval += 1
            if value <= nll - 1e-4 * promised:
                nll, moved = value, True
                break
            size *= 0.5
        if not moved:
            break
        w[:] = there
        if size == 1.0 and promised <= _NEARLY:  # what is left is about the square of it
            break
    return nll, n_eval


@_compiled
def _combine(barred, columns, w, x):
    x[:] = 0.0
    for j in range(w.size):
        for i in range(columns.shape[1]):
            for t in range(x.shape[1]):
                x[i, t] += w[j] * columns[j, i, t]
    _bar(barred, x)


@_compiled
def _beyond(ep, theta, inner):
    """The derivatives of the values in weights and biases, which are the places `inner`, less those of the last arm, (inner,
    arms - 1, steps): that is all that choices depend on, and one arm less to add up."""
    h = _unit_traces(ep, theta)
    n_traces, n_arms, n_steps = h.shape
    row = np.full(theta.size, -1)
    for j in range(inner.size):
        row[inner[j]] = j
    columns = np.zeros((inner.size, n_arms - 1, n_steps))
    for i in range(n_arms):
        for k in range(n_traces):
            place = ep.places[k, i, WEIGHT]
            if place >= 0 and row[place] >= 0:
                _add(columns[row[place]], i, h[k, i])
        if _bias(ep, i) >= 0:
            _add(columns[row[_bias(ep, i)]], i, np.ones(n_steps))
    return columns


@_compiled
def _add(column, arm, values):
    """Adds values (steps,) of an arm to a column (arms - 1, steps), of the last arm to all others with the other sign."""
    if arm < len(column):
        column[arm] += values
    else:
        for i in range(len(column)):
            column[i] -= values


@_compiled
def _least_at(ep, theta, outer, inner, lower, upper, points):
    """The least nll over the parameters `inner` with the others, `outer`, at each of `points` (n, outer), from the weights of
    the one before: nlls (n,), thetas (n, parameters) and evaluations."""
    theta = theta.copy()
    nlls, thetas = np.empty(len(points)), np.empty((len(points), theta.size))
    weights, low, high = theta[inner], lower[inner], upper[inner]
    n_eval = 0
    for n in range(len(points)):
        theta[outer] = points[n]
        columns = _beyond(ep, theta, inner)
        nlls[n], used = best_weights(ep, columns, weights, low, high)
        n_eval += used
        theta[inner] = weights
        thetas[n] = theta
    return nlls, thetas, n_eval


def _apart(shares: np.ndarray, nlls: np.ndarray) -> np.ndarray:
    """Which of random points (n, outer) in the unit cube are to be followed, the lowest first: of the lowest share those that
    have no lower point within the critical distance. Slow rates differ by their ratio, so the roots of shares are compared."""
    n, d = shares.shape
    lowest = np.argsort(nlls, kind="stable")[: max(int(_LOWEST * n), 1)]
    near = (math.gamma(1.0 + 0.5 * d) * _SIGMA * math.log(n) / n) ** (1.0 / d) / math.sqrt(math.pi)
    places = np.sqrt(shares[lowest])
    apart = ((places[:, None] - places) ** 2).sum(axis=2) > near**2
    return lowest[[apart[k, :k].all() for k in range(len(lowest))]]


@dataclass
class Profile:
    """The search of one episode: `ends` so far, each with the words that say where it came from."""

    problem: Problem
    grid: int
    starts: int
    sweeps: int
    boxes: int

    def __post_init__(self):
        problem = self.problem
        self.search = Search(Likelihood(problem), "L-BFGS-B")
        roles = problem.model.roles(problem.n_arms)
        outer = np.isin(roles, ("rate", "value"))
        self.outer, self.inner = (
            np.flatnonzero(outer & (problem.upper > problem.lower)),
            np.flatnonzero(~outer & (roles != "probability")),
        )
        self.theta = np.where(problem.upper > problem.lower, 0.5 * (problem.lower + problem.upper), problem.lower)
        self.theta[self.inner] = np.clip(0.0, problem.lower[self.inner], problem.upper[self.inner])
        self.lapse = np.flatnonzero(roles == "probability")
        self.theta[self.lapse] = problem.lower[self.lapse]
        # At a rate of exactly 1 a value may equal the reward, where the class of a step, and so the slope, is not told.
        self.inside = problem.upper - np.where(roles == "rate", _EDGE * (problem.upper - problem.lower), 0.0)
        self.ends: list[tuple[Found, str]] = []
        self.n_eval = 0
        self.bounded = self.boxes > 0 and len(self.outer) <= 2 and not len(self.lapse) and problem.barred is None
        self.lower_bound, self.ruled_out = np.nan, ""

    def least(self, points: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The least nll with the outer parameters at each of `points` (n, outer), without a lapse, from the weights of theta:
        nlls (n,) and thetas (n, parameters)."""
        problem = self.problem
        nlls, thetas, used = _least_at(problem.episode, theta, self.outer, self.inner, problem.lower, problem.upper, points)
        self.n_eval += used
        return nlls, thetas

    def follow(self, theta: np.ndarray, words: str) -> None:
        """Goes down from theta to a local minimum."""
        end = self.search.run(theta)
        self.n_eval += end.n_eval
        self.ends.append((end, words))

    def sink(self, theta: np.ndarray, words: str) -> None:
        """The same by Newton's method, from several lapses where there is one."""
        problem = self.problem
        for share in _LAPSES if len(self.lapse) else (0.0,):
            there = theta.copy()
            there[self.lapse] = problem.lower[self.lapse] + share * (problem.upper - problem.lower)[self.lapse]
            self.fall(there, words)

    def fall(self, theta: np.ndarray, words: str) -> None:
        """The same from the lapse of theta, by `follow` where Newton's method does not arrive."""
        problem = self.problem
        there = np.minimum(theta, self.inside)
        nll, used, left = descend(problem.episode, there, problem.lower, self.inside)
        edge = np.where(there >= self.inside, problem.upper, there)
        on_edge = problem.nll_theta(edge)
        if on_edge <= nll:
            there, nll = edge, on_edge
        self.n_eval += used + 1
        if left <= _LEFT:
            self.ends.append((Found(there, nll, used, "converged", "", left), words))
        else:
            self.follow(there, words)

    def axis(self, place: int, n: int) -> np.ndarray:
        return rates(self.problem.lower[place], self.problem.upper[place], n)

    def exhaust(self) -> None:
        """Follows every valley of the profile along the one or two outer parameters."""
        side = self.grid if len(self.outer) == 1 else (_BOUNDED if self.bounded else _SQUARE)
        axes = [self.axis(place, side) for place in self.outer]
        shape = tuple(len(axis) for axis in axes)
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        if len(shape) == 2:
            points[1::2] = points[1::2, ::-1]  # to and fro, so that neighbours follow one another
        found, thetas = self.least(points.reshape(-1, len(shape)), self.theta)
        nll, thetas = found.reshape(shape), thetas.reshape(*shape, -1)
        if len(shape) == 2:
            nll[1::2], thetas[1::2] = nll[1::2, ::-1].copy(), thetas[1::2, ::-1].copy()
        padded = np.pad(nll, 1, constant_values=np.inf)
        around = {
            offset: padded[tuple(slice(1 + o, 1 + o + size) for o, size in zip(offset, shape, strict=True))]
            for offset in itertools.product((-1, 0, 1), repeat=len(shape))
        }
        # Of a plain, where the weights are 0, the last point stands for all.
        middle = (0,) * len(shape)
        lowest = np.all([nll < other if o > middle else nll <= other for o, other in around.items() if o != middle], axis=0)
        if len(self.lapse):  # valleys of another lapse may be none of these
            lowest[tuple([slice(None, None, _BETWEEN)] * len(shape))] = True
        for place in sorted(map(tuple, np.argwhere(lowest)), key=lambda p: nll[p]):
            self.sink(thetas[place].copy(), "a valley of the profile")

    def best(self) -> tuple[Found, str]:
        return min(self.ends, key=lambda end: end[0].value)

    def bound(self) -> None:
        """Bounds the nll between the points of the grid, and takes what is lower there; `ruled_out` says how far."""
        known = self.best()[0]
        search = RateSearch(self.problem, _MISSED, known.theta)
        search.run(self.boxes, np.inf)
        self.n_eval += search.n_eval
        if search.nll < known.value - _LOWER:
            self.sink(search.theta, "a valley between the points of the grid")
        self.lower_bound = max(search.bound, 0.0)
        gap = max(self.best()[0].value - self.lower_bound, 0.0)
        words = f"no parameters are lower by more than {gap:.1e} nats"
        self.ruled_out = f"{words}, {search.nodes} boxes bounded"

    def wander(self, rng: np.random.Generator) -> None:
        """Follows the best of many random outer parameters, with their best weights; then scans from the best end along each in
        turn."""
        low, high = self.problem.lower[self.outer], self.problem.upper[self.outer]
        # Half of them slow: rates differ by their ratio.
        shares = rng.uniform(size=(self.starts * _DRAWS, len(low))) ** np.repeat(
            [[1.0], [2.0]], self.starts * _DRAWS // 2, axis=0
        )
        nlls, thetas = self.least(low + (high - low) * shares, self.theta)
        for place in _apart(shares, nlls)[: self.starts * _FOLLOWED]:
            self.sink(thetas[place].copy(), "the best of random rates")
        unchanged = 0
        for k in list(range(len(self.outer))) * self.sweeps:
            if unchanged == len(self.outer):
                break
            unchanged += 1
            end = self.best()[0]
            points = np.repeat(end.theta[None, self.outer], self.grid, axis=0)
            points[:, k] = self.axis(self.outer[k], self.grid)
            nlls, thetas = self.least(points, end.theta)
            padded = np.concatenate([[np.inf], nlls, [np.inf]])
            # A valley of the scan may have a lower ground where the other rates move too.
            for r in np.flatnonzero((nlls <= padded[:-2]) & (nlls <= padded[2:]) & (nlls < end.value + _SPARE)):
                self.sink(thetas[r].copy(), "a scan from the best start")
            if self.best()[0].value < end.value - _LOWER:
                unchanged = 0

    def anywhere(self, rng: np.random.Generator) -> None:
        """Follows random parameters, rates and weights small as often as large."""
        low, high = self.problem.lower, self.problem.upper
        for _ in range(self.starts * _ANYWHERE):
            self.fall(low + (high - low) * rng.uniform(size=len(low)) ** rng.choice([1.0, 3.0]), "random parameters")

    def run(self, rng: np.random.Generator) -> None:
        if len(self.outer) == 0:
            self.sink(self.least(np.empty((1, 0)), self.theta)[1][0], "the weights alone")
        elif len(self.outer) <= 2:
            self.exhaust()
        else:
            self.wander(rng)
        if len(self.lapse):
            self.anywhere(rng)
        if self.bounded:
            self.bound()
