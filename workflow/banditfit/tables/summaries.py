"""Tables on disk and their summaries: from one row per fit to one row per data set, run and metric."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..methods import STATUSES, get_method
from ..parameters import edges_of
from ..study.cases import KEYS, Case
from ..study.entries import Run, main_runs
from ..study.results import Results
from ..study.scores import complete, only
from ..study.store import flattened
from . import Maker


@dataclass(frozen=True)
class Metric:
    """A column of the scores that is summarised: its `label`, the `unit` of its summary, and how many of those units make
    one of the scores' own. Less is better in all."""

    label: str
    unit: str
    scale: float = 1.0


METRICS = {
    "kl": Metric("policy KL", "nats"),
    "kl_mean_policy": Metric("policy KL, mean policy", "nats"),
    "alpha_error": Metric("error of α", "1"),
    "beta_error": Metric("error of β", "1"),
    "alpha_error_identified": Metric("error of α, identified", "1"),
    "beta_error_identified": Metric("error of β, identified", "1"),
    "nll": Metric("negative log-likelihood", "nats"),
    "regret": Metric("regret", "nats"),
    "gap": Metric("gap to bound", "nats"),
    "t_setup": Metric("set-up", "ms", 1000.0),
    "t_solve": Metric("solve", "ms", 1000.0),
    "t_wall": Metric("wall", "ms", 1000.0),
    "t_cpu": Metric("processor", "ms", 1000.0),
    "t_published": Metric("as published", "ms", 1000.0),
}
CERTIFIED = 0.01  # nats: a likelihood this close to a bound is the global optimum for any use of it
GUESS = 1e-6  # by this share of its nll a fit may be better than guessing and still count as no better: scores are rounded
USUAL = 0.9  # what a method gives in this share of its fits, it gives


BOOTSTRAP = 10_000  # draws; the ends of a 95 % interval then move by a few per cent of its width from seed to seed
INTERVAL = (2.5, 97.5)  # percentiles


def summarise(scores: pd.DataFrame, runs: Iterable[Run], metrics: Iterable[str] = tuple(METRICS)) -> pd.DataFrame:
    """Per dataset, model, run and metric (of `metrics`): its unit; n, the number of fits that have it; median, q25, q75, mean;
    and median_low, median_high, the 95 % bootstrap interval of the median over episodes. Fits outside the box are left out
    (`complete`)."""
    rows = []
    for case, run, fits in groups(complete(scores), runs):
        for name in metrics:
            metric = METRICS[name]
            values = metric.scale * fits[name].to_numpy(dtype=float)
            values = values[np.isfinite(values)]
            rows.append((*case, run, name, metric.unit, *_describe(values, _seed(case.dataset, run, name))))
    columns = [*KEYS, "run", "metric", "unit", "n", "median", "q25", "q75", "mean", "median_low", "median_high"]
    return pd.DataFrame(rows, columns=columns)


def whole(scores: pd.DataFrame) -> "pd.Series[bool]":
    """Whether a fit is of a run that fitted every episode of its data set that any run fitted with its model: others are of
    other people, and are compared with none."""
    every = scores.groupby(KEYS)["episode"].transform("nunique")
    return scores.groupby([*KEYS, "run"])["episode"].transform("nunique") == every


def compare(scores: pd.DataFrame, runs: Iterable[Run], metrics: Iterable[str] = tuple(METRICS)) -> pd.DataFrame:
    """The medians that may be held against one another: per dataset, model and metric those of the main runs that fitted
    every episode of the data set and have the metric in 90 % of them or more, over the episodes in which all of these have it.

    Columns: dataset, model, run, metric, n (those episodes) and median, in the units of `summarise`. Other runs have no row,
    for their medians are of other people. The nll of free kernels has none either: it may lie below that of all parameters."""
    scores, rows = complete(scores), []
    if "nll" in metrics:
        scores = scores.assign(nll=scores["nll"].where(scores["admissible"].astype(bool)))
    scores = scores[[*KEYS, "run", "episode", *metrics]]
    for case, fits in scores.groupby(KEYS, sort=False):
        every = fits["episode"].nunique()
        shown = groups(fits[whole(fits)], main_runs(runs))
        held = {run: part.set_index("episode") for _, run, part in shown}
        for name in metrics:
            metric = METRICS[name]
            values = pd.DataFrame({run: part[name].astype(float) for run, part in held.items()})
            values = values.where(np.isfinite(values))
            values = values.loc[:, values.notna().sum() >= USUAL * every].dropna()
            medians = metric.scale * values.median()
            rows += [(*case, run, name, len(values), median) for run, median in medians.items() if len(values)]
    return pd.DataFrame(rows, columns=[*KEYS, "run", "metric", "n", "median"])


