"""Simulation-based calibration of the sampler: whether `mc` finds the posterior of data whose parameters are drawn from its
prior. Whether the posteriors of any method are as wide as they say, in populations: `posterior_calibration`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from scipy import stats

from ..arguments import checked
from ..kinds import Count, Number, Probability, Seed, Table
from ..models import likelihood
from ..models.families import PublishedName, get_model
from ..models.simulate import PUBLISHED_BANDITS, PUBLISHED_BETA, Chances, simulate
from ..parameters import Pairs
from ..solvers.chains import group
from . import Experiment

if TYPE_CHECKING:
    from ..study.config import Study

RANKS = 99  # draws, evenly spaced, among which calibration ranks the truth: nearly independent at the default length
BINS = 20  # of a histogram of ranks; divides RANKS + 1


Ranks = Annotated[pd.DataFrame, Table("a table as calibration.calibrate returns it", ("model", "parameter", "sound", "rank"))]


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
        posterior = group(runs[-1], "posterior").stack(sample=("chain", "draw"))
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


def counted(ranks: pd.DataFrame) -> pd.DataFrame:
    """Ranks of `calibrate`, each once, with n, the number of episodes that have it: a tenth of the size, and no less to see."""
    keys = ["model", "sound", "parameter", "rank"]
    return ranks.groupby(keys, sort=False).size().rename("n").reset_index()


def _parts(study: "Study") -> list[str]:
    asked = study.config["calibration"]
    return [f"{model}/{batch}" for model in asked["models"] for batch in study.calibration_batches()] if asked else []


def _arguments(study: "Study", part: str) -> dict[str, Any]:
    (model, batch), asked = part.split("/"), study.config["calibration"]
    first, last = map(int, batch.split("-"))
    task = {**PUBLISHED_BANDITS["2arm"], "beta": PUBLISHED_BETA[model]["2arm"]}
    size = {"n_episodes": asked["episodes"], "n_steps": asked["steps"], "episodes": range(first, last + 1)}
    return {"model": model, **task, **size, "seed": study.config["seed"]}


EXPERIMENT = Experiment(
    run=lambda **how: (calibrate(**how),),
    found=("ranks",),
    parts=_parts,
    arguments=_arguments,
    methods=lambda study: ["mc"],
    tables={"calibration": ("ranks", counted), "uniformity": ("ranks", uniformity)},
    folder="calibration",
    kept=False,
)
