"""The test of each claim: the cases in which it can hold or not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from ..models import likelihood
from ..models.families import get_model
from ..models.simulate import PUBLISHED
from ..parameters import SYMBOLS
from ..study.entries import main_runs
from ..study.store import objects
from .claim_cases import (
    Case,
    Evidence,
    NotTested,
    _above,
    _accuracy,
    _all_episodes,
    _as_published,
    _bound_gap,
    _inside,
    _median,
    _ratios,
    _share,
    _side,
    _times,
)
from .coverage import HOLD
from .guide import PROVED, proved
from .published import ENOUGH
from .summaries import CERTIFIED

ACCURACY = {"kl": "policy KL", "alpha_error": "error of α", "beta_error": "error of β"}
COMPARABLE = 1.5  # "comparable", read kindly: within half as much again
ALIKE = 1.1  # "as accurate": within 10 %
SOLVED = 100  # episodes, at least, for a local solver to be held against others


def _comparable(evidence: Evidence) -> list[Case]:
    return _accuracy(evidence, "cvx_loc", "mc", ACCURACY, COMPARABLE) + _as_published(evidence, "CVX-LOC", "MC", ACCURACY)


def _faster(evidence: Evidence) -> list[Case]:
    published = _as_published(evidence, "MC", "CVX-LOC", {"time_ms": "time"})
    return _times(evidence, "mc", "cvx_loc", 1.0, below=False) + published


def _lagged_worse(evidence: Evidence) -> list[Case]:
    published = _as_published(evidence, "D-LOC", "CVX-LOC", ACCURACY)
    return _accuracy(evidence, "d_loc_published", "cvx_loc", ACCURACY, 1.0, below=False) + published


def _truncated(evidence: Evidence) -> list[Case]:
    return [
        *_accuracy(evidence, "cvx_loc_t", "cvx_loc", ACCURACY, ALIKE),
        *_times(evidence, "cvx_loc_t", "cvx_loc", 0.5),
        *_as_published(evidence, "CVX-LOC-T", "CVX-LOC", ACCURACY | {"time_ms": "time"}),
    ]


def _clarabel(evidence: Evidence) -> list[Case]:
    return [
        _share(
            dataset, "episodes in which Clarabel needed a fallback, or ended inaccurate or failed", missed, _inside(0.01, 0.05)
        )
        for dataset, fits in evidence.fits("cvx").items()
        # That choices are separable is a fact of the data.
        for missed in [((fits["fallback"] != "") | ~fits["status"].isin(["converged", "separable"])).to_numpy()]
    ]


def _solver_spread(evidence: Evidence) -> list[Case]:
    cases = []
    for entry in ("cvx_loc", "cvx_loc_t", "d_loc", "d_loc_published"):
        for dataset, fits in evidence.solvers(entry).items():
            # A slow solver may have fitted fewer episodes than the first: each is held against it on those of both.
            table = pd.concat({solver: table["kl"] for solver, table in fits.items()}, axis=1)
            common = {solver: table[[table.columns[0], solver]].dropna() for solver in table.columns[1:]}
            least = min(SOLVED, len(table))
            pairs = [pair for pair in common.values() if len(pair) >= least]
            ratios = [1.0, *(pair.iloc[:, 1].median() / pair.iloc[:, 0].median() for pair in pairs)]
            if pairs:
                spread = float(max(ratios) / min(ratios))
                what = f"largest to smallest median policy KL of {len(ratios)} solvers, {entry}"
                fewest = min(map(len, pairs))
                cases.append(Case(dataset, what, spread, np.nan, np.nan, fewest, "yes" if spread <= 1.05 else "no"))
    if not cases:
        raise NotTested("this study runs its local methods with one solver only")
    return cases


def _ambiguous(evidence: Evidence) -> list[Case]:
    cases = []
    for dataset, fits in evidence.fits("cvx").items():
        held = fits[fits["bound_holds"].eq(True)]
        decided = (held["best_nll"] - held["best_bound"] <= CERTIFIED).to_numpy()
        if len(held):
            # The claim is that they cannot be told apart: it fails where they can, in nearly every episode.
            case = _share(dataset, f"episodes whose gap splits into poor fit and loose bound to {CERTIFIED} nats", decided)
            held_here = {"yes": "no", "no": "yes", "unsure": "unsure"}[_side(case.low, case.high, 0.9, below=False)]
            cases.append(Case(**{**vars(case), "held": held_here}))
    parts = evidence.of_own(evidence.tables["attribution"]).set_index(["dataset", "run"])
    for run in main_runs(evidence.runs):
        for dataset in evidence.data if run.entry.id in ("cvx_loc", "d_loc") else ():
            if (dataset, run.id) in parts.index:
                part = parts.loc[(dataset, run.id)]
                what = f"share of the mean gap of {run.entry.id} that is a loose bound"
                cases.append(Case(dataset, what, part["loose"] / part["total"], np.nan, np.nan, int(part["n"])))
    return cases


def _aligned(evidence: Evidence) -> list[Case]:
    return _accuracy(evidence, "d_loc", "cvx_loc", ACCURACY, 1.0)


def _lag_explains(evidence: Evidence) -> list[Case]:
    _all_episodes(evidence.fits("d_loc_published"))
    table = evidence.tables["reproduction"]
    rows = table[(table["method"] == "D-LOC") & table["ratio"].notna() & table["metric"].isin(ACCURACY)]
    rows = rows[rows["n"] >= ENOUGH * PUBLISHED["n_episodes"]]
    what = "published medians of D-LOC met to 0.5 %, over metrics and solvers"
    cases = []
    for dataset, part in rows.groupby("dataset", sort=False):
        met = (part["ratio"] - 1).abs().le(0.005).mean()  # of the same episodes, so without an interval
        cases.append(Case(dataset, what, met, np.nan, np.nan, int(part["n"].min()), "yes" if met > 0.5 else "no"))
    return cases


def _profile_best(evidence: Evidence) -> list[Case]:
    fitted, published = evidence.fits("profile", "forgetting"), evidence.tables["comparison"]
    others = published[(published["metric"] == "kl") & (published["label"] != "MC")]
    cases = []
    for dataset, fits in fitted.items():
        theirs = others.loc[others["dataset"] == dataset, "published"]
        if len(theirs):
            value, low, high = _median(fits["kl"].dropna().to_numpy()) / theirs.min()
            what = "median policy KL of profile to the lowest published median but MC's"
            cases.append(Case(dataset, what, value, low, high, len(fits), _side(low, high, 1.0, below=True)))
    if not cases:
        raise NotTested("this study has no published data set of that model to hold its accuracy against")
    for other in ("cvx", "cvx_t", "cvx_loc", "cvx_loc_t", "d_loc"):
        try:
            cases += _times(evidence, "profile", other, 1.0, model="forgetting")
        except NotTested:
            continue
    return cases


def _profile_optimal(evidence: Evidence) -> list[Case]:
    what = f"episodes in which profile ends within {PROVED} nats of the best fit of any method"
    return [
        _share(dataset, what, (fits["regret"] <= PROVED).to_numpy(), lambda low, high: "yes" if high == 1.0 else "no")
        for dataset, fits in evidence.fits("profile", "forgetting").items()
    ]


def _hull_tighter(evidence: Evidence) -> list[Case]:
    hull, cvx = evidence.fits("hull"), evidence.fits("cvx")
    cases = []
    for dataset in hull:
        if dataset not in cvx:
            continue
        both = pd.concat([_bound_gap(hull[dataset]), _bound_gap(cvx[dataset])], axis=1, join="inner").dropna().to_numpy()
        tight, loose = (_median(both[:, k]) for k in (0, 1))
        for name, (value, low, high) in (("hull", tight), ("cvx", loose)):
            cases.append(Case(dataset, f"median gap of the bound of {name}, nats", value, low, high, len(both)))
        factor = loose[0] / max(tight[0], 1e-9)
        what = "how many times smaller the hull's median gap is"
        cases.append(Case(dataset, what, factor, np.nan, np.nan, len(both), "yes" if factor >= 10 else "no"))
    return cases


def _hull_certifies(evidence: Evidence) -> list[Case]:
    claimed = {2: 0.5, 10: 0.4}
    return [
        _share(
            dataset,
            f"episodes whose best fit lies within {CERTIFIED} nats of the hull's bound",
            tight,
            _inside(share - 0.1, share + 0.1),
        )
        for dataset, fits in evidence.fits("hull", "forgetting").items()
        for tight in [(_bound_gap(fits) <= CERTIFIED).to_numpy()]
        for share in [claimed.get(evidence.data[dataset].n_arms)]
        if share is not None and len(tight)
    ]


def _branch_and_bound(evidence: Evidence) -> list[Case]:
    cases = []
    for dataset, fits in evidence.fits("certified").items():
        closed = proved(fits).to_numpy()
        cases.append(_share(dataset, f"episodes proved to {PROVED} nats", closed, _above(0.9)))
        taken = _median(1000 * fits["t_cpu"].to_numpy())
        cases.append(Case(dataset, "median processor time of certified, ms", *taken, len(fits)))
    return cases


def _log_space(evidence: Evidence) -> list[Case]:
    cases = _accuracy(evidence, "cvx_log", "cvx_loc", ACCURACY, 1.0, below=False)
    told = _ratios(evidence, "cvx_log", "cvx_loc", {"t_cpu": "processor time"}, 1.0)
    return cases + [replace(case, held="") for case in told]


def _log_start(evidence: Evidence) -> list[Case]:
    return _accuracy(evidence, "cvx_loc_log", "cvx_loc", ACCURACY, 1.01)


def _posteriors_agree(evidence: Evidence) -> list[Case]:
    arrays = ("posterior", "diagnostics", "alpha", "beta")
    chains, exact = (
        {dataset: fits.assign(**{name: objects(fits[name]) for name in arrays}) for dataset, fits in fitted.items()}
        for fitted in (evidence.fits("mc", "forgetting"), evidence.fits("quadrature", "forgetting"))
    )
    cases = []
    for dataset in (name for name in chains if name in exact):
        both = chains[dataset].join(exact[dataset], rsuffix="_exact", how="inner")
        both = both[both["posterior"].notna() & both["posterior_exact"].notna() & both["diagnostics"].notna()]
        for name in ("alpha", "beta"):
            error = [
                abs(row[name] - row[f"{name}_exact"]).item()
                / (row["posterior_exact"][f"{name}_sd"].item() / np.sqrt(row["diagnostics"]["ess_bulk"]))
                for _, row in both.iterrows()
            ]
            what = f"episodes in which the mean of {name} by MC lies within 4 of its standard errors of the exact one"
            error = np.array(error)
            told = error[np.isfinite(error)]  # a parameter that the choices say nothing of has no mean to compare
            if len(told):
                cases.append(_share(dataset, what, told <= 4, _above(0.97)))
    return cases


def _log_beta_concave(evidence: Evidence) -> list[Case]:
    """With x = beta q, l' = sum_t (q(y) - E q) and l'' = -sum_t Var q in beta; in z = log beta it is beta^2 l'' + beta l'."""
    cases, found = [], []
    for dataset, data in evidence.data.items():
        if data.model != "forgetting":
            continue
        model, rng = get_model(data.model), np.random.default_rng(0)
        bounds = data.bounds_of(model)
        curvature = []
        for row in range(min(200, len(data))):
            problem = likelihood.problem(data, row, model, bounds)
            alpha, beta = rng.uniform(*bounds.alpha), rng.uniform(*bounds.beta[0])
            q = problem.values(np.full((1, 1), alpha), np.ones((1, 1)))
            policy = np.exp(likelihood.log_policy(beta * q))
            acted = problem.choices >= 0
            mean = (policy * q).sum(axis=1)
            slope = (q[acted, problem.choices[acted]] - mean[acted]).sum()
            bend = -((policy * q**2).sum(axis=1) - mean**2)[acted].sum()
            curvature.append((bend, beta**2 * bend + beta * slope))
        in_beta, in_log = np.array(curvature).T
        rounding = 1e-9
        what = "random points at which the log-likelihood is convex in"
        cases.append(_share(dataset, f"{what} log β", in_log > rounding))
        # The prior's second derivative, -1, is what may save it.
        cases.append(_share(dataset, f"{what} log β, with a standard normal prior on it", in_log - 1.0 > rounding))
        found.append(in_log - 1.0 > rounding)
        cases.append(_share(dataset, f"{what} β", in_beta > rounding))
    if not cases:
        raise NotTested("this study has no data of the forgetting model")
    # A claim about every point: one counterexample refutes it, on whichever data.
    never = lambda low, high: "yes" if low == 0.0 else "no"  # noqa: E731
    return [*cases, _share("", "the same with the prior, over all data sets", np.concatenate(found), never)]


def _gem_beats(other: str) -> Callable[[Evidence], list[Case]]:
    return lambda evidence: _accuracy(evidence, "gem", other, ACCURACY, 1.0)


def _gem_medians(evidence: Evidence) -> list[Case]:
    claimed = {2: (0.00255, 0.073, 0.223), 10: (0.00243, 0.046, 0.441)}
    cases = []
    for dataset, fits in _all_episodes(evidence.fits("gem", "forgetting")).items():
        for (column, label), figure in zip(ACCURACY.items(), claimed.get(evidence.data[dataset].n_arms, ()), strict=False):
            value, low, high = _median(fits[column].dropna().to_numpy())
            held = _side(low, high, ALIKE * figure, below=True)
            cases.append(Case(dataset, f"median {label} (claimed: {figure:g})", value, low, high, len(fits), held))
    return cases


def _gem_coverage(evidence: Evidence) -> list[Case]:
    fitted, rule = evidence.fits("gem", "forgetting"), _inside(*HOLD)
    table = evidence.tables["coverage"]
    return [
        Case(
            row.dataset,
            f"95 % intervals of {SYMBOLS[row.parameter]} that hold the truth",
            row.coverage,
            row.low,
            row.high,
            row.n,
            held,
        )
        for row in table[(table["run"] == "gem") & table["dataset"].isin(fitted)].itertuples()
        for held in [rule(row.low, row.high)]
    ]


def _gem_cost(evidence: Evidence) -> list[Case]:
    """All participants are fitted in one go and share its time: one timing, so no interval."""
    return [
        Case(dataset, "processor time of gem, ms a participant", t, np.nan, np.nan, len(fits), "yes" if t < 46 else "no")
        for dataset, fits in evidence.fits("gem", "forgetting").items()
        for t in [1000 * float(fits["t_cpu"].median())]
    ]


def _hard_collapses(evidence: Evidence) -> list[Case]:
    table = evidence.tables.get("recovery", pd.DataFrame({"run": []}))
    cases = []
    for row in table[table["run"] == "gem_hard"].itertuples():
        low, high = (row.variance_ratio + side * 1.96 * row.variance_ratio_se for side in (-1, 1))
        what = f"variance of {row.parameter} by gem_hard to the true one"
        held = _side(low, high, 1.0, below=True)
        cases.append(Case(f"{row.model}_{row.bandit}", what, row.variance_ratio, low, high, row.n, held))
    if not cases:
        raise NotTested("this study recovers no simulated population by gem_hard")
    return cases
