"""Where the errors of CVX-LOC's learning rates come from on ten arms, and why they differ from the published ones.

An arm that was never rewarded has no bearing on any choice: its kernel is free, and CVX-LOC projects whatever the conic solver
ends at. `stored` takes the errors of a stored study apart; `programs` solves some episodes by conic programs that have the same
optimum, ours, CVXPY's own `log_sum_exp`, and that to a looser tolerance, and sets their fits beside each other.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import cvxpy as cp
import numpy as np
import pandas as pd

from ..identification import silent
from ..methods import Outcome
from ..models import likelihood
from ..models.families import get_model
from ..models.simulate import published_data
from ..solvers.conic import lag_matrix, relax
from ..solvers.projection import Settings, project
from ..study.scores import Scores, only
from ..study.store import objects, read_csv, stacked

RUNS = {"cvx_loc.L-BFGS-B": None, "cvx_loc_t.L-BFGS-B": 5}  # and how many terms their kernels have


def _problems(family: str, episodes: int) -> Iterator[tuple[likelihood.Problem, np.ndarray, np.ndarray]]:
    """The first episodes of a published data set on ten arms: the problem, its true rates, and which of these are silent."""
    data, model = published_data(family, "10arm"), get_model(family)
    for row in range(episodes):
        problem = likelihood.problem(data, row, model, data.bounds)
        yield problem, data.truth.alpha[row], problem.split(silent(problem))[0]


def stored(folder: Path, families: tuple[str, ...] = ("per_arm", "subrewards")) -> pd.DataFrame:
    """Of the data sets on ten arms in a stored study: the share of rates that no choice tells and their share of the squared
    error; medians of the error of all rates, of the same where .5 is put in for the silent ones, and of the identified alone;
    the published median of all; and the median of what the method puts in for the silent ones."""
    rows = []
    published = (
        read_csv(folder / "tables/comparison.csv").query("metric == 'alpha_error'").set_index(["dataset", "run"])["published"]
    )
    for family in families:
        name = f"{family}_10arm"
        scores = Scores([folder / f"scores/{name}.parquet"])
        for run in RUNS:
            fits = only(scores, "alpha", "fillers", where={"run": [run]}).sort_values("episode")
            truth, untold = map(np.array, zip(*(rest for _, *rest in _problems(family, len(fits))), strict=True))
            alpha = stacked(fits["alpha"])
            if "fillers" in fits:  # scores of an earlier version have what is put in among the estimates
                put_in = [np.nan if held is None else held["alpha"] for held in objects(fits["fillers"])]
                alpha = np.where(np.isnan(alpha), [np.broadcast_to(held, alpha.shape[1:]) for held in put_in], alpha)
            off = alpha - truth
            norm = lambda errors: np.median(np.linalg.norm(errors.reshape(len(errors), -1), axis=1))  # noqa: E731
            free = untold & (np.abs(alpha - 0.5) < 0.49)
            shifts = np.arange(-20, 21) / 100
            moved = np.array([norm(np.where(free, np.clip(alpha + shift, 0.0, 1.0), alpha) - truth) for shift in shifts])
            rows.append(
                {
                    "data set": name,
                    "run": run,
                    "silent": untold.mean(),
                    "of squared error": (off**2)[untold].sum() / (off**2).sum(),
                    "all": norm(off),
                    "published": published[name, run],
                    "with .5": norm(np.where(untold, 0.5 - truth, off)),
                    "identified": norm(np.where(untold, 0.0, off)),
                    "filled in": np.median(alpha[untold]),
                    "at an end": 1.0 - free.sum() / untold.sum(),
                    "to move": shifts[np.argmin(np.abs(moved - published[name, run]))],
                }
            )
    return pd.DataFrame(rows)


def programs(episodes: int) -> pd.DataFrame:
    """Of the first episodes of per_arm on ten arms, by run and program: how many were solved, mean nll of the kernels, and
    medians of the error of all rates, of the identified ones, and of what is put in for the silent."""
    rows = []
    for row, (problem, truth, untold) in enumerate(_problems("per_arm", episodes)):
        for run, terms in RUNS.items():
            for program, solved in (
                ("ours", relax(problem, "Clarabel", terms)),
                ("log_sum_exp", _plain(problem, terms)),
                ("to 1e-4", _plain(problem, terms, dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-4))),
            ):
                if solved.kernels is None:
                    rows.append({"run": run, "program": program, "nll": np.nan})
                    continue
                fit = project(problem, solved, terms or problem.n_steps, Settings(), np.random.default_rng(row))
                off = fit.alpha - truth
                rows.append(
                    {
                        "run": run,
                        "program": program,
                        "nll": problem.nll_of_values(problem.kernel_values(solved.kernels)),
                        "all": np.linalg.norm(off),
                        "identified": np.linalg.norm(off[~untold]),
                        "filled in": np.median(fit.alpha[untold]) if untold.any() else np.nan,
                    }
                )
    table = pd.DataFrame(rows)
    each = table.groupby(["run", "program"], sort=False)
    medians = each[["all", "identified", "filled in"]].median()
    return each["nll"].agg(solved="count", nll="mean").join(medians).reset_index()


def _plain(problem: likelihood.Problem, terms: int | None, tolerances: Mapping[str, float] | None = None) -> Outcome:
    """The optimum over kernels as CVXPY writes it, with a cone for every arm and step; no kernels where the solver fails."""
    terms = terms or problem.n_steps
    U, choices = lag_matrix(problem, terms)
    g = cp.Variable((U.shape[1] // terms, terms))
    flat = cp.vec(g, order="C")
    x = cp.reshape(U @ flat, (len(choices), problem.n_arms), order="C")
    chosen = U[np.arange(len(choices)) * problem.n_arms + choices].sum(axis=0)
    nll = cp.sum(cp.log_sum_exp(x, axis=1)) - chosen @ flat
    program = cp.Problem(cp.Minimize(nll), [g[:, :-1] >= g[:, 1:], g[:, -1] >= 0])
    try:
        program.solve(solver=cp.CLARABEL, **(tolerances or {}))
    except cp.SolverError as error:
        return Outcome("failed", message=str(error))
    kernels = np.zeros((*problem.shape, problem.n_steps))
    kernels[..., :terms] = g.value.clip(min=0.0).reshape(*problem.shape, terms)
    return Outcome("converged", kernels=kernels)


def report(folder: Path, episodes: int) -> None:
    """Prints both tables."""
    tables = [stored(folder)] + ([programs(episodes)] if episodes else [])
    print("\n\n".join(table.to_string(index=False, float_format=lambda value: f"{value:.4g}") for table in tables))
