"""Players of sequential games: how well their decisiveness is recovered, beside what was published."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..study.cases import Cases
from ..study.entries import Run
from ..study.store import finished_table
from .wording import count, counted, headed, listed, sig

TITLE, AFTER, PLACE = "Players of games", "outcomes", 2
ABOUT = "how decisive players of peg solitaire are, by a value function that all share"
OF_FITS = False
WITHIN = 1.05  # the target: RMSE by the oracle's
HOLD = (0.93, 0.97)  # coverage


def section(tables: Mapping[str, pd.DataFrame], runs: Iterable[Run], cases: Cases) -> dict | None:
    """Recovery, held-out games, external validity; None where a study measures no players."""
    table = tables.get("psychometrics")
    if table is None or not len(table):
        return None
    held_out, validity = tables["psychometrics_held_out"], tables["psychometrics_validity"]
    ours = table[(table["run"] == "mdp_gem") & (table["players"] == "shared")]
    return {
        "sentences": sentences(ours),
        "rows": [{**row, "words": _words(row)} for row in table.to_dict("records")],
        "held_out": [{**row, "words": _words(row)} for row in held_out.to_dict("records")],
        "validity": [{**row, "words": _words(row)} for row in validity.to_dict("records")],
        "failed": int(table["failed"].sum()),
    }


def finding(context: dict) -> str:
    return context["sentences"][0] if context["sentences"] else ""


def _words(row: Mapping) -> dict[str, str]:
    return {name: str(row[name]).replace("_", " ") for name in ("design", "board", "players", "run")}


def sentences(ours: pd.DataFrame) -> list[str]:
    """What `mdp_gem` reaches on players who share their values, beside the targets: the paper's RMSE and times, the oracle, and
    coverage. `ours` are its rows of the table `psychometrics`."""
    said = []
    theirs = ours[ours["published_rmse"].notna()]
    if len(theirs):
        below = listed(f"{sig(r.rmse)} ({sig(r.published_rmse)})" for r in theirs.itertuples())
        names = listed(row.board.replace("_", " ") for row in theirs.itertuples())
        speed = theirs["published_seconds"] / theirs["cpu_seconds"]
        said.append(
            f"With as many players and games as the paper, mdp_gem recovers log β with RMSE {below} on {names} (in brackets the"
            f" paper's), in {sig(speed.min())} to {sig(speed.max())} times less"
            " processor time than the paper's wall time."
        )
    known = ours[ours["oracle"].notna()]
    if len(known):
        worst = known.loc[known["oracle"].idxmax()]
        near = int((known["oracle"] <= WITHIN).sum())
        said.append(
            f"Its RMSE is at most {WITHIN:g} times that of an oracle who knows the true values in {count(near)} of"
            f" {counted(len(known), 'row')}; at most {worst['oracle']:.3f} times, on {worst['board'].replace('_', ' ')} with"
            f" {count(worst['participants'])} players of {counted(int(worst['games']), 'game')}."
        )
    whole = ours[ours["n"] * ours["participants"] >= 100]
    if len(whole):
        shares = ", ".join(f"{share:.3f}" for share in whole["coverage"])
        inside = int(whole["coverage"].between(*HOLD).sum())
        said.append(
            f"Of its 95 % intervals, {shares} hold the truth: {count(inside)} of {count(len(whole))} shares lie within"
            f" {HOLD[0]:g} to {HOLD[1]:g}."
        )
    return said


def _cell(number: float) -> str:
    return "" if np.isnan(number) else f"{number:.3g}"


def markdown(folder: Path) -> list[str]:
    """The tables `psychometrics` and `psychometrics_held_out` of a finished study, whose results lie in `folder`, and what they
    say, in Markdown: those of docs/psychometrics.md. Raises InputError if one is not there."""
    table, held_out = (finished_table(folder / f"tables/{name}.csv") for name in ("psychometrics", "psychometrics_held_out"))
    head = ["design", "board", "players", "run", "RMSE", "offset-free", "r", "coverage", "missing", "× oracle", "paper"]
    lines = headed([*head, "s", "paper's s", "weight"])
    for row in table.itertuples():
        numbers = [row.rmse, row.free_rmse, row.r, row.coverage, row.missing, row.oracle, row.published_rmse, row.cpu_seconds]
        numbers += [row.published_seconds]
        cells = [row.design, row.board, row.players, row.run, *map(_cell, numbers), row.bellman]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", *sentences(table[(table["run"] == "mdp_gem") & (table["players"] == "shared")]), ""]
    lines += headed(["design", "board", "players", "run", "nll per held-out choice", "above the best"])
    for row in held_out.itertuples():
        above = f"{row.gap:.4f} ± {row.gap_se:.4f}" if row.gap else "0"
        lines.append(f"| {row.design} | {row.board} | {row.players} | {row.run} | {row.nll:.4f} | {above} |")
    return lines
