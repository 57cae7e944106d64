"""Engines of posteriors beside the exact one: variational inference, Laplace, Pathfinder, EM, HBI and NUTS against quadrature.

Simulated people are taken twice. Each alone, under a prior that is uniform on the box: what an engine says of a person is held
against quadrature with many nodes. And together, their population learned: then against what quadrature says of them given the
population that EM by quadrature finds. All is on the probit scale of the box, on which approximations are normal. An engine
that would take too long for so many people is left out, and has a row that says so.

from banditfit.experiments import engines

engines.compare("forgetting", 20)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..arguments import checked
from ..comparison.hbi import population_of
from ..fitting import derive_seed
from ..kinds import Count, Seed
from ..models import likelihood
from ..models.families import ModelName, get_model
from ..models.likelihood import Problem
from ..solvers import em
from ..solvers.chains import group
from ..solvers.information import Z_95
from ..solvers.nodes import normal_points
from ..solvers.pathfinder import find
from ..solvers.population import Expectation, Population, Settings, begin, expect
from ..solvers.sampling import AGREE
from . import Experiment, hierarchical
from .simulated import People, people

if TYPE_CHECKING:
    from ..study.config import Study

ALONE = 100  # people, at most, who are taken each alone: more of them tell nothing new
EXACT = Settings(moments="quadrature", nodes=31, points=8192)  # of what counts as the exact posterior
KNOWN = 100  # people, at most, whose exact posteriors are found where a person has more than two parameters
VARIATIONAL = 100  # people, at most, of more than two parameters whose population is learned by variational inference
LABELS = {
    "quadrature": "quadrature",
    "laplace": "Laplace",
    "vi": "VI, full rank",
    "vi_mean_field": "VI, mean field",
    "pathfinder": "Pathfinder",
    "nuts": "NUTS",
    "em": "EM, quadrature",
    "em_laplace": "EM, Laplace",
    "sampled": "draws with population",
    "vi_em": "VI with population, full rank",
    "vi_em_mean_field": "VI with population, mean field",
    "hbi": "HBI",
    "nuts_hierarchical": "NUTS, hierarchical",
}


@dataclass(frozen=True)
class _Said:
    """What an engine says of people: means and sds of h (people, D), log evidence or a bound on it (people,; NaN for none), who
    converged (people,), and the population that they are taken to be of, where EM by quadrature has learned it."""

    m: np.ndarray
    sd: np.ndarray
    evidence: np.ndarray
    converged: np.ndarray
    population: Population | None = None

    @classmethod
    def of(cls, e: Expectation, converged: bool | np.ndarray = True, population: Population | None = None) -> "_Said":
        sd = np.sqrt(np.diagonal(e.V, axis1=1, axis2=2))
        return cls(e.m, sd, e.log_evidence, e.found & converged, population)


@checked
def compare(model: ModelName, size: Count, steps: Count = 200, nuts: Count = 20, seed: Seed = 0) -> pd.DataFrame:
    """One row per `prior` (fixed: everybody alone, learned: with their population) and `engine` for `size` simulated people.

    n            people whose exact posteriors an engine is held against: the first, `nuts` of them at most for NUTS, ALONE of
                 those who are taken alone, and KNOWN of those with more than two parameters; 0 where the engine was left out
    mean_error   root mean square, over people and parameters, of an engine's mean less the exact one, in exact posterior sds
    sd_ratio     the median of an engine's sd over the exact one
    coverage     the share of truths within 1.96 sds of the mean
    evidence     an engine's log evidence, or bound on it, less the exact one: the mean over people, nats
    converged    the share of fits that are
    ms           processor time per person
    left_out     why the engine was left out; empty where it was not
    """
    made = people(
        f"engines_{model}_{size}", model, size, steps, np.random.default_rng(derive_seed(model, size, "people", seed))
    )
    family = get_model(model)
    problems = [likelihood.problem(made.data, row, family, made.bounds) for row in range(size)]
    alone, box = problems[:ALONE], begin(problems[0], Settings(), shared=False)
    rows = [("fixed", *row) for row in _held_against_the_exact(_alone(seed, nuts), alone, made, box)]
    rows += [("learned", *row) for row in _held_against_the_exact(_together(made, seed, nuts), problems, made, None)]
    table = pd.DataFrame(rows, columns=["prior", "engine", "n", *MEASURES, "ms", "left_out"])
    return table.assign(model=model, people=size, steps=steps)[["model", "people", "steps", *table.columns]]


Engine = Callable[[list[Problem]], _Said]


def _held_against_the_exact(
    engines: "dict[str, Engine | str]", problems: list[Problem], made: People, population: Population | None
) -> list[tuple]:
    """The rows of engines, without their prior. The exact posteriors are given the population, or that which EM finds."""
    said, ms = {}, {}
    for name, engine in engines.items():
        if isinstance(engine, str):
            continue
        engine(problems[:2])  # compiles
        start = process_time()
        said[name] = engine(problems)
        ms[name] = 1e3 * (process_time() - start) / len(said[name].m)
    given = population or next(one.population for one in said.values() if one.population)
    known = problems[:KNOWN] if len(problems[0].lower) > 2 else problems
    exact = _Said.of(expect(known, _fine(problems[0], given)))
    nothing = (0, *[np.nan] * len(MEASURES), np.nan)
    return [
        (name, *nothing, engine) if isinstance(engine, str) else (name, *_row(said[name], exact, made.h), ms[name], "")
        for name, engine in engines.items()
    ]


MEASURES = ("mean_error", "sd_ratio", "coverage", "evidence", "converged")


def _row(said: _Said, exact: _Said, h: np.ndarray) -> tuple:
    n = min(len(said.m), len(exact.m))
    off = (said.m[:n] - exact.m[:n]) / exact.sd[:n]
    covered = np.abs(said.m - h[: len(said.m)]) <= Z_95 * said.sd
    return (
        n,
        float(np.sqrt((off**2).mean())),
        float(np.median(said.sd[:n] / exact.sd[:n])),
        float(covered.mean()),
        float((said.evidence[:n] - exact.evidence[:n]).mean()),
        float(said.converged.mean()),
    )


def _fine(one: Problem, population: Population) -> Population:
    """The same with the nodes of the exact posterior."""
    return replace(begin(one, EXACT, shared=False), mu=population.mu, Sigma=population.Sigma)


def _alone(seed: int, nuts: int) -> dict[str, Engine | str]:
    """Engines that take everybody alone, under the uniform prior."""

    def by(moments: str) -> Engine:
        settings = Settings(moments=moments)
        return lambda problems: _Said.of(expect(problems, begin(problems[0], settings, shared=False)))

    return {
        "quadrature": by("quadrature"),
        "laplace": by("laplace"),
        "vi": lambda problems: _variational(problems, "full_rank", "fixed"),
        "vi_mean_field": lambda problems: _variational(problems, "mean_field", "fixed"),
        "pathfinder": lambda problems: _pathfinder(problems, seed),
        "nuts": lambda problems: _nuts(problems[:nuts], seed),
    }


def _together(made: People, seed: int, nuts: int) -> dict[str, Engine | str]:
    """Engines that learn the population, or why one is left out."""
    size, D = made.h.shape

    def by(moments: str) -> Engine:
        def engine(problems):
            found, e = em.learn(problems, Settings(moments=moments), np.random.default_rng(0))
            converged = e.r_hat <= AGREE if moments == "sampled" else found.converged
            return _Said.of(e, converged, found if moments == "quadrature" else None)

        return engine

    def variational(family: str) -> Engine | str:
        if D > 2 and size > VARIATIONAL:
            return f"more than {VARIATIONAL} people of more than two parameters"
        return lambda problems: _variational(problems, family, "learned")

    nuts_sampled = lambda problems: _hierarchical(made, len(problems), seed)  # noqa: E731
    return {
        "em": by("quadrature"),
        "em_laplace": by("laplace"),
        "sampled": by("sampled"),
        "vi_em": variational("full_rank"),
        "vi_em_mean_field": variational("mean_field"),
        "hbi": lambda problems: _hbi(made, len(problems)),
        "nuts_hierarchical": nuts_sampled if size <= nuts else f"more than {nuts} people",
    }


def _variational(problems: list[Problem], family: str, prior: str) -> _Said:
    from ..methods import vi

    options = vi.Settings(family=family, prior=prior)
    found, e, checked = vi.learn(problems, options, np.random.default_rng(0))
    return replace(_Said.of(e, found.converged & e.settled), evidence=checked.elbo)


def _pathfinder(problems: list[Problem], seed: int) -> _Said:
    from ..methods.pathfinder import TRUSTED
    from ..methods.pathfinder import Settings as Paths

    prior, options = begin(problems[0], Settings(moments="laplace"), shared=False), Paths()
    D, rng = len(prior.mu), np.random.default_rng(seed)
    few, many = normal_points(options.elbo_draws, D), normal_points(options.draws, D, seed=1)
    found = [find(one, prior, rng.standard_normal((options.paths, D)), few, many) for one in problems]
    m = np.array([each.weights @ each.h for each in found])
    sd = np.array([np.sqrt(each.weights @ (each.h - mean) ** 2) for each, mean in zip(found, m, strict=True)])
    sound = np.array([each.settled and each.pareto_k <= TRUSTED for each in found])
    return _Said(m, sd, np.array([each.log_evidence for each in found]), sound)


def _nuts(problems: list[Problem], seed: int) -> _Said:
    """Everybody by `mc`, in the coordinates of its draws."""
    from scipy.special import ndtri

    from ..methods import mc

    options, m, sd, sound = mc.Settings(), [], [], []
    for j, one in enumerate(problems):
        runs, found = mc.sound_sample(one, options, np.random.default_rng([seed, j]))
        drawn = group(runs[-1], "posterior")
        theta = np.concatenate(
            [drawn[name].values.reshape(-1, part.size) for name, part in one.named(one.lower).items()], axis=1
        )
        h = ndtri(np.clip((theta - one.lower) / (one.upper - one.lower), 1e-16, 1.0 - 1e-16))
        m.append(h.mean(axis=0))
        sd.append(h.std(axis=0))
        sound.append(not mc.complaints(found[-1], options))
    return _Said(np.array(m), np.array(sd), np.full(len(m), np.nan), np.array(sound))


def _hbi(made: People, n: int) -> _Said:
    """Hierarchical Bayesian inference of one model."""
    e, converged = population_of(made.data.select(made.data.episodes[:n]), made.model, "probit", made.bounds)
    return _Said.of(e, converged)


def _hierarchical(made: People, n: int, seed: int) -> _Said:
    """The population and everybody sampled together."""
    from ..methods import mc

    drawn = hierarchical.sample(made.data.select(made.data.episodes[:n]), made.model, bounds=made.bounds, seed=seed)
    h = group(drawn, "posterior")["h"].values
    h = h.reshape(-1, *h.shape[2:])
    r_hat, ess, divergences = hierarchical.worst(drawn)
    sound = r_hat <= mc.R_HAT and ess >= mc.Settings().ess and not divergences
    return _Said(h.mean(axis=0), h.std(axis=0), np.full(n, np.nan), np.full(n, sound))


def _parts(study: "Study") -> list[str]:
    asked = study.populations.get("engines", {})
    return [f"{model}-{size}" for model in asked.get("models", []) for size in asked["sizes"]]


def _arguments(study: "Study", part: str) -> dict[str, Any]:
    (model, size), asked = part.rsplit("-", 1), study.populations["engines"]
    return {"model": model, "size": int(size), "steps": asked["steps"], "nuts": asked["nuts"], "seed": study.config["seed"]}


EXPERIMENT = Experiment(
    run=lambda **how: (compare(**how),),
    found=("engines",),
    parts=_parts,
    arguments=_arguments,
)
