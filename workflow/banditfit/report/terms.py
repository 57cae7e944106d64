"""What the glossary says: the study's models and methods, and what a policy KL means in choices."""

import math
from importlib import import_module
from typing import Any

from markupsafe import Markup

from ..methods import get_method
from ..models.families import get_model
from ..models.terms import TERMS
from .page import Page
from .wording import count, sig

ODDS = 20  # against 1: choices that tell two policies apart this surely
EXAMPLES = (0.0003, 0.003, 0.03, 0.3)  # nats, the range of the medians of the published data

# How the trace z of a term moves, by arm i; c is the chosen arm and r its reward. A term without one is told in words.
_EQUATIONS = {
    "forgetting": "z<sub>i</sub> ← (1 − α) z<sub>i</sub> + α r [i = c]",
    "rescorla_wagner": "Q<sub>c</sub> ← Q<sub>c</sub> + α (r − Q<sub>c</sub>)",
    "dual_rates": "Q<sub>c</sub> ← Q<sub>c</sub> + α<sub>±</sub> (r − Q<sub>c</sub>), α<sub>+</sub> where r &gt; Q<sub>c</sub>",
    "unchosen_decay": "Q<sub>i</sub> ← (1 − α<sub>F</sub>) Q<sub>i</sub>, i ≠ c",
    "choice_kernel": "C<sub>i</sub> ← C<sub>i</sub> + α<sub>C</sub> ([i = c] − C<sub>i</sub>)",
    "perseveration": "C<sub>i</sub> ← [i = c]",
    "bias": "x<sub>i</sub> = … + b<sub>i</sub>, b<sub>0</sub> = 0",
    "lapse": "P<sub>i</sub> = (1 − ε) softmax(x)<sub>i</sub> + ε / m",
}


def terms(page: Page) -> dict[str, Any]:
    """The context of the glossary, for one study."""
    models = [get_model(name) for name in dict.fromkeys(case.model for case in page.cases)]
    used = [term.strip().split("(")[0] for model in models for term in model.terms.split("+")]
    entries = {run.entry.id: run.entry for run in page.runs}
    return {
        "truth": any(map(page.has_truth, page.cases)),
        "models": [
            {
                "label": model.label,
                "terms": model.terms,
                "citation": model.citation,
                "parameters": ", ".join(model.symbols.values()),
            }
            for model in models
        ],
        "used": [
            {"name": name, "words": TERMS[name].words, "equation": Markup(_EQUATIONS.get(name, ""))}
            for name in dict.fromkeys(used)
            if name in TERMS
        ],
        "methods": [
            {
                "entry": entry,
                "does": _summary(entry.method),
                "code": f"methods/{entry.method}.py",
                "needs": get_method(entry.method).needs,
            }
            for entry in entries.values()
        ],
        "examples": [_meaning(nats) for nats in EXAMPLES],
        "odds": ODDS,
    }


def _summary(method: str) -> str:
    """What the module of a method says it is."""
    text = import_module(f"{__package__.rpartition('.')[0]}.methods.{method}").__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split("; see")[0].replace("`", "").split())


def _meaning(nats: float) -> dict[str, str]:
    """What a policy KL of so many nats amounts to where two arms are equally good: by how many percentage points a choice
    probability is off, p log(p / q) + (1 - p) log((1 - p) / (1 - q)) at p = 1/2; by how much the mean (geometric) probability
    of a choice falls; and after how many choices the truth is ODDS times as likely as the fit."""
    off = math.sqrt(1.0 - math.exp(-2.0 * nats)) / 2.0
    return {
        "nats": f"{nats:g}",
        "points": f"{100 * off:.2g}",
        "less": f"{100 * (1 - math.exp(-nats)):.2g}",
        "choices": count(float(f"{math.log(ODDS) / nats:.2g}")),
        "odds": sig(math.exp(200 * nats)),
    }
