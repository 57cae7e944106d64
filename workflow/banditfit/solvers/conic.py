"""The published convex relaxation as a conic program, in CVXPY (arXiv 2511.04454, section 3).

Over kernels g_s,i[0] >= g_s,i[1] >= ... >= 0 the nll is convex. Each step's logsumexp(x) <= s is written with one exponential
cone for every arm whose value is not zero by construction, exp(x_i - s) <= e_i and sum_i e_i <= 1: fewer cones than CVXPY's
own log_sum_exp makes. Every kernel entry stays in the program, though no choice depends on some of them (an arm that was
never rewarded): where J is flat an interior-point solver ends near the middle of the optimal face, and so do the published
parameters that are projected from there.
"""

import warnings
from time import perf_counter
from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from ..models.likelihood import Problem
from ..outcome import Outcome
from . import clocks

# How each conic solver is asked, one way after the other until one ends with a solution: a name for the way, the solver and its
# options. The factorisation that Clarabel would choose itself takes all cores, and on these programs mostly twice
# the processor time. Where Clarabel makes no progress along the exponential cones at its usual steps, shorter ones mostly do.
Way = tuple[str, str, dict[str, Any]]
_ONE_CORE = {"direct_solve_method": "qdldl"}
_SCS: Way = ("SCS", "SCS", {})
WAYS: dict[str, tuple[Way, ...]] = {
    "Clarabel": (
        ("Clarabel", "Clarabel", _ONE_CORE),
        ("Clarabel with shorter steps", "Clarabel", {**_ONE_CORE, "max_step_fraction": 0.9}),
        _SCS,
    ),
    "SCS": (_SCS,),
}
# Kernels that start above this (nats, odds of e^10) are asked whether they separate the choices.
LARGE = 10.0
FREE = "kernels are free: alpha and beta are not identified"


def lag_matrix(problem: Problem, terms: int) -> tuple[sp.csr_array, np.ndarray]:
    """U with x = U g: rows (scored steps x arms), columns (signals x q x terms); and the scored steps' choices."""
    n, m, (n_signals, q) = problem.n_steps, problem.n_arms, problem.shape
    scored = np.flatnonzero(problem.choices >= 0)
    place = np.zeros(n, dtype=int)
    place[scored] = np.arange(len(scored))
    session = np.cumsum(problem.starts)
    earlier, later = np.triu_indices(n, 1)
    seen = (
        (session[earlier] == session[later])
        & (problem.arms[earlier] >= 0)
        & (problem.choices[later] >= 0)
        & (later - earlier <= terms)
    )
    earlier, later = earlier[seen], later[seen]
    arm = problem.arms[earlier]
    rows = np.tile(place[later] * m + arm, n_signals)
    block = np.arange(n_signals)[:, None] * q + (arm if q > 1 else 0 * arm)
    columns = (block * terms + (later - earlier - 1)).ravel()
    entries = problem.signals[:, earlier].ravel()
    kept = entries != 0.0
    shape = (len(scored) * m, n_signals * q * terms)
    return sp.csr_array((entries[kept], (rows[kept], columns[kept])), shape=shape), problem.choices[scored]


