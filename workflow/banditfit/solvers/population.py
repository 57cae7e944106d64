"""A population and its members under it: the E-step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import expit, logsumexp, ndtr

from ..errors import InputError
from ..models.likelihood import Problem
from ..models.traces import Episode
from .newton import LOG, LOGIT, PROBIT, best_start, climb, quadrature
from .nodes import _grid, _points

Links = Literal["probit", "logit"]
Prior = Literal["learned", "fixed"]
Moments = Literal["auto", "quadrature", "variational", "laplace", "hard"]
# Where the population starts, and the prior where it is fixed: mu and sd of each alpha and beta, per links. Probit: uniform
# on the box. Logit: nearly uniform alpha (the uniform's logit has sd 1.8), and beta between .4 and 19 in 95 of 100.
START = {"probit": ((0.0, 1.0), (0.0, 1.0)), "logit": ((0.0, 1.8), (1.0, 1.0))}
GRID_DIMENSIONS = 2  # up to which nodes are a grid
AUTO_DIMENSIONS = 20  # up to which "auto" means quadrature
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
                mode without its uncertainty: an ablation), or "auto": quadrature in up to 20 dimensions, Laplace beyond, where
                importance leaves too few points and a variational fit takes seconds
    prior       "learned" from the participants, or "fixed" at the start's (an ablation: nothing is pooled)
    nodes       of the quadrature per dimension, in up to two dimensions
    points      of the quadrature in all, in more dimensions (a power of two)
    iterations  rounds at most (with batch: passes over the participants)
    tolerance   largest change of mu (in sd) and Sigma (relative) in the last round
    batch       participants per step of the online mode, or 0: all participants in every round
    """

    links: Links = "probit"
    moments: Moments = "auto"
    prior: Prior = "learned"
    nodes: int = 9
    points: int = 1024
    iterations: int = 200
    tolerance: float = 1e-3
    batch: int = 0

    def __post_init__(self):
        for name, least in (("nodes", 3), ("iterations", 1), ("batch", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.points < 32 or self.points & (self.points - 1):
            raise InputError(f"points is {self.points}, expected a power of two, at least 32")
        if not self.tolerance > 0:
            raise InputError(f"tolerance is {self.tolerance:g}, expected a positive number")

    @property
    def pools(self) -> bool:
        """Whether the participants inform one another; under a fixed prior each is fitted alone."""
        return self.prior == "learned"


@dataclass(frozen=True)
class Population:
    """A fitted population: h_j ~ N(mu, Sigma) over the coordinates `free` of h; the others are mu for everybody. Where people
    differ in what is known of them, the rows x_j of `design` (J, C), it is h_j ~ N(mu + effects' x_j, Sigma), effects (C, d).

    mu (D,), Sigma (d, d), free (d,), kinds (D,), lower, upper (D,) the links and their bounds, `moments`, and `nodes` (N, d)
    in standard units with the logarithms of weight / density `log_weights` (N,), the `caution` in placing them, and `turns`
    (TURNS or 1, d, d), the rotations that participants meet them in.
    `objective` is the trace of sum_j log p(y_j) in nats (hard: of the joint density) with the log priors of the population
    (online: without, and each participant's under the population that its mini-batch met),
    `kept` the round of it that these are, `converged` and `reason` say how the fit ended, `n_eval` is the likelihood
    evaluations per participant, and `held_sd` (D,) the standard error of what is the same for everybody (zero elsewhere).
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

    def centres(self, J: int) -> np.ndarray:
        """The mean of h_j over the free coordinates, for each of J participants (J, d)."""
        centre = np.tile(self.mu[self.free], (J, 1))
        return centre if self.design is None else centre + self.design @ self.effects

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
    moments = settings.moments
    if moments == "auto":
        moments = "quadrature" if d <= AUTO_DIMENSIONS else "laplace"
    rule = np.empty((0, d)), np.empty(0), 0.0, np.eye(d)[None]
    if moments == "quadrature" and d <= GRID_DIMENSIONS:
        rule = *_grid(settings.nodes, d), 0.0, np.eye(d)[None]
    elif moments == "quadrature":
        # Were the points the same for everybody, their error would be too, and would not average out over participants.
        normal = np.random.default_rng(0).standard_normal((TURNS, d, d))
        rule = *_points(settings.points, d), CAUTION, np.linalg.qr(normal)[0]
    effects = None if design is None else np.zeros((design.shape[1], d))
    start = Population(mu, np.diag(sd[free] ** 2), free, kinds, one.lower, one.upper, moments, *rule)
    return replace(start, design=design, effects=effects)


def expect(problems: Sequence[Problem], population: Population, earlier: Expectation | None = None) -> Expectation:
    """The E-step, every participant on its own. Modes of an `earlier` one are tried as starts; where it has a grid, the new one
    is placed by its moments, without a mode. (Moments by a few points of many are too noisy to place the next by.)"""
    free, Sigma = population.free, population.Sigma
    P, sd = np.linalg.inv(Sigma), np.sqrt(np.diag(Sigma))
    constant = -0.5 * np.linalg.slogdet(2.0 * np.pi * Sigma)[1]
    J, d, N = len(problems), len(free), len(population.nodes)
    centres = population.centres(J)
    mode = np.tile(population.mu, (J, 1))
    mode[:, free] = centres if earlier is None else earlier.mode[:, free]
    m, V = centres.copy(), np.zeros((J, d, d))
    centre, scale, logs = np.zeros((J, d)), np.tile(np.eye(d), (J, 1, 1)), np.zeros((J, N))
    evidence, n_eval, found = np.zeros(J), np.zeros(J, dtype=np.int64), np.zeros(J, dtype=bool)
    K = np.empty((d, d))
    for j, participant in enumerate(problems):
        (links, episode), mu = _arguments(population, participant), centres[j]
        unit = population.turns[j % len(population.turns)], population.nodes, population.log_weights, population.caution
        if d <= GRID_DIMENSIONS and earlier is not None and earlier.r is not None and earlier.found[j]:
            m[j], V[j] = earlier.m[j], earlier.V[j]
            centre[j] = m[j]
            found[j] = quadrature(m[j], V[j], *unit, mode[j], free, mu, P, *links, episode, scale[j], logs[j])
            n_eval[j] = N
            if found[j]:
                continue
        n_grid = best_start(mode[j], free, mu, sd, P, *links, episode)
        likelihood, n_climb, found[j] = climb(mode[j], free, mu, P, *links, episode, K)
        n_eval[j] += n_grid + n_climb
        if not found[j]:
            continue
        m[j] = mode[j, free]
        evidence[j] = likelihood + constant - 0.5 * (m[j] - mu) @ P @ (m[j] - mu)
        if population.moments == "hard":
            continue
        laplace = np.linalg.inv(K)
        V[j] = laplace
        if population.moments == "laplace":
            evidence[j] += 0.5 * np.linalg.slogdet(2.0 * np.pi * laplace)[1]
            continue
        # Nodes around the mode give moments, and nodes around these better ones; if those are too few, earlier ones remain.
        for placements in range(PLACEMENTS["grid" if d <= GRID_DIMENSIONS else "points"], 0, -1):
            m[j], V[j] = mode[j, free], laplace
            for _ in range(placements):
                centre[j] = m[j]
                found[j] = quadrature(m[j], V[j], *unit, mode[j], free, mu, P, *links, episode, scale[j], logs[j])
                n_eval[j] += N
                if not found[j]:
                    break
            if found[j]:
                break
    if population.moments != "quadrature":
        return Expectation(mode, m, V, evidence, n_eval, found)
    return weigh(Expectation(mode, m, V, evidence, n_eval, found, centre, scale, logs), population)


def _arguments(population: Population, one: Problem) -> tuple[tuple, Episode]:
    return (population.kinds, population.lower, population.upper), one.episode


def weigh(expectation: Expectation, population: Population) -> Expectation:
    """The same nodes under another mu and Sigma. EM on given nodes is exact EM of a discrete problem, so it is monotone."""
    d, unit = len(population.free), population.nodes
    pairs = (unit[:, :, None] * unit[:, None, :]).reshape(len(unit), d * d)
    L = np.linalg.cholesky(population.Sigma)
    # The prior's z = L^-1 (h - its mean) is b + A unit: its square, and the moments of h, are sums over unit and its products.
    A = np.linalg.solve(L, expectation.scale)
    b = np.linalg.solve(L, (expectation.centre - population.centres(len(expectation.centre))).T).T
    squares = (b**2).sum(axis=1)[:, None] + 2.0 * np.einsum("jab,ja->jb", A, b) @ unit.T
    squares += (A.transpose(0, 2, 1) @ A).reshape(-1, d * d) @ pairs.T
    joint = expectation.logs - 0.5 * squares - np.log(np.diag(L)).sum() - 0.5 * d * np.log(2.0 * np.pi)
    evidence = logsumexp(joint, axis=1)
    r = np.exp(joint - evidence[:, None])
    mean = r @ unit
    spread = (r @ pairs).reshape(-1, d, d) - mean[:, :, None] * mean[:, None, :]
    m = expectation.centre + np.einsum("jab,jb->ja", expectation.scale, mean)
    V = expectation.scale @ spread @ expectation.scale.transpose(0, 2, 1)
    return replace(expectation, m=m, V=V, log_evidence=evidence, r=r)


def _held(population: Population, start: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The coordinates of h that are the same for everybody, how far they are from the start's, and the sd of their prior."""
    held = np.setdiff1d(np.arange(len(population.mu)), population.free)
    sd = np.where(population.kinds[held] == LOGIT, START["logit"][0][1], START["probit"][0][1])
    return held, population.mu[held] - start.mu[held], sd
