"""Time against error, for whoever has to choose."""

from collections.abc import Callable

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..study.cases import of
from ..study.entries import main_runs
from ..study.results import Results
from ..tables.guide import front
from ..tables.summaries import METRICS
from ._style import (
    FAINT,
    FigureSpec,
    Nothing,
    broken,
    cases_in,
    grid,
    legend,
    log_axis,
    marker_of,
    method_dot,
    panel_rows,
    published_median,
    x_label,
)


def _pareto(metric: str) -> Callable[[Results], Figure]:
    """A figure of the processor time against one error: a point per method, a panel per data set."""

    def draw(results: Results) -> Figure:
        table = results.tables["guide"]
        if metric == "beta_error_identified" and (metric not in table or table[metric].equals(table["beta_error"])):
            return Nothing("this study does not say that there are parameters which the choices do not tell")
        if "t_cpu" not in table:
            return Nothing("its table of what to use is of an earlier version; `make figures` makes it anew from the scores")
        table = table[table[["t_cpu", metric]].notna().all(axis=1) & table["run"].isin([run.id for run in results.runs])]
        if table.empty:
            return Nothing("no fit of this study has a known truth to be measured against")
        cases = cases_in(results, table)
        figure, panels = grid(results, cases, [2.5] * len(panel_rows(cases)), sharex=True, sharey=True)
        runs = [run for run in main_runs(results.runs) if run.id in set(table["run"])]
        colours = {run.id: run.entry.colour for run in runs}
        markers = {run.id: marker_of(run.entry) for run in runs}
        any_published = False
        for case, ax in panels.items():
            rows = of(table, case)
            best = rows[front(rows["t_cpu"], rows[metric])].sort_values("t_cpu")  # among those that are shown
            ax.step(best["t_cpu"], best[metric], where="post", color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
            for row in rows.itertuples():
                size = 7.0 if row.run in set(best["run"]) else 4.5
                look = {"color": colours[row.run], "markersize": size, "markeredgecolor": "white"}
                ax.plot(row.t_cpu, getattr(row, metric), markers[row.run], **look)
            for row in best.itertuples():
                place = (row.t_cpu, getattr(row, metric))
                ax.annotate(
                    broken(row.label), place, xytext=(4, 4), textcoords="offset points", fontsize=6.5, color=colours[row.run]
                )
            for run in runs:
                theirs = published_median(results, case, run, "time_ms"), published_median(results, case, run, metric)
                if None not in theirs:
                    any_published = True
                    ax.plot(*theirs, markers[run.id], color=run.entry.colour, markersize=4.5, markerfacecolor="none", zorder=3)
            ax.grid()
        for ax in panels.values():
            log_axis(ax.xaxis)
            log_axis(ax.yaxis)
        x_label(panels, "processor time per episode (ms)")
        unit = "" if METRICS[metric].unit == "1" else f" ({METRICS[metric].unit})"
        for row in panel_rows(cases):
            panels[row[0]].set_ylabel(f"{METRICS[metric].label}{unit}")
        handles = [method_dot(run.entry) for run in runs]
        if any_published:
            hollow = {"marker": "o", "markersize": 4.5, "markerfacecolor": "none", "markeredgecolor": FAINT}
            handles.append(Line2D([], [], linestyle="", label="published (their machine and clock)", **hollow))
        legend(figure, handles)
        return figure

    return draw


_HOW = (
    "One point per method: median processor time of an episode, everything counted, against the median error, over the episodes"
    " that all of these methods have; further left is faster, further down more accurate. Large and named: no other method is"
    " both faster and more accurate (dashed: the front). Hollow: the published medians, which count time their way."
)

ORDER = 8
FIGURES = {
    "pareto_kl": FigureSpec(_pareto("kl"), "What does accuracy of the policy cost?", _HOW, section="guide"),
    "pareto_beta": FigureSpec(_pareto("beta_error"), "What does accuracy of the sensitivities cost?", _HOW, section="guide"),
    "pareto_beta_identified": FigureSpec(
        _pareto("beta_error_identified"),
        "What does it cost, of the sensitivities that the choices tell?",
        f"{_HOW} Errors leave out parameters of which the scored choices tell nothing.",
        section="guide",
    ),
}
