"""A data set by itself: what was read, what people do, what agents of each model do in their place, and whether the models and
their parameters could be told apart at this design.

from banditfit.experiments import own_design

found = own_design.own_design(data, ["rescorla_wagner", "dual_rates"], people=50, repeats=1)  # tables, as in FOUND
"""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..comparison.behaviour import behaviour, predicted_behaviour
from ..comparison.compare import compare
from ..comparison.recovery import Recovery, recovered
from ..data.dataset import Dataset
from ..errors import InputError
from ..parameters import Bounds
from ..sets import profile_sets
from . import Experiment

if TYPE_CHECKING:
    from ..study.config import Study

PEOPLE, SAMPLE = "people", "sample"  # in the column `model`: all of them, and those whose design agents play
BEHAVIOUR = ["dataset", "model", "measure", "x", "people", "mean", "low", "high"]
CONFUSION = ["dataset", "model", "best", "n_people", "share", "inversion"]
RECOVERED = ["dataset", "model", "parameter", "n", "correlation", "bias", "rmse", "not_identified"]
ESTIMATES = ["dataset", "model", "episode", "id", "repeat", "parameter", "true", "estimate"]
SETS = ["dataset", "model", "episode", "id", "parameter", "estimate", "lower", "upper", "at_lower", "at_upper", "ridge"]
FOUND = ("facts", "behaviour", "confusion", "recovered", "recovered_people", "people_sets")


def facts(data: Dataset, settings: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """What was read, one row per fact: dataset, model (none: of all), fact and value, as text. `settings` are those of the
    reading."""
    real = np.arange(data.choices.shape[1]) < data.n_steps[:, None]
    made = data.choices >= 0
    missed = (real & ~made).sum(axis=1)
    rewards = data.rewards[made]
    per_session = np.diff(np.append(np.flatnonzero((data.starts & real)[real]), data.n_steps.sum()))
    told: dict[str, Any] = {
        "people": len(data),
        "rows": int(data.n_steps.sum()),
        "trials of a person": span(data.n_steps),
        "missed trials": missed.sum(),
        "people with missed trials": (missed > 0).sum(),
        "most missed by a person": f"{missed.max()} ('{data.ids[missed.argmax()]}')",
        "sessions": len(per_session),
        "trials of a session": span(per_session),
        "arms": data.n_arms,
        "choices of each arm": " ".join(map(str, np.bincount(data.choices[made], minlength=data.n_arms))),
        "rewards": span(rewards) if rewards.size else "none",
        "different rewards": len(np.unique(rewards)),
        "mean reward": f"{rewards.mean():.4g}" if rewards.size else "none",
        "reward scale": f"{data.reward_scale:g}",
    }
    if data.states is not None:
        told["states"] = len(np.unique(data.states[real]))
    if data.forced is not None or data.available is not None:
        told["forced choices"] = int((made & ~data.scored).sum())
    if data.available is not None:
        told["arms on offer"] = span(data.available[real].sum(axis=1))
    if data.losses is not None:
        told["losses"] = span(data.losses[made]) if rewards.size else "none"
    if data.foregone is not None:
        told["foregone outcomes shown"] = int(np.isfinite(data.foregone[real]).sum())
    told |= {f"setting {name}": str(value) for name, value in (settings or {}).items()}
    told |= {f"note {number}": note for number, note in enumerate(data.notes, start=1)}
    rows = [(data.name, "", fact, str(value)) for fact, value in told.items()]
    return pd.DataFrame(rows, columns=["dataset", "model", "fact", "value"])


def span(values: np.ndarray) -> str:
    low, high = np.min(values), np.max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def own_design(
    data: Dataset,
    models: Sequence[str],
    method: str = "profile",
    people: int | None = None,
    repeats: int = 0,
    rewards: str = "own",
    settings: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    seed: int = 0,
) -> tuple[pd.DataFrame, ...]:
    """The tables of FOUND: the `facts`; the behaviour of people and of agents of each model; how often which model is best for
    people of each true one (confusion, and its inversion), and how parameters are recovered, over all and by person, from
    `repeats` plays; and the profile sets of the model with the least BIC. All but facts and behaviour are of `people` (None:
    all; fewer are spread evenly over the data). What cannot be played, such as an arm that nobody chose, is said in a fact."""
    known = facts(data, settings)
    part = data if people is None or people >= len(data) else data.select(_spread(data, people))
    tables = [behaviour(data).assign(model=PEOPLE)]
    if len(part) < len(data):
        tables.append(behaviour(part).assign(model=SAMPLE))
    confusion, recovery, estimates, sets = (pd.DataFrame(columns=names) for names in (CONFUSION, RECOVERED, ESTIMATES, SETS))
    try:
        if len(models) > 1:
            first = compare(part, list(models), method, bounds=bounds, seed=seed)
            best = first.fits[first.fits["model"] == first.best]
            sets = profile_sets(part, best).merge(best[["episode", "id"]], on="episode", validate="many_to_one")
            tables.append(predicted_behaviour(part, first.fits, rewards, seed))
            if repeats:
                found = recovered(part, first, method, n=repeats, rewards=rewards, bounds=bounds, seed=seed)
                confusion, recovery, estimates = _confusion(found), found.parameters, found.estimates
    except InputError as error:
        known.loc[len(known)] = data.name, "", "not played", str(error)
    whole = pd.concat(tables, ignore_index=True)
    rest = zip((whole, confusion, recovery, estimates, sets), (BEHAVIOUR, CONFUSION, RECOVERED, ESTIMATES, SETS), strict=True)
    return known, *(table.assign(dataset=data.name)[names] for table, names in rest)


def _spread(data: Dataset, people: int) -> list[int]:
    places = np.unique(np.linspace(0, len(data) - 1, people).round().astype(int))
    return data.episodes[places].tolist()


def _confusion(found: Recovery) -> pd.DataFrame:
    """A row per true model and model that may be best for its people."""
    counts = found.people.drop_duplicates(["true_model", "repeat", "episode"])["true_model"].value_counts()
    rows = [
        (true, best, int(counts[true]), found.confusion.loc[true, best], found.inversion.loc[true, best])
        for true in found.confusion.index
        for best in found.confusion.columns
    ]
    return pd.DataFrame(rows, columns=CONFUSION[1:])


def _parts(study: "Study") -> list[str]:
    return list(study.catalogue) if study.config["own_design"] else []


def _arguments(study: "Study", dataset: str) -> dict[str, Any]:
    asked, entry = study.config["own_design"], study.catalogue[dataset]
    people = None if asked["people"] == "all" else asked["people"]
    own = entry.arguments if entry.n_episodes is None else None
    how = {"repeats": asked["repeats"], "rewards": asked["rewards"], "method": asked["method"]}
    return {"models": study.models_of(dataset), "people": people, "settings": own, "seed": study.config["seed"], **how}


EXPERIMENT = Experiment(
    run=own_design,
    found=FOUND,
    parts=_parts,
    arguments=_arguments,
    methods=lambda study: ["d_loc", study.config["own_design"]["method"]] if study.config["own_design"] else [],
    of_data=lambda arguments: sys.maxsize,  # what was read is told of all
    folder="own_design",
)
