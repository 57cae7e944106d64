"""Speed, measured in one run, as ratios: ours against the way these fits are usually written, and how cost grows.

`python -m banditfit benchmark [FOLDER]` writes benchmark.csv, growth.csv, growth.svg and growth.png to FOLDER
(results/benchmark). The two sides of a ratio take turns on the same episodes, so that a machine that slows down slows both.
"""

import resource
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data.dataset import Dataset
from ..experiments import populations
from ..figures import save
from ..fitting import fit
from ..gallery import DATA
from ..methods import get_method
from ..models import likelihood
from ..models.families import PUBLISHED_MODELS, get_model
from ..models.likelihood import Problem
from ..models.simulate import published_data, simulate
from ..solvers.em import learn
from ..solvers.local import random_starts
from ..solvers.population import Settings
from ..study.provenance import machine
from ..study.store import write_csv
from . import COLUMNS, baselines, met
from . import models as of_models

EXPERIMENTS = [(model, bandit) for model in PUBLISHED_MODELS for bandit in ("2arm", "10arm")]


def problems(model: str, bandit: str, n: int) -> list[Problem]:
    """The first n published episodes of an experiment."""
    data, family = published_data(model, bandit).select(range(n)), get_model(model)
    return [likelihood.problem(data, row, family, data.bounds_of(family)) for row in range(n)]


def seconds(call: Callable, *arguments, repeats: int = 1) -> float:
    """Seconds of one call, the mean over `repeats`."""
    begin = perf_counter()
    for _ in range(repeats):
        call(*arguments)
    return (perf_counter() - begin) / repeats


def against(what: str, experiment: str, pairs: Iterable[tuple[float, float]], target: float) -> list:
    """A row of ratios theirs / ours from pairs of seconds, each pair measured one after the other."""
    ours, theirs = np.array(list(pairs)).T
    ratio = theirs / ours
    q25, median, q75 = np.percentile(ratio, (25, 50, 75))
    times = [1e3 * np.median(ours), 1e3 * np.median(theirs)]
    return [what, experiment, len(ours), *times, median, q25, q75, "times faster", target, met(median >= target, target)]


def method_seconds(name: str, problem: Problem) -> float:
    """Seconds of one fit of one episode, with the method's defaults."""
    method = get_method(name)
    method.warm_up()
    return seconds(method.fit, problem, method.settings(), np.random.default_rng(0), None)


def likelihood_rows() -> list[list]:
    """The likelihood with its gradient against the loop without one, at random parameters."""
    rows = []
    for model, bandit in EXPERIMENTS:
        pairs, rng = [], np.random.default_rng(0)
        for problem in problems(model, bandit, 15):
            theta = rng.uniform(problem.lower, problem.upper)
            problem.nll_grad(theta)
            pairs.append((seconds(problem.nll_grad, theta, repeats=200), seconds(baselines.nll, problem, theta, repeats=2)))
        target = 100 if (model, bandit) == ("forgetting", "2arm") else np.nan
        rows.append(against("likelihood and gradient / loop without gradient", f"{model} {bandit}", pairs, target))
    return rows


def local_rows() -> list[list]:
    """D-LOC from five starts against the usual way from the same, and the profile likelihood against that."""
    rows = []
    for model, bandit in EXPERIMENTS:
        times = []
        for problem in problems(model, bandit, 5 if bandit == "2arm" else 2):
            starts = random_starts(problem.lower, problem.upper, 5, np.random.default_rng(0))
            methods = [method_seconds(name, problem) for name in ("d_loc", "profile")]
            times.append([*methods, seconds(baselines.d_loc, problem, starts)])
        d_loc, profile, by_loop = np.array(times).T
        experiment = f"{model} {bandit}"
        rows.append(against("d_loc, L-BFGS-B, 5 starts / usual way", experiment, zip(d_loc, by_loop, strict=True), 20))
        rows.append(against("profile / usual way", experiment, zip(profile, by_loop, strict=True), np.nan))
    return rows


def profile_rows() -> list[list]:
    """The profile likelihood on all published `forgetting` episodes: seconds in all on two cores, and how far it ever lies
    above the best of 20 starts of D-LOC."""
    rows = []
    for bandit, most in (("2arm", 3.0), ("10arm", 5.0)):
        data = published_data("forgetting", bandit)
        fit(data.select(range(2)), "forgetting", "profile")
        begin = perf_counter()
        fits = fit(data, "forgetting", "profile", n_jobs=2)
        total = perf_counter() - begin
        local = fit(data, "forgetting", "d_loc", settings={"starts": 20}, n_jobs=2)
        excess = float((fits["nll"] - local["nll"]).max())
        ms = [1e3 * fits["t_wall"].median(), 1e3 * local["t_wall"].median()]
        head, tail = [f"forgetting {bandit}", len(fits), *ms], [np.nan, np.nan]
        rows.append(["profile: all episodes, 2 cores", *head, total, *tail, "s, at most", most, met(total <= most, most)])
        row = ["profile: most above d_loc, 20 starts", *head, excess, *tail, "nats, at most", 1e-6]
        rows.append([*row, met(excess <= 1e-6, 1e-6)])
    return rows


