"""Multi-start local minimisation with SciPy, shared by every method that ends in a local search.

SciPy's solvers stop where the gradient vanishes, where steps get small, or at a limit of their own; none of these alone makes
a minimum. `Search` asks the objective whether an end is one, and if not lets the same solver go on.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
from scipy.optimize import Bounds, minimize

from .scan import valleys

# The eight solvers of the published study, all with bounds; those of GRADIENT take an analytic gradient.
SOLVERS = ("Nelder-Mead", "L-BFGS-B", "TNC", "SLSQP", "Powell", "trust-constr", "COBYLA", "COBYQA")
GRADIENT = ("L-BFGS-B", "TNC", "SLSQP", "trust-constr")
# Options where SciPy's default is slow: with bounds as sparse matrices trust-constr takes the same steps in twice the time.
OPTIONS = {"trust-constr": {"sparse_jacobian": False}}
Solver = Literal["Nelder-Mead", "L-BFGS-B", "TNC", "SLSQP", "Powell", "trust-constr", "COBYLA", "COBYQA"]

# How often one start may leave a point that is no minimum, and how often the solver may go on from an end of its own.
_ESCAPES = 10
_RESTARTS = 5
# Ends whose values differ by less than this share of what counts as nothing are one end.
_SAME = 0.01
# A signal of size one that moves a value (log-odds) by more than this makes choices certain, and the gradient vanishes. Random
# starts have beta at most this far above its lower bound, so boxes up to [0, 20] are used whole.
_LOUDEST = 20.0


@dataclass(frozen=True)
class Found:
    """The end of one local search: `theta` inside the bounds, its `value`, evaluations, status ("converged", "limit", or
    "inaccurate" where the solver calls its end converged and it is no minimum) and message. `left` is what a step from there
    still promises, in units of the value; NaN where nobody asked."""

    theta: np.ndarray
    value: float
    n_eval: int
    status: str
    message: str
    left: float = np.nan


@dataclass(frozen=True)
class Verdict:
    """What an objective says of the end of a search: `ways_out`, points below it where the search may go on, if it is no
    minimum but flat; else `left`, what a step from there still promises, and `scale`, how far a step in each parameter alone
    must go to matter. `n_eval`: evaluations that the answer took."""

    ways_out: list[np.ndarray]
    left: float
    scale: np.ndarray | None
    n_eval: int


class Objective(Protocol):
    """What `Search` minimises within `lower` and `upper`. `size`: a difference in value that is large; `enough`: one that is
    next to nothing, so that an end with no more left is a minimum; `unit`: the word for what they are counted in."""

    lower: np.ndarray
    upper: np.ndarray
    size: float
    enough: float
    unit: str

    def value(self, theta: np.ndarray) -> float: ...

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]: ...

    def examine(self, theta: np.ndarray, value: float) -> Verdict: ...


def random_starts(lower: np.ndarray, upper: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform starting points, shape (n, parameters)."""
    return rng.uniform(lower, upper, size=(n, len(lower)))


