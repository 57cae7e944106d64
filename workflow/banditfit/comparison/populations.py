"""Models compared as models of a population: integrated BIC, and how well people are predicted who were left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..experiments.populations import PopulationMethod, _Participants, learn
from ..fitting import derive_seed
from ..kinds import ByName, Items, Limits, Seed
from ..models.families import ModelName
from ..solvers.population import Population, expect


@dataclass(frozen=True, eq=False)
class PopulationComparison:
    """What `compare_populations` found.

    models  one row per model, the best first: n_parameters (of the population: means, variances and covariances, rates that all
            share), log_evidence (nats, the sum of log p(y_j | population) over people, their parameters integrated out), ibic =
            -2 log_evidence + n_parameters ln(scored trials) (Huys et al. 2011, PLoS Comput. Biol. 7, e1002028), left_out (nats,
            the same of people under the population of others; NaN unless asked for), delta (of left_out where there is one,
            in nats, else of ibic), converged
    people  one row per person and model: episode, id, model, log_evidence, left_out. `bf.select_models` takes either, with
            models as columns, as log evidence
    """

    models: pd.DataFrame
    people: pd.DataFrame


@checked
def compare_populations(
    data: Dataset,
    models: Annotated[Sequence[ModelName], Items(2)],
    method: PopulationMethod = "gem",
    *,
    left_out: Annotated[int, Limits(2)] | bool = False,
    settings: ByName | None = None,
    seed: Seed = 0,
) -> PopulationComparison:
    """Fits the population of each model to everybody and compares them by iBIC; with `left_out` also by what the population of
    the others says of those left out, one person at a time (True), or one of so many parts of the people.

    Raises InputError for what `bf.fit` refuses, for more parts than people, and where a person has no evidence.
    """
    parts = len(data) if left_out is True else int(left_out)
    if parts > len(data) or parts == 1:
        raise InputError(f"compare_populations, argument left_out: found {left_out}, expected 2 to {len(data)}, the people")
    fold = np.random.default_rng(derive_seed(data.name, None, "folds", seed)).permutation(len(data)) % max(parts, 1)
    rows, people = [], []
    for model in dict.fromkeys(models):
        found = learn(data, model, method, settings, seed=seed)
        own = _evidence(data, model, found, np.arange(len(data)))
        others = np.full(len(data), np.nan)
        for part in range(parts):
            learnt = learn(data.select(data.episodes[fold != part]), model, method, settings, seed=seed)
            here = np.flatnonzero(fold == part)
            others[here] = _evidence(data, model, learnt, here)
        k = n_parameters(found)
        ibic = -2.0 * own.sum() + k * np.log(max(int(data.scored.sum()), 1))
        rows.append((model, k, own.sum(), ibic, others.sum() if parts else np.nan, found.converged))
        people.append(
            pd.DataFrame({"episode": data.episodes, "id": data.ids, "model": model, "log_evidence": own, "left_out": others})
        )
    columns = ["model", "n_parameters", "log_evidence", "ibic", "left_out", "converged"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(5, "delta", table["left_out"].max() - table["left_out"] if parts else table["ibic"] - table["ibic"].min())
    return PopulationComparison(
        table.sort_values("delta", kind="stable", ignore_index=True), pd.concat(people, ignore_index=True)
    )


def n_parameters(population: Population) -> int:
    """How many numbers the population has: means of all coordinates, and what is free in the covariance."""
    of_covariance = np.count_nonzero(np.tril(population.Sigma))
    effects = 0 if population.effects is None else population.effects.size
    return int(np.count_nonzero(population.upper > population.lower) + of_covariance + effects)


def _evidence(data: Dataset, model: str, population: Population, rows: np.ndarray) -> np.ndarray:
    """log p(y_j | population) of the people in these rows (rows,), nats."""
    participants = _Participants(data, model, None)
    found = expect([participants[row] for row in rows], population.rescaled(participants.scale))
    if not found.found.all():
        lost = data.ids[rows[int(np.argmin(found.found))]]
        raise InputError(f"compare_populations: found no evidence of '{lost}' under '{model}', expected some of everybody")
    return found.log_evidence
