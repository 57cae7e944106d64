"""The worked examples of the docs: what they say they print they print."""

import re

import pytest

from project import ROOT

EXAMPLES = ["comparison.md", "psychometrics.md", "quick_start.md"]


def blocks(page):
    """The pairs of code and what it prints on a page."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(r"```python\n((?:(?!```).)*)```\n\n```text\n(.*?)```", text, flags=re.DOTALL)


def test_the_site_has_every_page():
    listed = re.findall(r"^(\w+)$", (ROOT / "docs/index.md").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted({page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"})


@pytest.mark.parametrize("page", EXAMPLES)
def test_an_example_prints_what_stands_below_it(page, capsys):
    names: dict = {}
    found = blocks(page)
    assert found
    for code, expected in found:
        exec(code, names)
        printed = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
        assert printed == expected.rstrip("\n"), printed
