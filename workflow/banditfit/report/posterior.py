"""Posteriors in the report: the mean policy, the chains' diagnostics, Monte Carlo against quadrature, calibration."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..parameters import SYMBOLS
from ..study.cases import KEYS, Cases, key
from ..study.entries import Run, main_runs
from ..tables.published import VERDICTS, verdict
from .wording import count, counted, listed, percent, sig, span

NAMES = {
    "r_hat": "R̂",
    "ess_bulk": "effective draws, bulk",
    "ess_tail": "effective draws, tails",
    "divergences": "divergent draws",
    "e_bfmi": "E-BFMI",
    "draws_per_second": "draws per second",
}
SUSPICIOUS = 0.01  # tests that chance explains less often than this, all of a table together, are pointed out

TITLE, AFTER, PLACE = "Posteriors", "outcomes", 1
ABOUT = "mean policies, chains, Monte Carlo against quadrature, calibration"


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """None for a study without posteriors: none by Monte Carlo, no mean policy, and no calibration."""
    policies = _policies(tables, main_runs(runs), cases)
    chains = _chains(tables.get("diagnostics"), runs, cases)
    if not (policies["rows"] or chains["groups"] or "uniformity" in tables):
        return None
    return {
        "policies": policies,
        "chains": chains,
        "agreement": _agreement(tables.get("agreement"), cases),
        "calibration": _calibration(tables.get("uniformity")),
    }


def _policies(tables: Mapping[str, pd.DataFrame], runs: list[Run], cases: Cases) -> dict:
    """Medians of both policies and the published one, which is of the plug-in policy."""
    cells = {(key(row), row.run, row.metric): row for row in tables["summary"].itertuples() if row.n}
    theirs = tables["comparison"][tables["comparison"]["metric"] == "kl"].set_index([*KEYS, "run"])["published"]
    rows = []
    for case, entry in cases.items():
        for run in runs:
            plug_in, mean = (cells.get((case, run.id, metric)) for metric in ("kl", "kl_mean_policy"))
            if mean is None:
                continue
            published = theirs.get((*case, run.id))
            rows.append(
                {
                    "label": entry.label,
                    "run": run,
                    "plug_in": plug_in,
                    "mean": mean,
                    "gain": plug_in.median / mean.median,
                    "published": published,
                    "verdict": None if published is None else verdict("kl", mean._asdict(), published),
                    "plug_in_verdict": None if published is None else verdict("kl", plug_in._asdict(), published),
                }
            )
    said = ""
    if rows:
        lower = sum(row["gain"] > 1 for row in rows)
        said = (
            f"The mean policy has the lower median KL in {lower} of {counted(len(rows), 'case')}"
            f" (ratio of plug-in to mean policy: {span(pd.Series([row['gain'] for row in rows]))})."
        )
        met = [row for row in rows if row["verdict"]]
        if met:
            found = pd.Series([row["verdict"] for row in met]).value_counts()
            parts = listed(f"{found[name]} {name}" for name in VERDICTS if name in found)
            said += f" Held against the published medians, which are of the plug-in policy, the mean policy is: {parts}."
    return {"rows": rows, "sentence": said}


def _chains(table: pd.DataFrame | None, runs: Iterable[Run], cases: Cases) -> dict:
    """Per data set and run: a row per diagnostic; and a sentence over all."""
    if table is None or table.empty:
        return {"groups": [], "sentence": ""}
    labels = {run.id: run for run in runs}
    groups = [
        {
            "label": cases[dataset, model].label,
            "run": labels[run],
            "n": int(rows["n"].iloc[0]),
            "sampled_again": int(rows["sampled_again"].iloc[0]),
            "not_converged": int(rows["not_converged"].iloc[0]),
            "rows": [
                {
                    "name": NAMES[row.diagnostic],
                    # R-hat is all in the digits after 1.00.
                    "quantiles": [
                        f"{q:.4f}" if row.diagnostic == "r_hat" else sig(q)
                        for q in (row.min, row.q05, row.median, row.q95, row.max)
                    ],
                    "cell": row,
                }
                for row in rows.itertuples()
            ],
        }
        for (dataset, model, run), rows in table.groupby([*KEYS, "run"], sort=False)
    ]
    total, again, still = (sum(group[key] for group in groups) for key in ("n", "sampled_again", "not_converged"))
    said = (
        f"Of {counted(total, 'fit')} by Monte Carlo, {count(again)} ({percent(again / total)}) failed a diagnostic and were"
        f" sampled again, longer; {count(still)} ({percent(still / total)}) failed again and stay marked as not converged."
    )
    return {"groups": groups, "sentence": said}


def _agreement(table: pd.DataFrame | None, cases: Cases) -> dict:
    """Rows of errors beyond each limit; and a sentence on the least likely."""
    if table is None or table.empty:
        return {"rows": [], "sentence": ""}
    unlikely = SUSPICIOUS / len(table)
    rows = [
        {
            "label": cases[key(row)].label,
            "parameter": SYMBOLS[row.parameter],
            "cell": row,
            "odd": row.p_value < unlikely,
        }
        for row in table.itertuples()
    ]
    least = table.loc[table["p_value"].idxmin()]
    fits = int(table.groupby([*KEYS, "run"])["n"].max().sum())
    beyond = "; ".join(
        f"{count(part['beyond'].sum())} of {count(part['n'].sum())} means are off by more than {limit:g} standard errors"
        f" ({percent(part['beyond'].sum() / part['n'].sum())}, where chance allows {percent(part['chance'].iloc[0])})"
        for limit, part in table.groupby("limit")
    )
    judged = (
        f"more than chance explains for {SYMBOLS[least['parameter']]} on {cases[key(least)].label}"
        if least["p_value"] < unlikely
        else "no more than chance explains"
    )
    said = (
        f"Over {counted(fits, 'converged fit')}, {beyond}: {judged} (smallest p of {counted(len(table), 'test')}:"
        f" {sig(least['p_value'])})."
    )
    return {"rows": rows, "sentence": said}


def _calibration(table: pd.DataFrame | None) -> dict:
    """Tests of uniform ranks; and a sentence on the least likely."""
    if table is None or table.empty:
        return {"rows": [], "sentence": ""}
    least = table.loc[table["p_value"].idxmin()]
    odd = least["p_value"] < SUSPICIOUS / len(table)
    episodes, unsound = table.groupby("model")["n"].max().sum(), table.groupby("model")["unsound"].max().sum()
    said = (
        f"Over {counted(len(table), 'parameter')} of {counted(table['model'].nunique(), 'model')} and"
        f" {counted(int(episodes), 'episode')}, the smallest p of the test of uniform ranks is {sig(least['p_value'])}"
        f" ({least['parameter']} of {least['model']}), which chance {'does not explain' if odd else 'explains'} among so many"
        f" tests. The chains of {counted(int(unsound), 'episode')} failed a diagnostic; they are included."
    )
    return {"rows": table.to_dict("records"), "sentence": said}
