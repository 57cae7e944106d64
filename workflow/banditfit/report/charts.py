"""Charts that readers can turn: figures of the report as Plotly draws them, each from the tables alone, as its JSON.

Every method has the colour of its row and a marker of its own; variants are there, switched off. The data sets that a chart
compares share its axes.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..models.families import get_model
from ..solvers.local import SOLVERS
from ..study.cases import Case, Cases, key, of, present
from ..study.entries import Run, by_family, main_runs
from ..tables.summaries import METRICS
from .chart_frames import _height, _hovered, _layout, _menu, _numbers, _offsets, _rows, _spread, _trace
from .wording import count, sig

Tables = Mapping[str, pd.DataFrame]


def chart(name: str, tables: Tables, runs: Iterable[Run], cases: Cases) -> str:
    """The chart of the figure `name` as text for a script element; empty where there is none, or nothing to show."""
    made = CHARTS[name](tables, list(runs), cases) if name in CHARTS else None
    if not (made and made["data"]):
        return ""
    return json.dumps(made, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _by_method(metric: str, log: bool = True) -> Callable:
    """A metric's median for every method and data set, with its quartiles; the published medians as open diamonds."""

    def draw(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
        shown = by_family(runs, variants=True)
        summary = tables["summary"]
        summary = summary[(summary["metric"] == metric) & (summary["n"] > 0) & summary["run"].isin([run.id for run in shown])]
        if log:
            summary = summary[summary["median"] > 0]
        order = present(cases, summary)
        theirs = tables["comparison"]
        theirs = theirs[(theirs["metric"] == ("time_ms" if metric == "t_cpu" else metric)) & ~theirs["corrected"].astype(bool)]
        unit = METRICS[metric].unit
        label = METRICS[metric].label + ("" if unit == "1" else f" ({unit})")
        offsets, traces, published = _offsets(shown), [], []
        for run in shown:
            rows = summary[summary["run"] == run.id]
            if rows.empty:
                continue
            known = {key(row): row.published for row in theirs[theirs["run"] == run.id].itertuples()}
            held = [row for row in rows.itertuples() if key(row) in order]
            y = [order.index(key(row)) + offsets[run.id] for row in held]
            text = [
                f"<b>{run.entry.label}</b>, {cases[key(row)].label}<br>median {sig(row.median)} (95 % interval"
                f" {sig(row.median_low)} to {sig(row.median_high)})<br>quartiles {sig(row.q25)} to {sig(row.q75)}<br>n ="
                f" {count(row.n)}" + (f"<br>published {sig(known[key(row)])}" if key(row) in known else "")
                for row in held
            ]
            spread = {
                "type": "data",
                "symmetric": False,
                "array": _numbers(row.q75 - row.median for row in held),
                "arrayminus": _numbers(row.median - row.q25 for row in held),
                "thickness": 1,
                "width": 0,
            }
            traces.append(_trace(run, x=_numbers(row.median for row in held), y=y, text=text, error_x=spread))
            published += [(run, row, known[key(row)]) for row in held if key(row) in known and not run.entry.variant]
        traces += [_published(published, order, offsets)] if published else []
        axis = _rows([cases[case].label for case in order])
        return {"data": traces, "layout": _layout(_height(order, shown), label, log, yaxis=axis)}

    return draw


def _published(held: list[tuple[Run, Any, float]], order: list, offsets: dict[str, float]) -> dict[str, Any]:
    """The published medians of these runs and rows."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "published medians",
        "x": _numbers(value for _, _, value in held),
        "y": [order.index(key(row)) + offsets[run.id] for run, row, _ in held],
        "text": [f"published, {run.entry.published}: {sig(value)}" for run, _, value in held],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": "diamond-open", "size": 9, "color": [run.entry.colour for run, _, _ in held]},
    }


def _pareto(metric: str) -> Callable:
    """Processor time against an error, a point for each method; a menu chooses the data set."""

    def draw(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
        guide = tables["guide"]
        if not {"t_cpu", metric} <= set(guide):
            return None
        guide = guide[guide[["t_cpu", metric]].notna().all(axis=1)]
        order = present(cases, guide)
        shown = [run for run in by_family(runs, variants=True) if run.id in set(guide["run"])]
        cells = {(key(row), row.run): row for row in guide.itertuples()}

        def values(case) -> dict[str, list]:
            rows = [cells.get((case, run.id)) for run in shown]
            return {
                "x": [_numbers([row.t_cpu]) if row else [] for row in rows],
                "y": [_numbers([getattr(row, metric)]) if row else [] for row in rows],
                "text": [
                    [f"<b>{row.label}</b><br>{sig(row.t_cpu)} ms<br>{METRICS[metric].label} {sig(getattr(row, metric))}"]
                    if row
                    else []
                    for row in rows
                ],
            }

        if not order:
            return None
        held = [values(case) for case in order]
        traces = [_trace(run, **{name: held[0][name][k] for name in held[0]}) for k, run in enumerate(shown)]
        buttons = [
            {"label": cases[case].label, "method": "restyle", "args": [one]} for case, one in zip(order, held, strict=True)
        ]
        unit = "" if METRICS[metric].unit == "1" else f" ({METRICS[metric].unit})"
        ends = lambda column: [np.log10(guide[column].min()) - 0.15, np.log10(guide[column].max()) + 0.15]  # noqa: E731
        y = {"type": "log", "title": {"text": METRICS[metric].label + unit}, "automargin": True, "range": ends(metric)}
        menu = [{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.12, "yanchor": "top"}] if len(order) > 1 else []
        layout = _layout(520, "processor time per episode (ms)", yaxis=y, updatemenus=menu)
        layout["margin"]["t"] = 60
        layout["xaxis"]["range"] = ends("t_cpu")
        return {"data": traces, "layout": layout}

    return draw


def _agreement(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
    """Our median divided by the published one, for every figure that is judged."""
    table = tables["comparison"]
    table = table[table["metric"] != "time_ms"]
    order, traces = present(cases, table), []
    shown = [run for run in by_family(runs, variants=True) if run.entry.published]
    entries = list({run.entry.id: run for run in shown}.values())
    offsets = _offsets(entries)
    for run in entries:
        own = {other.id: other for other in runs if other.entry.id == run.entry.id}
        rows = [row for row in table[table["run"].isin(list(own))].itertuples() if not row.corrected]
        text = [
            f"<b>{own[row.run].label}</b>, {cases[key(row)].label}<br>{METRICS[row.metric].label}: ours {sig(row.ours)}"
            f" ({sig(row.ours_low)} to {sig(row.ours_high)}), published {sig(row.published)}<br>{row.verdict}, n ="
            f" {count(row.n)}"
            for row in rows
        ]
        if rows:
            y = [order.index(key(row)) + offsets[run.id] for row in rows]
            traces.append(_trace(run, x=_numbers(row.ratio for row in rows), y=y, text=text, visible=True, opacity=0.6))
    axis = _rows([cases[case].label for case in order])
    return {"data": traces, "layout": _layout(_height(order, entries), "ours / published", yaxis=axis)}


def _with_interval(table: str, value: str, ends: tuple[str, str], x: str) -> Callable:
    """A value with its interval for every method and data set (and parameter, where the table has them)."""

    def draw(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
        held = tables.get(table)
        if held is None or held.empty:
            return None
        order, traces = present(cases, held), []
        shown = [run for run in by_family(runs, variants=True) if run.id in set(held["run"])]
        offsets = _offsets(shown)
        for run in shown:
            rows = list(held[held["run"] == run.id].itertuples())
            names = [_symbol(row) for row in rows]
            y = [order.index(key(row)) + offsets[run.id] for row in rows]
            low, high = ([getattr(row, end) for row in rows] for end in ends)
            found = [getattr(row, value) for row in rows]
            text = [
                f"<b>{run.entry.label}</b>, {cases[key(row)].label}{', ' + name if name else ''}<br>{sig(v)} ({sig(a)} to"
                f" {sig(b)})<br>n = {count(row.n)}"
                for row, name, v, a, b in zip(rows, names, found, low, high, strict=True)
            ]
            error = {
                "type": "data",
                "symmetric": False,
                "array": _numbers(np.subtract(high, found)),
                "arrayminus": _numbers(np.subtract(found, low)),
                "thickness": 1,
                "width": 0,
            }
            traces.append(_trace(run, x=_numbers(found), y=y, text=text, error_x=error))
        axis = _rows([cases[case].label for case in order])
        return {"data": traces, "layout": _layout(_height(order, shown), x, log=False, yaxis=axis)}

    return draw


def _symbol(row: Any) -> str:
    if not hasattr(row, "parameter"):
        return ""
    return get_model(row.model).symbols.get(row.parameter, row.parameter)


def _who_wins(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
    """Mean policy KL of simulated populations by trials; a menu chooses the population and its size."""
    table = tables.get("population_study")
    if table is None or table.empty:
        return None
    shown = [run for run in main_runs(runs) if run.id in set(table["run"])]
    kinds = list(table[["population", "size"]].drop_duplicates().itertuples(index=False, name=None))

    def values(kind) -> dict[str, list]:
        cell = table[(table["population"] == kind[0]) & (table["size"] == kind[1])]
        lines = [np.exp(np.log(cell[cell["run"] == run.id].set_index("steps")["kl"]).groupby(level=0).mean()) for run in shown]
        return {
            "x": [list(map(int, line.index)) for line in lines],
            "y": [_numbers(line) for line in lines],
            "text": [
                [f"<b>{run.entry.label}</b><br>{n} trials: {sig(v)} nats" for n, v in line.items()]
                for run, line in zip(shown, lines, strict=True)
            ],
        }

    held = [values(kind) for kind in kinds]
    more = {"mode": "lines+markers", "visible": True}
    traces = [_trace(run, **more, **{name: held[0][name][k] for name in held[0]}) for k, run in enumerate(shown)]
    buttons = [
        {"label": f"{name}, {size} participants", "method": "restyle", "args": [one]}
        for (name, size), one in zip(kinds, held, strict=True)
    ]
    ends = [np.log10(table["kl"].min()) - 0.1, np.log10(table["kl"].max()) + 0.1]
    y = {"type": "log", "title": {"text": "mean policy KL (nats)"}, "automargin": True, "range": ends}
    layout = _layout(460, "trials", yaxis=y, updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.14}])
    layout["margin"]["t"] = 60
    layout["xaxis"]["tickvals"] = sorted(map(int, table["steps"].unique()))
    return {"data": traces, "layout": layout}


def _regrets(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
    """The share of fits within so many nats of the best; a menu chooses the data set."""
    table = tables.get("regrets")
    if table is None or table.empty:
        return None
    shown = [run for run in by_family(runs, variants=True) if run.id in set(table["run"])]

    def values(case: Case, run: Run) -> dict[str, list]:
        part = of(table, case)
        part = part[part["run"] == run.id]
        return {"x": _numbers(part["nats"]), "y": _numbers(part["share"])}

    held = {cases[case].label: [values(case, run) for run in shown] for case in present(cases, table)}
    hover = "%{y:.1%} of its fits within %{x:.3g} nats"
    traces = [_hovered(run, hover) for run in shown]
    nats = {
        "type": "log",
        "title": {"text": "nll above the best fit of the episode (nats)"},
        "dtick": 1,
        "exponentformat": "power",
    }
    share = {"title": {"text": "share of fits"}, "tickformat": ".0%", "range": [-0.02, 1.02]}
    return _menu(520, (nats, share), traces, held)


def _recovered(parameter: str) -> Callable:
    """What is fitted where the truth is what, as medians with quartiles; a menu chooses the data set."""

    def draw(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
        table = tables.get("recovered_values")
        table = None if table is None else table[table["parameter"] == parameter]
        if table is None or table.empty:
            return None
        shown = [run for run in by_family(runs, variants=True) if run.id in set(table["run"])]

        def values(case: Case, run: Run) -> dict[str, Any]:
            part = of(table, case)
            part = part[part["run"] == run.id]
            return {"x": _numbers(part["true"]), "y": _numbers(part["median"]), "error_y": _spread(part)}

        def exact(case: Case) -> dict[str, Any]:
            true = _numbers(of(table, case)["true"].agg(["min", "max"]))
            return {"x": true, "y": true, "error_y": {}}

        held = {cases[case].label: [*(values(case, run) for run in shown), exact(case)] for case in present(cases, table)}
        line = {"type": "scatter", "mode": "lines", "name": "exact", "marker": {"color": "#999999"}, "hoverinfo": "skip"}
        traces = [*(_hovered(run, "true %{x:.3g}: fitted %{y:.3g}") for run in shown), line]
        symbol = {"alpha": "α", "beta": "β"}[parameter]
        axes = (
            {"title": {"text": f"true {symbol}: medians of tenths of its values"}},
            {"title": {"text": f"fitted {symbol}: median and quartiles"}},
        )
        return _menu(560, axes, traces, held)

    return draw


def _solvers(tables: Tables, runs: list[Run], cases: Cases) -> dict | None:
    """Accuracy and processor time of every local solver; a menu chooses the data set, and which of the two."""
    crossed = [run for run in runs if run.local_solver]
    solvers = [solver for solver in SOLVERS if any(run.local_solver == solver for run in crossed)]
    table = tables["summary"]
    table = table[table["run"].isin([run.id for run in crossed]) & (table["n"] > 0) & (table["median"] > 0)]
    if len(solvers) < 2:
        return None
    entries = list({run.entry.id: run for run in crossed}.values())
    places = {run.entry.id: 0.16 * (k - (len(entries) - 1) / 2) for k, run in enumerate(entries)}

    def values(case: Case, metric: str, one: Run) -> dict[str, Any]:
        part = of(table, case)
        by_run = part[part["metric"] == metric].set_index("run")
        own = [run for run in crossed if run.entry.id == one.entry.id and run.id in by_run.index]
        rows = by_run.loc[[run.id for run in own]]
        text = [
            f"<b>{run.label}</b><br>{METRICS[metric].label} {sig(row.median)} {row.unit}, quartiles {sig(row.q25)} to"
            f" {sig(row.q75)}<br>n = {count(row.n)}"
            for run, row in zip(own, rows.itertuples(), strict=True)
        ]
        y = [solvers.index(run.local_solver) + places[one.entry.id] for run in own]
        return {"x": _numbers(rows["median"]), "y": y, "text": text, "error_x": _spread(rows)}

    known = (table["metric"] == "kl").any()
    held = {
        f"{cases[case].label}: {METRICS[metric].label} ({METRICS[metric].unit})": [values(case, metric, run) for run in entries]
        for metric in ("kl" if known else "nll", "t_cpu")
        for case in present(cases, table)
    }
    traces = [_trace(run, visible=True) for run in entries]
    return _menu(260 + 48 * len(solvers), ({"type": "log"}, _rows(solvers)), traces, held)


# What the marks of a chart say, where the figure that it stands for has others.
_QUARTILES = "A mark is the median over episodes, its line spans the quartiles; open diamonds are published medians."
_ONE_AT_A_TIME = "The menu chooses the data set."
READING = {
    **dict.fromkeys(("kl", "alpha_error", "alpha_error_identified", "beta_error", "beta_error_identified"), _QUARTILES),
    "times": f"Processor time of the whole fit, everything counted. {_QUARTILES}",
    "agreement": "Ours divided by the published figure: at 1 it is met, to the left ours is lower.",
    **dict.fromkeys(
        ("pareto_kl", "pareto_beta", "pareto_beta_identified"), f"{_ONE_AT_A_TIME} Not shown: fronts, published medians."
    ),
    "who_wins": "The menu chooses the kind of population and its size. Lines are geometric means over replicates.",
    "regret": _ONE_AT_A_TIME,
    "solvers": "The menu chooses the data set, and accuracy or processor time. A line spans the quartiles.",
    **dict.fromkeys(
        ("recovery_alpha", "recovery_beta"),
        f"{_ONE_AT_A_TIME} Not single fits: over tenths of the true values, the median of what is fitted, and its quartiles.",
    ),
}
CHARTS: dict[str, Callable[[Tables, list[Run], Cases], dict | None]] = {
    "kl": _by_method("kl"),
    "alpha_error": _by_method("alpha_error"),
    "alpha_error_identified": _by_method("alpha_error_identified"),
    "beta_error": _by_method("beta_error"),
    "beta_error_identified": _by_method("beta_error_identified"),
    "times": _by_method("t_cpu"),
    "agreement": _agreement,
    "pareto_kl": _pareto("kl"),
    "pareto_beta": _pareto("beta_error"),
    "pareto_beta_identified": _pareto("beta_error_identified"),
    "coverage": _with_interval("coverage", "coverage", ("low", "high"), "share of 95 % intervals that hold the truth"),
    "held_out": _with_interval("held_out", "gain", ("gain_low", "gain_high"), "gain over chance (nats a trial)"),
    "who_wins": _who_wins,
    "regret": _regrets,
    "solvers": _solvers,
    "recovery_alpha": _recovered("alpha"),
    "recovery_beta": _recovered("beta"),
}
