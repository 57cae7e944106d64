"""People and their population drawn together by the likelihood itself: moments where a person has many parameters.

Beyond a few dimensions no rule of nodes serves, and a mode with its curvature (Laplace's approximation) is not where a mean is.
Here everybody's h_j and mu, B and Sigma are drawn in turn, so that moments hold what is not known of the population. h_j is
drawn by Hamiltonian Monte Carlo (Neal 2011, Handbook of MCMC, ch. 5): a flight of a few leapfrog steps along the gradient, in
units in which a normal with precision K_j + Sigma^-1 is a standard one, is accepted by what it has lost of the energy. Each
person's step, and K_j, what choices say, are learned in the draws that are left out.

The prior of mu is EM's, one participant at the start's. That of Sigma is inverse Wishart's with diagonal scales of gamma
densities (as Huang & Wand 2013, Bayesian Anal. 8(2)): a variance is the start's on average and seldom more than three times as
much, for on probit links that would be people at both ends of the box, and what choices say little of does not rule it out.

Moments are means over draws, of which those of people are not kept. Both halves must agree (split R-hat; Gelman et al. 2013,
Bayesian Data Analysis, 11.4), of people as of the population, or twice as many draws take their place, three times at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..models.likelihood import Problem
from ..models.traces import unpacked
from ..numerics import _cholesky, _compiled, _solve
from .members import Box, _inverse
from .newton import _link
from .population import Expectation, Population, expect
from .uncertainty import Draws, _given, _inverse_wishart, _narrowing, _spread, _told
from .variational import log_likelihood_and_slope

FIRST, SAMPLES = 100, 400  # draws that are left out, twice and by half, and that moments are means of, at first
LONGER = 3  # how often twice as many take their place
AGREE, ALL_AGREE = 1.1, 1.2  # split R-hat up to which draws of a person, and of the population, have converged
FLIGHT = 1.5  # how long a flight is, in standard units: a quarter of a turn, at whose end all is forgotten
SHAPE, MORE = 1.5, 3.0  # of the prior of Sigma: a variance is as a gamma of this shape, and 2 d + MORE people do not correlate
STEPS = 12  # of a flight, at most
TOGETHER = 4  # likewise, of everybody
ACCEPTED = 0.8  # share of the flights that a person's step is learned for
STEP, LONGEST = 0.5, 1.5  # at first, and at most, in standard units


class Places(NamedTuple):
    """People as compiled code takes them: where each one's words begin, the links, the free coordinates, modes (J, D) and the
    precisions K (J, d, d) by which choices narrow h_j."""

    words: np.ndarray
    begins: np.ndarray
    box: Box
    free: np.ndarray
    mode: np.ndarray
    K: np.ndarray


class Chain(NamedTuple):
    """Where draws of people stand: h (J, D), log p(y | h) and its gradient (J, D), steps (J,), the free coordinates of h once
    more, H (J, d), and evaluations so far (J,)."""

    h: np.ndarray
    likelihood: np.ndarray
    slope: np.ndarray
    size: np.ndarray
    H: np.ndarray
    n_eval: np.ndarray


class Sums(NamedTuple):
    """Sums over draws of people's free coordinates less their modes, x: of x and x^2 by halves (2, J, d), of x x' (J, d, d), of
    x^3 (J, d), of theta and theta^2 (2, J, d)."""

    first: np.ndarray
    second: np.ndarray
    products: np.ndarray
    third: np.ndarray
    theta: np.ndarray


@dataclass(frozen=True)
class Sampled(Expectation):
    """The E-step by draws: also the `third` central moments (J, d) of the free coordinates, the sds of theta over them
    `natural_sd` (J, d), and the R-hat of both halves of the draws, the highest of each participant's coordinates, `r_hat`
    (J,)."""

    third: np.ndarray = None
    natural_sd: np.ndarray = None
    r_hat: np.ndarray = None


@_compiled
def _force(h, free, slope, P, pull, f):
    """Fills f (d,) with the gradient of log p(y | h) + pull' h - h' P h / 2 in the free coordinates; the latter two terms."""
    value = 0.0
    for a in range(pull.size):
        of_P = 0.0
        for c in range(pull.size):
            of_P += P[a, c] * h[free[c]]
        f[a] = slope[free[a]] + pull[a] - of_P
        value += h[free[a]] * (pull[a] - 0.5 * of_P)
    return value


@_compiled
def _flown(rng, h, likelihood, slope, size, episode, box, free, K, P, pull):
    """Draws h (D,), whose slope follows it; log p(y | h), with what probability the flight was accepted, and evaluations."""
    d = pull.size
    A, L, v, f, a = np.empty((d, d)), np.zeros((d, d)), np.empty(d), np.empty(d), np.empty(d)
    for i in range(d):
        v[i] = rng.standard_normal()
        for k in range(d):
            A[i, k] = K[i, k] + P[i, k]
    _cholesky(A, L)
    before = likelihood + _force(h, free, slope, P, pull, f)
    for i in range(d):
        before -= 0.5 * v[i] * v[i]
    _spread(L, v)
    size *= 0.8 + 0.4 * rng.random()
    steps = min(max(1, int(FLIGHT / size + rng.random())), STEPS)
    there, after, there_slope = h.copy(), likelihood, slope
    _solve(L, f, a)
    for _ in range(steps):
        for i in range(d):
            v[i] += 0.5 * size * a[i]
            there[free[i]] += size * v[i]
        found, there_slope = log_likelihood_and_slope(there, box.kinds, box.lower, box.upper, episode)
        after = found + _force(there, free, there_slope, P, pull, f)
        _solve(L, f, a)
        for i in range(d):
            v[i] += 0.5 * size * a[i]
    for k in range(d):
        along = 0.0
        for i in range(k, d):
            along += L[i, k] * v[i]
        after -= 0.5 * along * along
    share = min(1.0, np.exp(min(0.0, after - before))) if after - before > -np.inf else 0.0  # NaN fails too
    if rng.random() < share:
        h[:] = there
        slope[:] = there_slope
        return found, share, steps
    return likelihood, share, steps


@_compiled
def _summed(j, h, mode, box, free, half, sums):
    """Adds a draw h (D,) of participant j to the sums."""
    for a in range(free.size):
        k = free[a]
        x = h[k] - mode[k]
        theta = _link(box.kinds[k], h[k], box.lower[k], box.upper[k])[0]
        sums.first[half, j, a] += x
        sums.second[half, j, a] += x * x
        sums.third[j, a] += x * x * x
        sums.theta[0, j, a] += theta
        sums.theta[1, j, a] += theta * theta
        for c in range(a + 1):
            sums.products[j, a, c] += x * (h[free[c]] - mode[free[c]])


@_compiled
def visited(rng, places, P, pull, chain, sweep, first, draws, sums):
    """Draws everybody's h_j once, of density p(y | h) exp(pull_j' h - h' P h / 2): the draw number `sweep`, of which
    the `first` teach steps and the other `draws` are summed."""
    free = places.free
    for j in range(len(pull)):
        episode = unpacked(places.words[places.begins[j] :])
        here, likelihood, slope = chain.h[j], chain.likelihood[j], chain.slope[j]
        likelihood, share, steps = _flown(
            rng, here, likelihood, slope, chain.size[j], episode, places.box, free, places.K[j], P, pull[j]
        )
        chain.likelihood[j] = likelihood
        chain.n_eval[j] += steps
        if sweep < first:
            chain.size[j] = min(LONGEST, chain.size[j] * np.exp((share - ACCEPTED) * 3.0 / (10.0 + sweep)))
        else:
            _summed(j, here, places.mode[j], places.box, free, 2 * (sweep - first) // draws, sums)
        for a in range(free.size):
            chain.H[j, a] = here[free[a]]


@_compiled
def _prior(width, d):
    """Of the inverse Wishart that Sigma is of, the degrees of freedom, and the rates (d,) of the gamma density of shape SHAPE
    that its scales have: a variance is `width` (d,) on average."""
    freedom = 2.0 * d + MORE
    return freedom, SHAPE / ((freedom - d - 1.0) * width)


@_compiled
def spread(rng, S, n, width, Sigma):
    """Draws Sigma (d, d), which holds the one before, given the sum S (d, d) of n squares and products, all normal with it."""
    d = len(S)
    freedom, rate = _prior(width, d)
    P, total = np.empty((d, d)), S.copy()
    _inverse(Sigma, P)
    for a in range(d):
        total[a, a] += rng.standard_gamma(SHAPE + 0.5 * freedom) / (rate[a] + 0.5 * P[a, a])
    _inverse_wishart(rng, n + freedom, total, Sigma)


@_compiled
def _population(rng, H, X, root, origin, width, M, Sigma):
    """Draws Sigma, and then M, given everybody's H (J, d)."""
    (J, d), n = H.shape, X.shape[1]
    right = X.T @ H
    right[0] += origin
    best = root @ root.T @ right
    off = H - X @ best
    # M is integrated out of Sigma's draw, which costs a degree of freedom for each of its rows.
    spread(rng, off.T @ off + np.outer(best[0] - origin, best[0] - origin), J + 1 - n, width, Sigma)
    L, noise = np.zeros((d, d)), np.empty((n, d))
    _cholesky(Sigma, L)
    for c in range(n):
        for a in range(d):
            noise[c, a] = rng.standard_normal()
    M[:] = best + root @ noise @ L.T


