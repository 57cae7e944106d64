"""The one likelihood: value traces, negative log-likelihood and gradient, compiled, for every family, method and judge.

Notation of Zhu et al. (arXiv 2511.04454, section 2). With unit traces h_s (those of beta = 1), x(t)[i] = sum_s beta_s[i]
h_s(t)[i] and

    J = sum_t [ logsumexp(x(t)) - x(t)[y(t)] ]      (nats; missed trials have no term)

Derivatives run forward with the traces: p = dh/dalpha obeys p(t+1) = (1 - alpha) p(t) + u(t) - h(t).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit

from .data import Dataset
from .models import Bounds, Model

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _nll_grad(choices, arms, signals, starts, alpha, beta, d_alpha, d_beta):
    """The nll; adds its gradient to d_alpha and d_beta, all of shape (signals, arms)."""
    n_signals, n_arms = alpha.shape
    h = np.zeros((n_signals, n_arms))
    p = np.zeros((n_signals, n_arms))
    x = np.empty(n_arms)
    nll = 0.0
    for t in range(choices.size):
        if starts[t]:
            h[:] = 0.0
            p[:] = 0.0
        y = choices[t]
        if y >= 0:
            top = -np.inf
            for i in range(n_arms):
                x[i] = 0.0
                for s in range(n_signals):
                    x[i] += beta[s, i] * h[s, i]
                top = max(top, x[i])
            chosen = x[y]
            total = 0.0
            for i in range(n_arms):
                x[i] = np.exp(x[i] - top)
                total += x[i]
            nll += np.log(total) + top - chosen
            for i in range(n_arms):
                residual = x[i] / total - (1.0 if i == y else 0.0)
                for s in range(n_signals):
                    d_beta[s, i] += residual * h[s, i]
                    d_alpha[s, i] += residual * beta[s, i] * p[s, i]
        for s in range(n_signals):
            for i in range(n_arms):
                p[s, i] = (1.0 - alpha[s, i]) * p[s, i] - h[s, i]
                h[s, i] *= 1.0 - alpha[s, i]
        i = arms[t]
        if i >= 0:
            for s in range(n_signals):
                p[s, i] += signals[s, t]
                h[s, i] += alpha[s, i] * signals[s, t]
    return nll


@_compiled
def _nll(choices, arms, signals, starts, alpha, beta):
    n_signals, n_arms = alpha.shape
    h = np.zeros((n_signals, n_arms))
    x = np.empty(n_arms)
    nll = 0.0
    for t in range(choices.size):
        if starts[t]:
            h[:] = 0.0
        y = choices[t]
        if y >= 0:
            top = -np.inf
            for i in range(n_arms):
                x[i] = 0.0
                for s in range(n_signals):
                    x[i] += beta[s, i] * h[s, i]
                top = max(top, x[i])
            total = 0.0
            for i in range(n_arms):
                total += np.exp(x[i] - top)
            nll += np.log(total) + top - x[y]
        for s in range(n_signals):
            for i in range(n_arms):
                h[s, i] *= 1.0 - alpha[s, i]
        i = arms[t]
        if i >= 0:
            for s in range(n_signals):
                h[s, i] += alpha[s, i] * signals[s, t]
    return nll


@_compiled
def _unit_traces(arms, signals, starts, alpha, h):
    """Fills h (steps, signals, arms) with the unit traces that stand when each step's choice is made."""
    n_steps, n_signals, n_arms = h.shape
    h[0] = 0.0
    for t in range(n_steps - 1):
        for s in range(n_signals):
            for i in range(n_arms):
                h[t + 1, s, i] = (1.0 - alpha[s, i]) * h[t, s, i]
        i = arms[t]
        if i >= 0:
            for s in range(n_signals):
                h[t + 1, s, i] += alpha[s, i] * signals[s, t]
        if starts[t + 1]:
            h[t + 1] = 0.0


@_compiled
def _kernel_values(arms, signals, starts, kernels, x):
    """Fills x (steps, arms) with the values of free kernels (signals, arms, steps): sum_s,j g_s,i[j] u_s(t-1-j)[i]."""
    n_signals = signals.shape[0]
    n_steps = x.shape[0]
    x[:] = 0.0
    for t in range(n_steps):
        i = arms[t]
        if i < 0:
            continue
        for later in range(t + 1, n_steps):
            if starts[later]:
                break
            for s in range(n_signals):
                x[later, i] += kernels[s, i, later - 1 - t] * signals[s, t]


