"""Models compared on one data set: all fitted, all judged in one call, by every criterion and over people.

import banditfit as bf

comparison = bf.compare(data, ["rescorla_wagner", "dual_rates", "rw_choice_kernel"])
comparison.models     # a row per model: sums over people, how frequent it is, how surely it is the most frequent
comparison.people     # a row per person and model
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import fit
from ..judge import score
from ..kinds import ByName, Items, Jobs, Limits, Seed
from ..methods import get_method
from ..models.families import ModelName, get_model
from ..names import MethodName, called
from ..parameters import Bounds
from ..study.store import Fits
from .folds import folds_of, predict
from .grid import model_grid, telling_terms
from .selection import Selection, select_families, select_models

# What is fitted where the method that was asked for does not serve a model.
FALLBACK = "d_loc"
# Settings where none are given.
QUICK = {"profile": {"boxes": 0}}
Criterion = Literal["bic", "aic", "aicc", "held_out_nll"]
# How much of a criterion makes one nat of log evidence.
SCALE = {"bic": 2.0, "aic": 2.0, "aicc": 2.0, "held_out_nll": 1.0}
Models = Annotated[Sequence[ModelName], Items(2)]
SHOWN = ("model", "method", "n_parameters", "nll", "lpt", "best_for", "frequency", "protected")  # in `repr`


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` found.

    data, criterion   the name of the data set, and the criterion by which models are told apart
    fits, scores      of every person and model, as `bf.fit` and `bf.score` give them
    people            one row per person and model: dataset, episode, id, model, method, status; nll (nats), n_parameters (free
                      ones), n_trials (scored), aic, aicc, bic; lpt, the geometric mean probability of a choice; guessing, the
                      nll of equal probabilities; with held-out trials held_out_nll (of every trial, by the parameters of the
                      other folds') and held_out_failed; delta, the criterion less that of the person's best model;
                      guessed, whether none beats guessing; not_identified and at_bound, names of parameters. NaN where a
                      fit has no admissible parameters
    models            one row per model, best first: method, n_parameters (of one person), sums of nll and criteria over the
                      people who have fits of all models, lpt of all their trials, delta, best_for (people whose best it is);
                      alpha, frequency, exceedance and protected of `selection`; failed, not_identified, at_bound (people)
    terms             one row per term by which the models differ: term, n_models (that have it), and frequency, exceedance,
                      protected and bor of all models with it against all without, by the selection of families
    selection         the random-effects selection, from minus half of aic, aicc or bic as log evidence, or minus held_out_nll
    guessing          ids of people for whom no model beats guessing, by the criterion
    left_out          ids of people who lack a fit of some model, and are in no sum
    notes             what was done otherwise than asked, a sentence each
    """

    data: str
    criterion: str
    fits: Fits
    scores: pd.DataFrame
    people: pd.DataFrame
    models: pd.DataFrame
    terms: pd.DataFrame
    selection: Selection
    guessing: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def best(self) -> str:
        """The model with the least sum of the criterion."""
        return str(self.models["model"].iloc[0])

    def __repr__(self) -> str:
        measures = dict.fromkeys([self.criterion, "delta", *(["held_out_nll"] if "held_out_nll" in self.models else [])])
        columns = [*SHOWN[:4], *measures, *SHOWN[4:]]
        shown = self.models[columns].rename(columns={"n_parameters": "k", "best_for": "best for"})
        digits = dict.fromkeys(["nll", *measures], 1) | {"lpt": 3, "frequency": 2, "protected": 3}
        written = {name: lambda number, places=places: f"{number:.{places}f}" for name, places in digits.items()}
        people = self.people["episode"].nunique()
        lines = [
            f"{len(shown)} models of '{self.data}', {people} people, by {self.criterion}",
            shown.to_string(index=False, formatters=written),
            f"BOR {self.selection.bor:.3f}: the probability that all models are equally frequent",
        ]
        if self.guessing:
            lines.append(f"no model beats guessing for {_listed(self.guessing)}")
        if self.left_out:
            lines.append(f"left out of all sums, for want of a fit: {_listed(self.left_out)}")
        return "\n".join([*lines, *self.notes])


