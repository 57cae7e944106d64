"""The ledger of claims, with the figures of every test."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ..study.cases import Cases, own
from ..study.cases import published as is_published
from ..study.entries import Run
from ..tables.claims import VERDICTS
from .wording import count, counted, listed

TITLE, AFTER, PLACE = "Claims", "corrections", 1
ABOUT = "what was said of these methods, and whether it holds here"
OF_FITS = False


# Of one claim, and of several.
_WORDS = {
    "holds": ("holds", "hold"),
    "mostly holds": ("mostly holds", "mostly hold"),
    "mixed": ("is mixed", "are mixed"),
    "mostly fails": ("mostly fails", "mostly fail"),
    "does not hold": ("does not hold", "do not hold"),
    "not decided": ("is not decided", "are not decided"),
}


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Every claim with its verdict, and the cases of its test; None where none was tested."""
    ledger, figures = tables.get("claims"), tables.get("claim_figures")
    if ledger is None or not ledger["cases"].any():
        return None
    found = ledger["verdict"].value_counts()
    tested = int(ledger["cases"].gt(0).sum())
    parts = [f"{count(found[v])} {_WORDS[v][int(found[v] > 1)]}" for v in VERDICTS if v in _WORDS and v in found]
    # Most are about the published data: where a study has none of them, what it cannot test is nobody's question.
    published = any(is_published(case, entry) for case, entry in cases.items())
    shown = ledger if published else ledger[ledger["cases"] > 0]
    return {
        "sentence": f"Of {counted(len(ledger), 'claim')}, {count(tested)} are tested here: {listed(parts)}.",
        "verdicts": {name: VERDICTS[name] for name in VERDICTS if name in set(shown["verdict"])},
        "labels": {"": "all", **{case.dataset: entry.label for case, entry in cases.items() if own(case, entry)}},
        "rows": [
            {"claim": row, "figures": list(figures[figures["claim"] == row.claim].itertuples())} for row in shown.itertuples()
        ],
    }


def finding(found: dict) -> str:
    """What it found, for the front page."""
    return found["sentence"]
