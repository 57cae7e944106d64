"""Sums, maxima and softmaxes over runs of neighbouring entries, such as the legal actions of each state."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Segments:
    """Runs of entries in axis 0: run i begins at first[i] and has size[i] > 0 entries."""

    first: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, key: np.ndarray) -> "Segments":
        """The runs of equal neighbours in `key`."""
        first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.zeros(0, dtype=np.int64)
        return cls(first, np.diff(np.r_[first, len(key)]))

    def total(self, x: np.ndarray) -> np.ndarray:
        return np.add.reduceat(x, self.first, axis=0) if len(self.first) else x[:0]

    def top(self, x: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat(x, self.first, axis=0) if len(self.first) else x[:0]

    def spread(self, y: np.ndarray) -> np.ndarray:
        """One number per run, given to each of its entries."""
        return np.repeat(y, self.size, axis=0)

    def mean(self, x: np.ndarray) -> np.ndarray:
        return (self.total(x).T / self.size).T

    def softmax(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log sum exp of each run, and exp(x) over its sum."""
        top = self.top(x)
        e = np.exp(x - self.spread(top))
        total = self.total(e)
        return top + np.log(total), e / self.spread(total)