def convex_rows() -> list[list]:
    """Both solvers of the published relaxation against the program built step by step, and hull against the faster."""
    rows = []
    for model, bandit in EXPERIMENTS:
        times = []
        for problem in problems(model, bandit, 3):
            methods = [method_seconds(name, problem) for name in ("cvx", "cvx_fast", "hull")]
            times.append([*methods, seconds(baselines.cvx, problem)])
        cvx, fast, hull, by_steps = np.array(times).T
        experiment, target = f"{model} {bandit}", 50 if model == "forgetting" else 20
        rows.append(against("cvx / usual way", experiment, zip(cvx, by_steps, strict=True), np.nan))
        rows.append(against("cvx_fast / usual way", experiment, zip(fast, by_steps, strict=True), target))
        rows.append(
            against("hull / cvx_fast", experiment, zip(hull, fast, strict=True), 0.5 if model == "forgetting" else np.nan)
        )
    return rows


def bound_rows() -> list[list]:
    """How far the bounds of both relaxations lie below the best fit known: medians over episodes, in nats."""
    rows = []
    for model, bandit in EXPERIMENTS:
        data = published_data(model, bandit).select(range(40))
        fits = {name: fit(data, model, name) for name in ("cvx_fast", "hull", "hull_loc", "d_loc")}
        best = np.minimum(fits["hull_loc"]["nll"], fits["d_loc"]["nll"])
        gaps = {name: (best - fits[name]["lower_bound"]).to_numpy() for name in ("cvx_fast", "hull")}
        loose = np.median(gaps["cvx_fast"])
        target = {("forgetting", "2arm"): 0.01, ("forgetting", "10arm"): 0.06}.get((model, bandit), loose / 10)
        for name, most in (("cvx_fast", np.nan), ("hull", target)):
            q25, median, q75 = np.percentile(gaps[name], (25, 50, 75))
            ours = 1e3 * fits[name]["t_wall"].median()
            row = [f"{name}: gap to the best fit", f"{model} {bandit}", len(best), ours, np.nan, median, q25, q75]
            rows.append([*row, "nats, at most", most, met(median <= most, most)])
    return rows


def certified_rows() -> list[list]:
    """How many global optima are proved, in what time: every `forgetting` episode, the first 100 of the others."""
    rows, total = [], 0.0
    for model, bandit in EXPERIMENTS:
        data = published_data(model, bandit)
        fits = fit(data if model == "forgetting" else data.select(range(100)), model, "certified")
        ms = 1e3 * fits["t_wall"]
        gap = fits["nll"] - fits["lower_bound"]
        if model == "forgetting":
            total += ms.sum() / 1e3
            what, share, target = "share closed to 1e-6", (gap <= 1.01e-6).mean(), 1.0
        else:
            what, share = "share closed to 1e-3 within a second", ((gap <= 1e-3) & (ms <= 1000)).mean()
            target = 0.95 if (model, bandit) == ("per_arm", "2arm") else np.nan
        row = [f"certified: {what}", f"{model} {bandit}", len(fits), ms.median(), np.nan, share, np.nan, np.nan]
        rows.append([*row, "share, at least", target, met(share >= target, target)])
    row = ["certified: all 2000 episodes", "forgetting", 2000, np.nan, np.nan, total, np.nan, np.nan]
    return [*rows, [*row, "s, at most", 120, met(total <= 120, 120)]]


EM_TARGETS = {20: 1.0, 100: np.nan, 1000: 0.3}  # ms a participant


def em_row(data: Dataset, n: int, target: float) -> list:
    """Processor time of EM for a participant, of the first n: the population, and everybody's moments."""
    family = get_model("forgetting")
    problems = [likelihood.problem(data, row, family, data.bounds) for row in range(n)]
    times = []
    for _ in range(3):
        begin = process_time()
        learn(problems, Settings(), np.random.default_rng(0))
        times.append(1e3 * (process_time() - begin) / n)
    ms = min(times)
    row = [f"gem: EM of {n} participants", "forgetting 2arm", n, ms, np.nan, ms, np.nan, np.nan, "ms each, at most", target]
    return [*row, met(ms <= target, target)]


