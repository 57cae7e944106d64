"""`fit`: a method over logs, with its table of participants; and held-out choices, which choose the weight of a penalty and
compare methods.

Held-out participants take no part in the shared parameters: their beta comes from their first games, and their last games are
scored with everything frozen.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import pandas as pd

from ..arguments import checked, conform
from ..errors import InputError
from ..fitting import derive_seed
from ..kinds import ByName, Seed
from . import gem, mm, no_prior
from .logs import Logs
from .players import Choices, modes
from .posterior import Placed, summarise

FOLDS = 3  # into which participants are split
ENOUGH = 3000  # held-out choices that are scored before further folds are left out
WORSE = 2.0  # standard errors by which a weight must be worse than the best for lighter ones not to be tried
NODES = np.linspace(-5.0, 5.0, 41)  # of a participant's posterior, in sds around its mode


class Players(Protocol):
    """What a fit knows that is not of one participant: it places participants, and tells the likelihood of their choices."""

    def place(self, logs: Logs) -> Placed: ...

    def log_likelihood(self, logs: Logs, z: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class SharedValues:
    """Advantages A (pairs,) of all, and the population."""

    A: np.ndarray
    mu: float
    sigma: float

    def place(self, logs: Logs) -> Placed:
        """Posteriors given A, mu and sigma."""
        choices = Choices.of(logs)
        z, V = modes(choices, self.A, self.mu, self.sigma)
        nodes = z[:, None] + np.sqrt(V)[:, None] * NODES
        L = np.stack([choices.log_likelihood(each, self.A) for each in nodes.T], axis=1)
        identified = choices.total > 0
        return summarise(nodes, L - 0.5 * ((nodes - self.mu) / self.sigma) ** 2, identified)

    def log_likelihood(self, logs: Logs, z: np.ndarray) -> np.ndarray:
        return Choices.of(logs).log_likelihood(z, self.A)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit of logs.

    table       one row per participant: participant, log_beta (posterior mean; NaN if not identified), se, lower and upper
                (95 %), status (that of the fit, or "separable"), not_identified ("log_beta" where choices say nothing of it)
    mu, sigma   of the population of log beta
    q           (pairs,) values, in units of reward; of mdp_mm those at beta = exp(mu), in units of `values.reward_unit`
    advantages  (pairs,) centred and scaled, by which beta counts
    status      "converged", or "limit": its rounds or steps ran out
    trace       the method's objective (nats), round by round
    held_out    of mdp_gem, whose `bellman` was chosen: weight, nll per held-out choice and se of its difference from the best
    bellman     the weight of the Bellman penalty; NaN of a method without
    seconds     of the fit
    """

    method: str
    settings: dict[str, Any]
    logs: Logs
    players: Players
    table: pd.DataFrame
    mu: float
    sigma: float
    q: np.ndarray
    advantages: np.ndarray
    status: str
    trace: list[float]
    seconds: float
    bellman: float = np.nan
    held_out: pd.DataFrame | None = field(default=None)


METHODS: dict[str, tuple[type, Callable]] = {}
MethodName = Literal["mdp_gem", "mdp_mm", "no_prior"]
LogsArgument = Annotated[Logs, "logs"]


@checked
def fit(logs: Logs, method: MethodName = "mdp_gem", settings: ByName | None = None, seed: Seed = 0) -> Fit:
    """Fits the logs of players of a Markov decision process.

    `mdp_gem` shares one value function among all, `mdp_mm` is LaMar's measurement model, `no_prior` shares values without a
    population. `settings` are those of `GemSettings`, `MmSettings` and `NoPriorSettings`. The seed decides which participants
    are held out where a weight is chosen, and who is met in which round of online EM. Raises InputError for unknown settings,
    and for a process that the method cannot fit."""
    options, run = check_settings(method, settings), METHODS[method][1]
    if not Choices.of(logs).visits.sum():
        raise InputError("logs: found no step at which a participant had a choice, expected some")
    begin = perf_counter()
    found = run(logs, options, np.random.default_rng(derive_seed(logs.mdp.name, None, method, seed)))
    return replace(found, method=method, settings=asdict(options), seconds=perf_counter() - begin)


@checked
def check_settings(method: MethodName, settings: ByName | None = None) -> Any:
    """The settings of a method, complete; raises InputError for unknown ones."""
    return conform(dict(settings or {}), METHODS[method][0], f"settings of method '{method}'")


