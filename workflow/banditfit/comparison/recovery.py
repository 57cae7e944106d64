"""What a comparison could tell at the user's own design: agents of each fitted model play it, and are fitted by all.

import banditfit as bf

recovery = bf.recover(data, ["rescorla_wagner", "dual_rates"])
recovery.confusion    # the share of people of each true model (rows) that each model (columns) is best for
recovery.inversion    # the probability of each true model, given which model is best
recovery.parameters   # correlation, bias and error of every parameter
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..kinds import ByName, Count, Jobs, Seed, Words
from ..names import MethodName
from ..parameters import Bounds
from .agents import Agents, Outcomes
from .compare import Comparison, Criterion, Models, compare

Rule = Annotated[
    Literal["arms", "steps", "own"] | np.ndarray,
    Words("'arms', 'steps', 'own', or an array of rewards (episodes, steps, arms)"),
]


@dataclass(frozen=True, eq=False, repr=False)
class Recovery:
    """What `recover` found.

    data         the name of the data set
    confusion    (true model x best model) the share of simulated people of each true model that each is best for; rows sum to 1
    inversion    likewise, the probability of each true model given the best one, if all are equally likely; columns sum to 1,
                 NaN where a model was never best (Wilson & Collins 2019, eLife 8, e49547)
    parameters   one row per model and parameter: n (people with both), correlation, bias (mean of estimate less truth), rmse,
                 over people in whom it is identified both in the truth and in the new fit; not_identified, how many are not
    estimates    one row per repeat, person, model and parameter: true, estimate (NaN where not identified)
    people       the people of all comparisons, with the true model and repeat
    left_out     how many of these lack a fit of some model
    rule         how the rewards of arms were made
    """

    data: str
    confusion: pd.DataFrame
    inversion: pd.DataFrame
    parameters: pd.DataFrame
    estimates: pd.DataFrame
    people: pd.DataFrame
    left_out: int
    rule: str

    def __repr__(self) -> str:
        two = lambda number: f"{number:.2f}"  # noqa: E731
        diagonal = np.diag(self.confusion.to_numpy()).mean()
        lines = [
            f"Recovery at the design of '{self.data}' (rewards: {self.rule}): {diagonal:.0%} of models are found again",
            "share of people of each true model (rows) that a model is best for",
            self.confusion.to_string(float_format=two),
            self.parameters.to_string(index=False, float_format=two),
        ]
        return "\n".join([*lines, *([f"left out, for want of a fit: {self.left_out} people"] if self.left_out else [])])


@checked
def recover(
    data: Dataset,
    models: Models | None = None,
    method: MethodName = "profile",
    *,
    n: Count = 1,
    rewards: Rule = "arms",
    criterion: Criterion = "bic",
    settings: ByName | None = None,
    bounds: Bounds | None = None,
    seed: Seed = 0,
    n_jobs: Jobs = 1,
) -> Recovery:
    """Fits `models` to `data`, lets an agent with each person's parameters play that person's own design `n` times (the same
    sessions, states, missed trials and forced choices), and fits all models to what each plays.

    rewards  what arms would have brought, which the data do not say: "arms" draws from all rewards that anybody got from that
             arm in that state; "steps" from those of the nearest step of the session at which anybody did, for schedules that
             change in the same way for all; "own" gives what the same person got from that arm at the nearest trial of the
             session, for schedules that change in ways of their own (of an arm that the person never chose there: as "arms");
             or the rewards themselves (episodes, steps, arms)

    Other arguments are those of `compare`. Every person's draws have a seed of their own, from data set, episode, model and
    `seed`. Raises InputError for what `compare` refuses, and for an arm whose rewards nobody saw.
    """
    first = compare(data, models, method, criterion=criterion, settings=settings, bounds=bounds, seed=seed, n_jobs=n_jobs)
    return recovered(data, first, method, n=n, rewards=rewards, settings=settings, bounds=bounds, seed=seed, n_jobs=n_jobs)


def recovered(
    data: Dataset,
    first: Comparison,
    method: str,
    *,
    n: int,
    rewards: str | np.ndarray,
    settings: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    seed: int = 0,
    n_jobs: int = 1,
) -> Recovery:
    """`recover` from a comparison of the models that is there."""
    criterion = first.criterion
    rule = rewards if isinstance(rewards, str) else "given"
    outcomes = None if rule == "given" else Outcomes(data, rule)
    if rule == "given" and rewards.shape != (*data.choices.shape, data.n_arms):
        expected = (*data.choices.shape, data.n_arms)
        raise InputError(f"recover, argument rewards: found the shape {rewards.shape}, expected {expected}")
    names = list(dict.fromkeys(first.fits["model"]))
    again = {"settings": settings, "bounds": bounds, "seed": seed, "n_jobs": n_jobs, "criterion": criterion}
    people, estimates, left_out = [], [], 0
    for name in names:
        truths = Agents(data, first.fits, name)
        for repeat in range(n):
            played = truths.play(outcomes if outcomes is not None else rewards, repeat, seed)
            found = compare(played, names, method, **again)
            people.append(found.people.assign(true_model=name, repeat=repeat))
            left_out += len(found.left_out)
            estimates.append(truths.against(found.fits).assign(repeat=repeat))
    people, estimates = pd.concat(people, ignore_index=True), pd.concat(estimates, ignore_index=True)
    confusion = _confusion(people, names, criterion)
    inversion = confusion / confusion.sum().where(lambda total: total > 0)
    return Recovery(data.name, confusion, inversion, parameters_recovered(estimates), estimates, people, left_out, rule)


def _confusion(people: pd.DataFrame, names: list[str], criterion: str) -> pd.DataFrame:
    """How often each model (columns) is best for people of each true one (rows), as a share."""
    person = ["true_model", "repeat", "episode"]
    whole = people.groupby(person)[criterion].transform(lambda column: column.notna().all())
    known = people[whole]
    best = known.loc[known.groupby(person)[criterion].idxmin()]
    counts = pd.crosstab(best["true_model"], best["model"]).reindex(index=names, columns=names, fill_value=0)
    counts.index.name, counts.columns.name = "true", "best"
    return counts.div(counts.sum(axis=1).where(lambda total: total > 0), axis=0)


def parameters_recovered(estimates: pd.DataFrame) -> pd.DataFrame:
    """How well each parameter is recovered."""
    rows = []
    for (model, parameter), part in estimates.groupby(["model", "parameter"], sort=False):
        known = part.dropna(subset=["true", "estimate"])
        off = known["estimate"] - known["true"]
        varies = len(known) > 2 and known["true"].std() > 0 and known["estimate"].std() > 0
        correlation = np.corrcoef(known["true"], known["estimate"])[0, 1] if varies else np.nan
        rmse = float(np.sqrt((off**2).mean())) if len(known) else np.nan
        rows.append((model, parameter, len(known), correlation, off.mean(), rmse, len(part) - len(known)))
    columns = ["model", "parameter", "n", "correlation", "bias", "rmse", "not_identified"]
    return pd.DataFrame(rows, columns=columns)
