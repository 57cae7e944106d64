"""Pictures of chains: ranks of a calibration, and draws."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ..arguments import checked
from ..experiments.calibration import BINS, RANKS, Ranks
from ..experiments.draws import Drawn
from ._style import width

BAND = 0.99  # probability with which a bar of a histogram of ranks lies in its band if ranks are uniform
CHAINS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # colours, repeated beyond four chains


@checked
def plot_ranks(ranks: Ranks) -> Figure:
    """The histogram of ranks of every parameter in what `calibrate` returned, or `counted`, each with the band in which a bar
    lies with probability BAND if ranks are uniform."""
    ranks = ranks.loc[ranks.index.repeat(ranks["n"])] if "n" in ranks else ranks
    parts = list(ranks.groupby(["model", "parameter"], sort=False))
    columns = min(len(parts), 4)
    rows = -(-len(parts) // columns)
    figure = Figure(figsize=(2.25 * columns, 0.4 + 1.25 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for ax, ((model, parameter), part) in zip(axes.ravel(), parts, strict=False):
        low, high = stats.binom.interval(BAND, len(part), 1 / BINS)
        ax.axhspan(low, high, color="0.9", linewidth=0, zorder=0)
        ax.axhline(len(part) / BINS, color="0.6", linewidth=0.6, zorder=0)
        ax.hist(part["rank"], bins=np.linspace(-0.5, RANKS + 0.5, BINS + 1), color=CHAINS[0], alpha=0.8)
        ax.set_title(f"{model}: {_greek(parameter)}", fontsize="medium")
        ax.set_ylim(bottom=0)
    for ax in axes.ravel()[len(parts) :]:
        ax.remove()
    figure.supxlabel("rank of the truth among the draws", fontsize="medium")
    return figure


def _greek(parameter: str) -> str:
    return parameter.replace("alpha", "α").replace("beta", "β").removesuffix(" all")


@checked
def plot_draws(table: Drawn) -> Figure:
    """Draws a `draw_table`, one line of panels for each signal and arm (and each `fit`, where it has that column): traces of
    alpha and beta by chain; how each chain's draws rank among all, as a share of those expected (near 1 if the chains agree;
    the band holds a bar of independent draws with probability BAND); and alpha against beta, divergent draws crossed in red.
    """
    named = table.groupby([column for column in ("fit", "signal", "arm") if column in table], sort=False)
    parts = {", ".join([*key[:-1], f"arm {key[-1]}"]).removesuffix(", arm all"): part for key, part in named}
    figure = Figure(figsize=(width(), 0.3 + 1.35 * len(parts)), layout="constrained")
    grid = figure.subplots(len(parts), 5, squeeze=False, width_ratios=[1.6, 1.6, 1, 1, 1])
    for axes, (name, part) in zip(grid, parts.items(), strict=True):
        axes[0].set_title(name, loc="left", fontsize="medium")
        for symbol, column, trace, histogram in zip("αβ", ("alpha", "beta"), axes[:2], axes[2:4], strict=True):
            _trace(trace, histogram, part.assign(rank=part[column].rank(method="first") - 1), column)
            trace.set_ylabel(symbol)
            histogram.set_ylabel(f"{symbol}, ranks")
        axes[4].plot(part["alpha"], part["beta"], ".", color=CHAINS[0], markersize=1.5, alpha=0.3, rasterized=True)
        divergent = part[part["divergent"].astype(bool)]
        axes[4].plot(divergent["alpha"], divergent["beta"], "x", color="tab:red", markersize=4)
        axes[4].set_ylabel("β against α")
    for ax, label in zip(grid[-1], ("draw", "draw", "rank", "rank", "α"), strict=True):
        ax.set_xlabel(label)
    return figure


def _trace(trace, histogram, part: pd.DataFrame, column: str) -> None:
    chains = list(part.groupby("chain"))
    # At least 25 draws to a bar, so that bars are not noise alone.
    bins = int(np.clip(len(part) // (25 * len(chains)), 2, BINS))
    for colour, (_, chain) in zip(np.resize(CHAINS, len(chains)), chains, strict=True):
        trace.plot(chain["draw"], chain[column], color=colour, linewidth=0.35, alpha=0.8, rasterized=True)
        counts, edges = np.histogram(chain["rank"], bins=bins, range=(0, len(part)))
        histogram.stairs(counts * bins / len(chain), edges, baseline=None, color=colour, linewidth=0.9)
    n = len(part) // len(chains)
    low, high = stats.binom.interval(BAND, n, 1 / bins)
    histogram.axhspan(low * bins / n, high * bins / n, color="0.9", linewidth=0, zorder=0)
    histogram.set_ylim(0, 2)
