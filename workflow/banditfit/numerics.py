"""Compiled arithmetic that everything rests on: one exp, one softmax, sums over steps, and small linear systems.

Steps lie in the last, contiguous axis, so that loops over them vectorise.
"""

import math

import numpy as np
from numba import config, njit

from .caching import LOCATORS

config.CACHE_LOCATOR_CLASSES = config.CACHE_LOCATOR_CLASSES or LOCATORS
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
def _softmax(choices, x):
    """Turns values x (arms, steps) into choice probabilities, 0 on missed trials, and returns the nll of the choices."""
    n_arms, n_steps = x.shape
    top = np.full(n_steps, -np.inf)
    total = np.zeros(n_steps)
    for i in range(n_arms):
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
    return nll + np.log(product)


@_vectorised
def _policy(choices, h, beta):
    """The nll of values sum_s beta[s] h[s], h (signals, arms, steps) and beta (signals, arms), and the choice probabilities
    (arms, steps), 0 on missed trials."""
    n_signals, n_arms, n_steps = h.shape
    x = np.empty((n_arms, n_steps))
    for i in range(n_arms):
        for t in range(n_steps):
            x[i, t] = beta[0, i] * h[0, i, t]
        for s in range(1, n_signals):
            for t in range(n_steps):
                x[i, t] += beta[s, i] * h[s, i, t]
    nll = _softmax(choices, x)
    return nll, x


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
def _cholesky(A, L):
    """Fills the lower triangle L with A = L L'; False if A is not positive definite."""
    for i in range(A.shape[0]):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            if i > j:
                L[i, j] = total / L[j, j]
            elif total > 1e-12 * abs(A[i, i]):  # a pivot below rounding is no evidence of curvature; NaN fails too
                L[i, i] = math.sqrt(total)
            else:
                return False
    return True


@_compiled
def _solve(L, b, out):
    """Fills out with the solution of L L' out = b."""
    n = b.size
    for i in range(n):
        out[i] = b[i]
        for k in range(i):
            out[i] -= L[i, k] * out[k]
        out[i] /= L[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            out[i] -= L[k, i] * out[k]
        out[i] /= L[i, i]


def log_policy(x: np.ndarray) -> np.ndarray:
    """Log choice probabilities log softmax(x) over the last axis."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