def groups(scores: pd.DataFrame, runs: Iterable[Run]) -> Iterator[tuple[Case, str, pd.DataFrame]]:
    """The fits of every case and run, cases as they come, runs in their order; one group is held at a time."""
    rows = scores.groupby([*KEYS, "run"], sort=False).indices
    cases = [Case(*names) for names in scores[KEYS].drop_duplicates().itertuples(index=False)]
    runs = [run.id for run in runs]
    for case in cases:
        for run in runs:
            if (*case, run) in rows:
                yield case, run, scores.iloc[rows[*case, run]]


def _seed(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8], "little")


def _describe(values: np.ndarray, seed: int) -> tuple:
    if len(values) == 0:
        return (0, *[np.nan] * 6)
    low, high = np.percentile(bootstrap_medians(values, np.random.default_rng(seed)), INTERVAL)
    return (len(values), *np.percentile(values, (50, 25, 75)), values.mean(), low, high)


def bootstrap_medians(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Medians of BOOTSTRAP resamples with replacement, shape (BOOTSTRAP,).

    Resampling draws n uniform positions among the sorted values, and a median needs only the middle one or two of them.
    Those order statistics follow beta laws (David & Nagaraja, Order Statistics, 3rd ed., section 2.1), so they are drawn
    directly and no resample is made.
    """
    n = len(values)
    ordered = np.sort(values)
    k = (n + 1) // 2
    lower = rng.beta(k, n + 1 - k, size=BOOTSTRAP)
    upper = lower if n % 2 else lower + (1.0 - lower) * rng.beta(1, n - k, size=BOOTSTRAP)
    at = lambda u: ordered[np.minimum((n * u).astype(int), n - 1)]  # noqa: E731  (u may round to 1)
    return (at(lower) + at(upper)) / 2


def outcomes(scores: pd.DataFrame, runs: Iterable[Run]) -> pd.DataFrame:
    """Counts per dataset, model and run: n fits; one column per status; `fallbacks` and what they were; `claims`, the fits
    whose method claimed convergence and a value, and how many of those the judge `upheld`; `bounds` and `bounds_beaten` by an
    admissible fit; fits `at_bound` of the box and which (`at_bound_names`, such as "beta[reward]=20 (35)"); fits `outside` it
    though they have parameters. Fallbacks and bounds count where they came up, not where a fit that starts from another hands
    them on.

    Of the fits with admissible parameters, `estimates`: those `above` the best fit known of the episode by more than CERTIFIED
    nats, those no better than `guessing` (an nll no lower than that of choosing at random) and those of them for which a
    better fit is known, `guessing_above` (both NaN for scores that lack the nll of guessing). Of all fits: those with a
    parameter `unidentified`, and how many `unidentified_parameters` there are."""
    runs, rows = list(runs), []
    hand_on = {run.id for run in runs if get_method(run.entry.method).needs}
    for case, run, fits in groups(complete(scores), runs):
        own = run not in hand_on
        named = fits["fallback"].astype(str)[own & (fits["fallback"] != "")].value_counts()
        claims = fits["claim_held"][fits["status"] == "converged"].dropna()
        bounds = fits["bound_holds"].dropna() if own else pd.Series(dtype=bool)
        edges = pd.Series([name for text in fits["at_bound"] for name in edges_of(text)], dtype=object)
        fitted = fits[fits["admissible"].astype(bool)]
        above = fitted["regret"] > CERTIFIED
        guessing = fitted["nll"] >= (1.0 - GUESS) * fitted["guessing"]
        told = fits["guessing"].notna().all()
        unidentified = fits["not_identified"].str.split().str.len()
        rows.append(
            {
                **case._asdict(),
                "run": run,
                "n": len(fits),
                **{status: int((fits["status"] == status).sum()) for status in STATUSES},
                "fallbacks": int(named.sum()),
                "fallback_names": _counted(named),
                "claims": len(claims),
                "upheld": int(claims.sum()),
                "bounds": len(bounds),
                "bounds_beaten": int((~bounds.astype(bool)).sum()),
                "at_bound": int(fits["at_bound"].astype(bool).sum()),
                "at_bound_names": _counted(
                    edges.sort_values().value_counts(sort=False).sort_values(ascending=False, kind="stable")
                ),
                "outside": int(fits["outside"].sum()),
                "estimates": len(fitted),
                "above": int(above.sum()),
                "guessing": int(guessing.sum()) if told else np.nan,
                "guessing_above": int((guessing & above).sum()) if told else np.nan,
                "unidentified": int((unidentified > 0).sum()),
                "unidentified_parameters": int(unidentified.sum()),
            }
        )
    return pd.DataFrame(rows)


def _counted(names: pd.Series) -> str:
    return "; ".join(f"{name} ({count})" for name, count in names.items())


def attribute(scores: pd.DataFrame, runs: Iterable[Run]) -> pd.DataFrame:
    """Splits the gap of every run to the bound of the published relaxation, CVX: per dataset, model and run, means over
    episodes in nats of

        total = nll - bound = poor_fit (nll - best_nll) + undecided (best_nll - best_bound) + loose (best_bound - bound)

    over the n episodes where the fit is admissible and CVX has a bound that holds; no rows where CVX did not run, nor for runs
    of fewer episodes than others (`whole`)."""
    runs, scores = list(runs), complete(scores)
    columns = ["admissible", "bound_holds", "regret", "best_nll", "best_bound", "lower_bound"]
    scores = scores.loc[whole(scores), [*KEYS, "run", "episode", *columns]]
    bounding = [run.id for run in runs if run.entry.published == "CVX"]
    source = scores[scores["run"].isin(bounding[:1]) & scores["bound_holds"].eq(True)]
    fits = scores[scores["admissible"].astype(bool)].merge(
        source[[*KEYS, "episode", "lower_bound"]], on=[*KEYS, "episode"], suffixes=("", "_source")
    )
    fits["poor_fit"] = fits["regret"]
    fits["undecided"] = fits["best_nll"] - fits["best_bound"]
    fits["loose"] = fits["best_bound"] - fits["lower_bound_source"]
    fits["total"] = fits[["poor_fit", "undecided", "loose"]].sum(axis=1)
    parts = ["total", "poor_fit", "undecided", "loose"]
    rows = [{**case._asdict(), "run": run, "n": len(fit), **fit[parts].mean()} for case, run, fit in groups(fits, runs)]
    return pd.DataFrame(rows, columns=[*KEYS, "run", "n", *parts])


def start_table(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per start of every multi-start fit: dataset, model, episode, run, start and excess, its nll above the best start
    of that fit, in nats (of the likelihood that the method itself minimised)."""
    fits = scores.loc[scores["start_excess"].notna(), [*KEYS, "episode", "run", "start_excess"]]
    lengths, excess = flattened(fits["start_excess"])
    table = fits.drop(columns="start_excess").iloc[np.repeat(np.arange(len(fits)), lengths)].reset_index(drop=True)
    starts = np.arange(len(excess)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return table.assign(start=starts, excess=excess)


def resamples(n: int, count: int) -> Iterator[np.ndarray]:
    """The positions of `count` resamples with replacement of n episodes, always the same ones, some resamples (rows, n) at a
    time."""
    rng, rows = np.random.default_rng(0), max(AT_ONCE // n, 1)
    for begin in range(0, count, rows):
        yield rng.integers(n, size=(min(rows, count - begin), n))


AT_ONCE = 1_000_000  # positions of resamples


def _by_metric(make: Callable[..., pd.DataFrame], results: Results) -> tuple[pd.DataFrame]:
    """A table over metrics, made with the scores of one metric held at a time; its rows come by case and run, or by case."""
    tables = [make(only(results.scores, name), results.runs, [name]) for name in METRICS]
    table = pd.concat([one for one in tables if len(one)] or tables[:1], ignore_index=True)
    by = [*KEYS, "run"] if make is summarise else KEYS
    return (table.iloc[np.argsort(table.groupby(by, sort=False).ngroup(), kind="stable")].reset_index(drop=True),)


OUTCOMES = ("status", "fallback", "claim_held", "bound_holds", "at_bound", "regret", "nll", "guessing", "not_identified")
ATTRIBUTION = ("bound_holds", "regret", "best_nll", "best_bound", "lower_bound")
TABLES = [
    Maker(("summary",), lambda results: _by_metric(summarise, results)),
    Maker(("compared",), lambda results: _by_metric(compare, results)),
    Maker(("outcomes",), lambda results: (outcomes(only(results.scores, *OUTCOMES), results.runs),)),
    Maker(("attribution",), lambda results: (attribute(only(results.scores, *ATTRIBUTION), results.runs),)),
]
