"""A hunt for wrong bounds: random and degenerate episodes of every model, and parameters that undercut what is claimed of them.

`python -m banditfit hunt` goes through 100,000 cases, in chunks whose rows it keeps in FOLDER/hunt.csv, so that an interrupted
hunt goes on where it stopped. In each case the bound of a random box, that of a certificate and now and then those of the
relaxations are held against local searches in the same box.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..fitting import derive_seed
from ..methods import get_method
from ..models import likelihood
from ..models.families import get_model
from ..models.likelihood import Problem
from ..solvers.boxes import bound_box
from ..solvers.descent import descend
from ..solvers.groups import groups
from ..study.store import write_csv

MODELS = (
    "forgetting",
    "forgetting(arm)",
    "forgetting(signal, arm)",
    "rescorla_wagner",
    "rescorla_wagner(arm)",
    "dual_rates",
    "choice_kernel",
    "rescorla_wagner + bias",
    "rescorla_wagner + perseveration",
    "rescorla_wagner + choice_kernel",
    "rescorla_wagner + initial_value",
    "rescorla_wagner + unchosen_decay",
    "dual_rates + fictive + bias",
    "rescorla_wagner + sensitivities",
    "rescorla_wagner + lapse",
    "dual_rates + choice_kernel + bias + lapse",
)
KINDS = ("binary", "graded", "losses", "constant", "nothing", "huge", "one trial", "one arm", "missed", "sessions", "states")
EDGES = ("free", "rates of 0", "rates of 1", "no weight", "narrow", "lapse of 0", "lapse of 1")
RELAXATIONS = ("cvx_fast", "hull", "hull_loc")
# A bound may lie above the least nll by so much of it, for rounding of the nll itself.
TINY = 1e-9
# Cases of a chunk; every how many-th case the relaxations are looked at; boxes of a certificate; local searches of a case.
CHUNK, RELAXED, BOXES, STARTS = 250, 10, 60, 3


def case(model: str, kind: str, edge: str, rng: np.random.Generator, n_steps: int = 40) -> Problem:
    """A random episode, degenerate in the ways that `kind` and `edge` name, in units of its own rewards."""
    n_arms = int(rng.integers(2, 5))
    n_steps = 1 if kind == "one trial" else n_steps
    choices = np.zeros((1, n_steps), dtype=int) if kind == "one arm" else rng.integers(n_arms, size=(1, n_steps))
    rewards = {
        "graded": lambda: rng.normal(size=(1, n_steps)),
        "losses": lambda: rng.choice([-1.0, 1.0], size=(1, n_steps)),
        "constant": lambda: np.ones((1, n_steps)),
        "nothing": lambda: np.zeros((1, n_steps)),
        "huge": lambda: 1e6 * rng.normal(size=(1, n_steps)),
    }.get(kind, lambda: rng.integers(2, size=(1, n_steps)).astype(float))()
    if kind not in ("one trial", "one arm"):  # staying after rewards, so that there is something to be learnt
        for t in range(1, n_steps):
            if rng.uniform() < 0.7 and rewards[0, t - 1] > 0:
                choices[0, t] = choices[0, t - 1]
    if kind == "missed":
        choices[rng.uniform(size=choices.shape) < 0.2] = -1
        rewards[choices < 0] = 0.0
    extra = {}
    if kind == "sessions":
        extra["starts"] = (rng.uniform(size=choices.shape) < 0.1) | (np.arange(n_steps) == 0)
    if kind == "states":
        extra["states"] = rng.integers(3, size=choices.shape)
    data = Dataset("case", choices, rewards, n_arms, **extra)
    family = get_model(model)
    problem = likelihood.problem(data, 0, family, data.bounds_of(family, None))
    problem = problem.in_units(problem.own_unit())
    return replace(problem, **_edged(problem, edge, rng))


def _edged(problem: Problem, edge: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The box of a problem, as `edge` says."""
    roles = problem.model.roles(problem.n_arms)
    rates, weights = roles == "rate", np.isin(roles, ("sensitivity", "weight"))
    lower, upper = problem.lower.copy(), problem.upper.copy()
    if edge == "rates of 0":
        upper[rates] = 0.0
    elif edge == "rates of 1":
        lower[rates] = 1.0
    elif edge == "no weight":
        lower[weights] = upper[weights] = 0.0
    elif edge == "narrow":
        lower[rates] = rng.uniform(0, 0.9)
        upper[rates] = lower[rates] + rng.uniform(0, 0.1)
    elif edge == "lapse of 0":
        upper[roles == "probability"] = 0.0
    elif edge == "lapse of 1":
        lower[roles == "probability"] = rng.choice([0.9, 1.0])
    return {"lower": lower, "upper": upper}


def least_found(problem: Problem, rng: np.random.Generator, starts: int) -> float:
    """The least nll of local searches from random thetas."""
    found = np.inf
    for _ in range(starts):
        low, high = problem.lower, problem.upper
        theta = low + (high - low) * rng.uniform(size=low.size) ** rng.choice([1.0, 3.0])
        found = min(found, problem.nll_theta(theta), descend(problem.episode, theta, low, high)[0])
    return found


def _slack(bound: float, least: float) -> float:
    """By how much a bound lies below the least nll, as a share of it."""
    return (least - bound) / max(least, 1.0)


