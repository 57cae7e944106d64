"""What is known of people, such as age or group, and how it moves their parameters."""

import re
from collections.abc import Iterable
from typing import Annotated

import numpy as np
import pandas as pd
from scipy.stats import norm

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import derive_seed
from ..kinds import ByName, Seed, Table
from ..models.families import ModelName
from ..models.simulate import simulate_population
from ..parameters import Bounds
from ..solvers.em import learn as _learn
from ..solvers.information import Z_95, standard_errors
from ..solvers.population import begin
from .populations import PopulationMethod, _posed

People = Annotated[pd.DataFrame, Table("a table with a row per episode and the column 'episode'", columns=("episode",))]


@checked
def group_effects(
    data: Dataset,
    model: ModelName,
    formula: str,
    people: People,
    method: PopulationMethod = "gem",
    settings: ByName | None = None,
    bounds: Bounds | None = None,
    seed: Seed = 0,
) -> pd.DataFrame:
    """How the terms of `formula` move the parameters of people: h_j ~ N(mu + B' x_j, Sigma) on the link scale, fitted to all
    episodes at once, so that nothing is lost in fitting first and regressing later.

    `people` has a row for each episode: the column `episode`, as its owner calls it, and what the formula names, numbers or
    groups. The formula is the right-hand side that R and Python have in common, such as "age + group" or "age * group"
    (formulaic reads it); x_j are its columns less their means, so that mu is that of the mean person.

    One row per parameter and term: `effect` of one more unit of the term (of a group, beside the first one) on the link scale,
    its standard error `se` (from the information in people's scores), 95 % limits `low` and `high`, and `p` of Wald's test that
    it is 0; and the parameter of the `mean_person`, and of the same with `one_more` unit. NaN where there are fewer than two
    people for each number to be learned. Raises InputError for people who are missing, twice or unknown, for terms without a
    value or that repeat each other, and as `fit` does.
    """
    problems, options, rng, shared = _posed(data, model, method, settings, bounds, seed)
    known, terms = design(data, formula, people)
    found, expectation = _learn(problems, options, rng, shared, known)
    _, _, se = standard_errors(found, expectation, begin(problems[0], options, shared, known))
    found = found.rescaled(1.0 / problems.scale)
    names = problems.model.parameter_names(data.n_arms)
    rows = []
    for k, place in enumerate(found.free):
        for c, term in enumerate(terms):
            effect, error = found.effects[c, k], se[c, k]
            more = found.mu.copy()
            more[place] += effect
            rows.append(
                {
                    "parameter": names[place],
                    "term": term,
                    "effect": effect,
                    "se": error,
                    "low": effect - Z_95 * error,
                    "high": effect + Z_95 * error,
                    "p": 2.0 * norm.sf(abs(effect) / error),
                    "mean_person": found.theta(found.mu)[place],
                    "one_more": found.theta(more)[place],
                    "people": len(data),
                    "converged": found.converged,
                }
            )
    return pd.DataFrame(rows)


# Simulated people: the mean of alpha and beta on the probit scale, their spread, and by how much one more sd of age moves beta
# and being of the second group moves alpha; nothing else moves.
MEAN, SPREAD = (-0.2, 0.3), 0.6
EFFECTS = {("alpha", "group"): 0.5, ("alpha", "age"): 0.0, ("beta", "group"): 0.0, ("beta", "age"): -0.4}


def simulated(people: int, steps: int, seed: int) -> tuple[Dataset, pd.DataFrame]:
    """People on the published two-arm bandit whose parameters move with group and age as EFFECTS say, and the table of people:
    episode, group (0 or 1) and age (in sd from the mean)."""
    rng = np.random.default_rng(derive_seed("effects", None, "simulate", seed))
    table = pd.DataFrame({"group": rng.integers(0, 2, people).astype(float), "age": rng.normal(size=people)})
    moved = [MEAN[k] + sum(EFFECTS[name, term] * table[term] for term in table) for k, name in enumerate(("alpha", "beta"))]
    of_one = [((1.0, mean, (SPREAD, SPREAD)),) for mean in zip(*moved, strict=True)]
    alone = [simulate_population("one", kind, 1, steps, rng) for kind in of_one]
    choices, rewards = (np.concatenate([getattr(one, field) for one in alone]) for field in ("choices", "rewards"))
    data = Dataset("effects", choices, rewards, 2, model="forgetting", bounds=alone[0].bounds)
    return data, table.assign(episode=data.ids)


