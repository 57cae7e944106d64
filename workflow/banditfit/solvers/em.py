"""Generalized EM for a population of participants, shared by the methods that pool them.

Participant j has parameters theta_k = link_k(h_jk), and h_j ~ N(mu, Sigma) (Huys et al. 2011, PLoS Comput. Biol. 7(4),
appendix; Piray et al. 2019, PLoS Comput. Biol. 15(6)). With log p(y_j, h_j) = -J(theta(h_j)) + log N(h_j; mu, Sigma),

    E   mode of h_j by safeguarded Newton, then mean m_j and covariance V_j of h_j given y_j, by Laplace's approximation or
        by quadrature on nodes placed around it (Naylor & Smith 1982, Appl. Stat. 31(3)), with p(y_j) on the way
    M   mu = mean m_j,    Sigma = mean[(m_j - mu)(m_j - mu)' + V_j]

What is known of people, x_j (centred), may move their mean: h_j ~ N(mu + B' x_j, Sigma). Then B is the least-squares fit of
m_j - mu by x_j, the same for all coordinates whatever Sigma is, and mu and Sigma are those of m_j - B' x_j.

The nodes are Gauss-Hermite's in two dimensions and quasi-random points beyond, weighted by importance: a grid of five
to a dimension costs 625 in four and is no better than 128 such points. These follow Student's t, for a normal misses the
tails of what the data say little about, and Sigma shrinks. Without V_j ("hard" EM) Sigma collapses.

The means include one more participant at the start's mu and one with the start's Sigma, lest a handful of participants make a
population of no width, and d + 1 whose coordinates are independent, lest they make one of chance correlations: of all diagonal
covariances theirs is the nearest to Sigma, 1 / (Sigma^-1)_kk, so that they say nothing of its size. (-log P_kk is convex in
P = Sigma^-1, so the M-step with the last P_kk never lowers the objective.) Coordinates of h that are the same for everybody are
held: they have no Sigma, and their M-step is a Newton step on sum_j E[-J_j].

One file, from the rounds to what they find of each person, for what is told of a person (whether the fit ended, and where) is
known to these rounds alone; a round's two halves are in `population` (E) and `inner` (M).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, gammaln

from ..data.dataset import Dataset
from ..errors import InputError
from ..identification import settle
from ..models.families import get_model
from ..models.likelihood import Problem, problem
from ..outcome import Outcome
from .acceleration import Leaps
from .information import Z_95, _held_sd, _score
from .inner import maximised, on_nodes, raised, reweighted, statistics
from .population import GRID_DIMENSIONS, Expectation, Population, Settings, _held, begin, expect, fresh
from .sampling import AGREE, Sampled, sampled
from .uncertainty import widened
from .variational import Variational, enough_points, rule, stepper

INNER = 30  # EM steps on the same nodes, before they are placed anew
SUPPORT = 0.8  # share of their effective number at which nodes no longer support the population that moves away from them
WINDOW = 3  # rounds whose objectives are averaged to tell a rise from quadrature error
NOISE = 0.05  # nats a person by which the objective may go up and down for it to be quadrature error
PATIENCE = 6  # rounds without a better objective that end the fit
FEW_NODES = 7  # per dimension of variational moments, in up to two
FORGET = 0.7  # step n of the online mode has weight n^-FORGET (Cappe & Moulines 2009, JRSS B 71(3): between .5 and 1)
FREEDOMS = 1.0, 200.0  # between which degrees of freedom are learned
AT_ONCE = 500_000  # coordinates of nodes that are held at once, of some of the people
UNSETTLED = "the climb of this person's bound ended where it still rises"
Step = Callable[[Sequence[Problem], Population, Expectation | None], Expectation]
ONLINE_TOLERANCE = 1e-2  # change from pass to pass that counts as noise of the mini-batches, so the least tolerance there


def _maximise(population: Population, start: Population, means: tuple[np.ndarray, np.ndarray], J: int) -> Population:
    """The M-step of mu and Sigma from the means of `_means`, for J participants."""
    mu, centre, Sigma = population.mu.copy(), np.empty(len(population.free)), population.Sigma.copy()
    maximised(J * means[0], J * means[1], J, float(J), start.mu[population.free], start.Sigma, Sigma, centre)
    mu[population.free] = centre
    return replace(population, mu=mu, Sigma=Sigma)


def _means(expectation: Expectation, population: Population) -> tuple[np.ndarray, np.ndarray]:
    """Means over the participants found of m and of its square with V."""
    e, d = expectation, len(population.free)
    first, second = np.empty(d), np.empty((d, d))
    J, _ = statistics(e.m, e.V, e.found, np.ones(len(e.m)), np.zeros_like(e.m), first, second)
    return first / J, second / J


class _Raise:
    """What the M-step needs and what it overwrites, as compiled code takes it."""

    def __init__(self, population: Population, found: np.ndarray, start: Population):
        J, d = len(found), len(population.free)
        self.population, self.found, self.weight = population, found, population.weights(J).copy()
        self.design = np.zeros((J, 0)) if population.design is None else population.design
        self.fitted = np.zeros((self.design.shape[1], J))
        if population.design is not None:
            self.fitted[:, found] = np.linalg.pinv(self.design[found])
        self.origin, self.start = start.mu[population.free], start.Sigma
        self.mu, self.Sigma = population.mu[population.free], population.Sigma.copy()
        self.effects = np.zeros((0, d)) if population.design is None else population.effects.copy()

    @property
    def arguments(self) -> tuple[np.ndarray, ...]:
        return self.weight, self.design, self.fitted, self.origin, self.start, self.mu, self.effects, self.Sigma

    def raised(self) -> Population:
        mu = self.population.mu.copy()
        mu[self.population.free] = self.mu
        effects = None if self.population.design is None else self.effects
        weight = self.weight if self.population.freedom else None
        return replace(self.population, mu=mu, Sigma=self.Sigma, effects=effects, weight=weight)


def _objective(expectation: Expectation, population: Population, start: Population) -> float:
    """sum_j log p(y_j), with the log priors of mu, of Sigma and of what is the same for everybody."""
    off_mu, nu = (population.mu - start.mu)[population.free], len(population.free) + 1
    P = np.linalg.inv(population.Sigma)
    pull = (P * (start.Sigma + np.outer(off_mu, off_mu))).sum() + nu * np.log(np.diag(P)).sum()
    penalty = (nu + 2) * np.linalg.slogdet(population.Sigma)[1] + pull
    held, off, sd = _held(population, start)
    told = expectation.log_evidence[expectation.found].sum() + _of_scales(population, expectation.found)
    return float(told - 0.5 * (penalty + ((off / sd) ** 2).sum()))


def _change(after: Population, before: Population) -> float:
    """The largest change: of mu and of what is explained of anybody in sd (of what is the same for everybody, in link units),
    of Sigma relative to sd sd'."""
    sd = np.sqrt(np.diag(after.Sigma))
    scale = np.ones(len(after.mu))
    scale[after.free] = sd
    explained = 0.0 if after.design is None else np.abs(after.design @ (after.effects - before.effects) / sd).max()
    return max(
        explained, np.abs((after.mu - before.mu) / scale).max(), np.abs((after.Sigma - before.Sigma) / np.outer(sd, sd)).max()
    )


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