def relax(problem: Problem, solver: str, terms: int | None = None) -> Outcome:
    """The optimum over kernels of at most `terms` terms (all by default) by the conic solver "Clarabel" or "SCS".

    If Clarabel ends without a solution it is asked again, then SCS (see WAYS), and the outcome names the way as the fallback.
    `lower_bound` is given for full kernels only, see `lower_bound`."""
    begin = perf_counter()
    full = terms is None
    terms = problem.n_steps if full else min(terms, problem.n_steps)
    U, choices = lag_matrix(problem, terms)
    program, variable = _program(U, choices, problem.n_arms, [terms] * (U.shape[1] // terms))
    t_setup = perf_counter() - begin
    outcome = Outcome("failed", lower_bound=0.0 if full else np.nan)
    words: list[str] = []
    for way in WAYS[solver]:
        begin = perf_counter()
        status, t_compile, t_solver = _solve(program, way, words)
        t_setup += t_compile
        outcome.t_solve += perf_counter() - begin - t_compile
        outcome.t_published = (outcome.t_published or 0.0) + t_solver
        outcome.n_eval += program.solver_stats.num_iters or 0 if status else 0
        if status is not None:
            outcome.status, outcome.fallback = status, _fallback(way, solver)
            break
    begin = perf_counter()
    if outcome.status != "failed":
        # Decreasing and non-negative to the last bit, which the solver grants only within its tolerance.
        g = np.maximum.accumulate(variable.value.reshape(-1, terms)[:, ::-1], axis=1)[:, ::-1].clip(min=0.0)
        outcome.kernels = np.zeros((*problem.shape, problem.n_steps))
        outcome.kernels[..., :terms] = g.reshape(*problem.shape, terms)
        outcome.nll = problem.nll_of_values(problem.kernel_values(outcome.kernels))
        if _separates(U, choices, g, problem.n_arms):
            outcome.status = "separable"
            words.append("larger kernels fit ever better")
        if full:
            outcome.lower_bound = lower_bound(problem, U, choices, g)
        words.append(FREE if full else f"{FREE}; truncated kernels leave out the geometric ones, so there is no bound")
    outcome.t_setup = t_setup
    outcome.t_solve += perf_counter() - begin
    outcome.message = "; ".join(dict.fromkeys(words))
    return outcome


def lower_bound(problem: Problem, U: sp.csr_array, choices: np.ndarray, g: np.ndarray) -> float:
    """A bound on the nll of every admissible parameter that holds however accurate g, shape (blocks, terms), is.

    J is convex in the kernels, so with c = dJ/dg every kernel g' has J(g') >= J(g) - <c, g> + <c, g'>. An admissible kernel
    b a (1 - a)^j, b <= hi, is decreasing and non-negative with sum at most hi: a mixture of the means over its first l
    entries, so that <c, g'> >= hi min(0, min_l mean(c_0 .. c_l-1)). Taken at g and at g scaled back to sums of at most hi.
    """
    hi = problem.split(problem.upper)[1].reshape(-1, 1)
    mass = g.sum(axis=1, keepdims=True)
    scale = np.divide(hi, mass, out=np.ones_like(mass), where=mass > hi)
    bounds = [0.0]
    for point in (g, scale * g):
        x = (U @ point.ravel()).reshape(len(choices), problem.n_arms)
        shifted = x - x.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        residual = np.exp(shifted - log_total)
        steps = np.arange(len(choices))
        nll = (log_total[:, 0] - shifted[steps, choices]).sum()
        residual[steps, choices] -= 1.0
        c = (U.T @ residual.ravel()).reshape(g.shape)
        means = np.cumsum(c, axis=1) / np.arange(1, g.shape[1] + 1)
        bounds.append(float(nll - (c * point).sum() + (hi[:, 0] * np.minimum(0.0, means.min(axis=1))).sum()))
    return max(bounds)


def relax_clocks(problem: Problem, solver: str) -> Outcome:
    """The same of a model whose traces have one rate each, on the clocks of its traces (see `clocks`)."""
    begin = perf_counter()
    words: list[str] = []
    statuses: list[str] = []
    fallback = ""
    times = [0.0, 0.0]

    def solve(one: clocks.Relaxed) -> clocks.Solution:
        nonlocal fallback
        scored = np.flatnonzero(problem.choices >= 0)
        rows = (scored[:, None] * problem.n_arms + np.arange(problem.n_arms)).ravel()
        sizes = [block.U.shape[1] for block in one.blocks]
        U = sp.csr_array(sp.hstack([*(block.U for block in one.blocks), sp.csr_array(one.linear)], format="csr")[rows])
        U.eliminate_zeros()
        program, variable = _program(U, problem.choices[scored], problem.n_arms, sizes, (one.low, one.high))
        status, n_eval = None, 0
        for way in WAYS[solver]:
            status, t_compile, t_solver = _solve(program, way, words)
            times[0], times[1] = times[0] + t_compile, times[1] + t_solver
            n_eval += program.solver_stats.num_iters or 0 if status else 0
            if status is not None:
                fallback = fallback or _fallback(way, solver)
                break
        statuses.append(status or "failed")
        found = np.zeros(U.shape[1]) if status is None else variable.value
        ends = np.cumsum([0, *sizes])
        # Decreasing and non-negative to the last bit, which the solver grants only within its tolerance.
        parts = np.split(found, ends[1:])[:-1]
        kernels = [np.maximum.accumulate(part[::-1])[::-1].clip(min=0.0) for part in parts]
        v = np.clip(found[ends[-1] :], one.low, one.high)
        x = one.values(kernels, v)
        large = [np.where(g[0] > LARGE, g, 0.0) for g in kernels]
        separable = _margins_hold(one.values(large, np.zeros_like(v))[scored], problem.choices[scored], kernels)
        return clocks.Solution(one, kernels, v, x, one.nll(x)[0], 0.0, one.bound(x), n_eval, separable)

    found, bound, n_eval = clocks.best(problem, solve)
    status = next((each for each in ("failed", "inaccurate") if each in statuses), "converged")
    if status == "failed":
        return Outcome("failed", lower_bound=max(bound, 0.0), message="; ".join(dict.fromkeys(words)))
    if found.separable:
        status = "separable"
        words.append("larger kernels fit ever better")
    return clocks.outcome(
        problem,
        found,
        bound,
        status,
        list(dict.fromkeys(words)),
        fallback=fallback,
        n_eval=n_eval,
        t_setup=times[0],
        t_solve=max(perf_counter() - begin - times[0], 0.0),
        t_published=times[1],
    )


def _program(
    U: sp.csr_array, choices: np.ndarray, m: int, sizes: list[int], linear: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[cp.Problem, cp.Variable]:
    """The conic program over kernels of these sizes, one after the other, then numbers within the limits `linear`; and its
    variable, which holds them."""
    n_scored, size = len(choices), int(sum(sizes))
    every = cp.Variable(U.shape[1])
    inner = np.ones(max(size - 1, 0))
    inner[np.cumsum(sizes)[:-1] - 1] = 0.0  # the last entry of a kernel is held against zero
    steps = sp.eye_array(size, format="csr") - sp.diags_array(inner, offsets=1, shape=(size, size), format="csr")
    limits = [steps @ every[:size] >= 0] if size else []
    if linear is not None and len(linear[0]):
        limits += [every[size:] >= linear[0], every[size:] <= linear[1]]
    live = np.flatnonzero(np.diff(U.indptr))  # the values that are not zero by construction
    if len(live) == 0:  # no signal reaches a choice: J is the same for all kernels
        return cp.Problem(cp.Minimize(0), [*limits, every <= 1]), every
    step_of = live // m
    n_zero = m - np.bincount(step_of, minlength=n_scored)
    alive = np.flatnonzero(n_zero < m)
    place = np.zeros(n_scored, dtype=int)
    place[alive] = np.arange(len(alive))
    s, e = cp.Variable(len(alive)), cp.Variable(len(live))
    to_step = sp.csr_array((np.ones(len(live)), (np.arange(len(live)), place[step_of])), shape=(len(live), len(alive)))
    total = to_step.T @ e
    constraints = [*limits, cp.ExpCone(U[live] @ every - to_step @ s, np.ones(len(live)), e)]
    mixed = np.flatnonzero((n_zero > 0) & (n_zero < m))
    if len(mixed):
        e_zero = cp.Variable(len(mixed))
        weights = sp.csr_array(
            (n_zero[mixed].astype(float), (place[mixed], np.arange(len(mixed)))), shape=(len(alive), len(mixed))
        )
        constraints.append(cp.ExpCone(-s[place[mixed]], np.ones(len(mixed)), e_zero))
        total = total + weights @ e_zero
    constraints.append(total <= 1)
    chosen = U[np.arange(n_scored) * m + choices].sum(axis=0)
    return cp.Problem(cp.Minimize(cp.sum(s) - chosen @ every), constraints), every


def _fallback(way: Way, solver: str) -> str:
    """What an outcome names as its fallback: nothing where the solver did at once what it was asked."""
    return "" if way == WAYS[solver][0] else way[0]


def _solve(program: cp.Problem, way: Way, words: list[str]) -> tuple[str | None, float, float]:
    """Our status (None: no solution), the seconds of CVXPY's compilation and the solver's own clock."""
    name, solver, options = way[0], way[1].upper(), way[2]
    begin = perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data, chain, inverse = program.get_problem_data(solver, solver_opts=options)
        t_compile = perf_counter() - begin
        begin = perf_counter()
        try:
            program.unpack_results(chain.solve_via_data(program, data, solver_opts=options), chain, inverse)
        except cp.SolverError:
            words.append(f"{name} ended without a solution")
            return None, t_compile, perf_counter() - begin
    words += [f"{name}: {w.message}".strip() for w in caught]
    t_solver = program.solver_stats.solve_time or 0.0
    status = {cp.OPTIMAL: "converged", cp.OPTIMAL_INACCURATE: "inaccurate"}.get(program.status)
    if status is None:
        words.append(f"{name} said {program.status}")
    return status, t_compile, t_solver


def _separates(U: sp.csr_array, choices: np.ndarray, g: np.ndarray, m: int) -> bool:
    """Whether growing the large kernels for ever would never lower the value of a chosen arm against another, up to the
    conic solver's own tolerance."""
    large = g[:, :1] > LARGE
    if not large.any():
        return False
    return _margins_hold((U @ (g * large).ravel()).reshape(-1, m), choices, list(g))


def _margins_hold(x: np.ndarray, choices: np.ndarray, kernels: list[np.ndarray]) -> bool:
    """Whether values (scored steps, arms) never favour another arm than the chosen one, and somewhere that."""
    margin = x[np.arange(len(choices)), choices][:, None] - x
    largest = max((float(g.max(initial=0.0)) for g in kernels), default=0.0)
    return bool(margin.max(initial=0.0) > 0.0 and margin.min(initial=0.0) >= -1e-4 * largest)