def found(populations: Iterable[int], people: int, steps: int, seed: int) -> pd.DataFrame:
    """What `group_effects` finds in the populations of these numbers, of `simulated` people: its table, with the `true` effect
    and the `population` of each row, and parameters by their plain names."""
    tables = []
    for number in populations:
        data, table = simulated(people, steps, derive_seed("effects", number, "population", seed))
        tables.append(group_effects(data, "forgetting", "group + age", table).assign(population=number))
    whole = pd.concat(tables, ignore_index=True)
    names = whole["parameter"].str.partition("[")[0]
    true = [EFFECTS[name, term] for name, term in zip(names, whole["term"], strict=True)]
    return whole.assign(parameter=names, true=true)


def calibrate(populations: int = 100, people: int = 80, steps: int = 200, seed: int = 0) -> pd.DataFrame:
    """How `group_effects` does on so many populations of `simulated` people: a row per parameter and term, with the true
    effect, the mean found, the sd of those found beside the mean of their standard errors, the share of 95 % intervals that
    hold the truth, and the share of p below .05."""
    rows = []
    for (parameter, term), part in found(range(populations), people, steps, seed).groupby(["parameter", "term"], sort=False):
        true = part["true"].iloc[0]
        rows.append(
            {
                "parameter": parameter,
                "term": term,
                "true": true,
                "mean": part["effect"].mean(),
                "sd": part["effect"].std(ddof=1),
                "se": part["se"].mean(),
                "covered": ((part["low"] <= true) & (true <= part["high"])).mean(),
                "significant": (part["p"] < 0.05).mean(),
                "n": len(part),
            }
        )
    return pd.DataFrame(rows)


def report(populations: int) -> None:
    """Prints the table of docs/populations.md, in Markdown."""
    table = calibrate(populations)
    print(f"| {' | '.join(table)} |\n|{'---|' * len(table.columns)}")
    for row in table.itertuples(index=False):
        print("|", " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row), "|")


def matched(data: Dataset, people: pd.DataFrame) -> pd.DataFrame:
    """The rows of `people` for the episodes of the data, in their order."""
    ids = people["episode"].astype(str)
    for words, wrong in (
        ("twice", ids[ids.duplicated()]),
        ("which the data do not have", ids[~ids.isin(data.ids)]),
        ("missing", pd.Series(data.ids)[~np.isin(data.ids, ids)]),
    ):
        if len(wrong):
            raise InputError(f"people: found episode '{wrong.iloc[0]}' {words}, expected each of the data's once")
    return people.set_index(ids).loc[list(data.ids)]


def design(data: Dataset, formula: str, people: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """The columns of the formula, less their means, for the episodes of the data in their order, and their names."""
    from formulaic import model_matrix
    from formulaic.errors import FormulaicError

    table = matched(data, people)
    try:
        matrix = model_matrix(formula, table, na_action="raise")
    except (FormulaicError, ValueError, SyntaxError) as error:
        words = " ".join(re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split())  # without marks for a terminal
        found = f"formula: found {formula!r} ({words})"
        raise InputError(f"{found}, expected such as 'age + group' over the columns of people") from None
    if not isinstance(matrix, pd.DataFrame) or "Intercept" not in matrix:
        raise InputError(f"formula: found {formula!r}, expected the right-hand side alone, with its intercept")
    matrix = matrix.drop(columns="Intercept")
    x = matrix.to_numpy(dtype=float)
    if not x.shape[1]:
        raise InputError(f"formula: found {formula!r}, expected a term at least")
    x = x - x.mean(axis=0)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise InputError(
            f"formula: found terms that repeat each other or are the same for everybody ({', '.join(matrix.columns)}),"
            f" expected each to say something of its own about these {len(data)} people"
        )
    return x, list(matrix.columns)
