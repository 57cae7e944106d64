"""What to do with a posterior beyond its row in a table of fits: keep its draws, look at them, and calibrate the sampler.

The draws of an episode follow from its row, so that a study keeps none: `draws` brings back the very ones, and
`draws(data, row).to_netcdf(path)` keeps them.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats

from . import likelihood
from .data import Dataset
from .errors import InputError
from .models import Bounds, get_model
from .simulate import simulate

RANKS = 99  # draws, evenly spaced, among which calibration ranks the truth: nearly independent at the default length
BINS = 20  # of a histogram of ranks


def draws(data: Dataset, row: pd.Series, bounds: Bounds | None = None):
    """The draws behind one row of a table of `mc` fits, as an arviz.InferenceData; `bounds` as in that `fit`.

    Raises InputError if the row is of another method, or its episode is not in the data."""
    if row["method"] != "mc":
        raise InputError(f"draws: found a fit of method '{row['method']}', expected 'mc'")
    from .methods import mc

    model = get_model(row["model"])
    problem = likelihood.problem(data.select([row["episode"]]), 0, model, bounds or data.bounds_of(model))
    settings = mc.METHOD.read_settings("mc", json.loads(row["settings"]))
    return mc.sound_sample(problem, settings, np.random.default_rng(row["seed"]))[0][-1]


def plot_draws(inference, path: str | Path) -> None:
    """Draws what `draws` returned, one row per signal and arm: traces of alpha and beta by chain, how each chain's draws
    rank among all (flat if the chains agree), and alpha against beta, divergent draws crossed in red."""
    posterior = inference.posterior
    divergent = inference.sample_stats["diverging"].values
    signals, arms = posterior["signal"].values, posterior["arm"].values
    figure, axes = plt.subplots(
        len(signals) * len(arms), 5, squeeze=False, figsize=(15, 2 * len(signals) * len(arms)), layout="constrained"
    )
    for row, (s, i) in zip(axes, np.ndindex(len(signals), len(arms)), strict=True):
        pair = [posterior[name].values[..., s, i] for name in ("alpha", "beta")]
        names = [f"{symbol} {signals[s]} {arms[i]}" for symbol in "αβ"]
        for trace, histogram, values, name in zip(row[:2], row[2:4], pair, names, strict=True):
            trace.plot(values.T, linewidth=0.3)
            trace.set(title=name, xlabel="draw")
            histogram.hist(stats.rankdata(values, axis=None).reshape(values.shape).T, bins=BINS, histtype="step")
            histogram.set(title=name, xlabel="rank", ylabel="draws")
        row[4].plot(*(values.ravel() for values in pair), ".", markersize=1, alpha=0.3)
        row[4].plot(*(values[divergent] for values in pair), "x", color="tab:red")
        row[4].set(xlabel=names[0], ylabel=names[1])
    figure.savefig(path)
    plt.close(figure)


def calibrate(
    model: str,
    *,
    p_reward: Sequence[float],
    p_switch: float,
    beta: tuple[tuple[float, float], ...],
    n_episodes: int,
    n_steps: int,
    seed: int,
) -> pd.DataFrame:
    """Simulation-based calibration of `mc` at its defaults (Talts et al. 2018, arXiv 1804.06788): parameters are drawn from
    the prior and play (arguments as in `simulate`), and each is ranked among draws of its posterior. If sampler and
    likelihood are right, ranks are uniform on 0 .. RANKS.

    Columns: episode, sound (the chains passed their diagnostics), parameter ("alpha reward 0": symbol, signal, arm), rank.
    """
    from .methods import mc

    arms = {"p_reward": p_reward, "p_switch": p_switch, "beta": beta}
    data = simulate(f"calibration_{model}", model, n_episodes=n_episodes, n_steps=n_steps, seed=seed, **arms)
    family, settings, rng = get_model(model), mc.Settings(), np.random.default_rng(seed)
    tables = []
    for e in range(n_episodes):
        runs, diagnostics = mc.sound_sample(likelihood.problem(data, e, family, data.bounds), settings, rng)
        posterior = runs[-1].posterior.stack(sample=("chain", "draw"))
        spaced = posterior.isel(sample=np.linspace(0, posterior.sizes["sample"] - 1, RANKS).astype(int))
        for symbol, truth in (("alpha", data.truth.alpha[e]), ("beta", data.truth.beta[e])):
            rank = (spaced[symbol] < truth[..., None]).sum("sample").to_series().rename("rank").reset_index()
            rank.insert(0, "parameter", symbol + " " + rank.pop("signal") + " " + rank.pop("arm"))
            tables.append(rank.assign(episode=e, sound=not mc.complaints(diagnostics[-1], settings)))
    return pd.concat(tables, ignore_index=True)


def plot_ranks(ranks: pd.DataFrame, path: str | Path) -> None:
    """Writes the histogram of ranks of every parameter in what `calibrate` returned, each with the band in which a bar
    lies with probability 99 % if ranks are uniform."""
    parts = list(ranks.groupby("parameter", sort=False))
    columns = min(len(parts), 5)
    figure, axes = plt.subplots(
        -(-len(parts) // columns),
        columns,
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
        figsize=(2.5 * columns, 2.0 * -(-len(parts) // columns)),
    )
    for ax, (name, part) in zip(axes.ravel(), parts, strict=False):
        low, high = stats.binom.interval(0.99, len(part), 1 / BINS)
        ax.axhspan(low, high, color="0.9")
        ax.hist(part["rank"], bins=np.linspace(-0.5, RANKS + 0.5, BINS + 1))
        ax.set_title(name, fontsize="small")
    for ax in axes.ravel()[len(parts) :]:
        ax.remove()
    figure.savefig(path)
    plt.close(figure)
