"""A population and its members under it: the E-step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import expit, ndtr

from ..errors import InputError
from ..models.likelihood import Problem
from ..models.lines import on_a_line
from ..models.traces import Episode
from .members import HARD, LAPLACE, QUADRATURE, Box, Found, Nodes, Normal, take, weighed
from .newton import LOG, LOGIT, PROBIT
from .nodes import _grid, _points

Links = Literal["probit", "logit"]
Prior = Literal["learned", "fixed"]
Shape = Literal["normal", "student"]
Moments = Literal["auto", "quadrature", "variational", "sampled", "laplace", "hard"]
# Where the population starts, and the prior where it is fixed: mu and sd of each alpha and beta, per links. Probit: uniform
# on the box. Logit: nearly uniform alpha (the uniform's logit has sd 1.8), and beta between .4 and 19 in 95 of 100.
START = {"probit": ((0.0, 1.0), (0.0, 1.0)), "logit": ((0.0, 1.8), (1.0, 1.0))}
GRID_DIMENSIONS = 2  # up to which nodes are a grid
FEW_DIMENSIONS = 4  # up to which "auto" means quadrature
MANY_DIMENSIONS = 20  # up to which quasi-random points serve
FREEDOM = 10.0  # degrees of freedom of Student's t, before they are learned
TURNS = 64  # rotations of quasi-random points
PLACEMENTS = {"grid": 2, "points": 3}  # how often nodes follow the moments that they gave
CAUTION = 4.0  # effective points per dimension at which placing quasi-random points follows half of what they say


@dataclass(frozen=True)
class Settings:
    """How a population is fitted.

    links       "probit": theta = lower + (upper - lower) Phi(h) on the bounds of the fit, so that a standard normal h is a
                uniform theta; "logit": rates and lapse 1 / (1 + exp(-h)), sensitivities exp(h), which knows no bounds (what may
                have either sign is as with "probit")
    moments     of h_j: "quadrature", "variational" (of the normal that is nearest, see `variational`), "laplace", "hard" (the
                mode without its uncertainty: an ablation), "sampled" (of draws of people and population together, see
                `sampling`), or "auto": quadrature in up to 4 dimensions, draws beyond. Where draws are not served (batch,
                Student's t, rates that all share) it is quadrature in up to 20 dimensions, Laplace beyond
    prior       "learned" from the participants, or "fixed" at the start's (an ablation: nothing is pooled)
    nodes       of the quadrature per dimension, in up to two dimensions
    points      of the quadrature in all, in more dimensions (a power of two)
    iterations  rounds at most (with batch: passes over the participants)
    tolerance   largest change of mu (in sd) and Sigma (relative) in the last round
    batch       participants per step of the online mode, or 0: all participants in every round
    population  "normal", or "student": Student's t, from which people far from the rest pull less
    freedom     degrees of freedom of the latter, at least 1; 0: they are learned
    """

    links: Links = "probit"
    moments: Moments = "auto"
    prior: Prior = "learned"
    nodes: int = 9
    points: int = 1024
    iterations: int = 200
    tolerance: float = 1e-3
    batch: int = 0
    population: Shape = "normal"
    freedom: float = 0.0

    def __post_init__(self):
        for name, least in (("nodes", 3), ("iterations", 1), ("batch", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.points < 32 or self.points & (self.points - 1):
            raise InputError(f"points is {self.points}, expected a power of two, at least 32")
        if not self.tolerance > 0:
            raise InputError(f"tolerance is {self.tolerance:g}, expected a positive number")
        if self.freedom != 0.0 and not (self.population == "student" and self.freedom >= 1.0):
            expected = "at least 1, or 0 to learn it" if self.population == "student" else "0 where the population is normal"
            raise InputError(f"freedom is {self.freedom:g}, expected {expected}")
        if self.population == "student" and (self.batch or self.prior == "fixed"):
            raise InputError("population is 'student', expected 'normal' with a batch or a fixed prior")
        if self.moments == "sampled" and not self.can_draw:
            raise InputError("moments are 'sampled', expected others with a batch or a population of Student's t")

    @property
    def pools(self) -> bool:
        """Whether the participants inform one another; under a fixed prior each is fitted alone."""
        return self.prior == "learned"

    @property
    def can_draw(self) -> bool:
        """Whether draws of people and population are served."""
        return not self.batch and self.population == "normal"


@dataclass(frozen=True)
class Population:
    """A fitted population: h_j ~ N(mu, Sigma) over the coordinates `free` of h; the others are mu for everybody. Where people
    differ in what is known of them, the rows x_j of `design` (J, C), it is h_j ~ N(mu + effects' x_j, Sigma), effects (C, d).
    With `freedom` it is Student's t with as many degrees, N(mu, Sigma / u_j) of a u_j whose mean is `weight` (J,).

    mu (D,), Sigma (d, d), free (d,), kinds (D,), lower, upper (D,) the links and their bounds, `moments`, and `nodes` (N, d)
    in standard units with the logarithms of weight / density `log_weights` (N,), the `caution` in placing them, and `turns`
    (TURNS or 1, d, d), the rotations that participants meet them in.
    `objective` is the trace of sum_j log p(y_j) in nats (hard: of the joint density) with the log priors of the population
    (online: without, and each participant's under the population that its mini-batch met),
    `kept` the round of it that these are, `converged` and `reason` say how the fit ended, `n_eval` is the likelihood
    evaluations per participant, and `held_sd` (D,) the standard error of what is the same for everybody (zero elsewhere).
    `errors` are the standard errors of mu and effects (1 + C, d) and of the sds of h_j (d,), where draws say them.
    """

    mu: np.ndarray
    Sigma: np.ndarray
    free: np.ndarray
    kinds: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    moments: str
    nodes: np.ndarray
    log_weights: np.ndarray
    caution: float
    turns: np.ndarray
    objective: tuple[float, ...] = ()
    kept: int = 0
    converged: bool = False
    reason: str = ""
    n_eval: float = 0.0
    held_sd: np.ndarray | float = 0.0
    design: np.ndarray | None = None
    effects: np.ndarray | None = None
    freedom: float = 0.0
    weight: np.ndarray | None = None
    learns_freedom: bool = False
    errors: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def has_nodes(self) -> bool:
        """Whether evidence is by quadrature; that of draws in many dimensions is Laplace's."""
        return self.moments in ("quadrature", "sampled") and len(self.nodes) > 0

    def centres(self, J: int) -> np.ndarray:
        """The mean of h_j over the free coordinates, for each of J participants (J, d)."""
        centre = np.tile(self.mu[self.free], (J, 1))
        return centre if self.design is None else centre + self.design @ self.effects

    def weights(self, J: int) -> np.ndarray:
        """The weight (J,) with which each of J participants has the population for a prior: one, but for those of a population
        of Student's t that were fitted with it."""
        return np.ones(J) if self.weight is None or len(self.weight) != J else self.weight

    def theta(self, h: np.ndarray) -> np.ndarray:
        """Parameters theta of coordinates h (..., D)."""
        probit = self.lower + (self.upper - self.lower) * ndtr(h)
        return np.where(self.kinds == PROBIT, probit, np.where(self.kinds == LOGIT, expit(h), np.exp(h)))

    def rescaled(self, factor: np.ndarray) -> "Population":
        """The same population where parameter k is factor[k] times as large (D,): of signals in other units."""
        mu = self.mu + np.where(self.kinds == LOG, np.log(factor), 0.0)
        return replace(self, mu=mu, lower=self.lower * factor, upper=self.upper * factor)

    def full(self, h: np.ndarray) -> np.ndarray:
        """Coordinates (..., D) of free coordinates (..., d)."""
        out = np.broadcast_to(self.mu, (*h.shape[:-1], len(self.mu))).copy()
        out[..., self.free] = h
        return out


@dataclass(frozen=True)
class Expectation:
    """The E-step of J participants: `mode` (J, D), mean `m` (J, d) and covariance `V` (J, d, d) of the free coordinates,
    `log_evidence` (J,) in nats, evaluations `n_eval` (J,) and `found` (J,), False where no mode was found. With quadrature
    also `centre` (J, d) and `scale` (J, d, d) of the nodes, h = centre + scale unit, their log p(y | h) with the rule's
    weights `logs` (J, N), and posterior weights `r` (J, N)."""

    mode: np.ndarray
    m: np.ndarray
    V: np.ndarray
    log_evidence: np.ndarray
    n_eval: np.ndarray
    found: np.ndarray
    centre: np.ndarray | None = None
    scale: np.ndarray | None = None
    logs: np.ndarray | None = None
    r: np.ndarray | None = None


def begin(one: Problem, settings: Settings, shared: bool, design: np.ndarray | None = None) -> Population:
    """The population before any data; with `shared` the rates are the same for everybody. `design` (J, C) is what is known of
    the participants."""
    roles = one.model.roles(one.n_arms)
    of_role = {"rate": (LOGIT, *START["logit"][0]), "probability": (LOGIT, *START["logit"][0])}
    of_role |= {"sensitivity": (LOG, *START["logit"][1])}
    box = (PROBIT, *START["probit"][0])
    kinds, mu, sd = np.array([box if settings.links == "probit" else of_role.get(role, box) for role in roles]).T
    kinds = kinds.astype(np.int64)
    free = np.flatnonzero(roles != "rate") if shared else np.arange(len(roles))
    d = len(free)
    if settings.moments == "sampled" and shared:
        raise InputError("moments are 'sampled', expected others where the rates are the same for everybody")
    moments = _automatic(d, settings.can_draw and not shared) if settings.moments == "auto" else settings.moments
    rule = np.empty((0, d)), np.empty(0), 0.0, np.eye(d)[None]
    if moments in ("quadrature", "sampled") and d <= GRID_DIMENSIONS:
        rule = *_grid(settings.nodes, d), 0.0, np.eye(d)[None]
    elif moments == "quadrature" or (moments == "sampled" and d <= MANY_DIMENSIONS):
        # Were the points the same for everybody, their error would be too, and would not average out over participants.
        normal = np.random.default_rng(0).standard_normal((TURNS, d, d))
        rule = *_points(settings.points, d), CAUTION, np.linalg.qr(normal)[0]
    effects = None if design is None else np.zeros((design.shape[1], d))
    start = Population(mu, np.diag(sd[free] ** 2), free, kinds, one.lower, one.upper, moments, *rule)
    freedom = (settings.freedom or FREEDOM) if settings.population == "student" else 0.0
    learns = freedom > 0.0 and not settings.freedom
    return replace(start, design=design, effects=effects, freedom=freedom, learns_freedom=learns)


def _automatic(d: int, can_draw: bool) -> Moments:
    """The moments that "auto" means in d dimensions."""
    if d <= FEW_DIMENSIONS or (d <= MANY_DIMENSIONS and not can_draw):
        return "quadrature"
    return "sampled" if can_draw else "laplace"


def expect(
    problems: Sequence[Problem], population: Population, earlier: Expectation | None = None, draft: bool = False
) -> Expectation:
    """The E-step, every participant on its own. Modes of an `earlier` one are tried as starts; where it has a grid, the new one
    is placed by its moments, without a mode, or stays if they have not moved. (Moments by a few points of many are too noisy to
    place the next by; those of draws are not.) With `draft` a first grid follows its own moments no further."""
    free, J = population.free, len(problems)
    d, N = len(free), len(population.nodes)
    prior = _prior(population, J)
    mode = np.tile(population.mu, (J, 1))
    mode[:, free] = prior.centres if earlier is None else earlier.mode[:, free]
    m, V, placed = prior.centres.copy(), np.zeros((J, d, d)), np.zeros(J, dtype=bool)
    nodes = np.zeros((J, d)), np.tile(np.eye(d), (J, 1, 1)), np.zeros((J, N))
    if d <= GRID_DIMENSIONS and earlier is not None and earlier.r is not None:
        m, V, placed = earlier.m.copy(), earlier.V.copy(), earlier.found
        nodes = earlier.centre.copy(), earlier.scale.copy(), earlier.logs.copy()
    elif population.moments == "sampled" and population.has_nodes and earlier is not None:
        m, V, placed = earlier.m.copy(), earlier.V.copy(), earlier.found
        nodes[0][placed] = np.nan  # nowhere yet
    out = Found(mode, m, V, np.zeros(J), np.zeros(J, dtype=np.int64), np.zeros(J, dtype=bool), *nodes, placed)
    words = [one.words for one in problems]
    begins = np.cumsum([0, *map(len, words[:-1])])
    links = Box(population.kinds, population.lower, population.upper)
    moments = HARD if population.moments == "hard" else QUADRATURE if population.has_nodes else LAPLACE
    take(np.concatenate(words), begins, links, prior, _nodes(population, problems[0], draft), moments, out)
    found = Expectation(mode, m, V, out.evidence, out.n_eval, out.found)
    return (
        found if moments != QUADRATURE else weigh(replace(found, centre=out.centre, scale=out.scale, logs=out.logs), population)
    )


def _prior(population: Population, J: int) -> Normal:
    """Of J participants, as compiled code takes it."""
    P = np.ascontiguousarray(np.linalg.inv(population.Sigma))
    constant = -0.5 * np.linalg.slogdet(2.0 * np.pi * population.Sigma)[1]
    return Normal(population.free, population.centres(J), P, population.weights(J), float(constant))


def _nodes(population: Population, one: Problem, draft: bool) -> Nodes:
    """The nodes of a population, as compiled code takes them."""
    grid, line = len(population.free) <= GRID_DIMENSIONS, 1
    if grid and population.has_nodes and on_a_line(one.episode, int(population.free[-1])):
        line = round(len(population.nodes) ** (1.0 / len(population.free)))
    placements = PLACEMENTS["grid" if grid else "points"] if not (grid and draft) else 1
    return Nodes(population.nodes, population.log_weights, population.turns, population.caution, placements, line)


def _arguments(population: Population, one: Problem) -> tuple[tuple, Episode]:
    return (population.kinds, population.lower, population.upper), one.episode


def weigh(expectation: Expectation, population: Population) -> Expectation:
    """The same nodes under another mu and Sigma. EM on given nodes is exact EM of a discrete problem, so it is monotone."""
    e = expectation
    out, r = fresh(e)
    weighed(out, _prior(population, len(out.m)), population.nodes, r)
    return replace(e, m=out.m, V=out.V, log_evidence=out.evidence, r=r)


def fresh(e: Expectation) -> tuple[Found, np.ndarray]:
    """An E-step with nodes as compiled code takes it, and their weights; moments, evidence and weights are copies."""
    m, V, evidence, r = e.m.copy(), e.V.copy(), e.log_evidence.copy(), np.empty_like(e.logs) if e.r is None else e.r.copy()
    return Found(e.mode, m, V, evidence, e.n_eval, e.found, e.centre, e.scale, e.logs, e.found), r


def _held(population: Population, start: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The coordinates of h that are the same for everybody, how far they are from the start's, and the sd of their prior."""
    held = np.setdiff1d(np.arange(len(population.mu)), population.free)
    sd = np.where(population.kinds[held] == LOGIT, START["logit"][0][1], START["probit"][0][1])
    return held, population.mu[held] - start.mu[held], sd
