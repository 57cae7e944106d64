"""The tests of claims about engines of posteriors, and about boxes and priors that are told wrongly: of the tables that the
experiments `engines` and `misspecified` find."""

import numpy as np
import pandas as pd

from .claim_cases import Case, Evidence, NotTested, _side
from .guide import NEAR

EXACT = 0.1  # posterior sds: an error of means that nobody would notice
# By what everybody is taken: full-rank variational inference, Laplace's approximation and quadrature.
ALONE, TOGETHER = ("vi", "laplace", "quadrature"), ("vi_em", "em_laplace", "em")
FLAT = "gem_alone"  # the run whose prior is flat on the box that it is told


def _engines(evidence: Evidence) -> list[tuple[str, pd.DataFrame]]:
    """In words, people of each model and number, alone or together, and the engines that were held against them, by name."""
    found = evidence.tables.get("engines")
    if found is None or found.empty:
        raise NotTested("this study compares no engines of posteriors")
    held = found[found["n"] > 0]
    return [
        (f"{model}, {people} people {'alone' if prior == 'fixed' else 'together'}", part.set_index("engine"))
        for (model, people, prior), part in held.groupby(["model", "people", "prior"], sort=False)
    ]


def _named(rows: pd.DataFrame, place: int) -> pd.Series | None:
    """The row of one of ALONE, or of TOGETHER."""
    name = next((names[place] for names in (ALONE, TOGETHER) if names[place] in rows.index), None)
    return None if name is None else rows.loc[name]


def _judged(what: str, value: float, n: int, holds: bool) -> Case:
    """Without an interval: everybody's exact posterior is known."""
    return Case("", what, float(value), np.nan, np.nan, int(n), "yes" if holds else "no")


def variational_nearer(evidence: Evidence) -> list[Case]:
    pairs = [(words, _named(rows, 0), _named(rows, 1)) for words, rows in _engines(evidence)]
    return [
        _judged(f"error of means, VI to Laplace, {words}", ratio, vi["n"], ratio < 1.0)
        for words, vi, laplace in pairs
        if vi is not None and laplace is not None
        for ratio in [vi["mean_error"] / laplace["mean_error"]]
    ]


def variational_too_narrow(evidence: Evidence) -> list[Case]:
    return [
        _judged(f"sds of VI to the exact, {words}", row["sd_ratio"], row["n"], row["sd_ratio"] < 1.0)
        for words, rows in _engines(evidence)
        for row in [_named(rows, 0)]
        if row is not None
    ]


def quadrature_exact(evidence: Evidence) -> list[Case]:
    return [
        _judged(f"error of means of gem's quadrature, sds, {words}", row["mean_error"], row["n"], row["mean_error"] < EXACT)
        for words, rows in _engines(evidence)
        for row in [_named(rows, 2)]
        if row is not None
    ]


def _wrong(evidence: Evidence) -> list[tuple[str, pd.DataFrame]]:
    found = evidence.tables.get("misspecified")
    if found is None or found.empty:
        raise NotTested("this study tells nobody a wrong box")
    return [
        (f"{population.replace('_', ' ')}, box ×{box:g}", part.set_index("run"))
        for (population, box), part in found.groupby(["population", "box"], sort=False)
    ]


def gem_stays_accurate(evidence: Evidence) -> list[Case]:
    return [
        Case("", f"median KL, gem to the most accurate, {words}", *ends, int(row["replicates"]), held)
        for words, rows in _wrong(evidence)
        if "gem" in rows.index
        for row in [rows.loc["gem"]]
        for ends in [(row["behind"], row["behind_low"], row["behind_high"])]
        for held in [_side(ends[1], ends[2], NEAR, below=True)]
    ]


def flat_prior_misleads(evidence: Evidence) -> list[Case]:
    """In boxes that are too wide alone."""
    return [
        _judged(f"median KL, flat prior to maximum likelihood, {words}", ratio, rows.at[FLAT, "replicates"], ratio > 1.0)
        for words, rows in _wrong(evidence)
        if {FLAT, "profile"} <= set(rows.index) and rows.at[FLAT, "box"] > 1
        for ratio in [rows.at[FLAT, "kl"] / rows.at["profile", "kl"]]
    ]
