"""What the sections of the report say, every number and sentence computed from the study's tables.

One class, as these sections read the same cells, by data set, run and metric, and quote one another's findings; a section that
has tables of its own is a module of its own beside this one.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ..methods import get_method
from ..models.families import get_model
from ..models.simulate import PUBLISHED
from ..parameters import Bounds
from ..study.cases import KEYS, Case, Cases, data_label, key, of, present
from ..study.cases import published as is_published
from ..study.catalogue import NEEDED
from ..study.entries import Run, main_runs
from ..tables.published import CORRECTED, JUDGED
from ..tables.summaries import CERTIFIED, METRICS, USUAL
from .wording import count, counted, deviation, listed, percent, sig, span, were_beaten

MANY = 0.1  # of the fits of a run, at a bound: worth a sentence


def _by(short: pd.DataFrame, names: Mapping[str, str]) -> list[tuple[str, pd.DataFrame]]:
    return list(short.groupby(short["run"].map(names), sort=False))


def _shortened(part: tuple[str, pd.DataFrame], label: Callable[[Case], str]) -> str:
    """A run, or all runs with a local solver, and how many episodes of how many they fit."""
    name, rows = part
    if len(rows) == 1:
        return f"{name} {count(rows['n'].iloc[0])} of {count(rows['whole'].iloc[0])} of {label(key(rows.iloc[0]))}"
    fitted, whole = (" to ".join(dict.fromkeys((count(rows[c].min()), count(rows[c].max())))) for c in ("n", "whole"))
    return f"{name} {fitted} of {whole}"


def _box(model: str, box: Mapping[str, Any]) -> str:
    """The bounds of a model's parameters, as people write them."""
    symbols = get_model(model).symbols
    named = Bounds.read(json.dumps(box)).named()
    return ", ".join(f"{symbols[name]} in [{low:g}, {high:g}]" for name in symbols for low, high in named[name])


