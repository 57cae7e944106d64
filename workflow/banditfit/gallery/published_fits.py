"""How many published fits are optimal? Each person's, evaluated anew from its parameters and set beside the certified optimum.

`python -m banditfit published_fits DATA [FOLDER [SETS]]` reads public data sets from the folder DATA, prints a table in
Markdown and writes a row per person to FOLDER/NAME.csv. docs/published_fits.md says where the data come from.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import differential_evolution

from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import derive_seed, fit
from ..models import likelihood
from ..models.families import get_model
from ..models.likelihood import Problem
from ..parameters import Bounds
from ..solvers.local import minimise
from ..study.store import write_csv
from . import FOLDERS, readers

# Nats: a fit that lies no further from the optimum is there, but for what its solver's tolerance leaves.
OPTIMAL = 1e-2
PROVED = 1.01e-6
STARTS = 5
SETTINGS = {"max_nodes": 50_000, "max_seconds": 600.0}
COLUMNS = ["set", "model", "person", "trials", "published", "again", "certified", "lower_bound", "proved", "miss", "ms"]


@dataclass(frozen=True)
class Fitted:
    """People with published fits of one model.

    published  negative log-likelihoods (people,) as published, NaN where only parameters were
    theta      published parameters (people, parameters), in the order of the model; None where only likelihoods were
    """

    name: str
    data: Dataset
    model: str
    bounds: Bounds
    published: np.ndarray
    theta: np.ndarray | None = None

    def problem(self, row: int) -> Problem:
        model = get_model(self.model)
        return likelihood.problem(self.data, row, model, self.data.bounds_of(model, self.bounds))

    def ordered(self, **parameters: np.ndarray) -> np.ndarray:
        """Parameters by name (people,), in the order of the model."""
        return np.column_stack([parameters[name] for name in get_model(self.model).parameter_names(self.data.n_arms)])


def _bavard(folder: Path) -> Iterator[Fitted]:
    data, nll, theta = readers.bavard(folder)
    yield Fitted("Bavard 2018", data, "rescorla_wagner", Bounds((0.0, 1.0), ((0.0, 20_000.0),)), nll, theta)


def _zorowitz(folder: Path) -> Iterator[Fitted]:
    """Posterior means of a hierarchical model: what they miss is mostly what the population pulls them by."""
    data, (mean, r_hat) = readers.zorowitz(folder), readers.zorowitz_means(folder)
    kept = np.flatnonzero(r_hat <= 1.01)
    data, mean = data.select(data.episodes[kept].tolist()), mean[kept]
    box = Bounds(None, ((0.0, 100.0),), {"initial_value": ((0.5, 0.5))})
    unknown = np.full(len(data), np.nan)
    one = Fitted("Zorowitz 2023, posterior means", data, "dual_rates + initial_value", box, unknown)
    half = np.full(len(data), 0.5)
    yield replace(one, theta=one.ordered(alpha_pos=mean[:, 0], alpha_neg=mean[:, 1], beta=mean[:, 2], initial_value=half))


def _cbm(folder: Path) -> Iterator[Fitted]:
    """Modes under a prior, N(0, 6.25) on logit and log scales: what they miss is what the prior pulls them by."""
    data = readers.cbm(folder)
    for model, name in (("rescorla_wagner", "lap_RL"), ("dual_rates", "lap_dualRL")):
        _, theta = readers.cbm_fits(folder, name)
        box = Bounds(None, ((0.0, 1000.0),))
        yield Fitted(f"CBM fixture, modes under a prior ({name})", data, model, box, np.full(len(data), np.nan), theta)


def _palminteri(folder: Path) -> Iterator[Fitted]:
    """No fits are stored with these data; in their place stands the usual way, the best of five random starts of L-BFGS-B."""
    for name in readers.CONFIRMATION:
        data = readers.palminteri(folder, name)
        one = Fitted(
            f"{name}, best of {STARTS} starts", data, "dual_rates", Bounds(None, ((0.0, 50.0),)), np.full(len(data), np.nan)
        )
        yield replace(one, theta=np.array([_usual(one.problem(row), name, row) for row in range(len(data))]))


def _usual(problem: Problem, name: str, row: int) -> np.ndarray:
    """Parameters as the usual way finds them, of one person."""
    rng = np.random.default_rng(derive_seed(name, row, "starts", 0))
    starts = rng.uniform(problem.lower, problem.upper, size=(STARTS, len(problem.lower)))
    ends = [minimise(problem.nll_theta, problem.nll_grad, problem.lower, problem.upper, at, "L-BFGS-B") for at in starts]
    return min(ends, key=lambda end: end.value).theta


# The published models that ours can express, by their columns in published_LPT_AIC_15_models.csv. Its numbers are
# exp(-(nll + parameters) / trials).
MICE = {
    r"$\alpha_{rew}$, $\sigma$": ("rescorla_wagner", 2),
    r"$\alpha_{rew}$, $\sigma$, $b_L$": ("rescorla_wagner + bias", 3),
    r"$\alpha_{rew}$, $\alpha_{unr}$, $\sigma$": ("dual_rates", 3),
    r"$\alpha_{rew}$, $\alpha_{unr}$, $\sigma$, $b_L$": ("dual_rates + bias", 4),
    r"$\tau_1$, $\sigma$": ("forgetting", 2),
    r"$\tau_1$, $\sigma$, $b_L$": ("forgetting + bias", 3),
    r"$\alpha_{rew}$, $\alpha_{unr}$, $\delta$, $\sigma$": ("dual_rates + unchosen_decay", 4),
    r"$\alpha_{rew}$, $\alpha_{unr}$, $\delta$, $\sigma$, $b_L$": (readers.HATTORI, 5),
}
THREE_RATES = ("dual_rates + unchosen_decay", readers.HATTORI)


def _mice(folder: Path, models: Callable[[str], bool]) -> Iterator[Fitted]:
    """The sessions of all mice, by each model: likelihoods alone were published to all digits."""
    table = pd.read_csv(folder / "published_LPT_AIC_15_models.csv")
    for column, (model, k) in MICE.items():
        if not models(model):
            continue
        for name in readers.mice(folder):
            data = readers.mouse(folder, name)
            mine = table[table["mice"] == name].assign(id=lambda rows: rows["session_number"].astype(str)).set_index("id")
            data = data.select([e for e, key in zip(data.episodes.tolist(), data.ids, strict=True) if key in mine.index])
            nll = -data.scored.sum(axis=1) * np.log(mine.loc[list(data.ids), column].to_numpy()) - k
            rate = readers.MOUSE_FADING if model.startswith("forgetting") else None
            box = Bounds(rate, (readers.MOUSE_BOX["beta"],), {"bias": readers.MOUSE_BOX["bias"]} if "bias" in model else None)
            yield Fitted("Hou, mice", data, model, box, nll)


def early_stops(folder: Path, tolerance: float, seeds: int = 20) -> np.ndarray:
    """By how many nats differential evolution with the published settings misses the optimum of the first model in MICE on
    session 34 of FOR06, with each of so many seeds (seeds,). SciPy's `tol`, by default .01 as published, ends it where the
    population's nll have an sd of so small a share of their mean: nearly everywhere in this box they are those of guessing."""
    data = readers.mouse(folder, "FOR06")
    data, model = data.select(data.episodes[data.ids == "34"].tolist()), get_model("rescorla_wagner")
    problem = likelihood.problem(data, 0, model, data.bounds_of(model, Bounds(None, (readers.MOUSE_BOX["beta"],))))
    least = fit(data, "rescorla_wagner", "certified", bounds=Bounds(None, (readers.MOUSE_BOX["beta"],)))["nll"].item()
    box = [(0.0, 1.0), tuple(sorted(1.0 / end for end in readers.MOUSE_BOX["beta"]))]
    how = {"mutation": (0.5, 1.0), "recombination": 0.7, "popsize": 16, "strategy": "best1bin", "tol": tolerance}
    ends = [
        differential_evolution(lambda x: problem.nll_theta(np.array([x[0], 1.0 / x[1]])), box, rng=k, **how)
        for k in range(seeds)
    ]
    return np.array([end.fun for end in ends]) - least


