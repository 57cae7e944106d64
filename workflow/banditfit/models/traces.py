"""The compiled recursion of every model: traces, values, the nll, its gradient and its Hessian in theta.

With unit traces z_k and weights w_k, values are x(t)[i] = sum_k w_k[i] z_k(t)[i] + bias[i], and

    z(t+1)[i] = z(t)[i] + a (u(t)[i] - z(t)[i]),    z at the start of a session = initial value

    J = sum_t -log P(y(t)),    P = (1 - lapse) softmax(x) + lapse / arms      (nats; missed trials have no term)

Where fewer arms are offered on a step, both shares of P are over those alone: the values of the others are minus infinity.

The rate a depends on what happened to the arm: it was chosen and its signal exceeds the trace (a gain), it was chosen and does
not (a loss), or another arm was chosen. A rule that counts every step has one rate for all of these, and missed trials count.
All rates, weights, initial values, biases and the lapse are places in one vector theta, so that a model is an `Episode` of
integers and never code (docs/models.md).

Derivatives run forward with the traces: with a = theta[j] on a step, p_j = dz/dtheta_j obeys
p_j' = (1 - a) p_j + (u - z), and the second derivatives c_jl' = (1 - a) c_jl - p_l [a = theta_j] - p_j [a = theta_l].
"""

from typing import NamedTuple

import numpy as np

from ..numerics import _compiled, _dot, _dot3, _residuals, _softmax, _vectorised

# The rules of a trace: every step counts, or the steps at which an arm is chosen.
EVERY_STEP, CHOICES = 0, 1
# The classes of a step, by which a rate is looked up.
GAIN, LOSS, UNCHOSEN = 0, 1, 2
# Places that are no parameter: a rate of 0 or 1, an initial value, bias or lapse of 0.
ZERO, ONE = -1, -2


# Columns of `Episode.rules`, and of `Episode.places`.
RULE, OTHERS, N_OWN, INITIAL, SLOT = 0, 1, 2, 3, 4
WEIGHT, OWN = 3, 4


class Episode(NamedTuple):
    """An episode and its model, as compiled code takes them: few arrays, for each has its price where Python calls.

    Places are positions in theta, or ZERO or ONE.

    choices  (steps,) int: the arm that is scored, -1 on a missed trial
    arms     (steps,) int: the arm on which the signals fall, -1 for none
    starts   (steps,) bool: where a session starts
    signals  (traces or more, steps): what each trace follows on that arm, then what some follow on the other arms
    rules    (traces + 1, 7) int: of each trace its RULE, EVERY_STEP or CHOICES; the row of `signals` that the OTHERS get (-1:
             0); how many parameters of its own it has, N_OWN (the rates that differ, then an initial value); the place of its
             INITIAL value; and from SLOT on, which of its own parameters is the rate after a GAIN, a LOSS, and of an arm
             UNCHOSEN (-1: none). The last row begins with the place of the lapse
    places   (traces + 1, arms, 4 + own) int: the places of these three rates, of the WEIGHT, and from OWN on of its own
             parameters. The last row begins with the places of the biases
    barred   (arms, steps) bool: the arms that are not offered, never all; (arms, 0) where every step offers all
    """

    choices: np.ndarray
    arms: np.ndarray
    starts: np.ndarray
    signals: np.ndarray
    rules: np.ndarray
    places: np.ndarray
    barred: np.ndarray


@_compiled
def _sizes(ep):
    """How many traces, arms and steps there are."""
    return len(ep.rules) - 1, ep.places.shape[1], ep.choices.size


@_compiled
def _lapse(ep):
    """The place of the lapse."""
    return ep.rules[-1, 0]


@_compiled
def _bias(ep, arm):
    """The place of an arm's bias."""
    return ep.places[-1, arm, 0]


@_compiled
def _at(theta, place):
    """The value at a place."""
    if place >= 0:
        return theta[place]
    return 1.0 if place == ONE else 0.0