@_compiled
def _log_prior_of_scales(M, log_sd, Q, origin, width, of_mu, of_sd):
    """log p(mu, log sds) given the inverse Q (d, d) of the correlations, but for a constant, and its gradients (d,)."""
    d = log_sd.size
    freedom, rate = _prior(width, d)
    value, off, both = 0.0, np.empty(d), SHAPE + 0.5 * freedom
    for a in range(d):
        off[a] = (M[0, a] - origin[a]) * np.exp(-log_sd[a])
    for a in range(d):
        pulled = 0.0
        for c in range(d):
            pulled += Q[a, c] * off[c]
        P = Q[a, a] * np.exp(-2.0 * log_sd[a])
        value -= 0.5 * off[a] * pulled + (freedom + 1.0) * log_sd[a] + both * np.log(rate[a] + 0.5 * P)
        of_mu[a] = -pulled * np.exp(-log_sd[a])
        of_sd[a] = off[a] * pulled - freedom - 1.0 + both * P / (rate[a] + 0.5 * P)
    return value


@_compiled
def _moved_together(places, X, Z, M, log_sd, h, slope, each, of_M, of_sd):
    """Moves everybody's h (J, D) to M'x_j + sd z_j and fills slopes (J, D) and log-likelihoods `each` (J,); adds the gradients
    of their sum in M and log_sd, and returns it."""
    free, box, value = places.free, places.box, 0.0
    sd = np.exp(log_sd)
    centres = X @ M
    for j in range(len(h)):
        for a in range(free.size):
            h[j, free[a]] = centres[j, a] + sd[a] * Z[j, a]
        episode = unpacked(places.words[places.begins[j] :])
        each[j], found = log_likelihood_and_slope(h[j], box.kinds, box.lower, box.upper, episode)
        slope[j] = found
        value += each[j]
    _gradients(X, Z, sd, free, slope, of_M, of_sd)
    return value


