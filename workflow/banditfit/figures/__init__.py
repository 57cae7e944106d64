"""The figures. Each is one function of a judged study, `draw(results) -> Figure`, listed in FIGURES of the module where it
stands. A module of this package that has such a table is found by its name; its ORDER, if it has one, says where its figures
stand among the others of the page.
"""

import pkgutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
from matplotlib.figure import Figure

from ..files import replacing
from ..study.results import Results
from ..tables.summaries import complete
from ._files import png, svg
from ._style import STYLE, FigureSpec, Nothing, marker_of

__all__ = ["FIGURES", "Nothing", "draw", "marker_of", "save"]


def _modules() -> list[ModuleType]:
    """The modules with figures, in the order of the page."""
    found = [import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return sorted((m for m in found if hasattr(m, "FIGURES")), key=lambda module: getattr(module, "ORDER", LAST))


LAST = 100  # the place of a module that does not say one
FIGURES: dict[str, FigureSpec] = {name: spec for module in _modules() for name, spec in module.FIGURES.items()}


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