def _listed(ids: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(f"'{name}'" for name in ids[:most])
    return f"{len(ids)} people ({shown}{', ...' if len(ids) > most else ''})"


@checked
def compare(
    data: Dataset,
    models: Models | None = None,
    method: MethodName = "profile",
    *,
    criterion: Criterion = "bic",
    held_out: Literal["sessions"] | Annotated[int, Limits(2)] | None = None,
    settings: ByName | None = None,
    bounds: Bounds | None = None,
    seed: Seed = 0,
    n_jobs: Jobs = 1,
) -> Comparison:
    """Fits `models` (by default those of `bf.model_grid()`) to every episode with `method`, and with `d_loc` where the method
    does not serve a model, judges all fits in one call, and compares the models by every criterion.

    criterion  decides which model is best, and stands for the evidence in the random-effects selection
    held_out   "sessions", or a number of blocks into which the scored trials of each person are cut: predicts the trials of
               each by parameters fitted to the others (as many more fits)
    settings   of `method`; without any, `profile` bounds nothing between the points of its grids, which takes most of its time
    bounds     by name, each for the models that have such a parameter

    AIC and BIC are those of the reported estimates; a note says so where these do not maximise the likelihood. Raises
    InputError for what `fit` refuses, for bounds that no model has, and where no person has fits of all models.
    """
    names = list(dict.fromkeys(models or model_grid()))
    if len(names) < 2:
        raise InputError(f"compare, argument models: found '{names[0]}' alone, expected two models or more")
    if criterion == "held_out_nll" and held_out is None:
        raise InputError("compare, argument held_out: found None, expected 'sessions' or a number of blocks for this criterion")
    folds = None if held_out is None else folds_of(data, held_out)
    boxes = _boxes(data, names, bounds)
    fits, predicted, notes = [], [], []
    for name in names:
        used, own, words = _method_for(data, name, method, settings)
        how = {"settings": own, "seed": seed, "n_jobs": n_jobs}
        fits.append(fit(data, name, used, bounds=boxes[name], **how))
        notes += [f"'{name}' was fitted by '{used}': {words}"] if words else []
        if folds is not None:
            predicted.append(predict(data, folds, name, used, boxes[name], **how).assign(model=name))
    fits = pd.concat(fits, ignore_index=True)
    if (without := fits["posterior"].notna()).any():
        used = ", ".join(sorted(fits.loc[without, "method"].unique()))
        notes.append(f"estimates of {used} describe a posterior: AIC and BIC are theirs, not those of the maximum")
    return compared(data, fits, criterion, boxes, pd.concat(predicted) if predicted else None, tuple(notes))


def compared(
    data: Dataset,
    fits: Fits,
    criterion: str,
    boxes: Mapping[str, Bounds],
    predicted: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
) -> Comparison:
    """The comparison of models by fits that are there: `boxes` are the bounds of each, `predicted` what `predict` says."""
    scores = score(data, fits)
    free = {model: free_parameters(model, data.n_arms, box) for model, box in boxes.items()}
    trials = dict(zip(data.episodes.tolist(), data.scored.sum(axis=1).tolist(), strict=True))
    people = people_of(scores, scores["model"].map(free), scores["episode"].map(trials))
    if predicted is not None:
        people = people.merge(predicted, on=["episode", "model"], how="left", validate="one_to_one")
    found = weighed(people, criterion)
    if found.selection is None:
        raise InputError(f"compare: found no person of '{data.name}' with fits of all models, expected one or more")
    people = found.people
    of = lambda rows: tuple(rows.drop_duplicates("episode")["id"])  # noqa: E731
    return Comparison(
        data=data.name,
        criterion=criterion,
        fits=Fits(fits),
        scores=scores,
        people=people,
        models=found.models,
        terms=found.terms,
        selection=found.selection,
        guessing=of(people[people["guessed"]]),
        left_out=of(people[~people["episode"].isin(found.known["episode"])]),
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class Weighed:
    """What `weighed` found: all `people`, those `known` to have fits of all models, and of these a row per model, a row per
    term, and the selection (two empty tables and None where there is nobody)."""

    people: pd.DataFrame
    known: pd.DataFrame
    models: pd.DataFrame
    terms: pd.DataFrame
    selection: Selection | None


def weighed(people: pd.DataFrame, criterion: str) -> Weighed:
    """The criteria of `people_of`, with how far each model is from the person's best (`delta`) and whether none beats guessing
    (`guessed`), and what people who have fits of all models say of these."""
    people = people.copy()
    best = people.groupby("episode")[criterion].transform("min")
    people["delta"] = people[criterion] - best
    people["guessed"] = best >= SCALE[criterion] * people["guessing"]
    known = people[~people.groupby("episode")[criterion].transform(lambda column: column.isna().any())]
    if known.empty:
        return Weighed(people, known, pd.DataFrame(), pd.DataFrame(), None)
    names = list(dict.fromkeys(people["model"]))
    evidence = -known.pivot(index="episode", columns="model", values=criterion)[names] / SCALE[criterion]
    selection = select_models(evidence)
    return Weighed(people, known, _models(people, known, criterion, selection), _by_term(evidence), selection)


def _by_term(evidence: pd.DataFrame) -> pd.DataFrame:
    """The row of each term by which the models (columns) differ."""
    rows = []
    for term, having in telling_terms(list(evidence)).items():
        found = select_families(evidence.to_numpy(), ["with" if held else "without" for held in having])
        with_it = found.models.index("with")
        of = [measure[with_it] for measure in (found.frequency, found.exceedance, found.protected)]
        rows.append((term, sum(having), *of, found.bor))
    return pd.DataFrame(rows, columns=["term", "n_models", "frequency", "exceedance", "protected", "bor"])


def _method_for(
    data: Dataset, model: str, method: str, settings: Mapping[str, Any] | None
) -> tuple[str, dict[str, Any] | None, str]:
    """The method that fits a model, its settings, and why it is not the one that was asked for."""
    settings = settings or QUICK.get(method)
    own, _ = called(method, settings)
    words = get_method(own).refusal(own, get_model(model), data.available is not None)
    return (FALLBACK, None, words) if words else (method, None if settings is None else dict(settings), "")


def _boxes(data: Dataset, models: Sequence[str], bounds: Bounds | None) -> dict[str, Bounds]:
    """The bounds of each model, of which `bounds` may name some."""
    given = {} if bounds is None else bounds.named()
    known = {name: {parameter.name for parameter in get_model(name).parameters} for name in models}
    unknown = [name for name in given if not any(name in own for own in known.values())]
    if unknown:
        names = ", ".join(sorted(set().union(*known.values())))
        raise InputError(f"bounds: found '{unknown[0]}', expected parameters of the models that are compared ({names})")
    boxes = {}
    for model, own in known.items():
        pairs = {name: pair for name, pair in given.items() if name in own}
        alpha, beta = pairs.pop("alpha", (None,))[0], pairs.pop("beta", None)
        boxes[model] = data.bounds_of(get_model(model), Bounds(alpha, beta, {name: pair for name, (pair,) in pairs.items()}))
    return boxes


def free_parameters(model: str, n_arms: int, box: Bounds) -> int:
    """How many parameters of a model these bounds leave free."""
    lower, upper = get_model(model).box(n_arms, box)
    return int((upper > lower).sum())


def people_of(scores: pd.DataFrame, n_parameters: pd.Series, n_trials: pd.Series) -> pd.DataFrame:
    """The criteria of every person and model, from one row of scores for each, with its free parameters and scored trials."""
    people = scores[["dataset", "episode", "id", "model", "method", "status"]].copy()
    nll = scores["nll"].where(scores["admissible"].astype(bool))
    k, n = n_parameters.astype(int), n_trials.astype(int)
    people["nll"], people["n_parameters"], people["n_trials"] = nll, k, n
    people["aic"] = 2.0 * nll + 2.0 * k
    people["aicc"] = people["aic"] + (2.0 * k * (k + 1) / (n - k - 1).where(n > k + 1))  # none where trials are too few
    people["bic"] = 2.0 * nll + k * np.log(n.clip(lower=1))
    people["lpt"] = np.exp(-nll / n.where(n > 0))
    people["guessing"] = scores["guessing"]
    people["not_identified"], people["at_bound"] = scores["not_identified"], scores["at_bound"]
    return people.reset_index(drop=True)


def _models(people: pd.DataFrame, known: pd.DataFrame, criterion: str, selection: Selection) -> pd.DataFrame:
    """The row of each model, the best first."""
    whole = known.groupby("model", sort=False)
    found = whole[["method", "n_parameters"]].first()
    found["n_people"], found["n_trials"] = whole.size(), whole["n_trials"].sum()
    summed = [name for name in ("nll", "aic", "aicc", "bic", "held_out_nll") if name in people]
    found = found.join(whole[summed].sum(min_count=1))
    for name in summed:  # a sum over some of the people is no sum
        found.loc[whole[name].apply(lambda column: column.isna().any()), name] = np.nan
    found["lpt"] = np.exp(-found["nll"] / found["n_trials"])
    found["delta"] = found[criterion] - found[criterion].min()
    best = known.loc[known.groupby("episode")[criterion].idxmin(), "model"]
    found["best_for"] = best.value_counts().reindex(found.index, fill_value=0)
    found = found.join(selection.table.set_index("model"))
    every = people.groupby("model", sort=False)
    found["failed"] = every["nll"].apply(lambda column: column.isna().sum())
    for name in ("not_identified", "at_bound"):
        found[name] = every[name].apply(lambda column: (column != "").sum())
    return found.sort_values("delta", kind="stable").reset_index(names="model")
