"""The population that a method finds, and the participants it is found in."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from ..arguments import checked
from ..data.dataset import Dataset
from ..fitting import derive_seed
from ..kinds import ByName, OneOf, Seed, Words
from ..methods import get_method
from ..models import likelihood
from ..models.families import ModelName, get_model
from ..models.likelihood import Problem
from ..names import MethodName, called, method_names
from ..parameters import Bounds
from ..solvers.em import learn as _learn
from ..solvers.population import Population

POPULATION_METHODS = {"gem": False, "gem_shared": True}  # and whether their participants share the rates
Runs = Annotated[
    Mapping[str, tuple[MethodName, Mapping[str, Any]]],
    Words('methods with their settings by name, such as {"gem": ("gem", {})}'),
]
PopulationMethod = Annotated[str, OneOf(lambda: [name for name in method_names() if called(name)[0] in POPULATION_METHODS])]


@checked
def learn(
    data: Dataset,
    model: ModelName,
    method: PopulationMethod = "gem",
    settings: ByName | None = None,
    bounds: Bounds | None = None,
    seed: Seed = 0,
) -> Population:
    """The population that `method` (gem, gem_shared, or a row of config/methods.tsv that is one of them) finds in all episodes
    of `data`: its mean, covariance, trace of the objective and reason for stopping. Bounds and seed as in `fit`; raises
    InputError as `fit` does."""
    problems, options, rng, shared = _posed(data, model, method, settings, bounds, seed)
    return _learn(problems, options, rng, shared)[0].rescaled(1.0 / problems.scale)


def _posed(
    data: Dataset, model: str, name: str, settings: Mapping[str, Any] | None, bounds: Bounds | None, seed: int
) -> tuple["_Participants", Any, np.random.Generator, bool]:
    """What `em.learn` is asked by arguments such as those of `learn`: the problems of all participants, the settings of the
    population method of that name, the draws of this fit, and whether participants share their rates."""
    method, given = called(name, settings)
    options = get_method(method).read_settings(method, given)
    rng = np.random.default_rng(derive_seed(data.name, None, method, seed))
    return _Participants(data, model, bounds), options, rng, POPULATION_METHODS[method]


class _Participants(Sequence):
    """The problems of a data set, each made when it is asked for: the online mode then holds a few of them at a time. Signals
    are in units of their own size, of all participants together, as a population method sees them in `fit`; `scale` (D,) is
    how many times as large a parameter is in them as in the user's."""

    def __init__(self, data: Dataset, model: str, bounds: Bounds | None):
        self.data, self.model = data, get_model(model)
        self.bounds = data.bounds_of(self.model, bounds)
        self.unit = self.model.units(data.reward_scale)
        self.scale = self.model.scale(data.n_arms, self.unit)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, row: int) -> Problem:
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.as_told(row).in_units(self.unit)

    def as_told(self, row: int) -> Problem:
        """The same problem in the user's units, in which a fit's table is."""
        return likelihood.problem(self.data, row, self.model, self.bounds)
