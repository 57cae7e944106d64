"""The figures. Each is one function of a judged study, `draw(results) -> Figure`, listed in FIGURES of the module where it
stands; a module of this package that has such a table belongs here at once, in the order below.
"""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from ..files import replacing
from ..study.results import Results
from ..tables.summaries import complete
from . import accuracy, effort, example, guide, likelihoods, population, posterior, published
from ._files import png, svg
from ._style import STYLE, FigureSpec, Nothing

__all__ = ["FIGURES", "Nothing", "draw", "save"]

FIGURES: dict[str, FigureSpec] = {
    name: spec
    for module in (accuracy, likelihoods, effort, posterior, population, published, example, guide)
    for name, spec in module.FIGURES.items()
}


def draw(name: str, results: Results) -> Figure:
    """The figure called `name` in FIGURES; a `Nothing` where the study has nothing for it."""
    with mpl.rc_context(STYLE):
        return FIGURES[name].draw(replace(results, scores=complete(results.scores)))


def save(figure: Figure, stem: str | Path) -> None:
    """Writes `stem`.svg and `stem`.png; the same figure gives the same bytes."""
    with mpl.rc_context(STYLE):
        drawn = {"svg": svg(figure).encode(), "png": png(figure)}
    for kind, content in drawn.items():
        with replacing(f"{stem}.{kind}") as path:
            path.write_bytes(content)
