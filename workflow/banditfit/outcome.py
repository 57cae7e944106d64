"""What a method returns for an episode, and what it must be before it counts.

A method's outcome is checked where it comes back (`complaint`): one that is malformed is a failed fit, and its row says why.
"""

from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from .identification import silent
from .models.likelihood import Problem

# The closed set of outcomes. Every fit ends in one of them, and its row is always written.
STATUSES = {
    "converged": "the method's own test of convergence was met",
    "inaccurate": "the solver stopped at a point it calls inaccurate",
    "limit": "an iteration, evaluation, node or time limit ended the fit",
    "separable": "the likelihood has no finite optimum: some kernel separates the choices",
    "not_converged": "the chains failed a diagnostic twice, the second time at greater length",
    "failed": "no parameters came out; the message holds the solver's word",
}

SUMS_TO_ONE = 1e-6  # how far the choice probabilities of a step may sum from one


@dataclass
class Starts:
    """Every start of a multi-start fit: `nll` (starts,), end points `alpha`, `beta` (starts, signals, q) of a published family
    or `theta` (starts, parameters) of another model, evaluations `n_eval` (starts,) and the solver's own words `message`."""

    nll: list[float] = field(default_factory=list)
    alpha: list[np.ndarray] = field(default_factory=list)
    beta: list[np.ndarray] = field(default_factory=list)
    n_eval: list[int] = field(default_factory=list)
    message: list[str] = field(default_factory=list)
    theta: list[np.ndarray] = field(default_factory=list)


@dataclass
class Outcome:
    """What a method returns for one episode. Of a published family `alpha` and `beta` have the model's shape (NaN where the
    method does not identify them), of other models `theta` holds all parameters (`Problem.estimate` makes either); `kernels`
    (signals, q, steps) are free kernels where the method has them, of other models (traces, arms, steps), each on the clock of
    its trace; `relaxed` (steps, arms) are the values of a relaxed optimum that no parameters have; `lower_bound` is a bound on
    the nll of every admissible parameter. `nll` is the method's own claim; the judge recomputes it.
    Times are in seconds: `t_setup` building the problem, `t_solve` solving it (all of the fit, where a method tells neither),
    `t_published` what the published study would have counted (where that differs from the wall clock). `diagnostics` are named
    numbers of the fit; `posterior` holds arrays where the method describes a posterior: PARAMETER_NAME, such as alpha_sd, for
    each NAME of median, lower, upper (95 % interval) and sd, and `policy` (steps, arms), the mean choice probabilities."""

    status: str
    alpha: np.ndarray | None = None
    beta: np.ndarray | None = None
    theta: np.ndarray | None = None
    kernels: np.ndarray | None = None
    relaxed: np.ndarray | None = None
    nll: float = np.nan
    lower_bound: float = np.nan
    message: str = ""
    fallback: str = ""
    n_eval: int = 0
    t_setup: float = 0.0
    t_solve: float = 0.0
    t_published: float | None = None
    starts: Starts | None = None
    diagnostics: dict[str, float] | None = None
    posterior: dict[str, np.ndarray] | None = None

    def parameters(self, problem: Problem) -> np.ndarray | None:
        """theta, or None if there is none."""
        if not problem.model.kernels:
            return None if self.theta is None else np.asarray(self.theta, dtype=float)
        if self.alpha is None or self.beta is None:
            return None
        return np.concatenate([np.ravel(self.alpha), np.ravel(self.beta)]).astype(float)

    def rescaled(self, problem: Problem, factor: np.ndarray) -> "Outcome":
        """The same fit of the same data, whose signals (rows,) are counted in units of `factor`."""
        if (factor == 1.0).all():
            return self
        scale = problem.model.scale(problem.n_arms, factor)
        by_name = problem.named(scale)
        times = lambda array: (np.asarray(array).T * factor).T  # noqa: E731
        starts = self.starts
        if starts and problem.model.kernels:
            starts = replace(starts, beta=[times(beta) for beta in starts.beta])
        elif starts:
            starts = replace(starts, theta=[np.asarray(theta) * scale for theta in starts.theta])
        posterior = self.posterior and {
            name: array * by_name[name.rpartition("_")[0]] if name.rpartition("_")[0] in by_name else array
            for name, array in self.posterior.items()
        }
        return replace(
            self,
            beta=None if self.beta is None else times(self.beta),
            theta=None if self.theta is None else np.asarray(self.theta) * scale,
            kernels=None if self.kernels is None else times(self.kernels),
            starts=starts,
            posterior=posterior,
        )


