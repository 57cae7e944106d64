"""Populations in the report: coverage, criteria, held-out trials, populations' own parameters, and simulated populations."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..experiments.who_wins import METRICS, winners
from ..methods import mc
from ..models.families import get_model
from ..models.simulate import PUBLISHED_BANDITS
from ..parameters import SYMBOLS
from ..study.cases import KEYS, Cases, key, of
from ..study.cases import published as is_published
from ..study.entries import Run, main_runs
from .wording import count, counted, listed, sig, span

AGREES = 0.5  # posterior sds that GEM's population may be off the hierarchical posterior, both knowing the same choices
TARGET = 0.15  # by how much a population's variance may miss the truth

TITLE, AFTER, PLACE = "Populations", "outcomes", 2
ABOUT = "coverage, held-out trials, who wins when, populations found"


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """None for a study with neither intervals, criteria nor populations."""
    runs = {run.id: run for run in main_runs(runs)}
    parts = {
        "coverage": _coverage(tables.get("coverage"), runs, cases),
        "held_out": _held_out(tables.get("held_out"), runs, cases),
        "validity": _validity(tables.get("validity"), runs, cases),
        "who_wins": _who_wins(tables.get("population_study"), runs),
        "recovery": _recovery(tables.get("recovery"), runs),
        "parameters": _parameters(tables.get("population"), tables.get("objective"), runs, cases),
        "hierarchical": _hierarchical(tables.get("hierarchical")),
    }
    if not any(parts.values()):
        return None
    return parts | {"told": _told(runs, any(is_published(case, entry) for case, entry in cases.items()))}


def finding(found: dict) -> str:
    """What it found, for the front page: what populations are worth, and intervals."""
    parts = (("who_wins", "won"), ("coverage", "sentence"))
    return " ".join(found[part][key] for part, key in parts if found[part])


def _told(runs: Mapping[str, Run], published: bool) -> str:
    """Who was told the bounds."""
    pooled = [run for run in runs.values() if run.entry.method in ("gem", "gem_shared")]
    if not pooled:
        return ""
    blind = [run.entry.label for run in pooled if run.settings.get("links") == "logit"]
    told = [run.entry.label for run in pooled if run.settings.get("links") != "logit"]
    said = []
    if told:
        said.append(
            f"{listed(told)} {'know' if len(told) > 1 else 'knows'} the bounds, as every other method here does, and on probit"
            " links the start of the population is uniform on them"
            + (", which is how the published parameters were drawn." if published else ".")
        )
    if blind:
        said.append(f"{listed(blind)} {'know' if len(blind) > 1 else 'knows'} none, and may end outside them.")
    return " ".join(said)


def _filled(table: pd.DataFrame | None) -> bool:
    return table is not None and len(table) > 0


def _coverage(table: pd.DataFrame | None, runs: Mapping[str, Run], cases: Cases) -> dict | None:
    if not _filled(table):
        return None
    cells = {(key(row), row.run, row.parameter): row for row in table.itertuples()}
    shown = [run for run in runs.values() if run.id in set(table["run"])]
    rows = [
        {
            "label": entry.label,
            "run": run,
            **{p: cells.get((case, run.id, p)) for p in SYMBOLS},
            "ms": held[0].ms,
            "n": sum(cell.n for cell in held),
        }
        for case, entry in cases.items()
        for run in shown
        if (held := [cells[case, run.id, p] for p in SYMBOLS if (case, run.id, p) in cells])
    ]
    said = []
    for run in shown:
        part = table[table["run"] == run.id]
        share = (part["n"] * part["coverage"]).sum() / part["n"].sum()
        said.append(f"{run.entry.label} {share:.3f}")
    return {"rows": rows, "sentence": f"Of 95 % intervals, these shares hold the truth over all data sets: {listed(said)}."}


def _held_out(table: pd.DataFrame | None, runs: Mapping[str, Run], cases: Cases) -> dict | None:
    if not _filled(table):
        return None
    order = [*runs, "truth", "chance"]
    rows, said = [], []
    for case, entry in cases.items():
        part = of(table, case).set_index("run")
        if part.empty:
            continue
        for name in (name for name in order if name in part.index):
            rows.append({"label": entry.label, "run": runs.get(name), "name": name, "cell": part.loc[name]})
        fitted = part[part.index.isin(list(runs))]
        best = fitted["gain"].idxmax()
        known = "truth" in part.index
        share = 100 * fitted["gain"].max() / part.loc["truth", "gain"] if known else 0.0
        ceiling = f", {share:.0f} % of the true parameters'" if known else ""
        said.append(f"{runs[best].entry.label} on {entry.label} ({sig(fitted['gain'].max())}{ceiling})")
    return {"rows": rows, "sentence": f"The greatest gain over chance, in nats per held-out trial: {listed(said)}."}


def _validity(table: pd.DataFrame | None, runs: Mapping[str, Run], cases: Cases) -> dict | None:
    if not _filled(table):
        return None
    keys = [*KEYS, "run", "parameter"]
    wide = {names: part.set_index("coefficient") for names, part in table.groupby(keys, sort=False)}
    order = {name: place for place, name in enumerate([*runs, "truth"])}
    rows = [
        {
            "label": cases[dataset, model].label,
            "run": runs.get(run),
            "parameter": get_model(model).symbol_of(parameter),
            "n": part["n"].iloc[0],
            "pearson": part.loc["pearson"],
            "spearman": part.loc["spearman"],
        }
        for (dataset, model, run, parameter), part in sorted(
            wide.items(), key=lambda item: (list(cases).index(item[0][:2]), item[0][3], order.get(item[0][2], -1))
        )
        if run in order
    ]
    return {"rows": rows}


def _who_wins(table: pd.DataFrame | None, runs: Mapping[str, Run]) -> dict | None:
    if not _filled(table):
        return None
    label = lambda name: runs[name].entry.label if name in runs else name  # noqa: E731
    won = {metric: winners(table, metric) for metric in METRICS}
    found = won["kl"]
    cells = found.groupby("winner").size().sort_values(ascending=False)
    said = listed(f"{label(name)} in {count(number)}" for name, number in cells.items())
    means = table.groupby("run")[["t_wall"]].mean()
    times = listed(f"{label(name)} {sig(1e3 * row.t_wall)}" for name, row in means.iterrows())
    rows = []
    for population, size, steps in found[["population", "size", "steps"]].itertuples(index=False):
        cell = table[(table["population"] == population) & (table["size"] == size) & (table["steps"] == steps)]
        kl = cell.groupby("run")["kl"].mean()
        by_metric = {m: w.set_index(["population", "size", "steps"]).loc[(population, size, steps)] for m, w in won.items()}
        winners_of = {
            m: {"label": label(row["winner"]), "lead": row["lead"], "sure": row["sure"]} for m, row in by_metric.items()
        }
        rows.append({"population": population, "size": size, "steps": steps, "kl": kl, "won": winners_of})
    shown = [name for name in runs if name in set(table["run"])]
    failed = int(table["failed"].sum())
    return {
        "rows": rows,
        "runs": [runs[name] for name in shown],
        "metrics": METRICS,
        "replicates": int(table["replicate"].nunique()),
        "won": f"Of {counted(len(found), 'kind')} of simulated populations, by type, size and trials, the least mean policy KL"
        f" is that of {said}.",
        "sentence": f"Mean milliseconds a participant: {times}. {'No fit' if failed == 0 else counted(failed, 'fit')} failed.",
    }


def _recovery(table: pd.DataFrame | None, runs: Mapping[str, Run]) -> dict | None:
    if not _filled(table):
        return None
    label = lambda name: runs[name].entry.label if name in runs else name  # noqa: E731
    said = []
    for run, part in table.groupby("run", sort=False):
        off = (part["variance_ratio"] - 1.0).abs()
        verdict = (
            f"all within {100 * TARGET:.0f} %"
            if (off <= TARGET).all()
            else f"{count((off <= TARGET).sum())} of {len(off)} within {100 * TARGET:.0f} %"
        )
        said.append(f"{label(run)} {span(part['variance_ratio'])} of the truth, {verdict}")
    rows = [
        {
            "cell": row,
            "run": runs.get(row.run),
            "name": row.run,
            "label": f"{row.model.replace('_', ' ')}, {len(PUBLISHED_BANDITS[row.bandit]['p_reward'])} arms",
        }
        for row in table.itertuples()
    ]
    return {"rows": rows, "sentence": f"Mean variances found in simulated populations: {'; '.join(said)}."}


def _parameters(table: pd.DataFrame | None, trace: pd.DataFrame | None, runs: Mapping[str, Run], cases: Cases) -> dict | None:
    if not _filled(table):
        return None
    ends = {key: part.iloc[-1] for key, part in trace.groupby([*KEYS, "run"], sort=False)}
    groups = [
        {
            "label": cases[dataset, model].label,
            "run": runs[run],
            "rows": list(part.itertuples()),
            "participants": int(part["participants"].iloc[0]),
            "rounds": int(ends[dataset, model, run]["round"]),
            "converged": bool(ends[dataset, model, run]["converged"]),
            "reason": ends[dataset, model, run]["reason"],
            "bootstrapped": part["mean_boot"].notna().any(),
        }
        for (dataset, model, run), part in table.groupby([*KEYS, "run"], sort=False)
        if run in runs
    ]
    converged = sum(group["converged"] for group in groups)
    return {"groups": groups, "sentence": f"{count(converged)} of {counted(len(groups), 'population')} converged."}


def _hierarchical(table: pd.DataFrame | None) -> dict | None:
    if not _filled(table):
        return None
    first = table.iloc[0]
    off = pd.concat([(table[f"gem_{s}"] - table[f"nuts_{s}"]).abs() / table[f"nuts_{s}_sd"] for s in ("mean", "sd")])
    sampled = first["r_hat"] <= mc.R_HAT and first["ess"] >= mc.Settings.ess and first["divergences"] == 0
    within = "agrees with it" if off.max() <= AGREES else "does not agree with it"
    if not sampled:
        within = "cannot be judged, for the chains of NUTS have not met"
    return {
        "rows": list(table.itertuples()),
        "sentence": f"On {counted(int(first['participants']), 'participant')} with {count(first['steps'])} trials each, GEM"
        f" {within}: it is off by at most {sig(off.max())} posterior sd, in {sig(first['gem_s'])} s"
        f" against {sig(first['nuts_s'])} s. NUTS: R̂ at most {sig(first['r_hat'])}, at least {count(first['ess'])} effective"
        f" draws, {counted(int(first['divergences']), 'divergence')}.",
    }
