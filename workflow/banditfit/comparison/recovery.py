"""What a comparison could tell at the user's own design: agents of each fitted model play it, and are fitted by all.

import banditfit as bf

recovery = bf.recover(data, ["rescorla_wagner", "dual_rates"])
recovery.confusion    # the share of people of each true model (rows) that each model (columns) is best for
recovery.inversion    # the probability of each true model, given which model is best
recovery.parameters   # correlation, bias and error of every parameter
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import derive_seed
from ..identification import complete
from ..kinds import ByName, Count, Jobs, Seed, Words
from ..models import likelihood
from ..models.families import get_model
from ..models.play import play, taken
from ..names import MethodName
from ..parameters import Bounds
from .compare import Comparison, Criterion, Models, compare

Rule = Annotated[
    Literal["arms", "steps"] | np.ndarray,
    Words("'arms', 'steps', or an array of rewards (episodes, steps, arms)"),
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
             change in the same way for all; or the rewards themselves (episodes, steps, arms)

    Other arguments are those of `compare`. Every person's draws have a seed of their own, from data set, episode, model and
    `seed`. Raises InputError for what `compare` refuses, and for an arm whose rewards nobody saw.
    """
    first = compare(data, models, method, criterion=criterion, settings=settings, bounds=bounds, seed=seed, n_jobs=n_jobs)
    rule = rewards if isinstance(rewards, str) else "given"
    outcomes = None if rule == "given" else _Outcomes(data, rule)
    if rule == "given" and rewards.shape != (*data.choices.shape, data.n_arms):
        expected = (*data.choices.shape, data.n_arms)
        raise InputError(f"recover, argument rewards: found the shape {rewards.shape}, expected {expected}")
    names = list(dict.fromkeys(first.fits["model"]))
    again = {"settings": settings, "bounds": bounds, "seed": seed, "n_jobs": n_jobs, "criterion": criterion}
    people, estimates, left_out = [], [], 0
    for name in names:
        truths = _Truths(data, first, name)
        for repeat in range(n):
            played = truths.play(outcomes if outcomes is not None else rewards, repeat, seed)
            found = compare(played, names, method, **again)
            people.append(found.people.assign(true_model=name, repeat=repeat))
            left_out += len(found.left_out)
            estimates.append(truths.against(found).assign(repeat=repeat))
    people, estimates = pd.concat(people, ignore_index=True), pd.concat(estimates, ignore_index=True)
    confusion = _confusion(people, names, criterion)
    inversion = confusion / confusion.sum().where(lambda total: total > 0)
    return Recovery(data.name, confusion, inversion, _parameters(estimates), estimates, people, left_out, rule)


class _Outcomes:
    """The rewards that people got from each arm in each state, by the step of the session."""

    def __init__(self, data: Dataset, rule: str):
        self.rule = rule
        self.states = np.zeros_like(data.choices) if data.states is None else data.states
        steps = np.arange(data.choices.shape[1])
        self.steps = steps - np.maximum.accumulate(np.where(data.starts, steps, 0), axis=1)  # within the session
        made = data.choices >= 0
        self.seen: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # by state and arm: steps, in order, and rewards
        real = steps < data.n_steps[:, None]
        for state in np.unique(self.states[real]):
            for arm in range(data.n_arms):
                got = made & (data.choices == arm) & (self.states == state)
                order = np.argsort(self.steps[got], kind="stable")
                self.seen[state, arm] = self.steps[got][order], data.rewards[got][order]
                if not got.any():
                    where = f" in state {state}" if data.states is not None else ""
                    raise InputError(
                        f"recover, argument rewards: nobody chose arm {arm}{where}, so what it would have brought is not known;"
                        " expected an array of rewards (episodes, steps, arms)"
                    )

    def draw(self, row: int, n_steps: int, n_arms: int, rng: np.random.Generator) -> np.ndarray:
        """What each arm offers one person (steps, arms)."""
        offered = np.empty((n_steps, n_arms))
        uniform = rng.random((n_steps, n_arms))
        for t in range(n_steps):
            for arm in range(n_arms):
                steps, rewards = self.seen[self.states[row, t], arm]
                low, high = 0, len(rewards)
                if self.rule == "steps":
                    low, high = _nearest(steps, self.steps[row, t])
                offered[t, arm] = rewards[low + int(uniform[t, arm] * (high - low))]
        return offered


