"""The figures. Each is one function of a judged study, `draw(results) -> Figure`, listed once in FIGURES.

One style throughout: a method has the label, colour and order of its row in methods.tsv; a data set has a panel, in the
catalogue's order, two to a row; a hollow diamond is a published median. A figure without data says what it lacks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from . import likelihood
from .entries import Run, main_runs
from .files import replacing
from .likelihood import log_policy
from .methods._local import SOLVERS
from .models import get_model
from .published import METRICS as PUBLISHED_METRICS
from .tables import METRICS, Results, attribute, start_table

INK, FAINT = "#222222", "#8A8A8A"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "text.color": INK,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "banditfit",
}
WIDTH = 9.0  # inches; everything else follows
ROW = 0.21  # inches per method in a panel
# Gaps and regrets below this are rounding and the solvers' tolerances; they are drawn at it.
FLOOR = 1e-6
CERTIFIED = 0.01  # nats: a likelihood this close to a bound is the global optimum for any use of it
PUBLISHED_MARK = {"marker": "D", "markersize": 4.2, "markerfacecolor": "white", "markeredgecolor": INK, "markeredgewidth": 0.9}


@dataclass(frozen=True)
class FigureSpec:
    """A figure: how to draw it, its title, and a caption that says how to read it."""

    draw: Callable[[Results], Figure]
    title: str
    caption: str


def draw(name: str, results: Results) -> Figure:
    """The figure called `name` in FIGURES."""
    with mpl.rc_context(STYLE):
        return FIGURES[name].draw(results)


def save(figure: Figure, stem: str | Path) -> None:
    """Writes `stem`.svg and `stem`.png; the same figure gives the same bytes."""
    with mpl.rc_context(STYLE):
        for kind, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
            with replacing(f"{stem}.{kind}") as path:
                figure.savefig(path, format=kind, metadata=metadata, bbox_inches="tight", pad_inches=0.05)


# What the figures share ------------------------------------------------------------------------------------------------


def _nothing(reason: str) -> Figure:
    figure = Figure(figsize=(WIDTH, 0.5), layout="constrained")
    figure.text(0.01, 0.5, f"Nothing to draw: {reason}.", va="center", color=FAINT, style="italic")
    return figure


def _label(results: Results, dataset: str) -> str:
    return results.catalogue[dataset].label


def _datasets(results: Results, scores: pd.DataFrame) -> list[str]:
    present = set(scores["dataset"])
    return [name for name in results.catalogue if name in present]


def _runs(runs: list[Run], scores: pd.DataFrame) -> list[Run]:
    present = set(scores["run"])
    return [run for run in runs if run.id in present]


def _panel_rows(datasets: list[str]) -> list[list[str]]:
    return [datasets[k : k + 2] for k in range(0, len(datasets), 2)]


def _grid(results: Results, datasets: list[str], heights: list[float], **share) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel per data set, two to a row; `heights` in inches per row of panels."""
    rows = _panel_rows(datasets)
    columns = len(rows[0])
    width = WIDTH if columns > 1 else 0.62 * WIDTH
    figure = Figure(figsize=(width, sum(heights) + 0.45 * len(rows) + 0.6), layout="constrained")
    figure.get_layout_engine().set(hspace=0.04, wspace=0.03)
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights, **share)
    panels = {}
    for row, names in enumerate(rows):
        for column in range(columns):
            ax = axes[row, column]
            if column >= len(names):
                ax.set_axis_off()
                continue
            panels[names[column]] = ax
            ax.set_title(_label(results, names[column]))
    return figure, panels


