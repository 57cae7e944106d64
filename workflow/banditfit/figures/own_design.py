"""What people do, what agents of each model do in their place, and what could be told apart at the design of the data."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiments.own_design import PEOPLE, SAMPLE
from ..models.families import get_model
from ..study.cases import data_label
from ..study.results import Results
from ._style import FAINT, INK, WIDTH, FigureSpec, Nothing, broken, short

WIN, LOSS = "#1668E4", "#D55E00"
STAY = {"stay after win": ("after a win", WIN), "stay after loss": ("after no win", LOSS)}
LEARNT = {"best": ("the arm that brought most", INK), "reward": ("reward", FAINT)}


def behaviour(results: Results) -> Figure:
    """Per data set: the choice of what brought most and the reward, by trial; and staying by lag."""
    table = results.tables.get("behaviour")
    if table is None or not len(table):
        return Nothing("the study asks nothing of data sets by themselves (own_design)")
    parts = list(table[table["model"] == PEOPLE].groupby("dataset", sort=False))
    figure = Figure(figsize=(WIDTH, 2.4 * len(parts) + 0.3), layout="constrained")
    panels = figure.subplots(len(parts), 3, squeeze=False)
    for (dataset, rows), (best, reward, stay) in zip(parts, panels, strict=True):
        best.set_title(broken(data_label(dataset, results.cases)))
        for panel, name, label in ((best, "best", "share of choices"), (reward, "reward", "mean reward")):
            _line(panel, rows, name, INK, "")
            panel.set_xlabel("trial of the session")
            panel.set_ylabel(f"{label}" if name == "reward" else f"{label}: what brought most")
        for name, (label, colour) in STAY.items():
            _line(stay, rows, name, colour, label)
        _of_stay(stay)
        stay.legend(loc="lower left")
    return figure


def _line(panel: Axes, rows: pd.DataFrame, measure: str, colour: str, label: str) -> None:
    """The mean of a measure over people, with its interval as a band."""
    part = rows[rows["measure"] == measure].sort_values("x")
    panel.fill_between(part["x"], part["low"], part["high"], color=colour, alpha=0.18, linewidth=0)
    panel.plot(part["x"], part["mean"], "o-", color=colour, markersize=3, linewidth=1.2, label=label)
    panel.grid(axis="y")


def _of_stay(panel: Axes) -> None:
    panel.set_xlabel("lag, trials")
    panel.set_ylabel("share of repeated choices")
    panel.set_ylim(0.0, 1.02)


def predicted(results: Results) -> Figure:
    """Per data set and model two panels, people as bands, agents as lines: what brought most, by trial; and staying by lag."""
    table = results.tables.get("behaviour")
    agents = None if table is None else table[~table["model"].isin([PEOPLE, SAMPLE])]
    if agents is None or not len(agents):
        return Nothing("no agents have played a data set of this study (own_design)")
    parts = list(agents.groupby(["dataset", "model"], sort=False))
    rows_of_panels = -(-len(parts) // 2)
    figure = Figure(figsize=(WIDTH, 1.75 * rows_of_panels + 0.4), layout="constrained")
    panels = figure.subplots(rows_of_panels, 4, squeeze=False).reshape(-1, 2)
    for (learnt, stay), ((dataset, model), rows) in zip(panels, parts, strict=False):
        whose = table[table["dataset"] == dataset]
        whose = whose[whose["model"] == (SAMPLE if (whose["model"] == SAMPLE).any() else PEOPLE)]
        for panel, measures in ((learnt, {"best": ("", INK)}), (stay, STAY)):
            for name, (_, colour) in measures.items():
                part, told = (each[each["measure"] == name].sort_values("x") for each in (whose, rows))
                panel.fill_between(part["x"], part["low"], part["high"], color=colour, alpha=0.2, linewidth=0)
                panel.plot(told["x"], told["mean"], color=colour, linewidth=1.4)
            panel.grid(axis="y")
            panel.set_ylim(0.0, 1.02)
        several = table["dataset"].nunique() > 1
        label = get_model(model).label
        learnt.set_title(broken(f"{data_label(dataset, results.cases)}: {label}" if several else short(label), 40))
    for panel in panels[len(parts) :].ravel():
        panel.set_visible(False)
    for learnt, stay in panels[max(len(parts) - 2, 0) : len(parts)]:
        learnt.set_xlabel("trial of the session")
        stay.set_xlabel("lag, trials")
    return figure


def confusion(results: Results) -> Figure:
    """Per data set: which model is best for the people of each true one, and which is true given the best."""
    table = results.tables.get("confusion")
    if table is None or not len(table):
        return Nothing("the study asks for no recovery at the design of its data (own_design: repeats)")
    parts = list(table.groupby("dataset", sort=False))
    size = max(len(rows["model"].unique()) for _, rows in parts)
    figure = Figure(figsize=(WIDTH, (0.28 * size + 2.1) * len(parts)), layout="constrained")
    panels = figure.subplots(len(parts), 2, squeeze=False)
    for (dataset, rows), (left, right) in zip(parts, panels, strict=True):
        names = list(dict.fromkeys(rows["model"]))
        labels = [short(get_model(name).label) for name in names]
        for panel, value, title in ((left, "share", "best, given the true"), (right, "inversion", "true, given the best")):
            held = rows.pivot(index="model", columns="best", values=value).loc[names, names].to_numpy(dtype=float)
            panel.imshow(held, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
            for (i, j), share in np.ndenumerate(held):
                if np.isfinite(share) and share >= 0.005:
                    colour = "white" if share > 0.55 else INK
                    panel.text(j, i, f"{share:.2f}".lstrip("0"), ha="center", va="center", color=colour, fontsize=7)
            panel.set_xticks(range(len(names)), labels, rotation=40, ha="right")
            panel.set_yticks(range(len(names)), labels if panel is left else [""] * len(names))
            panel.set_title(f"{broken(data_label(dataset, results.cases))}: {title}" if len(parts) > 1 else title)
            panel.set_xlabel("model that is best")
        left.set_ylabel("model that made the choices")
    return figure


def recovered(results: Results) -> Figure:
    """Per data set, model and parameter a panel: what was found over what was true."""
    table = results.tables.get("recovered_people")
    if table is None or not len(table):
        return Nothing("the study asks for no recovery at the design of its data (own_design: repeats)")
    parts = list(table.groupby(["dataset", "model", "parameter"], sort=False))
    across = 6
    lines = -(-len(parts) // across)
    figure = Figure(figsize=(WIDTH, 1.45 * lines + 0.2), layout="constrained")
    panels = figure.subplots(lines, across, squeeze=False).ravel()
    for panel, ((_, model, parameter), rows) in zip(panels, parts, strict=False):
        known = rows.dropna(subset=["true", "estimate"])
        if len(known):
            ends = [min(known["true"].min(), known["estimate"].min()), max(known["true"].max(), known["estimate"].max())]
            panel.plot(ends, ends, color=FAINT, linewidth=0.7)
            panel.plot(known["true"], known["estimate"], "o", color=WIN, markersize=2.2, alpha=0.6, markeredgewidth=0)
        panel.set_title(f"{broken(short(get_model(model).label), 22)}\n{parameter}", fontsize=6.5)
        panel.tick_params(labelsize=6)
    for panel in panels[len(parts) :]:
        panel.set_visible(False)
    figure.supxlabel("true", fontsize=8)
    figure.supylabel("estimate", fontsize=8)
    return figure


def _spec(draw: Callable[[Results], Figure], title: str, caption: str, section: str) -> FigureSpec:
    return FigureSpec(draw, title, caption, section=section)


ORDER = 2
FIGURES = {
    "behaviour": _spec(
        behaviour,
        "What people do",
        "Means over people with 95 % intervals. Left: how often a choice is the arm that brought this person most on average in"
        " that session; middle: what choices brought; right: how often a choice repeats the one so many trials before it, by"
        " whether that one brought more than the mean reward.",
        "behaviour",
    ),
    "predicted": _spec(
        predicted,
        "Do the models behave like the people?",
        "Bands: people, 95 % intervals of means; lines: agents with each person's fitted parameters, playing the same design."
        " Left of each pair: choice of the arm that brought most; right: repeated choices after a win (blue) and after none"
        " (orange). A line outside its band is something that the model does not do and people do.",
        "behaviour",
    ),
    "confusion": _spec(
        confusion,
        "Could the models be told apart at this design?",
        "Agents with the fitted parameters of each model played the design of the data. Left: the share of them for whom each"
        " model has the lowest BIC (rows sum to 1); right: the probability of each true model given the best one, if all are"
        " equally likely (columns sum to 1).",
        "recovered",
    ),
    "recovered": _spec(
        recovered,
        "Could the parameters be found again at this design?",
        "Each dot is an agent: the parameter with which it played, and its estimate by the same model; what is not identified"
        " is left out. On the line both are equal.",
        "recovered",
    ),
}
