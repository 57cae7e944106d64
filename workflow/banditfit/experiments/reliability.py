"""Reliability: do estimates of the same people, fitted twice to choices made on two occasions, agree? A benchmark of methods
where no truth is known.

from banditfit.experiments import reliability

reliability.reliability(first, second, "rescorla_wagner", {"profile": ("profile", {}), "gem": ("gem", {})})
"""

from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..fitting import fit
from ..identification import complete
from ..kinds import Limits, Seed
from ..methods import get_method
from ..models import likelihood
from ..models.families import ModelName, get_model
from ..names import called
from ..parameters import Bounds
from .populations import Runs

COLUMNS = (
    *("run", "parameter", "n", "agreement", "low", "high", "consistency", "consistency_low", "consistency_high"),
    *("ceiling", "other_nll", "failed", "ms"),
)

ROUNDING = 1e-24  # of mean squares: what is less than this share of another is none


class Correlation(NamedTuple):
    """An intraclass correlation with its confidence interval."""

    r: float
    low: float
    high: float


class Correlations(NamedTuple):
    """Of absolute `agreement`, ICC(A,1), also called ICC(2,1), and of `consistency`, ICC(C,1) or ICC(3,1), which forgives an
    occasion that moves everybody alike."""

    agreement: Correlation
    consistency: Correlation


@checked
def intraclass(values: np.ndarray, level: Annotated[float, Limits(0, 1, inside=True)] = 0.95) -> Correlations:
    """The intraclass correlations of single measurements, of values (people, occasions), with intervals of this level: McGraw &
    Wong 1996, Psychological Methods 1, 30, tables 4 and 7 (Shrout & Fleiss 1979's ICC(2,1) and ICC(3,1)). NaN for fewer than
    three people, or values that do not vary. Raises InputError for values that are no such table of finite numbers."""
    if values.ndim != 2 or values.shape[1] < 2 or not np.isfinite(values).all():
        raise InputError(
            f"values have shape {values.shape}, expected (people, occasions) of finite numbers, two occasions or more"
        )
    n, k = values.shape
    if n < 3 or np.ptp(values) == 0.0:
        return Correlations(*[Correlation(np.nan, np.nan, np.nan)] * 2)
    of_people, of_occasions = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = ((values - of_people - of_occasions + values.mean()) ** 2).sum() / ((n - 1) * (k - 1))
    between, moved = k * of_people.var(ddof=1), n * of_occasions.var(ddof=1)
    if moved + rest <= ROUNDING * between:
        return Correlations(*[Correlation(1.0, 1.0, 1.0)] * 2)
    return Correlations(_agreement(n, k, between, moved, rest, level), _consistency(n, k, between, rest, level))


def _consistency(n: int, k: int, between: float, rest: float, level: float) -> Correlation:
    """From mean squares between people and of the rest."""
    from scipy.stats import f

    freedom, at = (n - 1, (n - 1) * (k - 1)), 0.5 + level / 2.0
    r = (between - rest) / (between + (k - 1) * rest)
    if rest <= ROUNDING * between:
        return Correlation(1.0, 1.0, 1.0)
    low, high = between / rest / f.ppf(at, *freedom), between / rest * f.ppf(at, *freedom[::-1])
    return Correlation(r, *((end - 1.0) / (end + k - 1.0) for end in (low, high)))


def _agreement(n: int, k: int, between: float, moved: float, rest: float, level: float) -> Correlation:
    """The same, with the mean square between occasions (`moved`); degrees of freedom by Satterthwaite."""
    from scipy.stats import f

    at = 0.5 + level / 2.0
    r = (between - rest) / (between + (k - 1) * rest + k * (moved - rest) / n)
    a, b = k * r / (n * (1.0 - r)), 1.0 + k * r * (n - 1) / (n * (1.0 - r))
    freedom = (a * moved + b * rest) ** 2 / ((a * moved) ** 2 / (k - 1) + (b * rest) ** 2 / ((n - 1) * (k - 1)))
    others = k * moved + (k * n - k - n) * rest
    down, up = f.ppf(at, n - 1, freedom), f.ppf(at, freedom, n - 1)
    low = n * (between - down * rest) / (down * others + n * between)
    return Correlation(r, low, n * (up * between - rest) / (others + n * up * between))


