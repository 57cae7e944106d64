"""The one likelihood: value traces, negative log-likelihood and gradient, compiled, for every family, method and judge.

Notation of Zhu et al. (arXiv 2511.04454, section 2). With unit traces h_s (those of beta = 1), x(t)[i] = sum_s beta_s[i]
h_s(t)[i] and

    J = sum_t [ logsumexp(x(t)) - x(t)[y(t)] ]      (nats; missed trials have no term)

Derivatives run forward with the traces: p = dh/dalpha obeys p(t+1) = (1 - alpha) p(t) + u(t) - h(t).

The compiled functions keep steps in the last, contiguous axis: one short recursion per trace, then everything else as long
loops over steps that vectorise.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit

from ..data.dataset import Dataset
from .families import Bounds, Model

_compiled = njit(cache=True, nogil=True, error_model="numpy")
# Fused multiply-adds and vector sums; infinities and NaN keep their meaning.
_vectorised = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})

# exp(x) = 2^k exp(r), k = round(x / ln 2): ln 2 in two parts so that k * LN2_HIGH is exact, the Taylor series of exp on
# |r| <= ln(2) / 2 to the last bit, and a number that rounds to an integer in the low bits when added.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_TAYLOR = tuple(1.0 / math.factorial(n) for n in range(14))
_ROUND = 1.5 * 2.0**52
# Where a product of softmax denominators is turned into a logarithm: far below overflow for any number of arms.
_FLUSH = 1e250
# Sensitivities beyond this are as good as infinite, and their products with signals must not overflow.
_LARGEST = 1e200


@_compiled
def _exp(x):
    """exp of x <= 0 to 1 ulp, unlike the library's in a form that vectorises; below -708 it stays at exp(-708)."""
    x = -708.0 if x < -708.0 else x
    shifted = x * (1.0 / math.log(2.0)) + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total = _TAYLOR[13]
    for n in range(12, -1, -1):
        total = total * r + _TAYLOR[n]
    return total * np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)


@_vectorised
def _trace(arms, signal, starts, arm, alpha, h, p=None, c=None):
    """Fills h (steps,) with the unit trace of one signal on one arm, as it stands when each step's choice is made, and
    p and c, where given, with its first and second derivative in alpha."""
    decay = 1.0 - alpha
    now = slope = curve = 0.0
    for t in range(h.size):
        if starts[t]:
            now = slope = curve = 0.0
        h[t] = now
        u = signal[t] if arms[t] == arm else 0.0
        if c is not None:
            c[t] = curve
            curve = decay * curve - 2.0 * slope
        if p is not None:
            p[t] = slope
            slope = decay * slope + (u - now)
        now = decay * now + alpha * u


@_vectorised
def _policy(choices, h, beta):
    """The nll of unit traces h (signals, arms, steps), and the choice probabilities (arms, steps), 0 on missed trials."""
    n_signals, n_arms, n_steps = h.shape
    x = np.empty((n_arms, n_steps))
    top = np.full(n_steps, -np.inf)
    total = np.zeros(n_steps)
    for i in range(n_arms):
        for t in range(n_steps):
            x[i, t] = beta[0, i] * h[0, i, t]
        for s in range(1, n_signals):
            for t in range(n_steps):
                x[i, t] += beta[s, i] * h[s, i, t]
        for t in range(n_steps):
            top[t] = max(top[t], x[i, t])
    nll = 0.0
    for t in range(n_steps):
        if choices[t] >= 0:
            nll += top[t] - x[choices[t], t]
    for i in range(n_arms):
        for t in range(n_steps):
            x[i, t] = _exp(x[i, t] - top[t])
            total[t] += x[i, t]
    product = 1.0
    for t in range(n_steps):
        if choices[t] >= 0:
            product *= total[t]
            if product > _FLUSH:
                nll += np.log(product)
                product = 1.0
            total[t] = 1.0 / total[t]
        else:
            total[t] = 0.0
    for i in range(n_arms):
        for t in range(n_steps):
            x[i, t] *= total[t]
    return nll + np.log(product), x


@_compiled
def _residuals(choices, policy):
    """Turns choice probabilities (arms, steps) into policy - choice."""
    for t in range(choices.size):
        if choices[t] >= 0:
            policy[choices[t], t] -= 1.0


@_vectorised
def _dot(a, b):
    total = 0.0
    for t in range(a.size):
        total += a[t] * b[t]
    return total


@_vectorised
def _dot3(a, b, c):
    total = 0.0
    for t in range(a.size):
        total += a[t] * b[t] * c[t]
    return total


