"""Which sampler: effective draws per second of `mc` and of four other ways to sample the same posterior of `forgetting`.

`make benchmark-mc`, or `python -m banditfit samplers [FOLDER [SCALE]]` with the packages of
envs/requirements-benchmark.in, writes mc.csv (all samplers) and mc_targets.csv (columns as in benchmark.csv) to FOLDER
(results/benchmark); SCALE multiplies the numbers of episodes. Every sampler runs 4 chains of the default length of `mc` on
the same episodes, one after the other, on one core; a second run of the compiled program is timed (`seconds`), and the first
separately (`seconds_first`: what a new episode costs where the program has to be compiled for it).
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.infer
import nutpie
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
from jax.scipy.stats import norm
from nutpie.compiled_pyfunc import from_pyfunc
from pymc.sampling.jax import get_jaxified_logp

from ..fitting import fit
from ..methods import mc
from ..models.likelihood import Problem
from ..models.simulate import published_data
from ..solvers import transport
from ..solvers.chains import effective_draws, group
from ..study.store import write_csv
from . import COLUMNS as TARGETS
from . import met
from .speed import against, problems

SETTINGS = mc.Settings()
EPISODES = 3
EFFECTIVE = 400  # draws that the targets ask for
COLUMNS = [
    "sampler",
    "experiment",
    "n",
    "seconds",
    "seconds_first",
    "ess_bulk",
    "ess_per_second",
    "ours_faster",
    "ours_faster_first",
]

# A run takes a seed and returns draws (chains, draws, 2), of alpha and beta or of any increasing function of each: ranks and
# so bulk ESS are the same.
Run = Callable[[int], np.ndarray]


def ours(problem: Problem) -> Run:
    """nutpie on the compiled likelihood, by address: what `mc` does."""

    def run(seed):
        posterior = group(mc.sample(problem, SETTINGS, np.random.default_rng(seed)), "posterior")
        return np.concatenate([posterior[name].values[..., 0] for name in ("alpha", "beta")], axis=-1)

    return run


def nutpie_callback(problem: Problem) -> Run:
    """nutpie on the compiled likelihood through a Python function."""
    prior = transport.coefficients(problem, "uniform", "uniform")
    inputs = (
        problem.choices,
        problem.arms,
        problem.signals,
        problem.starts,
        problem.n_arms,
        problem.lower,
        problem.upper,
        prior,
    )

    def density(u):
        gradient = np.empty_like(u)
        return transport.log_density(u, gradient, *inputs), gradient

    start = lambda seed: np.random.default_rng(seed).normal(size=2)  # noqa: E731
    model = from_pyfunc(
        2, lambda: density, lambda *_: lambda u: {"u": u}, [np.dtype("float64")], [(2,)], ["u"], make_initial_point_fn=start
    )
    how = {"chains": SETTINGS.chains, "tune": SETTINGS.tune, "draws": SETTINGS.draws, "cores": 1, "progress_bar": False}
    return lambda seed: nutpie.sample(model, seed=seed, **how).posterior["u"].values


def jax_density(problem: Problem) -> Callable:
    """log p(u | y) as a JAX scan over steps, in the coordinates u of `_posterior`."""
    choices, signals = jnp.array(problem.choices), jnp.array(problem.signals[0])
    lower, upper = jnp.array(problem.lower), jnp.array(problem.upper)

    def density(u):
        alpha, beta = lower + (upper - lower) * norm.cdf(u)

        def step(z, at):
            y, signal = at
            log_p = jax.nn.log_softmax(z)[y]
            return ((1 - alpha) * z).at[y].add(alpha * beta * signal), log_p

        return jax.lax.scan(step, jnp.zeros(problem.n_arms), (choices, signals))[1].sum() - 0.5 * u @ u

    return density


def _numpyro(potential: Callable, start: Callable) -> Run:
    kernel = numpyro.infer.NUTS(potential_fn=potential)
    sampler = numpyro.infer.MCMC(
        kernel,
        num_warmup=SETTINGS.tune,
        num_samples=SETTINGS.draws,
        num_chains=SETTINGS.chains,
        chain_method="vectorized",
        progress_bar=False,
    )

    def run(seed):
        sampler.run(jax.random.PRNGKey(seed), init_params=start(seed))
        draws = jax.tree.leaves(sampler.get_samples(group_by_chain=True))
        return np.concatenate([np.asarray(part).reshape(SETTINGS.chains, SETTINGS.draws, -1) for part in draws], axis=-1)

    return run


def numpyro_scan(problem: Problem) -> Run:
    """NumPyro's NUTS on the JAX scan."""
    density = jax_density(problem)
    return _numpyro(lambda u: -density(u), lambda seed: np.random.default_rng(seed).normal(size=(SETTINGS.chains, 2)))


def blackjax_scan(problem: Problem) -> Run:
    """BlackJAX's NUTS with window adaptation on the JAX scan."""
    density = jax_density(problem)
    adaptation = blackjax.window_adaptation(blackjax.nuts, density)

    @jax.jit
    @jax.vmap
    def chain(key, start):
        warm, draw = jax.random.split(key)
        (state, parameters), _ = adaptation.run(warm, start, num_steps=SETTINGS.tune)
        kernel = blackjax.nuts(density, **parameters)
        step = lambda state, key: (kernel.step(key, state)[0],) * 2  # noqa: E731
        return jax.lax.scan(step, state, jax.random.split(draw, SETTINGS.draws))[1].position

    def run(seed):
        start = jnp.array(np.random.default_rng(seed).normal(size=(SETTINGS.chains, 2)))
        return np.asarray(chain(jax.random.split(jax.random.PRNGKey(seed), SETTINGS.chains), start))

    return run


