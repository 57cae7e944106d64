"""The judge: one yardstick for every fit. Everything is recomputed in float64 from the returned parameters or kernels;
nothing is taken from a method's own claim, which is only compared with what came out.
"""

from typing import Any

import numpy as np
import pandas as pd

from .arguments import checked
from .data.dataset import Dataset
from .errors import InputError
from .fits import FitTable
from .identification import complete, numbers
from .models import likelihood
from .models.families import get_model
from .models.likelihood import Problem, log_policy
from .parameters import Bounds

# A claimed nll may differ from the recomputed one by this share, and by rounding, before the claim counts as wrong.
CLAIM_TOLERANCE = 1e-6


@checked
def score(data: Dataset, fits: FitTable, bounds: Bounds | None = None) -> pd.DataFrame:
    """Judges fits of one data set; one row per fit, in the order given.

    All fits of an episode are judged together: pass every method's fits in one table. Each is held to the bounds that it was
    made with (column `bounds`), or to `bounds` where that is given; only fits of the same model with the same bounds are
    compared with one another. Raises InputError if the fits are of another data set.

    Columns beside those that identify the fit and its times:
    nll_claimed, nll     nats, the method's word and the recomputed value (both of the aligned likelihood)
    kl                   mean over steps of KL(true policy || fitted policy), nats; NaN without truth
    kl_mean_policy       likewise, of the mean policy of the posterior; NaN where the method gives none
    alpha_error          Euclidean norm of the error, all arms and signals stacked, with the method's own numbers also for what
                         is not identified, as published; NaN without truth or parameters
    beta_error           likewise
    alpha_error_identified, beta_error_identified  the same over the identified parameters alone; NaN where none is
    has_parameters       the fit has a finite number for every parameter that the choices tell, in the model's shape
    not_identified       the names of the parameters that they do not tell (`identification`), such as "alpha[reward,3]"
    admissible           the fit has parameters, all inside the bounds; `outside`: it has parameters, and some are not
    lower_bound          the method's bound on the nll of every admissible parameter; NaN where it has none
    rounding             how far from exact the recomputed nll may be, nats (`Problem.rounding`)
    bound_holds          that bound is at most the nll of every admissible fit of the episode, but for the rounding of both;
                         None without a bound
    best_nll, best_bound the lowest nll of an admissible fit, and the highest bound that holds, in this episode
    regret, gap          nll - best_nll and nll - best_bound, for admissible fits
    guessing             the nll of equal probabilities for every arm on offer, nats
    n_scored             how many trials are scored
    at_bound             the parameters that ended at a bound of non-zero width, such as "alpha[reward,0]=0"
    claim_held           the claimed nll is the recomputed one, the bound holds, and the parameters are inside the bounds; None
                         where nothing was claimed
    start_excess         what each start ended above the best one, nats of the likelihood that the method itself minimised,
                         shape (starts,); None where a fit has no starts
    """
    names = sorted(fits["model"].unique())
    if len(names) > 1:
        return pd.concat([score(data, fits[fits["model"] == name], bounds) for name in names]).loc[fits.index]
    strangers = set(fits["dataset"]) - {data.name}
    if strangers:
        raise InputError(f"fits to judge: found data set '{sorted(strangers)[0]}', expected '{data.name}'")
    model = get_model(names[0])
    if bounds is not None or "bounds" not in fits:
        fits = fits.assign(bounds=data.bounds_of(model, bounds).text())
    data = data.select(fits["episode"].unique())
    truths = _truths(data, model.name)
    position = {int(number): row for row, number in enumerate(data.episodes)}
    boxes = {text: Bounds.read(text) for text in fits["bounds"].unique()}
    problems = {
        (number, text): likelihood.problem(data, position[number], model, boxes[text])
        for number, text in fits[["episode", "bounds"]].drop_duplicates().itertuples(index=False)
    }
    judged = [_judge_one(problems[row.episode, row.bounds], truths.get(row.episode), row) for row in fits.itertuples()]
    kept = fits.drop(columns=["kernels", "relaxed", "not_identified"], errors="ignore").rename(columns={"nll": "nll_claimed"})
    table = pd.concat([kept, pd.DataFrame(judged, index=fits.index)], axis=1)
    if "run" not in table:
        table.insert(table.columns.get_loc("method") + 1, "run", table["method"])
    return _judge_together(table)


