"""Populations: who wins when, what held-out trials say, what intervals and criteria are worth, and how GEM converges."""

from collections.abc import Iterable, Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from ..experiments.who_wins import METRICS
from ..models.families import get_model
from ..study.cases import Case, among, of
from ..study.results import Results
from ..tables.coverage import HOLD, NOISE
from ._style import (
    FAINT,
    INK,
    ROW,
    FigureSpec,
    Nothing,
    cases_in,
    fits_of,
    grid,
    legend,
    log_axis,
    marker_of,
    name_of,
    panel_rows,
    run_handles,
    runs_of,
    width,
    x_label,
)

PARAMETERS = {"alpha": ("o", "α"), "beta": ("s", "β")}
OTHER_MARKERS = "^vDP*X<>"  # of further parameters, as they come
NOMINAL = 0.95


def _table(results: Results, name: str) -> pd.DataFrame:
    return results.tables.get(name, pd.DataFrame())


def _interval(ax: Axes, y: float, row, colour: str, marker: str = "o") -> None:
    """A value with its interval, as a point and a line; `row` is (value, low, high)."""
    value, low, high = row
    ax.hlines(y, low, high, color=colour, linewidth=1.2)
    ax.plot(value, y, marker, color=colour, markersize=4.0)


def _lines(results: Results, table: pd.DataFrame, extra: tuple[str, ...] = ()) -> tuple[Figure, dict[Case, Axes], dict]:
    """A grid with a line per run (and per name in `extra`, which are no runs), the same in a row of panels."""
    cases = cases_in(results, table)
    rows = panel_rows(cases)
    names = {}
    for row in rows:
        held = among(table, row)
        more = [name for name in extra if name in set(held["run"])]
        shown = [*((run.id, name_of(run), run.entry.colour) for run in runs_of(results.runs, held))]
        names |= {case: [*shown, *((name, name, INK) for name in more)] for case in row}
    figure, panels = grid(results, cases, [ROW * len(names[row[0]]) + 0.2 for row in rows], sharey="row")
    for case, ax in panels.items():
        ax.set_yticks(range(len(names[case])), [label for _, label, _ in names[case]])
        ax.set_ylim(len(names[case]) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    return figure, panels, names


def _coverage(results: Results) -> Figure:
    table = _table(results, "coverage")
    if table.empty:
        return Nothing("no fit of this study has intervals and a known truth")
    figure, panels, names = _lines(results, table)
    for case, ax in panels.items():
        ax.axvspan(*HOLD, color="#F1F1F1", linewidth=0, zorder=0)
        ax.axvline(NOMINAL, color=FAINT, linewidth=0.8)
        found = of(table, case).set_index(["run", "parameter"])
        for y, (run, _, colour) in enumerate(names[case]):
            for shift, (parameter, (marker, _)) in zip((-0.16, 0.16), PARAMETERS.items(), strict=True):
                if (run, parameter) in found.index:
                    _interval(ax, y + shift, found.loc[(run, parameter), ["coverage", "low", "high"]], colour, marker)
    x_label(panels, "share of 95 % intervals that hold the truth")
    legend(figure, _parameter_handles(PARAMETERS))
    return figure


def _parameter_handles(parameters: Mapping[str, tuple[str, str]]) -> list[Line2D]:
    return [
        Line2D([], [], linestyle="", marker=marker, color=INK, markersize=4.0, label=label)
        for marker, label in parameters.values()
    ]


def _markers(cases: Iterable[Case], table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """By its name, the marker and the symbol of every parameter of these cases that a table has rows of."""
    symbols = {name: symbol for case in cases for name, symbol in get_model(case.model).symbols.items()}
    held = {name.split("[")[0] for name in table["parameter"]}
    others = [name for name in symbols if name in held and name not in PARAMETERS]
    return PARAMETERS | {name: (marker, symbols[name]) for name, marker in zip(others, cycle(OTHER_MARKERS), strict=False)}


def _validity(results: Results) -> Figure:
    table = _table(results, "validity")
    table = table[table["coefficient"] == "pearson"] if len(table) else table
    if table.empty:
        return Nothing("no data set of this study has a criterion or a truth to make one of, for four participants or more")
    figure, panels, names = _lines(results, table, ("truth",))
    markers = _markers(panels, table)
    for case, ax in panels.items():
        found = of(table, case)
        if "truth" in set(found["run"]):
            ax.axvline(1.0 / np.sqrt(1.0 + NOISE**2), color=FAINT, linewidth=0.8)
        for y, (run, _, colour) in enumerate(names[case]):
            # A panel has the lines of its whole row: a run, or the truth, may be that of a neighbour alone.
            rows = found[(found["run"] == run) & found["r"].notna()]
            shifts = np.linspace(-0.16, 0.16, len(rows)) if len(rows) > 1 else np.zeros(len(rows))
            for shift, row in zip(shifts, rows.itertuples(), strict=True):
                _interval(ax, y + shift, (row.r, row.low, row.high), colour, markers[row.parameter.split("[")[0]][0])
    x_label(panels, "Pearson correlation with the criterion")
    legend(figure, _parameter_handles(markers))
    return figure


def _held_out(results: Results) -> Figure:
    table = _table(results, "held_out")
    if table.empty:
        return Nothing("this study predicts no held-out trials")
    table = table[table["run"] != "chance"]
    figure, panels, names = _lines(results, table, ("truth",))
    for case, ax in panels.items():
        found = of(table, case).set_index("run")
        ax.axvline(0.0, color=FAINT, linewidth=0.8)
        best = found["gain_high"].max()
        least = max(found["gain_low"].min(), -best)  # a separable kernel may be wrong without bound
        ax.set_xlim(least - 0.04 * (best - least), best + 0.04 * (best - least))
        for y, (run, _, colour) in enumerate(names[case]):
            if run in found.index:
                row = found.loc[run, ["gain", "gain_low", "gain_high"]]
                _interval(ax, y, row, colour)
                if row["gain"] < least:
                    ax.annotate(f"◂ {row['gain']:.3g}", (least, y), va="center", fontsize=7.0, color=colour)
        ax.set_title(f"n = {found['n'].min():.0f}", loc="right", fontsize=7.0, fontweight="normal", color=FAINT)
    x_label(panels, "gain over chance (nats per held-out trial)")
    return figure


def _who_wins(results: Results) -> Figure:
    table = _table(results, "population_study")
    if table.empty:
        return Nothing("this study simulates no populations")
    runs = runs_of(results.runs, table)
    populations, sizes = list(dict.fromkeys(table["population"])), sorted(table["size"].unique())
    figure = Figure(figsize=(width(), 1.75 * len(populations) + 0.9), layout="constrained")
    axes = figure.subplots(len(populations), len(sizes), squeeze=False, sharex=True, sharey="row")
    for row, population in enumerate(populations):
        for ax, size in zip(axes[row], sizes, strict=True):
            cell = table[(table["population"] == population) & (table["size"] == size)]
            for run in runs:
                by_steps = np.log(cell[cell["run"] == run.id].set_index("steps")["kl"]).groupby(level=0)
                line, spread = np.exp(by_steps.mean()), by_steps.std(ddof=0).fillna(0.0)
                colour = run.entry.colour
                ax.plot(line.index, line, "-", marker=marker_of(run.entry), color=colour, markersize=4.0, linewidth=1.3)
                ax.fill_between(
                    line.index, line * np.exp(-spread), line * np.exp(spread), color=colour, alpha=0.13, linewidth=0
                )
            ax.set_title(f"{population}, {size} participants" if ax is axes[row, 0] else f"{size}", fontsize=8.0)
            ax.grid()
        log_axis(axes[row, 0].yaxis)
        axes[row, 0].set_ylabel(f"{METRICS['kl']} (nats)")
    for ax in axes.flat:
        ax.set_xscale("log", base=2)
        ax.set_xticks(sorted(table["steps"].unique()), [str(n) for n in sorted(table["steps"].unique())])
        ax.xaxis.set_minor_locator(NullLocator())
    for ax in axes[-1]:
        ax.set_xlabel("trials")
    legend(figure, run_handles(runs))
    return figure


def _objective(results: Results) -> Figure:
    table = _table(results, "objective")
    if table.empty:
        return Nothing("this study describes no populations")
    runs = runs_of(results.runs, table)
    cases = cases_in(results, table)
    figure, panels = grid(results, cases, [1.5] * len(panel_rows(cases)))
    for case, ax in panels.items():
        for run in runs:
            part = fits_of(table, case, run)
            if part.empty:
                continue
            look = {"color": run.entry.colour, "marker": marker_of(run.entry), "markersize": 4.0, "linewidth": 1.2}
            ax.plot(part["round"], part["objective"], **look)
            kept = part[part["kept"].astype(bool)]
            ax.plot(kept["round"], kept["objective"], "o", markersize=8.0, markerfacecolor="none", markeredgecolor=INK)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.ticklabel_format(axis="y", useOffset=False)
        ax.grid()
    x_label(panels, "round")
    for row in panel_rows(cases):
        panels[row[0]].set_ylabel("objective (nats)")
    legend(figure, [*run_handles(runs), _kept_handle()])
    return figure


def _kept_handle() -> Line2D:
    return Line2D([], [], linestyle="", marker="o", markersize=8.0, markerfacecolor="none", markeredgecolor=INK, label="kept")


ORDER = 5
FIGURES = {
    "who_wins": FigureSpec(
        _who_wins,
        "Who wins when?",
        "Mean policy KL over the participants of simulated populations, by trials (across) and participants (panels), for a"
        " population of one type (top) and of two types (below); lower is better. Lines: geometric means over replicates;"
        " bands: one sd.",
        "population",
    ),
    "held_out": FigureSpec(
        _held_out,
        "How well are unseen trials predicted?",
        "Gain over chance in nats per trial, with 95 % bootstrap intervals over participants; further right is better."
        " Parameters come from each held-out participant's first trials, the population of GEM from the other participants.",
        "population",
    ),
    "coverage": FigureSpec(
        _coverage,
        "Do 95 % intervals hold the truth?",
        "Share of intervals that hold the true parameter, over parameters that the choices identify, with Wilson's 95 %"
        f" interval. Grey: {HOLD[0]:.2f} to {HOLD[1]:.2f}, as wide as they say.",
        "population",
        variants=True,
    ),
    "validity": FigureSpec(
        _validity,
        "Do recovered parameters predict a criterion?",
        "Pearson correlation, with its 95 % interval, of a recovered parameter with a criterion. In simulated data that is"
        " the true first α or β plus as much noise, so that the truth itself correlates by .71 (grey line).",
        "population",
        variants=True,
    ),
    "objective": FigureSpec(
        _objective,
        "How did the populations converge?",
        "The marginal log-likelihood with the population's prior, by round; ringed: the iterate that was kept. On given"
        " quadrature nodes EM cannot fall, but each round places them anew, and Laplace's approximation may fall. A"
        " population that is drawn has one value, at its end.",
        "population",
        variants=True,
    ),
}
