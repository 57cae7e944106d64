"""Generalized EM for a population of participants, shared by the methods that pool them.

Participant j has parameters theta_k = link_k(h_jk), and h_j ~ N(mu, Sigma) (Huys et al. 2011, PLoS Comput. Biol. 7(4),
appendix; Piray et al. 2019, PLoS Comput. Biol. 15(6)). With log p(y_j, h_j) = -J(theta(h_j)) + log N(h_j; mu, Sigma),

    E   mode of h_j by safeguarded Newton, then mean m_j and covariance V_j of h_j given y_j, by Laplace's approximation or
        by quadrature on nodes placed around it (Naylor & Smith 1982, Appl. Stat. 31(3)), with p(y_j) on the way
    M   mu = mean m_j,    Sigma = mean[(m_j - mu)(m_j - mu)' + V_j]

The nodes are Gauss-Hermite's in two dimensions and quasi-random points beyond, weighted by importance: a grid of five
to a dimension costs 625 in four and is no better than 128 such points. These follow Student's t, for a normal misses the
tails of what the data say little about, and Sigma shrinks. Without V_j ("hard" EM) Sigma collapses.

The means include one more participant at the start's mu and one with the start's Sigma, lest a handful of participants make a
population of no width, and d + 1 whose coordinates are independent, lest they make one of chance correlations: of all diagonal
covariances theirs is the nearest to Sigma, 1 / (Sigma^-1)_kk, so that they say nothing of its size. (-log P_kk is convex in
P = Sigma^-1, so the M-step with the last P_kk never lowers the objective.) Coordinates of h that are the same for everybody are
held: they have no Sigma, and their M-step is a Newton step on sum_j E[-J_j].
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import chdtri, expit, logsumexp, ndtr, ndtri

from ..data.dataset import Dataset
from ..errors import InputError
from ..identification import settle
from ..methods import Outcome
from ..models.families import get_model
from ..models.likelihood import Problem, problem
from ..models.traces import Episode
from .newton import LOG, LOGIT, PROBIT, best_start, climb, expected, quadrature

Links = Literal["probit", "logit"]
Moments = Literal["auto", "quadrature", "laplace", "hard"]

# Where the population starts, and the prior where it is fixed: mu and sd of each alpha and beta, per links. Probit: uniform
# on the box. Logit: nearly uniform alpha (the uniform's logit has sd 1.8), and beta between .4 and 19 in 95 of 100.
START = {"probit": ((0.0, 1.0), (0.0, 1.0)), "logit": ((0.0, 1.8), (1.0, 1.0))}
GRID_DIMENSIONS = 2  # up to which nodes are a grid
AUTO_DIMENSIONS = 20  # up to which "auto" means quadrature
TURNS = 64  # rotations of quasi-random points
FREEDOM = 10  # degrees of freedom of quasi-random points: fewer waste points in 20 dimensions, more miss tails in 8
PLACEMENTS = {"grid": 2, "points": 3}  # how often nodes follow the moments that they gave
CAUTION = 4.0  # effective points per dimension at which placing quasi-random points follows half of what they say
INNER = 30  # EM steps on the same nodes, before they are placed anew
SUPPORT = 0.8  # share of their effective number at which nodes no longer support the population that moves away from them
WINDOW = 3  # rounds whose objectives are averaged to tell a rise from quadrature error
PATIENCE = 6  # rounds without a better objective that end the fit
Z_95 = 1.959963984540054  # the 97.5 % point of the standard normal
EACH = 2  # participants per parameter of the population, from which on the information in their scores is one
FORGET = 0.7  # step n of the online mode has weight n^-FORGET (Cappe & Moulines 2009, JRSS B 71(3): between .5 and 1)
ONLINE_TOLERANCE = 1e-2  # change from pass to pass that counts as noise of the mini-batches, so the least tolerance there


@dataclass(frozen=True)
class Settings:
    """How a population is fitted.

    links       "probit": theta = lower + (upper - lower) Phi(h) on the bounds of the fit, so that a standard normal h is a
                uniform theta; "logit": rates and lapse 1 / (1 + exp(-h)), sensitivities exp(h), which knows no bounds (what may
                have either sign is as with "probit")
    moments     of h_j: "quadrature", "laplace", "hard" (the mode without its uncertainty: an ablation), or "auto":
                quadrature in up to 20 dimensions, Laplace beyond, where importance leaves too few points
    prior       "learned" from the participants, or "fixed" at the start's (an ablation: nothing is pooled)
    nodes       of the quadrature per dimension, in up to two dimensions
    points      of the quadrature in all, in more dimensions (a power of two)
    iterations  rounds at most (with batch: passes over the participants)
    tolerance   largest change of mu (in sd) and Sigma (relative) in the last round
    batch       participants per step of the online mode, or 0: all participants in every round
    """

    links: Links = "probit"
    moments: Moments = "auto"
    prior: Literal["learned", "fixed"] = "learned"
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
    """A fitted population: h_j ~ N(mu, Sigma) over the coordinates `free` of h; the others are mu for everybody.

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


