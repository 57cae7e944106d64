"""Models and their optima: what random starts miss, and what comes back."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiments.optima import MISSED, least_missed
from ..models.families import get_model
from ..study.results import Results
from ._style import FAINT, FLOOR, ROW, WIDTH, FigureSpec, Nothing, log_axis, short

COLOURS = ("#88CCEE", "#1668E4", "#222222")  # from few starts to many
MARKERS = "osD^vPX*<>"
# Of parameters: Tol's muted scheme, which people with any colour vision tell apart.
TEN = ("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499", "#777777")
NOTHING = "this study does not ask for the optima of models"


def _rows(table: pd.DataFrame, axes: list[Axes]) -> dict[tuple[str, int], int]:
    """A line per model and number of arms, first at the top, on axes that share it; where each is."""
    cells = list(dict.fromkeys(table[["model", "arms"]].itertuples(index=False, name=None)))
    axes[0].set_yticks(range(len(cells)), [short(f"{get_model(model).label}, {arms} arms") for model, arms in cells])
    axes[0].set_ylim(len(cells) - 0.4, -0.6)
    for ax in axes:
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    return {cell: place for place, cell in enumerate(cells)}


def starts(results: Results) -> Figure:
    """Per model, by the solver that the study lists first: how many sets of random starts miss the best fit known, and by how
    much the worst percent of them does."""
    table = results.tables.get("optima_starts")
    if table is None or not len(table):
        return Nothing(NOTHING)
    solver = table["solver"].iloc[0]
    table = table[table["solver"] == solver]
    n = len(table[["model", "arms"]].drop_duplicates())
    figure = Figure(figsize=(WIDTH, ROW * n + 1.1), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = _rows(table, [left, right])
    for k, (number, rows) in enumerate(table.groupby("starts")):
        y = [places[cell] for cell in zip(rows["model"], rows["arms"], strict=True)]
        how = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)], "markersize": 4.5, "linestyle": "none"}
        left.plot(100 * rows["missed"], y, label=f"{number} start{'s' if number > 1 else ''}", **how)
        right.plot(np.maximum(rows["miss_q99"], FLOOR), y, **how)
    left.set_xlabel(f"% that end more than {MISSED:g} nats above the best fit known")
    left.set_xlim(left=-1)
    log_axis(right.xaxis)
    right.axvline(MISSED, color=FAINT, linewidth=0.8, linestyle=":")
    right.set_xlabel("99 % quantile of the miss, nats")
    left.set_title(f"{solver} from random starts")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(COLOURS))
    return figure


def recovery(results: Results) -> Figure:
    """Per model: the correlation of each parameter with its truth, by the method that misses the best fit known least."""
    table, methods = results.tables.get("optima_recovery"), results.tables.get("optima_methods")
    if table is None or not len(table):
        return Nothing(NOTHING)
    best = least_missed(methods)[["model", "arms", "run"]]
    table = best.merge(table, on=["model", "arms", "run"])
    n = len(best)
    figure = Figure(figsize=(0.75 * WIDTH, ROW * n + 1.1), layout="constrained")
    ax = figure.subplots()
    places = _rows(table, [ax])
    y = np.array([places[cell] for cell in zip(table["model"], table["arms"], strict=True)])
    symbols = np.array([get_model(row.model).symbols[row.parameter.partition("[")[0]] for row in table.itertuples()])
    for k, symbol in enumerate(dict.fromkeys(symbols)):
        mine = symbols == symbol
        marker, colour = MARKERS[k % len(MARKERS)], TEN[k % len(TEN)]
        ax.plot(table["correlation"][mine], y[mine], marker, color=colour, markersize=4.5, label=symbol)
    ax.set_xlabel("correlation of the fitted parameter with the true one")
    ax.set_xlim(right=1.03)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=10)
    return figure


ORDER = 2
FIGURES = {
    "optima_starts": FigureSpec(
        starts,
        "How often do random starts find the optimum?",
        "By model and number of arms: the share of sets of 1, 5 and 20 random starts whose best end misses the best fit known"
        " (left), and by how much the worst percent of them does (right; the dotted line is where a miss begins to count).",
        section="optima",
    ),
    "optima_recovery": FigureSpec(
        recovery,
        "Which parameters come back?",
        "By model and number of arms: the correlation over simulated learners of each parameter, fitted, with the true one."
        " Parameters of one kind (per arm, per signal) share a mark.",
        section="optima",
    ),
}