def complaint(outcome: Any, problem: Problem) -> str:
    """What is wrong with the outcome of a fit of `problem`, as "found ..., expected ..."; empty if nothing is.

    An outcome counts if its status is one of STATUSES, every field is of its kind and shape, numbers are finite where they
    must be, times and evaluations are not negative, a posterior's policy is one, and, unless it failed, it has finite
    parameters or finite kernels.
    """
    if not isinstance(outcome, Outcome):
        return f"the method returned {_shown(outcome)}, expected an Outcome"
    if not isinstance(outcome.status, str) or outcome.status not in STATUSES:
        return f"status is {_shown(outcome.status)}, expected one of {', '.join(STATUSES)}"
    for name in ("message", "fallback"):
        if words := _text(getattr(outcome, name)):
            return f"{name} is {words}"
    for name in ("nll", "lower_bound"):
        value = getattr(outcome, name)
        if not _is_real(value) or np.isinf(value):
            return f"{name} is {_shown(value)}, expected a finite number, or NaN for none"
    for name in ("t_setup", "t_solve", "t_published"):
        value = getattr(outcome, name)
        if not (value is None and name == "t_published") and not (_is_real(value) and 0 <= value < np.inf):
            return f"{name} is {_shown(value)}, expected seconds, a finite number of at least 0"
    if not _is_count(outcome.n_eval):
        return f"n_eval is {_shown(outcome.n_eval)}, expected a whole number of at least 0"
    if problem.model.kernels:
        shapes = {"alpha": problem.shape, "beta": problem.shape, "kernels": (*problem.shape, problem.n_steps)}
    else:
        shapes = {"theta": problem.lower.shape, "relaxed": (problem.n_steps, problem.n_arms)}
        shapes["kernels"] = (len(problem.model.traces), problem.n_arms, problem.n_steps)
    for name in ("alpha", "beta", "theta", "kernels", "relaxed"):
        value = getattr(outcome, name)
        if value is not None and name not in shapes:
            return f"{name} is {_shown(value)}, expected None for model '{problem.model.name}'"
        if value is not None and (words := _array(value, shapes[name])):
            return f"{name} {words}"
    for name in ("kernels", "relaxed"):
        value = getattr(outcome, name)
        if value is not None and not np.isfinite(value).all():
            return f"{name} hold a number that is not finite, expected finite ones or None"
    return (
        _starts(outcome.starts, problem)
        or _diagnostics(outcome.diagnostics)
        or _posterior(outcome.posterior, problem)
        or _emptiness(outcome, problem)
    )


def _emptiness(outcome: Outcome, problem: Problem) -> str:
    """Whether a fit that did not fail has nothing to show. Parameters that nothing can tell may be NaN."""
    if outcome.status == "failed":
        return ""
    parts = (outcome.alpha, outcome.beta, outcome.theta)
    if any(np.isinf(np.asarray(value, dtype=float)).any() for value in parts if value is not None):
        return "a parameter is infinite, expected finite ones"
    theta = outcome.parameters(problem)
    if theta is not None and np.isfinite(theta[~silent(problem)]).all():
        return ""
    if (outcome.kernels if problem.model.kernels else outcome.relaxed) is not None:
        return ""
    return f"the method said '{outcome.status}' without finite parameters or kernels, expected either, or the status 'failed'"


