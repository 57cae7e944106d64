"""What the figures share: one style, one grid of panels, one way to draw a distribution.

A method has the label, colour and order of its row in methods.tsv, and a marker that follows from that order, so that whoever
cannot tell two colours apart can tell the methods apart; methods of a family stand together, and variants are left out where
methods are compared; a case (a data set with a model) has a panel, in the study's order, two to a row on a wide page; panels
that are compared share their axes; a hollow diamond is a published median. A figure without data says what it lacks, and the
report leaves it out.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..study.cases import Case, among, of, present
from ..study.entries import Entry, Run, main_runs
from ..study.results import Results

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
    "text.parse_math": False,  # a dollar sign in somebody's label is a dollar sign
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
    "svg.fonttype": "none",  # text stays text: to be searched, read aloud and edited
    "svg.hashsalt": "banditfit",
}
# Of the report's figures, in inches; those for a paper have the width of its columns.
WIDTH = 9.0
PAGE: ContextVar[float] = ContextVar("width of a figure, inches", default=WIDTH)
NARROW = 5.0  # inches below which panels stand one below another
ROW = 0.21  # inches per method in a panel
# By a method's order, so that methods of like colour differ; filled ones, which are told apart when small.
MARKERS = ("o", "s", "^", "v", "<", ">", "P", "X", "*", "p", "d")
LABEL, LINES = 44, 3  # a longer label is broken into lines of so many letters, and cut after so many lines
# Gaps and regrets below this are rounding and the solvers' tolerances; they are drawn at it.
FLOOR = 1e-6
PUBLISHED_MARK = {"marker": "D", "markersize": 4.2, "markerfacecolor": "white", "markeredgecolor": INK, "markeredgewidth": 0.9}


@dataclass(frozen=True)
class FigureSpec:
    """A figure: how to draw it, its title, a caption that says how to read it, the report's section where it stands, and
    whether it shows variants of methods too, and whether it is drawn of fits, of which a study without data sets has none."""

    draw: Callable[[Results], Figure]
    title: str
    caption: str
    section: str = "figures"
    variants: bool = False
    of_fits: bool = True


class Nothing(Figure):
    """A figure that has nothing to show in this study, for the `reason` it gives. Its file is written all the same."""

    def __init__(self, reason: str):
        super().__init__(figsize=(width(), 0.5), layout="constrained")
        self.reason = reason
        self.text(0.01, 0.5, f"Nothing to draw: {reason}.", va="center", color=FAINT, style="italic")


def width() -> float:
    """How wide a figure is drawn, in inches."""
    return PAGE.get()


def per_row() -> int:
    """How many panels of cases stand side by side."""
    return 2 if width() >= NARROW else 1


def label_of(results: Results, case: Case) -> str:
    return broken(results.cases[case].label)


def broken(label: str, width: int = LABEL) -> str:
    """A label in lines of at most `width` letters, cut after a few of them."""
    lines = wrap(label, width)
    return "\n".join(lines if len(lines) <= LINES else [*lines[: LINES - 1], lines[LINES - 1][: width - 1] + "…"])


def short(label: str, width: int = 46) -> str:
    """A label in one line of at most `width` letters, cut in the middle: what tells two apart stands at either end."""
    return label if len(label) <= width else f"{label[: width // 2]}…{label[-width // 2 + 1 :]}"


def name_of(run: Run) -> str:
    """The label of a run's method, on the axis where methods stand, a line each."""
    return short(run.entry.label)


def marker_of(entry: Entry) -> str:
    return MARKERS[(entry.order - 1) % len(MARKERS)]


def cases_in(results: Results, scores: pd.DataFrame) -> list[Case]:
    return present(results.cases, scores)


def runs_of(runs: list[Run], scores: pd.DataFrame) -> list[Run]:
    held = set(scores["run"])
    return [run for run in runs if run.id in held]


def panel_rows(cases: list[Case]) -> list[list[Case]]:
    return [cases[k : k + per_row()] for k in range(0, len(cases), per_row())]


def grid(results: Results, cases: list[Case], heights: list[float], **share) -> tuple[Figure, dict[Case, Axes]]:
    """A figure with a panel per case; `heights` in inches per row of panels."""
    rows = panel_rows(cases)
    columns = len(rows[0])
    whole = width() if columns == per_row() else 0.62 * width()
    figure = Figure(figsize=(whole, sum(heights) + 0.45 * len(rows) + 0.6), layout="constrained")
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
            ax.set_title(label_of(results, names[column]))
    return figure, panels


