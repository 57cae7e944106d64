"""Models compared on the same data, and every person's parameters: what somebody asks of data of their own."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..comparison.compare import free_parameters, people_of, weighed
from ..comparison.people import parameter_table
from ..parameters import Bounds
from ..study.cases import Cases, among
from ..study.catalogue import own_data
from ..study.entries import Run, main_runs
from ..study.scores import everything
from ..study.store import objects
from . import Maker

CRITERION = "bic"
ARRAYS = ("alpha", "beta", "parameters", "posterior", "start_excess")


def several(cases: Cases) -> list[str]:
    """The data sets that are fitted with several models."""
    names = [case.dataset for case in cases]
    return list(dict.fromkeys(name for name in names if names.count(name) > 1))


def compared(scores: pd.DataFrame, cases: Cases) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Per data set of several models: a row per model, the best first, as `bf.compare` has it by BIC, with its BOR and how many
    people are no better than guessing; a row per term by which the models differ; and a row per person and model. A person's
    fit of a model is the best that any method found, with its `gap` to the best bound that holds (nats; NaN without one)."""
    models, terms, people = [], [], []
    for dataset in several(cases):
        rows = scores[scores["dataset"] == dataset].reset_index(drop=True)
        # Where no fit is admissible one of them stands for all, so that the person is known to lack the model.
        regret = rows["regret"].where(rows["admissible"].astype(bool), np.inf).fillna(np.inf)
        rows = rows.loc[regret.groupby([rows["model"], rows["episode"]], sort=False, observed=True).idxmin()]
        rows = rows.reset_index(drop=True)
        if rows["model"].nunique() < 2:
            continue
        n_arms = next(entry.n_arms for case, entry in cases.items() if case.dataset == dataset)
        boxes = list(zip(rows["model"], rows["bounds"], strict=True))
        free = {(model, box): free_parameters(model, n_arms, Bounds.read(box)) for model, box in set(boxes)}
        k = pd.Series([free[box] for box in boxes])
        # Scores stored before choice sets were known do not say how many trials count.
        trials = rows["n_scored"] if "n_scored" in rows else (rows["guessing"] / np.log(n_arms)).round()
        found = weighed(people_of(rows, k, trials), CRITERION)
        found.people.insert(found.people.columns.get_loc("nll") + 1, "gap", rows["best_nll"] - rows["best_bound"])
        people.append(found.people)
        if found.selection is not None:
            guessed = found.known.loc[found.known["guessed"], "episode"].nunique()
            table = found.models.drop(columns="method").assign(bor=found.selection.bor, guessed=guessed)
            models.append(_of(dataset, table))
            terms.append(_of(dataset, found.terms))
    return (
        _whole(models, ["dataset", "model"]),
        _whole(terms, ["dataset", "term"]),
        _whole(people, ["dataset", "model", "episode"]),
    )


def _of(dataset: str, table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    table.insert(0, "dataset", dataset)
    return table


def _whole(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def parameters(scores: pd.DataFrame, runs: Iterable[Run], cases: Cases) -> pd.DataFrame:
    """Every person's parameters by the main run of each method, of data sets of one's own: as `bf.parameter_table`."""
    mine = among(scores, [case for case, entry in cases.items() if own_data(entry)])
    rows = mine[mine["run"].isin([run.id for run in main_runs(runs)]) & mine["has_parameters"].astype(bool)]
    rows = rows.assign(**{name: objects(rows[name]) for name in ARRAYS if name in rows})
    return parameter_table(rows) if len(rows) else pd.DataFrame(columns=["dataset", "model", "episode"])


TABLES = [
    Maker(
        ("models", "terms", "people"),
        lambda results: compared(everything(results.scores), results.cases),
        lambda runs, cases: bool(several(cases)),
    ),
    Maker(
        ("person_parameters",),
        lambda results: (parameters(everything(results.scores), results.runs, results.cases),),
        lambda runs, cases: any(map(own_data, cases.values())),
    ),
]
