"""Profile likelihood: search over learning rates alone, as for given rates the nll is convex in the sensitivities.

With one rate the profile is scanned from bound to bound, and every valley is followed to its ground. With more, it starts from
several random rates with their best sensitivities; from the best end the profile along each rate in turn is scanned, and a
lower valley anywhere is taken, until there is none. That is for the published families; of other models two rates have a grid,
and with one or two what lies between the points is bounded as well, so that no valley is missed (docs/models.md).
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ..data.dataset import Dataset
from ..errors import InputError
from ..models import likelihood
from ..models.families import get_model
from ..models.likelihood import Problem
from ..solvers import atoms, rate_search
from ..solvers.atoms import local_fit
from ..solvers.columns import Box, Episode, episode
from ..solvers.profiles import Profile
from ..solvers.scan import rates, scan, valleys
from . import Method, Outcome, Starts

# Nats by which a scanned valley must be lower to be entered, and by which its ground must be lower to be taken.
_LOWER = 1e-7
# Nats that the last Newton step of a converged fit may still have promised.
_LEFT = 1e-7
# Rounds of Newton's method; 5 to 15 are usual.
_ROUNDS = 200


@dataclass(frozen=True)
class Settings:
    """`grid`: rates in a scan; `starts`: random starts where there is more than one rate; `sweeps`: how often at most every
    rate is scanned again after a lower valley was found; `boxes`: between the points of a grid, boxes of rates that are bounded
    at most (0: none are, in a fraction of the time), of models with one or two rates and initial values other than the
    published families, without a lapse, and where all arms are on offer at every step."""

    grid: int = 40
    starts: int = 5
    sweeps: int = 5
    boxes: int = 5000

    def __post_init__(self):
        for name, least in (("grid", 3), ("starts", 1), ("sweeps", 0), ("boxes", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least {least}")


class _Search:
    """A search over one episode: the ends found so far as (alpha, beta, nll, evaluations, what is left to gain, words)."""

    def __init__(self, problem: Problem, settings: Settings):
        self.ep, self.settings = episode(problem), settings
        self.box = Box.of(problem, self.ep)
        self.ends: list[tuple] = []

    def descend(self, alpha: np.ndarray, beta: np.ndarray) -> tuple:
        """The local minimum near alpha and beta (blocks,)."""
        return local_fit(self.ep, *self.box, alpha, beta, _ROUNDS)

    def scan(self, block: int, alpha: np.ndarray, beta: np.ndarray, along: np.ndarray) -> tuple:
        return scan(self.ep, alpha, beta, block, along, self.box.mass_low, self.box.mass_high)

    def grid(self, block: int) -> np.ndarray:
        return rates(self.box.a_low[block], self.box.a_high[block], self.settings.grid)

    def exhaust(self) -> None:
        """Follows every valley of the profile along the only rate."""
        along = self.grid(0)
        nll, best, scanned = self.scan(0, along[:1], self.box.mass_high, along)
        for k in valleys(nll):
            alpha, beta, value, used, left = self.descend(along[k : k + 1], best[k : k + 1])
            self.ends.append((alpha, beta, value, used + scanned, left, "a valley of the profile"))
            scanned = 0

    def start(self, alpha: np.ndarray) -> None:
        """Descends from the rates alpha (blocks,) with their best sensitivities."""
        a_low, a_high, mass_low, mass_high = self.box
        middle = 0.5 * (mass_low + mass_high)
        # With rates held by bounds that meet, what is left is convex.
        _, beta, _, before, _ = local_fit(self.ep, alpha, alpha, mass_low, mass_high, alpha, middle, _ROUNDS)
        alpha, beta, value, after, left = self.descend(alpha, beta)
        self.ends.append((alpha, beta, value, before + after, left, "random rates"))

    def sweep(self) -> None:
        """From the best end on: scans the profile along each rate in turn and moves to any valley that leads lower."""
        alpha, beta, nll, _, left, _ = self.best()
        n_eval = unchanged = 0
        for block in list(range(self.ep.blocks)) * self.settings.sweeps:
            if unchanged == self.ep.blocks:
                break
            unchanged += 1
            along = np.append(self.grid(block), alpha[block])
            values, best, used = self.scan(block, alpha, beta, along)
            n_eval += used
            for k in valleys(values[:-1]):
                if values[k] > values[-1] - _LOWER:
                    break
                there_alpha, there_beta = alpha.copy(), beta.copy()
                there_alpha[block], there_beta[block] = along[k], best[k]
                there_alpha, there_beta, value, used, promised = self.descend(there_alpha, there_beta)
                n_eval += used
                if value < nll - _LOWER:
                    alpha, beta, nll, left, unchanged = there_alpha, there_beta, value, promised, 0
                    break
        self.ends.append((alpha, beta, nll, n_eval, left, "scans from the best start"))

    def best(self) -> tuple:
        return min(self.ends, key=lambda end: end[2])

    def parameters(self, problem: Problem, end: tuple) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta of an end, in the model's shape and the problem's units."""
        return end[0].reshape(problem.shape), (end[1] / self.ep.scale).reshape(problem.shape)


