"""People who were measured more than once: what moves their parameters from session to session, and how reliable these are."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pandas as pd
from scipy.stats import norm

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import derive_seed
from ..kinds import Seed, Table
from ..models.families import ModelName
from ..models.simulate import simulate_population
from ..parameters import Bounds
from ..solvers.em import estimate
from ..solvers.population import Links, Population, Settings, begin
from ..solvers.sampling import Sampled
from ..solvers.sessions import Nested
from ..solvers.sessions import nested as _nested
from .effects import design, matched
from .populations import _Participants

Sessions = Annotated[
    pd.DataFrame,
    Table("a table with a row per episode and the columns 'episode' and 'person'", columns=("episode", "person")),
]
LIMITS = (2.5, 50.0, 97.5)


@dataclass(frozen=True, eq=False)
class SessionEffects:
    """What `session_effects` found.

    effects    one row per parameter and term of the formula, as `group_effects` has them: parameter, term, effect, se, low,
               high, p, mean_person, one_more
    variances  one row per parameter: the sds `between` people and `within` them (from session to session) on the link scale,
               and `icc`, the share of people in both variances, which is how reliable one session's parameter could be at
               most; each with 95 % limits, such as icc_low and icc_high
    sessions   one row per episode and parameter: episode, person, parameter, `value` (the posterior's median), 95 % limits low
               and high, and sd; drawn towards the same person's other sessions, and towards all people
    converged, reason  whether both halves of the draws agree, and how in words
    """

    effects: pd.DataFrame
    variances: pd.DataFrame
    sessions: pd.DataFrame
    converged: bool
    reason: str


@checked
def session_effects(
    data: Dataset,
    model: ModelName,
    people: Sessions,
    formula: str = "1",
    links: Links = "probit",
    bounds: Bounds | None = None,
    seed: Seed = 0,
) -> SessionEffects:
    """Fits all sessions of all people at once: h_e ~ N(mu + B' x_e + u_p, Psi) for session e of person p, u_p ~ N(0, Sigma), on
    the link scale, so that sessions of one person inform one another, and what differs within people is told from what
    differs between them.

    `data` has an episode per person and session; `people` a row for each of them, with the columns `episode`, as its owner
    calls it, `person`, and what the `formula` names, of the session (a drug, a day) or of the person (age), as in
    `group_effects`; "1" is without any. Raises InputError where nobody has two sessions, and as `group_effects` does.
    """
    table = matched(data, people)
    if (absent := table["person"].isna()).any():
        raise InputError(f"people: found no person for episode '{table.index[absent][0]}', expected whose it is")
    names, person = np.unique(table["person"].astype(str), return_inverse=True)
    if len(names) == len(data):
        raise InputError(f"people: found {len(data)} people with one session each, expected at least one with two")
    known, terms = (np.zeros((len(data), 0)), []) if formula.strip() == "1" else design(data, formula, people)
    problems = _Participants(data, model, bounds)
    start = begin(problems[0], Settings(links=links, moments="laplace"), shared=False)
    rng = np.random.default_rng(derive_seed(data.name, None, "sessions", seed))
    draws, expectation = _nested(problems, start, known, person, rng)
    parameters = problems.model.parameter_names(data.n_arms)
    return SessionEffects(
        _effects(draws, start, terms, parameters, 1.0 / problems.scale),
        _variances(draws, parameters),
        _of_sessions(expectation, start, list(data.ids), names[person], parameters, 1.0 / problems.scale),
        draws.converged,
        draws.reason,
    )


def _effects(draws: Nested, start: Population, terms: list[str], parameters: list[str], factor: np.ndarray) -> pd.DataFrame:
    mean = replace(start, mu=draws.M[:, 0].mean(axis=0))
    rows = []
    for k, parameter in enumerate(parameters):
        for c, term in enumerate(terms, start=1):
            drawn = draws.M[:, c, k]
            effect, error = drawn.mean(), drawn.std()
            more = mean.mu.copy()
            more[k] += effect
            ends = (mean.theta(mean.mu)[k] * factor[k], mean.theta(more)[k] * factor[k])
            low, _, high = np.percentile(drawn, LIMITS)
            rows.append((parameter, term, effect, error, low, high, 2.0 * norm.sf(abs(effect) / error), *ends))
    return pd.DataFrame(rows, columns=["parameter", "term", "effect", "se", "low", "high", "p", "mean_person", "one_more"])


def _variances(draws: Nested, parameters: list[str]) -> pd.DataFrame:
    between, within = (np.diagonal(each, axis1=1, axis2=2) for each in (draws.between, draws.within))
    found: dict[str, object] = {"parameter": parameters}
    for name, values in (("between", np.sqrt(between)), ("within", np.sqrt(within)), ("icc", between / (between + within))):
        low, middle, high = np.percentile(values, LIMITS, axis=0)
        found |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(found)


def _of_sessions(
    expectation: Sampled, start: Population, ids: list[str], person: np.ndarray, parameters: list[str], factor: np.ndarray
) -> pd.DataFrame:
    found = {name: (factor * values).ravel() for name, values in estimate(start, expectation).items()}
    n = len(parameters)
    return pd.DataFrame(
        {
            "episode": np.repeat(ids, n),
            "person": np.repeat(person, n),
            "parameter": parameters * len(ids),
            "value": found["median"],
            "low": found["lower"],
            "high": found["upper"],
            "sd": found["sd"],
        }
    )


# Simulated people: the mean of alpha and beta on the probit scale, sds between people and within them, and by how much the
# second session moves either.
MEAN, BETWEEN, WITHIN, SECOND = (-0.2, 0.3), (0.6, 0.5), (0.3, 0.4), (0.4, 0.0)


def simulated(people: int, steps: int, seed: int) -> tuple[Dataset, pd.DataFrame]:
    """People on the published two-arm bandit in two sessions, and the table of these: episode, person, second (0 or 1)."""
    rng = np.random.default_rng(derive_seed("sessions", None, "simulate", seed))
    second = np.tile([0.0, 1.0], people)
    h = np.array(MEAN) + np.repeat(rng.normal(size=(people, 2)) * BETWEEN, 2, axis=0)
    h += rng.normal(size=(2 * people, 2)) * WITHIN + second[:, None] * SECOND
    alone = [simulate_population("one", ((1.0, tuple(each), (0.0, 0.0)),), 1, steps, rng) for each in h]
    choices, rewards = (np.concatenate([getattr(one, field) for one in alone]) for field in ("choices", "rewards"))
    data = Dataset("sessions", choices, rewards, 2, model="forgetting", bounds=alone[0].bounds)
    return data, pd.DataFrame({"episode": data.ids, "person": np.repeat(np.arange(people), 2), "second": second})


def calibrate(populations: int = 50, people: int = 60, steps: int = 200, seed: int = 0) -> pd.DataFrame:
    """How `session_effects` does on so many populations of `simulated` people: a row per parameter and quantity, with what is
    true, the mean of those found and their sd, and the share of 95 % intervals that hold the truth."""
    rows = []
    for number in range(populations):
        found = session_effects(*_arguments(people, steps, derive_seed("sessions", number, "population", seed)))
        for k, parameter in enumerate(("alpha", "beta")):
            of_effect, of_variance = found.effects.iloc[k], found.variances.iloc[k]
            between, within = BETWEEN[k] ** 2, WITHIN[k] ** 2
            rows.append((parameter, "second", SECOND[k], *of_effect[["effect", "low", "high"]]))
            true = {"between": BETWEEN[k], "within": WITHIN[k], "icc": between / (between + within)}
            rows += [
                (parameter, what, value, *of_variance[[what, f"{what}_low", f"{what}_high"]]) for what, value in true.items()
            ]
    table = pd.DataFrame(rows, columns=["parameter", "quantity", "true", "found", "low", "high"])
    table["covered"] = (table["low"] <= table["true"]) & (table["true"] <= table["high"])
    grouped = table.groupby(["parameter", "quantity", "true"], sort=False)
    return grouped.agg(
        mean=("found", "mean"), sd=("found", "std"), covered=("covered", "mean"), n=("found", "size")
    ).reset_index()


def _arguments(people: int, steps: int, seed: int) -> tuple[Dataset, str, pd.DataFrame, str]:
    data, table = simulated(people, steps, seed)
    return data, "forgetting", table, "second"


def report(populations: int) -> None:
    """Prints the table of docs/populations.md, in Markdown."""
    table = calibrate(populations)
    print(f"| {' | '.join(table)} |\n|{'---|' * len(table.columns)}")
    for row in table.itertuples(index=False):
        print("|", " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row), "|")