@_compiled
def _gradients(X, Z, sd, free, slope, of_M, of_sd):
    """Adds the gradients of everybody's log-likelihood in M (1 + C, d) and in log sds (d,), z_j being what they are."""
    for j in range(len(Z)):
        for a in range(free.size):
            along = slope[j, free[a]]
            of_sd[a] += along * sd[a] * Z[j, a]
            for c in range(X.shape[1]):
                of_M[c, a] += along * X[j, c]


@_compiled
def _rescaled(rng, places, X, origin, width, M, Sigma, chain, size, inertia, sweep, first):
    """Draws M (1 + C, d) and the sds in Sigma with everybody's z_j = (h_j - M'x_j) / sd as they are, by a flight as in
    `_flown`: what choices say little of then moves with its population, which would hardly move were h_j as they are (Yu &
    Meng 2011, J. Comput. Graph. Stat. 20(3)). `inertia` (2 + C, d) is learned with the step, size (1,)."""
    (n, d), free = M.shape, places.free
    sd, Q, R = np.sqrt(np.diag(Sigma)), np.empty((d, d)), np.empty((d, d))
    for a in range(d):
        for c in range(d):
            R[a, c] = Sigma[a, c] / (sd[a] * sd[c])
    _inverse(R, Q)
    Z = (chain.H - X @ M) / sd
    if sweep < first:
        _learned(places.K, X, Z, Q, sd, inertia, 0.1 if sweep else 1.0)
    x, of_x, speed = np.empty((n + 1, d)), np.zeros((n + 1, d)), np.empty((n + 1, d))
    x[:n], x[n] = M, np.log(sd)
    of_mu, of_sd = np.empty(d), np.empty(d)
    _gradients(X, Z, sd, free, chain.slope, of_x[:n], of_x[n])
    before = chain.likelihood.sum() + _log_prior_of_scales(x, x[n], Q, origin, width, of_mu, of_sd)
    of_x[0] += of_mu
    of_x[n] += of_sd
    for c in range(n + 1):
        for a in range(d):
            noise = rng.standard_normal()
            speed[c, a] = noise / np.sqrt(inertia[c, a])
            before -= 0.5 * noise * noise
    step = size[0] * (0.8 + 0.4 * rng.random())
    steps = min(max(1, int(FLIGHT / step + rng.random())), TOGETHER)
    h, slope, each, after = chain.h.copy(), np.empty_like(chain.slope), np.empty(len(Z)), 0.0
    for _ in range(steps):
        speed += 0.5 * step * of_x / inertia
        x += step * speed
        of_x[:] = 0.0
        after = _moved_together(places, X, Z, x[:n], x[n], h, slope, each, of_x[:n], of_x[n])
        after += _log_prior_of_scales(x, x[n], Q, origin, width, of_mu, of_sd)
        of_x[0] += of_mu
        of_x[n] += of_sd
        speed += 0.5 * step * of_x / inertia
    after -= 0.5 * (inertia * speed * speed).sum()
    chain.n_eval[:] += steps
    share = min(1.0, np.exp(min(0.0, after - before))) if after - before > -np.inf else 0.0
    if sweep < first:
        size[0] = min(LONGEST, size[0] * np.exp((share - ACCEPTED) * 3.0 / (10.0 + sweep)))
    if rng.random() < share:
        chain.h[:], chain.likelihood[:], chain.slope[:] = h, each, slope
        M[:], sd = x[:n], np.exp(x[n])
        for a in range(d):
            for j in range(len(Z)):
                chain.H[j, a] = h[j, free[a]]
            for c in range(d):
                Sigma[a, c] = R[a, c] * sd[a] * sd[c]