def _starts(starts: Any, problem: Problem) -> str:
    if starts is None:
        return ""
    if not isinstance(starts, Starts):
        return f"starts is {_shown(starts)}, expected Starts or None"
    own, others = ({"alpha", "beta"}, {"theta"}) if problem.model.kernels else ({"theta"}, {"alpha", "beta"})
    lists = {f.name: getattr(starts, f.name) for f in fields(Starts) if f.name not in others}
    if any(getattr(starts, name) for name in others):
        return (
            f"starts have {' and '.join(sorted(others))}, expected {' and '.join(sorted(own))} of model '{problem.model.name}'"
        )
    if not all(isinstance(each, list) for each in lists.values()) or len({len(each) for each in lists.values()}) != 1:
        return "the fields of starts are not lists of one length, expected an entry of each start in every one"
    if not starts.nll:
        return "starts is empty, expected a start or None"
    shape = problem.shape if problem.model.kernels else problem.lower.shape
    for start in (dict(zip(lists, each, strict=True)) for each in zip(*lists.values(), strict=True)):
        wrong = "".join(_array(start[name], shape) for name in sorted(own)) or _text(start["message"])
        wrong = wrong or ("" if _is_real(start["nll"]) else "no nll")
        if wrong or not _is_count(start["n_eval"]):
            return f"a start is malformed ({wrong or 'n_eval'}), expected {', '.join(lists)} of each"
    return ""


def _diagnostics(diagnostics: Any) -> str:
    if diagnostics is None:
        return ""
    if not isinstance(diagnostics, dict) or any(_text(k) or not _is_real(v) for k, v in diagnostics.items()):
        return f"diagnostics is {_shown(diagnostics)}, expected named numbers, or None"
    return ""


def _posterior(posterior: Any, problem: Problem) -> str:
    if posterior is None:
        return ""
    if not isinstance(posterior, dict) or any(_text(name) for name in posterior):
        return f"posterior is {_shown(posterior)}, expected arrays by name, or None"
    by_name = problem.named(problem.lower)
    for name, value in posterior.items():
        one = by_name.get(name.rpartition("_")[0])
        shape = (problem.n_steps, problem.n_arms) if name == "policy" else problem.shape if one is None else one.shape
        if words := _array(value, shape):
            return f"posterior {name} {words}"
        if not np.isfinite(value).all():
            return f"posterior {name} holds a number that is not finite, expected finite ones"
    for symbol in by_name:
        ends = [posterior.get(f"{symbol}_{end}") for end in ("lower", "upper")]
        if all(end is not None for end in ends) and (np.asarray(ends[0]) > np.asarray(ends[1])).any():
            return f"posterior {symbol}_lower lies above {symbol}_upper, expected the lower end first"
    policy = posterior.get("policy")
    if policy is not None:
        sums = np.sum(policy, axis=1)
        if np.min(policy) < 0 or (np.abs(sums - 1.0) > SUMS_TO_ONE).any():
            return f"posterior policy sums to {sums[np.argmax(np.abs(sums - 1.0))]:.6g} in a step, expected probabilities"
    return ""


def _array(value: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with `value` as real numbers of this shape."""
    try:
        array = np.asarray(value)
    except ValueError:
        return f"is {_shown(value)}, expected numbers of shape {shape}"
    if array.dtype.kind not in "fiu":
        return f"is {_shown(value)}, expected numbers of shape {shape}"
    return "" if array.shape == shape else f"has shape {array.shape}, expected {shape}"


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_) and 0 <= int(value) < 2**63


def _text(value: Any) -> str:
    """What is wrong with `value` as text that can be stored."""
    if not isinstance(value, str):
        return f"{_shown(value)}, expected text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"{value!a}, expected text that is Unicode"
    return ""


def _shown(value: Any) -> str:
    """A value in a few words of a message."""
    words = ascii(value) if isinstance(value, str) else repr(value)
    words = " ".join(words.split())
    return f"{words if len(words) <= 60 else words[:57] + '...'} ({type(value).__name__})"
