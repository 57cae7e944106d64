"""How close fits come to the truth."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from ..models.families import get_model
from ..study.cases import KEYS
from ..study.entries import main_runs
from ..study.results import Results
from ..study.scores import only
from ..study.store import stacked
from ..tables.summaries import METRICS
from ._style import (
    FAINT,
    PUBLISHED_HANDLE,
    PUBLISHED_MARK,
    FigureSpec,
    Nothing,
    box,
    broken,
    cases_in,
    fits_of,
    legend,
    log_axis,
    method_panels,
    note_n,
    published_median,
    runs_of,
    values_of,
    width,
    x_label,
)

OF_IDENTIFIED = ("alpha_error_identified", "beta_error_identified")


def _by_method(metric: str) -> Callable[[Results], Figure]:
    """A figure of one metric: a box per method in each panel."""

    def draw(results: Results) -> Figure:
        scores = only(results.scores, metric, *(["not_identified"] if metric in OF_IDENTIFIED else []))
        if metric in OF_IDENTIFIED:
            untold = scores["not_identified"].fillna("").ne("").groupby([scores[name] for name in KEYS], observed=True)
            scores = scores[untold.transform("any")]
        scores = scores[np.isfinite(scores[metric].astype(float))]
        if scores.empty and metric in OF_IDENTIFIED:
            return Nothing("where there is a truth to be measured against, the choices tell something of every parameter")
        if scores.empty:
            return Nothing("no fit of this study has a known truth to be measured against")
        figure, panels, runs = method_panels(results, scores, sharex=True)
        any_published = False
        for case, ax in panels.items():
            for y, run in enumerate(runs[case]):
                box(ax, y, values_of(scores, case, run, metric), run.entry.colour)
                published = published_median(results, case, run, metric)
                if published is not None:
                    any_published = True
                    ax.plot(published, y, linestyle="", zorder=4, **PUBLISHED_MARK)
            note_n(ax, [len(values_of(scores, case, run, metric)) for run in runs[case]])
        for ax in panels.values():
            log_axis(ax.xaxis)
        unit = "" if METRICS[metric].unit == "1" else f" ({METRICS[metric].unit})"
        x_label(panels, f"{METRICS[metric].label}{unit}")
        if any_published:
            legend(figure, [PUBLISHED_HANDLE])
        return figure

    return draw


def _recovery(parameter: str) -> Callable[[Results], Figure]:
    """A figure of true against fitted values of one parameter: a row per data set, a column per method."""

    def draw(results: Results) -> Figure:
        scores = only(results.scores, parameter, f"{parameter}_error")
        scores = scores[np.isfinite(scores[f"{parameter}_error"])]
        if scores.empty:
            return Nothing("no data set of this study has true parameters of the fitted family")
        cases, runs = cases_in(results, scores), runs_of(main_runs(results.runs), scores)
        side = (width() - 1.0) / max(len(runs), 5)
        figure = Figure(figsize=(0.9 + side * len(runs), 0.6 + side * 1.08 * len(cases)), layout="constrained")
        figure.get_layout_engine().set(hspace=0.03, wspace=0.03, h_pad=0.02, w_pad=0.02)
        axes = figure.subplots(len(cases), len(runs), squeeze=False)
        for row, case in enumerate(cases):
            data = results.data[case.dataset]
            bounds = data.bounds_of(get_model(data.model))
            pairs = [bounds.alpha] if parameter == "alpha" else bounds.beta
            low, high = min(lower for lower, _ in pairs), max(upper for _, upper in pairs)
            margin = 0.03 * (high - low)
            for ax, run in zip(axes[row], runs, strict=True):
                fits = fits_of(scores, case, run)
                ax.set_xlim(low - margin, high + margin)
                ax.set_ylim(low - margin, high + margin)
                ax.set_box_aspect(1)
                ends = [f"{low:g}", f"{high:g}"]
                ax.set_xticks([low, high], ends if row == len(cases) - 1 else [], fontsize=6.5)
                ax.set_yticks([low, high], ends if ax is axes[row, 0] else [], fontsize=6.5)
                if row == 0:
                    ax.set_title(broken(run.entry.label, 12), loc="center", fontsize=6.5, fontweight="normal")
                if fits.empty:
                    ax.set_axis_off()
                    continue
                # (signals, values): a correlation over signals of different range would look better than it is.
                rows = pd.Index(data.episodes).get_indexer(fits["episode"])
                true, fitted = getattr(data.truth, parameter)[rows], stacked(fits[parameter])
                true, fitted = (np.moveaxis(values, 1, 0).reshape(values.shape[1], -1) for values in (true, fitted))
                ax.plot([low, high], [low, high], color=FAINT, linewidth=0.6)
                _cloud(ax, true.ravel(), fitted.ravel(), run.entry.colour)
                told = [np.stack(both)[:, np.isfinite(both[1])] for both in zip(true, fitted, strict=True)]
                if all(pair.shape[1] > 2 and np.ptp(pair[1]) > 0 for pair in told):
                    r = np.mean([np.corrcoef(*pair)[0, 1] for pair in told])
                    ax.set_xlabel(f"r = {r:.2f}", fontsize=6.5, labelpad=1.0)
            # The label stands left of the whole row, whichever methods ran.
            words = broken(results.cases[case].label, 16)
            where = {"xycoords": "axes fraction", "xytext": (-16, 0), "textcoords": "offset points"}
            axes[row, 0].annotate(words, (0, 0.5), **where, ha="right", va="center", fontsize=7.0)
        return figure

    return draw


def _cloud(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Points as one image: each of them while they are few, and how many there are in each cell where they are many."""
    if len(x) > CLOUD:
        ends = ax.get_xlim()
        counts, xs, ys = np.histogram2d(x, y, bins=CELLS, range=[ends, ends])
        shades = LinearSegmentedColormap.from_list("", ["white", colour])
        ax.pcolormesh(xs, ys, np.sqrt(counts.T), cmap=shades, rasterized=True, zorder=0)
        return
    size, opacity = (6.0, 0.6) if len(x) < 300 else (2.5, float(np.clip(600 / len(x), 0.04, 0.5)))
    ax.scatter(x, y, s=size, color=(*to_rgb(colour), opacity), linewidths=0, rasterized=True)


