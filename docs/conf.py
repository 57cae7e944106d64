"""The documentation as a site: the pages of this folder and the docstrings of the library, by Sphinx (`make docs`).

Nothing is loaded from elsewhere, when it is built or read: formulas become MathML, which browsers draw themselves.
"""

import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

import banditfit  # noqa: E402

project, release = "banditfit", banditfit.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["notebooks"]
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
    translator.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def plain(app, what, name, of, options, lines: list[str]) -> None:
    """Docstrings are plain text: what is aligned in columns stays so, and the rest has no markup but code."""
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines[:] = "\n\n".join(map(_block, blocks)).split("\n") + [""]


def _block(block: str) -> str:
    in_columns = re.compile(r"\s|.*\S {2,}\S|>>>|- ")
    if any(map(in_columns.match, block.split("\n"))):
        return "::\n\n" + "\n".join(f"    {line}" for line in block.split("\n"))
    parts = re.split(r"(`[^`]+`)", block.replace("\\", "\\\\"))
    return "".join(f"`{part}`" if part.startswith("`") else re.sub(r"([*|_])", r"\\\1", part) for part in parts)


def setup(app) -> None:
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    app.connect("autodoc-process-docstring", plain)
