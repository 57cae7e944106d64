"""The tests of claims about players of sequential games: of the tables that the experiment `psychometrics` finds."""

import numpy as np
import pandas as pd

from .claim_cases import Case, Evidence, NotTested, _side

LEAST_SIGMA = 0.9  # of the true one: what a small-sample bias may take off
TRUE_SIGMA = 0.75  # of the players that the experiment simulates
CLAIMED = 0.58  # RMSE with little data


def _rows(evidence: Evidence, *runs: str, table: str = "psychometrics") -> pd.DataFrame:
    """The rows of these runs, where a study has all of them."""
    found = evidence.tables.get(table, pd.DataFrame({"run": []}))
    if lacking := [run for run in runs if run not in set(found["run"])]:
        raise NotTested(f"this study measures no players of sequential games by {lacking[0]}")
    return found[found["run"].isin(runs)]


def _pairs(table: pd.DataFrame, one: str, other: str) -> list[tuple[str, pd.Series, pd.Series]]:
    """What both runs did: where, in words, and the row of each."""
    found = []
    for (design, board, players), part in table.groupby(["design", "board", "players"], sort=False):
        by_run = part.set_index("run")
        if {one, other} <= set(by_run.index):
            words = f"{board}, players of {players}, design {design}"
            found.append((words.replace("_", " "), by_run.loc[one], by_run.loc[other]))
    return found


def learned_value(evidence: Evidence) -> list[Case]:
    return [
        Case("", f"RMSE of log β, mdp_gem to mdp_mm, {words}", ratio, np.nan, np.nan, _n(ours), "yes" if ratio < 1.0 else "no")
        for words, ours, theirs in _pairs(_rows(evidence, "mdp_gem", "mdp_mm"), "mdp_gem", "mdp_mm")
        for ratio in [ours["rmse"] / theirs["rmse"]]
    ]


def _n(row: pd.Series) -> int:
    """How many players a row tells of."""
    return int(row["n"] * row["participants"])


def log_beta_of_players(evidence: Evidence) -> list[Case]:
    cases = []
    for row in _rows(evidence, "mdp_gem").itertuples():
        words = f"{row.board}, players of {row.players}, design {row.design}".replace("_", " ")
        n = row.n * row.participants
        what = f"players whose log posterior is convex somewhere, {words}"
        cases.append(Case("", what, row.convex, np.nan, np.nan, n, "no" if row.convex > 0 else "yes"))
        cases.append(Case("", f"players whom plain Newton steps fail, {words}", row.newton_fails, np.nan, np.nan, n))
    return cases


def own_scale(evidence: Evidence) -> list[Case]:
    table = _rows(evidence, "mdp_gem", "per_state", table="psychometrics_held_out")
    cases = []
    for words, one, own in _pairs(table, "mdp_gem", "per_state"):
        gap, half = own["nll"] - one["nll"], 1.96 * max(own["gap_se"], one["gap_se"])
        held = _side(gap - half, gap + half, 0.0, below=True)
        cases.append(
            Case("", f"nll per held-out choice, above that of one scale, {words}", gap, gap - half, gap + half, one["n"], held)
        )
    return cases


def second_moments(evidence: Evidence) -> list[Case]:
    return [
        Case(
            "",
            f"σ by {row.run} to the true one, {row.board}, {row.games} games".replace("_", " "),
            ratio,
            low,
            high,
            row.n,
            held,
        )
        for row in _rows(evidence, "hard").itertuples()
        for ratio, half in [(row.sigma / TRUE_SIGMA, 1.96 * row.sigma_se / TRUE_SIGMA)]
        for low, high in [(ratio - half, ratio + half)]
        for held in [_side(low, high, LEAST_SIGMA, below=False)]
    ]


def penalty_needed(evidence: Evidence) -> list[Case]:
    cases = []
    for words, chosen, none in _pairs(_rows(evidence, "mdp_gem", "no_penalty"), "mdp_gem", "no_penalty"):
        for row, name in ((chosen, "the weight chosen"), (none, "no penalty")):
            low, high = row["rmse"] - 1.96 * row["rmse_se"], row["rmse"] + 1.96 * row["rmse_se"]
            held = "" if row is none else _side(low, high, CLAIMED, below=True)
            cases.append(Case("", f"RMSE of log β with {name}, {words}", row["rmse"], low, high, int(row["n"]), held))
        ratio = chosen["rmse"] / none["rmse"]
        cases.append(
            Case("", f"the one to the other, {words}", ratio, np.nan, np.nan, int(chosen["n"]), "yes" if ratio < 1 else "no")
        )
    return cases
