"""The report: a small site without a server, every number and sentence of which is computed from the study's tables.

report.html is the front page; each topic has a page of its own in the folder report beside it. A module here that has a
`section(tables, runs, cases)` is found by its name: that gives the context of the template of its name (NAME.html.j2), or None
where the study has nothing for it. TITLE is its title, AFTER the topic whose page it follows (known: it stands before all
others; results, figures, times, outcomes, corrections or glossary), and PLACE, which may be left out, its place among those
there. More may be left out: PAGE, the topic on whose page it stands as a part (its own by default); ABOUT, a line on what it
holds, for the front page; OF_FITS, false if it has something to say where a study fits no data sets; and `finding(context)`
gives a sentence on what it found, for the front page too.
"""

import os
import pkgutil
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

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
from .charts import READING, chart
from .front import Front
from .page import Page
from .terms import terms
from .wording import count, percent, sig


@dataclass(frozen=True)
class Section:
    """A topic, or a part of one, as its module says; `context` is its function."""

    title: str
    after: str
    place: int
    context: Callable[[Mapping[str, pd.DataFrame], Iterable[Run], Cases], dict | None]
    page: str | None
    about: str
    of_fits: bool
    finding: Callable[[dict], str]


def _sections() -> dict[str, Section]:
    modules = {m.name: import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)}
    found = {
        name: Section(
            module.TITLE,
            module.AFTER,
            getattr(module, "PLACE", LAST),
            module.section,
            getattr(module, "PAGE", None),
            getattr(module, "ABOUT", ""),
            getattr(module, "OF_FITS", True),
            getattr(module, "finding", lambda context: ""),
        )
        for name, module in modules.items()
        if hasattr(module, "section")
    }
    return dict(sorted(found.items(), key=lambda item: item[1].place))


LAST = 100  # the place of a section that does not say one
SECTIONS = _sections()


@dataclass(frozen=True)
class Topic:
    """A page: `name` is that of its file, `parts` are the templates that it is made of."""

    name: str
    title: str
    about: str
    parts: tuple[str, ...] = ()


FRONT = Topic("", "", "", ("front",))
OPENING = Topic("", "", "", ("opening",))  # of a study that fits no data sets
FITTED = {"results", "figures", "times", "outcomes", "corrections", "glossary", "limitations"}  # which such a study lacks
CORE = [
    Topic("results", "Results", "every method on every data set, beside the published figures"),
    Topic("figures", "Figures", "accuracy, likelihoods, solvers and starts in pictures"),
    Topic("times", "Times", "what a fit costs"),
    Topic("outcomes", "Failures, fallbacks, bounds", "how fits ended, and what a gap to a bound is made of"),
    Topic("corrections", "Corrections", "what is wrong in the published figures, and what follows"),
    Topic("glossary", "Models, methods, terms", "definitions, with equations"),
    Topic("limitations", "Limitations", "what this study does not tell"),
    Topic("identity", "Identity", "data, versions, machines, configuration"),
]
FOLDER = "report"  # beside the front page, which gives it its name
ASSETS = Path(__file__).parent / "assets"


def _topics(absent: set[str]) -> list[Topic]:
    """The pages of a study that has nothing for what is `absent`, in their order."""
    held = {name: section for name, section in SECTIONS.items() if name not in absent}
    own = {name: section for name, section in held.items() if section.page is None}
    made = lambda name: Topic(name, own[name].title, own[name].about)  # noqa: E731
    known = [topic.name for topic in CORE]
    topics = [made(name) for name, section in own.items() if section.after not in known]
    for core in CORE:
        topics += [core] if core.name not in absent else []
        topics += [made(name) for name, section in own.items() if section.after == core.name]
    parts = lambda topic: (topic.name, *(name for name, section in held.items() if section.page == topic.name))  # noqa: E731
    return [Topic(topic.name, topic.title, topic.about, parts(topic)) for topic in topics]