def _method_panels(results: Results, scores: pd.DataFrame) -> tuple[Figure, dict[str, Axes], dict[str, list[Run]]]:
    """A grid whose panels have a line per main run, first at the top; the lines of a row of panels are the same."""
    datasets = _datasets(results, scores)
    rows = _panel_rows(datasets)
    runs = {d: _runs(main_runs(results.runs), scores[scores["dataset"].isin(row)]) for row in rows for d in row}
    figure, panels = _grid(results, datasets, [ROW * len(runs[row[0]]) for row in rows], sharey="row")
    for dataset, ax in panels.items():
        ax.set_yticks(range(len(runs[dataset])), [run.entry.label for run in runs[dataset]])
        ax.set_ylim(len(runs[dataset]) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    return figure, panels, runs


def _values(scores: pd.DataFrame, dataset: str, run: Run, column: str) -> np.ndarray:
    values = scores.loc[(scores["dataset"] == dataset) & (scores["run"] == run.id), column].to_numpy(dtype=float)
    return values[np.isfinite(values)]


def _published(results: Results, dataset: str, run: Run, metric: str) -> float | None:
    table = results.comparison
    found = table[(table["dataset"] == dataset) & (table["run"] == run.id) & (table["metric"] == metric)]
    found = found[~found["corrected"].astype(bool)]  # where theirs is flawed, it belongs to the run that reproduces it
    return float(found["published"].iloc[0]) if len(found) else None


def _note_n(ax: Axes, counts: list[int]) -> None:
    counts = [n for n in counts if n]
    span = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"
    ax.set_title(f"n = {span}", loc="right", fontsize=7.0, fontweight="normal", color=FAINT)


def _box(ax: Axes, y: float, values: np.ndarray, colour: str) -> None:
    """Quartiles as a bar, 5 to 95 % as a line, the median as a stroke; every value as a dot while there are few."""
    if len(values) == 0:
        return
    low, q25, median, q75, high = np.percentile(values, (5, 25, 50, 75, 95))
    ax.hlines(y, low, high, color=colour, linewidth=0.9)
    ax.barh(y, q75 - q25, left=q25, height=0.62, color=colour, alpha=0.38, linewidth=0)
    ax.vlines(median, y - 0.36, y + 0.36, color=colour, linewidth=2.0)
    if len(values) <= 12:
        ax.plot(values, np.full(len(values), y), ".", color=colour, markersize=3.0, alpha=0.8)


def _log_axis(axis: Axis) -> None:
    """Makes an axis that is already drawn on logarithmic, with labels at 1, 2, 5 where it spans little."""
    set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    set_scale("log")
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    subs = (1.0,) if decades > 3 else (1.0, 3.0) if decades > 1.6 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(_log_label))
    axis.set_minor_formatter(NullFormatter())


def _log_label(x: float, _) -> str:
    return f"{x:g}" if 1e-3 <= x < 1e5 else rf"$10^{{{round(np.log10(x))}}}$" if f"{x:e}"[0] == "1" else ""


def _x_label(panels: dict[str, Axes], text: str) -> None:
    """Labels the lowest panel of each column."""
    for ax in list(panels.values())[-2:]:
        ax.set_xlabel(text)


