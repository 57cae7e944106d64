"""Profile sets: what else fits a person nearly as well."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..models.families import get_model
from ..study.cases import data_label
from ..study.results import Results
from ._style import FAINT, INK, WIDTH, FigureSpec, Nothing, broken

TOLD, RIDGE = "#1668E4", "#D55E00"
PER_ROW, SHOWN = 4, 80  # panels in a row; people in a panel, of whom every so many are drawn where there are more


def draw(results: Results) -> Figure:
    """Per data set, of the model with the lowest BIC (or the first): a panel per parameter, and a line per person from the
    lower to the upper end of the set."""
    table = results.tables.get("profile_sets")
    if table is None or not len(table):
        return Nothing("this study does not ask for profile sets")
    parts = [(dataset, *_of_best(results, dataset, rows)) for dataset, rows in table.groupby("dataset", sort=False)]
    rows_of = [-(-rows["parameter"].nunique() // PER_ROW) for _, _, rows in parts]
    figure = Figure(figsize=(WIDTH, 2.6 * sum(rows_of) + 0.4), layout="constrained")
    pages = np.atleast_1d(figure.subfigures(len(parts), 1, height_ratios=rows_of))
    for page, height, (dataset, model, rows) in zip(pages, rows_of, parts, strict=True):
        label = f"{data_label(dataset, results.cases)}: {get_model(model).label}"
        page.suptitle(broken(label, 100), fontsize=8.5, fontweight="bold", x=0.01, ha="left")
        panels = page.subplots(height, PER_ROW, squeeze=False).ravel()
        for ax in panels:
            ax.set_axis_off()
        for ax, (parameter, mine) in zip(panels, rows.groupby("parameter", sort=False), strict=False):
            ax.set_axis_on()
            _panel(ax, get_model(model).symbol_of(parameter), mine)
    marks = [
        Line2D([], [], color=TOLD, marker="o", markersize=3.0, label="estimate and set"),
        Line2D([], [], color=RIDGE, marker="o", markersize=3.0, label="a ridge: only a product is told"),
        Line2D([], [], color=FAINT, label="not identified"),
        Line2D([], [], color=INK, marker=">", markersize=2.5, linestyle="none", label="ends at a bound"),
    ]
    pages[-1].legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def _of_best(results: Results, dataset: str, rows: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    models = results.tables.get("models", pd.DataFrame(columns=["dataset", "model"]))
    ranked = [*models.loc[models["dataset"] == dataset, "model"], *rows["model"]]  # the best comes first
    held = set(rows["model"])
    best = next(model for model in ranked if model in held)
    return best, rows[rows["model"] == best]


def _panel(ax: Axes, symbol: str, rows: pd.DataFrame) -> None:
    """People in the order of their estimates, those without one at the end."""
    rows = rows.sort_values(["estimate", "upper"], kind="stable").reset_index(drop=True)
    rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, SHOWN).round().astype(int))].reset_index(drop=True)
    y = np.arange(len(rows))
    colours = np.where(rows["estimate"].isna(), FAINT, np.where(rows["ridge"].astype(bool), RIDGE, TOLD))
    ax.hlines(y, rows["lower"], rows["upper"], colors=colours, linewidth=1.0)
    ax.scatter(rows["estimate"], y, c=colours, s=5.0, zorder=3)
    for end, mark in (("lower", "<"), ("upper", ">")):
        at = rows[f"at_{end}"].astype(bool) & rows["estimate"].notna()
        ax.plot(rows[end][at], y[at], linestyle="none", marker=mark, markersize=2.5, color=INK)
    ax.set_yticks([])
    ax.set_xlabel(symbol)
    ax.grid(axis="x")


ORDER = 1
FIGURES = {
    "profile_sets": FigureSpec(
        draw,
        "What else fits nearly as well?",
        "A line per person, in the order of their estimates: all values of a parameter that, with the best of the others, have"
        " a likelihood at most 1.92 nats below the best (a 95 % likelihood-ratio set), for the model of the lowest BIC. On a"
        " ridge (orange) a sensitivity can be as large as the bounds allow if learning is slow enough: only their product is"
        " told.",
        section="models",
    )
}