def method_panels(results: Results, scores: pd.DataFrame, **share) -> tuple[Figure, dict[Case, Axes], dict[Case, list[Run]]]:
    """A grid whose panels have a line per main run, first at the top; the lines of a row of panels are the same."""
    cases = cases_in(results, scores)
    rows = panel_rows(cases)
    runs = {case: runs_of(main_runs(results.runs), among(scores, row)) for row in rows for case in row}
    figure, panels = grid(results, cases, [ROW * len(runs[row[0]]) for row in rows], sharey="row", **share)
    for case, ax in panels.items():
        ax.set_yticks(range(len(runs[case])), [name_of(run) for run in runs[case]])
        for y in range(1, len(runs[case])):
            if runs[case][y].entry.family != runs[case][y - 1].entry.family:
                ax.axhline(y - 0.5, color=STYLE["grid.color"], linewidth=0.8, zorder=0)
        ax.set_ylim(len(runs[case]) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    return figure, panels, runs


def fits_of(scores: pd.DataFrame, case: Case, run: Run) -> pd.DataFrame:
    part = of(scores, case)
    return part[part["run"] == run.id]


def values_of(scores: pd.DataFrame, case: Case, run: Run, column: str) -> np.ndarray:
    values = fits_of(scores, case, run)[column].to_numpy(dtype=float)
    return values[np.isfinite(values)]


def published_median(results: Results, case: Case, run: Run, metric: str) -> float | None:
    found = fits_of(results.tables["comparison"], case, run)
    found = found[found["metric"] == metric]
    found = found[~found["corrected"].astype(bool)]  # where theirs is flawed, it belongs to the run that reproduces it
    return float(found["published"].iloc[0]) if len(found) else None


def note_n(ax: Axes, counts: list[int]) -> None:
    counts = [n for n in counts if n]
    span = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"
    ax.set_title(f"n = {span}", loc="right", fontsize=7.0, fontweight="normal", color=FAINT)


def box(ax: Axes, y: float, values: np.ndarray, colour: str) -> None:
    """Quartiles as a bar, 5 to 95 % as a line, the median as a stroke; every value as a dot while there are few."""
    if len(values) == 0:
        return
    low, q25, median, q75, high = np.percentile(values, (5, 25, 50, 75, 95))
    ax.hlines(y, low, high, color=colour, linewidth=0.9)
    ax.barh(y, q75 - q25, left=q25, height=0.62, color=colour, alpha=0.38, linewidth=0)
    ax.vlines(median, y - 0.36, y + 0.36, color=colour, linewidth=2.0)
    if len(values) <= 12:
        ax.plot(values, np.full(len(values), y), ".", color=colour, markersize=3.0, alpha=0.8)


def log_axis(axis: Axis) -> None:
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
    if 1e-3 <= x < 1e5:
        return f"{x:g}"
    power = str(round(np.log10(x))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{power}" if f"{x:e}"[0] == "1" else ""


def x_label(panels: dict[Case, Axes], text: str) -> None:
    """Labels the lowest panel of each column."""
    for ax in list(panels.values())[-per_row() :]:
        ax.set_xlabel(text)


def dot(colour: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker="o", color=colour, markersize=4.0, label=label)


def method_dot(entry: Entry) -> Line2D:
    """The handle of a method that is drawn as points."""
    return Line2D([], [], linestyle="", marker=marker_of(entry), color=entry.colour, markersize=4.5, label=entry.label)


def legend(figure: Figure, handles: list, columns: int = 5) -> None:
    """A legend below the figure, with as many columns as its labels leave room for."""
    for handle in handles:
        label = broken(handle.get_label(), 36)
        # matplotlib leaves out labels that begin with an underscore; a space of no width makes it one like any other.
        handle.set_label(f"\u200b{label}" if label.startswith("_") else label)
    longest = max(len(line) for handle in handles for line in handle.get_label().splitlines())
    fitting = int(figure.get_figwidth() * 16 / (longest + 6))  # letters to an inch, and what a handle takes
    ncols = max(1, min(len(handles), columns, fitting))
    # Rows beyond the first two would be taken from the panels.
    lines = max(len(handle.get_label().splitlines()) for handle in handles)
    rows = -(-len(handles) // ncols) + (lines - 1)
    figure.set_figheight(figure.get_figheight() + 0.15 * max(rows - 2, 0))
    figure.legend(handles=handles, loc="outside lower center", ncols=ncols, handlelength=1.6)


def widths(runs: list[Run]) -> np.ndarray:
    """Line widths, from wide to narrow, so that of equal lines each still shows."""
    return np.linspace(2.6, 0.9, len(runs)) if len(runs) > 1 else np.array([1.4])


def line_of(entry: Entry, place: int, of: int) -> dict:
    """How a method's line is drawn: in its colour, its marker here and there, staggered over the `of` lines of a panel so that
    those of equal lines do not hide one another."""
    every = 0.18
    return {
        "color": entry.colour,
        "marker": marker_of(entry),
        "markersize": 4.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.4,
        "markevery": (every * (place + 0.5) / of, every),
    }


def run_handles(runs: list[Run]) -> list[Line2D]:
    """The handles of methods that are drawn as lines."""
    look = {"linewidth": 2.2, "markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
    return [Line2D([], [], color=run.entry.colour, marker=marker_of(run.entry), label=run.entry.label, **look) for run in runs]


PUBLISHED_HANDLE = Line2D([], [], linestyle="", label="published median", **PUBLISHED_MARK)