def population_rows() -> list[list]:
    """What a population costs per participant, on all published episodes and, of EM alone, on the first of them; and in the
    online mode the memory beyond the data that a pass over 100,000 participants takes, with its ratio to that of 1000."""
    data = published_data("forgetting", "2arm")
    get_method("gem").warm_up()
    ms = 1e3 * seconds(fit, data, "forgetting", "gem") / len(data)
    cost = [
        "gem: a participant",
        "forgetting 2arm",
        len(data),
        ms,
        np.nan,
        ms,
        np.nan,
        np.nan,
        "ms, at most",
        25,
        met(ms <= 25, 25),
    ]
    cost = [cost, *(em_row(data, n, target) for n, target in EM_TARGETS.items())]
    peaks = []
    for n in (1000, 100_000):
        data = small_bandit(2, 200, n)
        tracemalloc.start()
        ms = 1e3 * seconds(populations.learn, data, "forgetting", "gem", {"batch": 500, "iterations": 1}) / n
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    row = ["gem online: memory of a pass, 100,000 participants / 1000", "forgetting 2arm", n, ms, np.nan, peaks[1] / peaks[0]]
    return [*cost, [*row, *peaks, "times, at most", 2, met(peaks[1] <= 2 * peaks[0], 2)]]


def small_bandit(n_arms: int, n_steps: int, n_episodes: int) -> Dataset:
    """Forgetting agents on a bandit of any size."""
    p_reward = np.linspace(0.9, 0.1, n_arms)
    return simulate(
        "growth", "forgetting", p_reward=p_reward, p_switch=0.02, n_episodes=n_episodes, n_steps=n_steps, seed=1, beta=((0, 5),)
    )


def growth() -> pd.DataFrame:
    """Cost against steps, arms and episodes: what grows, its value, milliseconds, and peak memory so far in MiB."""
    rows = []
    family = get_model("forgetting")
    for what, sizes in (("steps", [50, 100, 200, 500, 1000, 2000, 5000]), ("arms", [2, 5, 10, 20, 50])):
        for size in sizes:
            data = small_bandit(*((2, size) if what == "steps" else (size, 200)), n_episodes=1)
            problem = likelihood.problem(data, 0, family, data.bounds)
            theta = np.array([0.3, 2.0])
            problem.nll_grad(theta)
            rows.append((what, size, 1e3 * np.median([seconds(problem.nll_grad, theta, repeats=100) for _ in range(5)])))
    for size in (10, 100, 1000, 10_000, 100_000):
        data = small_bandit(2, 200, size)
        rows.append(("episodes", size, 1e3 * seconds(fit, data, "forgetting", "d_loc", None, {"starts": 1})))
        rows[-1] += (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,)
    return pd.DataFrame(rows, columns=["what", "size", "ms", "peak_mib"])


def exponents(grown: pd.DataFrame) -> dict[str, float]:
    """The slope of log time on log size for each thing that grows."""
    return {
        what: np.polyfit(np.log(part["size"]), np.log(part["ms"]), 1)[0] for what, part in grown.groupby("what", sort=False)
    }


def draw(grown: pd.DataFrame) -> Figure:
    """Cost against size, with the fitted growth."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    titles = {"steps": "likelihood and gradient", "arms": "likelihood and gradient", "episodes": "d_loc, one start"}
    for ax, (what, slope) in zip(figure.subplots(1, 3), exponents(grown).items(), strict=True):
        part = grown[grown["what"] == what]
        ax.loglog(part["size"], part["ms"], "o-", color="#0072B2", markersize=4)
        ax.set(xlabel=what, ylabel="ms", title=f"{titles[what]}: grows as {what}$^{{{slope:.2f}}}$")
        ax.title.set_size(9)
    return figure


def run() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of ratios and targets, and the table of growth."""
    rows = [*likelihood_rows(), *local_rows(), *profile_rows(), *convex_rows(), *bound_rows(), *certified_rows()]
    rows += population_rows()
    rows += of_models.rows(DATA)
    grown = growth()
    memory = grown["peak_mib"].max()
    row = ["memory: 100,000 episodes, d_loc", "forgetting 2arm", 1, np.nan, np.nan, memory, np.nan, np.nan]
    rows.append([*row, "MiB, at most", 4096, met(memory <= 4096, 4096)])
    return pd.DataFrame(rows, columns=COLUMNS), grown


def main(folder: Path) -> None:
    table, grown = run()
    write_csv(table, folder / "benchmark.csv")
    write_csv(grown, folder / "growth.csv")
    save(draw(grown), folder / "growth")
    print("; ".join(f"{name} {value}" for name, value in machine().items()))
    print(table.to_string(index=False, float_format=lambda x: f"{x:.3g}", na_rep="-"))
    print("growth exponents:", ", ".join(f"{what} {slope:.2f}" for what, slope in exponents(grown).items()))