def usual(problem: Problem) -> Run:
    """The usual way: a PyMC model with a scan over steps, sampled by NumPyro."""
    (alpha_low, beta_low), (alpha_high, beta_high) = problem.lower, problem.upper
    received = np.zeros((problem.n_steps, problem.n_arms))
    received[np.arange(problem.n_steps), problem.choices] = problem.signals[0]
    with pm.Model() as model:
        alpha, beta = pm.Uniform("alpha", alpha_low, alpha_high), pm.Uniform("beta", beta_low, beta_high)
        values = pytensor.scan(
            lambda u, x, alpha, beta: (1 - alpha) * x + alpha * beta * u,
            sequences=[pt.as_tensor(received)],
            outputs_info=[pt.zeros(problem.n_arms)],
            non_sequences=[alpha, beta],
            return_updates=False,
        )
        x = pt.concatenate([pt.zeros((1, problem.n_arms)), values[:-1]])
        chosen = x[np.arange(problem.n_steps), problem.choices]
        pm.Potential("choices", (chosen - pt.logsumexp(x, axis=1)).sum())
    log_p = get_jaxified_logp(model)
    start = lambda seed: list(np.random.default_rng(seed).normal(size=(2, SETTINGS.chains)))  # noqa: E731
    return _numpyro(lambda point: -log_p(point), start)


OURS, USUAL = "nutpie, compiled likelihood by address (mc)", "PyMC scan, NumPyro (the usual way)"
SAMPLERS = {
    OURS: ours,
    "nutpie, compiled likelihood by callback": nutpie_callback,
    "NumPyro, JAX scan": numpyro_scan,
    "BlackJAX, JAX scan": blackjax_scan,
    USUAL: usual,
}


def samples(episodes: int) -> pd.DataFrame:
    """One row per sampler, bandit and episode: seconds of a second run and of the first, compilation included, bulk ESS, and
    effective draws per second of both runs."""
    rows = []
    for bandit in ("2arm", "10arm"):
        mc.METHOD.warm_up()
        for number, problem in enumerate(problems("forgetting", bandit, episodes)):
            for name, prepare in SAMPLERS.items():
                begin = perf_counter()
                run = prepare(problem)
                run(0)
                first = perf_counter() - begin
                begin = perf_counter()
                draws = run(1)
                seconds = perf_counter() - begin
                ess = float(effective_draws(draws, "bulk").min())
                rows.append([name, f"forgetting {bandit}", number, seconds, first, ess, ess / seconds, ess / first])
    return pd.DataFrame(
        rows, columns=["sampler", "experiment", "episode", "seconds", "seconds_first", "ess_bulk", "rate", "rate_first"]
    )


def measure(table: pd.DataFrame) -> pd.DataFrame:
    """One row per sampler and bandit of `samples`: medians over episodes; `ours_faster` is the ratio of effective draws per
    second, of second runs (compilation left out), `ours_faster_first` with compilation for each episode."""
    n = table["episode"].nunique()
    table = table.drop(columns="episode").groupby(["experiment", "sampler"], sort=False).median().reset_index()
    mine = table[table["sampler"] == OURS].set_index("experiment").loc[table["experiment"]]
    for column in ("rate", "rate_first"):
        table["ours_faster" + column.removeprefix("rate")] = mine[column].to_numpy() / table[column]
    return table.rename(columns={"rate": "ess_per_second"}).assign(n=n)[COLUMNS]


def rate_rows(table: pd.DataFrame) -> list[list]:
    """Rows of targets: effective draws per second of `mc` against the usual way, on the same episodes."""
    rows = []
    for experiment, part in table.groupby("experiment", sort=False):
        mine, theirs = (part[part["sampler"] == name].set_index("episode") for name in (OURS, USUAL))
        for column, words, target in (("", "compilation left out", 5.0), ("_first", "compiled for each episode", np.nan)):
            # Seconds of so many effective draws: a ratio of these times is one of rates.
            pairs = zip(EFFECTIVE / mine["rate" + column], EFFECTIVE / theirs["rate" + column], strict=True)
            rows.append(against(f"mc / usual way, {EFFECTIVE} effective draws, {words}", experiment, pairs, target))
    return rows


def study_rows(scale: float) -> list[list]:
    """Rows of targets: seconds that 1000 episodes take on two cores, extrapolated from the processor time of the first few
    (`scale` times as many as by default), those sampled again included."""
    rows = []
    for model, bandit, episodes, target in (("forgetting", "2arm", 50, 300.0), ("subrewards", "10arm", 20, 3600.0)):
        data = published_data(model, bandit)
        fits = fit(data.select(range(max(2, round(scale * episodes)))), model, "mc", settings={"ess": EFFECTIVE})
        reached = (fits["status"] == "converged").mean()
        seconds = 1000 * fits["t_cpu"].mean() / 2
        spread = 1000 * np.percentile(fits["t_cpu"], (25, 75)) / 2
        what = (
            f"mc: 1000 episodes at {EFFECTIVE} effective draws, extrapolated from {len(fits)}, {reached:.0%} of which have them"
        )
        row = [what, f"{model} {bandit}", len(fits), 1e3 * fits["t_cpu"].median(), np.nan, seconds, *spread]
        rows.append([*row, "s on two cores, at most", target, met(seconds <= target, target)])
    return rows


def main(folder: Path, scale: float) -> None:
    jax.config.update("jax_enable_x64", True)
    table = samples(max(1, round(scale * EPISODES)))
    targets = pd.DataFrame([*rate_rows(table), *study_rows(scale)], columns=TARGETS)
    for name, found in (("mc", measure(table)), ("mc_targets", targets)):
        write_csv(found, folder / f"{name}.csv")
        print(found.to_string(index=False, float_format=lambda x: f"{x:.3g}", na_rep="-"))