def _dot(colour: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", color=colour, markersize=4.0, label=label)


def _legend(figure: Figure, handles: list, columns: int | None = None) -> None:
    figure.legend(handles=handles, loc="outside lower center", ncols=columns or min(len(handles), 5), handlelength=1.6)


def _widths(runs: list[Run]) -> np.ndarray:
    """Line widths, from wide to narrow, so that of equal lines each still shows."""
    return np.linspace(2.6, 0.9, len(runs)) if len(runs) > 1 else np.array([1.4])


def _run_handles(runs: list[Run]) -> list[Line2D]:
    return [Line2D([], [], color=run.entry.colour, linewidth=2.2, label=run.entry.label) for run in runs]


PUBLISHED_HANDLE = Line2D([], [], linestyle="", label="published median", **PUBLISHED_MARK)


# The figures -----------------------------------------------------------------------------------------------------------


def _by_method(metric: str, log: bool) -> Callable[[Results], Figure]:
    """A figure of one metric: a box per method in each panel."""

    def draw(results: Results) -> Figure:
        scores = results.scores[np.isfinite(results.scores[metric])]
        if scores.empty:
            return _nothing("no fit of this study has a known truth to be measured against")
        figure, panels, runs = _method_panels(results, scores)
        any_published = False
        for dataset, ax in panels.items():
            for y, run in enumerate(runs[dataset]):
                _box(ax, y, _values(scores, dataset, run, metric), run.entry.colour)
                published = _published(results, dataset, run, metric)
                if published is not None:
                    any_published = True
                    ax.plot(published, y, linestyle="", zorder=4, **PUBLISHED_MARK)
            _note_n(ax, [len(_values(scores, dataset, run, metric)) for run in runs[dataset]])
            if log:
                _log_axis(ax.xaxis)
            else:
                ax.set_xlim(left=0)
        unit = "" if METRICS[metric].unit == "1" else f" ({METRICS[metric].unit})"
        _x_label(panels, f"{METRICS[metric].label}{unit}")
        if any_published:
            _legend(figure, [PUBLISHED_HANDLE])
        return figure

    return draw


def _times(results: Results) -> Figure:
    scores = results.scores
    figure, panels, runs = _method_panels(results, scores)
    parts = {"t_setup": ("<", "set-up"), "t_solve": ("o", "solve")}
    for dataset, ax in panels.items():
        for y, run in enumerate(runs[dataset]):
            colour = run.entry.colour
            wall = 1000 * _values(scores, dataset, run, "t_wall")
            if len(wall):
                q25, median, q75 = np.percentile(wall, (25, 50, 75))
                ax.barh(y, q75 - q25, left=q25, height=0.62, color=colour, alpha=0.38, linewidth=0)
                ax.vlines(median, y - 0.36, y + 0.36, color=colour, linewidth=2.0)
            for column, (marker, _) in parts.items():
                values = 1000 * _values(scores, dataset, run, column)
                if len(values) and np.median(values) > 0:
                    ax.plot(
                        np.median(values), y, marker, color=colour, markersize=4.5, markeredgecolor="white", markeredgewidth=0.4
                    )
            published = _published(results, dataset, run, "time_ms")
            if published is not None:
                ax.plot(published, y, linestyle="", zorder=4, **PUBLISHED_MARK)
        _log_axis(ax.xaxis)
    _x_label(panels, "time per episode (ms)")
    mark = lambda marker, label, **how: Line2D([], [], linestyle="", color=FAINT, marker=marker, label=label, **how)  # noqa: E731
    handles = [mark(marker, f"{name}, median", markersize=4.0) for marker, name in parts.values()]
    handles.append(mark("|", "wall, median on quartiles", markersize=8, markeredgewidth=2.0))
    if len(results.comparison):
        handles.append(Line2D([], [], linestyle="", label="published median (their machine and clock)", **PUBLISHED_MARK))
    _legend(figure, handles)
    return figure


def _bound_gaps(results: Results) -> Figure:
    scores = results.scores[results.scores["bound_holds"].eq(True)].copy()
    if scores.empty:
        return _nothing("no method of this study gives a lower bound")
    scores["bound_gap"] = scores["best_nll"] - scores["lower_bound"]
    figure, panels, runs = _method_panels(results, scores)
    edges = 10.0 ** np.arange(np.log10(FLOOR), 2.01, 0.25)
    for dataset, ax in panels.items():
        for y, run in enumerate(runs[dataset]):
            gaps = _values(scores, dataset, run, "bound_gap")
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
        _log_axis(ax.xaxis)
        ax.set_title(f"≤ {CERTIFIED:g}", loc="right", fontsize=7.0, fontweight="normal", color=FAINT)
    _x_label(panels, "best fit minus lower bound (nats)")
    return figure


def _regrets(results: Results) -> Figure:
    scores = results.scores[np.isfinite(results.scores["regret"])]
    if scores.empty:
        return _nothing("no fit of this study has admissible parameters")
    datasets = _datasets(results, scores)
    figure, panels = _grid(results, datasets, [1.7] * len(_panel_rows(datasets)), sharey=True)
    shown = _runs(main_runs(results.runs), scores)
    for dataset, ax in panels.items():
        for run, width in zip(shown, _widths(shown), strict=True):
            regret = np.sort(np.maximum(_values(scores, dataset, run, "regret"), FLOOR))
            if len(regret):
                share = np.arange(1, len(regret) + 1) / len(regret)
                ax.step([FLOOR, *regret, 1e3], [0, *share, 1], where="post", color=run.entry.colour, linewidth=width)
        ax.set_xlim(FLOOR, 1e2)
        _log_axis(ax.xaxis)
        ax.set_ylim(0, 1.02)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.grid()
    _x_label(panels, "nll above the best fit of the episode (nats)")
    for row in _panel_rows(datasets):
        panels[row[0]].set_ylabel("share of episodes")
    _legend(figure, _run_handles(shown))
    return figure


def _attribution(results: Results) -> Figure:
    parts = attribute(results.scores, results.runs)
    if parts.empty:
        return _nothing("this study has no bound of the published relaxation, CVX, to explain")
    figure, panels, runs = _method_panels(results, parts)
    pieces = {
        "poor_fit": ("#D55E00", "poor fit"),
        "undecided": ("#BBBBBB", "not yet decided"),
        "loose": ("#5B8FD0", "loose bound"),
    }
    for dataset, ax in panels.items():
        for y, run in enumerate(runs[dataset]):
            found = parts[(parts["dataset"] == dataset) & (parts["run"] == run.id)]
            left = 0.0
            for column, (colour, _) in pieces.items() if len(found) else ():
                width = float(found[column].iloc[0])
                ax.barh(y, width, left=left, height=0.66, color=colour, linewidth=0)
                left += width
    _x_label(panels, "mean gap to the CVX bound (nats)")
    _legend(figure, [Patch(color=colour, label=label) for colour, label in pieces.values()])
    return figure


def _recovery(parameter: str) -> Callable[[Results], Figure]:
    """A figure of true against fitted values of one parameter: a row per data set, a column per method."""

    def draw(results: Results) -> Figure:
        scores = results.scores[np.isfinite(results.scores[f"{parameter}_error"])]
        if scores.empty:
            return _nothing("no data set of this study has true parameters of the fitted family")
        datasets, runs = _datasets(results, scores), _runs(main_runs(results.runs), scores)
        side = (WIDTH - 1.0) / max(len(runs), 5)
        figure = Figure(figsize=(0.9 + side * len(runs), 0.6 + side * 1.08 * len(datasets)), layout="constrained")
        figure.get_layout_engine().set(hspace=0.03, wspace=0.03, h_pad=0.02, w_pad=0.02)
        axes = figure.subplots(len(datasets), len(runs), squeeze=False)
        for row, dataset in enumerate(datasets):
            data = results.data[dataset]
            truth = dict(zip(data.episodes, getattr(data.truth, parameter), strict=True))
            bounds = data.bounds_of(get_model(data.model))
            pairs = [bounds.alpha] if parameter == "alpha" else bounds.beta
            low, high = min(lower for lower, _ in pairs), max(upper for _, upper in pairs)
            margin = 0.03 * (high - low)
            for ax, run in zip(axes[row], runs, strict=True):
                fits = scores[(scores["dataset"] == dataset) & (scores["run"] == run.id)]
                ax.set_xlim(low - margin, high + margin)
                ax.set_ylim(low - margin, high + margin)
                ax.set_box_aspect(1)
                ends = [f"{low:g}", f"{high:g}"]
                ax.set_xticks([low, high], ends if row == len(datasets) - 1 else [], fontsize=6.5)
                ax.set_yticks([low, high], ends if ax is axes[row, 0] else [], fontsize=6.5)
                if row == 0:
                    ax.set_title("\n(".join(run.entry.label.split(" (")), loc="center", fontsize=7.0, fontweight="normal")
                if fits.empty:
                    ax.set_axis_off()
                    continue
                # (signals, values): a correlation over signals of different range would look better than it is.
                true = np.concatenate([truth[episode] for episode in fits["episode"]], axis=1)
                fitted = np.concatenate(list(fits[parameter]), axis=1)
                ax.plot([low, high], [low, high], color=FAINT, linewidth=0.6)
                _cloud(ax, true.ravel(), fitted.ravel(), run.entry.colour)
                if true.shape[1] > 2 and (np.std(fitted, axis=1) > 0).all():
                    r = np.mean([np.corrcoef(*pair)[0, 1] for pair in zip(true, fitted, strict=True)])
                    ax.set_xlabel(f"r = {r:.2f}", fontsize=6.5, labelpad=1.0)
            # The label stands left of the whole row, whichever methods ran.
            first = axes[row, 0]
            label = first.text(-0.45, 0.5, _label(results, dataset).replace(", ", ",\n"), transform=first.transAxes)
            label.set(ha="right", va="center", fontsize=7.0)
        return figure

    return draw


def _cloud(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    """Points as one image, lighter where there are many in all."""
    size, opacity = (6.0, 0.6) if len(x) < 300 else (2.5, float(np.clip(600 / len(x), 0.04, 0.5)))
    ax.scatter(x, y, s=size, color=(*to_rgb(colour), opacity), linewidths=0, rasterized=True)


def _example(results: Results) -> Figure:
    datasets = [d for d in _datasets(results, results.examples) if results.data[d].truth is not None]
    if not datasets:
        return _nothing("no data set of this study has a known truth")
    dataset = min(datasets, key=lambda d: results.data[d].n_arms)
    fits = results.examples[results.examples["dataset"] == dataset]
    data = results.data[dataset].select([int(fits["episode"].iloc[0])])
    model = get_model(fits["model"].iloc[0])
    problem = likelihood.problem(data, 0, model, data.bounds_of(model))
    arms, steps = data.n_arms, np.arange(problem.n_steps)
    arm = int(np.bincount(problem.choices[problem.choices >= 0], minlength=arms).argmax())
    policy = lambda x: np.exp(log_policy(x))[:, arm]  # noqa: E731
    true = policy(data.truth.values[0, : problem.n_steps])

    figure = Figure(figsize=(WIDTH, 4.6 + 0.08 * arms), layout="constrained")
    acts, levels, errors = figure.subplots(3, 1, sharex=True, height_ratios=[0.5 + 0.12 * arms, 1.5, 1.5])
    rewarded = problem.signals[0] > 0
    acts.vlines(steps[rewarded], problem.choices[rewarded] - 0.36, problem.choices[rewarded] + 0.36, color=INK, linewidth=1.4)
    missed = (problem.choices >= 0) & ~rewarded
    acts.vlines(steps[missed], problem.choices[missed] - 0.2, problem.choices[missed] + 0.2, color="#B5B5B5", linewidth=1.2)
    acts.set_yticks(range(arms), [str(i) for i in range(arms)])
    acts.set_ylim(arms - 0.4, -0.6)
    acts.set_ylabel("arm")
    acts.set_title(f"{_label(results, dataset)}, episode {data.ids[0]}")
    levels.plot(steps, true, color="#C8C8C8", linewidth=4.5, zorder=1)
    errors.axhline(0, color=INK, linewidth=0.8)
    drawn, candidates = [], main_runs(results.runs)
    for run, width in zip(candidates, _widths(candidates) / 1.6, strict=True):
        for fit in fits[fits["run"] == run.id].itertuples():
            if np.isfinite(fit.alpha).all() and np.isfinite(fit.beta).all():
                fitted = policy(problem.values(fit.alpha, fit.beta))
            elif fit.kernels is not None:
                fitted = policy(problem.kernel_values(fit.kernels))
            else:
                continue
            drawn.append(run)
            levels.plot(steps, fitted, color=run.entry.colour, linewidth=width)
            errors.plot(steps, fitted - true, color=run.entry.colour, linewidth=width)
    levels.set_ylabel(f"P(arm {arm})")
    errors.set_ylabel("fitted − true")
    errors.set_xlabel("step")
    errors.set_xlim(-1, problem.n_steps)
    figure.align_ylabels()
    truth = Line2D([], [], color="#C8C8C8", linewidth=4.5, label="truth")
    _legend(figure, [truth, *_run_handles(drawn)], 7)
    return figure


def _starts(results: Results) -> Figure:
    starts = start_table(results.scores)
    if starts.empty:
        return _nothing("no method of this study keeps several starts")
    levels = {
        "the best, within 0.001 nats": (1e-3, "#08306B"),
        "within 0.1 nats": (0.1, "#4A90C4"),
        "within 1 nat": (1.0, "#A9CCE3"),
        "further off": (np.inf, "#D9D9D9"),
    }
    datasets, shown = _datasets(results, starts), _runs(results.runs, starts)
    figure, panels = _grid(results, datasets, [0.19 * len(shown)] * len(_panel_rows(datasets)), sharey=True)
    for dataset, ax in panels.items():
        for y, run in enumerate(shown):
            excess = starts.loc[(starts["dataset"] == dataset) & (starts["run"] == run.id), "excess"].to_numpy()
            left = 0.0
            for limit, colour in levels.values():
                share = np.mean(excess <= limit) if len(excess) else 0.0
                ax.barh(y, share - left, left=left, height=0.72, color=colour, linewidth=0)
                left = share
        ax.set_yticks(range(len(shown)), [run.label for run in shown])
        ax.set_ylim(len(shown) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 1)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    _x_label(panels, "share of all starts")
    _legend(figure, [Patch(color=colour, label=label) for label, (_, colour) in levels.items()])
    return figure


def _solvers(results: Results) -> Figure:
    crossed = [run for run in results.runs if run.local_solver]
    table = results.summary[results.summary["run"].isin([run.id for run in crossed])]
    solvers = [solver for solver in SOLVERS if any(run.local_solver == solver for run in crossed)]
    columns = [m for m in ("kl", "nll", "t_wall") if (table.loc[table["metric"] == m, "n"] > 0).any()]
    if "kl" in columns:
        columns.remove("nll")
    if len(solvers) < 2:
        return _nothing("this study runs its local methods with one solver only")
    datasets = _datasets(results, table)
    figure = Figure(figsize=(WIDTH, 0.9 + (0.3 + 0.17 * len(solvers)) * len(datasets) * 1.25), layout="constrained")
    axes = figure.subplots(len(datasets), len(columns), squeeze=False, sharey=True)
    entries = list({run.entry.id: run.entry for run in crossed}.values())
    for row, dataset in enumerate(datasets):
        for ax, metric in zip(axes[row], columns, strict=True):
            for run in crossed:
                y = solvers.index(run.local_solver) + 0.16 * (entries.index(run.entry) - (len(entries) - 1) / 2)
                found = table[(table["dataset"] == dataset) & (table["run"] == run.id) & (table["metric"] == metric)]
                if len(found) == 0 or found["n"].iloc[0] == 0:
                    continue
                ax.hlines(y, found["q25"], found["q75"], color=run.entry.colour, linewidth=1.0, alpha=0.7)
                ax.plot(found["median"], y, "o", color=run.entry.colour, markersize=3.4)
            _log_axis(ax.xaxis)
            ax.grid(axis="x")
            ax.set_yticks(range(len(solvers)), solvers)
            ax.set_ylim(len(solvers) - 0.45, -0.55)
            ax.tick_params(axis="y", length=0)
            if row == len(datasets) - 1:
                ax.set_xlabel(f"{METRICS[metric].label} ({METRICS[metric].unit})")
        axes[row, 0].set_title(_label(results, dataset))
    _legend(figure, [_dot(entry.colour, entry.label) for entry in entries])
    return figure


def _agreement(results: Results) -> Figure:
    table = results.comparison
    if table.empty:
        return _nothing("no data set of this study is one of the published six")
    titles = {"kl": "policy KL (nats)", "alpha_error": "error of α", "beta_error": "error of β", "time_ms": "time (ms)"}
    shown = [metric for metric in PUBLISHED_METRICS if (table["metric"] == metric).any()]
    figure = Figure(figsize=(WIDTH, WIDTH / len(shown) + 0.9), layout="constrained")
    for ax, metric in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        rows = table[table["metric"] == metric]
        for entry in list({run.entry.id: run.entry for run in results.runs}.values()):
            ours = rows[rows["run"].isin([run.id for run in results.runs if run.entry is entry])]
            spread = [ours["ours"] - ours["ours_low"], ours["ours_high"] - ours["ours"]]
            ax.errorbar(
                ours["published"], ours["ours"], spread, fmt="o", color=entry.colour, markersize=3.0, elinewidth=0.6, alpha=0.85
            )
        ends = [rows[["ours", "published"]].min().min() / 1.4, rows[["ours", "published"]].max().max() * 1.4]
        ax.plot(ends, ends, color=FAINT, linewidth=0.8, zorder=0)
        ax.set_xlim(ends)
        ax.set_ylim(ends)
        _log_axis(ax.xaxis)
        _log_axis(ax.yaxis)
        ax.set_box_aspect(1)
        ax.grid()
        ax.set_title(titles[metric])
        ax.set_xlabel("published median")
    figure.axes[0].set_ylabel("our median")
    present = set(table["run"])
    entries = {run.entry.id: run.entry for run in results.runs if run.id in present}
    _legend(figure, [_dot(entry.colour, entry.label) for entry in entries.values()])
    return figure


def _correction(results: Results) -> Figure:
    table = results.comparison[results.comparison["metric"] == "kl"]
    runs = [run for run in main_runs(results.runs) if run.entry.method in ("cvx_loc", "d_loc_published", "d_loc")]
    table = table[table["run"].isin([run.id for run in runs])]
    if not {"d_loc", "d_loc_published"} <= {run.entry.method for run in runs} or table.empty:
        return _nothing("this study does not run D-LOC both ways on a published data set")
    datasets = _datasets(results, table)
    figure = Figure(figsize=(0.8 * WIDTH, 0.9 + 0.46 * len(datasets)), layout="constrained")
    ax = figure.subplots()
    for y, dataset in enumerate(datasets):
        for k, run in enumerate(runs):
            found = table[(table["dataset"] == dataset) & (table["run"] == run.id)]
            if len(found) == 0:
                continue
            place = y + 0.22 * (k - (len(runs) - 1) / 2)
            ax.hlines(place, found["ours_low"], found["ours_high"], color=run.entry.colour, linewidth=3.5, alpha=0.35)
            ax.plot(found["ours"], [place], "o", color=run.entry.colour, markersize=5.0)
            published = _published(results, dataset, run, "kl")
            if published is not None:
                ax.plot(published, place, linestyle="", **(PUBLISHED_MARK | {"markeredgecolor": run.entry.colour}))
        if y:
            ax.axhline(y - 0.5, color="#E4E4E4", linewidth=0.6)
    _log_axis(ax.xaxis)
    ax.grid(axis="x")
    ax.set_yticks(range(len(datasets)), [_label(results, d) for d in datasets])
    ax.set_ylim(len(datasets) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("median policy KL (nats), 95 % interval")
    _legend(figure, [*_run_handles(runs), PUBLISHED_HANDLE])
    return figure


FIGURES: dict[str, FigureSpec] = {
    "kl": FigureSpec(
        _by_method("kl", log=True),
        "How close is the fitted policy to the true one?",
        "Mean over steps of KL(true policy ‖ fitted policy), one value per episode; further left is better. Bar: quartiles;"
        " line: 5 to 95 %; stroke: median; hollow diamond: published median.",
    ),
    "alpha_error": FigureSpec(
        _by_method("alpha_error", log=False),
        "How well are the learning rates recovered?",
        "Euclidean norm of the error of α, all arms and signals stacked, one value per episode; further left is better."
        " Marks as in the figure of the policy KL.",
    ),
    "beta_error": FigureSpec(
        _by_method("beta_error", log=False),
        "How well are the sensitivities recovered?",
        "Euclidean norm of the error of β, all arms and signals stacked, one value per episode; further left is better."
        " Marks as in the figure of the policy KL.",
    ),
    "recovery_alpha": FigureSpec(
        _recovery("alpha"),
        "True against recovered learning rates",
        "Each point is one α of one episode; on the diagonal the fit is exact, along the upper or lower edge it sits at a"
        " bound. Horizontal: true; vertical: fitted; both axes span the box. r: Pearson correlation, the mean over signals.",
    ),
    "recovery_beta": FigureSpec(
        _recovery("beta"),
        "True against recovered sensitivities",
        "Each point is one β of one episode; on the diagonal the fit is exact, along the upper or lower edge it sits at a"
        " bound. Horizontal: true; vertical: fitted; both axes span the box. r: Pearson correlation, the mean over signals.",
    ),
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
    ),
    "attribution": FigureSpec(
        _attribution,
        "Is a large gap a poor fit or a loose bound?",
        "The gap between a fit's nll and the bound of CVX, averaged over episodes and split: what the fit loses to the best"
        " fit known, what no bound decides yet, and what the bound of CVX loses to the best bound known.",
    ),
    "times": FigureSpec(
        _times,
        "How long does a fit take?",
        "Median time per episode in milliseconds, logarithmic: building the problem (triangle), solving it (dot), and the wall"
        " clock of the whole fit (stroke; bar: quartiles). Further left is faster.",
    ),
    "solvers": FigureSpec(
        _solvers,
        "Does the local solver matter?",
        "Median and quartiles for every local solver with which a method ran; dots in one line above another differ by the"
        " solver alone, since all solvers meet the same starts.",
    ),
    "starts": FigureSpec(
        _starts,
        "Do the starts agree?",
        "Share of all random starts that ended at the best nll of their fit, or so many nats above it; the darker, the less"
        " several starts are needed.",
    ),
    "agreement": FigureSpec(
        _agreement,
        "Our medians against the published ones",
        "One point per experiment, method and local solver, with the 95 % bootstrap interval of our median; on the diagonal"
        " the published figure is met, below it ours is lower.",
    ),
    "correction": FigureSpec(
        _correction,
        "What the one-step lag did",
        "Median policy KL per experiment: filled, ours with its 95 % interval; hollow, the published figure under the same"
        " name. D-LOC is published with the lag, so its hollow diamond belongs to D-LOC (as published).",
    ),
    "example": FigureSpec(
        _example,
        "One episode",
        "Top: the choices (long dark strokes were rewarded). Middle: the probability of the arm chosen most, true (wide, grey)"
        " and fitted. Bottom: fitted minus true.",
    ),
}
