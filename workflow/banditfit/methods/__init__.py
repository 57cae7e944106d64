"""The methods, one module each. A module `NAME.py` here that defines `METHOD` is a method called NAME; nothing else has
to be told of it. Modules whose name starts with an underscore hold what several methods share.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import import_module
from typing import Any, get_type_hints

from ..arguments import conform
from ..errors import InputError
from ..models.families import Model
from ..outcome import STATUSES, Outcome, Starts

__all__ = ["STATUSES", "Method", "Outcome", "Starts", "get_method", "method_names"]


# What methods need of a model: in words, and whether a model has it.
REQUIREMENTS: dict[str, tuple[str, Callable[[Model], bool]]] = {
    "kernels": ("values that are sums of kernels of the lag (the published families)", lambda model: model.kernels),
    "log_linear": ("values that are linear in all but rates and initial values, and no lapse", lambda model: model.log_linear),
    "one_rate": ("traces with one rate each, whose values are sums of kernels", lambda model: model.one_rate),
    "one_pair": ("one rate and one weight, and nothing else", lambda model: model.one_pair),
    "one_kernel": ("one rate and one sensitivity, of kernels", lambda model: model.kernels and model.shape(2) == (1, 1)),
}


@dataclass(frozen=True)
class Method:
    """A fitting method.

    fit       fit(problem, settings, rng, given) -> Outcome, for one episode: a `likelihood.Problem`, an instance of
              `settings`, a `numpy.random.Generator` of the episode's own, and the Outcome of `needs` (or None);
              of a population method fit(problems, settings, rng, given) -> list[Outcome], called once with the problems
              of all episodes and a list of the Outcomes of `needs` (or Nones); every Outcome holds the times of the whole
    settings  a frozen dataclass whose defaults are the method's defaults
    needs     the name of a method whose fit of the same episode this one starts from
    requires  what it needs of a model, by the keys of REQUIREMENTS
    all_arms  True if it needs every arm on offer at every step
    population  True if fit takes all episodes at once; the `pools` of its settings says whether they inform one another
    slow      True if the fit of an episode takes a second or more: the jobs of a workflow that fit so begin first, and alone
    threads   True if fit releases the interpreter's lock, so that threads serve as workers; otherwise processes do
    warm_up   called once before the clock starts: compilation and heavy imports belong here
    """

    fit: Callable
    settings: type
    needs: str | None = None
    requires: tuple[str, ...] = ()
    all_arms: bool = False
    population: bool = False
    slow: bool = False
    threads: bool = False
    warm_up: Callable[[], None] = lambda: None

    def read_settings(self, name: str, given: dict[str, Any] | None) -> Any:
        """An instance of `settings`; raises InputError naming the first unknown key or wrong value."""
        given = dict(given or {})
        known, kinds = {f.name: f for f in fields(self.settings)}, get_type_hints(self.settings, include_extras=True)
        for key, value in given.items():
            if key not in known:
                allowed = ", ".join(known) or "none"
                raise InputError(f"settings of method '{name}': key '{key}' is not known; allowed: {allowed}")
            given[key] = conform(value, kinds[key], f"settings of method '{name}', {key}")
        missing = [k for k, f in known.items() if k not in given and f.default is MISSING and f.default_factory is MISSING]
        if missing:
            raise InputError(f"settings of method '{name}': {missing[0]} is missing")
        try:
            return self.settings(**given)
        except InputError as error:
            raise InputError(f"settings of method '{name}': {error}") from None

    def refusal(self, name: str, model: Model, choice_sets: bool = False) -> str:
        """Why the method of this name does not serve a model, or data whose arms on offer change (`choice_sets`), in a sentence
        that names those that do; empty if it does."""
        words, what = self.lacks(model), f"model '{model.name}'"
        if not words and choice_sets and self.all_arms:
            words, what = "all arms on offer at every step", f"{what} of data with choice sets"
        if not words:
            return ""
        known = {other: get_method(other) for other in method_names()}
        others = [other for other, how in known.items() if how.serves(model) and not (choice_sets and how.all_arms)]
        return f"method '{name}' needs {words}; {what} is fitted by {', '.join(others)}"

    def lacks(self, model: Model) -> str:
        """What the method needs and the model does not have, in words; empty if it serves the model."""
        needs = [REQUIREMENTS[name] for name in self.requires]
        return next((words for words, has in needs if not has(model)), "")

    def serves(self, model: Model) -> bool:
        """Whether the model has all that the method needs."""
        return not self.lacks(model)


def method_names() -> list[str]:
    """The names of all methods, in alphabetical order."""
    return list(_names())


@cache
def _names() -> tuple[str, ...]:
    # Asked for hundreds of times while a workflow is planned, and each time the folder would be read.
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def get_method(name: str) -> Method:
    """The method called `name`; importing it brings in the libraries it needs. Raises InputError with the known names."""
    if name not in _names():
        raise InputError(f"method: found '{name}', expected one of {', '.join(method_names())}")
    return import_module(f"{__name__}.{name}").METHOD