@_compiled
def _learned(K, X, Z, Q, sd, inertia, share):
    """Moves the inertia by a share towards the curvature where everybody stands."""
    n, d = X.shape[1], len(Q)
    for a in range(d):
        now = np.zeros(n + 1)
        now[0] = Q[a, a] / sd[a] ** 2
        now[n] = 2.0 * SHAPE
        for j in range(len(Z)):
            for c in range(n):
                now[c] += K[j, a, a] * X[j, c] ** 2
            now[n] += K[j, a, a] * (sd[a] * Z[j, a]) ** 2
        for c in range(n + 1):
            inertia[c, a] += share * (now[c] - inertia[c, a])


@_compiled
def _sweeps(rng, places, X, root, origin, width, learns, M, Sigma, chain, tuned, first, draws, sums, kept_M, kept_Sigma):
    """Draws of people and, if it `learns`, of their population, M (1 + C, d) and Sigma (d, d), from where all stand; those
    of the population that are not left out are kept."""
    P = np.empty_like(Sigma)
    for sweep in range(first + draws):
        if learns:
            _rescaled(rng, places, X, origin, width, M, Sigma, chain, *tuned, sweep, first)
        _inverse(Sigma, P)
        visited(rng, places, P, X @ M @ P, chain, sweep, first, draws, sums)
        if learns:
            _population(rng, chain.H, X, root, origin, width, M, Sigma)
        if sweep >= first:
            kept_M[sweep - first] = M
            kept_Sigma[sweep - first] = Sigma