@checked
def reliability(
    first: Dataset, second: Dataset, model: ModelName, runs: Runs, bounds: Bounds | None = None, seed: Seed = 0
) -> pd.DataFrame:
    """Fits `model` by every run (a method with settings) to either occasion on its own: a population is learned from one
    occasion's choices alone, so that no run knows that the same people came twice. Episodes are people, matched by `id`.

    One row per run and parameter:

    n            people with an estimate on both occasions: fits that failed and parameters that are not identified are left out
    agreement    ICC(A,1) of the estimates, in the user's units, with its 95 % interval low, high
    consistency  ICC(C,1), with consistency_low, consistency_high
    ceiling      of runs that learn a population and give sds: the correlation of estimates if nobody changed, which is the
                 share of the population's variance that they know, Var[m] / (Var[m] + E[V]); the mean of both occasions
    other_nll    nats per trial of the choices on one occasion by the parameters of the other, both ways; the same for all
                 parameters of a run. An ICC says nothing of bias; this does. Over people whom the run fitted both times
    failed       people whose fit failed on either occasion
    ms           processor time of a fit

    Raises InputError for occasions of different people, and as `fit` does.
    """
    if set(first.ids) != set(second.ids):
        odd = sorted(set(first.ids) ^ set(second.ids))[0]
        raise InputError(f"second: person '{odd}' is on one occasion alone, expected the same people on both")
    occasions = [first, second]
    rows = []
    for run, (name, settings) in runs.items():
        fits = [fit(data, model, name, settings=settings, bounds=bounds, seed=seed) for data in occasions]
        rows += _rows(run, name, settings, occasions, fits, model, bounds)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(run, name, settings, occasions, fits, model: str, bounds: Bounds | None) -> list[tuple]:
    """The rows of a run from its fits of both occasions."""
    family = get_model(model)
    problems = [
        [likelihood.problem(data, row, family, data.bounds_of(family, bounds)) for row in range(len(data))]
        for data in occasions
    ]
    names = family.parameter_names(occasions[0].n_arms)
    people = list(occasions[0].ids)
    found = [
        {each.id: _estimate(one, each, names) for one, each in zip(of_occasion, table.itertuples(), strict=True)}
        for of_occasion, table in zip(problems, fits, strict=True)
    ]
    both = [person for person in people if all(each[person] is not None for each in found)]
    by_id = [dict(zip(data.ids, of_occasion, strict=True)) for data, of_occasion in zip(occasions, problems, strict=True)]
    shown = (_other_nll(by_id, found, both), len(people) - len(both), 1e3 * float(np.mean([each["t_cpu"] for each in fits])))
    method, own = called(name, settings)
    how = get_method(method)
    learns = how.population and how.read_settings(method, own).pools
    rows = []
    for k, parameter in enumerate(names):
        values = np.array([[each[person].theta[k] for each in found] for person in both]).reshape(-1, 2)
        sds = np.array([[each[person].sd[k] for each in found] for person in both]).reshape(-1, 2)
        known = np.isfinite(values).all(axis=1)
        values, sds = values[known], sds[known]
        agreement, consistency = intraclass(values)
        rows.append(
            (run, parameter, len(values), *agreement, *consistency, _ceiling(values, sds) if learns else np.nan, *shown)
        )
    return rows


class _Estimate(NamedTuple):
    """Of one person: theta (D,), NaN where not identified; sds (D,), NaN where none is given; and theta with the method's own
    numbers where it is not identified."""

    theta: np.ndarray
    sd: np.ndarray
    whole: np.ndarray


def _estimate(one, row, names: list[str]) -> _Estimate | None:
    """None of a fit that failed."""
    if row.status == "failed" or (known := complete(one, row)) is None:
        return None
    whole, missing = known
    posterior = row.posterior or {}
    sds = [posterior.get(f"{parameter.name}_sd") for parameter in one.model.parameters]
    sd = np.full(len(names), np.nan) if any(part is None for part in sds) else np.concatenate([np.ravel(part) for part in sds])
    return _Estimate(np.where(missing, np.nan, whole), sd, whole)


def _ceiling(values: np.ndarray, sds: np.ndarray) -> float:
    known = values.var(axis=0, ddof=1)
    return float((known / (known + (sds**2).mean(axis=0))).mean()) if len(values) > 1 else np.nan


def _other_nll(problems: list[dict], found: list[dict], people: list[str]) -> float:
    """Nats per trial of either occasion by the parameters of the other."""
    nll, trials = 0.0, 0
    for here, there in ((0, 1), (1, 0)):
        for person in people:
            one = problems[there][person]
            nll += one.nll_theta(found[here][person].whole)
            trials += int((one.choices >= 0).sum())
    return nll / trials if trials else np.nan