@dataclass(frozen=True)
class Problem:
    """One episode with a model and bounds: what every method minimises over.

    choices (steps,), starts (steps,), arms (steps,): the arm on which each step's signals fall (-1: none);
    signals (signals, steps); lower, upper: the box of theta = (alpha.ravel(), beta.ravel()).
    """

    model: Model
    n_arms: int
    choices: np.ndarray
    starts: np.ndarray
    arms: np.ndarray
    signals: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    shape: tuple[int, int] = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "shape", self.model.shape(self.n_arms))

    @property
    def n_steps(self) -> int:
        return len(self.choices)

    @property
    def full_shape(self) -> tuple[int, int]:
        """(signals, arms): the shape of parameters once shared ones are written out for every arm."""
        return self.model.n_signals, self.n_arms

    def lagged(self) -> "Problem":
        """The same episode with every signal one step late. The published direct fit (arXiv 2511.04454 v1) minimises
        this: its code scores the choice of step t + 1 with the value from before the signals of step t."""
        arms = np.where(self.starts, -1, np.roll(self.arms, 1))
        return replace(self, arms=arms, signals=np.roll(self.signals, 1, axis=1))

    def split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """alpha and beta, in the model's shape, of a theta vector."""
        half = len(theta) // 2
        return theta[:half].reshape(self.shape), theta[half:].reshape(self.shape)

    def full(self, parameter: np.ndarray) -> np.ndarray:
        """A parameter in the model's shape, written out as a contiguous (signals, arms) array."""
        return np.ascontiguousarray(np.broadcast_to(parameter, self.full_shape), dtype=np.float64)

    def nll(self, alpha: np.ndarray, beta: np.ndarray) -> float:
        """The negative log-likelihood in nats."""
        return _nll(self.choices, self.arms, self.signals, self.starts, self.full(alpha), self.full(beta))

    def nll_theta(self, theta: np.ndarray) -> float:
        return self.nll(*self.split(theta))

    def nll_grad(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """The nll and its gradient with respect to theta."""
        alpha, beta = self.split(theta)
        gradient = np.zeros((2, *self.full_shape))
        nll = _nll_grad(
            self.choices, self.arms, self.signals, self.starts, self.full(alpha), self.full(beta), gradient[0], gradient[1]
        )
        if self.model.shared:
            gradient = gradient.sum(axis=2)
        return nll, gradient.ravel()

    def unit_traces(self, alpha: np.ndarray) -> np.ndarray:
        """The traces of beta = 1, shape (steps, signals, arms), as they stand when each choice is made."""
        h = np.empty((self.n_steps, *self.full_shape))
        _unit_traces(self.arms, self.signals, self.starts, self.full(alpha), h)
        return h

    def values(self, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """x(t), shape (steps, arms)."""
        return np.einsum("tsi,si->ti", self.unit_traces(alpha), self.full(beta))

    def kernel_values(self, kernels: np.ndarray) -> np.ndarray:
        """x(t), shape (steps, arms), of kernels (signals, q, steps) that need not be geometric."""
        x = np.empty((self.n_steps, self.n_arms))
        full = np.ascontiguousarray(np.broadcast_to(kernels, (*self.full_shape, kernels.shape[-1])), dtype=np.float64)
        _kernel_values(self.arms, self.signals, self.starts, full, x)
        return x

    def nll_of_values(self, x: np.ndarray) -> float:
        """The nll in nats of values x (steps, arms)."""
        scored = np.flatnonzero(self.choices >= 0)
        return float(-log_policy(x[scored])[np.arange(len(scored)), self.choices[scored]].sum())


def log_policy(x: np.ndarray) -> np.ndarray:
    """Log choice probabilities log softmax(x) over the last axis."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def problem(data: Dataset, row: int, model: Model, bounds: Bounds) -> Problem:
    """The fitting problem of the episode in position `row`, without its padding."""
    n_steps = data.n_steps[row]
    choices, rewards, starts = (getattr(data, f)[row, :n_steps] for f in ("choices", "rewards", "starts"))
    lower, upper = model.box(data.n_arms, bounds)
    signals = model.signal_values(choices, rewards)
    return Problem(model, data.n_arms, choices, starts, choices, signals, lower, upper)
