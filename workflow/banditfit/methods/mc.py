"""MC: the posterior mean by Monte Carlo (arXiv 2511.04454, section 4), sampled with nutpie's NUTS on the compiled likelihood.

The sampler runs in the coordinates v of `_posterior`, where the posterior is nearly normal however little the choices say, and
calls the density by its machine address: Python is not involved in a draw.
"""

from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter

import numpy as np
from numba import carray, cfunc, types

from ..data.dataset import Dataset
from ..errors import InputError
from ..models import likelihood
from ..models.families import get_model
from ..models.traces import packed, unpacked
from ..numerics import _compiled
from ..solvers.chains import Draws, effective_draws, group, r_hat
from ..solvers.transport import (
    CELLS,
    QUANTILES,
    coefficients,
    mean_policy,
    place,
    read_priors,
    summary,
    transport,
    transported,
    transported_log_density,
)
from . import Method, Outcome

LONGER = 8  # times the draws, and LONGER_TUNE times the warm-up, for a fit whose chains failed a diagnostic
LONGER_TUNE = 2
CAUTIOUS = 0.95  # its target of acceptance: smaller steps, against divergences
POLICY_DRAWS = 1000  # draws, evenly spaced, in the mean policy

# What a fit must pass (Vehtari et al. 2021, Bayesian Analysis 16, 667; Betancourt 2017, arXiv 1701.02434).
R_HAT = 1.01
E_BFMI = 0.3


