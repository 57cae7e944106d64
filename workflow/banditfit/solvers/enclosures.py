"""What is known of unit traces, and of their products with residuals, over a box of theta."""

import numpy as np

from ..models.traces import CHOICES, EVERY_STEP, GAIN, INITIAL, LOSS, N_OWN, OTHERS, OWN, RULE, UNCHOSEN, _at, _gated, _sizes
from ..numerics import _compiled, _vectorised


@_compiled
def _enclose(ep, k, arm, low, high, h, p, c, size):
    """What is known of trace k on one arm over a box of theta, step by step. Fills h (steps,), p (own, steps), c (pairs, steps)
    with the trace of the centre and its derivatives, as `traces._gated` has them, and the rows of size (6, steps):

    0, 1  between which the trace lies
    2     how far it may be from the trace whose classes of steps are those of the centre: 0 unless rewards lie between the
          values that an arm may have
    3-5   how large the second, third and first derivative of that trace along a line may be, from the centre to anywhere in the
          box, as the line's parameter goes from 0 to 1
    """
    middle = 0.5 * (low + high)
    _gated(ep, k, arm, middle, h, p, c)
    steep, bend = _along_lines(ep, k, arm, low, high, p, c)
    lo, hi, mid, radius = np.empty(3), np.empty(3), np.empty(3), np.zeros(3)
    for g in range(3):
        lo[g], hi[g] = _at(low, ep.places[k, arm, g]), _at(high, ep.places[k, arm, g])
        mid[g] = _at(middle, ep.places[k, arm, g])
        radius[g] = 0.5 * (hi[g] - lo[g])
    start_low, start_high = _at(low, ep.rules[k, INITIAL]), _at(high, ep.rules[k, INITIAL])
    two_rates = ep.places[k, arm, GAIN] != ep.places[k, arm, LOSS]
    difference = max(hi[GAIN] - lo[LOSS], hi[LOSS] - lo[GAIN])
    zl = zh = error = d1 = d2 = d3 = 0.0
    last = LOSS
    for t in range(h.size):
        if ep.starts[t]:
            zl, zh = start_low, start_high
            last = LOSS
            error = d2 = d3 = 0.0
            d1 = 0.5 * (zh - zl)
        # What holds at the centre holds elsewhere but for the next derivative.
        d2 = min(d2, bend[t] + d3)
        d1 = min(d1, steep[t] + d2)
        size[0, t], size[1, t], size[2, t], size[3, t], size[4, t], size[5, t] = zl, zh, error, d2, d3, d1
        own = ep.arms[t] == arm
        if ep.rules[k, RULE] == EVERY_STEP:
            g, below, above, u = GAIN, GAIN, GAIN, ep.signals[k, t] if own else 0.0
        elif ep.arms[t] < 0:
            continue
        elif own:
            u = ep.signals[k, t]
            g = GAIN if u > h[t] or (u == h[t] and last == GAIN) else LOSS
            if u != h[t] and mid[g] > 0.0:
                last = g
            below, above = (GAIN if u > zl else LOSS), (GAIN if u > zh else LOSS)
        elif hi[UNCHOSEN] == 0.0:
            continue
        else:
            u = ep.signals[ep.rules[k, OTHERS], t] if ep.rules[k, OTHERS] >= 0 else 0.0
            g = below = above = UNCHOSEN
        keep = 1.0 - lo[g]
        far = max(abs(u - zl), abs(u - zh)) + error
        d3 = keep * d3 + 3.0 * radius[g] * d2
        d2 = keep * d2 + 2.0 * radius[g] * d1
        d1 = keep * d1 + radius[g] * far
        error *= keep
        if own and ep.rules[k, RULE] == CHOICES and two_rates:
            error += difference * max((zh - u) if g == GAIN else (u - zl), 0.0)
        zl += (lo[below] if u >= zl else hi[below]) * (u - zl)
        zh += (hi[above] if u >= zh else lo[above]) * (u - zh)


@_vectorised
def _along_lines(ep, k, arm, low, high, p, c):
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


