"""Players of sequential games: how well their betas come back, what each step says of them, what settings are worth, and what
choices cannot tell."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..study.results import Results
from ._style import FAINT, INK, WIDTH, FigureSpec, Nothing, dot, legend

NONE = "this study measures no players of sequential games"
SHOWN = ("oracle", "mdp_gem", "mdp_mm", "no_prior")  # in the scatter, where a study has them
LOWEST, ALL, HIGHEST = "#D55E00", INK, "#0072B2"
RAW, OURS = "#D55E00", "#0072B2"
DIRECTIONS = {
    "scale": "values × e^t, log β − t",
    "levels": "values + t · level of state",
    "values": "values + t · noise",
    "betas": "log β + t",
}
ZERO = 1e-17  # at which an eigenvalue of zero is drawn


def _words(name: str) -> str:
    return name.replace("_", " ")


def _first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first design, its first data set, and players who share their values, where there are such."""
    table = table[table["design"] == table["design"].iloc[0]]
    table = table[table["replicate"] == table["replicate"].min()]
    return table[table["players"] == "shared"] if (table["players"] == "shared").any() else table


def _recovery(results: Results) -> Figure:
    table = results.tables.get("psychometrics_players", pd.DataFrame())
    if table.empty:
        return Nothing(NONE)
    table = _first(table)
    summary = results.tables["psychometrics"].set_index(["design", "board", "players", "run"])
    runs = [run for run in SHOWN if run in set(table["run"])] or list(table["run"].unique())
    boards = list(table["board"].unique())
    figure = Figure(figsize=(WIDTH, 0.4 + 1.75 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), len(boards), squeeze=False, sharex=True, sharey=True)
    for panels, run in zip(axes, runs, strict=True):
        for ax, board in zip(panels, boards, strict=True):
            part = table[(table["run"] == run) & (table["board"] == board)]
            ax.axline((0, 0), slope=1, color=FAINT, linewidth=0.8)
            ax.plot(part["truth"], part["log_beta"], "o", color=OURS, markersize=2.0, alpha=0.6, rasterized=True)
            if len(part):
                row = summary.loc[tuple(part[["design", "board", "players", "run"]].iloc[0])]
                theirs = f", paper {row['published_rmse']:.3g}" if np.isfinite(row["published_rmse"]) else ""
                ax.set_title(f"RMSE {row['rmse']:.3f}{theirs}", fontsize=7.0, fontweight="normal")
            if run == runs[0]:
                ax.annotate(_words(board), (0.5, 1.3), xycoords="axes fraction", ha="center", weight="bold")
            ax.grid()
        panels[0].set_ylabel(_words(run))
    limit = 1.1 * table["truth"].abs().max()
    axes[0, 0].set_xlim(-limit, limit)
    axes[0, 0].set_ylim(-1.6 * limit, 1.6 * limit)
    figure.supxlabel("true log β", fontsize=8.0)
    return figure


