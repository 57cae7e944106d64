"""SQUAREM (Varadhan & Roland 2008, Scand. J. Stat. 35(2)): two steps of EM say where many would lead.

Where the missing information is most of all there is, EM creeps: its steps shrink by a factor near one. With r = x_1 - x_0 and
v = (x_2 - x_1) - r of two steps, the third begins at x_0 + 2 s r + s^2 v, s = |r| / |v|. If EM moves farther from there than it
did before, or the objective falls where it should not, x_2 is where it goes on.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .population import Population

LONGEST = 4.0  # s at first; doubled where it was reached and served, halved where a leap was taken back
WORSE = 1.5  # times the last step of EM, that its first step after a leap may be


def coordinates(population: Population) -> np.ndarray:
    """mu in sds, Sigma as the logarithms of its Cholesky factor's diagonal and what is below it relative to that, effects."""
    L = np.linalg.cholesky(population.Sigma)
    below = np.tril_indices(len(L), -1)
    effects = np.empty(0) if population.effects is None else population.effects.ravel()
    return np.concatenate([population.mu, np.log(np.diag(L)), (L / np.diag(L)[:, None])[below], effects])


def at(population: Population, x: np.ndarray) -> Population:
    """The population at coordinates x."""
    D, d = len(population.mu), len(population.free)
    below = np.tril_indices(d, -1)
    diagonal, rest = np.exp(x[D : D + d]), x[D + d :]
    L = np.eye(d)
    L[below] = rest[: len(below[0])]
    L *= diagonal[:, None]
    effects = None if population.effects is None else rest[len(below[0]) :].reshape(population.effects.shape)
    return replace(population, mu=x[:D], Sigma=L @ L.T, effects=effects)


@dataclass
class Leaps:
    """Where EM goes on after each of its steps."""

    path: list[np.ndarray] = field(default_factory=list)
    back: tuple[np.ndarray, float] | None = None  # where to return to, and how long the last step before the leap was
    longest: float = LONGEST

    def onwards(self, before: Population, after: Population, fell: bool) -> Population:
        """From a step of EM, `before` to `after`; `fell` if the objective is lower at `before` than in the round before it."""
        start, end = coordinates(before), coordinates(after)
        if self.back is not None:
            (landing, step), self.back = self.back, None
            if fell or np.linalg.norm(end - start) > WORSE * step:
                self.path, self.longest = [landing], max(self.longest / 2.0, 1.0)
                return at(after, landing)
        self.path = [*(self.path or [start]), end]
        if len(self.path) < 3:
            return after
        r, step = self.path[1] - self.path[0], self.path[2] - self.path[1]
        v = step - r
        s = np.linalg.norm(r) / max(np.linalg.norm(v), np.finfo(float).tiny)
        length = min(max(s, 1.0), self.longest)
        if length == self.longest:
            self.longest *= 2.0
        self.back = end, float(np.linalg.norm(step))
        x, self.path = self.path[0] + 2.0 * length * r + length**2 * v, []
        return at(after, x)
