"""The documentation as a site: the pages of this folder, its notebooks and the docstrings of the library, by Sphinx.

Nothing is loaded from elsewhere, when it is built or read: formulas become MathML, which browsers draw themselves.
"""

import ast
import base64
import html
import io
import json
import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from myst_parser.parsers.sphinx_ import MystParser

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

import banditfit  # noqa: E402

project, release, copyright = "banditfit", banditfit.__version__, "the developers of banditfit"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"banditfit {release}"
html_math_renderer = "mathml"
html_show_sourcelink = False
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # of console lines and configurations with placeholders
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # docstrings say what arguments may be
autodoc_default_options = {"members": True}

# LaTeX that docutils' converter does not know, in what it does.
REWRITTEN = {r"\lVert": r"\|", r"\rVert": r"\|", r"\dots": r"\ldots", r"\Big": "", r"\big": "", r"\tfrac": r"\frac"}


def mathml(tex: str, block: bool) -> str:
    tag = re.search(r"\\tag\{(.*?)\}", tex)
    tex = re.sub(r"\\tag\{.*?\}", "", tex)
    for given, known in REWRITTEN.items():
        tex = re.sub(re.escape(given) + r"(?![a-zA-Z])", lambda _, known=known: known, tex)
    math = tex2mathml(tex, as_block=block)
    return math + (f' <span class="eqno">({tag[1]})</span>' if tag else "")


def inline(translator, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def displayed(translator, node: nodes.math_block) -> None:
    # The theme lets wide formulas scroll sideways; without this it shows a bar for the height of accents too.
    translator.body.append(f'<div class="math" style="overflow-y: hidden">{mathml(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def plain(app, what, name, of, options, lines: list[str]) -> None:
    """Docstrings are plain text: names in a column beside what they mean become a list of definitions, what is otherwise
    aligned in columns stays so, and the rest has no markup but code."""
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines[:] = "\n\n".join(map(_block, blocks)).split("\n") + [""]


def _block(block: str) -> str:
    lines = block.split("\n")
    if re.match(r"\S", block) and all(re.match(r"[^\s>-].*\S {2,}\S|\s+\S", line) for line in lines):
        return _definitions(lines)
    in_columns = re.compile(r"\s|.*\S {2,}\S|>>>|- ")
    if any(map(in_columns.match, lines)):
        return "::\n\n" + "\n".join(f"    {line}" for line in lines)
    return _text(block)


def _definitions(lines: list[str]) -> str:
    told: list[str] = []
    for line in lines:
        if line[0].isspace():
            told.append(f"    {_text(line.strip())}")
        else:
            name, meaning = re.split(r" {2,}", line, maxsplit=1)
            told += [f"`{name}`", f"    {_text(meaning)}"]
    return "\n".join(told)


def _text(text: str) -> str:
    parts = re.split(r"(`[^`]+`)", text.replace("\\", "\\\\"))
    return "".join(f"`{part}`" if part.startswith("`") else re.sub(r"([*|_])", r"\\\1", part) for part in parts)


class Notebooks(MystParser):
    """Notebooks as pages: their cells, run when the page is built, each followed by what Jupyter would show of it."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document) -> None:
        folder, names, page = Path.cwd(), {}, []
        os.chdir(Path(document["source"]).parent)
        try:
            for cell in json.loads(inputstring)["cells"]:
                source = "".join(cell["source"])
                page.append(
                    source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```\n\n{_shown(source, names)}"
                )
        finally:
            os.chdir(folder)
        super().parse("\n\n".join(page), document)


def _shown(source: str, names: dict) -> str:
    """Runs a cell; the value of its last line as a table, a picture or text."""
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), "cell", "exec"), names)
        return ""
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if hasattr(value, "savefig"):
        value.savefig(picture := io.BytesIO(), format="png", dpi=150)
        source = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
        shown = f'<img alt="The figure" style="max-width: 100%" src="{source}">'
    elif hasattr(value, "to_html"):
        shown = value.to_html(border=0, float_format="{:.3g}".format, classes="docutils").replace("\n", "")
    else:
        shown = f"<pre>{html.escape(repr(value))}</pre>"
    return f'```{{raw}} html\n<div style="overflow-x: auto; margin: 1rem 0">{shown}</div>\n```'


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    app.connect("autodoc-process-docstring", plain)
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(Notebooks)
