"""Calibration by simulation: how far the distribution of truths in posteriors is from uniform."""

import numpy as np
from matplotlib.figure import Figure

from ..arguments import checked
from ..experiments.posterior_calibration import GRID, Places, band
from ._style import FAINT, width

BAND = 95  # percent


@checked
def plot_calibration(table: Places) -> Figure:
    """A panel per method and model, a line per parameter: the share of truths that lie below a quantile of their posterior,
    less that quantile, which is 0 where posteriors are right. Bands: within these is 0 everywhere, for 95 % of posteriors that
    are. A hump to the left and a dip to the right: posteriors are too narrow."""
    parts = list(table.dropna(subset=["u"]).groupby(["method", "model"], sort=False))
    columns = min(len(parts), 3)
    rows = -(-len(parts) // columns)
    figure = Figure(figsize=(width(), 0.4 + 2.0 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for ax, ((method, model), part) in zip(axes, parts, strict=False):
        for parameter, found in part.groupby("parameter", sort=False):
            share, error, drawn = band(found["u"].to_numpy(), found["population"].to_numpy(), np.random.default_rng(0))
            (line,) = ax.plot(GRID, share - GRID, linewidth=1.0, label=parameter)
            half = np.percentile(drawn, BAND) * error
            ax.fill_between(GRID, share - GRID - half, share - GRID + half, color=line.get_color(), alpha=0.12, linewidth=0)
        ax.axhline(0.0, color=FAINT, linewidth=0.8, zorder=0)
        ax.set_title(f"{method}, {model}")
        ax.legend(fontsize="small")
    for ax in axes[len(parts) :]:
        ax.remove()
    figure.supxlabel("quantile of the posterior", fontsize="medium")
    figure.supylabel("share of truths below it, less the quantile", fontsize="medium")
    return figure