def fit(problem: Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The best local minimum found; with one rate, of all that the profile has. Every one is kept in `starts`."""
    if not problem.model.kernels or problem.barred is not None:
        return _composed(problem, settings, rng)
    begin = perf_counter()
    search = _Search(problem, settings)
    ready = perf_counter()
    if search.ep.blocks == 1:
        search.exhaust()
    else:
        for _ in range(settings.starts):
            search.start(rng.uniform(search.box.a_low, search.box.a_high))
        search.sweep()
    _, _, nll, _, left, words = end = search.best()
    alpha, beta = search.parameters(problem, end)
    ends = [search.parameters(problem, each) for each in search.ends]
    return Outcome(
        status="converged" if left <= _LEFT else "limit",
        alpha=alpha,
        beta=beta,
        nll=nll,
        message=words,
        n_eval=sum(end[3] for end in search.ends),
        t_setup=ready - begin,
        t_solve=perf_counter() - ready,
        starts=Starts(
            nll=[end[2] for end in search.ends],
            alpha=[alpha for alpha, _ in ends],
            beta=[beta for _, beta in ends],
            n_eval=[end[3] for end in search.ends],
            message=[end[5] for end in search.ends],
        ),
    )


def _composed(problem: Problem, settings: Settings, rng: np.random.Generator) -> Outcome:
    """The same of any other model whose values are linear in its weights."""
    begin = perf_counter()
    search = Profile(problem, settings.grid, settings.starts, settings.sweeps, settings.boxes)
    search.run(rng)
    end, words = search.best()
    words = f"{words}; {search.ruled_out}" if search.ruled_out else words
    return Outcome(
        status=end.status,
        **problem.estimate(end.theta),
        nll=end.value,
        lower_bound=search.lower_bound,
        message=words,
        n_eval=search.n_eval,
        t_solve=perf_counter() - begin,
        starts=Starts(
            nll=[each.value for each, _ in search.ends],
            **problem.estimates([each.theta for each, _ in search.ends]),
            n_eval=[each.n_eval for each, _ in search.ends],
            message=[words for _, words in search.ends],
        ),
    )


def _warm_up() -> None:
    """Compiles the scans: of a published family on two steps of a one-rate problem, of other models on six with two rates."""
    atoms.warm_up()
    rate_search.warm_up()
    data = Dataset("warm-up", np.array([[0, 1, 0, 0, 1, 0]]), np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 0.0]]), n_arms=2)
    model = get_model("dual_rates")
    _composed(likelihood.problem(data, 0, model, model.default_bounds), Settings(), np.random.default_rng(0))
    arms = np.array([0, 1])
    ep = Episode(arms, arms, np.ones((1, 2, 2)), np.array([True, False]), np.array([2, 2]), 1, True, 1, np.ones(1))
    scan(ep, np.ones(1), np.ones(1), 0, np.ones(2), np.zeros(1), np.ones(1))


METHOD = Method(fit=fit, settings=Settings, threads=True, warm_up=_warm_up)