def slack_of_box(problem: Problem, rng: np.random.Generator, starts: int = STARTS) -> float:
    """The slack of the bound of a random box: of rates alone or of all parameters, anywhere or around a local minimum."""
    low, high = problem.lower, problem.upper
    ends = np.sort(rng.uniform(low, high, size=(2, low.size)), axis=0)
    share = rng.choice([1.0, 0.1, 0.01, 0.001])
    if rng.uniform() < 0.5:
        centre = rng.uniform(low, high)
        descend(problem.episode, centre, low, high)
        half = 0.5 * share * (ends[1] - ends[0])
        ends = np.clip([centre - half, centre + half], low, high)
    else:
        ends[1] = ends[0] + share * (ends[1] - ends[0])
    if rng.uniform() < 0.5:
        wide = problem.model.roles(problem.n_arms) != "rate"
        ends = np.where(wide, [low, high], ends)
    bound, *_ = bound_box(problem.episode, groups(problem), *ends, ends.mean(axis=0), np.inf, 1e-6)
    return _slack(bound, least_found(replace(problem, lower=ends[0], upper=ends[1]), rng, starts))


def slack_of_fit(method: str, problem: Problem, least: float, **settings) -> tuple[float, bool]:
    """The slack of a method's bound, given the least nll known, and whether it converged. Raises AssertionError where other
    claims of the fit do not hold: that its parameters are in the box, that its nll is theirs, that nothing known is lower by
    more than the tolerance where it calls itself converged."""
    how = get_method(method)
    fit = how.fit(problem, how.settings(**settings), np.random.default_rng(0), None)
    theta = fit.theta
    if theta is None and fit.alpha is not None:
        theta = np.concatenate([np.ravel(fit.alpha), np.ravel(fit.beta)])
    if theta is None:
        x = problem.kernel_values(fit.kernels) if fit.relaxed is None else fit.relaxed
        assert abs(problem.nll_of_values(x) - fit.nll) <= 1e-8 * max(fit.nll, 1.0), "nll of the relaxed optimum"
        assert fit.nll <= least + 1e-6 or fit.status == "limit", "a relaxed optimum above parameters"
    else:
        assert (theta >= problem.lower).all() and (theta <= problem.upper).all(), "parameters outside the box"
        assert abs(problem.nll_theta(theta) - fit.nll) <= TINY * max(fit.nll, 1.0), "nll of the parameters"
        least = min(least, fit.nll)
    if method == "certified" and fit.status == "converged":
        assert fit.nll <= least + 1.001e-6, "an optimum above other parameters"
    assert fit.lower_bound >= 0.0, "a bound below 0"
    return _slack(fit.lower_bound, least), fit.status == "converged"


def chunk(model: str, number: int, cases: int = CHUNK) -> dict:
    """A row of the table: how many cases of a model were gone through, how many certificates converged, the least slack of the
    bounds of boxes, certificates and relaxations, and the cases in which a claim did not hold, in words."""
    slack, closed, wrong = dict.fromkeys(("boxes", "certified", "relaxations"), np.inf), 0, []
    for k in range(cases):
        rng = np.random.default_rng(derive_seed(model, number * CHUNK + k, "hunt", 0))
        kind, edge = str(rng.choice(KINDS)), str(rng.choice(EDGES))
        try:
            problem = case(model, kind, edge, rng, n_steps=int(rng.integers(2, 80)))
            slack["boxes"] = min(slack["boxes"], found := slack_of_box(problem, rng))
            least = least_found(problem, rng, STARTS)
            budget = {"max_nodes": BOXES, "max_boxes": BOXES}
            certified, done = slack_of_fit("certified", problem, least, **budget)
            slack["certified"], closed = min(slack["certified"], certified), closed + done
            found = min(found, certified)
            for method in RELAXATIONS if k % RELAXED == 0 else ():
                if get_method(method).serves(problem.model):
                    found = min(found, relaxed := slack_of_fit(method, problem, least)[0])
                    slack["relaxations"] = min(slack["relaxations"], relaxed)
            assert found >= -TINY, f"a bound above parameters by {-found:.1e} of their nll"
        except AssertionError as error:
            wrong.append(f"case {number * CHUNK + k} ({kind}, {edge}): {error}")
    return {"model": model, "chunk": number, "cases": cases, "converged": closed, **slack, "wrong": "; ".join(wrong)}


def hunt(cases: int, folder: Path, cores: int, models: Sequence[str] = MODELS) -> pd.DataFrame:
    """The rows of so many cases of all models together, in whole chunks; those that FOLDER/hunt.csv has are not gone through
    again."""
    import joblib

    path = folder / "hunt.csv"
    rows = pd.read_csv(path, keep_default_na=False).to_dict("records") if path.is_file() else []
    known = {(row["model"], row["chunk"]) for row in rows}
    each = -(-cases // (CHUNK * len(models)))
    left = [(model, number) for number in range(each) for model in models if (model, number) not in known]
    for row in joblib.Parallel(n_jobs=cores, return_as="generator_unordered")(
        joblib.delayed(chunk)(*one, CHUNK) for one in left
    ):
        rows.append(row)
        write_csv(pd.DataFrame(rows), path)
    return pd.DataFrame(rows)


def report(cases: int, folder: Path, cores: int) -> None:
    """Prints what the hunt found, per model."""
    table = hunt(cases, folder, cores)
    parts = {"cases": "sum", "converged": "sum", "boxes": "min", "certified": "min", "relaxations": "min"}
    numbers = table.astype(dict.fromkeys(("boxes", "certified", "relaxations"), float))
    told = numbers.groupby("model", sort=False).agg(parts)
    print(told.to_string(float_format="{:.1e}".format))
    wrong = [f"{row.model}, {words}" for row in table.itertuples() for words in row.wrong.split("; ") if words]
    print(f"{told['cases'].sum():,} cases; least slack of a bound (share of the nll): {told.iloc[:, 2:].min().min():.1e}")
    print("\n".join(wrong) or "every claim held")
