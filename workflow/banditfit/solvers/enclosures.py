"""What is known of unit traces, and of their products with residuals, over a box of theta."""

import numpy as np

from ..models.traces import (
    CHOICES,
    EVERY_STEP,
    GAIN,
    INITIAL,
    LOSS,
    N_OWN,
    OTHERS,
    OWN,
    RULE,
    SLOT,
    UNCHOSEN,
    _at,
    _gated,
    _sizes,
)
from ..numerics import _compiled, _vectorised

# A step at which a trace stands still, beside the classes of those at which it moves.
STILL = -1


@_compiled
def _enclose(ep, k, arm, low, high, h, p, span, bent, size, kind):
    """What is known of trace k on one arm over a box of theta, step by step. Fills h (steps,) and p (own, steps) with the trace
    of the centre and its derivatives, as `traces._gated` has them, kind (steps,) with the class that each step has for it, or
    STILL, and the first rows of size (3 or more, steps):

    0, 1  between which the trace lies
    2     how far it may be from the trace whose classes of steps are those of the centre: 0 unless rewards lie between the
          values that an arm may have

    and span (own, 2, steps) and bent (pairs, 2, steps) with what the first and second derivatives of that trace lie between.
    """
    n = ep.rules[k, N_OWN]
    lo, hi, mid, slot = np.empty(3), np.empty(3), np.empty(3), np.empty(3, np.int64)
    for g in range(3):
        lo[g], hi[g] = _at(low, ep.places[k, arm, g]), _at(high, ep.places[k, arm, g])
        mid[g], slot[g] = 0.5 * (lo[g] + hi[g]), ep.rules[k, SLOT + g]
    start_low, start_high = _at(low, ep.rules[k, INITIAL]), _at(high, ep.rules[k, INITIAL])
    two_rates = ep.rules[k, RULE] == CHOICES and ep.places[k, arm, GAIN] != ep.places[k, arm, LOSS]
    difference = max(hi[GAIN] - lo[LOSS], hi[LOSS] - lo[GAIN])
    slope, least, most = np.zeros(n), np.zeros(n), np.zeros(n)
    down, up = np.zeros(n * (n + 1) // 2), np.zeros(n * (n + 1) // 2)
    z = zl = zh = error = 0.0
    last = LOSS
    for t in range(h.size):
        if ep.starts[t]:
            z, zl, zh = 0.5 * (start_low + start_high), start_low, start_high
            last, error = LOSS, 0.0
            for l in range(n):
                slope[l] = least[l] = most[l] = 0.0
            for j in range(down.size):
                down[j] = up[j] = 0.0
            if ep.rules[k, INITIAL] >= 0:
                slope[n - 1] = least[n - 1] = most[n - 1] = 1.0
        h[t], size[0, t], size[1, t], size[2, t], kind[t] = z, zl, zh, error, STILL
        for l in range(n):
            p[l, t], span[l, 0, t], span[l, 1, t] = slope[l], least[l], most[l]
        for j in range(down.size):
            bent[j, 0, t], bent[j, 1, t] = down[j], up[j]
        own = ep.arms[t] == arm
        if ep.rules[k, RULE] == EVERY_STEP:
            g, below, above, u = GAIN, GAIN, GAIN, ep.signals[k, t] if own else 0.0
        elif ep.arms[t] < 0:
            continue
        elif own:
            u = ep.signals[k, t]
            g = GAIN if u > z or (u == z and last == GAIN) else LOSS
            if u != z and mid[g] > 0.0:
                last = g
            below, above = (GAIN if u > zl else LOSS), (GAIN if u > zh else LOSS)
        elif hi[UNCHOSEN] == 0.0:
            continue
        else:
            u = ep.signals[ep.rules[k, OTHERS], t] if ep.rules[k, OTHERS] >= 0 else 0.0
            g = below = above = UNCHOSEN
        kind[t] = g
        keep, less, more = 1.0 - mid[g], 1.0 - hi[g], 1.0 - lo[g]
        j = 0
        for l in range(n):
            for q in range(l + 1):
                down[j] *= less if down[j] > 0.0 else more
                up[j] *= more if up[j] > 0.0 else less
                if l == slot[g]:
                    down[j] -= most[q]
                    up[j] -= least[q]
                if q == slot[g]:
                    down[j] -= most[l]
                    up[j] -= least[l]
                j += 1
        for l in range(n):
            slope[l] *= keep
            least[l] *= less if least[l] > 0.0 else more
            most[l] *= more if most[l] > 0.0 else less
        if slot[g] >= 0:
            slope[slot[g]] += u - z
            least[slot[g]] += u - zh - error
            most[slot[g]] += u - zl + error
        error *= more
        if own and two_rates:
            error += difference * max((zh - u) if g == GAIN else (u - zl), 0.0)
        z += mid[g] * (u - z)
        zl += (lo[below] if u >= zl else hi[below]) * (u - zl)
        zh += (hi[above] if u >= zh else lo[above]) * (u - zh)


@_compiled
def _along_lines(ep, k, arm, low, high, size, kind):
    """Fills rows 3 to 5 of size (6, steps), whose other rows and `kind` are those of `_enclose`: how large the second, third
    and first derivative, along a line, of the trace whose classes of steps are the centre's may be anywhere in the box, as
    the line's parameter goes from 0 at the centre to 1."""
    n, n_steps = ep.rules[k, N_OWN], size.shape[1]
    h, p, c = np.empty(n_steps), np.zeros((n, n_steps)), np.zeros((n * (n + 1) // 2, n_steps))
    _gated(ep, k, arm, 0.5 * (low + high), h, p, c)
    steep, bend = _of_centre(ep, k, arm, low, high, p, c)
    lo, radius = np.empty(3), np.empty(3)
    for g in range(3):
        lo[g] = _at(low, ep.places[k, arm, g])
        radius[g] = 0.5 * (_at(high, ep.places[k, arm, g]) - lo[g])
    d1 = d2 = d3 = 0.0
    for t in range(n_steps):
        if ep.starts[t]:
            d2 = d3 = 0.0
            d1 = 0.5 * (size[1, t] - size[0, t])
        # What holds at the centre holds elsewhere but for the next derivative.
        d2 = min(d2, bend[t] + d3)
        d1 = min(d1, steep[t] + d2)
        size[3, t], size[4, t], size[5, t] = d2, d3, d1
        g = kind[t]
        if g == STILL:
            continue
        if ep.rules[k, RULE] == EVERY_STEP or ep.arms[t] == arm:
            u = ep.signals[k, t] if ep.arms[t] == arm else 0.0
        else:
            u = ep.signals[ep.rules[k, OTHERS], t] if ep.rules[k, OTHERS] >= 0 else 0.0
        far = max(abs(u - size[0, t]), abs(u - size[1, t])) + size[2, t]
        keep = 1.0 - lo[g]
        d3 = keep * d3 + 3.0 * radius[g] * d2
        d2 = keep * d2 + 2.0 * radius[g] * d1
        d1 = keep * d1 + radius[g] * far


@_vectorised
def _of_centre(ep, k, arm, low, high, p, c):
    """How large the first and second derivatives of a trace of the centre are at most along lines to the ends of the box, each
    (steps,), from those in its own parameters, p (own, steps) and c (pairs, steps)."""
    n, n_steps = ep.rules[k, N_OWN], p.shape[1]
    steep, bend = np.zeros(n_steps), np.zeros(n_steps)
    j = 0
    for l in range(n):
        half = 0.5 * (high[ep.places[k, arm, OWN + l]] - low[ep.places[k, arm, OWN + l]])
        for t in range(n_steps):
            steep[t] += half * abs(p[l, t])
        for q in range(l + 1):
            times = half * 0.5 * (high[ep.places[k, arm, OWN + q]] - low[ep.places[k, arm, OWN + q]])
            if q < l:
                times *= 2.0
            for t in range(n_steps):
                bend[t] += times * abs(c[j, t])
            j += 1
    return steep, bend


@_compiled
def _backwards(ep, k, arm, low, high, r, p, span, bent, kind, second, third):
    """Second and third derivatives of <r, z> in the own parameters of trace k on one arm: fills second (own, own), of which
    (l, q) and (q, l) add up to those of the centre, and third (own, pairs, 2) with what those over the box lie between, of
    which all that name the same three parameters add up. Returns the magnitude of what was added up, times the half-widths.
    The rest is what `_enclose` says.

    With b(t) = d<r, z> / dz(t) = r(t) + (1 - a) b(t+1), a step of rate a_l adds b(t+1) (u - z) to the first derivative in it,
    so -b(t+1) dz/da_q to the second in it and any other, twice in it alone, and -b(t+1) d2z/da_q da_s to the third. As
    residuals have either sign, b is far smaller than sums of their magnitudes.
    """
    n, n_steps = ep.rules[k, N_OWN], r.size
    less, middle, more, slot = np.empty(3), np.empty(3), np.empty(3), np.empty(3, np.int64)
    for g in range(3):
        less[g], more[g] = 1.0 - _at(high, ep.places[k, arm, g]), 1.0 - _at(low, ep.places[k, arm, g])
        middle[g], slot[g] = 0.5 * (less[g] + more[g]), ep.rules[k, SLOT + g]
    half, below, above = np.empty(n), np.zeros(n), np.zeros(n)
    for l in range(n):
        half[l] = 0.5 * (high[ep.places[k, arm, OWN + l]] - low[ep.places[k, arm, OWN + l]])
    second[:] = 0.0
    third[:] = 0.0
    b = least = most = total = summed = 0.0
    for t in range(n_steps - 1, -1, -1):
        g = kind[t]
        if g != STILL:
            l = slot[g]
            if l >= 0:
                # b by the mean value theorem, where that is better than its own recursion.
                off = 0.0
                for q in range(n):
                    off += half[q] * max(abs(below[q]), abs(above[q]))
                least, most = min(max(least, b - off), b), max(min(most, b + off), b)
                j, size = 0, 0.0
                for q in range(n):
                    second[l, q] -= b * p[q, t]
                    size += half[q] * max(abs(span[q, 0, t]), abs(span[q, 1, t]))
                    for s in range(q + 1):
                        x, y = bent[j, 0, t], bent[j, 1, t]
                        lx, ly, mx, my = least * x, least * y, most * x, most * y
                        third[l, j, 0] -= max(max(lx, ly), max(mx, my))
                        third[l, j, 1] -= min(min(lx, ly), min(mx, my))
                        size += half[q] * half[s] * max(abs(x), abs(y))
                        j += 1
                summed += total * half[l] * size
            for q in range(n):
                below[q] *= less[g] if below[q] > 0.0 else more[g]
                above[q] *= more[g] if above[q] > 0.0 else less[g]
                if q == l:
                    below[q] -= most
                    above[q] -= least
            least *= less[g] if least > 0.0 else more[g]
            most *= more[g] if most > 0.0 else less[g]
            b *= middle[g]
            total *= more[g]
        b += r[t]
        least += r[t]
        most += r[t]
        total += abs(r[t])
        if ep.starts[t]:
            b = least = most = total = 0.0
            for q in range(n):
                below[q] = above[q] = 0.0
    return summed


@_vectorised
def _ranges(ep, gr, low, high, r, h, p, span, bent, size, kind, first, lost, inner, moved, only=-1):
    """Ranges of phi_g over the box, for residuals r. Fills, per group: `inner` (groups, 4): phi at the centre, the least and
    the most that phi may be, and the magnitude of what was summed; `first` (groups, most), its derivatives at the centre;
    `lost` (groups, most): roughly what the width of each own parameter adds to the range beyond the linear part; `moved`
    (groups, most): how much each own parameter moves the traces. The rest holds what `_enclose` says of each trace and arm.
    Where `only` is a group, all others are left out."""
    n_traces, n_arms, n_steps = _sizes(ep)
    first[:] = 0.0
    lost[:] = 0.0
    inner[:] = 0.0
    moved[:] = 0.0
    n_groups, most = first.shape
    widest = p.shape[1]
    floor, ceiling = np.zeros(n_groups), np.zeros(n_groups)
    wrong, summed = np.zeros(n_groups), np.zeros(n_groups)
    two, three = np.empty((widest, widest)), np.empty((widest, widest * (widest + 1) // 2, 2))
    second = np.zeros((n_groups, most * (most + 1) // 2))
    third = np.zeros((n_groups, most * (most + 1) * (most + 2) // 6, 2))
    for k in range(n_traces):
        for i in range(n_arms):
            g = gr.of[k, i]
            if only >= 0 and g != only:
                continue
            at = k * n_arms + i
            n = ep.rules[k, N_OWN]
            phi = lowest = highest = slip = total = 0.0
            for t in range(n_steps):
                e = r[i, t]
                phi += e * h[at, t]
                lowest += e * (size[at, 0, t] if e > 0.0 else size[at, 1, t])
                highest += e * (size[at, 1, t] if e > 0.0 else size[at, 0, t])
                e = abs(e)
                slip += e * size[at, 2, t]
                total += e * max(abs(size[at, 0, t]), abs(size[at, 1, t]))
            inner[g, 0] += phi
            floor[g] += lowest
            ceiling[g] += highest
            wrong[g] += slip
            if n > 0:
                summed[g] += _backwards(ep, k, i, low, high, r[i], p[at], span[at], bent[at], kind[at], two, three)
            for l in range(n):
                a = gr.slot[k, i, l]
                value = change = 0.0
                for t in range(n_steps):
                    value += r[i, t] * p[at, l, t]
                    change += abs(r[i, t] * p[at, l, t])
                first[g, a] += value
                change *= 0.5 * (high[gr.own[g, a]] - low[gr.own[g, a]])
                moved[g, a] += change
                summed[g] += change
                j = 0
                for q in range(n):
                    b = gr.slot[k, i, q]
                    second[g, _place(a, b)] += (2.0 if l == q else 1.0) * two[l, q]
                    for s in range(q + 1):
                        times = 1.0 + (l == q) + (l == s)
                        place = _place_of_three(a, b, gr.slot[k, i, s])
                        third[g, place, 0] += times * three[l, j, 0]
                        third[g, place, 1] += times * three[l, j, 1]
                        j += 1
            inner[g, 3] += total
    for g in range(n_groups):
        _range(gr, g, low, high, first, second[g], third[g], wrong[g], inner, lost, moved)
        if inner[g, 1] > floor[g] or inner[g, 2] < ceiling[g]:
            inner[g, 3] += summed[g]
        inner[g, 1] = min(max(inner[g, 1], floor[g]), inner[g, 0])  # not above phi itself but for rounding
        inner[g, 2] = max(min(inner[g, 2], ceiling[g]), inner[g, 0])


@_compiled
def _place(a, b):
    """The place of a pair, in (0, 0), (1, 0), (1, 1), ..."""
    return max(a, b) * (max(a, b) + 1) // 2 + min(a, b)


@_compiled
def _place_of_three(a, b, c):
    """The place of three, in (0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1), ..."""
    top, last = max(max(a, b), c), min(min(a, b), c)
    return top * (top + 1) * (top + 2) // 6 + _place(a + b + c - top - last, last)


@_compiled
def _range(gr, g, low, high, first, second, third, wrong, inner, lost, moved):
    """Fills inner[g, 1:3], the range of phi_g by Taylor's theorem, and lost[g], from its derivatives at the centre and what the
    third lie between; `wrong` is what changes of class may add."""
    n, whole = gr.size[g], 1e-300
    half = np.empty(n)
    for a in range(n):
        half[a] = 0.5 * (high[gr.own[g, a]] - low[gr.own[g, a]])
        whole += moved[g, a]
    down = up = -wrong
    for a in range(n):
        steep, bend = abs(first[g, a]), second[_place(a, a)]
        down += _least_parabola(steep, bend, half[a])
        up += _least_parabola(steep, -bend, half[a])
        lost[g, a] = wrong * moved[g, a] / whole + 0.5 * abs(bend) * half[a] * half[a]
    for a in range(n):
        for b in range(a + 1):
            if b < a:
                mixed = abs(second[_place(a, b)]) * half[a] * half[b]
                down -= mixed
                up -= mixed
                lost[g, a] += 0.5 * mixed
                lost[g, b] += 0.5 * mixed
            for c in range(b + 1):
                place = _place_of_three(a, b, c)
                rest = max(abs(third[place, 0]), abs(third[place, 1])) * half[a] * half[b] * half[c] / 6.0
                rest *= 1.0 if a == c else (6.0 if a > b and b > c else 3.0)
                down -= rest
                up -= rest
                lost[g, a] += rest / 3.0
                lost[g, b] += rest / 3.0
                lost[g, c] += rest / 3.0
    inner[g, 1], inner[g, 2] = inner[g, 0] + down, inner[g, 0] - up


@_compiled
def _least_parabola(steep, bend, half):
    """The least of steep d + bend d^2 / 2 over |d| <= half."""
    end = -steep * half + 0.5 * bend * half * half
    return -0.5 * steep * steep / bend if bend > 0.0 and steep < bend * half else end