def render(
    path: str | Path,
    *,
    title: str,
    manifest: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    runs: Iterable[Run],
    cases: Cases,
    figures: Mapping[str, str | Path],
    paper: Iterable[str | Path] = (),
) -> None:
    """Writes the front page to `path` and the topics into the folder of its name (report for report.html). `manifest` as of
    provenance.manifest; `tables` all tables of the study by name, of which summary, compared, outcomes, comparison, attribution
    and guide must be there if the study fits data sets; `figures` the SVG files by name in FIGURES of those that have something
    to show; `paper` the files drawn for a paper, which are linked."""
    path, runs = Path(path), list(runs)
    page = Page(dict(tables), runs, cases) if cases else None
    sections = {name: one.context(tables, runs, cases) if cases or not one.of_fits else None for name, one in SECTIONS.items()}
    absent = {name for name, found in sections.items() if found is None}
    absent |= FITTED if page is None else set() if page.corrected() else {"corrections"}
    absent |= set() if any(FIGURES[name].section == "figures" for name in figures) else {"figures"}
    topics = _topics(absent)
    shown = {name: file for name, file in figures.items() if FIGURES[name].section not in absent}
    found = [(name, sentence) for name, one in SECTIONS.items() if sections[name] and (sentence := one.finding(sections[name]))]
    found.sort(key=lambda item: item[0] == "claims")  # the ledger of what others said comes after what was found
    context = {
        "manifest": manifest,
        "config": yaml.safe_dump(manifest["config"], sort_keys=False, allow_unicode=True),
        "reading": page.how_read(manifest) if page else [],
        **(_context(page, sections, manifest, dict(found)) if page else {}),
        **sections,
        "first": FRONT if page else OPENING,
        "findings": found,
        "title": title,
        "topics": topics,
        "stored": {file.stem for file in (path.parent / "tables").glob("*.csv")},
        "paper": [Path(os.path.relpath(file, path.parent)).as_posix() for file in paper],
        # What a link of the ledger of claims may lead to.
        "anchors": {*(topic.name for topic in topics), *sections, *(f"figure-{name}" for name in shown)} - absent,
        "figures": [
            {
                "name": name,
                "title": FIGURES[name].title,
                "caption": FIGURES[name].caption,
                "section": FIGURES[name].section,
                "source": os.path.relpath(file, path.parent),
                "chart": Markup(chart(name, tables, runs, cases)),
                "reading": READING.get(name, ""),
            }
            for name, file in shown.items()
        ],
    }
    for file, html in _site(context, path).items():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_text(html, encoding="utf-8")
    shutil.copytree(ASSETS, path.with_suffix("") / "assets", dirs_exist_ok=True)


def _context(
    page: Page, sections: Mapping[str, dict | None], manifest: Mapping[str, Any], found: Mapping[str, str]
) -> dict[str, Any]:
    """What the core's templates ask for in a study that fits data sets."""
    return {
        "front": Front(page, sections, found),
        "terms": terms(page),
        "known": page.known_limitations(manifest),
        "experiments": page.experiments(),
        "times": page.times(),
        "clocks": page.clocks(),
        "outcomes": page.outcomes(),
        "outcome_sentences": page.outcome_sentences(),
        "attribution": page.attribution(),
        "corrections": page.corrections(),
        "cut": page.cut(),
        "compared_with_published": len(page.comparison) > 0,
        "faults": [correction.fault for correction in CORRECTED.values()],
        "statuses": {status: meaning for status, meaning in STATUSES.items() if page.counts[status].any()},
        "verdicts": VERDICTS,
        "certified": CERTIFIED,
        "entries": {run.entry.id: run.entry for run in page.runs},
    }


def _site(context: dict[str, Any], path: Path) -> dict[Path, str]:
    """Every page by its file. Links are written by the name of what they lead to alone; the page it stands on is put in
    here."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    templates = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters.update(sig=sig, count=count, percent=percent)
    folder = path.with_suffix("")
    files = {topic: folder / f"{topic.name}.html" if topic.name else path for topic in (context["first"], *context["topics"])}
    bodies = {}
    for topic in files:
        first = topic is context["first"]
        root, assets = ("", f"{folder.name}/assets/") if first else ("../", "assets/")
        held = {**context, "topic": topic, "root": root, "assets": assets}
        bodies[topic] = held, templates.get_template("_body.html.j2").render(held)
    pages = {
        file: templates.get_template("_page.html.j2").render(
            held, body=Markup(body), parts=_parts(body), charts='class="chart"' in body, tables='class="scroll"><table' in body
        )
        for (held, body), file in zip(bodies.values(), files.values(), strict=True)
    }
    places = {name: file for file, html in pages.items() for name in re.findall(r' id="([^"]+)"', html)}
    # A topic stands on the page of its name, whatever else has it for an id.
    places |= {topic.name: file for topic, file in files.items() if topic.name}
    return {file: _linked(html, file, places) for file, html in pages.items()}


def _parts(body: str) -> list[tuple[str, Markup]]:
    """The parts of a page that its menu names: id and title of those headings that have an id, and of figures."""
    named = r'<h3 id="([^"]+)"[^>]*>(.*?)</h3>|<figure id="([^"]+)">\s*<h3>(.*?)</h3>'
    return [(a or b, Markup(x or y)) for a, x, b, y in re.findall(named, body)]


def _linked(html: str, file: Path, places: Mapping[str, Path]) -> str:
    def to(link: re.Match) -> str:
        place = places.get(link[1], file)
        where = "" if place == file else Path(os.path.relpath(place, file.parent)).as_posix()
        whole = where if where and link[1] in (place.stem, "top") else f"{where}#{link[1]}"
        return f'href="{whole}"'

    return re.sub(r'href="#([^"]+)"', to, html)