def _truths(data: Dataset, model: str) -> dict[int, tuple]:
    """Per episode: log policy of the truth, and the true alpha and beta if the fitted family made the data."""
    if data.truth is None:
        return {}
    same = data.model == model
    return {
        int(number): (
            log_policy(data.truth.values[row, : data.n_steps[row]]),
            data.truth.alpha[row] if same else np.nan,
            data.truth.beta[row] if same else np.nan,
        )
        for row, number in enumerate(data.episodes)
    }


def _judge_one(problem: Problem, truth: tuple | None, fit: Any) -> dict:
    row: dict[str, Any] = dict.fromkeys(("nll", "rounding", "kl", "kl_mean_policy"), np.nan)
    row |= {f"{symbol}_error{which}": np.nan for which in ("", "_identified") for symbol in ("alpha", "beta")}
    row |= {"has_parameters": False, "not_identified": "", "admissible": False, "outside": False, "at_bound": ""}
    row |= {"guessing": problem.guessing, "n_scored": int((problem.choices >= 0).sum())}
    row["start_excess"] = None if fit.starts is None else np.array(fit.starts["nll"]) - min(fit.starts["nll"])
    parameters = complete(problem, fit)
    kernels = numbers(fit.kernels, (*problem.shape, problem.n_steps)) if problem.model.kernels else None
    relaxed = numbers(getattr(fit, "relaxed", None), (problem.n_steps, problem.n_arms))
    if parameters is not None:
        theta, unidentified = parameters
        inside = bool((theta >= problem.lower).all() and (theta <= problem.upper).all())
        row |= {"has_parameters": True, "admissible": inside, "outside": not inside}
        names = np.array(problem.model.parameter_names(problem.n_arms))
        row["not_identified"] = " ".join(names[unidentified])
        hit = np.flatnonzero((problem.at_bound(theta) != 0) & ~unidentified)
        row["at_bound"] = " ".join(f"{names[k]}={theta[k]:.3g}" for k in hit)
        x, row["rounding"] = problem.values_of(theta), problem.rounding(theta)
    elif kernels is not None and np.isfinite(kernels).all():
        x, row["rounding"] = problem.kernel_values(kernels), problem.rounding(None, kernels)
    elif relaxed is not None and np.isfinite(relaxed).all():
        x, row["rounding"] = relaxed, problem.rounding_of_values(relaxed)
    else:
        return row
    row["nll"] = problem.nll_of_values(x)
    if truth is not None:
        true_log_policy, *true = truth
        row["kl"] = float((np.exp(true_log_policy) * (true_log_policy - log_policy(x))).sum(axis=1).mean())
        if fit.posterior is not None and "policy" in fit.posterior:
            from scipy.special import rel_entr

            row["kl_mean_policy"] = float(rel_entr(np.exp(true_log_policy), fit.posterior["policy"]).sum(axis=1).mean())
        if parameters is not None and problem.model.kernels:
            found = zip(("alpha", "beta"), problem.split(theta), true, problem.split(unidentified), strict=True)
            for symbol, value, right, unknown in found:
                off = np.where(unknown, np.nan, value - right)
                row[f"{symbol}_error"] = float(np.linalg.norm(value - right))
                if not unknown.all():
                    row[f"{symbol}_error_identified"] = (
                        float(np.sqrt(np.nansum(off**2))) if np.isfinite(right).all() else np.nan
                    )
    return row


def _judge_together(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that compare the fits of an episode with one another."""
    episode = [table["episode"], table["bounds"]]
    best = table["nll"].where(table["admissible"]).groupby(episode).transform("min")
    rounding = table["rounding"].fillna(0.0)
    of_best = rounding.where(table["admissible"] & (table["nll"] == best)).groupby(episode).transform("max")
    bounded = table["lower_bound"].notna()
    # A method computes its bound from numbers as large as those of its fit.
    holds = ~(table["lower_bound"] - best > of_best + rounding)
    table["best_nll"] = best
    table["bound_holds"] = holds.astype(object).where(bounded, None)
    table["best_bound"] = table["lower_bound"].where(bounded & holds).groupby(episode).transform("max")
    table["regret"] = (table["nll"] - table["best_nll"]).where(table["admissible"])
    table["gap"] = (table["nll"] - table["best_bound"]).where(table["admissible"])
    claimed = table["nll_claimed"].notna() & table["nll"].notna()
    told = (table["nll_claimed"] - table["nll"]).abs() <= CLAIM_TOLERANCE * table["nll"].abs().clip(lower=1.0) + rounding
    sound = told & (holds | ~bounded) & ~table["outside"]
    table["claim_held"] = sound.astype(object).where(claimed | bounded, None)
    return table
