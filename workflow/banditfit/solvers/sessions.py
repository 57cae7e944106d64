"""People who were measured more than once: what stays with a person, and what changes from session to session, drawn together.

Session e of person p has h_e ~ N(M' x_e + u_p, Psi), u_p ~ N(0, Sigma), with x_e = 1 and what is known of the session or the
person (a linear mixed model on the link scale; Laird & Ware 1982, Biometrics 38(4)). All h_e are drawn by the likelihood itself
(`sampling`), then M with all u_p integrated out, u_p, Sigma and Psi. Both have the prior that Sigma has in `sampling`, at half
of the start's variances each; that of the mean of all is the start's, and effects have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..models.likelihood import Problem
from ..numerics import _cholesky, _compiled, _solve
from .members import _inverse
from .population import Population
from .sampling import AGREE, ALL_AGREE, Sampled, Sums, agreed, begun, in_words, spread, visited
from .uncertainty import _spread

SAMPLES = 1000  # draws at first


@dataclass(frozen=True)
class Nested:
    """Draws of the mean and the effects `M` (draws, 1 + C, d), and of the covariances `between` people and `within` them
    (draws, d, d); whether their halves agree, and how in words."""

    M: np.ndarray
    between: np.ndarray
    within: np.ndarray
    converged: bool = False
    reason: str = ""


@_compiled
def _people(rng, H, X, person, sessions, origin, width, P, B, M, U):
    """Draws M (1 + C, d) and then everybody's u, U (people, d), given H (J, d) and the precisions P within and B between;
    `person` (J,) says whose session it is, and `sessions` (people,) how many there are of each."""
    (n, d), people = M.shape, len(U)
    of_X, of_H = np.zeros((people, n)), np.zeros((people, d))
    for j in range(len(H)):
        of_X[person[j]] += X[j]
        of_H[person[j]] += H[j]
    A, right = np.kron(X.T @ X, P), X.T @ H @ P
    G, inside = np.empty((d, d)), np.empty((d, d))
    for count in np.unique(sessions):
        _inverse(B + count * P, inside)
        G[:] = P @ inside @ P
        here = sessions == count
        A -= np.kron(of_X[here].T @ of_X[here], G)
        right -= of_X[here].T @ of_H[here] @ G
    for a in range(d):
        A[a, a] += 1.0 / width[a]
        right[0, a] += origin[a] / width[a]
    L, drawn, noise = np.zeros((n * d, n * d)), np.empty(n * d), np.empty(n * d)
    _cholesky(A, L)
    _solve(L, right.ravel(), drawn)
    _noise(rng, L, noise)
    M[:] = (drawn + noise).reshape((n, d))
    factor, mean, off = np.zeros((d, d)), np.empty(d), np.empty(d)
    pulls = (of_H - of_X @ M) @ P
    for p in range(people):
        _cholesky(B + sessions[p] * P, factor)
        _solve(factor, pulls[p], mean)
        _noise(rng, factor, off)
        U[p] = mean + off


@_compiled
def _noise(rng, L, noise):
    """Fills noise with a normal draw of covariance (L L')^-1."""
    for a in range(noise.size):
        noise[a] = rng.standard_normal()
    _spread(L, noise)


@_compiled
def _sweeps(
    rng, places, X, person, sessions, origin, width, M, U, between, within, chain, first, draws, sums, kept_M, kept_b, kept_w
):
    """Draws of sessions, people and population from where all stand; those of the population that are not left out are kept."""
    P, B = np.empty_like(within), np.empty_like(between)
    for sweep in range(first + draws):
        _inverse(within, P)
        _inverse(between, B)
        visited(rng, places, P, (X @ M + U[person]) @ P, chain, sweep, first, draws, sums)
        _people(rng, chain.H, X, person, sessions, origin, width, P, B, M, U)
        spread(rng, U.T @ U, len(U), 0.5 * width, between)
        off = chain.H - X @ M - U[person]
        spread(rng, off.T @ off, len(off), 0.5 * width, within)
        if sweep >= first:
            kept_M[sweep - first] = M
            kept_b[sweep - first] = between
            kept_w[sweep - first] = within


def nested(
    problems: Sequence[Problem], start: Population, design: np.ndarray, person: np.ndarray, rng: np.random.Generator
) -> tuple[Nested, Sampled]:
    """The population of people with sessions (J, one `problem` each), and the moments of all sessions, given what is known of
    them, `design` (J, C), centred, and the number of its `person` (J,). Raises ArithmeticError if no session has a mode."""
    e, places, chain = begun(problems, start)
    X = np.hstack([np.ones((len(person), 1)), design])[e.found]
    _, person = np.unique(person[e.found], return_inverse=True)
    sessions, d = np.bincount(person), len(start.free)
    width, origin = np.diag(start.Sigma).copy(), start.mu[start.free]
    M, U, between, within = np.zeros((X.shape[1], d)), np.zeros((len(sessions), d)), 0.5 * start.Sigma, 0.5 * start.Sigma
    M[0] = origin
    given, kept = (places, X, person, sessions, origin, width, M, U, between, within, chain), []

    def run(first: int, n: int, sums: Sums) -> np.ndarray:
        drawn = np.empty((n, *M.shape)), np.empty((n, d, d)), np.empty((n, d, d))
        _sweeps(rng, *given, first, n, sums, *drawn)
        kept[:] = drawn
        logs = (np.log(np.diagonal(each, axis1=1, axis2=2)) for each in drawn[1:])
        return np.hstack([drawn[0].reshape(n, -1), *logs])

    expectation, of_population, n = agreed(run, e, places, chain, within, samples=SAMPLES)
    converged = of_population <= ALL_AGREE and expectation.r_hat[e.found].max() <= AGREE
    return Nested(*kept, bool(converged), in_words(expectation, of_population, n)), expectation