def learn(
    problems: Sequence[Problem],
    settings: Settings,
    rng: np.random.Generator,
    shared: bool = False,
    design: np.ndarray | None = None,
    step: Step | None = None,
) -> tuple[Population, Expectation | None]:
    """Fits the population to its participants, and returns it with its E-step. `design` (J, C), centred, is what is known of
    them; `step` takes the E-step in place of `members`. Where moments are "sampled", draws take the place of EM.

    With quadrature the objective rises on given nodes, but every round places them anew: the iterate with the best objective
    is kept, and EM ends also when the objective goes up and down, by at most NOISE nats a person and from WINDOW rounds to
    the next by less than it varies among them, or, not converged, after PATIENCE rounds without a better one. Otherwise EM
    leaps (`acceleration`), and ends where its steps do. Variational bounds are highest there; with modes in the place of
    means (Laplace, hard) it is a fixed point that no objective is highest at, and the reason says by how much another round
    was higher. The online mode keeps its last iterate and holds nothing of the participants: its E-step is None. Raises
    ArithmeticError if no participant has a mode.
    """
    start = population = begin(problems[0], settings, shared, design)
    if settings.population == "student" and design is not None:
        raise InputError("population is 'student', expected 'normal' where people differ in what is known of them")
    if settings.batch and design is not None:
        raise InputError(f"batch is {settings.batch}, expected 0 where people differ in what is known of them")
    if settings.batch:
        return _learn_online(problems, settings, rng, start), None
    if start.moments == "sampled":
        population, expectation = sampled(problems, start, start, rng, settings.pools)
        return replace(population, objective=(_objective(expectation, population, start),), kept=1), expectation
    J, trace, n_eval, expectation, leaps = len(problems), [], 0.0, None, Leaps()
    placed = start.moments == "quadrature"
    converged, reason = False, f"the limit of {settings.iterations} rounds was met"
    for _ in range(settings.iterations):
        if step is None and expectation is None and settings.prior == "learned":
            expectation = members(problems, population, draft=True)
        else:
            expectation = (step or members)(problems, population, expectation)
        if not expectation.found.any():
            raise ArithmeticError("no participant has a mode of finite likelihood")
        n_eval += expectation.n_eval.mean()
        trace.append(_objective(expectation, population, start))
        if not placed or trace[-1] >= max(trace):
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
        if placed and (noise := _noise(trace)) is not None and noise <= NOISE * J:
            converged, reason = True, f"the objective goes up and down by {noise:.2g} nats, quadrature error, and moves by less"
            break
        if placed and len(trace) - kept == PATIENCE:
            reason = f"{PATIENCE} rounds brought no better objective"
            break
        if not placed:
            fell = start.moments == "variational" and len(trace) > 1 and trace[-1] < trace[-2]
            population = leaps.onwards(before, population, fell)
    population, expectation = best
    reason += _beside(trace, kept)
    held_sd = _held_sd([(problems, expectation)], population, start)
    end = {"objective": tuple(trace), "kept": kept, "converged": converged, "reason": reason}
    return replace(population, **end, n_eval=n_eval, held_sd=held_sd), expectation