@_compiled
def _nll_grad(choices, arms, signals, starts, alpha, beta, d_alpha, d_beta):
    """The nll; adds its gradient to d_alpha and d_beta, all of shape (signals, arms)."""
    n_signals, n_arms = alpha.shape
    h = np.empty((n_signals, n_arms, choices.size))
    p = np.empty_like(h)
    for s in range(n_signals):
        for i in range(n_arms):
            _trace(arms, signals[s], starts, i, alpha[s, i], h[s, i], p[s, i])
    nll, residuals = _policy(choices, h, beta)
    _residuals(choices, residuals)
    for s in range(n_signals):
        for i in range(n_arms):
            d_alpha[s, i] += beta[s, i] * _dot(residuals[i], p[s, i])
            d_beta[s, i] += _dot(residuals[i], h[s, i])
    return nll


@_compiled
def _unit_traces(arms, signals, starts, alpha):
    """The unit traces, shape (signals, arms, steps), as they stand when each step's choice is made."""
    n_signals, n_arms = alpha.shape
    h = np.empty((n_signals, n_arms, arms.size))
    for s in range(n_signals):
        for i in range(n_arms):
            _trace(arms, signals[s], starts, i, alpha[s, i], h[s, i])
    return h


@_compiled
def _nll(choices, arms, signals, starts, alpha, beta):
    return _policy(choices, _unit_traces(arms, signals, starts, alpha), beta)[0]


@_compiled
def _spread(theta, n_signals, n_arms):
    """alpha and beta (signals, arms) of a theta that holds one of each per signal, or per signal and arm."""
    full = np.empty((2, n_signals, n_arms))
    q = theta.size // (2 * n_signals)
    for k in range(theta.size):
        half, s, i = k // (n_signals * q), k // q % n_signals, k % q
        full[half, s, i : i + n_arms - q + 1] = theta[k]
    return full


@_compiled
def _nll_grad_theta(choices, arms, signals, starts, n_arms, theta):
    """The nll and its gradient with respect to theta."""
    n_signals = len(signals)
    full = _spread(theta, n_signals, n_arms)
    gradient = np.zeros_like(full)
    nll = _nll_grad(choices, arms, signals, starts, full[0], full[1], gradient[0], gradient[1])
    return nll, gradient.reshape(theta.size, -1).sum(axis=1)


@_compiled
def _nll_theta(choices, arms, signals, starts, n_arms, theta):
    full = _spread(theta, len(signals), n_arms)
    return _nll(choices, arms, signals, starts, full[0], full[1])


