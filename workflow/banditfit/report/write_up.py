"""What to report in a paper: a paragraph made from the numbers of the study, to be edited."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..experiments.own_design import PEOPLE
from ..models.families import get_model
from ..study.cases import Cases, data_label
from ..study.entries import Run
from .models import SURE
from .wording import count, counted, listed, percent, sig, span

TITLE, AFTER, PLACE = "What to report in a paper", "known", -12
ABOUT = "a paragraph made from these numbers"


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Per data set that was asked about by itself, and fitted with several models, a paragraph."""
    models, facts = tables.get("models"), tables.get("facts")
    if models is None or facts is None or not len(models) or not len(facts):
        return None
    labels = [run.entry.label for run in {run.entry.id: run for run in runs}.values()]
    parts = []
    for dataset, rows in models.groupby("dataset", sort=False):
        own = {name: table[table["dataset"] == dataset] for name, table in tables.items() if "dataset" in table}
        told = dict(zip(own["facts"]["fact"], own["facts"]["value"].astype(str), strict=True))
        sentences = [_data(told), *_fits(rows, labels), *_comparison(rows), *_checks(rows, own), *_recovery(rows, own)]
        parts.append({"label": data_label(dataset, cases), "sentences": [one for one in sentences if one]})
    return {"parts": parts}


def _data(told: Mapping[str, str]) -> str:
    missed, rows = int(told["missed trials"]), int(told["rows"])
    rule = "were left out" if told.get("setting missed") == "drop" else "were not scored, and traces decayed over them"
    gaps = f" {counted(missed, 'missed trial')} ({percent(missed / rows)}) {rule}." if missed else " No trial was missed."
    people, sessions = counted(int(told["people"]), "participant"), counted(int(told["sessions"]), "session")
    offered = f" ({told['arms on offer']} on offer at a time)" if "arms on offer" in told else ""
    forced = int(told.get("forced choices", 0))
    unscored = f" {counted(forced, 'forced choice')} moved values and {'was' if forced == 1 else 'were'} not scored." * (
        forced > 0
    )
    return (
        f"{people} made {counted(rows - missed, 'choice')} among {told['arms']} options{offered} in {sessions}.{gaps}{unscored}"
    )


def _fits(rows: pd.DataFrame, labels: list[str]) -> list[str]:
    names = [f"“{get_model(name).label}”" for name in rows["model"]]
    return [
        f"{counted(len(rows), 'model')} ({listed(names)}) were fitted to each participant with banditfit"
        f" ({listed(labels)}; each participant's best fit was used)."
    ]


def _comparison(rows: pd.DataFrame) -> list[str]:
    best, second = rows.iloc[0], rows.iloc[1]
    said = [
        f"“{get_model(best['model']).label}” had the lowest BIC ({best['bic']:.1f} in sum over"
        f" {counted(int(best['n_people']), 'participant')}; “{get_model(second['model']).label}”, the next, had"
        f" {second['delta']:.1f} more; AIC {best['aic']:.1f}, negative log-likelihood {best['nll']:.1f}, mean probability"
        f" of a choice {sig(best['lpt'])}), and was the best for {count(int(best['best_for']))} of them."
    ]
    frequent = rows.loc[rows["frequency"].idxmax()]
    sure = "" if frequent["protected"] >= SURE else ", so that none can be called the most frequent"
    said.append(
        f"In random-effects model selection the most frequent was “{get_model(frequent['model']).label}” (expected frequency"
        f" {sig(frequent['frequency'])}, protected exceedance probability {sig(frequent['protected'])}, Bayesian omnibus risk"
        f" {sig(frequent['bor'])}){sure}."
    )
    if best["guessed"]:
        said.append(f"For {counted(int(best['guessed']), 'participant')} no model was better than guessing by BIC.")
    flags = [(best["not_identified"], "a parameter that was not identified"), (best["at_bound"], "a parameter at its bound")]
    flagged = [f"{counted(int(number), 'participant')} had {words}" for number, words in flags if number]
    return [*said, *([f"By the best model {listed(flagged)}."] if flagged else [])]


def _checks(rows: pd.DataFrame, own: Mapping[str, pd.DataFrame]) -> list[str]:
    table = own.get("behaviour")
    if table is None:
        return []
    first = table[table["measure"].str.startswith("stay") & (table["x"] == 1)].set_index(["model", "measure"])["mean"]
    best = rows["model"].iloc[0]
    keys = [(who, f"stay after {what}") for who in (PEOPLE, best) for what in ("win", "loss")]
    if not all(key in first.index for key in keys):
        return []
    win, loss, agents_win, agents_loss = (percent(first[key]) for key in keys)
    return [
        f"Participants repeated their choice in {win} of trials after a win and {loss} otherwise; agents with the fitted"
        f" parameters did in {agents_win} and {agents_loss}."
    ]


def _recovery(rows: pd.DataFrame, own: Mapping[str, pd.DataFrame]) -> list[str]:
    confusion, parameters = own.get("confusion"), own.get("recovered")
    if confusion is None or parameters is None or not len(confusion):
        return []
    best = rows["model"].iloc[0]
    right = confusion[confusion["model"] == confusion["best"]]
    mine = right.loc[right["model"] == best]
    found = parameters[parameters["model"] == best]["correlation"].dropna()
    recovered = f", and its parameters were recovered with correlations of {span(found)}" if len(found) else ""
    return [
        f"In simulations of the same design {percent(right['share'].mean())} of agents were assigned to the model that had made"
        f" their choices ({percent(mine['share'].iloc[0])} of those of the best model, which was right in"
        f" {percent(mine['inversion'].iloc[0])} of the cases in which it was chosen){recovered}."
    ]
