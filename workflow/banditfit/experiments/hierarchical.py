"""The hierarchical posterior by Monte Carlo: the population and all of its participants sampled together, a check on `gem`.

Participant j has h_j = mu + L z_j on gem's probit links, z_j ~ N(0, I), Sigma = L L' (the non-centred form, in which a narrow
population is no funnel; Betancourt & Girolami 2015). The prior is gem's own: mu ~ N(0, Sigma), and Sigma as if one participant
more had shown the identity, the Sigma of uniform parameters, and d + 1 had shown no correlations. gem takes the mode of mu and
Sigma; here is all of their posterior, with that density taken over |Sigma|^-(D+1)/2 dSigma, which knows no scale (over dSigma
itself it would have no finite integral). The sampler is nutpie's NUTS on a compiled density, as in `methods.mc`.

from banditfit.experiments import hierarchical

hierarchical.compare(data, "forgetting")
"""

from functools import cache
from time import perf_counter

import numpy as np
import pandas as pd
from numba import carray, cfunc, types

from ..arguments import checked
from ..data.dataset import Dataset
from ..fitting import derive_seed
from ..kinds import Count, Seed
from ..models import likelihood
from ..models.families import ModelName, get_model
from ..models.likelihood import Problem
from ..models.simulate import POPULATIONS, simulate_population
from ..models.traces import _nll_grad, packed, unpacked
from ..numerics import _compiled
from ..parameters import Bounds
from ..solvers.chains import Draws, effective_draws, group, r_hat
from ..solvers.transport import place
from . import Experiment
from .parameters import parameters

HEAD = 3


def _packed(problems: list[Problem]) -> np.ndarray:
    """All participants as one array of 64-bit words, for `_unpack`: where each begins, the bounds, then their episodes."""
    one = problems[0]
    episodes = [packed(each.episode) for each in problems]
    begins = np.cumsum([0] + [len(words) for words in episodes])
    bounds = np.concatenate([one.lower, one.upper]).astype(np.float64).view(np.int64)
    return np.concatenate([[len(problems), len(one.lower), begins[-1]], begins[:-1], bounds, *episodes])


@_compiled
def _length(head):
    """The number of words that follow from the first HEAD."""
    J, D, total = head
    return HEAD + J + 2 * D + total


@_compiled
def _unpack(words):
    """Where each participant's words begin, these words, and the bounds."""
    J, D = words[0], words[1]
    lower, upper = words[HEAD + J :][: 2 * D].view(np.float64).reshape((2, D))
    return words[HEAD : HEAD + J], words[HEAD + J + 2 * D :], lower, upper


@_compiled
def _factor(u, D):
    """L of its elements: the logarithms of its diagonal, and what is below it by rows."""
    L = np.zeros((D, D))
    k = D
    for a in range(D):
        L[a, a] = np.exp(u[a])
        for b in range(a):
            L[a, b] = u[k]
            k += 1
    return L


@_compiled
def log_density(u, slope, words):
    """log p(mu, L, z | y) + const, and its gradient in `slope`; u holds mu, the elements of L, then z (J, D)."""
    begins, episodes, lower, upper = _unpack(words)
    D, J = lower.size, begins.size
    n_L = D * (D + 1) // 2
    mu, L = u[:D], _factor(u[D : D + n_L], D)
    z = u[D + n_L :].reshape((J, D))
    P = np.linalg.inv(L @ L.T)
    scatter = np.outer(mu, mu) + np.eye(D)
    value = -0.5 * (P * scatter).sum()
    for a in range(D):
        value -= 0.5 * (D + 1.0) * np.log(P[a, a])
        scatter[a, a] += (D + 1.0) / P[a, a]
        value -= (D + 3.0) * u[D + a]  # log |Sigma| is twice the sum of the logarithms
        value -= a * u[D + a]  # and the invariant volume of Sigma over that of L's elements
    slope[:D] = -(P @ mu)
    of_L = (P @ scatter @ P) @ L
    theta, rise, h = np.empty(D), np.empty(D), np.empty(D)
    for j in range(J):
        for a in range(D):
            h[a] = mu[a]
            for b in range(a + 1):
                h[a] += L[a, b] * z[j, b]
            theta[a], _, rise[a] = place(h[a], lower[a], upper[a])
        nll, g = _nll_grad(unpacked(episodes[begins[j] :]), theta)
        value -= nll
        for a in range(D):
            g[a] *= -rise[a]
            slope[a] += g[a]
            for b in range(a + 1):
                of_L[a, b] += g[a] * z[j, b]
        for b in range(D):
            value -= 0.5 * z[j, b] ** 2
            along = -z[j, b]
            for a in range(b, D):
                along += L[a, b] * g[a]
            slope[D + n_L + j * D + b] = along
    k = 2 * D
    for a in range(D):
        slope[D + a] = of_L[a, a] * L[a, a] - (D + 3.0) - a
        for b in range(a):
            slope[k] = of_L[a, b]
            k += 1
    return value


def _density(n, u, gradient, value, address):
    """The density in the sampler's calling convention; not 0 where it or its gradient is not finite."""
    slope = carray(gradient, (n,))
    words = carray(address, _length(carray(address, HEAD)))
    value[0] = log_density(carray(u, (n,)), slope, words)
    return 0 if np.isfinite(value[0]) and np.isfinite(slope).all() else 1


