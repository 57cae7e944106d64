"""The report: one self-contained page, every number and sentence of which is computed from the study's tables.

A module here that has a `section(tables, runs, cases)` is found by its name: that gives the context of the template of its name
(NAME.html.j2), or None where the study has nothing for it; TITLE is the section's in the table of contents, AFTER the part of
the page that it follows (known, outcomes or corrections), and PLACE, which may be left out, its place among the sections there.
"""

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from ..figures import FIGURES
from ..files import replacing
from ..methods import STATUSES
from ..study.cases import Cases
from ..study.entries import Run
from ..tables.published import CORRECTED, VERDICTS
from ..tables.summaries import CERTIFIED
from .page import Page
from .wording import count, percent, sig


@dataclass(frozen=True)
class Section:
    """A section of the page, as its module says; `context` is its function."""

    title: str
    after: str
    place: int
    context: Callable[[Mapping[str, pd.DataFrame], Iterable[Run], Cases], dict | None]


def _sections() -> dict[str, Section]:
    modules = {m.name: import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)}
    found = {
        name: Section(module.TITLE, module.AFTER, getattr(module, "PLACE", LAST), module.section)
        for name, module in modules.items()
        if hasattr(module, "section")
    }
    return dict(sorted(found.items(), key=lambda item: item[1].place))


LAST = 100  # the place of a section that does not say one
SECTIONS = _sections()


def render(
    path: str | Path,
    *,
    title: str,
    manifest: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    runs: Iterable[Run],
    cases: Cases,
    figures: Mapping[str, str | Path],
) -> None:
    """Writes the page. `manifest` as of provenance.manifest; `tables` all tables of the study by name, of which summary,
    compared, outcomes, comparison, attribution and guide must be there; `figures` the SVG files by name in FIGURES of those
    that have something to show."""
    runs = list(runs)
    page = Page(dict(tables), runs, cases)
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    templates = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters.update(sig=sig, count=count, percent=percent)
    sections = {name: one.context(tables, runs, cases) for name, one in SECTIONS.items()}
    absent = {name for name, found in sections.items() if found is None} | (set() if page.corrected() else {"corrections"})
    shown = {name: file for name, file in figures.items() if FIGURES[name].section not in absent}
    html = templates.get_template("page.html.j2").render(
        title=title,
        result=page.result(),
        glance=page.glance(),
        glance_sentence=page.glance_sentence(),
        glance_head="most accurate" if any(map(page.has_truth, page.cases)) else "best likelihood",
        manifest=manifest,
        config=yaml.safe_dump(manifest["config"], sort_keys=False, allow_unicode=True),
        reading=page.how_read(manifest),
        known=page.known_limitations(manifest),
        experiments=page.experiments(),
        times=page.times(),
        outcomes=page.outcomes(),
        outcome_sentences=page.outcome_sentences(),
        attribution=page.attribution(),
        corrections=page.corrections(),
        cut=page.cut(),
        corrected="corrections" not in absent,
        compared_with_published=len(page.comparison) > 0,
        faults=[correction.fault for correction in CORRECTED.values()],
        statuses={status: meaning for status, meaning in STATUSES.items() if page.counts[status].any()},
        verdicts=VERDICTS,
        certified=CERTIFIED,
        entries={run.entry.id: run.entry for run in page.runs},
        # What a link may lead to.
        anchors={"results", "outcomes", "times", *SECTIONS, "corrections", *(f"figure-{name}" for name in shown)} - absent,
        figures=[
            {
                "name": name,
                "title": FIGURES[name].title,
                "caption": FIGURES[name].caption,
                "section": FIGURES[name].section,
                "source": _inline(file),
            }
            for name, file in shown.items()
        ],
        sections={name: SECTIONS[name] for name, found in sections.items() if found is not None},
        **sections,
    )
    with replacing(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _inline(file: str | Path) -> Markup:
    """The address of an image of its own, so that the ids inside one drawing cannot meet those of another. Written as text,
    a quarter shorter than in base 64; what an address or an attribute may not hold is escaped."""
    text = Path(file).read_text(encoding="utf-8").replace("\n", " ")
    return Markup("data:image/svg+xml;charset=utf-8," + quote(text, safe=" !$'()*+,-./:;<=>?@[]^_`{|}~"))
