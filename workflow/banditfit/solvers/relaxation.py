"""The convex problem in which each trace is replaced by its tangents over a box (see `boxes`), and its Newton steps."""

import numpy as np

from ..models.traces import N_OWN, _sizes
from ..numerics import _cholesky, _compiled, _dot, _dot3, _solve


@_compiled
def _reach(low, high):
    """How far |w d| may go for |d| <= 1, by the chord of |w| over its box, as c w + e: c and e."""
    if low >= 0.0:
        return 1.0, 0.0
    if high <= 0.0:
        return -1.0, 0.0
    return (high + low) / (high - low), -2.0 * low * high / (high - low)


@_compiled
def _first_point(gr, low, high, start, half):
    """The point of the relaxed problem nearest to theta = `start`, and the problem's box."""
    n = gr.weight.size + gr.size.sum() + gr.biases.size
    y, y_low, y_high = np.zeros(n), np.empty(n), np.empty(n)
    j = 0
    for g in range(gr.weight.size):
        w = gr.weight[g]
        y_low[j], y_high[j] = low[w], high[w]
        y[j] = min(max(start[w], low[w]), high[w])
        for a in range(gr.size[g]):
            place = gr.own[g, a]
            y_low[j + 1 + a], y_high[j + 1 + a] = (-1.0, 1.0) if half[place] > 0.0 else (0.0, 0.0)
            if half[place] > 0.0:
                y[j + 1 + a] = min(max((start[place] - 0.5 * (low[place] + high[place])) / half[place], -1.0), 1.0)
        j += 1 + gr.size[g]
    for b in range(gr.biases.size):
        place = gr.biases[b]
        y_low[j + b], y_high[j + b] = low[place], high[place]
        y[j + b] = min(max(start[place], low[place]), high[place])
    return y, y_low, y_high


@_compiled
def _relaxed(gr, low, high, y, h, p, half, n_arms, x, tangent):
    """Fills x (arms, steps) with the values of y, which holds for each group its weight and how far its tangents are used, in
    [-1, 1], then the biases; and `tangent` (y, arms, steps) with their derivatives in y."""
    x[:] = 0.0
    tangent[:] = 0.0
    n_steps = x.shape[1]
    for k in range(gr.of.shape[0]):
        for i in range(n_arms):
            g = gr.of[k, i]
            at = k * n_arms + i
            first = 0
            for other in range(g):
                first += 1 + gr.size[other]
            w = y[first]
            c, e = _reach(low[gr.weight[g]], high[gr.weight[g]])
            for t in range(n_steps):
                tangent[first, i, t] += h[at, t]
                x[i, t] += w * h[at, t]
            l = 0
            while gr.slot[k, i, l] >= 0:
                a = gr.slot[k, i, l]
                l += 1
                used = half[gr.own[g, a]]
                if used == 0.0:
                    continue
                s = y[first + 1 + a] * used
                scale = (c * w + e) * used
                for t in range(n_steps):
                    tangent[first, i, t] += c * s * p[at, l - 1, t]
                    tangent[first + 1 + a, i, t] += scale * p[at, l - 1, t]
                    x[i, t] += (c * w + e) * s * p[at, l - 1, t]
    first = y.size - gr.biases.size
    for i in range(n_arms):
        if gr.arm[i] >= 0:
            for t in range(n_steps):
                tangent[first + gr.arm[i], i, t] = 1.0
                x[i, t] += y[first + gr.arm[i]]


@_compiled
def _aim(ep, gr, low, high, y_low, y_high, half, h, p, r, shift, y, x, tangent, gradient):
    """Turns the tangents of weights that are 0 at an end of their box, which do not matter at y itself, to where they promise
    most, and renews the tangents and the slope along these weights."""
    j = 0
    for g in range(gr.weight.size):
        if y[j] == 0.0 and (y_low[j] >= 0.0 or y_high[j] <= 0.0):
            for a in range(gr.size[g]):
                if half[gr.own[g, a]] > 0.0:
                    y[j + 1 + a] = -1.0 if _slope_of_tangent(ep, gr, g, a, p, r) > 0.0 else 1.0
            _relaxed(gr, low, high, y, h, p, half, len(r), x, tangent)
            gradient[j] = -shift[j]
            for i in range(len(r)):
                gradient[j] += _dot(r[i], tangent[j, i])
        j += 1 + gr.size[g]


