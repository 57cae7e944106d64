"""What to do with posteriors beyond their rows in a table of fits: judge the chains, hold Monte Carlo against quadrature,
calibrate the sampler, keep draws and look at them.

The draws of an episode follow from its row, so a study keeps only those it is asked for: `draws` brings back the very ones,
and `draws(data, row).to_netcdf(path)` keeps them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..kinds import Count, Number, Probability, Seed, Table
from ..models import likelihood
from ..models.families import PublishedName, get_model
from ..models.simulate import Chances, simulate
from ..parameters import Bounds, Pairs

RANKS = 99  # draws, evenly spaced, among which calibration ranks the truth: nearly independent at the default length
BINS = 20  # of a histogram of ranks; divides RANKS + 1
BAND = 0.99  # probability with which a bar of a histogram of ranks lies in its band if ranks are uniform
LIMITS = (1.96, 2.58)  # standard errors beyond which a normal error lies with a probability of 5 % and 1 %
SHOWN_DRAWS = 250  # per chain, evenly spaced, in a table of draws
CHAINS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # colours, repeated beyond four chains

DRAWS = ("chain", "draw", "divergent", "signal", "arm", "alpha", "beta")
DIAGNOSTICS = ("r_hat", "ess_bulk", "ess_tail", "divergences", "e_bfmi", "draws_per_second")

JUDGED = ("dataset", "run", "method", "episode", "status", "settings", "fallback", "diagnostics", "posterior", "alpha", "beta")
Scores = Annotated[pd.DataFrame, Table("a table of scores, as bf.score returns it", JUDGED, empty=True)]
Ranks = Annotated[pd.DataFrame, Table("a table as posterior.calibrate returns it", ("model", "parameter", "sound", "rank"))]
Fit = Annotated[
    pd.Series, Table("a row of a table of fits, such as fits.iloc[0]", ("method", "model", "episode", "settings", "seed"))
]
Drawn = Annotated[pd.DataFrame, Table("a table as posterior.draw_table returns it", DRAWS)]


# Chains ----------------------------------------------------------------------------------------------------------------


@checked
def diagnostics(scores: Scores) -> pd.DataFrame:
    """The diagnostics of all Monte Carlo fits in judged scores: one row per dataset, run and diagnostic.

    Columns: dataset, run, diagnostic (of DIAGNOSTICS), n (fits that have it), min, q05, median, q95, max; bar (what a fit
    must reach, in words; empty where there is none) and failing (fits that do not); and, the same for every diagnostic of
    a run, sampled_again (fits whose first chains failed some bar) and not_converged (whose second did too)."""
    rows = []
    for (dataset, run), fits in scores[scores["method"] == "mc"].groupby(["dataset", "run"], sort=False):
        ended = fits[fits["diagnostics"].notna()]
        found = pd.DataFrame(ended["diagnostics"].tolist())
        if found.empty:
            continue
        failing = [_complaints(fit.diagnostics, fit.settings) for fit in ended.itertuples()]
        bars = _complaints(dict.fromkeys(DIAGNOSTICS, np.nan), fits["settings"].iloc[0])  # nothing passes
        for name in DIAGNOSTICS:
            rows.append(
                {
                    "dataset": dataset,
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
    columns = ["dataset", "run", "diagnostic", "n", "min", "q05", "median", "q95", "max", "bar", "failing"]
    return pd.DataFrame(rows, columns=[*columns, "sampled_again", "not_converged"])


def _complaints(found: Mapping[str, float], settings: str) -> dict[str, str]:
    """The diagnostics that fail, each with its bar in words."""
    from ..methods import mc

    words = mc.complaints(found, mc.METHOD.read_settings("mc", json.loads(settings)))
    return dict(re.findall(r"(\w+) is [^,]+, expected ([^;]+)", words))


# Against quadrature ----------------------------------------------------------------------------------------------------


@checked
def errors(scores: Scores) -> pd.DataFrame:
    """The error of every Monte Carlo mean in judged scores, in its own standard errors: z = (mean - exact mean) / MCSE, for
    every converged fit of `mc` that has a counterpart by `quadrature` under the same priors.

    MCSE = sd / sqrt(ESS), with the fit's own sd and the smallest bulk ESS among its parameters, the one its row carries:
    for the other parameters MCSE is somewhat too large, and z too small. Columns: dataset, run, episode, parameter, z."""
    exact = {}
    for fit in scores[(scores["method"] == "quadrature") & (scores["status"] == "converged")].itertuples():
        exact[fit.dataset, fit.episode, _priors(fit.settings)] = fit
    rows = []
    for fit in scores[(scores["method"] == "mc") & (scores["status"] == "converged")].itertuples():
        truth = exact.get((fit.dataset, fit.episode, _priors(fit.settings)))
        if truth is None or fit.posterior is None:
            continue
        for name in ("alpha", "beta"):
            error = fit.posterior[f"{name}_sd"].item() / np.sqrt(fit.diagnostics["ess_bulk"])
            if error > 0:  # a parameter whose bounds coincide has none
                z = (getattr(fit, name).item() - getattr(truth, name).item()) / error
                if np.isfinite(z):  # nor has one that the choices do not identify
                    rows.append((fit.dataset, fit.run, fit.episode, name, z))
    return pd.DataFrame(rows, columns=["dataset", "run", "episode", "parameter", "z"])


def _priors(settings: str) -> tuple[str, str]:
    read = json.loads(settings)
    return read["prior_alpha"], read["prior_beta"]


@checked
def agreement(scores: Scores) -> pd.DataFrame:
    """How often Monte Carlo is off by more than its own error allows: one row per dataset, run, parameter and limit.

    Columns: dataset, run, parameter, limit (standard errors), n (fits), beyond (fits whose |z| of `errors` exceeds it),
    share, chance (that share if errors are normal), p_value (probability of so many or more by chance, binomial), z_mean,
    z_sd, z_largest (the z of largest size)."""
    rows = []
    for (dataset, run, parameter), found in errors(scores).groupby(["dataset", "run", "parameter"], sort=False):
        z = found["z"].to_numpy()
        for limit in LIMITS:
            chance = 2.0 * stats.norm.sf(limit)
            beyond = int((np.abs(z) > limit).sum())
            p = stats.binomtest(beyond, len(z), chance, alternative="greater").pvalue
            spread = (z.mean(), z.std(), z[np.abs(z).argmax()])
            rows.append((dataset, run, parameter, limit, len(z), beyond, beyond / len(z), chance, p, *spread))
    columns = ["dataset", "run", "parameter", "limit", "n", "beyond", "share", "chance", "p_value"]
    return pd.DataFrame(rows, columns=[*columns, "z_mean", "z_sd", "z_largest"])


# Calibration -----------------------------------------------------------------------------------------------------------


@checked
def calibrate(
    model: PublishedName,
    *,
    p_reward: Chances,
    p_switch: Probability,
    beta: Pairs,
    n_episodes: Count,
    n_steps: Count,
    seed: Seed,
    episodes: Iterable[Number] | None = None,
) -> pd.DataFrame:
    """Simulation-based calibration of `mc` at its defaults (Talts et al. 2018, arXiv 1804.06788): parameters are drawn from
    the prior and play (arguments as in `simulate`), and each is ranked among draws of its posterior. If sampler and
    likelihood are right, ranks are uniform on 0 .. RANKS. `episodes` are the numbers of those to do now (all).

    Columns: model, episode, sound (the chains passed their diagnostics), parameter ("alpha reward 0": symbol, signal, arm),
    rank."""
    from ..methods import mc

    arms = {"p_reward": p_reward, "p_switch": p_switch, "beta": beta}
    data = simulate(f"calibration_{model}", model, n_episodes=n_episodes, n_steps=n_steps, seed=seed, **arms)
    family, settings = get_model(model), mc.Settings()
    tables = []
    for e in range(n_episodes) if episodes is None else episodes:
        problem = likelihood.problem(data, e, family, data.bounds)
        runs, found = mc.sound_sample(problem, settings, np.random.default_rng([seed, e]))
        posterior = runs[-1].posterior.stack(sample=("chain", "draw"))
        spaced = posterior.isel(sample=np.linspace(0, posterior.sizes["sample"] - 1, RANKS).astype(int))
        for symbol, truth in (("alpha", data.truth.alpha[e]), ("beta", data.truth.beta[e])):
            rank = (spaced[symbol] < truth[..., None]).sum("sample").to_series().rename("rank").reset_index()
            rank.insert(0, "parameter", symbol + " " + rank.pop("signal") + " " + rank.pop("arm"))
            rank.insert(0, "sound", not mc.complaints(found[-1], settings))
            rank.insert(0, "episode", e)
            tables.append(rank)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "model", model)
    return table


@checked
def uniformity(ranks: Ranks) -> pd.DataFrame:
    """Whether ranks of `calibrate` are uniform: one row per model and parameter.

    Columns: model, parameter, n, unsound (episodes whose chains failed their diagnostics; they count), chi_square (of BINS
    bins of equal width, BINS - 1 degrees of freedom), p_value, mean_rank (RANKS / 2 is expected)."""
    rows = []
    for (model, parameter), found in ranks.groupby(["model", "parameter"], sort=False):
        counts = np.bincount(found["rank"] * BINS // (RANKS + 1), minlength=BINS)
        test = stats.chisquare(counts)
        unsound = int((~found["sound"].astype(bool)).sum())
        rows.append((model, parameter, len(found), unsound, test.statistic, test.pvalue, found["rank"].mean()))
    return pd.DataFrame(rows, columns=["model", "parameter", "n", "unsound", "chi_square", "p_value", "mean_rank"])


@checked
def plot_ranks(ranks: Ranks) -> Figure:
    """The histogram of ranks of every parameter in what `calibrate` returned, each with the band in which a bar lies with
    probability BAND if ranks are uniform."""
    parts = list(ranks.groupby(["model", "parameter"], sort=False))
    columns = min(len(parts), 4)
    rows = -(-len(parts) // columns)
    figure = Figure(figsize=(2.25 * columns, 0.4 + 1.25 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for ax, ((model, parameter), part) in zip(axes.ravel(), parts, strict=False):
        low, high = stats.binom.interval(BAND, len(part), 1 / BINS)
        ax.axhspan(low, high, color="0.9", linewidth=0, zorder=0)
        ax.axhline(len(part) / BINS, color="0.6", linewidth=0.6, zorder=0)
        ax.hist(part["rank"], bins=np.linspace(-0.5, RANKS + 0.5, BINS + 1), color=CHAINS[0], alpha=0.8)
        ax.set_title(f"{model}: {_greek(parameter)}", fontsize="medium")
        ax.set_ylim(bottom=0)
    for ax in axes.ravel()[len(parts) :]:
        ax.remove()
    figure.supxlabel("rank of the truth among the draws", fontsize="medium")
    return figure


def _greek(parameter: str) -> str:
    return parameter.replace("alpha", "α").replace("beta", "β").removesuffix(" all")


# Draws -----------------------------------------------------------------------------------------------------------------


@checked
def draws(data: Dataset, row: Fit, bounds: Bounds | None = None):
    """The draws behind one row of a table of `mc` fits, as an arviz.InferenceData, in the user's units; `bounds` are those of
    the row unless given.

    Raises InputError if the row is of another method, or its episode is not in the data."""
    if row["method"] != "mc":
        raise InputError(f"draws: found a fit of method '{row['method']}', expected 'mc'")
    from ..methods import mc

    model = get_model(row["model"])
    own = Bounds.read(row["bounds"]) if "bounds" in row else data.bounds_of(model)
    problem = likelihood.problem(data.select([row["episode"]]), 0, model, bounds or own)
    problem = problem.in_units(problem.own_unit())  # as the fit was made
    settings = mc.METHOD.read_settings("mc", json.loads(row["settings"]))
    drawn = mc.sound_sample(problem, settings, np.random.default_rng(row["seed"]))[0][-1]
    drawn.posterior["beta"] = drawn.posterior["beta"] / problem.unit[:, None]
    return drawn


@checked
def draw_table(inference, most: Count | None = None) -> pd.DataFrame:
    """What `draws` returned as a table, at most `most` evenly spaced draws of each chain (all); columns as in DRAWS."""
    posterior = inference.posterior
    n = posterior.sizes["draw"]
    spaced = np.linspace(0, n - 1, min(n, most or n)).astype(int)
    chosen = posterior[["alpha", "beta"]].assign(divergent=inference.sample_stats["diverging"]).isel(draw=spaced)
    table = chosen.to_dataframe().reset_index()
    return table[list(DRAWS)]


@checked
def plot_draws(table: Drawn) -> Figure:
    """Draws a `draw_table`, one line of panels for each signal and arm (and each `fit`, where it has that column): traces of
    alpha and beta by chain; how each chain's draws rank among all, as a share of those expected (near 1 if the chains agree;
    the band holds a bar of independent draws with probability BAND); and alpha against beta, divergent draws crossed in red.
    """
    named = table.groupby([column for column in ("fit", "signal", "arm") if column in table], sort=False)
    parts = {", ".join([*key[:-1], f"arm {key[-1]}"]).removesuffix(", arm all"): part for key, part in named}
    figure = Figure(figsize=(9.0, 0.3 + 1.35 * len(parts)), layout="constrained")
    grid = figure.subplots(len(parts), 5, squeeze=False, width_ratios=[1.6, 1.6, 1, 1, 1])
    for axes, (name, part) in zip(grid, parts.items(), strict=True):
        axes[0].set_title(name, loc="left", fontsize="medium")
        for symbol, column, trace, histogram in zip("αβ", ("alpha", "beta"), axes[:2], axes[2:4], strict=True):
            _trace(trace, histogram, part.assign(rank=part[column].rank(method="first") - 1), column)
            trace.set_ylabel(symbol)
            histogram.set_ylabel(f"{symbol}, ranks")
        axes[4].plot(part["alpha"], part["beta"], ".", color=CHAINS[0], markersize=1.5, alpha=0.3, rasterized=True)
        divergent = part[part["divergent"].astype(bool)]
        axes[4].plot(divergent["alpha"], divergent["beta"], "x", color="tab:red", markersize=4)
        axes[4].set_ylabel("β against α")
    for ax, label in zip(grid[-1], ("draw", "draw", "rank", "rank", "α"), strict=True):
        ax.set_xlabel(label)
    return figure


def _trace(trace, histogram, part: pd.DataFrame, column: str) -> None:
    chains = list(part.groupby("chain"))
    # At least 25 draws to a bar, so that bars are not noise alone.
    bins = int(np.clip(len(part) // (25 * len(chains)), 2, BINS))
    for colour, (_, chain) in zip(np.resize(CHAINS, len(chains)), chains, strict=True):
        trace.plot(chain["draw"], chain[column], color=colour, linewidth=0.35, alpha=0.8, rasterized=True)
        counts, edges = np.histogram(chain["rank"], bins=bins, range=(0, len(part)))
        histogram.stairs(counts * bins / len(chain), edges, baseline=None, color=colour, linewidth=0.9)
    n = len(part) // len(chains)
    low, high = stats.binom.interval(BAND, n, 1 / bins)
    histogram.axhspan(low * bins / n, high * bins / n, color="0.9", linewidth=0, zorder=0)
    histogram.set_ylim(0, 2)