def _beside(trace: list[float], kept: int) -> str:
    """How the round that is kept stands among the others, in words."""
    higher = max(trace) - trace[kept - 1]
    best = int(np.argmax(trace)) + 1
    return f"; round {best} had the best objective" + (f", by {higher:.2g} nats" if higher > 0.0 else "")


def members(
    problems: Sequence[Problem], population: Population, earlier: Expectation | None = None, draft: bool = False
) -> Expectation:
    """The E-step by the moments of a population, from an `earlier` one, or a `draft` for the next."""
    if population.moments == "variational":
        d = len(population.free)
        return stepper(rule(d, FEW_NODES, enough_points(d)))(problems, population, earlier)
    if population.moments == "sampled":  # of people of a population that is known
        return sampled(problems, population, population, np.random.default_rng(0), learns=False)[1]
    return expect(problems, population, earlier, draft)


def _noise(trace: list[float]) -> float | None:
    """The range in nats of the last WINDOW objectives, if they go up and down, and differ by less from the WINDOW before."""
    last, earlier = np.array(trace[-WINDOW:]), trace[-2 * WINDOW : -WINDOW]
    steps = np.diff(last)
    if len(earlier) < WINDOW or (steps > 0).all() or (steps < 0).all():
        return None
    return np.ptp(last) if abs(last.mean() - np.mean(earlier)) < np.ptp(last) else None


def _inner(population, expectation, start, tolerance) -> tuple[Population, Expectation]:
    """EM steps of mu and Sigma on the nodes of one E-step (`on_nodes`); a single M-step where there are no nodes."""
    if expectation.r is None:
        return _raised(population, expectation, start), expectation
    step, (out, r) = _Raise(population, expectation.found, start), fresh(expectation)
    given = out, population.free, population.nodes, r, population.freedom
    on_nodes(*given, *step.arguments, INNER, tolerance / 10.0, SUPPORT)
    return _with_freedom(step.raised(), expectation.found), replace(
        expectation, m=out.m, V=out.V, log_evidence=out.evidence, r=r
    )


def _raised(population: Population, expectation: Expectation, start: Population) -> Population:
    """The M-step: of the effects, then of mu and Sigma."""
    e, step = expectation, _Raise(population, expectation.found, start)
    raised(e.m, e.V, e.found, *step.arguments, np.empty_like(e.m))
    centres, P = step.raised().centres(len(e.m)), np.linalg.inv(step.Sigma)
    reweighted(e.m, e.V, centres, P, population.freedom, step.weight)
    return _with_freedom(step.raised(), e.found)


