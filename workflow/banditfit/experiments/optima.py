"""Is it the optimum? Every method that serves a model, and random starts of local solvers as people use them, on simulated
learners: how often they find the best fit known and by how much they miss it, how far bounds lie below it, what it costs, and
whether the parameters that made the choices are found again.
"""

from collections.abc import Iterable, Mapping, Sequence
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..comparison.recovery import parameters_recovered
from ..data.dataset import Dataset
from ..fitting import derive_seed, fit
from ..judge import score
from ..models import likelihood
from ..models.families import ModelName, get_model
from ..models.likelihood import Problem
from ..models.play import play, taken
from ..sets import profile_sets
from ..solvers.local import Solver, minimise, quiet_starts
from . import Experiment
from .populations import Runs

if TYPE_CHECKING:
    from ..study.config import Study

# Learners: what parameters of each role are drawn from, uniformly; and the bandit, whose arms change places.
DRAWN = {
    "rate": (0.0, 1.0),
    "sensitivity": (1.0, 8.0),
    "weight": (-2.0, 2.0),
    "offset": (-1.0, 1.0),
    "value": (0.0, 1.0),
    "probability": (0.0, 0.2),
}
BEST_ARM, WORST_ARM, SWITCH = 0.8, 0.2, 0.02
# How many random starts people take.
STARTS = (1, 5, 20)
# Nats: what misses by more is worse off, what misses by less is there.
MISSED, CLOSED = 1e-2, 1e-6
QUANTILES = {"median": 0.5, "q90": 0.9, "q99": 0.99, "worst": 1.0}


def learners(model: ModelName, n_arms: int, episodes: int, steps: int, seed: int) -> tuple[Dataset, np.ndarray]:
    """Episodes of learners of any model on a bandit of n_arms arms that bring 1 with probabilities from BEST_ARM down to
    WORST_ARM, which change places with probability SWITCH after each step; and their parameters (episodes, parameters)."""
    name, family = f"{model}_{n_arms}arm", get_model(model)
    blank = np.zeros((episodes, steps), dtype=np.int64)
    design = Dataset(name, blank, blank.astype(float), n_arms)
    lower, upper = np.array([DRAWN[role] for role in family.roles(n_arms)]).T
    choices, rewards, truth = blank.copy(), np.empty(blank.shape), np.empty((episodes, len(lower)))
    for row in range(episodes):
        rng = np.random.default_rng(derive_seed(name, row, "simulate", seed))
        truth[row] = rng.uniform(lower, upper)
        chances, offered = np.linspace(BEST_ARM, WORST_ARM, n_arms), np.empty((steps, n_arms))
        for t in range(steps):
            offered[t] = rng.random(n_arms) < chances
            if rng.random() < SWITCH:
                rng.shuffle(chances)
        problem = likelihood.problem(design, row, family, design.bounds_of(family))
        choices[row], _ = play(problem, truth[row], offered, rng)
        rewards[row] = taken(offered, choices[row])
    return Dataset(name, choices, rewards, n_arms), truth