class Page:
    """What the sections say, from the tables of one study."""

    def __init__(self, tables: dict[str, pd.DataFrame], runs: list[Run], cases: Cases):
        self.summary, self.counts = tables["summary"], tables["outcomes"]
        self.comparison, self.parts = tables["comparison"], tables["attribution"]
        self.tables, self.guide = tables, tables["guide"]
        self.runs, self.main = runs, main_runs(runs)
        self.entries = cases
        self.cases = present(cases, self.summary)
        self.cells = {(key(row), row.run, row.metric): row for row in self.summary.itertuples() if row.n}
        compared = tables["compared"]
        self.compared = dict(list(compared.groupby([*KEYS, "metric"], sort=False)))
        self.theirs = {(key(row), row.run, row.metric): row for row in self.comparison.itertuples()}

    def label(self, case: Case) -> str:
        return self.entries[case].label

    def anchor(self, case: Case) -> str:
        """The name of a case's part of the page."""
        alone = sum(other.dataset == case.dataset for other in self.cases) == 1
        return case.dataset if alone else f"{case.dataset}-{case.model}"

    def run(self, name: str) -> Run:
        return next(run for run in self.runs if run.id == name)

    def run_of(self, method: str) -> Run | None:
        return next((run for run in self.main if run.entry.method == method), None)

    # Opening

    def made(self) -> str:
        """What the study is made of."""
        counts = self.counts
        entries = {run.entry.id for run in self.runs}
        datasets, models = {case.dataset for case in self.cases}, {case.model for case in self.cases}
        several = f" and {counted(len(models), 'model')}" if len(datasets) < len(self.cases) else ""
        return (
            f"{counted(len(entries), 'method')}, in {counted(len(self.runs), 'run')} over"
            f" {counted(len(datasets), 'data set')}{several}, made {counted(int(counts['n'].sum()), 'fit')},"
            f" {percent(counts['converged'].sum() / counts['n'].sum())} of which converged by their own test."
        )

    def findings(self) -> list[tuple[str, str]]:
        """What the study found: a sentence, and the topic that tells more."""
        said = []
        judged = self.comparison[self.comparison["verdict"].isin(JUDGED)]
        ours = judged[~judged["corrected"].astype(bool)]
        if len(ours):
            verdicts = ours["verdict"].value_counts()
            said.append(
                (
                    f"Of {counted(len(ours), 'published median')} of errors that can be compared,"
                    f" {count(verdicts.get('reproduced', 0))} lie inside the 95 % interval of ours; outside it, ours is lower"
                    f" in {count(verdicts.get('better', 0))} and higher in {count(verdicts.get('worse', 0))}."
                    f" {deviation(ours)}",
                    "reproduction",
                )
            )
        correction = self.corrections()
        if correction and correction["headline"]:
            said.append((correction["headline"], "corrections"))
        given, beaten = int(self.counts["bounds"].sum()), int(self.counts["bounds_beaten"].sum())
        if given:
            said.append((f"Of {counted(given, 'lower bound')} on the likelihood, {were_beaten(beaten)}.", "outcomes"))
        return said

    def has_truth(self, case: Case) -> bool:
        return any((case, run.id, "kl") in self.cells for run in self.runs)

    def glance(self) -> list[dict]:
        """Per data set: who comes closest to the truth or, where none is known, most often to the best likelihood; and who,
        of those whose fits end well, has the lowest processor time. Over the same episodes, or not compared."""
        rows = []
        for case in self.cases:
            metric = "kl"
            published = of(self.comparison, case)
            published = published[published["metric"] == metric]
            lowest = published.loc[published["published"].idxmin()] if len(published) else None
            found = self._lowest(case, metric) if self.has_truth(case) else None
            rows.append(
                {
                    "anchor": self.anchor(case),
                    "label": self.label(case),
                    "truth": self.has_truth(case),
                    "metric": METRICS[metric].label,
                    "accurate": found,
                    "maxima": None if self.has_truth(case) else self._maxima(case),
                    "fast": self._lowest(case, "t_cpu", self._sound(case)),
                    "published": lowest if lowest is None else (lowest["published"], lowest["label"]),
                }
            )
        return rows

    def glance_sentence(self) -> str:
        """How to read it."""
        truth = [self.has_truth(case) for case in self.cases]
        likelihood = f"who most often ends within {CERTIFIED:g} nats of the best likelihood known"
        closest = "the lowest median policy KL" if any(truth) else likelihood
        where = f" (where no truth is known, {likelihood})" if any(truth) and not all(truth) else ""
        published = "; beside them the lowest published median among the methods run here" if len(self.comparison) else ""
        return (
            f"Over the same episodes for all methods: {closest}{where}, and the lowest median processor"
            f" time per episode of those whose fits end well{published}. In brackets: 95 % bootstrap intervals over episodes."
        )

    def _sound(self, case: Case) -> set[str]:
        """The runs whose fits usually end well."""
        rows = of(self.guide, case)
        return set(rows.loc[rows["ended_well"] >= USUAL, "run"])

    def _lowest(self, case: Case, metric: str, among: set[str] | None = None) -> tuple[float, str, str] | None:
        """The lowest of the medians that are compared, whose it is, and its interval in words. Methods that end at the same
        optimum differ in the last digits only, so all that agree to three digits are named."""
        compared = self.compared.get((*case, metric))
        medians = {} if compared is None else dict(zip(compared["run"], compared["median"], strict=True))
        held = [run for run in self.main if run.id in medians and (among is None or run.id in among)]
        if not held:
            return None
        first = min(held, key=lambda run: medians[run.id])
        lowest, cell = medians[first.id], self.cells[case, first.id, metric]
        whose = listed(run.entry.label for run in held if sig(medians[run.id]) == sig(lowest))
        # One timing that all share has no interval.
        interval = f"({sig(cell.median_low)}–{sig(cell.median_high)})" if cell.median_low < cell.median_high else ""
        return lowest, whose, interval

    def _maxima(self, case: Case) -> tuple[str, str] | None:
        """In which share of episodes the best likelihood known is found, by whom it is found most often; None where nobody
        whom the guide compares gives parameters."""
        rows = of(self.guide, case)
        rows = rows[rows["t_cpu"].notna() & (rows["maxima"] > 0)]
        if rows.empty:
            return None
        most = rows["maxima"].max()
        return percent(most), listed(rows.loc[rows["maxima"] == most, "label"])

    def how_read(self, manifest: Mapping[str, Any]) -> list[str]:
        """Per data set of the user's own: how its file was read, and the rewards and the box of its fits. Manifests of earlier
        versions do not say."""
        said = []
        for name, held in manifest["data"].items():
            cases = {case: entry for case, entry in self.entries.items() if case.dataset == name}
            if not cases or (entry := next(iter(cases.values()))).source in NEEDED or "notes" not in held:
                continue
            # Manifests of earlier versions have the box of the one model.
            boxes = held.get("models") or {case.model: held["bounds"] for case in cases}
            words = {case: _box(case.model, boxes[case.model]) for case in cases}
            fitted = [f"{box} ({get_model(case.model).label})" if len(cases) > 1 else box for case, box in words.items()]
            whose = "as config/datasets.tsv says" if entry.bounds else "the default for rewards of this size"
            if entry.bounds and any(set(entry.bounds.named()) < set(get_model(case.model).symbols) for case in cases):
                whose += ", and the default for rewards of this size of what it does not name"
            said.append(
                f"{data_label(name, self.entries)} was read from {entry.source}: {'; '.join(held['notes'])}. Its largest"
                f" reward is {sig(held['reward_scale'])}; it is fitted with {'; with '.join(fitted)}, {whose}."
            )
        return said

    def not_served(self) -> list[str]:
        """Which methods of the study do not serve which of its models, and what of a model they need."""
        lacking: dict[tuple[str, str], list[str]] = {}
        for run in self.main:
            for model in dict.fromkeys(case.model for case in self.cases):
                if words := get_method(run.entry.method).lacks(get_model(model)):
                    lacking.setdefault((model, words), []).append(run.entry.label)
        models: dict[tuple[tuple[str, ...], str], list[str]] = {}
        for (model, words), labels in lacking.items():
            models.setdefault((tuple(labels), words), []).append(f"“{get_model(model).label}”")
        return [
            f"{listed(labels)} {'does' if len(labels) == 1 else 'do'} not serve {listed(names)}:"
            f" {'it needs' if len(labels) == 1 else 'they need'} {words}."
            for (labels, words), names in models.items()
        ]

    def known_limitations(self, manifest: Mapping[str, Any]) -> list[str]:
        """What a reader must know of this run before its figures."""
        said = []
        most = int(self.counts["n"].max())
        if len(self.comparison) and most < PUBLISHED["n_episodes"]:
            said.append(
                f"This run fits at most {counted(most, 'episode')} of a data set, the published medians rest on"
                f" {count(PUBLISHED['n_episodes'])}: intervals are wide, and a published median lies inside one easily."
            )
        labels = {run.id: run.label for run in self.runs}
        whole = self.counts.groupby(KEYS)["n"].transform("max")
        short = self.counts.assign(whole=whole)[self.counts["n"] < whole]
        if len(short):
            solvers = {run.id: run.local_solver or run.label for run in self.runs}
            said.append(
                "Some runs fit the first episodes of a data set alone, and their medians are of those:"
                f" {listed(_shortened(part, self.label) for part in _by(short, solvers))}. They are compared with no other run"
                f"{', and held against no published figure if they are fewer than half' if len(self.comparison) else ''}."
            )
        said += self.not_served()
        lost = self.counts.groupby("run", sort=False)["failed"].sum()
        lost = lost[lost > 0]
        if len(lost):
            names = ", ".join(f"{labels[run]} ({count(n)})" for run, n in lost.items())
            said.append(f"{counted(int(lost.sum()), 'fit')} ended without parameters and count in no median: {names}.")
        unknown = [self.label(case) for case in self.cases if not self.has_truth(case)]
        if unknown:
            said.append(f"No truth is known for {listed(unknown)}: there, only likelihoods are compared.")
        said += [sentence for case in self.cases if (sentence := self.bounds_sentence(case))]
        elsewhere = [self.label(case) for case in self.cases if not is_published(case, self.entries[case])]
        if elsewhere and len(self.comparison):
            said.append(f"No published figures exist for {listed(elsewhere)}.")
        alike = ("fits", "commit")
        machines = {tuple((k, v) for k, v in held.items() if k not in alike) for held in manifest["machines"]}
        if len(machines) > 1:
            said.append(f"The fits were made on {len(machines)} different machines or settings; times mix them.")
        commits = {held["commit"] for held in manifest["machines"]}
        if len(commits) > 1:
            said.append(f"The fits were made by the code of {len(commits)} commits, which stand under Identity.")
        if "uncommitted" in manifest["commit"]:
            said.append("The code differs from the commit named here.")
        return said

    # Results

    def bounds_sentence(self, case: Case) -> str:
        """How many fits ended with a parameter at a bound of the box, by the method in which most did, and what to do."""
        counts = of(self.counts, case)
        counts = counts[counts["run"].isin([run.id for run in self.main]) & (counts["at_bound"] >= MANY * counts["n"])]
        if counts.empty:
            return ""
        worst = counts.loc[(counts["at_bound"] / counts["n"]).idxmax()]
        labels = {run.id: run.entry.label for run in self.main}
        names = str(worst["at_bound_names"]).split("; ")
        where = f": {', '.join(names[:4])}{' and others' if len(names) > 4 else ''}" if names != [""] else ""
        others = len(counts) - 1
        also = f"; so did {percent(MANY)} or more of those of {counted(others, 'other method')}" if others else ""
        own = self.entries[case].source not in ("published", "simulate")
        advice = (
            " Such an estimate says where the box ends, not what the choices say. For β, look at the units of the rewards (β is"
            " per unit of reward) and set the box (columns alpha and beta of config/datasets.tsv) to what is plausible; or use"
            " a method with a prior."
        )
        return (
            f"{self.label(case)}: {count(worst['at_bound'])} of {counted(int(worst['n']), 'fit')} of {labels[worst['run']]}"
            f" ended with a parameter at a bound of the box{where}{also}.{advice if own else ''}"
        )

    def experiments(self) -> list[dict]:
        """Per data set: the columns it has, the rows of the main runs, and those of all runs where there are more."""
        sections = []
        for case in self.cases:
            has = [m for m in METRICS if any((case, run.id, m) in self.cells for run in self.runs)]
            counts = of(self.counts, case)
            errors = ["alpha_error", "beta_error"]
            if counts["unidentified"].any():
                errors += [f"{name}_identified" for name in errors]
            accuracy = ("kl", "kl_mean_policy", *errors) if "kl" in has else ("nll",)
            wanted = (*accuracy, "regret", "gap")
            metrics = [m for m in wanted if m in has]
            main = self._rows(case, self.main, metrics)
            every = self._rows(case, self.runs, metrics)
            n = max((self.compared[*case, m]["n"].iloc[0] for m in metrics if (*case, m) in self.compared), default=0)
            sections.append(
                {
                    "id": self.anchor(case),
                    "label": self.label(case),
                    "metrics": [METRICS[m] for m in metrics],
                    "rows": main,
                    "every": every if len(every) > len(main) else [],
                    "sentences": [*self._verdict_sentence(case), *self._endings_sentences(counts)],
                    "compared": n,
                    "endings": self._endings(counts),
                    "free": "nll" in metrics and any(not row["admissible"] for row in main),
                }
            )
        return sections

    def _rows(self, case: Case, runs: list[Run], metrics: list[str]) -> list[dict]:
        rows = []
        estimates = of(self.counts, case).set_index("run")["estimates"]
        for run in runs:
            cells = [self.cells.get((case, run.id, metric)) for metric in metrics]
            if any(cells):
                theirs = [self.theirs.get((case, run.id, metric)) for metric in metrics]
                best = [self._is_best(case, run, metric) for metric in metrics]
                n = max(cell.n for cell in cells if cell)
                rows.append(
                    {"run": run, "cells": cells, "theirs": theirs, "best": best, "n": n, "admissible": estimates[run.id] > 0}
                )
        return rows

    def _is_best(self, case: Case, run: Run, metric: str) -> bool:
        compared = self.compared.get((*case, metric))
        if compared is None or len(compared) < 2:
            return False
        own = compared.loc[compared["run"] == run.id, "median"]
        return bool(len(own)) and sig(own.iloc[0]) == sig(compared["median"].min())

    def _endings(self, counts: pd.DataFrame) -> list[dict]:
        """How the fits of every run ended on a data set."""
        by_run = counts.set_index("run")
        return [{"run": run, "cell": by_run.loc[run.id]} for run in self.runs if run.id in by_run.index]

    def _endings_sentences(self, counts: pd.DataFrame) -> list[str]:
        """Of the runs that end in a local search, or of all where none does: how many fits missed the best one known."""
        searching = [run for run in self.runs if run.local_solver] or self.runs
        rows = counts[counts["run"].isin([run.id for run in searching]) & (counts["estimates"] > 0)]
        said = []
        if len(rows):
            labels = {run.id: run.label for run in self.runs}
            share = (rows["above"] / rows["estimates"]).to_numpy()
            most, least = rows.iloc[share.argmax()], rows.iloc[share.argmin()]
            what = f"more than {CERTIFIED:g} nats above the best fit known"
            if len(rows) == 1 or share.max() == share.min():
                who = labels[most["run"]] if len(rows) == 1 else f"each of {counted(len(rows), 'run')}"
                said.append(f"{percent(share.max())} of the fits of {who} ended {what}.")
            else:
                said.append(
                    f"Of the fits of {counted(len(rows), 'run')}"
                    f"{' with a local solver' if any(run.local_solver for run in self.runs) else ''},"
                    f" {percent(share.min())} ({labels[least['run']]}) to {percent(share.max())} ({labels[most['run']]}) ended"
                    f" {what}."
                )
            guessing, needless = int(rows["guessing"].sum()), int(rows["guessing_above"].sum())
            if guessing:
                said.append(
                    f"{counted(guessing, 'of them is', 'of them are')} no better than guessing, {count(needless)} of these"
                    " though a better fit is known."
                )
        unknown = counts[counts["unidentified"] > 0]
        if len(unknown):
            worst = unknown.loc[(unknown["unidentified"] / unknown["n"]).idxmax()]
            said.append(
                f"Parameters that the scored choices say nothing of are not estimated: in up to {count(worst['unidentified'])}"
                f" of {counted(int(worst['n']), 'fit')} of a method. They are left out of intervals, correlations, figures and"
                " the errors over identified parameters."
            )
        return said

    def _verdict_sentence(self, case: Case) -> list[str]:
        rows = of(self.comparison, case)
        rows = rows[rows["verdict"].isin(JUDGED) & ~rows["corrected"].astype(bool)]
        if rows.empty:
            return ["These data have no published counterpart."] if len(self.comparison) else []
        found = rows["verdict"].value_counts()
        parts = [f"{count(found[verdict])} {verdict}" for verdict in JUDGED if verdict in found]
        off = rows.loc[(rows["ratio"].map(math.log).abs()).idxmax()]
        return [
            f"Of {counted(len(rows), 'published median')} of errors, {listed(parts)}; the largest difference is a factor of"
            f" {sig(off['ratio'])} ({self._place(off)})."
        ]

    def _place(self, row: pd.Series) -> str:
        solver = f", {row['local_solver']}" if row["local_solver"] else ""
        return f"{row['label']}{solver}, {METRICS[row['metric']].label}"

    def times(self) -> list[dict]:
        """Per data set: rows of median times, and the published one where it exists."""
        names = [m for m in METRICS if METRICS[m].unit == "ms"]
        return [
            {
                "label": self.label(case),
                "published": any((case, run.id, "time_ms") in self.theirs for run in self.main),
                "rows": [
                    {
                        "run": run,
                        "cells": [self.cells.get((case, run.id, m)) for m in names],
                        "theirs": self.theirs.get((case, run.id, "time_ms")),
                    }
                    for run in self.main
                    if (case, run.id, "t_wall") in self.cells
                ],
            }
            for case in self.cases
        ]

    def clocks(self) -> list[str]:
        """How our times, counted as published, compare with the published ones, and what follows for the claim that CVX-LOC is
        faster than MC; nothing where either did not run on a published data set."""
        runs = {name: run for name in ("cvx", "cvx_loc", "mc") if (run := self.run_of(name))}
        cases = [case for case in self.cases if all((case, run.id, "time_ms") in self.theirs for run in runs.values())]
        if len(runs) < 3 or not cases:
            return []
        cells = {name: [self.theirs[case, run.id, "time_ms"] for case in cases] for name, run in runs.items()}
        cpu = {name: [self.cells[case, run.id, "t_cpu"].median for case in cases] for name, run in runs.items()}
        ratios = {name: span(pd.Series([cell.ratio for cell in held])) for name, held in cells.items()}
        lead = lambda mc, loc: span(pd.Series(mc) / pd.Series(loc))  # noqa: E731
        theirs = lead(*([cell.published for cell in cells[name]] for name in ("mc", "cvx_loc")))
        ours = lead(*([cell.ours for cell in cells[name]] for name in ("mc", "cvx_loc")))
        return [
            f"Counted as published, the median time of our CVX is {ratios['cvx']} times the published one, that of CVX-LOC"
            f" {ratios['cvx_loc']} times, and that of MC {ratios['mc']} times: the conic problems go through CVXPY on another"
            " machine, and MC is sampled by compiled code.",
            f"MC takes {theirs} times as long as CVX-LOC as published, {ours} times as long here counted in the same way, and"
            f" {lead(cpu['mc'], cpu['cvx_loc'])} times in processor time with all of it counted: that CVX-LOC is faster than MC"
            " is a fact of implementations and of what is counted, not of the methods.",
        ]

    # What happened

    def outcomes(self) -> list[dict]:
        """Counts per run, over all data sets."""
        rows = []
        for run in self.runs:
            found = self.counts[self.counts["run"] == run.id]
            if len(found):
                names = "; ".join(
                    f"{self.label(key(row))}: {row.fallback_names}" for row in found.itertuples() if row.fallbacks
                )
                total = found.drop(columns=[*KEYS, "run", "fallback_names", "at_bound_names"]).sum()
                where = [self.label(key(row)) for row in found.itertuples() if row.bounds_beaten]
                rows.append({"run": run, "fallback_names": names, "beaten_where": ", ".join(where), **total.astype(int)})
        return rows

    def outcome_sentences(self) -> list[str]:
        counts = self.counts
        total = int(counts["n"].sum())
        said = [f"{counted(int(counts['fallbacks'].sum()), 'fit')} of {count(total)} needed a fallback."]
        claims, upheld = int(counts["claims"].sum()), int(counts["upheld"].sum())
        if claims:
            said.append(
                f"Of {counted(claims, 'claim')} to have converged, the judge upheld {count(upheld)}"
                f" ({percent(upheld / claims)})."
            )
        said.append(
            f"{counted(int(counts['at_bound'].sum()), 'fit')} ended with a parameter at a bound of the box, and"
            f" {count(int(counts['outside'].sum()))} outside it, which count in no median of accuracy."
        )
        given, beaten = int(counts["bounds"].sum()), int(counts["bounds_beaten"].sum())
        given_words = f"Of {counted(given, 'lower bound')} given, {were_beaten(beaten)}."
        said.append(given_words if given else "No run gave a lower bound.")
        return said

    def attribution(self) -> dict:
        """The split of the gap to the bound of CVX for the methods of the published study, and a sentence on it."""
        main = {run.id: run for run in self.main if run.entry.published}
        rows = [
            {"label": self.label(key(part)), "run": main[part.run], "part": part}
            for part in self.parts.itertuples()
            if part.run in main
        ]
        said = ""
        if rows:
            shares = pd.DataFrame([row["part"] for row in rows])[["poor_fit", "undecided", "loose"]].sum()
            shares /= shares.sum()
            said = (
                f"Over these methods and data sets together, {percent(shares['poor_fit'])} of the mean gap is poor fit,"
                f" {percent(shares['loose'])} a loose bound, and {percent(shares['undecided'])} is undecided."
            )
        return {"rows": rows, "sentence": said}

    # Corrections

    def corrected(self) -> bool:
        """Whether the study has anything that the corrections are about."""
        methods = {run.entry.method for run in self.runs}
        return bool(len(self.comparison)) and any({right, wrong.by} & methods for right, wrong in CORRECTED.items())

    def corrections(self) -> dict | None:
        """D-LOC with and without the lag, and CVX-LOC, beside the published medians; None where either did not run on a
        published data set."""
        right, lagged = self.run_of("d_loc"), self.run_of(CORRECTED["d_loc"].by)
        if right is None or lagged is None:
            return None
        convex = self.run_of("cvx_loc")
        rows = []
        for case in self.cases:
            for metric in ("kl", "alpha_error", "beta_error"):
                theirs = self.theirs.get((case, lagged.id, metric))
                ours = self.theirs.get((case, right.id, metric))
                if theirs is None or ours is None:
                    continue
                rows.append(
                    {
                        "label": self.label(case),
                        "metric": metric,
                        "metric_label": METRICS[metric].label,
                        "published": theirs.published,
                        "lagged": theirs,
                        "aligned": ours,
                        "convex": self.theirs.get((case, convex.id, metric)) if convex else None,
                        "gain": theirs.ours / ours.ours,
                    }
                )
        if not rows:
            return None
        table = pd.DataFrame(rows)
        kl = table[table["metric"] == "kl"]
        headline = ""
        said = []
        if len(kl):
            better = int((kl["gain"] > 1).sum())
            headline = (
                f"Aligning the likelihood of D-LOC, published one step late, lowers its median policy KL in {better} of"
                f" {counted(len(kl), 'experiment')} (ratio of lagged to aligned: {span(kl['gain'])})."
            )
            said.append(headline)
        met = sum(row["lagged"].verdict == "reproduced" for row in rows)
        said.append(
            f"With the lag, {met} of {counted(len(rows), 'published median')} shown here lie inside the 95 % interval of ours;"
            f" the ratios of ours to theirs are {span(pd.Series([row['lagged'].ratio for row in rows]))}."
        )
        against = [row for row in rows if row["convex"] is not None and row["metric"] == "kl"]
        if against:
            published = sum(row["published"] < row["convex"].published for row in against)
            here = sum(row["aligned"].ours < row["convex"].ours for row in against)
            said.append(
                f"Against {convex.entry.label}, D-LOC has the lower median policy KL in {published} of"
                f" {counted(len(against), 'experiment')} as published, and in {here} once aligned."
            )
        return {"headline": headline, "sentences": said, "rows": rows, "solver": right.local_solver}

    def cut(self) -> str:
        """CVX-LOC-T's policy KL with and without the cut, beside the published medians."""
        right, cut = self.run_of("cvx_loc_t"), self.run_of(CORRECTED["cvx_loc_t"].by)
        said = []
        for case in self.cases if right and cut else ():
            theirs, ours = self.theirs.get((case, cut.id, "kl")), self.theirs.get((case, right.id, "kl"))
            if theirs is not None and ours is not None:
                said.append(
                    f"{self.label(case)}: published {sig(theirs.published)}, ours cut off {sig(theirs.ours)}, and of the"
                    f" parameters {sig(ours.ours)}"
                )
        return f"Median policy KL on {'; on '.join(said)}." if said else ""