def sampled(
    problems: Sequence[Problem], population: Population, start: Population, rng: np.random.Generator, learns: bool = True
) -> tuple[Population, Sampled]:
    """The population and its people by draws, from Laplace's approximations of them under `population`: mu, B, Sigma, m and V
    are the draws' means and covariances, so that V holds what is not known of the population; log_evidence is at the population
    that was drawn, by nodes around m as V has them (in many dimensions Laplace's). Unless it `learns`, the population stays as
    given. Raises ArithmeticError if no participant has a mode."""
    e, places, chain = begun(problems, population)
    X, root, origin, _, _, M = _given(population, e.found, start)
    given = root, origin, np.diag(start.Sigma).copy()
    Sigma, kept = population.Sigma.copy(), []
    tuned = np.full(1, STEP), np.zeros((len(M) + 1, len(Sigma)))

    def run(first: int, n: int, sums: Sums) -> np.ndarray:
        draws = Draws.empty(n, *M.shape)
        _sweeps(rng, places, X, *given, learns, M, Sigma, chain, tuned, first, n, sums, draws.M, draws.Sigma)
        kept[:] = [draws]
        return np.hstack([draws.M.reshape(n, -1), np.log(np.diagonal(draws.Sigma, axis1=1, axis2=2))])

    expectation, of_population, n = agreed(run, e, places, chain, Sigma, learns)
    expectation.n_eval[e.found] = chain.n_eval
    after = _drawn(population, kept[0], in_words(expectation, of_population, n), of_population) if learns else population
    told = expect(problems, after, expectation)
    return after, replace(expectation, log_evidence=told.log_evidence, n_eval=expectation.n_eval + told.n_eval)


def begun(problems: Sequence[Problem], population: Population) -> tuple[Expectation, Places, Chain]:
    """Laplace's approximations under a population, and of the people found where draws begin: at their modes."""
    e = expect(problems, replace(population, moments="laplace"))
    found = np.flatnonzero(e.found)
    if not len(found):
        raise ArithmeticError("no participant has a mode of finite likelihood")
    words = [problems[j].words for j in found]
    box = Box(population.kinds, population.lower, population.upper)
    mode = e.mode[found]
    likelihood, slope = np.empty(len(mode)), np.empty_like(mode)
    for row, j in enumerate(found):
        likelihood[row], slope[row] = log_likelihood_and_slope(mode[row], *box, problems[j].episode)
    begins = np.cumsum([0, *map(len, words[:-1])])
    places = Places(np.concatenate(words), begins, box, population.free, mode, _told(population, e)[0])
    size, H = np.full(len(mode), STEP), np.ascontiguousarray(mode[:, population.free])
    return e, places, Chain(mode.copy(), likelihood, slope, size, H, e.n_eval[found])


