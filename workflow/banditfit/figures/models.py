"""Models compared on the same data."""

import numpy as np
from matplotlib.figure import Figure

from ..models.families import get_model
from ..study.cases import data_label
from ..study.results import Results
from ._style import FAINT, INK, ROW, FigureSpec, Nothing, broken, short, width

FREQUENT, SURE = "#1668E4", "#E69F00"


def draw(results: Results) -> Figure:
    """Per data set of several models, a row of two panels: how far the sum of BIC lies from the best, and how frequent each
    model is among people, with its protected exceedance probability."""
    table = results.tables.get("models")
    if table is None or not len(table):
        return Nothing("no data set of this study is fitted with several models")
    parts = list(table.groupby("dataset", sort=False))
    heights = [max(len(rows), 2) * ROW + 0.7 for _, rows in parts]
    figure = Figure(figsize=(width(), sum(heights)), layout="constrained")
    panels = figure.subplots(len(parts), 2, squeeze=False, height_ratios=heights)
    for (dataset, rows), (left, right) in zip(parts, panels, strict=True):
        rows = rows[::-1]
        names, y = [short(get_model(model).label) for model in rows["model"]], np.arange(len(rows))
        left.barh(y, rows["delta"], height=0.6, color=FAINT)
        left.plot(rows["delta"][rows["delta"] == 0.0], y[rows["delta"] == 0.0], "o", color=INK)
        left.set_yticks(y, names)
        left.set_xlabel("BIC above that of the best, summed over people")
        left.set_title(broken(data_label(dataset, results.cases)))
        right.barh(y, rows["frequency"], height=0.6, color=FREQUENT, label="frequency among people")
        right.plot(rows["protected"], y, "D", color=SURE, markeredgecolor="white", label="protected exceedance probability")
        right.set_yticks(y, [""] * len(rows))
        right.set_xlim(0.0, 1.02)
        right.set_xlabel("probability")
        for panel in (left, right):
            panel.grid(axis="x")
    handles, labels = panels[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


ORDER = 1
FIGURES = {
    "models": FigureSpec(
        draw,
        "Which model?",
        "Left: the sum of BIC over people less that of the best model (a dot); right: how frequent each model is among people"
        " by random-effects selection (bars), and the probability that it is the most frequent, protected against chance"
        " (diamonds).",
        section="models",
    )
}
