"""The figures. Each is one function of a judged study, `draw(results) -> Figure`, listed in FIGURES of the module where it
stands. A module of this package that has such a table is found by its name; its ORDER, if it has one, says where its figures
stand among the others of the page.
"""

import pkgutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from ..arguments import checked
from ..errors import InputError
from ..files import replacing
from ..study.entries import by_family
from ..study.results import Results
from ..study.scores import complete, everything
from . import _paper
from ._files import png, svg
from ._style import STYLE, FigureSpec, Nothing, marker_of

if TYPE_CHECKING:
    from ..study.config import Study

__all__ = ["FIGURES", "Nothing", "draw", "draw_all", "draw_for_paper", "marker_of", "paper_figures", "plot", "save"]


def _modules() -> list[ModuleType]:
    """The modules with figures, in the order of the page."""
    found = [import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return sorted((m for m in found if hasattr(m, "FIGURES")), key=lambda module: getattr(module, "ORDER", LAST))


LAST = 100  # the place of a module that does not say one
FIGURES: dict[str, FigureSpec] = {name: spec for module in _modules() for name, spec in module.FIGURES.items()}


def draw(name: str, results: Results) -> Figure:
    """The figure called `name` in FIGURES; a `Nothing` where the study has nothing for it."""
    with mpl.rc_context(STYLE):
        if not results.cases:
            return Nothing("this study fits no data set") if FIGURES[name].of_fits else FIGURES[name].draw(results)
        return _drawn(name, results, FIGURES[name].variants)


def draw_all(results: Results, folder: str | Path, cores: int = 1) -> list[str]:
    """Draws every figure to `folder`, on so many cores; the names of those that have nothing to show, in the page's order."""
    if cores < 2 or sys.platform != "linux":  # elsewhere a process that has drawn cannot be copied safely
        return [name for name in FIGURES if _draw_one(name, results, folder)]
    with ProcessPoolExecutor(cores, get_context("fork"), _inherited.extend, ((results, folder),)) as pool:
        return [name for name, empty in zip(FIGURES, pool.map(_draw_next, FIGURES), strict=True) if empty]


def _draw_one(name: str, results: Results, folder: str | Path) -> bool:
    figure = draw(name, results)
    save(figure, Path(folder) / name)
    return isinstance(figure, Nothing)


# What a process that draws has of the one that it is a copy of: the results and the folder.
_inherited: list[Any] = []


def _draw_next(name: str) -> bool:
    return _draw_one(name, *_inherited)


def _drawn(name: str, results: Results, variants: bool) -> Figure:
    """The figure, of methods in the order of their families, with or without variants (unless there is nothing else)."""
    shown = {run.entry.id: k for k, run in enumerate(by_family(results.runs, variants))}
    runs = [run for run in results.runs if run.entry.id in shown]
    return FIGURES[name].draw(replace(results, runs=sorted(runs, key=lambda run: shown[run.entry.id])))


def draw_for_paper(name: str, results: Results, asked: Mapping[str, Any], stem: str | Path) -> Figure:
    """Draws the figure as `asked` (the key `figures` of a configuration) and writes `stem`.FORMAT for each of its formats."""
    figure, files = _for_paper(name, results, asked)
    _paper.write(files, stem)
    return figure


@checked
def plot(
    study: Results,
    name: str,
    *,
    columns: Literal[1, 2] = 2,
    methods: Sequence[str] = (),
    variants: bool = False,
    datasets: Sequence[str] = (),
    labels: Mapping[str, Any] | None = None,
    font: str = "DejaVu Sans",
    font_size: float = 7.0,
    letters: bool = False,
) -> Figure:
    """A figure of a study that `load_study` has read, such as plot(study, "kl", columns=1, methods=["d_loc", "gem"]), as
    matplotlib's Figure, to be changed or saved as one likes. `name` is one of FIGURES; the others are keys of `figures` in
    config/config.yaml: the width in columns of a page, ids of methods and data sets (all, but variants of methods, if none is
    named), other labels by id, the font and its size in points, and whether panels have letters. Raises InputError for another
    name, or where the study has nothing to draw."""
    if name not in FIGURES:
        raise InputError(f"plot, argument name: found '{name}', expected one of {', '.join(FIGURES)}")
    asked = {"columns": columns, "methods": methods, "variants": variants, "datasets": datasets, "labels": labels or {}}
    look = {"font": font, "font_size": font_size, "letters": letters, "formats": []}
    figure, _ = _for_paper(name, study, asked | look)
    if isinstance(figure, Nothing):
        raise InputError(f"plot, argument name: found '{name}', for which there is nothing to draw, as {figure.reason}")
    return figure


def _for_paper(name: str, results: Results, asked: Mapping[str, Any]) -> tuple[Figure, dict[str, bytes]]:
    variants = bool(asked.get("variants")) or FIGURES[name].variants
    results = _paper.subset(replace(results, scores=complete(everything(results.scores))), asked)
    return _paper.drawn(lambda held: _drawn(name, held, variants), results, asked)


def paper_figures(study: "Study", where: str) -> list[str]:
    """The names of the figures that a study asks for beside those of its report, checked (`_paper.check`)."""
    _paper.check(study, FIGURES, where)
    asked = study.config["figures"]
    return list(asked.get("draw") or FIGURES) if asked else []


def save(figure: Figure, stem: str | Path, formats: Iterable[str] = ("svg",)) -> None:
    """Writes `stem`.svg, or such a file for each of `formats` (svg, png); the same figure gives the same bytes."""
    with mpl.rc_context(STYLE):
        drawn = {kind: svg(figure).encode() if kind == "svg" else png(figure) for kind in formats}
    for kind, content in drawn.items():
        with replacing(f"{stem}.{kind}") as path:
            path.write_bytes(content)
