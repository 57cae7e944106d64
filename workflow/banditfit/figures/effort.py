"""What a fit costs, and what its solver and its starts matter."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from ..solvers.local import SOLVERS
from ..study.cases import KEYS
from ..study.results import Results
from ..study.scores import only
from ..tables.summaries import METRICS, start_table
from ._style import (
    FAINT,
    PUBLISHED_MARK,
    FigureSpec,
    Nothing,
    cases_in,
    fits_of,
    grid,
    label_of,
    legend,
    log_axis,
    marker_of,
    method_dot,
    method_panels,
    panel_rows,
    published_median,
    runs_of,
    short,
    values_of,
    width,
    x_label,
)


def _times(results: Results) -> Figure:
    scores = only(results.scores, "t_wall", "t_setup", "t_solve", "t_cpu")
    figure, panels, runs = method_panels(results, scores, sharex=True)
    parts = {"t_setup": ("<", "set-up"), "t_solve": ("o", "solve")}
    for case, ax in panels.items():
        for y, run in enumerate(runs[case]):
            colour = run.entry.colour
            taken = 1000 * values_of(scores, case, run, "t_cpu")
            if len(taken):
                q25, median, q75 = np.percentile(taken, (25, 50, 75))
                ax.barh(y, q75 - q25, left=q25, height=0.62, color=colour, alpha=0.38, linewidth=0)
                ax.vlines(median, y - 0.36, y + 0.36, color=colour, linewidth=2.0)
            for column, (marker, _) in parts.items():
                values = 1000 * values_of(scores, case, run, column)
                if len(values) and np.median(values) > 0:
                    ax.plot(
                        np.median(values), y, marker, color=colour, markersize=4.5, markeredgecolor="white", markeredgewidth=0.4
                    )
            published = published_median(results, case, run, "time_ms")
            if published is not None:
                ax.plot(published, y, linestyle="", zorder=4, **PUBLISHED_MARK)
    for ax in panels.values():
        log_axis(ax.xaxis)
    x_label(panels, "time per episode (ms)")
    mark = lambda marker, label, **how: Line2D([], [], linestyle="", color=FAINT, marker=marker, label=label, **how)  # noqa: E731
    handles = [mark(marker, f"{name}, median", markersize=4.0) for marker, name in parts.values()]
    handles.append(mark("|", "processor time, median on quartiles", markersize=8, markeredgewidth=2.0))
    if len(results.tables["comparison"]):
        handles.append(Line2D([], [], linestyle="", label="published median (their machine and clock)", **PUBLISHED_MARK))
    legend(figure, handles)
    return figure


def _solvers(results: Results) -> Figure:
    crossed = [run for run in results.runs if run.local_solver]
    table = results.tables["summary"][results.tables["summary"]["run"].isin([run.id for run in crossed])]
    solvers = [solver for solver in SOLVERS if any(run.local_solver == solver for run in crossed)]
    columns = [m for m in ("kl", "nll", "t_cpu") if (table.loc[table["metric"] == m, "n"] > 0).any()]
    if "kl" in columns:
        columns.remove("nll")
    if len(solvers) < 2:
        return Nothing("this study runs its local methods with one solver only")
    cases, most = cases_in(results, table), table.groupby(KEYS)["n"].max()
    figure = Figure(figsize=(width(), 0.9 + (0.3 + 0.17 * len(solvers)) * len(cases) * 1.25), layout="constrained")
    axes = figure.subplots(len(cases), len(columns), squeeze=False, sharey=True)
    entries = list({run.entry.id: run.entry for run in crossed}.values())
    for row, case in enumerate(cases):
        for ax, metric in zip(axes[row], columns, strict=True):
            for run in crossed:
                y = solvers.index(run.local_solver) + 0.16 * (entries.index(run.entry) - (len(entries) - 1) / 2)
                found = fits_of(table, case, run)
                found = found[found["metric"] == metric]
                if len(found) == 0 or found["n"].iloc[0] == 0:
                    continue
                ax.hlines(y, found["q25"], found["q75"], color=run.entry.colour, linewidth=1.0, alpha=0.7)
                few = found["n"].iloc[0] < most[case]
                look = {
                    "color": run.entry.colour,
                    "markersize": 4.2,
                    "fillstyle": "none" if few else "full",
                    "markeredgewidth": 0.7,
                }
                ax.plot(found["median"], y, marker_of(run.entry), **look)
            log_axis(ax.xaxis)
            ax.grid(axis="x")
            ax.set_yticks(range(len(solvers)), solvers)
            ax.set_ylim(len(solvers) - 0.45, -0.55)
            ax.tick_params(axis="y", length=0)
            if row == len(cases) - 1:
                ax.set_xlabel(f"{METRICS[metric].label} ({METRICS[metric].unit})")
        axes[row, 0].set_title(label_of(results, case))
    legend(figure, [method_dot(entry) for entry in entries])
    return figure


def _starts(results: Results) -> Figure:
    starts = start_table(only(results.scores, "start_excess"))
    if starts.empty:
        return Nothing("no method of this study keeps several starts")
    levels = {
        "the best, within 0.001 nats": (1e-3, "#08306B"),
        "within 0.1 nats": (0.1, "#4A90C4"),
        "within 1 nat": (1.0, "#A9CCE3"),
        "further off": (np.inf, "#D9D9D9"),
    }
    cases, shown = cases_in(results, starts), runs_of(results.runs, starts)
    figure, panels = grid(results, cases, [0.19 * len(shown)] * len(panel_rows(cases)), sharey=True)
    for case, ax in panels.items():
        for y, run in enumerate(shown):
            excess = fits_of(starts, case, run)["excess"].to_numpy()
            left = 0.0
            for limit, colour in levels.values():
                share = np.mean(excess <= limit) if len(excess) else 0.0
                ax.barh(y, share - left, left=left, height=0.72, color=colour, linewidth=0)
                left = share
        ax.set_yticks(range(len(shown)), [short(run.label) for run in shown])
        ax.set_ylim(len(shown) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    x_label(panels, "share of all starts")
    legend(figure, [Patch(color=colour, label=label) for label, (_, colour) in levels.items()])
    return figure


ORDER = 3
FIGURES = {
    "times": FigureSpec(
        _times,
        "How long does a fit take?",
        "Median time per episode in milliseconds, logarithmic: building the problem (triangle) and solving it (dot) by the"
        " clock, and the processor time of the whole fit (stroke; bar: quartiles). Further left is faster.",
        section="times",
    ),
    "solvers": FigureSpec(
        _solvers,
        "Does the local solver matter?",
        "Median and quartiles for every local solver with which a method ran. All solvers meet the same starts, so dots of one"
        " colour differ by the solver alone; hollow ones are of fewer episodes than others.",
        variants=True,
    ),
    "starts": FigureSpec(
        _starts,
        "Do the starts agree?",
        "Share of all starts that ended at the best nll of their fit, or so many nats above it; the darker, the less"
        " several starts are needed.",
        variants=True,
    ),
}