def quiet_starts(lower: np.ndarray, upper: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """As `random_starts`, but near 0, or near the end of the box next to it, where it is wider than anything that matters."""
    low = np.clip(-_LOUDEST, lower, upper)
    return random_starts(low, np.minimum(upper, np.maximum(low, 0.0) + _LOUDEST), n, rng)


def near_starts(lower: np.ndarray, upper: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """As `random_starts`, but near the lower ends of boxes of alpha and beta that are wider than anything that matters.

    Where beta is large all the same, as its lower bound is, what matters lies at rates that are small in proportion, or not; so
    the starts go from rates as drawn to ever smaller ones.
    """
    starts = random_starts(lower, np.minimum(upper, lower + _LOUDEST), n, rng)
    alpha, beta = np.split(starts, 2, axis=1)  # views
    low = np.split(lower, 2)[0]
    shrink = _LOUDEST / np.maximum(beta, _LOUDEST)
    alpha[:] = low + (alpha - low) * shrink ** np.linspace(0.0, 2.0, n)[:, None]
    return starts


def lowest(ends: list[Found]) -> Found:
    """The end of lowest value; one whose value is no number only if there is no other."""
    return min(ends, key=lambda end: (np.isnan(end.value), end.value))


def minimise(
    value: Callable[[np.ndarray], float],
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
    lower: np.ndarray,
    upper: np.ndarray,
    start: np.ndarray,
    solver: Solver,
) -> Found:
    """One local search from `start` with SciPy's defaults for `solver`.

    The end point is clipped to the bounds (COBYLA may overstep them) and its value taken there. Solvers' warnings go
    into the message.
    """
    count = 0
    objective = value_and_gradient if solver in GRADIENT else value

    def counted(theta):
        nonlocal count
        count += 1
        return objective(theta)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = minimize(
            counted,
            start,
            jac=solver in GRADIENT or None,
            bounds=Bounds(lower, upper),
            method=solver,
            options=OPTIONS.get(solver),
        )
    words = [str(result.message), *dict.fromkeys(str(w.message) for w in caught)]
    theta = np.clip(result.x, lower, upper)
    status = "converged" if result.success else "limit"
    return Found(theta, float(value(theta)), count, status, "; ".join(words))


@dataclass
class Search:
    """Local searches of one objective by one solver. Where an end is no minimum the same solver goes on: from a way out, or
    from the end itself. Starts that come to the same flat point take its ways out in turn."""

    objective: Objective
    solver: Solver
    minima: list[Found] = field(default_factory=list)
    taken: dict[bytes, list[Found]] = field(default_factory=dict)

    def run(self, start: np.ndarray) -> Found:
        """The end of the search from `start`, with all evaluations; its message says what happened on the way."""
        objective = self.objective
        end = self._minimise(start)
        n_eval, escapes, restarts = end.n_eval, 0, 0
        while np.isfinite(end.value):
            known = [minimum.left for minimum in self.minima if abs(minimum.value - end.value) <= _SAME * objective.enough]
            if known:
                end = replace(end, left=known[0])
                break
            verdict = objective.examine(end.theta, end.value)
            n_eval += verdict.n_eval
            end = replace(end, left=verdict.left)
            if not verdict.ways_out and verdict.left <= objective.enough:
                self.minima.append(end)
                break
            if verdict.ways_out and escapes < _ESCAPES:
                escapes += 1
                after = self._leave(verdict.ways_out)
            elif not verdict.ways_out and restarts < _RESTARTS:
                restarts += 1
                after = self._go_on(end, verdict.scale)
            else:
                break
            n_eval += after.n_eval
            if not after.value < end.value:
                break
            end = after
        words, status = [end.message], end.status
        if escapes:
            words.append(f"left {_count(escapes, 'flat point')} that {'is no minimum' if escapes == 1 else 'are no minima'}")
        if restarts:
            words.append(f"the solver went on from its own end {_count(restarts, 'time')}")
        if end.left <= objective.enough:
            status = "converged"
        else:
            status = "limit" if status == "limit" else "inaccurate"
            words.append(f"no minimum: a step would still gain about {end.left:.1e} {objective.unit}")
        return replace(end, n_eval=n_eval, status=status, message="; ".join(words))

    def _minimise(self, start: np.ndarray) -> Found:
        o = self.objective
        return minimise(o.value, o.value_and_gradient, o.lower, o.upper, start, self.solver)

    def _go_on(self, end: Found, scale: np.ndarray) -> Found:
        """The solver's next end, if it starts at `end` and sees parameters in units of `scale`, and values above that of `end`
        in units of `size`: its tolerances, made for numbers around one, then ask for more."""
        o = self.objective

        def value_and_gradient(scaled):
            value, gradient = o.value_and_gradient(scaled * scale)
            return (value - end.value) / o.size, gradient * scale / o.size

        after = minimise(
            lambda scaled: (o.value(scaled * scale) - end.value) / o.size,
            value_and_gradient,
            o.lower / scale,
            o.upper / scale,
            end.theta / scale,
            self.solver,
        )
        theta = np.clip(after.theta * scale, o.lower, o.upper)
        return replace(after, theta=theta, value=float(o.value(theta)))

    def _leave(self, ways_out: list[np.ndarray]) -> Found:
        """The end of a search from the way out that no earlier start took; where all are taken, the lowest of theirs, at no
        cost."""
        taken = self.taken.setdefault(ways_out[0].tobytes(), [])
        if len(taken) == len(ways_out):
            return replace(lowest(taken), n_eval=0)
        start = ways_out[len(taken)]
        end, value = self._minimise(start), self.objective.value(start)
        if not end.value <= value:
            end = replace(end, theta=start, value=value, status="limit")
        taken.append(end)
        return end


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' if n > 1 else ''}"


def ways_from_zero(
    rates: np.ndarray, slope: np.ndarray, curve: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ways out of a trace that is switched off: at each of `rates` the value of a sensitivity b is about slope b +
    curve b^2 / 2. Returns the rates where the gain, at the best b in [low, high], is largest among its neighbours, with b and
    gain, the largest gain first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        best = np.where(curve > 0.0, -slope / curve, np.where(slope < 0.0, high, low))
    best = np.clip(best, low, high)
    gain = -(slope + 0.5 * curve * best) * best
    places = valleys(-gain)
    return rates[places], best[places], gain[places]


def remaining(objective: Objective, theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray) -> tuple[float, np.ndarray]:
    """What the quadratic model at theta still promises within the bounds: 0 at a minimum, infinite where it is no number. And
    how far a step in each parameter alone goes until curvature makes it cost half of `objective.size`, at most across the box.

    A parameter that the gradient pushes against a bound, with next to nothing to gain on the way, stays where it is. The
    others follow each direction of curvature to the model's least value or to the bounds; where it curves down, no further
    than such a step.
    """
    lower, upper = objective.lower, objective.upper
    width = np.where(upper > lower, upper - lower, 1.0)
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(hessian)) / objective.size, 1.0 / width**2))
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        return np.inf, width
    room = np.where(gradient > 0.0, theta - lower, upper - theta)
    push = np.abs(gradient) * room
    held = (gradient != 0.0) & (push <= 0.1 * objective.enough) & (np.diag(hessian) * room <= np.abs(gradient))
    free = ~(held | (lower == upper))
    unit = scale[free]
    curvature, directions = np.linalg.eigh(hessian[np.ix_(free, free)] * unit * unit[:, None])
    slope = (gradient[free] * unit) @ directions

    def gain(directions, slope):
        ahead = np.where(directions > 0.0, (upper - theta)[free, None], (theta - lower)[free, None]) / unit[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.min(np.where(directions == 0.0, np.inf, ahead / np.abs(directions)), axis=0, initial=np.inf)
            step = np.minimum(np.where(curvature > 0.0, np.maximum(-slope, 0.0) / curvature, 1.0), reach)
        return -slope * step - 0.5 * curvature * step**2

    # Either way along each direction: at a bound only one of them is open, whatever the sign of a slope of next to nothing.
    left = np.maximum(np.maximum(gain(directions, slope), gain(-directions, -slope)), 0.0).sum() + push[held].sum()
    return float(left), scale