# By name: which folder of the data, and what is fitted there.
SETS: dict[str, tuple[str, Callable[[Path], Iterator[Fitted]]]] = {
    "bavard": ("bavard", _bavard),
    "zorowitz": ("zorowitz", _zorowitz),
    "cbm": ("cbm", _cbm),
    "palminteri": ("palminteri", _palminteri),
    "hou": ("hou", lambda folder: _mice(folder, lambda model: model not in THREE_RATES)),
    "hou_three_rates": ("hou", lambda folder: _mice(folder, lambda model: model in THREE_RATES)),
}


def people(one: Fitted) -> pd.DataFrame:
    """A row per person: trials; the nll as `published`, and `again` from the published parameters; that of the `certified`
    optimum, with its lower_bound, whether it is `proved` (to 1e-6 nats) and its processor time in `ms`; and the `miss` of what
    was published, from its parameters where they are known (nats)."""
    fits = fit(one.data, one.model, "certified", bounds=one.bounds, settings=SETTINGS)
    known = one.theta is not None
    again = [one.problem(row).nll_theta(one.theta[row]) if known else np.nan for row in range(len(one.data))]
    table = pd.DataFrame(
        {
            "set": one.name,
            "model": one.model,
            "person": one.data.ids if one.name != "Hou, mice" else [f"{one.data.name} {key}" for key in one.data.ids],
            "trials": one.data.scored.sum(axis=1),
            "published": one.published,
            "again": again,
            "certified": fits["nll"],
            "lower_bound": fits["lower_bound"],
            "proved": fits["nll"] - fits["lower_bound"] <= PROVED,
            "ms": 1e3 * fits["t_cpu"],
        }
    )
    return table.assign(miss=table["again"].fillna(table["published"]) - table["certified"])[COLUMNS]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per set and model: n people; how many optima are proved; how many published fits lie within OPTIMAL nats of them
    (`optimal`), by how much they miss (median, worst); the largest difference of an nll from the one published
    (`reproduced`, NaN where either is unknown); and the median processor time of a certificate in ms."""
    rows = []
    for (name, model), part in table.groupby(["set", "model"], sort=False):
        rows.append(
            {
                "set": name,
                "model": model,
                "n": len(part),
                "proved": int(part["proved"].sum()),
                "optimal": int((part["miss"] <= OPTIMAL).sum()),
                "median": part["miss"].median(),
                "worst": part["miss"].max(),
                "reproduced": (part["again"] - part["published"]).abs().max(),
                "ms": part["ms"].median(),
            }
        )
    return pd.DataFrame(rows)


def markdown(found: pd.DataFrame) -> list[str]:
    """The lines of a table in Markdown."""
    heads = ("data and fits", "model", "people", "proved", "optimal", "median miss", "worst", "reproduced to", "ms")
    lines = [f"| {' | '.join(heads)} |", "|---|---|" + "---|" * (len(heads) - 2)]
    for row in found.itertuples():
        numbers = ["-" if np.isnan(value) else f"{value:.2g}" for value in (row.median, row.worst, row.reproduced)]
        cells = [row.set, f"`{row.model}`", row.n, row.proved, row.optimal, *numbers, f"{row.ms:.3g}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def report(data: Path, folder: Path, names: list[str]) -> None:
    """Prints the table of docs/published_fits.md for the sets of these names whose data are there, and writes a row per person
    to FOLDER/NAME.csv. Raises InputError for an unknown name, and where no data are there."""
    strange = [name for name in names if name not in SETS]
    if strange:
        raise InputError(f"published_fits: found {strange[0]!r}, expected some of {', '.join(SETS)}")
    there = [name for name in names if (data / FOLDERS[SETS[name][0]]).is_dir()]
    if not there:
        expected = ", ".join(FOLDERS[SETS[name][0]] for name in names)
        raise InputError(f"{data}: found none of the folders {expected}; docs/published_fits.md says where they come from")
    for place, name in enumerate(there):
        where, sets = SETS[name]
        table = pd.concat([people(one) for one in sets(data / FOLDERS[where])], ignore_index=True)
        write_csv(table, folder / f"{name}.csv")
        print("\n".join(markdown(summary(table))[2 if place else 0 :]), flush=True)
    if "hou" in there:
        for tolerance in (0.01, 1e-6):
            miss = early_stops(data / FOLDERS["hou"], tolerance)
            print(
                f"\nDifferential evolution as published, session 34 of FOR06, tol {tolerance:g}: {(miss <= OPTIMAL).sum()} of"
                f" {len(miss)} seeds end at the optimum, the worst {miss.max():.3g} nats above it."
            )