def agreed(
    run: Callable[[int, int, Sums], np.ndarray],
    e: Expectation,
    places: Places,
    chain: Chain,
    Sigma: np.ndarray,
    learns: bool = True,
    samples: int = SAMPLES,
) -> tuple[Sampled, float, int]:
    """The E-step by draws that `run(first, n, sums)` makes, leaving out the first: it fills the sums and returns what is kept
    of the population (n, values), whose highest R-hat comes next, and then how many draws there were at last. Sigma (d, d), of
    h_j around its centre, follows the draws; where these are by the time they begin to count takes the place of the modes'
    curvature in K."""
    J, d = places.K.shape[:2]
    found = np.flatnonzero(e.found)
    sums = _no_sums(J, d)
    run(FIRST, FIRST, sums)
    V = _moments(e, found, sums, FIRST, np.zeros(J)).V[found]
    P = np.linalg.inv(Sigma)
    V += d / FIRST * (np.linalg.inv(places.K + P) - V)  # which draws of many coordinates alone say little of
    places.K[:] = _narrowing(np.linalg.inv(V) - P, Sigma)
    chain.size[:] = STEP
    first, n = FIRST // 2, samples
    for extra in range(1 + LONGER):
        sums = _no_sums(J, d)
        values = run(first, n, sums).reshape(2, n // 2, -1)
        r_hat = _split(sums.first, sums.second, n)
        of_population = float(_split(values.sum(axis=1), (values**2).sum(axis=1), n)) if learns else 1.0
        if (r_hat.max() <= AGREE and of_population <= ALL_AGREE) or extra == LONGER:
            break
        first, n = 0, 2 * n
    return _moments(e, found, sums, n, r_hat), of_population, n


def _no_sums(J: int, d: int) -> Sums:
    return Sums(*np.zeros((2, 2, J, d)), np.zeros((J, d, d)), np.zeros((J, d)), np.zeros((2, J, d)))


def in_words(expectation: Sampled, of_population: float, n: int) -> str:
    """How the draws ended."""
    of_people = expectation.r_hat[expectation.found].max()
    return f"over {n} draws R-hat is {of_population:.3g} of the population, and up to {of_people:.3g} of people"


def _split(first: np.ndarray, second: np.ndarray, n: int) -> np.ndarray:
    """R-hat (...) of both halves of n draws, from the sums of these (2, ..., d) and of their squares: the highest over the last
    axis."""
    mean = first / (0.5 * n)
    within = (second / (0.5 * n) - mean**2).mean(axis=0)
    between = 0.5 * (mean[0] - mean[1]) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.sqrt(1.0 + between / within), nan=np.inf).max(axis=-1)


def _moments(e: Expectation, found: np.ndarray, sums: Sums, n: int, r_hat: np.ndarray) -> Sampled:
    """The E-step of all people from the sums of those found."""
    m, V, third, natural_sd, agreed = e.m.copy(), e.V.copy(), np.zeros_like(e.m), np.zeros_like(e.m), np.full(len(e.m), np.inf)
    mean, square, cube = sums.first.sum(axis=0) / n, sums.second.sum(axis=0) / n, sums.third / n
    products = sums.products / n
    products += np.tril(products, -1).transpose(0, 2, 1)
    m[found] += mean
    V[found] = products - mean[:, :, None] * mean[:, None, :]
    third[found] = cube - 3.0 * mean * square + 2.0 * mean**3
    of_theta = sums.theta / n
    natural_sd[found] = np.sqrt(np.maximum(of_theta[1] - of_theta[0] ** 2, 0.0))
    agreed[found] = r_hat
    return Sampled(e.mode, m, V, e.log_evidence, e.n_eval.copy(), e.found, third=third, natural_sd=natural_sd, r_hat=agreed)


def _drawn(population: Population, draws: Draws, reason: str, of_population: float) -> Population:
    """The population that is the mean of draws."""
    mu, free = population.mu.copy(), population.free
    mu[free] = draws.M[:, 0].mean(axis=0)
    effects = None if population.design is None else draws.M[:, 1:].mean(axis=0)
    sd = np.sqrt(np.diagonal(draws.Sigma, axis1=1, axis2=2))
    end = {"converged": of_population <= ALL_AGREE, "reason": reason, "errors": (draws.M.std(axis=0), sd.std(axis=0))}
    return replace(population, mu=mu, effects=effects, Sigma=draws.Sigma.mean(axis=0), **end)