def _with_freedom(population: Population, found: np.ndarray) -> Population:
    """The M-step of the degrees of freedom, where they are to be learned: those of the highest expected log density of the
    scales u_j, given those of before, and of a gamma density of mean 20 and shape 2 (Juarez & Steel 2010, J. Bus. Econ. Stat.
    28)."""
    if not population.learns_freedom:
        return population
    log_u, u, _ = _scales(population, found)
    mean = float((log_u - u).mean())
    J = int(found.sum())
    slope = lambda nu: J * 0.5 * (np.log(nu / 2.0) + 1.0 - digamma(nu / 2.0) + mean) + 1.0 / nu - 0.1  # noqa: E731
    low, high = FREEDOMS
    at_end = low if slope(low) < 0.0 else high if slope(high) > 0.0 else brentq(slope, low, high, xtol=1e-6)
    return replace(population, freedom=float(at_end))


def _scales(population: Population, found: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """E[log u_j] and E[u_j] of the participants found, of the scales of Student's t, and the shape of their gamma densities."""
    shape, u = 0.5 * (population.freedom + len(population.free)), population.weights(len(found))[found]
    return digamma(shape) - np.log(shape / u), u, shape


def _of_scales(population: Population, found: np.ndarray) -> float:
    """What the scales of Student's t, and the prior of its degrees of freedom, add to sum_j log p(y_j) at the scales' means,
    for a lower bound of what it is without them; 0 of a normal population."""
    if not population.freedom:
        return 0.0
    log_u, u, a = _scales(population, found)
    c, b = 0.5 * population.freedom, a / u
    apart = (a - c) * digamma(a) - gammaln(a) + gammaln(c) + c * (np.log(b) - np.log(c)) + u * (c - b)
    prior = np.log(population.freedom) - 0.1 * population.freedom if population.learns_freedom else 0.0
    return float((0.5 * len(population.free) * (log_u - np.log(u)) - apart).sum() + prior)


def _learn_online(problems, settings: Settings, rng: np.random.Generator, start: Population) -> Population:
    """EM on mini-batches with decayed statistics, S <- (1 - w) S + w S_batch: memory does not grow with the participants."""
    J, trace, n_eval, step = len(problems), [], 0.0, 0
    population, means = start, (0.0, 0.0)
    converged, reason = False, f"the limit of {settings.iterations} passes was met"
    for _ in range(settings.iterations):
        before, total = population, 0.0
        order = rng.permutation(J)
        for first in range(0, J, settings.batch):
            batch = [problems[j] for j in order[first : first + settings.batch]]
            expectation = members(batch, population)
            n_eval += expectation.n_eval.sum() / J
            if not expectation.found.any():
                continue
            step += 1
            weight = step**-FORGET
            total += float(expectation.log_evidence[expectation.found].sum())
            pairs = zip(means, _means(expectation, population), strict=True)
            means = tuple((1.0 - weight) * old + weight * new for old, new in pairs)
            if settings.prior == "learned":
                population = _maximise(population, start, means, J)
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
    held_sd = _held_sd(((batch, members(batch, population)) for batch in batches), population, start)
    end = {"objective": tuple(trace), "kept": len(trace), "converged": converged, "reason": reason}
    return replace(population, **end, n_eval=n_eval, held_sd=held_sd)


def estimate(population: Population, expectation: Expectation) -> dict[str, np.ndarray]:
    """Per participant on the natural scale, arrays (J, D): `median`, 95 % limits `lower` and `upper`, and `sd`.

    A quantile is link(m + sd (z + (z^2 - 1) skewness / 6)), Cornish and Fisher's expansion (1938); without quadrature or draws
    the skewness is not known and counts as zero, so that the median is link(mode), and the sd is that of a normal h.
    """
    J, D = len(expectation.m), len(population.mu)
    sd = np.sqrt(np.diagonal(expectation.V, axis1=1, axis2=2))
    spread, skewness = np.broadcast_to(population.held_sd, (J, D)).copy(), np.zeros((J, D))
    spread[:, population.free] = sd
    middle = population.full(expectation.m)
    x, w = np.polynomial.hermite_e.hermegauss(9)
    natural_sd = _sd(population.theta(middle + x[:, None, None] * spread), w / w.sum())
    third = np.zeros_like(sd)
    if isinstance(expectation, Sampled):
        third, natural_sd[:, population.free] = expectation.third, expectation.natural_sd
    if expectation.r is not None:
        size = max(1, AT_ONCE // (D * len(population.nodes)))
        for part in (slice(first, first + size) for first in range(0, J, size)):
            r = expectation.r[part]
            off = population.nodes - (r @ population.nodes)[:, None, :]
            off = off @ expectation.scale[part].transpose(0, 2, 1)
            third[part] = np.einsum("jn,jnk->jk", r, off**3)
            at = population.theta(population.full(expectation.m[part][:, None, :] + off))[..., population.free]
            off = at - np.einsum("jn,jnk->jk", r, at)[:, None, :]
            natural_sd[part, population.free] = np.sqrt(np.einsum("jn,jnk->jk", r, off**2))
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
    and of the whole population the rounds and the best objective. Intervals hold what is not known of mu and Sigma themselves,
    but for the online mode's, whose people are many."""
    begin_time = perf_counter()
    population, expectation = learn(problems, settings, rng, shared)
    if expectation is not None and settings.pools and population.moments not in ("hard", "sampled"):
        expectation = widened(population, expectation, begin(problems[0], settings, shared), rng)
    size = settings.batch or len(problems)
    outcomes = []
    for first in range(0, len(problems), size):
        part = problems[first : first + size]
        expectation_part = expectation or members(part, population)
        estimates = estimate(population, expectation_part)
        for j, one in enumerate(part):
            outcomes.append(_outcome(one, population, expectation_part, {k: v[j] for k, v in estimates.items()}, j))
    return closed(problems, outcomes, settings.links, perf_counter() - begin_time)


def closed(problems: list[Problem], outcomes: list[Outcome], links: str, t_solve: float) -> list[Outcome]:
    """The outcomes of a population's members, with the time that all of them took, and how many ended at a bound."""
    message = "" if links == "logit" else _at_bounds(problems, outcomes)
    for outcome in outcomes:
        outcome.t_solve = t_solve
        if outcome.status != "failed":
            outcome.message += message
    return outcomes


def _at_bounds(problems: list[Problem], outcomes: list[Outcome]) -> str:
    """How many people end at a bound with a parameter that their choices identify, in words, per parameter and bound; each is
    counted once, whichever the arm."""
    names = [re.sub(r",?\d+\]", "]", name).removesuffix("[]") for name in problems[0].model.parameter_names(problems[0].n_arms)]
    counts: Counter[tuple[str, str]] = Counter()
    lower, upper = problems[0].lower, problems[0].upper
    near = 1e-3 * (upper - lower)
    for one, outcome in zip(problems, outcomes, strict=True):
        if outcome.status != "failed":
            theta = outcome.parameters(one)
            if not ((theta - lower < near) | (upper - theta < near)).any():
                continue  # what costs more has nothing to say
            theta, unidentified = settle(one, theta)
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
    unsettled = _unsettled(expectation, j)
    # Draws of a person settle by themselves, whatever may still be said of the population.
    converged = not unsettled and (population.converged or isinstance(expectation, Sampled))
    posterior = {}
    if population.moments != "hard":
        posterior = {f"{name}_{what}": part for what, all_ in theta.items() for name, part in one.named(all_).items()}
    return Outcome(
        status="converged" if converged else "limit",
        **one.estimate(theta["median"]),
        nll=one.nll_theta(theta["median"]),
        message=f"{unsettled}; {population.reason}" if unsettled else population.reason,
        n_eval=n_eval,
        diagnostics={
            "log_evidence": float(expectation.log_evidence[j]),
            **({"r_hat": float(expectation.r_hat[j])} if isinstance(expectation, Sampled) else {}),
            **({} if expectation.r is None else {"ess": float(1.0 / (expectation.r[j] ** 2).sum())}),
            "rounds": float(len(population.objective)),
            "objective": population.objective[population.kept - 1],
        },
        posterior=posterior or None,
    )


def _unsettled(expectation: Expectation, j: int) -> str:
    """Why what is said of a person is not settled, whatever may be said of the population; empty if it is."""
    if isinstance(expectation, Variational) and not expectation.settled[j]:
        return UNSETTLED
    if isinstance(expectation, Sampled) and not expectation.r_hat[j] <= AGREE:
        return f"both halves of the draws of this person do not agree (R-hat {expectation.r_hat[j]:.3g})"
    return ""


def warm_up(shared: bool) -> None:
    """Compiles (or loads from the cache) with two steps of two participants."""
    data = Dataset("warm-up", np.array([[0, 1]]), np.ones((1, 2)), n_arms=2)
    model = get_model("forgetting")
    problems = [problem(data, 0, model, model.default_bounds)] * 2
    fit(problems, Settings(iterations=1), np.random.default_rng(0), shared)
