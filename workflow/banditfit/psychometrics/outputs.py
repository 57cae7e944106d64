"""What is read off fits: how well betas are recovered, what each step says of its player, whether betas go with how well people
play, and how methods predict choices that they have not seen."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ..arguments import checked
from ..errors import InputError
from ..fitting import derive_seed
from ..kinds import ByName, Seed, Words
from .fits import Fit, SharedValues, fit, score, splits
from .logs import Logs
from .players import Choices, modes

GRID_SDS = 3.0
NEWTON_STEPS, NEWTON_NEAR = 10, 1e-2
FAR = 20.0  # log beta at which a climb has gone astray
ByMethod = Annotated[Mapping[str, ByName], Words('settings by method, such as {"mdp_gem": {}, "mdp_mm": {}}')]


@checked
def recovery(fitted: Fit) -> pd.Series:
    """How well the log betas of simulated players are recovered: rmse, free_rmse (without the mean error), r (Pearson),
    coverage of the 95 % intervals, and missing, the share of players who are not identified and count in none of these.
    Raises InputError for logs without a truth."""
    if fitted.logs.truth is None:
        raise InputError("recovery: found logs without a truth, expected those of simulated players")
    return _recovery(fitted.table, fitted.logs.truth["log_beta"])


@checked
def know(logs: Logs, mu: float, sigma: float) -> Fit:
    """The fit of who knows the advantages that players of the generator `shared` have in common, and their population: the
    best that anybody could do. Raises InputError for logs without true advantages."""
    if logs.truth is None or "advantages" not in logs.truth:
        raise InputError("oracle: found logs without true advantages, expected those of players who share them")
    players = SharedValues(logs.truth["advantages"], mu, sigma)
    table = players.place(logs).table(logs.ids, "converged")
    return Fit("oracle", {}, logs, players, table, mu, sigma, logs.truth["q"], players.A, "converged", [], 0.0)


@checked
def oracle(logs: Logs, mu: float, sigma: float) -> pd.Series:
    """`recovery` of `know`."""
    return recovery(know(logs, mu, sigma))


def _shared(fitted: Fit, what: str) -> SharedValues:
    if not isinstance(fitted.players, SharedValues):
        raise InputError(f"{what}: found a fit of {fitted.method}, expected one of mdp_gem")
    return fitted.players


def _recovery(table: pd.DataFrame, truth: np.ndarray) -> pd.Series:
    told = table["log_beta"].notna().to_numpy()
    table, truth = table[told], truth[told]
    error = table["log_beta"].to_numpy() - truth
    inside = (table["lower"] <= truth) & (truth <= table["upper"])
    return pd.Series(
        {
            "rmse": float(np.sqrt(np.mean(error**2))),
            "free_rmse": float(error.std()),
            "r": float(np.corrcoef(table["log_beta"], truth)[0, 1]),
            "coverage": float(inside.mean()),
            "missing": float(1.0 - told.mean()),
        }
    )


@checked
def influence(fitted: Fit) -> pd.DataFrame:
    """One row per step: participant, game, step (from 1) and influence, by how much the step moves the mode of log beta,

        I_jt = b (A(a_t) - E_pi A) / -H,   b = exp(z_j),

    where H is the exact curvature of player j's log posterior (Xu & Ji, arXiv 2605.09305). At the mode these sum to
    (z_j - mu) / (sigma^2 -H): what the prior holds back. Raises InputError for fits of mdp_mm, and of no_prior: these have no
    such A, or no prior."""
    logs, A = fitted.logs, _shared(fitted, "influence").A
    z, V = modes(Choices.of(logs), A, fitted.mu, fitted.sigma)
    b, run = np.exp(z)[logs.participant], logs.mdp.run[logs.mdp.state[logs.pair]]
    # E_pi A of each step: of every run, under the beta of the step's participant.
    size = logs.mdp.actions.size[run]
    first = np.cumsum(size) - size
    pair = np.arange(size.sum()) + np.repeat(logs.mdp.actions.first[run] - first, size)
    x = np.repeat(b, size) * A[pair]
    e = np.exp(x - np.repeat(np.maximum.reduceat(x, first), size))
    mean = np.add.reduceat(e * A[pair], first) / np.add.reduceat(e, first)
    moved = b * (A[logs.pair] - mean) * V[logs.participant]
    table = {"participant": logs.ids[logs.participant], "game": logs.game, "step": logs.steps(), "influence": moved}
    return pd.DataFrame(table)


@checked
def influence_by_step(fitted: Fit) -> pd.DataFrame:
    """One row per number of a step: mean |influence| of all players, and of the lowest and highest tenth by log beta."""
    table = influence(fitted).assign(influence=lambda steps: steps["influence"].abs())
    place = fitted.table.set_index("participant")["log_beta"].rank(pct=True)[table["participant"]].to_numpy()
    groups = {"all": np.ones(len(table), dtype=bool), "lowest": place <= 0.1, "highest": place > 0.9}
    means = {name: table[rows].groupby("step")["influence"].mean() for name, rows in groups.items()}
    return pd.DataFrame(means).reset_index()


@checked
def newton(fitted: Fit) -> pd.Series:
    """Why the E-step has safeguards: `convex`, the share of players whose log posterior of z is convex at some z within
    GRID_SDS sds of mu; and `newton_fails`, the share of those for whom NEWTON_STEPS plain Newton steps from mu do not end
    within NEWTON_NEAR of the mode. Raises InputError as `influence` does."""
    A, mu, sigma = _shared(fitted, "newton").A, fitted.mu, fitted.sigma
    choices = Choices.of(fitted.logs)

    def slopes(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _, D, W = choices.in_z(z, A)
        b = np.exp(z)
        return b * D - (z - mu) / sigma**2, b * D - b**2 * W - 1.0 / sigma**2

    n = choices.n_participants
    grid = mu + sigma * np.linspace(-GRID_SDS, GRID_SDS, 61)
    convex = np.any([slopes(np.full(n, at))[1] > 0 for at in grid], axis=0)
    z = np.full(n, mu)
    for _ in range(NEWTON_STEPS):
        gradient, H = slopes(z)
        z = np.clip(z - gradient / np.where(H == 0, 1.0, H), -FAR, FAR)
    fails = np.abs(z - modes(choices, A, mu, sigma)[0]) > NEWTON_NEAR
    return pd.Series({"convex": float(convex.mean()), "newton_fails": float(fails.mean())})


@checked
def validity(fitted: Fit) -> pd.DataFrame:
    """One row per criterion of `Logs.scores` (score, and on a board solved): n, Pearson's r and Spearman's rho with log beta,
    over the participants who are identified."""
    scores = fitted.logs.scores().drop(columns=["participant", "games"])
    told = fitted.table["log_beta"].notna().to_numpy()
    z, rows = fitted.table["log_beta"][told], []
    for name in scores:
        criterion = scores[name][told]
        r, rho = float(np.corrcoef(z, criterion)[0, 1]), float(spearmanr(z, criterion).statistic)
        rows.append({"criterion": name, "n": int(told.sum()), "pearson": r, "spearman": rho})
    return pd.DataFrame(rows)


@checked
def held_out(logs: Logs, methods: ByMethod, seed: Seed = 0) -> pd.DataFrame:
    """One row per method: nll per held-out choice (nats), and se of its difference from the best method's.

    Every participant is held out once: shared parameters come from the others alone, beta from the first half of the held-out
    participant's games, and the last half is scored. `methods` are settings by the name of the method."""
    folds = splits(logs, np.random.default_rng(derive_seed(logs.mdp.name, None, "held_out", seed)))
    nll: dict[str, np.ndarray] = {}
    for method, settings in methods.items():
        parts = [score(fit(fold.train, method, settings, seed).players, fold) for fold in folds]
        nll[method], n = (np.concatenate(part) for part in zip(*parts, strict=True))
    best = min(nll.values(), key=np.sum)
    rows: list[dict[str, Any]] = [
        {"method": name, "nll": each.sum() / n.sum(), "se": np.sqrt(len(each)) * (each - best).std() / n.sum()}
        for name, each in nll.items()
    ]
    return pd.DataFrame(rows)
