"""What charts that readers can turn are made of: the look of a method, axes, menus; in Plotly's terms."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..figures import marker_of
from ..study.entries import Run

# Plotly's names of the markers that the other figures have.
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "P": "cross",
    "X": "x",
    "*": "star",
    "p": "pentagon",
    "d": "diamond-tall",
}
LINE = 9  # pixels between two methods of a data set
# Below the panel, whatever it takes.
LEGEND = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "groupclick": "toggleitem"}


def _trace(run: Run, **more: Any) -> dict[str, Any]:
    """A trace in the look of a method; its variants wait in the legend."""
    marker = {"color": run.entry.colour, "symbol": SYMBOLS[marker_of(run.entry)], "size": 9}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": run.entry.label,
        "legendgroup": run.entry.family,
        "legendgrouptitle": {"text": run.entry.family},
        "visible": "legendonly" if run.entry.variant else True,
        "marker": marker,
        "hovertemplate": "%{text}<extra></extra>",
        **more,
    }


def _hovered(run: Run, words: str) -> dict[str, Any]:
    """A line in the look of a method, whose points say `words` under the pointer."""
    return _trace(run, mode="lines+markers", hovertemplate=f"<b>{run.entry.label}</b><br>{words}<extra></extra>")


def _numbers(values: Iterable[float]) -> list[float | None]:
    """Numbers to four digits, which is more than a screen shows; None for what is none."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in map(float, values)]


def _rows(labels: list[str]) -> dict[str, Any]:
    """A vertical axis with a row for each of these, the first at the top."""
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": [label.replace(", ", ",<br>", 1) for label in labels],
        "range": [len(labels) - 0.5, -0.5],
        "automargin": True,
        "showgrid": False,
        "fixedrange": True,
    }


def _offsets(runs: list[Run]) -> dict[str, float]:
    """Where each run stands within the row of a data set; variants, which wait in the legend, between the others."""
    place, places = 0.0, {}
    for run in runs:
        places[run.id] = place - 0.5 if run.entry.variant and place else place
        place += not run.entry.variant
    whole = max(place, 1.0)
    return {run: 0.8 * ((at + 0.5) / whole - 0.5) for run, at in places.items()}


def _height(order: list, runs: list[Run]) -> float:
    """Of a chart with a row for each data set and a line in it for each of these methods, with its legend, in pixels."""
    return 300 + 7 * len(runs) + len(order) * max(48, LINE * sum(not run.entry.variant for run in runs))


def _layout(height: float, x: str, log: bool = True, **more: Any) -> dict[str, Any]:
    axis = {"title": {"text": x}, "automargin": True} | ({"type": "log"} if log else {})
    margin = {"l": 10, "r": 10, "t": 10, "b": 10}
    return {"height": height, "margin": margin, "xaxis": axis, "legend": LEGEND, "hovermode": "closest"} | more


def _menu(height: float, axes: tuple[dict, dict], traces: list[dict], held: Mapping[str, list[dict]]) -> dict[str, Any]:
    """A chart of these traces, on these two axes, with a menu of what they show: by label, what each trace has then."""

    def shown(of_traces: list[dict]) -> dict[str, list]:
        return {name: [one[name] for one in of_traces] for name in of_traces[0]}

    first = next(iter(held.values()))
    buttons = [{"label": label, "method": "restyle", "args": [shown(of_traces)]} for label, of_traces in held.items()]
    menu = [{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.12, "yanchor": "top"}] if len(held) > 1 else []
    layout = _layout(height, "", log=False, yaxis={"automargin": True} | axes[1], updatemenus=menu)
    layout["xaxis"] |= axes[0]
    layout["margin"]["t"] = 60
    return {"data": [trace | one for trace, one in zip(traces, first, strict=True)], "layout": layout}


def _spread(rows: pd.DataFrame) -> dict[str, Any]:
    """The way from medians to quartiles, as error bars have it."""
    ends = {"array": _numbers(rows["q75"] - rows["median"]), "arrayminus": _numbers(rows["median"] - rows["q25"])}
    return {"type": "data", "symmetric": False, "thickness": 1, "width": 0, **ends}