@_compiled
def _slope_of_tangent(ep, gr, g, a, p, r):
    """The derivative of phi_g in its own parameter a."""
    n_traces, n_arms, _ = _sizes(ep)
    total = 0.0
    for k in range(n_traces):
        for i in range(n_arms):
            if gr.of[k, i] == g:
                for l in range(ep.rules[k, N_OWN]):
                    if gr.slot[k, i, l] == a:
                        total += _dot(r[i], p[k * n_arms + i, l])
    return total


@_compiled
def _first_and_second(ep, policy, share, tangent, r, mean, gradient, hessian):
    """Fills the residuals, and the nll's gradient and Fisher's information along tangents (n, arms, steps); of the nll weighted
    by `share`, where that is not empty, whose policy is that of `chords.weighted`."""
    n, n_arms, n_steps = tangent.shape
    for i in range(n_arms):
        for t in range(n_steps):
            r[i, t] = policy[i, t] - (1.0 if ep.choices[t] == i else 0.0)
    if share.size > 0:
        for t in range(n_steps):
            if ep.choices[t] >= 0:
                r[ep.choices[t], t] += 1.0 - share[t]
    for j in range(n):
        for t in range(n_steps):
            mean[j, t] = policy[0, t] * tangent[j, 0, t]
        for i in range(1, n_arms):
            for t in range(n_steps):
                mean[j, t] += policy[i, t] * tangent[j, i, t]
        if share.size > 0:
            for t in range(n_steps):
                mean[j, t] = mean[j, t] / np.sqrt(share[t]) if share[t] > 0.0 else 0.0
        total = 0.0
        for i in range(n_arms):
            total += _dot(r[i], tangent[j, i])
        gradient[j] = total
        for l in range(j + 1):
            total = -_dot(mean[j], mean[l])
            for i in range(n_arms):
                total += _dot3(policy[i], tangent[j, i], tangent[l, i])
            hessian[j, l] = hessian[l, j] = total


@_compiled
def _newton_step(y, low, high, gradient, hessian, there):
    """Fills `there` with the end of a Newton step from y in its box, whose parameters that the gradient pushes against a bound
    stay. Returns what the step promises."""
    n = y.size
    free = np.empty(n, dtype=np.int64)
    count = 0
    for j in range(n):
        held = high[j] <= low[j] or (y[j] <= low[j] and gradient[j] >= 0.0) or (y[j] >= high[j] and gradient[j] <= 0.0)
        if not held:
            free[count] = j
            count += 1
    there[:] = y
    slope = -gradient
    while count > 0:
        A, L = np.empty((count, count)), np.zeros((count, count))
        right, step = np.empty(count), np.empty(count)
        largest = 0.0
        for a in range(count):
            largest = max(largest, hessian[free[a], free[a]])
        for a in range(count):
            right[a] = slope[free[a]]
            for b in range(count):
                A[a, b] = hessian[free[a], free[b]]
            A[a, a] += 1e-11 * largest + 1e-13
        ridge = 1e-10
        while not _cholesky(A, L):
            for a in range(count):
                A[a, a] += ridge * (largest + 1e-3)
            ridge *= 10.0
        _solve(L, right, step)
        # Who would leave the box most goes to its side, and the others step again.
        worst, least = -1, 1.0
        for a in range(count):
            j = free[a]
            room = 1.0
            if y[j] + step[a] > high[j]:
                room = (high[j] - y[j]) / step[a]
            elif y[j] + step[a] < low[j]:
                room = (low[j] - y[j]) / step[a]
            if room < least:
                worst, least = a, room
        if worst < 0:
            for a in range(count):
                there[free[a]] = y[free[a]] + step[a]
            break
        j = free[worst]
        there[j] = high[j] if step[worst] > 0.0 else low[j]
        for a in range(count):
            slope[free[a]] -= hessian[free[a], j] * (there[j] - y[j])
        count -= 1
        free[worst] = free[count]
    promised = 0.0
    for j in range(n):
        promised -= gradient[j] * (there[j] - y[j])
    return promised