def _fit_gem(logs: Logs, options: gem.GemSettings, rng: np.random.Generator) -> Fit:
    table, bellman, state = None, options.bellman, None
    if bellman == "held_out":
        table = choose_weight(logs, options, rng)
        bellman = float(table["weight"][table["nll"].idxmin()])
    goal = gem.objective(logs, options, bellman)
    state, trace, converged = gem.run(goal, gem.begin(goal), rng)
    players = SharedValues(state.A, state.mu, state.sigma)
    return _fit(logs, players, players.place(logs), state.point.q, state.A, trace, converged, bellman=bellman, held_out=table)


def _fit_mm(logs: Logs, options: mm.MmSettings, rng: np.random.Generator) -> Fit:
    players, trace, converged = mm.fit(logs, options)
    q = players.q(np.exp([players.mu]))[:, 0]
    return _fit(logs, players, players.place(logs), q, q - logs.mdp.actions.spread(logs.mdp.actions.mean(q)), trace, converged)


def _fit_no_prior(logs: Logs, options: no_prior.NoPriorSettings, rng: np.random.Generator) -> Fit:
    players, placed, trace, converged = no_prior.fit(logs, options)
    return _fit(logs, players, placed, players.q, players.A, trace, converged, bellman=options.bellman)


def _fit(logs, players, placed: Placed, q, advantages, trace, converged: bool, **more: Any) -> Fit:
    status = "converged" if converged else "limit"
    table = placed.table(logs.ids, status)
    return Fit("", {}, logs, players, table, players.mu, players.sigma, q, advantages, status, trace, 0.0, **more)


METHODS |= {
    "mdp_gem": (gem.GemSettings, _fit_gem),
    "mdp_mm": (mm.MmSettings, _fit_mm),
    "no_prior": (no_prior.NoPriorSettings, _fit_no_prior),
}


# Held-out choices -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Logs of training participants, and the first and the last games of the held-out ones."""

    train: Logs
    first: Logs
    last: Logs


def splits(logs: Logs, rng: np.random.Generator) -> list[Split]:
    """FOLDS folds of the participants; those with a single game are never held out. Raises InputError if too few are left."""
    games = np.bincount(logs.owner, minlength=logs.n_participants)
    able = np.flatnonzero(games > 1)
    if len(able) < FOLDS or logs.n_participants <= FOLDS:
        raise InputError(
            f"held-out choices: found {len(able)} participants with two games or more, expected at least {FOLDS} of at least "
            f"{FOLDS + 1}; give settings bellman a number"
        )
    number = np.arange(len(logs.owner)) - np.searchsorted(logs.owner, logs.owner)
    first = number < games[logs.owner] // 2
    found = []
    for fold in np.array_split(rng.permutation(able), FOLDS):
        out = np.isin(logs.owner, fold)
        found.append(Split(logs.select(~out), logs.select(out & first), logs.select(out & ~first)))
    return found


def score(players: Players, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """nll of the last games of each held-out participant, and their number of choices among at least two actions."""
    placed, choices = players.place(split.first), Choices.of(split.last)
    z = np.where(np.isnan(placed.log_beta), players.mu, placed.log_beta)
    return -players.log_likelihood(split.last, z), choices.total


def choose_weight(logs: Logs, options: gem.GemSettings, rng: np.random.Generator) -> pd.DataFrame:
    """One row per weight of the Bellman penalty that was tried, from the heaviest: weight, nll per held-out choice, and the
    se of its difference from the best. Lighter ones are not tried after one that is clearly worse than the best."""
    folds, scored = [], 0
    for split in splits(logs, rng):
        if scored >= ENOUGH:
            break
        folds.append([split, None])
        scored += Choices.of(split.last).total.sum()
    weights, nll = [], []
    for weight in gem.WEIGHTS:
        per_participant = []
        for fold in folds:
            goal = gem.objective(fold[0].train, options, weight)
            fold[1], _, _ = gem.run(goal, fold[1] or gem.begin(goal), rng, rough=True)
            per_participant.append(score(SharedValues(fold[1].A, fold[1].mu, fold[1].sigma), fold[0])[0])
        weights.append(weight)
        nll.append(np.concatenate(per_participant))
        gap = nll[-1] - min(nll, key=np.sum)
        if gap.sum() > WORSE * np.sqrt(len(gap)) * gap.std():
            break
    best = min(nll, key=np.sum)
    return pd.DataFrame(
        {
            "weight": weights,
            "nll": [each.sum() / scored for each in nll],
            "se": [np.sqrt(len(best)) * (each - best).std() / scored for each in nll],
        }
    )
