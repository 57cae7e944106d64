"""Likelihoods and bounds on them: who finds the best, how tight a bound is, what makes a gap."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from ..study.entries import main_runs
from ..study.results import Results
from ..study.scores import only
from ..tables.summaries import CERTIFIED, whole
from ._style import (
    FAINT,
    FLOOR,
    INK,
    FigureSpec,
    Nothing,
    cases_in,
    fits_of,
    grid,
    legend,
    line_of,
    log_axis,
    method_panels,
    panel_rows,
    run_handles,
    runs_of,
    values_of,
    widths,
    x_label,
)


def _bound_gaps(results: Results) -> Figure:
    scores = only(results.scores, "bound_holds", "best_nll", "lower_bound")
    scores = scores[scores["bound_holds"].eq(True)]
    if scores.empty:
        return Nothing("no method of this study gives a lower bound")
    scores = scores.assign(bound_gap=scores["best_nll"] - scores["lower_bound"])
    figure, panels, runs = method_panels(results, scores)
    edges = 10.0 ** np.arange(np.log10(FLOOR), 2.01, 0.25)
    for case, ax in panels.items():
        for y, run in enumerate(runs[case]):
            gaps = values_of(scores, case, run, "bound_gap")
            if len(gaps) == 0:
                continue
            counts, _ = np.histogram(np.clip(gaps, edges[0] * 1.001, edges[-1] * 0.999), bins=edges)
            tops = 0.85 * counts / counts.max()
            ax.stairs(y + 0.4 - tops, edges, baseline=y + 0.4, fill=True, color=run.entry.colour, alpha=0.55)
            ax.stairs(y + 0.4 - tops, edges, baseline=y + 0.4, color=run.entry.colour, linewidth=0.8)
            share = f"{np.mean(gaps <= CERTIFIED):.0%}"
            ax.text(1.01, y, share, transform=ax.get_yaxis_transform(), va="center", fontsize=7.0, color=run.entry.colour)
        ax.axvline(CERTIFIED, color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
        ax.set_xlim(edges[0], edges[-1])
        log_axis(ax.xaxis)
        ax.set_title(f"≤ {CERTIFIED:g}", loc="right", fontsize=7.0, fontweight="normal", color=FAINT)
    x_label(panels, "best fit minus lower bound (nats)")
    return figure


STEP = 1 / 30  # decades: distribution functions step no finer than a dot on a screen


def _regrets(results: Results) -> Figure:
    scores = only(results.scores, "regret")
    scores = scores[np.isfinite(scores["regret"]) & whole(scores)]
    if scores.empty:
        return Nothing("no fit of this study has admissible parameters")
    cases = cases_in(results, scores)
    figure, panels = grid(results, cases, [1.7] * len(panel_rows(cases)), sharey=True)
    shown = runs_of(main_runs(results.runs), scores)
    for case, ax in panels.items():
        for place, (run, thick) in enumerate(zip(shown, widths(shown), strict=True)):
            regret = np.sort(np.maximum(values_of(scores, case, run, "regret"), FLOOR))
            if len(regret):
                share = np.arange(1, len(regret) + 1) / len(regret)
                seen = np.append(np.diff(np.floor(np.log10(regret) / STEP)) > 0, True)
                regret, share = regret[seen], share[seen]
                look = line_of(run.entry, place, len(shown))
                ax.step([FLOOR, *regret, 1e3], [0, *share, 1], where="post", linewidth=thick, **look)
        ax.set_xlim(FLOOR, 1e2)
        log_axis(ax.xaxis)
        ax.set_ylim(0, 1.02)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.grid()
    x_label(panels, "nll above the best fit of the episode (nats)")
    for row in panel_rows(cases):
        panels[row[0]].set_ylabel("share of episodes")
    legend(figure, run_handles(shown))
    return figure


def _attribution(results: Results) -> Figure:
    parts = results.tables["attribution"]
    if parts.empty:
        return Nothing("this study has no bound of the published relaxation, CVX, to explain")
    figure, panels, runs = method_panels(results, parts)
    pieces = {
        "poor_fit": ("#D55E00", "poor fit"),
        "undecided": ("#BBBBBB", "not yet decided"),
        "loose": ("#5B8FD0", "loose bound"),
    }
    for case, ax in panels.items():
        for y, run in enumerate(runs[case]):
            found = fits_of(parts, case, run)
            left = 0.0
            for column, (colour, _) in pieces.items() if len(found) else ():
                width = float(found[column].iloc[0])
                ax.barh(y, width, left=left, height=0.66, color=colour, linewidth=0)
                left += width
    x_label(panels, "mean gap to the CVX bound (nats)")
    legend(figure, [Patch(color=colour, label=label) for colour, label in pieces.values()])
    return figure


ORDER = 2
FIGURES = {
    "regret": FigureSpec(
        _regrets,
        "Who finds the best likelihood?",
        "Share of episodes (vertical) whose fit is within so many nats (horizontal) of the lowest nll that any method"
        " found in that episode; further up and left is better. Differences below 10⁻⁶ nats are drawn at the left edge.",
    ),
    "bounds": FigureSpec(
        _bound_gaps,
        "How tight are the lower bounds?",
        "Histogram over episodes of the best fit's nll minus each method's lower bound, each scaled to its own peak; further"
        " left is tighter, and gaps below 10⁻⁶ nats are drawn at the left edge. Right of each line: the share of episodes with"
        " a gap of at most 0.01 nats (dashed), where the best fit is certified globally optimal to that precision.",
        section="outcomes",
        variants=True,
    ),
    "attribution": FigureSpec(
        _attribution,
        "Is a large gap a poor fit or a loose bound?",
        "The gap between a fit's nll and the bound of CVX, averaged over episodes and split: what the fit loses to the best"
        " fit known, what no bound decides yet, and what the bound of CVX loses to the best bound known.",
        section="outcomes",
        variants=True,
    ),
}
