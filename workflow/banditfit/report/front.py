"""The front page: what to use, what the study found, and where more of it stands."""

from collections.abc import Mapping

import pandas as pd

from ..study.cases import Case
from ..study.catalogue import own_data
from ..tables.guide import Need, chosen, needs, serving
from .page import Page
from .wording import listed, span

MOST = 8  # models in the table of the front page


class Front:
    """What the front page says, from the tables of one study and what its sections found."""

    def __init__(self, page: Page, sections: Mapping[str, dict | None], found: Mapping[str, str]):
        """`found` are sentences by the name of the section that tells more."""
        self._page, self._choices = page, page.tables.get("choices")
        self.of_own_data = all(map(own_data, page.entries.values()))
        self.made = page.made()
        self.findings = page.findings()
        more = [(sentence, name) for name, sentence in found.items()]
        # Who brings data of their own asks about models; other studies are about methods.
        self.findings = [*more, *self.findings] if self.of_own_data else [*self.findings, *more]
        told = {name for name, context in sections.items() if context is not None} | {"outcomes", "corrections"}
        self.findings = [(sentence, topic if topic in told else "results") for sentence, topic in self.findings]
        # The models of one's own data stand on the front page themselves, and methods on a page of their own.
        self.most = MOST
        self.compared = (sections.get("models") or {"parts": []})["parts"] if self.of_own_data else []
        self.glance = page.glance()
        self.glance_sentence = page.glance_sentence()
        self.glance_head = "most accurate" if any(map(page.has_truth, page.cases)) else "best likelihood"
        self.answers = [] if self._choices is None or self.compared else [self._answer(need) for need in needs(page.guide)]

    def _answer(self, need: Need) -> dict:
        """What is chosen for a need: each choice with the data sets where it is made, the most frequent first."""
        page = self._page
        found: dict[tuple[str, ...], list[tuple[Case, pd.DataFrame]]] = {}
        for case in page.cases:
            rows, _ = chosen(self._choices, case, need)
            found.setdefault(tuple(rows["label"]), []).append((case, rows))
        lines = []
        for labels, made in sorted(found.items(), key=lambda item: (not item[0], len(item[0]) > 1, -len(item[1]))):
            where = "; ".join(page.label(case) for case, _ in made)  # labels may have commas
            lines.append(
                {
                    "labels": listed(labels) if labels else "",
                    "sure": len(labels) == 1,
                    "runs": [page.run(run) for run in made[0][1]["run"]],
                    "share": span(pd.Series([100 * rows["share"].iloc[0] for _, rows in made])) if len(labels) == 1 else "",
                    "where": "" if len(found) == 1 else where,
                    "why": "" if labels else self._why(need, [case for case, _ in made]),
                }
            )
        return {"words": need.words, "lines": lines}

    def _why(self, need: Need, cases: list[Case]) -> str:
        """Why nothing is chosen."""
        if need.truth and not any(map(self._page.has_truth, cases)):
            return "no truth to tell by"
        return "none here" if all(serving(self._page.guide, case, need).empty for case in cases) else "not compared"