@_compiled
def _bar(barred, x):
    """Sets the values x (arms, steps) of arms that are not offered to minus infinity."""
    for i in range(len(barred)):
        for t in range(barred.shape[1]):
            if barred[i, t]:
                x[i, t] = -np.inf


@_compiled
def _offered(barred, t):
    """How many arms step t offers."""
    n_arms = len(barred)
    if barred.shape[1] == 0:
        return n_arms
    n = 0
    for i in range(n_arms):
        n += not barred[i, t]
    return n


@_vectorised
def _trace(arms, signal, starts, arm, alpha, h, p=None, c=None):
    """Fills h (steps,) with the unit trace of one signal on one arm where every step counts, as it stands when each step's
    choice is made, and p and c, where given, with its first and second derivative in alpha."""
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


@_compiled
def _gated(ep, k, arm, theta, h, p=None, c=None):
    """The same of trace k by any rule: p (own, steps) and c (own * (own + 1) / 2, steps), pairs (0, 0), (1, 0), (1, 1), ..."""
    n = ep.rules[k, N_OWN]
    alpha = np.empty(3)
    for g in range(3):
        alpha[g] = _at(theta, ep.places[k, arm, g])
    start = _at(theta, ep.rules[k, INITIAL])
    now = start
    last = LOSS
    slope, curve = np.zeros(n), np.zeros(n * (n + 1) // 2)
    for t in range(h.size):
        if ep.starts[t]:
            now = start
            last = LOSS
            slope[:] = 0.0
            curve[:] = 0.0
            if ep.rules[k, INITIAL] >= 0:
                slope[n - 1] = 1.0
        h[t] = now
        if p is not None:
            for l in range(n):
                p[l, t] = slope[l]
        if c is not None:
            for j in range(curve.size):
                c[j, t] = curve[j]
        own = ep.arms[t] == arm
        if ep.rules[k, RULE] == EVERY_STEP:
            g, u = GAIN, ep.signals[k, t] if own else 0.0
        elif ep.arms[t] < 0:
            continue
        elif own:
            u = ep.signals[k, t]
            # Who has come up to a signal, to the last bit, comes from below at any other rates: it gains.
            g = GAIN if u > now or (u == now and last == GAIN) else LOSS
            if u != now and alpha[g] > 0.0:
                last = g
        elif ep.rules[k, SLOT + UNCHOSEN] < 0 and alpha[UNCHOSEN] == 0.0:
            continue
        else:
            g, u = UNCHOSEN, ep.signals[ep.rules[k, OTHERS], t] if ep.rules[k, OTHERS] >= 0 else 0.0
        keep, slot = 1.0 - alpha[g], ep.rules[k, SLOT + g]
        if c is not None:
            j = 0
            for l in range(n):
                for r in range(l + 1):
                    after = keep * curve[j]
                    if l == slot:
                        after -= slope[r]
                    if r == slot:
                        after -= slope[l]
                    curve[j] = after
                    j += 1
        if p is not None:
            for l in range(n):
                slope[l] *= keep
            if slot >= 0:
                slope[slot] += u - now
        now += alpha[g] * (u - now)


@_compiled
def _one_trace(ep, k, arm, theta, h):
    """Fills h (steps,) with the unit trace k on one arm."""
    if ep.rules[k, RULE] == EVERY_STEP and ep.rules[k, INITIAL] < 0:
        _trace(ep.arms, ep.signals[k], ep.starts, arm, _at(theta, ep.places[k, arm, GAIN]), h)
    else:
        _gated(ep, k, arm, theta, h)


@_compiled
def _fill(ep, theta, h, p=None, c=None):
    """Fills h (traces, arms, steps) with the unit traces of theta, p (traces, arms, own, steps) and c likewise."""
    n_traces, n_arms, _ = _sizes(ep)
    for k in range(n_traces):
        plain = ep.rules[k, RULE] == EVERY_STEP and ep.rules[k, INITIAL] < 0 and ep.rules[k, N_OWN] > 0
        for i in range(n_arms):
            if not plain:
                if c is not None:
                    _gated(ep, k, i, theta, h[k, i], p[k, i], c[k, i])
                elif p is not None:
                    _gated(ep, k, i, theta, h[k, i], p[k, i])
                else:
                    _gated(ep, k, i, theta, h[k, i])
                continue
            alpha = theta[ep.places[k, i, GAIN]]
            if c is not None:
                _trace(ep.arms, ep.signals[k], ep.starts, i, alpha, h[k, i], p[k, i, 0], c[k, i, 0])
            elif p is not None:
                _trace(ep.arms, ep.signals[k], ep.starts, i, alpha, h[k, i], p[k, i, 0])
            else:
                _trace(ep.arms, ep.signals[k], ep.starts, i, alpha, h[k, i])


@_compiled
def _unit_traces(ep, theta):
    """The unit traces (traces, arms, steps), as they stand when each step's choice is made."""
    h = np.empty(_sizes(ep))
    _fill(ep, theta, h)
    return h


@_vectorised
def _values(ep, theta, h):
    """x (arms, steps) of unit traces, minus infinity where an arm is not offered."""
    n_traces, n_arms, n_steps = h.shape
    x = np.empty((n_arms, n_steps))
    for i in range(n_arms):
        bias = _at(theta, _bias(ep, i))
        weight = _at(theta, ep.places[0, i, WEIGHT])
        for t in range(n_steps):
            x[i, t] = weight * h[0, i, t] + bias
        for k in range(1, n_traces):
            weight = _at(theta, ep.places[k, i, WEIGHT])
            for t in range(n_steps):
                x[i, t] += weight * h[k, i, t]
    _bar(ep.barred, x)
    return x


@_compiled
def _policy_of(ep, theta):
    """The choice probabilities (arms, steps), also where the trial was missed."""
    policy = _values(ep, theta, _unit_traces(ep, theta))
    _softmax(np.zeros_like(ep.choices), policy)
    if _lapse(ep) >= 0:
        eps = theta[_lapse(ep)]
        policy *= 1.0 - eps
        for t in range(policy.shape[1]):
            share = eps / _offered(ep.barred, t)
            for i in range(len(policy)):
                policy[i, t] += share
    for i in range(len(policy)):
        for t in range(ep.barred.shape[1]):
            if ep.barred[i, t]:
                policy[i, t] = 0.0
    return policy


@_compiled
def _lapsed(ep, policy, eps, share):
    """The nll of (1 - eps) policy + eps / arms, policy (arms, steps); fills share (steps,), by how much less the values matter
    than they do without a lapse: (1 - eps) policy(y) / P(y)."""
    choices = ep.choices
    nll = 0.0
    for t in range(choices.size):
        share[t] = 0.0
        if choices[t] >= 0:
            own = (1.0 - eps) * policy[choices[t], t]
            total = own + eps / _offered(ep.barred, t)
            nll -= np.log(total)
            share[t] = own / total
    return nll


@_compiled
def _nll(ep, theta):
    x = _values(ep, theta, _unit_traces(ep, theta))
    nll = _softmax(ep.choices, x)
    if _lapse(ep) >= 0:
        nll = _lapsed(ep, x, theta[_lapse(ep)], np.empty(ep.choices.size))
    return nll


@_compiled
def _lapse_slope(ep, policy, eps):
    """The derivative of the nll in the lapse, per step (steps,)."""
    choices = ep.choices
    slope = np.zeros(choices.size)
    for t in range(choices.size):
        if choices[t] >= 0:
            m = _offered(ep.barred, t)
            s = policy[choices[t], t]
            slope[t] = (s - 1.0 / m) / ((1.0 - eps) * s + eps / m)
    return slope


@_compiled
def _nll_grad(ep, theta):
    """The nll and its gradient in theta."""
    n_traces, n_arms, n_steps = _sizes(ep)
    h = np.empty((n_traces, n_arms, n_steps))
    p = np.empty((n_traces, n_arms, ep.places.shape[2] - OWN, n_steps))
    _fill(ep, theta, h, p)
    x = _values(ep, theta, h)
    nll = _softmax(ep.choices, x)
    gradient = np.zeros(theta.size)
    if _lapse(ep) >= 0:
        share = np.empty(n_steps)
        nll = _lapsed(ep, x, theta[_lapse(ep)], share)
        gradient[_lapse(ep)] = _lapse_slope(ep, x, theta[_lapse(ep)]).sum()
        _residuals(ep.choices, x)
        x *= share
    else:
        _residuals(ep.choices, x)
    for i in range(n_arms):
        for k in range(n_traces):
            weight = _at(theta, ep.places[k, i, WEIGHT])
            for l in range(ep.rules[k, N_OWN]):
                gradient[ep.places[k, i, OWN + l]] += weight * _dot(x[i], p[k, i, l])
            if ep.places[k, i, WEIGHT] >= 0:
                gradient[ep.places[k, i, WEIGHT]] += _dot(x[i], h[k, i])
        if _bias(ep, i) >= 0:
            gradient[_bias(ep, i)] += x[i].sum()
    return nll, gradient


@_compiled
def _nll_hessian(ep, theta):
    """The nll, its gradient and Hessian in theta, and Fisher's information (both parameters x parameters).

    With D the derivatives of the values, e and d the first and second differentials of the nll in the values, the Hessian is
    sum_t D' d D plus e times the second derivatives of the values, which couple only what belongs to one trace on one arm.
    Without a lapse d = diag(policy) - policy policy', and the first sum is Fisher's information; with one, what is given in its
    place is never negative definite either.
    """
    n_traces, n_arms, n_steps = _sizes(ep)
    own = ep.places.shape[2] - OWN
    h = np.empty((n_traces, n_arms, n_steps))
    p = np.empty((n_traces, n_arms, own, n_steps))
    c = np.empty((n_traces, n_arms, own * (own + 1) // 2, n_steps))
    _fill(ep, theta, h, p, c)
    x = _values(ep, theta, h)
    nll = _softmax(ep.choices, x)
    share = np.ones(n_steps)
    if _lapse(ep) >= 0:
        nll = _lapsed(ep, x, theta[_lapse(ep)], share)

    # The derivatives of each arm's values: a row for each of its parameters.
    rows = n_traces * (own + 1) + 1
    slope, place = np.empty((rows, n_steps)), np.empty(rows, dtype=np.int64)
    mean, chosen = np.zeros((theta.size, n_steps)), np.zeros((theta.size, n_steps))
    fisher = np.zeros((theta.size, theta.size))
    weighted = np.empty(n_steps)
    for i in range(n_arms):
        n = 0
        for k in range(n_traces):
            weight = _at(theta, ep.places[k, i, WEIGHT])
            for l in range(ep.rules[k, N_OWN]):
                slope[n], place[n] = weight * p[k, i, l], ep.places[k, i, OWN + l]
                n += 1
            if ep.places[k, i, WEIGHT] >= 0:
                slope[n], place[n] = h[k, i], ep.places[k, i, WEIGHT]
                n += 1
        if _bias(ep, i) >= 0:
            slope[n], place[n] = np.ones(n_steps), _bias(ep, i)
            n += 1
        for t in range(n_steps):
            weighted[t] = share[t] * x[i, t]
        for a in range(n):
            for t in range(n_steps):
                mean[place[a], t] += x[i, t] * slope[a, t]
                if ep.choices[t] == i:
                    chosen[place[a], t] += slope[a, t]
            for b in range(n):
                fisher[place[a], place[b]] += _dot3(weighted, slope[a], slope[b])
    fisher -= (mean * share) @ mean.T
    hessian = fisher.copy()
    gradient = np.zeros(theta.size)
    if _lapse(ep) >= 0:
        eps = theta[_lapse(ep)]
        steps = _lapse_slope(ep, x, eps)
        gradient[_lapse(ep)] = steps.sum()
        residual = mean - chosen
        hessian -= (residual * (share * (1.0 - share))) @ residual.T
        fisher[_lapse(ep), _lapse(ep)] = _dot(steps, steps)
        hessian[_lapse(ep), _lapse(ep)] = fisher[_lapse(ep), _lapse(ep)]
        for t in range(n_steps):  # the derivative of `share` in the lapse
            if ep.choices[t] >= 0:
                s = x[ep.choices[t], t]
                m = _offered(ep.barred, t)
                total = (1.0 - eps) * s + eps / m
                weighted[t] = -s / m / (total * total)
            else:
                weighted[t] = 0.0
        for j in range(theta.size):
            mixed = _dot(weighted, residual[j])
            hessian[j, _lapse(ep)] += mixed
            hessian[_lapse(ep), j] += mixed

    _residuals(ep.choices, x)
    x *= share
    for i in range(n_arms):
        for k in range(n_traces):
            w = ep.places[k, i, WEIGHT]
            weight = _at(theta, w)
            if w >= 0:
                gradient[w] += _dot(x[i], h[k, i])
            j = 0
            for l in range(ep.rules[k, N_OWN]):
                a = ep.places[k, i, OWN + l]
                first = _dot(x[i], p[k, i, l])
                gradient[a] += weight * first
                if w >= 0:
                    hessian[a, w] += first
                    hessian[w, a] += first
                for r in range(l + 1):
                    second = weight * _dot(x[i], c[k, i, j])
                    hessian[a, ep.places[k, i, OWN + r]] += second
                    if r < l:
                        hessian[ep.places[k, i, OWN + r], a] += second
                    j += 1
        if _bias(ep, i) >= 0:
            gradient[_bias(ep, i)] += x[i].sum()
    return nll, gradient, hessian, fisher


@_compiled
def _derivatives(ep, theta):
    """The derivatives of the values in theta (parameters, arms, steps), as if all arms were offered."""
    n_traces, n_arms, n_steps = _sizes(ep)
    h = np.empty((n_traces, n_arms, n_steps))
    p = np.empty((n_traces, n_arms, ep.places.shape[2] - OWN, n_steps))
    _fill(ep, theta, h, p)
    slopes = np.zeros((theta.size, n_arms, n_steps))
    for i in range(n_arms):
        for k in range(n_traces):
            weight = _at(theta, ep.places[k, i, WEIGHT])
            for l in range(ep.rules[k, N_OWN]):
                slopes[ep.places[k, i, OWN + l], i] += weight * p[k, i, l]
            if ep.places[k, i, WEIGHT] >= 0:
                slopes[ep.places[k, i, WEIGHT], i] += h[k, i]
        if _bias(ep, i) >= 0:
            slopes[_bias(ep, i), i] += 1.0
    return slopes


def packed(ep: Episode) -> np.ndarray:
    """An episode as one array of 64-bit words, for `unpacked`: what a sampler hands to compiled code by its address."""
    reals = np.ascontiguousarray(ep.signals, dtype=np.float64).ravel().view(np.int64)
    barred = ep.barred.astype(np.int64).ravel()
    whole = [ep.choices, ep.arms, ep.starts.astype(np.int64), reals, ep.rules.ravel(), ep.places.ravel(), barred]
    head = [0, len(ep.choices), len(ep.signals), len(ep.rules), *ep.places.shape[1:], ep.barred.shape[1]]
    words = np.concatenate([head, *whole])
    words[0] = len(words)
    return words


@_compiled
def unpacked(words):
    """The episode that `packed` wrote, from words that begin with it; their first says how many there are."""
    n, rows, n_rules, n_arms, width = words[1], words[2], words[3], words[4], words[5]
    steps = words[7 : 7 + 3 * n].reshape((3, n))
    rest = words[7 + 3 * n :]
    signals = rest[: rows * n].view(np.float64).reshape((rows, n))
    rules = rest[rows * n :][: 7 * n_rules].reshape((n_rules, 7))
    rest = rest[rows * n + 7 * n_rules :]
    places = rest[: n_rules * n_arms * width].reshape((n_rules, n_arms, width))
    barred = rest[n_rules * n_arms * width :][: n_arms * words[6]].reshape((n_arms, words[6]))
    return Episode(steps[0], steps[1], steps[2] != 0, signals, rules, places, barred != 0)