@_compiled
def _nll_hessian(choices, arms, signals, starts, n_arms, theta):
    """The nll, its gradient and Hessian with respect to theta, and the diagonal of the Fisher information.

    With D the derivatives of the values x, and e and d the first and second differentials of the nll in x, the Fisher
    information is sum_t D' e D, e = diag(policy) - policy policy', and the Hessian adds sum_t,i d[i] times the second
    derivatives of x[i], which only couple an alpha with itself and with its own beta.
    """
    n_signals, n_steps = len(signals), choices.size
    q = theta.size // (2 * n_signals)
    full = _spread(theta, n_signals, n_arms)
    slope = np.empty((2, n_signals, n_arms, n_steps))
    p, c = np.empty(slope.shape[1:]), np.empty(slope.shape[1:])
    for s in range(n_signals):
        for i in range(n_arms):
            _trace(arms, signals[s], starts, i, full[0, s, i], slope[1, s, i], p[s, i], c[s, i])
            slope[0, s, i] = full[1, s, i] * p[s, i]
    nll, policy = _policy(choices, slope[1], full[1])

    place = np.empty((2, n_signals, n_arms), dtype=np.int64)  # in theta
    for half in range(2):
        for s in range(n_signals):
            for i in range(n_arms):
                place[half, s, i] = (half * n_signals + s) * q + i % q
    mean = np.zeros((theta.size, n_steps))
    hessian = np.zeros((theta.size, theta.size))
    slopes, places = slope.reshape(-1, n_arms, n_steps), place.reshape(-1, n_arms)
    for i in range(n_arms):
        for j in range(2 * n_signals):
            mean[places[j, i]] += policy[i] * slopes[j, i]
            for k in range(2 * n_signals):
                hessian[places[j, i], places[k, i]] += _dot3(policy[i], slopes[j, i], slopes[k, i])
    hessian -= mean @ mean.T
    fisher = np.diag(hessian).copy()

    _residuals(choices, policy)
    gradient = np.zeros(theta.size)
    for s in range(n_signals):
        for i in range(n_arms):
            a, b = place[0, s, i], place[1, s, i]
            gradient[a] += _dot(policy[i], slope[0, s, i])
            gradient[b] += _dot(policy[i], slope[1, s, i])
            hessian[a, a] += full[1, s, i] * _dot(policy[i], c[s, i])
            mixed = _dot(policy[i], p[s, i])
            hessian[a, b] += mixed
            hessian[b, a] += mixed
    return nll, gradient, hessian, fisher


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
    signals (signals, steps); lower, upper: the box of theta = (alpha.ravel(), beta.ravel()); unit (signals,): how many of the
    user's units make one of each signal's here (`in_units`).
    """

    model: Model
    n_arms: int
    choices: np.ndarray
    starts: np.ndarray
    arms: np.ndarray
    signals: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    unit: np.ndarray = None
    shape: tuple[int, int] = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "shape", self.model.shape(self.n_arms))
        if self.unit is None:
            object.__setattr__(self, "unit", np.ones(self.model.n_signals))

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

    def in_units(self, unit: np.ndarray) -> "Problem":
        """The same episode with signal s counted in units of unit[s], so that its sensitivities are unit[s] times as large.
        Exact where `unit` holds powers of two."""
        scale = np.concatenate([np.ones(len(self.lower) // 2), np.repeat(unit, self.shape[1])])
        lower, upper = np.minimum(self.lower * scale, _LARGEST), np.minimum(self.upper * scale, _LARGEST)
        return replace(self, signals=self.signals / unit[:, None], lower=lower, upper=upper, unit=self.unit * unit)

    def own_unit(self) -> np.ndarray:
        """The power of two nearest to the largest absolute value of each signal (signals,); 1 for a signal that is all zero."""
        return power_of_two(np.abs(self.signals).max(axis=1))

    def at_bound(self, theta: np.ndarray) -> np.ndarray:
        """Which parameters of a theta vector are at a bound of non-zero width: -1 the lower, 1 the upper, 0 neither. That is
        within a millionth of the width of the box, or of a sensitivity of one in the signals' own units where the box is
        wider."""
        unit = self.own_unit()
        own = self.in_units(unit)
        theta = theta * np.concatenate([np.ones(len(theta) // 2), np.repeat(unit, self.shape[1])])
        width = own.upper - own.lower
        near = 1e-6 * np.minimum(width, 1.0)
        low, high = theta <= own.lower + near, theta >= own.upper - near
        return np.where(width > 0, np.where(low, -1, np.where(high, 1, 0)), 0)

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
        theta = np.ascontiguousarray(theta, dtype=np.float64)
        return _nll_theta(self.choices, self.arms, self.signals, self.starts, self.n_arms, theta)

    def nll_grad(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """The nll and its gradient with respect to theta."""
        theta = np.ascontiguousarray(theta, dtype=np.float64)
        return _nll_grad_theta(self.choices, self.arms, self.signals, self.starts, self.n_arms, theta)

    def unit_traces(self, alpha: np.ndarray) -> np.ndarray:
        """The traces of beta = 1, shape (steps, signals, arms), as they stand when each choice is made."""
        h = _unit_traces(self.arms, self.signals, self.starts, self.full(alpha))
        return np.ascontiguousarray(h.transpose(2, 0, 1))

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

    def rounding(self, alpha: np.ndarray | None, beta: np.ndarray | None, kernels: np.ndarray | None = None) -> float:
        """How far the computed nll of parameters, or else of kernels, may be from the exact one, in nats.

        A value is a sum of as many terms as its trace remembers, each rounded in proportion to the terms before they cancel,
        so they are taken with absolute signals; and a few operations more make a log probability of it.
        """
        whole = replace(self, signals=np.abs(self.signals))
        if kernels is None:
            memory = min(self.n_steps, 1.0 / max(float(alpha.min()), 1.0 / self.n_steps))
            x = whole.values(alpha, np.abs(beta))
        else:
            memory, x = self.n_steps, whole.kernel_values(np.abs(kernels))
        scored = self.choices >= 0
        return float(np.finfo(float).eps * (6 + memory) * (x[scored].max(axis=1) + 1.0).sum())


def power_of_two(size: np.ndarray) -> np.ndarray:
    """The powers of two nearest (by ratio) to sizes; 1 for a size of 0."""
    return np.exp2(np.round(np.log2(np.where(size > 0.0, size, 1.0))))


def log_policy(x: np.ndarray) -> np.ndarray:
    """Log choice probabilities log softmax(x) over the last axis."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def problem(data: Dataset, row: int, model: Model, bounds: Bounds) -> Problem:
    """The fitting problem of the episode in position `row`, without its padding."""
    n_steps = data.n_steps[row]
    # Copies, so that no method can change the data.
    choices, rewards, starts = (getattr(data, f)[row, :n_steps].copy() for f in ("choices", "rewards", "starts"))
    lower, upper = model.box(data.n_arms, bounds)
    signals = model.signal_values(choices, rewards)
    return Problem(model, data.n_arms, choices, starts, choices, signals, lower, upper)
