"""What Monte Carlo's chains say of themselves, and how far they are from the exact posterior."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
import pandas as pd
from scipy import stats

from ..arguments import checked
from ..kinds import Table
from ..study.cases import KEYS, Cases
from ..study.entries import Run
from ..study.results import Results
from ..study.scores import only
from ..study.store import objects
from . import Maker

LIMITS = (1.96, 2.58)  # standard errors beyond which a normal error lies with a probability of 5 % and 1 %
DIAGNOSTICS = ("r_hat", "ess_bulk", "ess_tail", "divergences", "e_bfmi", "draws_per_second")
JUDGED = (*KEYS, "run", "method", "episode", "status", "settings", "fallback", "diagnostics", "posterior", "alpha", "beta")
Scores = Annotated[pd.DataFrame, Table("a table of scores, as bf.score returns it", JUDGED, empty=True)]


@checked
def diagnostics(scores: Scores) -> pd.DataFrame:
    """The diagnostics of all Monte Carlo fits in judged scores: one row per dataset, model, run and diagnostic.

    Columns: dataset, model, run, diagnostic (of DIAGNOSTICS), n (fits that have it), min, q05, median, q95, max; bar (what a
    fit must reach, in words; empty where there is none) and failing (fits that do not); and, the same for every diagnostic of a
    run, sampled_again (fits whose first chains failed some bar) and not_converged (whose second did too)."""
    rows = []
    for (dataset, model, run), fits in scores[scores["method"] == "mc"].groupby([*KEYS, "run"], sort=False):
        ended = fits[fits["diagnostics"].notna()]
        ended = ended.assign(diagnostics=objects(ended["diagnostics"]))
        found = pd.DataFrame(ended["diagnostics"].tolist())
        if found.empty:
            continue
        failing = [_complaints(fit.diagnostics, fit.settings) for fit in ended.itertuples()]
        bars = _complaints(dict.fromkeys(DIAGNOSTICS, np.nan), fits["settings"].iloc[0])  # nothing passes
        for name in DIAGNOSTICS:
            rows.append(
                {
                    "dataset": dataset,
                    "model": model,
                    "run": run,
                    "diagnostic": name,
                    "n": len(found),
                    **dict(
                        zip(("min", "q05", "median", "q95", "max"), found[name].quantile([0, 0.05, 0.5, 0.95, 1]), strict=True)
                    ),
                    "bar": bars.get(name, ""),
                    "failing": sum(name in words for words in failing),
                    "sampled_again": int((fits["fallback"] != "").sum()),
                    "not_converged": int((fits["status"] == "not_converged").sum()),
                }
            )
    columns = [*KEYS, "run", "diagnostic", "n", "min", "q05", "median", "q95", "max", "bar", "failing"]
    return pd.DataFrame(rows, columns=[*columns, "sampled_again", "not_converged"])


def _complaints(found: Mapping[str, float], settings: str) -> dict[str, str]:
    """The diagnostics that fail, each with its bar in words."""
    from ..methods import mc

    words = mc.complaints(found, mc.METHOD.read_settings("mc", json.loads(settings)))
    return dict(re.findall(r"(\w+) is [^,]+, expected ([^;]+)", words))


@checked
def errors(scores: Scores) -> pd.DataFrame:
    """The error of every Monte Carlo mean in judged scores, in its own standard errors: z = (mean - exact mean) / MCSE, for
    every converged fit of `mc` that has a counterpart by `quadrature` under the same priors.

    MCSE = sd / sqrt(ESS), with the fit's own sd and the smallest bulk ESS among its parameters, the one its row carries: for
    the other parameters MCSE is somewhat too large, and z too small. Columns: dataset, model, run, episode, parameter, z."""
    exact = {}
    for fit in _converged(scores, "quadrature").itertuples():
        exact[fit.dataset, fit.model, fit.episode, _priors(fit.settings)] = fit
    rows = []
    for fit in _converged(scores, "mc").itertuples():
        truth = exact.get((fit.dataset, fit.model, fit.episode, _priors(fit.settings)))
        if truth is None or fit.posterior is None:
            continue
        for name in ("alpha", "beta"):
            error = fit.posterior[f"{name}_sd"].item() / np.sqrt(fit.diagnostics["ess_bulk"])
            if error > 0:  # a parameter whose bounds coincide has none
                z = (getattr(fit, name).item() - getattr(truth, name).item()) / error
                if np.isfinite(z):  # nor has one that the choices do not identify
                    rows.append((fit.dataset, fit.model, fit.run, fit.episode, name, z))
    return pd.DataFrame(rows, columns=[*KEYS, "run", "episode", "parameter", "z"])


def _converged(scores: pd.DataFrame, method: str) -> pd.DataFrame:
    fits = scores[(scores["method"] == method) & (scores["status"] == "converged")]
    return fits.assign(**{name: objects(fits[name]) for name in ("diagnostics", "posterior", "alpha", "beta")})


def _priors(settings: str) -> tuple[str, str]:
    read = json.loads(settings)
    return read["prior_alpha"], read["prior_beta"]


@checked
def agreement(scores: Scores) -> pd.DataFrame:
    """How often Monte Carlo is off by more than its own error allows: one row per dataset, model, run, parameter and limit.

    Columns: dataset, model, run, parameter, limit (standard errors), n (fits), beyond (fits whose |z| of `errors` exceeds it),
    share, chance (that share if errors are normal), p_value (probability of so many or more by chance, binomial), z_mean,
    z_sd, z_largest (the z of largest size)."""
    rows = []
    for keys, found in errors(scores).groupby([*KEYS, "run", "parameter"], sort=False):
        z = found["z"].to_numpy()
        for limit in LIMITS:
            chance = 2.0 * stats.norm.sf(limit)
            beyond = int((np.abs(z) > limit).sum())
            p = stats.binomtest(beyond, len(z), chance, alternative="greater").pvalue
            spread = (z.mean(), z.std(), z[np.abs(z).argmax()])
            rows.append((*keys, limit, len(z), beyond, beyond / len(z), chance, p, *spread))
    columns = [*KEYS, "run", "parameter", "limit", "n", "beyond", "share", "chance", "p_value"]
    return pd.DataFrame(rows, columns=[*columns, "z_mean", "z_sd", "z_largest"])


def _sampled(runs: Iterable[Run], cases: Cases) -> bool:
    return any(run.entry.method == "mc" for run in runs)


def sampled(results: Results) -> pd.DataFrame:
    """The scores of Monte Carlo and of what it is compared with."""
    return only(results.scores, *JUDGED, where={"method": ["mc", "quadrature"]})


TABLES = [
    Maker(("diagnostics",), lambda results: (diagnostics(sampled(results)),), _sampled),
    Maker(("agreement",), lambda results: (agreement(sampled(results)),), _sampled),
]
