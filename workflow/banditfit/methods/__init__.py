"""The methods, one module each. A module `NAME.py` here that defines `METHOD` is a method called NAME; nothing else has
to be told of it. Modules whose name starts with an underscore hold what several methods share.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

import numpy as np

from ..errors import InputError

# The closed set of outcomes. Every fit ends in one of them, and its row is always written.
STATUSES = {
    "converged": "the method's own test of convergence was met",
    "inaccurate": "the solver stopped at a point it calls inaccurate",
    "limit": "an iteration, evaluation, node or time limit ended the fit",
    "separable": "the likelihood has no finite optimum: some kernel separates the choices",
    "not_converged": "the chains failed a diagnostic twice, the second time at greater length",
    "failed": "no parameters came out; the message holds the solver's word",
}


@dataclass
class Outcome:
    """What a method returns for one episode. `alpha` and `beta` have the model's shape (NaN where the method does not
    identify them), `kernels` (signals, q, steps) are free kernels where the method has them, `lower_bound` a bound on the
    nll of every admissible parameter. `nll` is the method's own claim; the judge recomputes it.
    Times are in seconds: `t_setup` building the problem, `t_solve` solving it, `t_published` what the published study
    would have counted (where that differs from the wall clock). `diagnostics` are named numbers of the fit; `posterior`
    holds arrays where the method describes a posterior: alpha_NAME and beta_NAME in the model's shape for each NAME of
    median, lower, upper (95 % interval) and sd, and `policy` (steps, arms), the mean choice probabilities."""

    status: str
    alpha: np.ndarray | None = None
    beta: np.ndarray | None = None
    kernels: np.ndarray | None = None
    nll: float = np.nan
    lower_bound: float = np.nan
    message: str = ""
    fallback: str = ""
    n_eval: int = 0
    t_setup: float = 0.0
    t_solve: float = 0.0
    t_published: float | None = None
    starts: "Starts | None" = None
    diagnostics: dict[str, float] | None = None
    posterior: dict[str, np.ndarray] | None = None


@dataclass
class Starts:
    """Every start of a multi-start fit: `nll` (starts,), end points `alpha`, `beta` (starts, signals, q), evaluations
    `n_eval` (starts,) and the solver's own words `message` (starts,)."""

    nll: list[float] = field(default_factory=list)
    alpha: list[np.ndarray] = field(default_factory=list)
    beta: list[np.ndarray] = field(default_factory=list)
    n_eval: list[int] = field(default_factory=list)
    message: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Method:
    """A fitting method.

    fit       fit(problem, settings, rng, given) -> Outcome, for one episode: a `likelihood.Problem`, an instance of
              `settings`, a `numpy.random.Generator` of the episode's own, and the Outcome of `needs` (or None);
              of a population method fit(problems, settings, rng, given) -> list[Outcome], called once with the problems
              of all episodes and a list of the Outcomes of `needs` (or Nones); every Outcome holds the times of the whole
    settings  a frozen dataclass whose defaults are the method's defaults
    needs     the name of a method whose fit of the same episode this one starts from
    models    the names of the only families it can fit, or None for all
    population  True if fit takes all episodes at once; the `pools` of its settings says whether they inform one another
    threads   True if fit releases the interpreter's lock, so that threads serve as workers; otherwise processes do
    warm_up   called once before the clock starts: compilation and heavy imports belong here
    """

    fit: Callable
    settings: type
    needs: str | None = None
    models: tuple[str, ...] | None = None
    population: bool = False
    threads: bool = False
    warm_up: Callable[[], None] = lambda: None

    def read_settings(self, name: str, given: dict[str, Any] | None) -> Any:
        """An instance of `settings`; raises InputError naming the first unknown key or wrong value."""
        given = dict(given or {})
        known = {f.name: f for f in fields(self.settings)}
        for key, value in given.items():
            if key not in known:
                allowed = ", ".join(known) or "none"
                raise InputError(f"settings of method '{name}': key '{key}' is not known; allowed: {allowed}")
            if not _is_a(value, known[key].type):
                wanted = getattr(known[key].type, "__name__", None) or str(known[key].type)
                if get_origin(known[key].type) is Literal:
                    wanted = "one of " + ", ".join(map(repr, get_args(known[key].type)))
                raise InputError(f"settings of method '{name}': {key} is {value!r}, expected {wanted}")
        missing = [k for k, f in known.items() if k not in given and f.default is MISSING and f.default_factory is MISSING]
        if missing:
            raise InputError(f"settings of method '{name}': {missing[0]} is missing")
        try:
            return self.settings(**given)
        except InputError as error:
            raise InputError(f"settings of method '{name}': {error}") from None


def _is_a(value, kind) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def method_names() -> list[str]:
    """The names of all methods, in alphabetical order."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def get_method(name: str) -> Method:
    """The method called `name`; importing it brings in the libraries it needs. Raises InputError with the known names."""
    if name not in method_names():
        raise InputError(f"method: found '{name}', expected one of {', '.join(method_names())}")
    return import_module(f"{__name__}.{name}").METHOD