def _nearest(steps: np.ndarray, step: int) -> tuple[int, int]:
    """Where, in ordered steps, those nearest to `step` begin and end; the earlier of two that are as near."""
    at = int(np.searchsorted(steps, step))
    candidates = [steps[k] for k in (at - 1, at) if 0 <= k < len(steps)]
    nearest = min(candidates, key=lambda there: abs(int(there) - int(step)))
    return int(np.searchsorted(steps, nearest)), int(np.searchsorted(steps, nearest, side="right"))


class _Truths:
    """The fits of one model as agents: their parameters, complete, and which of them are identified."""

    def __init__(self, data: Dataset, first: Comparison, name: str):
        self.name, self.model = name, get_model(name)
        fits = first.fits[first.fits["model"] == name]
        box = Bounds.read(fits["bounds"].iloc[0])
        fitted = {row.episode: row for row in fits.itertuples()}
        self.agents = {}
        for row, episode in enumerate(data.episodes.tolist()):
            problem = likelihood.problem(data, row, self.model, box)
            parameters = complete(problem, fitted[episode])
            if parameters is not None:
                self.agents[episode] = (problem, *parameters)
        self.data = data.select(list(self.agents))
        self.rows = [row for row, episode in enumerate(data.episodes.tolist()) if episode in self.agents]

    def play(self, source: _Outcomes | np.ndarray, repeat: int, seed: int) -> Dataset:
        """The data set that the agents make, named after theirs, the model and the repeat."""
        choices = self.data.choices.copy()
        rewards = np.zeros(choices.shape)
        shown = None if self.data.foregone is None else np.isfinite(self.data.foregone)
        foregone = None if shown is None else np.full(choices.shape, np.nan)
        for place, (row, (episode, (problem, theta, _))) in enumerate(zip(self.rows, self.agents.items(), strict=True)):
            rng = np.random.default_rng([derive_seed(self.data.name, episode, self.name, seed), repeat])
            n = problem.n_steps
            given = isinstance(source, np.ndarray)
            offered = source[row, :n] if given else source.draw(row, n, problem.n_arms, rng)
            seen = None if shown is None else shown[place, :n]
            choices[place, :n], _ = play(problem, theta, offered, rng, seen)
            rewards[place, :n] = taken(offered, choices[place, :n])
            if seen is not None:
                foregone[place, :n] = np.where(seen, taken(offered[:, ::-1], choices[place, :n]), np.nan)
        named = f"{self.data.name} played by {self.name}, {repeat}"
        return replace(self.data, name=named, choices=choices, rewards=rewards, foregone=foregone, truth=None)

    def against(self, found: Comparison) -> pd.DataFrame:
        """The truth of every parameter beside the estimate of the same model."""
        names = self.model.parameter_names(self.data.n_arms)
        rows = []
        for fit in found.fits[found.fits["model"] == self.name].itertuples():
            _, theta, unidentified = self.agents[fit.episode]
            told = np.concatenate([np.ravel(part) for part in fit.parameters.values()])
            true = np.where(unidentified, np.nan, theta)
            rows += [(fit.episode, fit.id, self.name, *each) for each in zip(names, true, told, strict=True)]
        return pd.DataFrame(rows, columns=["episode", "id", "model", "parameter", "true", "estimate"])


def _confusion(people: pd.DataFrame, names: list[str], criterion: str) -> pd.DataFrame:
    """How often each model (columns) is best for people of each true one (rows), as a share."""
    person = ["true_model", "repeat", "episode"]
    whole = people.groupby(person)[criterion].transform(lambda column: column.notna().all())
    known = people[whole]
    best = known.loc[known.groupby(person)[criterion].idxmin()]
    counts = pd.crosstab(best["true_model"], best["model"]).reindex(index=names, columns=names, fill_value=0)
    counts.index.name, counts.columns.name = "true", "best"
    return counts.div(counts.sum(axis=1).where(lambda total: total > 0), axis=0)


def _parameters(estimates: pd.DataFrame) -> pd.DataFrame:
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
