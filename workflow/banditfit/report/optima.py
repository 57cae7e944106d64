"""Models and their optima: who finds the best fit, what bounds prove, and what comes back, on simulated learners."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..experiments.optima import CLOSED, MISSED, least_missed
from ..models.families import get_model
from ..study.cases import Cases
from ..study.config import Study
from ..study.entries import Run
from ..study.store import finished_table
from .wording import count, counted, headed, percent, sig

TITLE, AFTER, PLACE = "Models and their optima", "known", 1
ABOUT = "how often random starts and methods find the optimum, what is proved, and which parameters come back"
ABSENT = "–"
# The family in config/methods.tsv of the methods whose fits are values and a bound.
RELAXATIONS = "convex relaxations"


@dataclass(frozen=True)
class Table:
    """A table as it is shown: rows of words, the first of which is the row's name; `runs` are the methods that rows are of, in
    their order, or none."""

    title: str
    how: str
    heads: list[str]
    rows: list[list[str]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """What starts and methods find, over all models and per model, the recovery and the profile sets; None where the study does
    not ask for them."""
    methods, starts = tables.get("optima_methods"), tables.get("optima_starts")
    if methods is None or not len(methods):
        return None
    by_id = {run.id: run for run in runs}
    methods = methods[methods["run"].isin(by_id)]
    cells = methods[["model", "arms"]].drop_duplicates().itertuples(index=False, name=None)
    return {
        "groups": [{"label": _label(*cell), "parameters": _parameters(tables, *cell)} for cell in cells],
        "sentences": [*_proved(methods), *_by_luck(starts), *_covered(tables.get("optima_sets"))],
        "tables": [_models(methods, starts), _solvers(starts), _methods(methods, by_id)],
        "by_model": [*_luck_by_model(starts), *_methods_by_model(methods, by_id)],
        "closed": f"{CLOSED:g}",
        "missed": f"{MISSED:g}",
    }


def finding(found: dict) -> str:
    """What it found, for the front page."""
    return " ".join(found["sentences"])


def markdown(study: Study, folder: Path) -> list[str]:
    """The tables of a finished study, whose results lie in `folder`, and what they say, in Markdown. Raises InputError where it
    asks for no optima, or has not run to its end."""
    if not study.config["optima"]:
        raise InputError(f"{study.config['study']}: key 'optima' is missing, expected a study that asks for optima")
    names = ("optima_methods", "optima_starts", "optima_sets", "optima_recovery")
    found = section({name: finished_table(folder / f"tables/{name}.csv") for name in names}, study.runs.values(), {})
    lines = [" ".join(found["sentences"])]
    for table in [*found["tables"], *found["by_model"]]:
        lines += ["", f"**{table.title}.** {table.how}", "", *headed(table.heads)]
        lines += [f"| {' | '.join(row)} |" for row in table.rows]
    return lines


def _label(model: str, arms: int) -> str:
    return f"{get_model(model).label}, {arms} arms"


def _headed(word: str, counts: list[int]) -> list[str]:
    """The heads of columns, one for each number of starts."""
    return [f"{word}, {n}" for n in counts]


def _nats(value: float) -> str:
    """A difference of likelihoods; what is within the tolerance of a proof is none."""
    return "0" if value <= 1.01 * CLOSED else sig(value)


def _of(table: pd.DataFrame, model: str, arms: int) -> pd.DataFrame:
    return table[(table["model"] == model) & (table["arms"] == arms)]


def _models(methods: pd.DataFrame, starts: pd.DataFrame) -> Table:
    """A row per model: what is proved of it, and what random starts of the first solver miss."""
    solver = starts["solver"].iloc[0]
    counts = sorted(starts["starts"].unique())
    table = Table(
        "By model",
        "The share of optima that are proved, by the method that proves most, and the processor time of a proof; the"
        f" share of sets of so many random starts of {solver} whose best misses the optimum, and the most that a set of"
        f" {counts[-1]} misses by, in nats.",
        ["model", "learners", "proved", "ms, median", "ms, 90 %", *_headed("missed", counts), f"worst, {counts[-1]}"],
    )
    for best in _most_proved(methods).itertuples():
        mine = _of(starts[starts["solver"] == solver], best.model, best.arms).set_index("starts")
        missed = [percent(mine.loc[n, "missed"]) for n in counts]
        proof = [percent(best.closed), sig(best.ms_median), sig(best.ms_q90)] if best.bounded else [ABSENT] * 3
        row = [_label(best.model, best.arms), count(best.n), *proof, *missed, _nats(mine.loc[counts[-1], "miss_worst"])]
        table.rows.append(row)
    return table


def _most_proved(methods: pd.DataFrame) -> pd.DataFrame:
    """Per model and number of arms the row of the method that proves most optima."""
    proved = (methods["closed"] * methods["n"]).round()
    cells = [methods["model"], methods["arms"]]
    return methods.assign(proved=proved).loc[proved.groupby(cells, sort=False).idxmax()]


def _solvers(starts: pd.DataFrame) -> Table:
    """A row per solver, over all models."""
    counts = sorted(starts["starts"].unique())
    table = Table(
        "By solver",
        "Over all models and numbers of arms: how many starts, the share of sets of so many that miss, the most that a"
        " set misses by, in nats, and the processor time of a start, the median over models.",
        ["solver", "starts", *_headed("missed", counts), *_headed("worst", counts), "ms"],
    )
    for solver, rows in starts.groupby("solver", sort=False):
        sets = {n: rows[rows["starts"] == n] for n in counts}
        missed = [percent((part["missed"] * part["n"]).sum() / part["n"].sum()) for part in sets.values()]
        worst = [_nats(part["miss_worst"].max()) for part in sets.values()]
        one = sets[counts[0]]
        table.rows.append([solver, count(one["n"].sum()), *missed, *worst, sig((one["ms"] / counts[0]).median())])
    return table


def _methods(methods: pd.DataFrame, by_id: Mapping[str, Run]) -> Table:
    """A row per method, over all models that it serves."""
    table = Table(
        "By method",
        "Over all models that a method serves: the share of its fits that miss, and by how much at most (relaxations have"
        f" no parameters but by chance); of the models that it has a bound for, the share that is proved, within {CLOSED:g}"
        " nats of it; how far bounds lie below the best fit known, in nats: the median over models of the median, and the"
        " most; and processor time of a fit, medians over models of the median and of the 90 % quantile.",
        ["method", "models", "fits", "missed", "worst", "proved", "gap", "worst gap", "ms", "ms, 90 %", "failed"],
    )
    for run, rows in methods.groupby("run", sort=False):
        table.runs.append(by_id[run])
        n, gives = rows["n"].sum(), by_id[run].entry.family != RELAXATIONS
        missed = percent((rows["missed"].fillna(1.0) * rows["n"]).sum() / n) if gives else ABSENT
        bounded = rows[rows["bounded"] > 0]
        proved = percent((bounded["closed"] * bounded["n"]).sum() / bounded["n"].sum()) if len(bounded) else ABSENT
        times = [sig(rows[name].median()) for name in ("ms_median", "ms_q90")]
        table.rows.append(
            [
                by_id[run].entry.label,
                count(rows["model"].nunique()),
                count(n),
                missed,
                _nats(rows["regret_worst"].max()) if gives else ABSENT,
                proved,
                _nats(rows["gap_median"].median()),
                _nats(rows["gap_worst"].max()),
                *times,
                count(rows["failed"].sum()),
            ]
        )
    return table


def _luck_by_model(starts: pd.DataFrame) -> list[Table]:
    """What each solver misses of each model: a row per model, a column per solver, a number for each number of starts."""
    solvers, counts = list(dict.fromkeys(starts["solver"])), sorted(starts["starts"].unique())
    sizes = " · ".join(map(str, counts))
    missed = Table(
        f"Random starts that miss, %, of {sizes}",
        f"The share of sets of {sizes} random starts whose best misses the optimum by more than {MISSED:g} nats.",
        ["model", *solvers],
    )
    worst = Table(
        f"The most that random starts miss, nats, of {sizes}", "The worst of the same sets, in nats.", ["model", *solvers]
    )
    for (model, arms), rows in starts.groupby(["model", "arms"], sort=False):
        cells = rows.set_index(["solver", "starts"])
        for table, column, words in ((missed, "missed", lambda share: f"{100 * share:.3g}"), (worst, "miss_worst", _nats)):
            row = [" · ".join(words(cells.loc[(solver, n), column]) for n in counts) for solver in solvers]
            table.rows.append([_label(model, arms), *row])
    return [missed, worst]


def _methods_by_model(methods: pd.DataFrame, by_id: Mapping[str, Run]) -> list[Table]:
    """Gaps and times: a row per model, a column per method."""
    bounding = [run for run, rows in methods.groupby("run", sort=False) if rows["bounded"].any()]
    every = list(dict.fromkeys(methods["run"]))
    gaps = "How far bounds lie below the best fit known, in nats: median · worst; 0 is at most a millionth."
    times = "Processor time of a fit, in ms: median · 90 % quantile."
    asked = (
        ("Gaps, nats", gaps, bounding, ("gap_median", "gap_worst"), _nats),
        ("Times, ms", times, every, ("ms_median", "ms_q90"), sig),
    )
    tables = []
    for title, how, runs, columns, words in asked:
        table = Table(title, how, ["model", *(by_id[run].entry.label for run in runs)])
        for (model, arms), rows in methods.groupby(["model", "arms"], sort=False):
            mine = rows.set_index("run")
            cells = [
                " · ".join(words(mine.loc[run, name]) for name in columns)
                if run in mine.index and mine.loc[run, list(columns)].notna().all()
                else ABSENT
                for run in runs
            ]
            table.rows.append([_label(model, arms), *cells])
        tables.append(table)
    return tables


def _parameters(tables: Mapping[str, pd.DataFrame], model: str, arms: int) -> list[dict]:
    """A row per parameter: how well the fits of the method that misses least give it back, and its profile set."""
    recovery, sets, methods = (_of(tables[f"optima_{name}"], model, arms) for name in ("recovery", "sets", "methods"))
    run = least_missed(methods)["run"].item()
    found = recovery[recovery["run"] == run].set_index("parameter")
    return [{"found": found.loc[row.parameter], "name": row.parameter, "set": row} for row in sets.itertuples()]


def _proved(methods: pd.DataFrame) -> list[str]:
    """What the method that closes most bounds of each model proves."""
    bounded = methods[methods["bounded"] > 0]
    if not len(bounded):
        return []
    best = _most_proved(bounded)
    proved, fitted = best["proved"].sum(), best["n"].sum()
    broken = int(methods["broken"].sum())
    words = [
        f"{count(proved)} of {counted(int(fitted), 'fit')} are proved optimal to {CLOSED:g} nats, over"
        f" {counted(best['model'].nunique(), 'model')}; half of the models take at most {sig(best['ms_median'].median())} ms a"
        f" proof, none more than {sig(best['ms_median'].max())} ms (medians). Of"
        f" {counted(int(methods['bounded'].sum()), 'lower bound')} by all methods, {count(broken)} lie above the nll of an"
        f" admissible fit."
    ]
    without = [get_model(name).label for name in methods["model"].unique() if name not in set(bounded["model"])]
    if without:
        words.append(f"No method has a bound for {', '.join(without)}: there the best fit known is compared with.")
    return words


def _by_luck(starts: pd.DataFrame) -> list[str]:
    """How the solver that the study lists first does from random starts."""
    solver = starts["solver"].iloc[0]
    mine = starts[starts["solver"] == solver].groupby("starts", sort=True)
    missed = mine.apply(lambda rows: (rows["missed"] * rows["n"]).sum() / rows["n"].sum(), include_groups=False)
    worst = mine["miss_worst"].max()
    said = [
        f"{percent(missed[n])} with {n}" + (f" (by up to {sig(worst[n])} nats)" if worst[n] > MISSED else "")
        for n in missed.index
    ]
    return [f"Random starts of {solver} miss the best fit known by more than {MISSED:g} nats in {', '.join(said)}."]


def _covered(sets: pd.DataFrame | None) -> list[str]:
    if sets is None or not len(sets):
        return []
    held, ridges = ((sets[name] * sets["n"]).sum() / sets["n"].sum() for name in ("covered", "ridge"))
    return [f"The 95 % profile sets hold {percent(held)} of the true parameters; {percent(ridges)} are ridges."]