CLOUD, CELLS = 2000, 48  # points from which on they are counted, in so many cells to a side
ORDER = 1
FIGURES = {
    "kl": FigureSpec(
        _by_method("kl"),
        "How close is the fitted policy to the true one?",
        "Mean over steps of KL(true policy ‖ fitted policy), one value per episode; further left is better. Bar: quartiles;"
        " line: 5 to 95 %; stroke: median; hollow diamond: published median. Methods that end in a local search are shown with"
        " the solver that the study lists first.",
    ),
    "alpha_error": FigureSpec(
        _by_method("alpha_error"),
        "How well are the learning rates recovered?",
        "Euclidean norm of the error of α, all arms and signals stacked, one value per episode; further left is better."
        " Marks as in the figure of the policy KL.",
    ),
    "alpha_error_identified": FigureSpec(
        _by_method("alpha_error_identified"),
        "How well are the learning rates recovered that the choices tell?",
        "The same without the α of which the scored choices tell nothing, such as those of arms that were never rewarded: what"
        " a method puts there is no estimate, but counts in the published metric. Of data sets that have such parameters.",
    ),
    "beta_error": FigureSpec(
        _by_method("beta_error"),
        "How well are the sensitivities recovered?",
        "Euclidean norm of the error of β, all arms and signals stacked, one value per episode; further left is better."
        " Marks as in the figure of the policy KL.",
    ),
    "beta_error_identified": FigureSpec(
        _by_method("beta_error_identified"),
        "How well are the sensitivities recovered that the choices tell?",
        "The same without the β of which the scored choices tell nothing. Of data sets that have such parameters.",
    ),
    "recovery_alpha": FigureSpec(
        _recovery("alpha"),
        "True against recovered learning rates",
        "Each point is one α of one episode; where they are many, the darker the more. On the diagonal the fit is exact, along"
        " the upper or lower edge it sits at a bound. Horizontal: true; vertical: fitted; both axes span the box. Parameters"
        " that the choices do not identify are left out. r: Pearson correlation, the mean over signals.",
    ),
    "recovery_beta": FigureSpec(
        _recovery("beta"),
        "True against recovered sensitivities",
        "Each point is one β of one episode; where they are many, the darker the more. On the diagonal the fit is exact, along"
        " the upper or lower edge it sits at a bound. Horizontal: true; vertical: fitted; both axes span the box. Parameters"
        " that the choices do not identify are left out. r: Pearson correlation, the mean over signals.",
    ),
}