def _expand(n, n_out, u, out, address):
    """mu, the sds of Sigma, and h (J, D), in the sampler's calling convention."""
    J, D = carray(address, HEAD)[0], carray(address, HEAD)[1]
    all_u, n_L = carray(u, (n,)), D * (D + 1) // 2
    L = _factor(all_u[D : D + n_L], D)
    z = all_u[D + n_L :].reshape((J, D))
    for a in range(D):
        out[a] = all_u[a]
        out[D + a] = np.sqrt((L[a] ** 2).sum())
        for j in range(J):
            out[2 * D + j * D + a] = all_u[a] + (L[a] * z[j]).sum()
    return 0


@cache
def _machine_code():
    """Density and expansion as the sampler calls them; compiled here, for the module is read where nothing is sampled too."""
    reals, words = types.CPointer(types.float64), types.CPointer(types.int64)
    density = cfunc(types.int64(types.uint64, reals, reals, reals, words), cache=True)(_density)
    return density, cfunc(types.int64(types.uint64, types.uint64, reals, reals, words), cache=True)(_expand)


def warm_up() -> None:
    """What belongs before the clock: the import of the sampler, and compiling."""
    import nutpie  # noqa: F401

    _machine_code()


@checked
def sample(
    data: Dataset,
    model: ModelName,
    chains: Count = 4,
    tune: Count = 500,
    draws: Count = 1000,
    bounds: Bounds | None = None,
    seed: Seed = 0,
) -> Draws:
    """Draws, in groups as ArviZ has them, of the population's `mean` and `sd` (chain, draw, parameter) and of every
    participant's `h` (chain, draw, participant, parameter), parameters in the order of theta, on the probit scale of the bounds
    (as in `fit`)."""
    import nutpie
    from nutpie.compile_pymc import CompiledPyMCModel

    family = get_model(model)
    bounds = data.bounds_of(family, bounds)
    problems = [likelihood.problem(data, row, family, bounds) for row in range(len(data))]
    J, D = len(problems), len(problems[0].lower)
    n_L = D * (D + 1) // 2
    n = D + n_L + J * D
    density, expand = _machine_code()
    shapes = {"mean": (D,), "sd": (D,), "h": (J, D)}
    compiled = CompiledPyMCModel(
        compiled_logp_func=density,
        compiled_expand_func=expand,
        user_data=_packed(problems),
        initial_point_func=lambda seed: 0.3 * np.random.default_rng(seed).normal(size=n),
        n_expanded=2 * D + J * D,
        shape_info=(list(shapes), [D, D, J * D], list(shapes.values())),
        dims={"mean": ("parameter",), "sd": ("parameter",), "h": ("participant", "parameter")},
        shared_data={},
        logp_func=None,
        expand_func=None,
        _n_dim=n,
        _shapes=shapes,
        _coords={"parameter": [str(k) for k in range(D)], "participant": list(data.ids)},
    )
    return nutpie.sample(compiled, chains=chains, tune=tune, draws=draws, seed=seed, cores=1, progress_bar=False)


def worst(inference: Draws) -> tuple[float, float, int]:
    """Of draws as `sample` gives them: the worst r_hat and the least effective draws of the population's parameters, and the
    number of divergences."""
    population = np.concatenate([group(inference, "posterior")[symbol].values for symbol in ("mean", "sd")], axis=-1)
    divergences = int(group(inference, "sample_stats")["diverging"].sum())
    return float(r_hat(population).max()), float(effective_draws(population, "bulk").min()), divergences


@checked
def compare(
    data: Dataset, model: ModelName, chains: Count = 4, tune: Count = 500, draws: Count = 1000, seed: Seed = 0
) -> pd.DataFrame:
    """`gem` beside the hierarchical posterior: a row per parameter with, for the `mean` and the `sd` over participants on the
    probit scale, gem's value and standard error (`gem_mean`, `gem_mean_se`, ...) and the posterior's mean and sd (`nuts_mean`,
    `nuts_mean_sd`, ...); the worst `r_hat` and least `ess` of the population's parameters, the number of `divergences`, and
    the `seconds` of both (`gem_s`, with its standard errors, and `nuts_s`)."""
    warm_up()
    begin = perf_counter()
    found = parameters(data, model, seed=seed)[0]
    gem_s = perf_counter() - begin
    begin = perf_counter()
    inference = sample(data, model, chains, tune, draws, seed=seed)
    nuts_s = perf_counter() - begin
    table = pd.DataFrame({"parameter": found["parameter"], "participants": len(data)})
    posterior = group(inference, "posterior")
    for symbol in ("mean", "sd"):
        draws_of = posterior[symbol].values
        table[f"gem_{symbol}"], table[f"gem_{symbol}_se"] = found[symbol], found[f"{symbol}_se"]
        table[f"nuts_{symbol}"], table[f"nuts_{symbol}_sd"] = draws_of.mean(axis=(0, 1)), draws_of.std(axis=(0, 1))
    of_population = dict(zip(("r_hat", "ess", "divergences"), worst(inference), strict=True))
    return table.assign(**of_population, gem_s=gem_s, nuts_s=nuts_s)


def _run(participants: int, steps: int, seed: int) -> tuple[pd.DataFrame]:
    rng = np.random.default_rng(derive_seed("hierarchical", None, "simulate", seed))
    data = simulate_population("hierarchical", POPULATIONS["normal"], participants, steps, rng)
    table = compare(data, data.model, seed=seed)
    table.insert(0, "steps", steps)
    return (table,)


EXPERIMENT = Experiment(
    run=_run,
    found=("hierarchical",),
    parts=lambda study: ["simulated"] if "hierarchical" in study.populations else [],
    arguments=lambda study, _: {**study.populations["hierarchical"], "seed": study.config["seed"]},
)
