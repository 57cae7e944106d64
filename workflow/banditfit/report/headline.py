"""What a study found, in a table and five sentences of Markdown: the README's, from what is stored.

`python -m banditfit headline [CONFIG]`, in the project's folder, of a finished study; CONFIG is config/paper.yaml if not given.
"""

from pathlib import Path

import pandas as pd

from ..experiments.who_wins import winners
from ..files import intact
from ..study.cases import KEYS, Cases, with_models
from ..study.config import Study
from ..study.store import finished_table, read_table
from ..tables.guide import Need, choices, chosen, needs
from ..tables.guide import table as make_guide
from ..tables.published import JUDGED
from ..tables.summaries import compare
from .wording import deviation, listed, sig, span

# The runs of the table: those of them that the study has, each with its first local solver.
SHOWN = ("cvx", "cvx_loc", "d_loc_published", "d_loc", "profile", "certified", "mc", "gem")


def headline(study: Study, folder: Path) -> list[str]:
    """The lines, from the study's results in `folder`: tables/ (summary, comparison, reproduction, outcomes, coverage,
    population_study) and scores/, of which the guide is made anew, so that it follows the rules of this version."""
    tables = folder / "tables"
    names = ("summary", "comparison", "reproduction", "outcomes", "coverage")
    held = (with_models(finished_table(tables / f"{name}.csv"), study.cases) for name in names)
    summary, comparison, reproduction, outcomes, coverage = held
    runs = list(study.runs.values())
    paths = [folder / "scores" / f"{name}.parquet" for name in study.catalogue]
    scores = pd.concat([intact(read_table, path) for path in paths], ignore_index=True)
    wrong = finished_table(tables / "misspecified.csv") if study.populations.get("misspecified") else None
    guide = make_guide(scores, compare(scores, runs), runs, coverage, wrong)
    said = _sentences(study, tables, reproduction, outcomes, guide, choices(scores, guide))
    return [*_table(study, summary, comparison), "", *said]


def _table(study: Study, summary: pd.DataFrame, comparison: pd.DataFrame) -> list[str]:
    ours = summary.set_index(["metric", *KEYS, "run"]).sort_index()
    theirs = comparison[~comparison["corrected"].astype(bool)].set_index(["metric", *KEYS, "run"])["published"]
    labels = [entry.label for entry in study.cases.values()]
    lines = [
        f"| policy KL, median (published) | {' | '.join(labels)} | processor ms |",
        "|---" * (len(labels) + 2) + "|",
    ]
    for entry in SHOWN:
        run = next((run for run in study.runs.values() if run.entry.id == entry), None)
        if run is None:
            continue
        cells: list[str] = []
        for case in study.cases:
            key = ("kl", *case, run.id)
            cells.append("–" if key not in ours.index else sig(ours.loc[key, "median"]))
            if key in theirs.index:
                cells[-1] += f" ({sig(theirs[key])})"
        times = ours.loc["t_cpu"].query("run == @run.id")["median"]
        cells.append(span(times))
        lines.append(f"| {run.entry.label} | {' | '.join(cells)} |")
    return lines


def _sentences(
    study: Study,
    folder: Path,
    reproduction: pd.DataFrame,
    outcomes: pd.DataFrame,
    guide: pd.DataFrame,
    choices: pd.DataFrame,
) -> list[str]:
    found = reproduction["verdict"].value_counts().reindex(list(JUDGED), fill_value=0)
    lines = [
        f"* **Reproduced:** of {found.sum()} published medians of errors that can be compared, {found['reproduced']} lie inside"
        f" the 95 % interval of ours, {found['better']} above it and {found['worse']} below it."
        f" {deviation(reproduction[reproduction['verdict'].isin(JUDGED)])}"
    ]
    certified = guide[guide["run"] == "certified"]
    if len(certified):
        proved = round((certified["n"] * certified["proofs"]).sum())
        lines.append(
            f"* **Certified:** {proved} of {certified['n'].sum()} fits lie within 1e-6 nats of their own bound, by the judge's"
            " count, and so of the global optimum."
        )
    lines.append(
        f"* **Bounds:** of {outcomes['bounds'].sum()} lower bounds, {outcomes['bounds_beaten'].sum()} lie above the nll of an"
        " admissible fit."
    )
    if study.populations.get("study"):
        cells = winners(finished_table(folder / "population_study.csv"))
        lines.append(
            f"* **A population informs its members:** of {len(cells)} kinds of simulated populations, {cells['size'].min()} to"
            f" {cells['size'].max()} participants with {cells['steps'].min()} to {cells['steps'].max()} trials, GEM has the"
            f" least mean policy KL in {(cells['winner'] == 'gem').sum()}."
        )
    lines.append(
        "* **What to use**, by what you want, of the methods whose fits ended well by the judge's count in nine of ten: the one"
        " of least processor time among those within 10 % of the most accurate, with the name that `bf.fit` knows it by, if it"
        " is chosen again in 90 % of resamples of the episodes:"
    )
    lines += [f"  * {need.words}: {_picks(choices, study.cases, need)}" for need in needs(guide)]
    return lines


def _picks(choices: pd.DataFrame, cases: Cases, need: Need) -> str:
    """What is chosen for a need, on which data sets."""
    found: dict[str, list[str]] = {}
    for case, entry in cases.items():
        rows, clear = chosen(choices, case, need)
        names = [f"{row.label} (`{row.run.split('.')[0]}`)" for row in rows.itertuples()]
        words = names[0] if clear else f"no clear winner between {listed(names)}" if names else "none"
        found.setdefault(words, []).append(entry.label)
    if len(found) == 1:
        return next(iter(found))
    said = sorted(found.items(), key=lambda item: (item[0] == "none", item[0].startswith("no clear"), -len(item[1])))
    return "; ".join(f"{words} on {' and '.join(labels)}" for words, labels in said)
