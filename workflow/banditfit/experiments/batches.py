"""A population of more people than one job should hold: each job takes a batch of them and gives what it found of them in sums.

Whoever has 10^6 people fits them in batches of some thousands, each by EM of its own, and adds up the sums of m_j and of
m_j m_j' + V_j of all, of which the M-step of `solvers.em` makes mu and Sigma (without its prior, worth a few people). A batch
draws its people towards its own population, which is the whole's but for its sampling error, so that one exchange is enough:
what it shifts is of the order of one part in the people of a batch. How much batches differ gives standard errors for nothing.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..kinds import ByName, Seed
from ..models.families import ModelName, get_model
from ..solvers.em import learn
from . import Experiment, methods_of
from .populations import PopulationMethod, _posed

if TYPE_CHECKING:
    from ..study.config import Study

KEYS = ["dataset", "model", "run"]


@checked
def statistics(
    data: Dataset,
    model: ModelName,
    method: PopulationMethod = "gem",
    settings: ByName | None = None,
    seed: Seed = 0,
) -> pd.DataFrame:
    """What a batch of people says of its population: one row per parameter, and per pair of them with `other`. Columns:
    people (who have a posterior), lost (who have none), log_evidence (nats, of all), converged, parameter, other (empty: of the
    parameter alone), `sum` over people of m_j, or of m_j m_j' + V_j, on the link scale, and `centre`, the parameter of the
    batch's mean person. Raises InputError for methods whose people share a rate, and as `fit` does."""
    problems, options, rng, shared = _posed(data, model, method, settings, None, seed)
    if shared:
        raise InputError(f"statistics: found method '{method}', whose people share their rates, expected 'gem'")
    found, e = learn(list(problems), options, rng)
    if e is None:
        raise InputError(f"statistics: found batch {options.batch} among the settings, expected 0, for each job has a batch")
    theirs = found.rescaled(1.0 / problems.scale)
    m, V = (e.m + theirs.mu - found.mu)[e.found], e.V[e.found]
    second = m.T @ m + V.sum(axis=0)
    names = get_model(model).parameter_names(data.n_arms)
    told = {
        "people": len(m),
        "lost": len(e.found) - len(m),
        "log_evidence": float(e.log_evidence[e.found].sum()),
        "converged": found.converged,
    }
    centre = theirs.theta(theirs.mu)
    rows = [{**told, "parameter": a, "other": "", "sum": m[:, k].sum(), "centre": centre[k]} for k, a in enumerate(names)]
    rows += [
        {**told, "parameter": a, "other": b, "sum": second[k, i], "centre": np.nan}
        for k, a in enumerate(names)
        for i, b in enumerate(names[: k + 1])
    ]
    return pd.DataFrame(rows)


def merged(table: pd.DataFrame) -> pd.DataFrame:
    """The population of all batches of each dataset, model and run, from their `statistics` with the column `batch`: one row
    per parameter, with people, lost, batches, how many of these converged, log_evidence, `mean` and `sd` over people on the
    link scale, their standard errors by how much batches differ (NaN of one batch), and `centre`, the parameter of the mean
    person."""
    table = table.assign(other=table["other"].fillna(""))
    rows = []
    for keys, part in table.groupby(KEYS, sort=False):
        batches = part.drop_duplicates("batch")
        J = batches["people"].sum()
        told = {
            "people": J,
            "lost": batches["lost"].sum(),
            "batches": len(batches),
            "converged": int(batches["converged"].astype(bool).sum()),
            "log_evidence": batches["log_evidence"].sum(),
        }
        for parameter in part["parameter"].unique():
            own = part[part["parameter"] == parameter].set_index("batch")
            first, square = own[own["other"] == ""], own[own["other"] == parameter]
            mean = first["sum"].sum() / J
            sd = np.sqrt(square["sum"].sum() / J - mean**2)
            each = first["sum"] / first["people"]
            each_sd = np.sqrt(square["sum"] / square["people"] - each**2)
            errors = {"mean_se": _error(each, first["people"]), "sd_se": _error(each_sd, first["people"])}
            centre = float((first["centre"] * first["people"]).sum() / J)
            found = {"parameter": parameter, **told, "mean": mean, "sd": sd, **errors, "centre": centre}
            rows.append({**dict(zip(KEYS, keys, strict=True)), **found})
    return pd.DataFrame(rows)


def _error(values: pd.Series, people: pd.Series) -> float:
    """The standard error of the mean of batches' values, each of so many people."""
    n, share = len(values), people / people.sum()
    if n < 2:
        return np.nan
    mean = (share * values).sum()
    return float(np.sqrt((share**2 * (values - mean) ** 2).sum() * n / (n - 1)))


def _run(
    data: Dataset, batch: str, models: Mapping[str, Mapping[str, tuple[str, Mapping[str, Any]]]], seed: int
) -> tuple[pd.DataFrame]:
    tables = []
    for model, runs in models.items():
        for run, (method, settings) in runs.items():
            table = statistics(data, model, method, settings, seed)
            table[[*KEYS, "batch"]] = data.name, model, run, batch
            tables.append(table[[*KEYS, "batch", *table.columns[:-4]]])
    return (pd.concat(tables, ignore_index=True),)


def _parts(study: "Study") -> list[str]:
    asked = study.populations.get("batches", {})
    return [
        f"{dataset}_{first:07d}-{min(first + asked['people'], asked['episodes']) - 1:07d}"
        for dataset in asked.get("datasets", [])
        for first in range(0, asked["episodes"], asked["people"])
    ]


def _arguments(study: "Study", part: str) -> dict[str, Any]:
    dataset, batch = part.rsplit("_", 1)
    return {"batch": batch, "models": study.methods_by_model("batches", dataset), "seed": study.config["seed"]}


def _rows(arguments: Mapping[str, Any]) -> range:
    first, last = map(int, arguments["batch"].split("-"))
    return range(first, last + 1)


EXPERIMENT = Experiment(
    run=_run,
    found=("statistics",),
    parts=_parts,
    arguments=_arguments,
    methods=methods_of("batches"),
    tables={"population_of_batches": ("statistics", merged)},
    of_data=_rows,
    data_of=lambda part: part.rsplit("_", 1)[0],
    kept=False,
)