@_vectorised
def _ranges(ep, gr, low, high, r, h, p, c, size, first, second, remainder, inner, moved, only=-1):
    """Ranges of phi_g over the box, for residuals r. Fills, per group: `inner` (groups, 4): phi at the centre, the least and
    the most that phi may be, and the magnitude of what was summed; `first` (groups, most) and `second` (groups, pairs), its
    derivatives; `remainder` (groups,): what the rest of the Taylor series, with changes of class, may add; `moved` (groups,
    most): how much each own parameter moves the traces. `size` holds what `_enclose` says of each trace and arm. Where `only`
    is a group, all others are left out."""
    n_traces, n_arms, n_steps = _sizes(ep)
    first[:] = 0.0
    second[:] = 0.0
    inner[:] = 0.0
    remainder[:] = 0.0
    moved[:] = 0.0
    n_groups = gr.weight.size
    short = np.zeros(n_groups)  # the remainder after the linear part
    floor, ceiling = np.zeros(n_groups), np.zeros(n_groups)
    for k in range(n_traces):
        for i in range(n_arms):
            g = gr.of[k, i]
            if only >= 0 and g != only:
                continue
            at = k * n_arms + i
            n = ep.rules[k, N_OWN]
            phi = lowest = highest = three = two = wrong = total = 0.0
            for t in range(n_steps):
                e = r[i, t]
                phi += e * h[at, t]
                lowest += e * (size[at, 0, t] if e > 0.0 else size[at, 1, t])
                highest += e * (size[at, 1, t] if e > 0.0 else size[at, 0, t])
                e = abs(e)
                three += e * size[at, 4, t]
                two += e * size[at, 3, t]
                wrong += e * size[at, 2, t]
                total += e * max(abs(size[at, 0, t]), abs(size[at, 1, t]))
            inner[g, 0] += phi
            floor[g] += lowest
            ceiling[g] += highest
            remainder[g] += three / 6.0 + wrong
            short[g] += two / 2.0 + wrong
            j = 0
            for l in range(n):
                a = gr.slot[k, i, l]
                value = change = 0.0
                for t in range(n_steps):
                    value += r[i, t] * p[at, l, t]
                    change += abs(r[i, t] * p[at, l, t])
                first[g, a] += value
                half = 0.5 * (high[gr.own[g, a]] - low[gr.own[g, a]])
                moved[g, a] += change * half
                total += change * half
                for q in range(l + 1):
                    value = 0.0
                    for t in range(n_steps):
                        value += r[i, t] * c[at, j, t]
                    b = gr.slot[k, i, q]
                    second[g, max(a, b) * (max(a, b) + 1) // 2 + min(a, b)] += value
                    j += 1
            inner[g, 3] += total
    for g in range(n_groups):
        phi = inner[g, 0]
        linear = down = up = 0.0
        for a in range(gr.size[g]):
            half = 0.5 * (high[gr.own[g, a]] - low[gr.own[g, a]])
            steep = abs(first[g, a])
            linear += steep * half
            bend = second[g, a * (a + 1) // 2 + a]
            down += _least_parabola(steep, bend, half)
            up += _least_parabola(steep, -bend, half)
            for b in range(a):
                mixed = abs(second[g, a * (a + 1) // 2 + b]) * half * 0.5 * (high[gr.own[g, b]] - low[gr.own[g, b]])
                down -= mixed
                up -= mixed
        inner[g, 1] = max(max(floor[g], phi - linear - short[g]), phi + down - remainder[g])
        inner[g, 2] = min(min(ceiling[g], phi + linear + short[g]), phi - up + remainder[g])
        inner[g, 1] = min(inner[g, 1], phi)  # but for rounding
        inner[g, 2] = max(inner[g, 2], phi)


@_compiled
def _least_parabola(steep, bend, half):
    """The least of steep d + bend d^2 / 2 over |d| <= half."""
    end = -steep * half + 0.5 * bend * half * half
    return -0.5 * steep * steep / bend if bend > 0.0 and steep < bend * half else end
