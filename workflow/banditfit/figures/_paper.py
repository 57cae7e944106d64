"""Figures for a paper: those of the report as the key `figures` of a configuration asks for them, in the width of a journal's
columns, with other labels, fewer methods or data sets, another font, and letters for the panels.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib import font_manager
from matplotlib.figure import Figure

from ..errors import InputError
from ..files import replacing
from ..study.entries import Run
from ..study.results import Results
from ._style import PAGE, STYLE

if TYPE_CHECKING:
    from ..study.config import Study

COLUMNS = {1: 3.5, 2: 7.2}  # inches: 89 and 183 mm, as most journals have them
DPI = 300


def check(study: "Study", known: Mapping[str, Any], where: str) -> None:
    """Raises InputError with one sentence where `figures` of a configuration names what the study does not have: a figure
    (`known` are all), a method, a data set, something to label, or a font that is not installed."""
    asked = study.config["figures"]
    if not asked:
        return
    entries = {run.entry.id for run in study.runs.values()}
    names = {"draw": known, "methods": entries, "datasets": study.catalogue}
    for key, allowed in names.items():
        for name in asked.get(key) or ():
            if name not in allowed:
                raise InputError(f"{where}: figures.{key} has {name!r}, expected one of {', '.join(allowed)}")
    for name in asked.get("labels", {}):
        if name not in entries | set(study.catalogue):
            allowed = ", ".join([*entries, *study.catalogue])
            raise InputError(f"{where}: figures.labels has {name!r}, expected the id of a method or data set: {allowed}")
    font = asked.get("font", STYLE["font.family"])
    if font not in font_manager.get_font_names():
        raise InputError(f"{where}: figures.font is {font!r}, expected the name of an installed font, such as 'DejaVu Sans'")


@dataclass(frozen=True)
class _Subset(Mapping[str, pd.DataFrame]):
    """Tables with the rows of some runs and data sets alone, under other labels."""

    tables: Mapping[str, pd.DataFrame]
    dropped: frozenset[str]
    datasets: frozenset[str]
    labels: Mapping[str, str]

    def __getitem__(self, name: str) -> pd.DataFrame:
        table = self.tables[name]
        if "run" in table:
            table = table[~table["run"].isin(self.dropped)]
        if "dataset" in table:
            table = table[table["dataset"].isin(self.datasets)]
        if {"run", "label"} <= set(table):
            table = table.assign(label=table["run"].map(self.labels).fillna(table["label"]))
        return table

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)


def subset(results: Results, asked: Mapping[str, Any]) -> Results:
    """The study with the methods and data sets that are asked for, under the labels that are."""
    labels, methods = asked.get("labels", {}), asked.get("methods")
    runs = [_labelled(run, labels, bool(methods)) for run in results.runs if not methods or run.entry.id in methods]
    datasets = frozenset(asked.get("datasets") or {case.dataset for case in results.cases})
    dropped = frozenset(run.id for run in results.runs) - {run.id for run in runs}
    cases = {
        case: replace(entry, label=labels.get(case.dataset, entry.label))
        for case, entry in results.cases.items()
        if case.dataset in datasets
    }
    some = lambda table: table[~table["run"].isin(dropped) & table["dataset"].isin(datasets)]  # noqa: E731
    tables = _Subset(results.tables, dropped, datasets, {run.id: run.entry.label for run in runs})
    return replace(results, scores=some(results.scores), examples=some(results.examples), runs=runs, cases=cases, tables=tables)


def _labelled(run: Run, labels: Mapping[str, str], asked_for: bool) -> Run:
    """The run under another label; whoever is asked for by name is no mere variant."""
    entry = replace(run.entry, label=labels.get(run.entry.id, run.entry.label), variant=run.entry.variant and not asked_for)
    return replace(run, entry=entry, label=entry.label + run.label.removeprefix(run.entry.label))


def drawn(draw: Any, results: Results, asked: Mapping[str, Any]) -> tuple[Figure, dict[str, bytes]]:
    """The figure that `draw(results)` gives, of what `subset` has left, in the look that is asked for; and it as a file by
    format. The same figure gives the same bytes."""
    size = asked.get("font_size", 7)
    style = STYLE | {
        "font.family": asked.get("font", STYLE["font.family"]),
        "font.size": size,
        "axes.titlesize": size + 0.5,
        "legend.fontsize": size,
        "pdf.fonttype": 42,  # text that journals can search and embed
    }
    width = COLUMNS[asked.get("columns", 2)]
    before = PAGE.set(width)
    try:
        with mpl.rc_context(style):
            figure = draw(results)
            figure.set_figwidth(width)
            if asked.get("letters", False):
                _letter(figure)
            return figure, {kind: _file(figure, kind) for kind in asked.get("formats", ["svg", "pdf", "png"])}
    finally:
        PAGE.reset(before)


def _letter(figure: Figure) -> None:
    """Puts a, b, c, ... before the titles of the panels; in a table of panels, whose columns have titles, beside its rows."""
    panels, letters = [ax for ax in figure.axes if ax.axison], "abcdefghijklmnopqrstuvwxyz"
    if any(ax.get_title() for ax in panels):
        for letter, ax in zip(letters, (ax for ax in figure.axes if ax.get_subplotspec().is_first_col()), strict=False):
            ax.annotate(letter, (0, 1), (-14, 1), "axes fraction", "offset points", ha="right", fontweight="bold")
        return
    for letter, ax in zip(letters, panels, strict=False):
        ax.set_title(f"{letter}  {ax.get_title(loc='left')}".rstrip(), loc="left")


def _file(figure: Figure, kind: str) -> bytes:
    """A file of exactly the figure's width."""
    dated = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=DPI, metadata=dated.get(kind, {"Software": None}))
    return file.getvalue()


def write(files: Mapping[str, bytes], stem: str | Path) -> None:
    """Writes each file of `drawn` as `stem`.FORMAT."""
    for kind, content in files.items():
        with replacing(f"{stem}.{kind}") as path:
            path.write_bytes(content)
