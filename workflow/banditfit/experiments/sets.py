"""What else fits nearly as well: the profile sets of the people of a data set, by each of its models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..data.dataset import Dataset
from ..fitting import fit
from ..sets import profile_sets
from . import Experiment

if TYPE_CHECKING:
    from ..study.config import Study


def sets(data: Dataset, methods: Mapping[str, tuple[str, Mapping[str, Any]]], people: int, seed: int = 0) -> pd.DataFrame:
    """`profile_sets` of the first `people` by each model, around the fit of its method (with settings)."""
    kept = data.select(slice(0, people))
    found = [
        profile_sets(kept, fit(kept, model, method, settings=dict(settings), seed=seed))
        for model, (method, settings) in methods.items()
    ]
    return pd.concat(found, ignore_index=True)


def _arguments(study: "Study", dataset: str) -> dict[str, Any]:
    asked = study.config["sets"]
    served = {model: study.methods([asked["run"]], model) for model in study.models_of(dataset)}
    methods = {model: found[asked["run"]] for model, found in served.items() if found}
    people = min(asked["people"], *(study.n_episodes[dataset, model, asked["run"]] for model in methods))
    return {"methods": methods, "people": people, "seed": study.config["seed"]}


EXPERIMENT = Experiment(
    run=lambda **how: (sets(**how),),
    found=("profile_sets",),
    parts=lambda study: study.config["sets"]["datasets"] if study.config["sets"] else [],
    arguments=_arguments,
    methods=lambda study: [study.runs[study.config["sets"]["run"]].entry.method],
    of_data=lambda arguments: arguments["people"],
    folder="sets",
)
