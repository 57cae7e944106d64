"""Ours beside the published figures."""

from matplotlib.figure import Figure

from ..study.entries import main_runs
from ..study.results import Results
from ..tables.published import METRICS as PUBLISHED_METRICS
from ._style import (
    FAINT,
    PUBLISHED_HANDLE,
    PUBLISHED_MARK,
    FigureSpec,
    Nothing,
    cases_in,
    fits_of,
    label_of,
    legend,
    log_axis,
    marker_of,
    method_dot,
    published_median,
    run_handles,
    width,
)


def _agreement(results: Results) -> Figure:
    table = results.tables["comparison"]
    if table.empty:
        return Nothing("no data set of this study is one of the published six")
    titles = {"kl": "policy KL (nats)", "alpha_error": "error of α", "beta_error": "error of β", "time_ms": "time (ms)"}
    shown = [metric for metric in PUBLISHED_METRICS if (table["metric"] == metric).any()]
    figure = Figure(figsize=(width(), width() / len(shown) + 0.9), layout="constrained")
    for ax, metric in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        rows = table[table["metric"] == metric]
        for entry in list({run.entry.id: run.entry for run in results.runs}.values()):
            ours = rows[rows["run"].isin([run.id for run in results.runs if run.entry is entry])]
            spread = [ours["ours"] - ours["ours_low"], ours["ours_high"] - ours["ours"]]
            look = {"color": entry.colour, "markersize": 3.0, "elinewidth": 0.6, "alpha": 0.85, "rasterized": True}
            ax.errorbar(ours["published"], ours["ours"], spread, fmt=marker_of(entry), **look)
        ends = [rows[["ours", "published"]].min().min() / 1.4, rows[["ours", "published"]].max().max() * 1.4]
        ax.plot(ends, ends, color=FAINT, linewidth=0.8, zorder=0)
        ax.set_xlim(ends)
        ax.set_ylim(ends)
        log_axis(ax.xaxis)
        log_axis(ax.yaxis)
        ax.set_box_aspect(1)
        ax.grid()
        ax.set_title(titles[metric])
        ax.set_xlabel("published median")
    figure.axes[0].set_ylabel("our median")
    present = set(table["run"])
    entries = {run.entry.id: run.entry for run in results.runs if run.id in present}
    legend(figure, [method_dot(entry) for entry in entries.values()])
    return figure


def _correction(results: Results) -> Figure:
    table = results.tables["comparison"][results.tables["comparison"]["metric"] == "kl"]
    runs = [run for run in main_runs(results.runs) if run.entry.method in ("cvx_loc", "d_loc_published", "d_loc")]
    table = table[table["run"].isin([run.id for run in runs])]
    if not {"d_loc", "d_loc_published"} <= {run.entry.method for run in runs} or table.empty:
        return Nothing("this study does not run D-LOC both ways on a published data set")
    cases = cases_in(results, table)
    figure = Figure(figsize=(0.8 * width(), 0.9 + 0.46 * len(cases)), layout="constrained")
    ax = figure.subplots()
    for y, case in enumerate(cases):
        for k, run in enumerate(runs):
            found = fits_of(table, case, run)
            if len(found) == 0:
                continue
            place = y + 0.22 * (k - (len(runs) - 1) / 2)
            ax.hlines(place, found["ours_low"], found["ours_high"], color=run.entry.colour, linewidth=3.5, alpha=0.35)
            ax.plot(found["ours"], [place], marker_of(run.entry), color=run.entry.colour, markersize=5.0)
            published = published_median(results, case, run, "kl")
            if published is not None:
                ax.plot(published, place, linestyle="", **(PUBLISHED_MARK | {"markeredgecolor": run.entry.colour}))
        if y:
            ax.axhline(y - 0.5, color="#E4E4E4", linewidth=0.6)
    log_axis(ax.xaxis)
    ax.grid(axis="x")
    ax.set_yticks(range(len(cases)), [label_of(results, case) for case in cases])
    ax.set_ylim(len(cases) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("median policy KL (nats), 95 % interval")
    legend(figure, [*run_handles(runs), PUBLISHED_HANDLE])
    return figure


ORDER = 6
FIGURES = {
    "agreement": FigureSpec(
        _agreement,
        "Our medians against the published ones",
        "One point per experiment, method and local solver, with the 95 % bootstrap interval of our median; on the diagonal"
        " the published figure is met, below it ours is lower.",
        variants=True,
    ),
    "correction": FigureSpec(
        _correction,
        "What the one-step lag did",
        "Median policy KL per experiment: filled, ours with its 95 % interval; hollow, the published figure under the same"
        " name. D-LOC is published with the lag, so its hollow diamond belongs to D-LOC (as published).",
        section="corrections",
    ),
}