def optima(
    model: ModelName,
    n_arms: int,
    runs: Runs,
    solvers: Sequence[Solver],
    episodes: int = 200,
    steps: int = 150,
    starts: int = max(STARTS),
    seed: int = 0,
    limits: Mapping[str, int] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """What fits of `learners` by `runs` and by `starts` random starts of each of `solvers` come to; those that `limits` names,
    of the first so many learners. The best fit known of an episode is the lowest nll of any of them. Four tables, each with the
    columns model and arms:

    methods   per run, n episodes: failed; median, q90, q99 and worst of its `regret` (nll above the best known, nats),
              `optimal` (the share with at most CLOSED) and `missed` (more than MISSED, or without parameters); of those with a
              bound, `bounded`: quantiles of its `gap` (best known less bound), `closed` (share with at most CLOSED, of all n)
              and `broken` (bounds that an admissible fit undercuts); and quantiles of `ms` of processor time
    starts    per solver and number of random starts, n sets of so many: `missed` (as above), quantiles of `miss` (nats) and
              `ms` of processor time of such a set, the median
    recovery  per run and parameter: as `parameters_recovered`, with `true_sd`, the spread of the truths
    sets      per parameter, the 95 % profile sets around the best of the runs: n, `covered` (share that hold the truth),
              `ridge` and `open` (share that are ridges; that end at a bound on either side), `width` (median, as a share of the
              box)
    """
    data, truth = learners(model, n_arms, episodes, steps, seed)
    asked = {name: min((limits or {}).get(name, episodes), episodes) for name in (*runs, *solvers)}
    tables = [
        fit(data, model, method, settings=dict(settings), seed=seed, episodes=range(asked[run])).assign(run=run)
        for run, (method, settings) in runs.items()
    ]
    fits = pd.concat(tables, ignore_index=True)
    judged = score(data, fits)
    family, box = get_model(model), data.bounds_of(get_model(model))
    problems = [likelihood.problem(data, row, family, box) for row in range(len(data))]
    tried = {
        solver: [_starts(each, solver, starts, data, row, seed) for row, each in enumerate(problems[: asked[solver]])]
        for solver in solvers
    }
    best = judged.groupby("episode")["best_nll"].first().reindex(range(episodes)).to_numpy(dtype=float)
    for ends in tried.values():
        best = np.fmin(best, np.pad([nll.min() for nll, _ in ends], (0, episodes - len(ends)), constant_values=np.inf))
    head = {"model": model, "arms": n_arms}
    known = judged[judged["admissible"].astype(bool)]
    chosen = fits.loc[known.groupby("episode")["nll"].idxmin()]
    found = (_methods(judged, best), _against(tried, best), _recovery(judged, truth, data, model), _sets(data, chosen, truth))
    return tuple(pd.DataFrame([head | row for row in rows]) for rows in found)


def least_missed(methods: pd.DataFrame) -> pd.DataFrame:
    """The rows of the table `methods`, one for each model and number of arms, of the run that misses the best fit known
    least, of those that fit all learners with parameters."""
    cells = methods.groupby(["model", "arms"], sort=False)
    known = methods[methods["missed"].notna() & (methods["n"] == cells["n"].transform("max"))]
    return known.loc[known.groupby(["model", "arms"], sort=False)["missed"].idxmin()]


def _starts(problem: Problem, solver: Solver, n: int, data: Dataset, row: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The nll where each of n random starts ends, as SciPy's solver leaves it, and the processor seconds of each. All solvers
    meet the same starts."""
    own = problem.in_units(problem.own_unit())
    rng = np.random.default_rng(derive_seed(data.name, row, "starts", seed))
    nll, seconds = np.empty(n), np.empty(n)
    for k, start in enumerate(quiet_starts(own.lower, own.upper, n, rng)):
        begin = process_time()
        nll[k] = minimise(own.nll_theta, own.nll_grad, own.lower, own.upper, start, solver).value
        seconds[k] = process_time() - begin
    return np.where(np.isnan(nll), np.inf, nll), seconds


def _quantiles(name: str, values: np.ndarray) -> dict[str, float]:
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return {f"{name}_{q}": float(np.quantile(known, at)) if len(known) else np.nan for q, at in QUANTILES.items()}


def _methods(judged: pd.DataFrame, best: np.ndarray) -> Iterable[dict[str, Any]]:
    for run, rows in judged.groupby("run", sort=False):
        least = best[rows["episode"]]
        admissible = rows["admissible"].to_numpy(dtype=bool)
        regret = np.where(admissible, np.maximum(rows["nll"] - least, 0.0), np.nan)
        gap = least - rows["lower_bound"].to_numpy()
        rounding = rows["rounding"].fillna(0.0)
        yield {
            "run": run,
            "n": len(rows),
            "failed": int((rows["status"] == "failed").sum()),
            "optimal": float((regret <= CLOSED).mean()) if admissible.any() else np.nan,
            "missed": float(1.0 - (regret <= MISSED).mean()) if admissible.any() else np.nan,
            **_quantiles("regret", regret),
            "bounded": int(np.isfinite(gap).sum()),
            "closed": float((gap <= CLOSED * 1.01 + rounding).mean()),
            "broken": int((gap < -(rounding + CLOSED)).sum()),
            **_quantiles("gap", np.maximum(gap, 0.0)),
            **_quantiles("ms", 1e3 * rows["t_cpu"]),
        }


def _against(tried: dict[str, list[tuple[np.ndarray, np.ndarray]]], best: np.ndarray) -> Iterable[dict[str, Any]]:
    """Sets of so many starts are those that stand together, none in two sets."""
    for solver, found in tried.items():
        nll, seconds = (np.array(part) for part in zip(*found, strict=True))
        for n in STARTS:
            sets = nll.shape[1] // n
            if not sets:
                continue
            shape = (len(nll), sets, n)
            miss = nll[:, : sets * n].reshape(shape).min(axis=2) - best[: len(nll), None]
            ms = 1e3 * seconds[:, : sets * n].reshape(shape).sum(axis=2)
            yield {
                "solver": solver,
                "starts": n,
                "n": miss.size,
                "missed": float((miss > MISSED).mean()),
                **_quantiles("miss", np.maximum(miss, 0.0)),
                "ms": float(np.median(ms)),
            }


def _recovery(judged: pd.DataFrame, truth: np.ndarray, data: Dataset, model: str) -> Iterable[dict[str, Any]]:
    names = get_model(model).parameter_names(data.n_arms)
    for run, rows in judged[judged["has_parameters"]].groupby("run", sort=False):
        told = np.array([np.concatenate([np.ravel(part) for part in each.values()]) for each in rows["parameters"]])
        true = truth[rows["episode"]]
        estimates = pd.DataFrame(
            {
                "model": model,
                "parameter": np.tile(names, len(rows)),
                "true": true.ravel(),
                "estimate": told.ravel(),
            }
        )
        spread = dict(zip(names, true.std(axis=0), strict=True))
        for row in parameters_recovered(estimates).drop(columns="model").to_dict("records"):
            yield {"run": run, **row, "true_sd": spread[row["parameter"]]}


def _sets(data: Dataset, fits: pd.DataFrame, truth: np.ndarray) -> Iterable[dict[str, Any]]:
    family = get_model(fits["model"].iloc[0])
    lower, upper = family.box(data.n_arms, data.bounds_of(family))
    places = {name: place for place, name in enumerate(family.parameter_names(data.n_arms))}
    for parameter, rows in profile_sets(data, fits).groupby("parameter", sort=False):
        k = places[parameter]
        true = truth[rows["episode"], k]
        yield {
            "parameter": parameter,
            "n": len(rows),
            "covered": float(((rows["lower"] <= true) & (true <= rows["upper"])).mean()),
            "ridge": float(rows["ridge"].mean()),
            "open": float((rows["at_lower"] | rows["at_upper"]).mean()),
            "width": float(((rows["upper"] - rows["lower"]) / (upper - lower)[k]).median()),
        }


def _parts(study: "Study") -> list[str]:
    """One for each model and number of arms."""
    asked = study.config["optima"]
    return [f"{model}_{arms}arm" for model in asked["models"] for arms in asked["arms"]] if asked else []


def _arguments(study: "Study", part: str) -> dict[str, Any]:
    asked = study.config["optima"]
    model, arms = part.removesuffix("arm").rsplit("_", 1)
    size = {name: asked[name] for name in ("episodes", "steps", "starts")} | {"limits": asked.get("limits", {})}
    solvers = study.config["local_solvers"]
    runs = study.methods(asked["runs"], model)
    return {"model": model, "n_arms": int(arms), "runs": runs, "solvers": solvers, **size, "seed": study.config["seed"]}


FOUND = ("optima_methods", "optima_starts", "optima_recovery", "optima_sets")
EXPERIMENT = Experiment(
    run=lambda **how: optima(**how),
    found=FOUND,
    parts=_parts,
    arguments=_arguments,
    methods=lambda study: [method for method, _ in study.methods(study.config["optima"]["runs"]).values()],
    folder="optima",
)
