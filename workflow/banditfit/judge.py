"""The judge: one yardstick for every fit. Everything is recomputed in float64 from the returned parameters or kernels;
nothing is taken from a method's own claim, which is only compared with what came out.
"""

import numpy as np
import pandas as pd
from scipy.special import rel_entr

from . import likelihood
from .data import Dataset
from .errors import InputError
from .likelihood import Problem, log_policy
from .models import Bounds, get_model

# Differences of this share of the nll are rounding: sums of a few hundred float64 terms in another order.
ROUNDING = 1e-9
# A claimed nll may differ from the recomputed one by this share before the claim counts as wrong.
CLAIM_TOLERANCE = 1e-6


def score(data: Dataset, fits: pd.DataFrame, bounds: Bounds | None = None) -> pd.DataFrame:
    """Judges fits of one data set by one model; one row per fit, in the order given.

    All fits of an episode are judged together: pass every method's fits in one table. `bounds` as in `fit`. Raises
    InputError if the fits are of another data set or of several models.

    Columns beside those that identify the fit and its times:
    nll_claimed, nll     nats, the method's word and the recomputed value (both of the aligned likelihood)
    kl                   mean over steps of KL(true policy || fitted policy), nats; NaN without truth
    kl_mean_policy       likewise, of the mean policy of the posterior; NaN where the method gives none
    alpha_error          Euclidean norm of the error, all arms and signals stacked; NaN without truth or parameters
    beta_error           likewise
    admissible           the fit has finite parameters inside the bounds; `outside`: it has finite parameters outside them
    lower_bound          the method's bound on the nll of every admissible parameter; NaN where it has none
    bound_holds          that bound is at most the nll of every admissible fit of the episode; None without a bound
    best_nll, best_bound the lowest nll of an admissible fit, and the highest bound that holds, in this episode
    regret, gap          nll - best_nll and nll - best_bound, for admissible fits
    at_bound             the parameters that ended at a bound of non-zero width, such as "alpha[reward,0]=0"
    claim_held           the claimed nll is the recomputed one, and the bound holds; None where nothing was claimed
    start_excess         what each start ended above the best one, nats of the likelihood that the method itself minimised,
                         shape (starts,); None where a fit has no starts
    """
    names = sorted(fits["model"].unique())
    if len(names) != 1:
        raise InputError(f"fits to judge: found models {', '.join(names) or 'none'}, expected exactly one")
    strangers = set(fits["dataset"]) - {data.name}
    if strangers:
        raise InputError(f"fits to judge: found data set '{sorted(strangers)[0]}', expected '{data.name}'")
    model = get_model(names[0])
    bounds = bounds or data.bounds_of(model)
    data = data.select(fits["episode"].unique())
    problems = {int(number): likelihood.problem(data, row, model, bounds) for row, number in enumerate(data.episodes)}
    truths = _truths(data, model.name)

    judged = pd.DataFrame(
        [_judge_one(problems[row.episode], truths.get(row.episode), row) for row in fits.itertuples()], index=fits.index
    )
    kept = fits.drop(columns="kernels", errors="ignore").rename(columns={"nll": "nll_claimed"})
    table = pd.concat([kept, judged], axis=1)
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


def _judge_one(problem: Problem, truth: tuple | None, fit) -> dict:
    has_parameters = bool(np.isfinite(fit.alpha).all() and np.isfinite(fit.beta).all())
    row = dict.fromkeys(("nll", "kl", "kl_mean_policy", "alpha_error", "beta_error"), np.nan)
    row |= {"admissible": False, "outside": False, "at_bound": ""}
    row["start_excess"] = None if fit.starts is None else np.array(fit.starts["nll"]) - min(fit.starts["nll"])
    if has_parameters:
        x = problem.values(fit.alpha, fit.beta)
        theta = np.concatenate([np.ravel(fit.alpha), np.ravel(fit.beta)])
        row["admissible"] = bool((theta >= problem.lower).all() and (theta <= problem.upper).all())
        row["outside"] = not row["admissible"]
        row["at_bound"] = _at_bound(problem, theta)
    elif fit.kernels is not None:
        x = problem.kernel_values(fit.kernels)
    else:
        return row
    row["nll"] = problem.nll_of_values(x)
    if truth is not None:
        true_log_policy, alpha, beta = truth
        row["kl"] = float((np.exp(true_log_policy) * (true_log_policy - log_policy(x))).sum(axis=1).mean())
        if fit.posterior is not None and "policy" in fit.posterior:
            row["kl_mean_policy"] = float(rel_entr(np.exp(true_log_policy), fit.posterior["policy"]).sum(axis=1).mean())
        row["alpha_error"] = float(np.linalg.norm(fit.alpha - alpha))
        row["beta_error"] = float(np.linalg.norm(fit.beta - beta))
    return row


def _at_bound(problem: Problem, theta: np.ndarray) -> str:
    width = problem.upper - problem.lower
    near = 1e-6 * width
    hit = (width > 0) & ((theta <= problem.lower + near) | (theta >= problem.upper - near))
    names = [
        f"{parameter}[{signal}]" if problem.model.shared else f"{parameter}[{signal},{arm}]"
        for parameter in ("alpha", "beta")
        for signal in problem.model.signals
        for arm in range(problem.shape[1])
    ]
    return " ".join(f"{names[k]}={theta[k]:.3g}" for k in np.flatnonzero(hit))


def _judge_together(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that compare the fits of an episode with one another."""
    episode = table["episode"]
    best = table["nll"].where(table["admissible"]).groupby(episode).transform("min")
    slack = ROUNDING * best.abs().clip(lower=1.0)
    bounded = table["lower_bound"].notna()
    holds = ~(table["lower_bound"] > best + slack)
    table["best_nll"] = best
    table["bound_holds"] = holds.astype(object).where(bounded, None)
    table["best_bound"] = table["lower_bound"].where(bounded & holds).groupby(episode).transform("max")
    table["regret"] = (table["nll"] - table["best_nll"]).where(table["admissible"])
    table["gap"] = (table["nll"] - table["best_bound"]).where(table["admissible"])
    claimed = table["nll_claimed"].notna() & table["nll"].notna()
    told = (table["nll_claimed"] - table["nll"]).abs() <= CLAIM_TOLERANCE * table["nll"].abs().clip(lower=1.0)
    table["claim_held"] = (told & (holds | ~bounded)).astype(object).where(claimed | bounded, None)
    return table