def begin(one: Problem, settings: Settings, shared: bool) -> Population:
    """The population before any data; with `shared` the rates are the same for everybody."""
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
    return Population(mu, np.diag(sd[free] ** 2), free, kinds, one.lower, one.upper, moments, *rule)


def _grid(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite nodes (n^d, d) in standard units, and the logarithm of their weight over the standard normal density."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    unit = np.stack(np.meshgrid(*[x] * d, indexing="ij"), axis=-1).reshape(-1, d)
    log_w = np.stack(np.meshgrid(*[np.log(w)] * d, indexing="ij"), axis=-1).reshape(-1, d)
    return unit, (log_w + 0.5 * unit**2).sum(axis=1)  # w is for exp(-x^2 / 2): the constants of the density cancel


def _points(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Likewise n Sobol points of Student's t with FREEDOM degrees, always the same: in pairs of opposite sign, and moved until
    their weights give a standard normal its evidence and its first two moments exactly."""
    from scipy.stats.qmc import Sobol

    uniform = Sobol(d + 1, seed=0).random(n // 2)
    half = ndtri(uniform[:, :d]) * np.sqrt(FREEDOM / chdtri(FREEDOM, uniform[:, d:]))
    unit = np.concatenate([half, -half])
    log_r = 0.5 * (FREEDOM + d) * np.log1p((unit**2).sum(axis=1) / FREEDOM) - 0.5 * (unit**2).sum(axis=1)
    log_r -= logsumexp(log_r)  # the normal density over Student's
    L = np.linalg.cholesky(unit.T @ (np.exp(log_r)[:, None] * unit))
    unit = np.ascontiguousarray(solve_triangular(L, unit.T, lower=True).T)
    return unit, log_r + 0.5 * (unit**2).sum(axis=1) + 0.5 * d * np.log(2.0 * np.pi)


def expect(problems: Sequence[Problem], population: Population, modes: np.ndarray | None = None) -> Expectation:
    """The E-step, every participant on its own; `modes` (J, D) of an earlier one are tried as starts."""
    free, Sigma = population.free, population.Sigma
    mu, P, sd = population.mu[free], np.linalg.inv(Sigma), np.sqrt(np.diag(Sigma))
    constant = -0.5 * np.linalg.slogdet(2.0 * np.pi * Sigma)[1]
    J, d, N = len(problems), len(free), len(population.nodes)
    mode = np.tile(population.mu, (J, 1))
    if modes is not None:
        mode[:, free] = modes[:, free]
    m, V = np.tile(mu, (J, 1)), np.zeros((J, d, d))
    centre, scale, logs = np.zeros((J, d)), np.tile(np.eye(d), (J, 1, 1)), np.zeros((J, N))
    evidence, n_eval, found = np.zeros(J), np.zeros(J, dtype=np.int64), np.zeros(J, dtype=bool)
    K = np.empty((d, d))
    for j, participant in enumerate(problems):
        links, episode = _arguments(population, participant)
        n_grid = best_start(mode[j], free, mu, sd, P, *links, episode)
        likelihood, n_climb, found[j] = climb(mode[j], free, mu, P, *links, episode, K)
        n_eval[j] = n_grid + n_climb
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
            unit = population.turns[j % len(population.turns)], population.nodes, population.log_weights, population.caution
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
    # The prior's z = L^-1 (h - mu) is b + A unit: its square, and the moments of h, are sums over unit and its products.
    A = np.linalg.solve(L, expectation.scale)
    b = np.linalg.solve(L, (expectation.centre - population.mu[population.free]).T).T
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


def _statistics(expectation: Expectation) -> tuple[np.ndarray, np.ndarray]:
    """Means over the participants found of m and of m m' + V."""
    m, V = expectation.m[expectation.found], expectation.V[expectation.found]
    return m.mean(axis=0), (m[:, :, None] * m[:, None, :] + V).mean(axis=0)


def _maximise(population: Population, start: Population, statistics: tuple[np.ndarray, np.ndarray], J: int) -> Population:
    """The M-step of mu and Sigma from statistics of J participants."""
    first, second = statistics
    nu = len(first) + 1
    origin = start.mu[population.free]
    mu = population.mu.copy()
    mu[population.free] = centre = (J * first + origin) / (J + 1)
    spread = J * (second - np.outer(first, first) + np.outer(first - centre, first - centre))
    independent = nu * np.diag(1.0 / np.diag(np.linalg.inv(population.Sigma)))
    Sigma = (spread + np.outer(centre - origin, centre - origin) + start.Sigma + independent) / (J + 2 + nu)
    return replace(population, mu=mu, Sigma=Sigma)


def _objective(expectation: Expectation, population: Population, start: Population) -> float:
    """sum_j log p(y_j), with the log priors of mu, of Sigma and of what is the same for everybody."""
    off_mu, nu = (population.mu - start.mu)[population.free], len(population.free) + 1
    P = np.linalg.inv(population.Sigma)
    pull = (P * (start.Sigma + np.outer(off_mu, off_mu))).sum() + nu * np.log(np.diag(P)).sum()
    penalty = (nu + 2) * np.linalg.slogdet(population.Sigma)[1] + pull
    held, off, sd = _held(population, start)
    return float(expectation.log_evidence[expectation.found].sum() - 0.5 * (penalty + ((off / sd) ** 2).sum()))


def _held(population: Population, start: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The coordinates of h that are the same for everybody, how far they are from the start's, and the sd of their prior."""
    held = np.setdiff1d(np.arange(len(population.mu)), population.free)
    sd = np.where(population.kinds[held] == LOGIT, START["logit"][0][1], START["probit"][0][1])
    return held, population.mu[held] - start.mu[held], sd


def _change(after: Population, before: Population) -> float:
    """The largest change: of mu in sd (of what is the same for everybody, in link units), of Sigma relative to sd sd'."""
    sd = np.sqrt(np.diag(after.Sigma))
    scale = np.ones(len(after.mu))
    scale[after.free] = sd
    return max(np.abs((after.mu - before.mu) / scale).max(), np.abs((after.Sigma - before.Sigma) / np.outer(sd, sd)).max())


def _cubature(population: Population, m: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (2 d, d) and weights with mean m and covariance V (the cubature of third degree); the mode alone if hard."""
    d = len(m)
    if population.moments == "hard":
        return m[None], np.ones(1)
    L = np.sqrt(d) * np.linalg.cholesky(V).T
    return np.concatenate([m + L, m - L]), np.full(2 * d, 0.5 / d)


def _score(problems, population: Population, expectation: Expectation, start: Population, J: int):
    """What the participants found say of h_held, scaled to J of them: Q, the expected log-likelihood with its log prior; its
    gradient, curvature and Fisher's; and each participant's gradient (n, held)."""
    D = len(population.mu)
    held, off, sd = _held(population, start)
    H, F, value, scores = np.zeros((D, D)), np.zeros((D, D)), 0.0, []
    for j in np.flatnonzero(expectation.found):
        g = np.zeros(D)
        if len(population.free) <= GRID_DIMENSIONS and expectation.r is not None:
            points = expectation.centre[j] + population.nodes @ expectation.scale[j].T, expectation.r[j]
        else:
            points = _cubature(population, expectation.m[j], expectation.V[j])
        links, episode = _arguments(population, problems[j])
        value += expected(*points, population.mu, population.free, *links, episode, g, H, F)
        scores.append(g[held])
    scores = np.array(scores)
    scale = J / len(scores)
    block = np.ix_(held, held)
    prior = np.diag(sd**-2.0)
    Q = scale * value - 0.5 * ((off / sd) ** 2).sum()
    return Q, scale * scores.sum(axis=0) - off / sd**2, scale * H[block] - prior, scale * F[block] - prior, scores


def _step_held(problems, population: Population, expectation: Expectation, start: Population, J: int, weight: float):
    """The M-step of what is the same for everybody: a Newton step, halved until Q rises, times `weight`; and the
    evaluations it took per participant."""
    held = _held(population, start)[0]
    if not len(held):
        return population, 0
    Q, gradient, H, F, _ = _score(problems, population, expectation, start, J)
    step = np.linalg.solve(-H if np.linalg.eigvalsh(H).max() < 0 else -F, gradient)
    step /= max(1.0, np.abs(step).max())
    tries = 1
    while _score(problems, _moved(population, held, step), expectation, start, J)[0] < Q and tries < 20:
        step /= 2.0
        tries += 1
    few = len(population.free) <= GRID_DIMENSIONS and expectation.r is not None
    points = len(population.nodes) if few else 2 * len(population.free)
    return _moved(population, held, weight * step), (1 + tries) * points


def _moved(population: Population, held: np.ndarray, step: np.ndarray) -> Population:
    mu = population.mu.copy()
    mu[held] += step
    return replace(population, mu=mu)


def _held_sd(parts: Iterable[tuple], population: Population, start: Population) -> np.ndarray | float:
    """Standard errors of what is the same for everybody, from the information sum_j s_j s_j' in the participants' scores of
    h_held and mu (Fisher's identity: s_j is the expected complete score), and the log priors' own. `parts` are participants'
    problems with their E-step."""
    held, _, sd = _held(population, start)
    if not len(held):
        return 0.0
    information = np.diag(np.concatenate([sd**-2.0, 1.0 / np.diag(start.Sigma)]))
    for problems, expectation in parts:
        found = expectation.found
        if not found.any():
            continue
        of_mu = np.linalg.solve(population.Sigma, (expectation.m[found] - population.mu[population.free]).T).T
        scores = np.hstack([_score(problems, population, expectation, start, int(found.sum()))[4], of_mu])
        information += scores.T @ scores
    out = np.zeros(len(population.mu))
    out[held] = np.sqrt(np.diag(np.linalg.inv(information)))[: len(held)]
    return out


def standard_errors(population: Population, expectation: Expectation, start: Population) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors (D,) of mu and of the sds of h_j, from the information sum_j s_j s_j' in the participants' scores of mu
    and Sigma (Fisher's identity, as in `_held_sd`) and that of the prior, which is worth 1 participant of mu, 2 of the sds
    and d + 3 of the correlations. The inverse of a sum of J squares of p numbers is on average J / (J - p - 1) times too large
    (Wishart's), which is put right. Modes without their uncertainty (hard) have no such scores, and no errors (NaN).

    Where participants are fewer than EACH to a parameter, Sigma's correlations count as known; where they still are, the
    information is not there, and neither are the errors (NaN). What is the same for everybody has no sd.
    """
    found, d = expectation.found, len(population.free)
    J = int(found.sum())
    a, b = np.tril_indices(d)
    if EACH * (d + len(a)) > J:
        a = b = np.arange(d)
    mean_se, sd_se = np.full((2, len(population.mu)), np.nan)
    held = _held(population, start)[0]
    mean_se[held] = np.broadcast_to(population.held_sd, len(population.mu))[held]
    if EACH * (d + len(a)) > J or population.moments == "hard":
        return mean_se, sd_se
    P = np.linalg.inv(population.Sigma)
    off = (expectation.m[found] - population.mu[population.free]) @ P
    spread = 0.5 * (off[:, :, None] * off[:, None, :] + P @ expectation.V[found] @ P - P)
    twice = np.where(a == b, 1.0, 2.0)  # an element off the diagonal stands in Sigma twice
    scores = np.hstack([off, twice * spread[:, a, b]])
    prior = np.zeros((d + len(a), d + len(a)))
    prior[:d, :d] = P
    both = P[np.ix_(a, a)] * P[np.ix_(b, b)] + P[np.ix_(a, b)] * P[np.ix_(b, a)]
    worth = np.where(a == b, 2.0, d + 3.0)
    prior[d:, d:] = 0.25 * np.sqrt(np.outer(worth, worth)) * np.outer(twice, twice) * both
    information = J / (J - scores.shape[1] - 1) * scores.T @ scores
    se = np.sqrt(np.diag(np.linalg.inv(information + prior)))
    mean_se[population.free] = se[:d]
    sd_se[population.free] = se[d:][a == b] / (2.0 * np.sqrt(np.diag(population.Sigma)))
    return mean_se, sd_se


def learn(
    problems: Sequence[Problem], settings: Settings, rng: np.random.Generator, shared: bool = False
) -> tuple[Population, Expectation | None]:
    """Fits the population to its participants, and returns it with its E-step.

    The iterate with the best objective is kept, and EM ends, not converged, after PATIENCE rounds without a better one: with
    Laplace's approximation it may head away from its maximum. With quadrature the objective rises on given nodes, but every
    round places them anew; EM has then converged also when the objective goes up and down, and from WINDOW rounds to the next
    by less than it varies among them. The online mode keeps its last iterate and holds nothing of the participants: its
    E-step is None. Raises ArithmeticError if no participant has a mode.
    """
    start = population = begin(problems[0], settings, shared)
    if settings.batch:
        return _learn_online(problems, settings, rng, start), None
    J, trace, n_eval, modes = len(problems), [], 0.0, None
    converged, reason = False, f"the limit of {settings.iterations} rounds was met"
    for _ in range(settings.iterations):
        expectation = expect(problems, population, modes)
        if not expectation.found.any():
            raise ArithmeticError("no participant has a mode of finite likelihood")
        modes = expectation.mode
        n_eval += expectation.n_eval.mean()
        trace.append(_objective(expectation, population, start))
        if trace[-1] >= max(trace):
            best, kept = (population, expectation), len(trace)
        before = population
        if settings.prior == "learned":
            population, expectation = _inner(population, expectation, start, settings.tolerance)
        population, spent = _step_held(problems, population, expectation, start, J, 1.0)
        n_eval += spent
        change = _change(population, before)
        if change < settings.tolerance:
            converged, reason = True, f"round {len(trace)} changed the population by {change:.1g}, less than the tolerance"
            break
        if start.moments == "quadrature" and (noise := _noise(trace)) is not None:
            converged, reason = True, f"the objective goes up and down by {noise:.2g} nats, quadrature error, and moves by less"
            break
        if len(trace) - kept == PATIENCE:
            reason = f"{PATIENCE} rounds brought no better objective"
            break
    population, expectation = best
    reason += f"; round {kept} had the best objective"
    held_sd = _held_sd([(problems, expectation)], population, start)
    end = {"objective": tuple(trace), "kept": kept, "converged": converged, "reason": reason}
    return replace(population, **end, n_eval=n_eval, held_sd=held_sd), expectation


def _noise(trace: list[float]) -> float | None:
    """The range in nats of the last WINDOW objectives, if they go up and down, and differ by less from the WINDOW before."""
    last, earlier = np.array(trace[-WINDOW:]), trace[-2 * WINDOW : -WINDOW]
    steps = np.diff(last)
    if len(earlier) < WINDOW or (steps > 0).all() or (steps < 0).all():
        return None
    return np.ptp(last) if abs(last.mean() - np.mean(earlier)) < np.ptp(last) else None


def _inner(population, expectation, start, tolerance) -> tuple[Population, Expectation]:
    """EM steps of mu and Sigma on the nodes of one E-step; a single M-step where there are no nodes. They end where the nodes
    no longer support the population that moves away from them: its likelihood on them would be fiction."""
    J = int(expectation.found.sum())
    if expectation.r is None:
        return _maximise(population, start, _statistics(expectation), J), expectation
    at_first = _effective(expectation)
    for _ in range(INNER):
        before = population
        population = _maximise(population, start, _statistics(expectation), J)
        expectation = weigh(expectation, population)
        if _change(population, before) < tolerance / 10.0 or _effective(expectation) < SUPPORT * at_first:
            break
    return population, expectation


def _effective(expectation: Expectation) -> float:
    """The effective number of nodes per participant, the median."""
    return float(np.median(1.0 / (expectation.r[expectation.found] ** 2).sum(axis=1)))


def _learn_online(problems, settings: Settings, rng: np.random.Generator, start: Population) -> Population:
    """EM on mini-batches with decayed statistics, S <- (1 - w) S + w S_batch: memory does not grow with the participants."""
    J, trace, n_eval, step = len(problems), [], 0.0, 0
    population, statistics = start, (0.0, 0.0)
    converged, reason = False, f"the limit of {settings.iterations} passes was met"
    for _ in range(settings.iterations):
        before, total = population, 0.0
        order = rng.permutation(J)
        for first in range(0, J, settings.batch):
            batch = [problems[j] for j in order[first : first + settings.batch]]
            expectation = expect(batch, population)
            n_eval += expectation.n_eval.sum() / J
            if not expectation.found.any():
                continue
            step += 1
            weight = step**-FORGET
            total += float(expectation.log_evidence[expectation.found].sum())
            pairs = zip(statistics, _statistics(expectation), strict=True)
            statistics = tuple((1.0 - weight) * old + weight * new for old, new in pairs)
            if settings.prior == "learned":
                population = _maximise(population, start, statistics, J)
            population, spent = _step_held(batch, population, expectation, start, J, weight)
            n_eval += spent * len(batch) / J
        if step == 0:
            raise ArithmeticError("no participant has a mode of finite likelihood")
        trace.append(total)
        change = _change(population, before)
        if change < max(settings.tolerance, ONLINE_TOLERANCE):
            converged, reason = True, f"pass {len(trace)} changed the population by {change:.1g}, less than mini-batch noise"
            break
    batches = ([problems[j] for j in range(first, min(first + settings.batch, J))] for first in range(0, J, settings.batch))
    held_sd = _held_sd(((batch, expect(batch, population)) for batch in batches), population, start)
    end = {"objective": tuple(trace), "kept": len(trace), "converged": converged, "reason": reason}
    return replace(population, **end, n_eval=n_eval, held_sd=held_sd)


def estimate(population: Population, expectation: Expectation) -> dict[str, np.ndarray]:
    """Per participant on the natural scale, arrays (J, D): `median`, 95 % limits `lower` and `upper`, and `sd`.

    A quantile is link(m + sd (z + (z^2 - 1) skewness / 6)), Cornish and Fisher's expansion (1938); without quadrature the
    skewness is not known and counts as zero, so that the median is link(mode), and the sd is that of a normal h.
    """
    J, D = len(expectation.m), len(population.mu)
    sd = np.sqrt(np.diagonal(expectation.V, axis1=1, axis2=2))
    spread, skewness = np.broadcast_to(population.held_sd, (J, D)).copy(), np.zeros((J, D))
    spread[:, population.free] = sd
    middle = population.full(expectation.m)
    x, w = np.polynomial.hermite_e.hermegauss(9)
    natural_sd = _sd(population.theta(middle + x[:, None, None] * spread), w / w.sum())
    if expectation.r is not None:
        third = np.empty_like(sd)
        for j, r in enumerate(expectation.r):
            off = (population.nodes - r @ population.nodes) @ expectation.scale[j].T
            third[j] = r @ off**3
            at = population.theta(population.full(expectation.m[j] + off))
            natural_sd[j, population.free] = _sd(at, r)[population.free]
        # A few nodes may make the skewness of a lopsided posterior too large for an expansion in it.
        skewness[:, population.free] = np.clip(np.divide(third, sd**3, out=np.zeros_like(sd), where=sd > 0), -1.0, 1.0)
    quantile = lambda z: population.theta(middle + spread * (z + (z**2 - 1.0) * skewness / 6.0))  # noqa: E731
    return {
        "median": quantile(0.0),
        "lower": quantile(-Z_95),
        "upper": quantile(Z_95),
        "sd": natural_sd,
    }


def _sd(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sd over the first axis, whose weights sum to one."""
    mean = np.tensordot(weights, values, axes=1)
    return np.sqrt(np.tensordot(weights, (values - mean) ** 2, axes=1))


def fit(problems: list[Problem], settings: Settings, rng: np.random.Generator, shared: bool) -> list[Outcome]:
    """Every participant's Outcome: the posterior medians as its parameters, and `posterior` with 95 % intervals. Its
    `diagnostics` hold log_evidence, log p(y_j) in nats, the effective number of quadrature nodes `ess` where there are nodes,
    and of the whole population the rounds and the best objective. Intervals are given the population: they leave out what is
    not known of mu and Sigma themselves."""
    begin_time = perf_counter()
    population, expectation = learn(problems, settings, rng, shared)
    size = settings.batch or len(problems)
    outcomes = []
    for first in range(0, len(problems), size):
        part = problems[first : first + size]
        expectation_part = expectation or expect(part, population)
        estimates = estimate(population, expectation_part)
        for j, one in enumerate(part):
            outcomes.append(_outcome(one, population, expectation_part, {k: v[j] for k, v in estimates.items()}, j))
    message = "" if settings.links == "logit" else _at_bounds(problems, outcomes)
    t_solve = perf_counter() - begin_time
    for outcome in outcomes:
        outcome.t_solve = t_solve
        if outcome.status != "failed":
            outcome.message += message
    return outcomes


def _at_bounds(problems: list[Problem], outcomes: list[Outcome]) -> str:
    """How many people end at a bound with a parameter that their choices identify, in words, per parameter and bound; each is
    counted once, whichever the arm."""
    names = [re.sub(r",?\d+\]", "]", name).removesuffix("[]") for name in problems[0].model.theta_names(problems[0].n_arms)]
    counts: Counter[tuple[str, str]] = Counter()
    for one, outcome in zip(problems, outcomes, strict=True):
        if outcome.status != "failed":
            theta, unidentified = settle(one, outcome.parameters(one))
            sides = zip(names, one.at_bound(theta), unidentified, strict=True)
            counts.update({(name, "lower" if side < 0 else "upper") for name, side, unknown in sides if side and not unknown})
    return "".join(
        f"; {counts[name, bound]} of {len(problems)} people end at the {bound} bound of {name}"
        for name in dict.fromkeys(names)
        for bound in ("lower", "upper")
        if counts[name, bound]
    )


def _outcome(one: Problem, population: Population, expectation: Expectation, theta: dict, j: int) -> Outcome:
    n_eval = int(population.n_eval + expectation.n_eval[j])
    if not expectation.found[j]:
        return Outcome("failed", message="no mode of finite likelihood was found", n_eval=n_eval)
    posterior = {}
    if population.moments != "hard":
        posterior = {f"{name}_{what}": part for what, all_ in theta.items() for name, part in one.named(all_).items()}
    return Outcome(
        status="converged" if population.converged else "limit",
        **one.estimate(theta["median"]),
        nll=one.nll_theta(theta["median"]),
        message=population.reason,
        n_eval=n_eval,
        diagnostics={
            "log_evidence": float(expectation.log_evidence[j]),
            **({} if expectation.r is None else {"ess": float(1.0 / (expectation.r[j] ** 2).sum())}),
            "rounds": float(len(population.objective)),
            "objective": population.objective[population.kept - 1],
        },
        posterior=posterior or None,
    )


def warm_up(shared: bool) -> None:
    """Compiles (or loads from the cache) with two steps of two participants."""
    data = Dataset("warm-up", np.array([[0, 1]]), np.ones((1, 2)), n_arms=2)
    model = get_model("forgetting")
    problems = [problem(data, 0, model, model.default_bounds)] * 2
    fit(problems, Settings(iterations=1), np.random.default_rng(0), shared)