def _influence(results: Results) -> Figure:
    table = results.tables.get("psychometrics_influence", pd.DataFrame())
    table = table[table["run"] == "mdp_gem"] if len(table) else table
    if table.empty:
        return Nothing("this study fits no players of sequential games by mdp_gem")
    table = _first(table)
    boards = list(table["board"].unique())
    figure = Figure(figsize=(WIDTH, 2.2), layout="constrained")
    axes = figure.subplots(1, len(boards), squeeze=False)[0]
    for ax, board in zip(axes, boards, strict=True):
        part = table[table["board"] == board]
        for group, colour in (("lowest", LOWEST), ("all", ALL), ("highest", HIGHEST)):
            ax.plot(part["step"], part[group], "o-", color=colour, markersize=3.0, linewidth=1.2)
        ax.set_title(_words(board))
        ax.set_ylim(bottom=0.0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("step of a game")
        ax.grid()
    axes[0].set_ylabel("mean |influence| on log β")
    named = (("lowest tenth by log β", LOWEST), ("all players", ALL), ("highest tenth", HIGHEST))
    legend(figure, [dot(colour, label) for label, colour in named])
    return figure


def _settings(results: Results) -> Figure:
    table = results.tables.get("psychometrics_held_out", pd.DataFrame())
    if table.empty:
        return Nothing("this study predicts no held-out games")
    parts = list(table.groupby(["design", "board", "players"], sort=False))
    rows = [parts[k : k + 2] for k in range(0, len(parts), 2)]
    heights = [max(len(part) for _, part in row) for row in rows]
    figure = Figure(figsize=(WIDTH, 0.19 * sum(heights) + 0.6 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 2, squeeze=False, height_ratios=heights)
    for panels, row in zip(axes, rows, strict=True):
        for ax, one in zip(panels, [*row, *[None] * (2 - len(row))], strict=True):
            if one is None:
                ax.set_axis_off()
                continue
            (design, board, players), part = one
            y = np.arange(len(part))
            ax.hlines(y, part["gap"] - 1.96 * part["gap_se"], part["gap"] + 1.96 * part["gap_se"], color=OURS, linewidth=1.2)
            ax.plot(part["gap"], y, "o", color=OURS, markersize=4.0)
            ax.axvline(0.0, color=FAINT, linewidth=0.8)
            ax.set_yticks(y, [_words(run) for run in part["run"]])
            ax.set_ylim(len(part) - 0.4, -0.6)
            ax.tick_params(axis="y", length=0)
            ax.set_title(f"{_words(board)}, {_words(design)}, players: {_words(players)}")
            ax.grid(axis="x")
    figure.supxlabel("nats per held-out choice above the best run", fontsize=8.0)
    return figure


def _identification(results: Results) -> Figure:
    lines = results.tables.get("identification_directions", pd.DataFrame())
    values = results.tables.get("identification_spectrum", pd.DataFrame())
    if lines.empty:
        return Nothing("this study looks at no likelihood of players of sequential games")
    board = lines["board"].iloc[0]
    lines, values = lines[lines["board"] == board], values[values["board"] == board]
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    above, below = figure.subfigures(2, 1)
    axes = above.subplots(1, len(DIRECTIONS), sharey=True)
    for ax, (name, words) in zip(axes, DIRECTIONS.items(), strict=True):
        part = lines[lines["direction"] == name]
        ax.plot(part["t"], part["ours"], color=OURS, linewidth=3.0, alpha=0.5)
        ax.plot(part["t"], part["raw"], color=RAW, linewidth=1.2)
        ax.set_title(words, fontsize=7.0, wrap=True)
        ax.set_xlabel("t")
        ax.grid()
    axes[0].set_ylabel("nll above the truth's (nats)")
    axes = below.subplots(1, 2, sharey=True)
    for ax, (name, colour) in zip(axes, (("Q", RAW), ("A", OURS)), strict=True):
        part = values[values["parameters"] == name]
        ax.plot(part["number"], np.maximum(part["share"], ZERO), "o", color=colour, markersize=3.0)
        ax.set_yscale("log")
        zeros = int(part["zero"].astype(bool).sum())
        what = "Q and log β" if name == "Q" else "centred, scaled A and log β"
        ax.set_title(f"{what}: {zeros} of {len(part)} are zero")
        ax.set_xlabel("eigenvalue, by size")
        ax.grid()
    axes[0].set_ylabel("share of the largest")
    legend(figure, [dot(RAW, "softmax(β Q)"), dot(OURS, "advantages, centred and scaled")])
    return figure


ORDER = 6
FIGURES = {
    "psychometrics_recovery": FigureSpec(
        _recovery,
        "Do players' betas come back?",
        "Estimated against true log β of simulated players, by method (rows) and board (columns), with the root mean squared"
        " error and, where the paper has the board, that of the paper. The oracle knows the true values and the population.",
        "psychometrics",
        of_fits=False,
    ),
    "psychometrics_influence": FigureSpec(
        _influence,
        "Which steps tell how decisive a player is?",
        "Mean size of the influence of a step on its player's log β, by the number of the step in its game: all players, and"
        " the lowest and highest tenth of them by estimated log β.",
        "psychometrics",
        of_fits=False,
    ),
    "psychometrics_settings": FigureSpec(
        _settings,
        "Which methods and settings predict unseen games?",
        "Nats per held-out choice above the run that predicts best (at zero), with 95 % intervals over players. Shared values"
        " come from other players, a player's β from their first games.",
        "psychometrics",
        of_fits=False,
    ),
    "psychometrics_identification": FigureSpec(
        _identification,
        "What can choices not tell?",
        "Above: the negative log-likelihood along four directions from the truth. Along a common scale of values and betas,"
        " and along a level per state, softmax(β Q) is flat; advantages that are centred and scaled have no such levels, and a"
        " step along the scale moves betas alone. Below: eigenvalues of Fisher's information, as shares of the largest; zeros"
        " are directions that no amount of data tells, one per state with a choice and one for the scale.",
        "psychometrics",
        of_fits=False,
    ),
}
