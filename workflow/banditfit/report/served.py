"""Which methods serve which models: the table of docs/methods.md, from what models offer and methods ask for."""

from ..methods import REQUIREMENTS, get_method, method_names
from ..models.families import MODELS


def served() -> list[str]:
    """The lines of a table in Markdown: a row for each model of config/models.tsv, a column for methods that need the same."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in method_names():
        alike.setdefault(get_method(name).requires, []).append(name)
    groups = sorted(alike.items(), key=lambda group: (len(group[0]), len(group[1])))
    lines = [
        "| model | terms | " + " | ".join(", ".join(f"`{name}`" for name in names) for _, names in groups) + " |",
        "|---|---|" + "---|" * len(groups),
    ]
    for name, model in MODELS.items():
        cells = ["yes" if all(REQUIREMENTS[need][1](model) for need in needs) else "-" for needs, _ in groups]
        lines.append(f"| `{name}` | {model.terms} | {' | '.join(cells)} |")
    return lines
