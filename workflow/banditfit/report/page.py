"""What the sections of the report say, every number and sentence computed from the study's tables."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..entries import Run, main_runs
from ..published import CORRECTED, ENOUGH, JUDGED
from ..simulate import PUBLISHED
from ..tables import METRICS
from .words import count, counted, listed, percent, sig, span, were_beaten


class Page:
    """What the sections say, from the tables of one study."""

    def __init__(self, tables: dict[str, pd.DataFrame], runs: list[Run], catalogue: Mapping[str, Any]):
        self.summary, self.counts = tables["summary"], tables["outcomes"]
        self.comparison, self.parts = tables["comparison"], tables["attribution"]
        self.runs, self.main = runs, main_runs(runs)
        self.catalogue = catalogue
        present = set(self.summary["dataset"])
        self.datasets = [name for name in catalogue if name in present]
        self.cells = {(row.dataset, row.run, row.metric): row for row in self.summary.itertuples() if row.n}
        self.theirs = {(row.dataset, row.run, row.metric): row for row in self.comparison.itertuples()}

    def label(self, dataset: str) -> str:
        return self.catalogue[dataset].label

    def run_of(self, method: str) -> Run | None:
        return next((run for run in self.main if run.entry.method == method), None)

    # Opening

    def result(self) -> list[str]:
        """The paragraph at the top."""
        counts = self.counts
        entries = {run.entry.id for run in self.runs}
        said = [
            f"{counted(len(entries), 'method')}, in {counted(len(self.runs), 'run')} over"
            f" {counted(len(self.datasets), 'data set')}, made {counted(int(counts['n'].sum()), 'fit')},"
            f" {percent(counts['converged'].sum() / counts['n'].sum())} of which converged by their own test."
        ]
        judged = self.comparison[self.comparison["verdict"].isin(JUDGED)]
        ours = judged[~judged["corrected"].astype(bool)]
        if len(ours):
            verdicts = ours["verdict"].value_counts()
            said.append(
                f"Of {counted(len(ours), 'published median')} of errors that can be compared,"
                f" {count(verdicts.get('reproduced', 0))} lie inside the 95 % interval of ours; outside it, ours is lower in"
                f" {count(verdicts.get('better', 0))} and higher in {count(verdicts.get('worse', 0))}."
            )
        correction = self.corrections()
        if correction and correction["headline"]:
            said.append(correction["headline"])
        given, beaten = int(counts["bounds"].sum()), int(counts["bounds_beaten"].sum())
        if given:
            said.append(f"Of {counted(given, 'lower bound')} on the likelihood, {were_beaten(beaten)}.")
        return said

    def glance(self) -> list[dict]:
        """Per data set: who has the lowest median KL (or nll, without truth), and who the lowest wall time."""
        rows = []
        for dataset in self.datasets:
            metric = "kl" if any((dataset, run.id, "kl") in self.cells for run in self.main) else "nll"
            published = self.comparison[(self.comparison["dataset"] == dataset) & (self.comparison["metric"] == metric)]
            lowest = published.loc[published["published"].idxmin()] if len(published) else None
            rows.append(
                {
                    "dataset": dataset,
                    "label": self.label(dataset),
                    "metric": METRICS[metric].label,
                    "accurate": self._lowest(dataset, metric),
                    "fast": self._lowest(dataset, "t_wall"),
                    "published": lowest if lowest is None else (lowest["published"], lowest["label"]),
                }
            )
        return rows

    def _lowest(self, dataset: str, metric: str) -> tuple[float, str] | None:
        """The lowest median and whose it is. Methods that end at the same optimum differ in the last digits only, so all
        that agree to three digits are named."""
        medians = {
            run.entry.label: self.cells[dataset, run.id, metric].median
            for run in self.main
            if (dataset, run.id, metric) in self.cells
        }
        if not medians:
            return None
        lowest = min(medians.values())
        return lowest, listed(label for label, median in medians.items() if sig(median) == sig(lowest))

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
        short = self.counts[self.counts["n"] < most]
        if len(short):
            solvers = {run.id: run.local_solver or run.label for run in self.runs}
            fewest = short.groupby(short["run"].map(solvers), sort=False)["n"].agg(["min", "max"])
            names = [f"{name} {' to '.join(dict.fromkeys(map(count, ends)))}" for name, *ends in fewest.itertuples()]
            said.append(
                f"Some runs fit fewer than {counted(most, 'episode')} of a data set, the first ones: {listed(names)}. Their"
                " medians are of those alone, and are held against no other if they are fewer than half."
            )
        lost = self.counts.groupby("run", sort=False)["failed"].sum()
        lost = lost[lost > 0]
        if len(lost):
            names = ", ".join(f"{labels[run]} ({count(n)})" for run, n in lost.items())
            said.append(f"{counted(int(lost.sum()), 'fit')} ended without parameters and count in no median: {names}.")
        unknown = [self.label(d) for d in self.datasets if not any((d, run.id, "kl") in self.cells for run in self.runs)]
        if unknown:
            said.append(f"No truth is known for {listed(unknown)}: there, only likelihoods are compared.")
        elsewhere = [self.label(d) for d in self.datasets if self.catalogue[d].source != "published"]
        if elsewhere:
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

    def experiments(self) -> list[dict]:
        """Per data set: the columns it has, the rows of the main runs, and those of all runs where there are more."""
        sections = []
        for dataset in self.datasets:
            has = [m for m in METRICS if any((dataset, run.id, m) in self.cells for run in self.runs)]
            accuracy = ("kl", "kl_mean_policy", "alpha_error", "beta_error") if "kl" in has else ("nll",)
            wanted = (*accuracy, "regret", "gap")
            metrics = [m for m in wanted if m in has]
            main = self._rows(dataset, self.main, metrics)
            every = self._rows(dataset, self.runs, metrics)
            sections.append(
                {
                    "id": dataset,
                    "label": self.label(dataset),
                    "metrics": [METRICS[m] for m in metrics],
                    "rows": main,
                    "every": every if len(every) > len(main) else [],
                    "sentence": self._verdict_sentence(dataset),
                }
            )
        return sections

    def _rows(self, dataset: str, runs: list[Run], metrics: list[str]) -> list[dict]:
        rows = []
        for run in runs:
            cells = [self.cells.get((dataset, run.id, metric)) for metric in metrics]
            if any(cells):
                theirs = [self.theirs.get((dataset, run.id, metric)) for metric in metrics]
                rows.append({"run": run, "cells": cells, "theirs": theirs, "n": max(cell.n for cell in cells if cell)})
        enough = ENOUGH * max((row["n"] for row in rows), default=0)
        for column in range(len(metrics)):
            held = [row["cells"][column].median for row in rows if row["cells"][column] and row["n"] >= enough]
            for row in rows:
                cell = row["cells"][column] if row["n"] >= enough else None
                row.setdefault("best", []).append(bool(cell) and sig(cell.median) == sig(min(held)))
        return rows

    def _verdict_sentence(self, dataset: str) -> str:
        rows = self.comparison[(self.comparison["dataset"] == dataset) & self.comparison["verdict"].isin(JUDGED)]
        rows = rows[~rows["corrected"].astype(bool)]
        if rows.empty:
            return "These data have no published counterpart."
        found = rows["verdict"].value_counts()
        parts = [f"{count(found[verdict])} {verdict}" for verdict in JUDGED if verdict in found]
        off = rows.loc[(rows["ratio"].map(math.log).abs()).idxmax()]
        return (
            f"Of {counted(len(rows), 'published median')} of errors, {listed(parts)}; the largest difference is a factor of"
            f" {sig(off['ratio'])} ({self._place(off)})."
        )

    def _place(self, row: pd.Series) -> str:
        solver = f", {row['local_solver']}" if row["local_solver"] else ""
        return f"{row['label']}{solver}, {METRICS[row['metric']].label}"

    def times(self) -> list[dict]:
        """Per data set: rows of median times, and the published one where it exists."""
        names = [m for m in METRICS if METRICS[m].unit == "ms"]
        return [
            {
                "label": self.label(dataset),
                "rows": [
                    {
                        "run": run,
                        "cells": [self.cells.get((dataset, run.id, m)) for m in names],
                        "theirs": self.theirs.get((dataset, run.id, "time_ms")),
                    }
                    for run in self.main
                    if (dataset, run.id, "t_wall") in self.cells
                ],
            }
            for dataset in self.datasets
        ]

    # What happened

    def outcomes(self) -> list[dict]:
        """Counts per run, over all data sets."""
        rows = []
        for run in self.runs:
            found = self.counts[self.counts["run"] == run.id]
            if len(found):
                names = "; ".join(
                    f"{self.label(row.dataset)}: {row.fallback_names}" for row in found.itertuples() if row.fallbacks
                )
                total = found.drop(columns=["dataset", "run", "fallback_names"]).sum()
                where = [self.label(row.dataset) for row in found.itertuples() if row.bounds_beaten]
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
            f" {count(int(counts['outside'].sum()))} outside it."
        )
        given, beaten = int(counts["bounds"].sum()), int(counts["bounds_beaten"].sum())
        given_words = f"Of {counted(given, 'lower bound')} given, {were_beaten(beaten)}."
        said.append(given_words if given else "No run gave a lower bound.")
        return said

    def attribution(self) -> dict:
        """The split of the gap to the bound of CVX for the methods of the published study, and a sentence on it."""
        main = {run.id: run for run in self.main if run.entry.published}
        rows = [
            {"label": self.label(part.dataset), "run": main[part.run], "part": part}
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

    def corrections(self) -> dict | None:
        """D-LOC with and without the lag, and CVX-LOC, beside the published medians; None where either did not run on a
        published data set."""
        right, lagged = self.run_of("d_loc"), self.run_of(CORRECTED["d_loc"].by)
        if right is None or lagged is None:
            return None
        convex = self.run_of("cvx_loc")
        rows = []
        for dataset in self.datasets:
            for metric in ("kl", "alpha_error", "beta_error"):
                theirs = self.theirs.get((dataset, lagged.id, metric))
                ours = self.theirs.get((dataset, right.id, metric))
                if theirs is None or ours is None:
                    continue
                rows.append(
                    {
                        "dataset": dataset,
                        "label": self.label(dataset),
                        "metric": metric,
                        "metric_label": METRICS[metric].label,
                        "published": theirs.published,
                        "lagged": theirs,
                        "aligned": ours,
                        "convex": self.theirs.get((dataset, convex.id, metric)) if convex else None,
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
        for dataset in self.datasets if right and cut else ():
            theirs, ours = self.theirs.get((dataset, cut.id, "kl")), self.theirs.get((dataset, right.id, "kl"))
            if theirs is not None and ours is not None:
                said.append(
                    f"{self.label(dataset)}: published {sig(theirs.published)}, ours cut off {sig(theirs.ours)}, and of the"
                    f" parameters {sig(ours.ours)}"
                )
        return f"Median policy KL on {'; on '.join(said)}." if said else ""
