"""Engines of posteriors: how far each is from the exact one, and at what price."""

from matplotlib.figure import Figure

from ..experiments.engines import LABELS
from ..models.families import get_model
from ..study.results import Results
from ._style import FAINT, ROW, WIDTH, FigureSpec, Nothing, dot, legend, log_axis

COLUMNS = {"mean_error": "error of means (sds)", "sd_ratio": "ratio of sds", "coverage": "coverage", "ms": "ms a person"}
SHADES = ("#9ECAE1", "#4292C6", "#08519C", "#08306B")  # of more people, darker
NOMINAL = {"sd_ratio": 1.0, "coverage": 0.95}


def _engines(results: Results) -> Figure:
    table = results.tables.get("engines")
    if table is None or table.empty:
        return Nothing("this study compares no engines; key 'populations.engines' of its configuration asks for that")
    models, sizes = list(dict.fromkeys(table["model"])), sorted(set(table["people"]))
    names = [name for name in LABELS if name in set(table["engine"])]
    shape = len(models), len(COLUMNS)
    figure = Figure((WIDTH, (len(names) + 2) * ROW * shape[0] + 0.8), layout="constrained")
    axes = figure.subplots(*shape, sharex="col", sharey=True, squeeze=False)
    shade = {size: SHADES[min(k, len(SHADES) - 1)] for k, size in enumerate(sizes)}
    for model, row in zip(models, axes, strict=True):
        held = table[table["model"] == model]
        for ax, column in zip(row, COLUMNS, strict=True):
            ax.scatter(held[column], held["engine"].map(names.index), c=held["people"].map(shade), s=16, linewidths=0)
            if column in NOMINAL:
                ax.axvline(NOMINAL[column], color=FAINT, linewidth=0.8, zorder=0)
            ax.grid(axis="y")
        row[0].set_yticks(range(len(names)), [LABELS[name] for name in names])
        row[0].set_ylabel(get_model(model).label)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)  # a row for those that were left out, too
    for column in ("mean_error", "ms"):
        axes[0, list(COLUMNS).index(column)].set_xscale("log")
        log_axis(axes[0, list(COLUMNS).index(column)].xaxis)
    for ax, words in zip(axes[-1], COLUMNS.values(), strict=True):
        ax.set_xlabel(words)
    legend(figure, [dot(shade[size], f"{size} people") for size in sizes])
    return figure


FIGURES = {
    "engines": FigureSpec(
        _engines,
        "How far are approximate posteriors from the exact one?",
        "Engines (rows) by model: root mean square error of posterior means in exact posterior sds, median ratio of sds,"
        " how often 95 % intervals hold the truth, processor time per person. Grey lines: where the exact posterior is.",
        section="engines",
    ),
}