@dataclass(frozen=True)
class Settings:
    """`chains` of `tune` warm-up steps and `draws` draws (the published study: 4, 2000, 5000); `ess`: effective draws that
    every parameter must reach, in bulk and tails; `target_accept`: NUTS's target of acceptance; `prior_alpha` (uniform,
    beta(a, b)) and `prior_beta` (uniform, gamma(shape, scale), lognormal(mu, sigma)), truncated to the bounds."""

    chains: int = 4
    tune: int = 500
    draws: int = 1000
    ess: int = 400
    target_accept: float = 0.8
    prior_alpha: str = "uniform"
    prior_beta: str = "uniform"

    def __post_init__(self):
        # Fewer chains cannot disagree; fewer draws leave ArviZ no tails to compare.
        for name, least in (("chains", 2), ("tune", 50), ("draws", 50), ("ess", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if not 0.5 <= self.target_accept < 1:
            raise InputError(f"target_accept is {self.target_accept:g}, expected from 0.5 to below 1")
        read_priors(self.prior_alpha, self.prior_beta)


def _packed(problem: likelihood.Problem, prior: np.ndarray, pairs: np.ndarray, splines: np.ndarray) -> np.ndarray:
    """An episode as one array of 64-bit words, for `_unpack`."""
    words = lambda reals: np.ascontiguousarray(reals, dtype=np.float64).ravel().view(np.int64)  # noqa: E731
    reals = [words(each) for each in (problem.lower, problem.upper, prior, splines)]
    return np.concatenate([[len(problem.lower), len(pairs)], packed(problem.episode), pairs.ravel(), *reals])


@_compiled
def _unpack(address):
    n, n_pairs, length = carray(address, 3)
    words = carray(address, 2 + length + 6 * n + (2 + 8 * CELLS) * n_pairs)
    pairs = words[2 + length :][: 2 * n_pairs].reshape((n_pairs, 2))
    reals = words[2 + length + 2 * n_pairs :].view(np.float64)
    lower, upper = reals[: 2 * n].reshape((2, n))
    prior = reals[2 * n :][: 4 * n].reshape((n, 4))
    splines = reals[6 * n :].reshape((n_pairs, 2, CELLS, 4))
    return unpacked(words[2:]), lower, upper, prior, pairs, splines


def _density(n, v, gradient, value, address):
    """log p(v | y) and its gradient in the sampler's calling convention; not 0 where either is not finite."""
    slope = carray(gradient, (n,))
    value[0] = transported_log_density(carray(v, (n,)), slope, *_unpack(address))
    return 0 if np.isfinite(value[0]) and np.isfinite(slope).all() else 1


def _expand(n, n_out, v, out, address):
    """theta of v, in the sampler's calling convention."""
    _, lower, upper, _, pairs, splines = _unpack(address)
    u = transported(carray(v, (n,)), pairs, splines)
    for k in range(n):
        out[k] = place(u[k], lower[k], upper[k])[0]
    return 0


@cache
def _machine_code():
    """Density and expansion as the sampler calls them; compiled here, for the module is read where nothing is sampled too."""
    reals, words = types.CPointer(types.float64), types.CPointer(types.int64)
    density = cfunc(types.int64(types.uint64, reals, reals, reals, words), cache=True)(_density)
    return density, cfunc(types.int64(types.uint64, types.uint64, reals, reals, words), cache=True)(_expand)


def sample(problem: likelihood.Problem, settings: Settings, rng: np.random.Generator) -> Draws:
    """The draws of one episode: `alpha` and `beta` (chain, draw, signal, arm; one "arm" where the arms share them) in
    `posterior`, the coordinates v and the sampler's statistics in `sample_stats`, the warm-up apart."""
    import nutpie
    from nutpie.compile_pymc import CompiledPyMCModel

    n = len(problem.lower)
    prior = coefficients(problem, settings.prior_alpha, settings.prior_beta)
    shapes = {name: part.shape for name, part in problem.named(problem.lower).items()}
    if problem.model.kernels:
        dims = dict.fromkeys(shapes, ("signal", "arm"))
        arms = ["all"] if problem.model.shared else [str(arm) for arm in range(problem.n_arms)]
        coords = {"signal": list(problem.model.signals), "arm": arms}
    else:
        dims = {name: (f"{name}_signal", f"{name}_arm") for name in shapes}
        coords = {
            dim: [str(k) for k in range(size)] for name in shapes for dim, size in zip(dims[name], shapes[name], strict=True)
        }
    density, expand = _machine_code()
    # The class nutpie makes of a PyMC model: the one way to hand it a density as machine code.
    model = CompiledPyMCModel(
        compiled_logp_func=density,
        compiled_expand_func=expand,
        user_data=_packed(problem, prior, *transport(problem, prior)),
        initial_point_func=lambda seed: np.random.default_rng(seed).normal(size=n),  # rates from the uniform prior
        n_expanded=n,
        shape_info=(list(shapes), [int(np.prod(shape)) for shape in shapes.values()], list(shapes.values())),
        dims=dims,
        shared_data={},
        logp_func=None,
        expand_func=None,
        _n_dim=n,
        _shapes=shapes,
        _coords=coords,
    )
    return nutpie.sample(
        model,
        chains=settings.chains,
        tune=settings.tune,
        draws=settings.draws,
        target_accept=settings.target_accept,
        seed=int(rng.integers(2**32)),
        cores=1,  # episodes are what runs in parallel
        progress_bar=False,
        store_unconstrained=True,
    )


def diagnose(draws: Draws) -> dict[str, float]:
    """The worst R-hat (rank-normalised) and effective sample sizes over alphas and betas, the number of divergent draws and
    the lowest E-BFMI of a chain."""
    said = group(draws, "sample_stats")
    v = said["unconstrained_draw"].values
    parts = group(draws, "posterior").data_vars.values()
    theta = np.concatenate([part.values.reshape(*v.shape[:2], -1) for part in parts], axis=-1)
    # A parameter whose bounds coincide has no ranks: its coordinate stands in for it.
    theta = np.where(np.ptp(theta, axis=(0, 1)) > 0.0, theta, v)
    moved = bool((np.ptp(v, axis=1) > 0.0).any(axis=0).all())  # without variance in any chain there is nothing to divide by
    return {
        "r_hat": float(r_hat(theta).max()) if moved else np.inf,
        "ess_bulk": float(effective_draws(theta, "bulk").min()) if moved else 0.0,
        "ess_tail": float(effective_draws(theta, "tail").min()) if moved else 0.0,
        "divergences": float(said["diverging"].sum()),
        "e_bfmi": _least_e_bfmi(said["energy"].values),
    }


def _least_e_bfmi(energy: np.ndarray) -> float:
    """The lowest E-BFMI of the chains, from the energies of their draws (chain, draw); 0 for a chain that never moved."""
    spread = energy.var(axis=1, ddof=1)
    steps = np.square(np.diff(energy, axis=1)).mean(axis=1)
    return float(np.divide(steps, spread, out=np.zeros_like(spread), where=spread > 0.0).min())


def complaints(found: dict[str, float], settings: Settings) -> str:
    """Which diagnostics fail, with the bar each had to pass; empty if none."""
    bars = [
        ("r_hat", found["r_hat"] <= R_HAT, f"at most {R_HAT}"),
        ("ess_bulk", found["ess_bulk"] >= settings.ess, f"at least {settings.ess}"),
        ("ess_tail", found["ess_tail"] >= settings.ess, f"at least {settings.ess}"),
        ("divergences", found["divergences"] == 0, "none"),
        ("e_bfmi", found["e_bfmi"] >= E_BFMI, f"at least {E_BFMI}"),
    ]
    return "; ".join(f"{name} is {found[name]:.4g}, expected {bar}" for name, passed, bar in bars if not passed)


def sound_sample(
    problem: likelihood.Problem, settings: Settings, rng: np.random.Generator
) -> tuple[list[Draws], list[dict[str, float]]]:
    """The runs of an episode and their diagnostics: one, or two if the first failed a diagnostic."""
    longer = replace(
        settings,
        tune=LONGER_TUNE * settings.tune,
        draws=LONGER * settings.draws,
        target_accept=max(settings.target_accept, CAUTIOUS),
    )
    runs, diagnostics = [], []
    for length in (settings, longer):
        begin = perf_counter()
        runs.append(sample(problem, length, rng))
        seconds = perf_counter() - begin
        diagnostics.append(diagnose(runs[-1]) | {"draws_per_second": length.chains * length.draws / seconds})
        if not complaints(diagnostics[-1], settings):
            break
    return runs, diagnostics


def fit(problem: likelihood.Problem, settings: Settings, rng: np.random.Generator, given: None) -> Outcome:
    """The posterior mean; medians, 95 % intervals, standard deviations and the mean policy in `posterior`. Chains that
    fail a diagnostic are sampled again, longer; if they fail again the fit is `not_converged`."""
    begin = perf_counter()
    runs, diagnostics = sound_sample(problem, settings, rng)
    words = [complaints(found, settings) for found in diagnostics]
    by_name = problem.named(problem.lower)
    drawn = group(runs[-1], "posterior")
    theta = np.concatenate([drawn[name].values.reshape(-1, part.size) for name, part in by_name.items()], axis=1)
    mean = theta.mean(axis=0)
    quantiles = dict(zip(QUANTILES, np.quantile(theta, list(QUANTILES.values()), axis=0), strict=True))
    spaced = theta[np.linspace(0, len(theta) - 1, min(POLICY_DRAWS, len(theta))).astype(int)]
    policy = mean_policy(problem, spaced, np.ones(len(spaced)))
    return Outcome(
        status="not_converged" if words[-1] else "converged",
        **problem.estimate(mean),
        nll=problem.nll_theta(mean),
        message=words[-1],
        fallback=f"sampled again, longer: {words[0]}" if len(runs) > 1 else "",
        n_eval=sum(_evaluations(run) for run in runs),
        t_solve=perf_counter() - begin,
        diagnostics=diagnostics[-1],
        posterior=summary(problem, sd=theta.std(axis=0), policy=policy, **quantiles),
    )


def _evaluations(draws: Draws) -> int:
    return sum(int(group(draws, stage)["n_steps"].sum()) for stage in ("warmup_sample_stats", "sample_stats"))


def _warm_up():
    """Compiles (or loads from the cache) with a two-step episode."""
    data = Dataset("warm-up", np.array([[0, 1]]), np.ones((1, 2)), n_arms=2)
    model = get_model("forgetting")
    fit(likelihood.problem(data, 0, model, model.default_bounds), Settings(), np.random.default_rng(0), None)


METHOD = Method(fit=fit, settings=Settings, slow=True, warm_up=_warm_up)
