"""`mdp_gem`: values that all share and a beta for each participant, by penalised generalized EM (Xu & Ji, arXiv 2605.09305).

It minimises, over the shared parameters x, z_j = log beta_j, mu and sigma,

    F = - sum_j l_j(z_j; A)
        + N [ bellman mean(delta^2) + cql mean_t(logsumexp_a Q(s_t, a) - Q(s_t, a_t)) + reward_weight mean(r_w^2) ]
        + sum_j [ ((z_j - mu)^2 + V_j) / (2 sigma^2) + log sigma - log(V_j) / 2 ],        N = observed steps.

E: z_j, the mode, by a safeguarded Newton method, and the first two moments of z_j: m_j and V_j by quadrature (or z_j and
-1 / H). M: mu = mean m and sigma^2 = mean[(m - mu)^2 + V], with two participants more (`_population`), and x by L-BFGS on the
first two lines with z fixed; a round that raises them is taken back half-way until it does not.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from scipy.optimize import minimize

from ..arguments import checked
from ..kinds import Count, Limits
from .logs import Logs
from .players import Choices, modes, moments
from .shared import Point, Scale, Shared, family
from .simulate import TAU, Positive

Weight = Annotated[float, Limits(0)]
WEIGHTS = (100.0, 10.0, 1.0, 0.1, 0.01)  # of the Bellman penalty among which held-out choices decide
SIGMA = 1.0  # at the start
LEAST_SIGMA = 1e-3
STILL = 1e-3  # the largest change of any z, mu or log sigma in a round that counts as none
ROUGH, FEW = 3e-2, 8  # likewise, and the most rounds, where weights are compared, each from the fit of a heavier one
HALVINGS = 10
FORGET = 0.6  # online EM weighs its round t by (t + 1)^-FORGET, which sums to infinity while its squares do not


@checked(by_name=True)
@dataclass(frozen=True)
class GemSettings:
    """Settings of `mdp_gem`.

    values         "tabular", a value per pair; or "features", values linear in `MDP.features`
    scale          "global", one number c for all advantages; or "per_state", one for each state
    bellman        weight of the mean squared soft-Bellman residual; "held_out" chooses among WEIGHTS by held-out choices
    cql            weight of the conservative penalty log sum exp Q - Q(a) of observed steps
    reward         "known", that of the process; or "learnt", in [-1, 1] per transition, shrunk to 0 by `reward_weight`
    tau            temperature of soft values, in units of reward
    target         "full": gradients go through the value of the next state; "frozen": this stays that of the round before
    moments        of each z_j that mu and sigma come from: "quadrature", its mean and variance; "laplace", its mode and -1 / H,
                   which makes sigma a tenth too small where games are few; "hard", its mode alone: sigma collapses
    batch          participants per round of online EM; None for all
    m_steps        iterations of L-BFGS per round
    rounds         after which a fit ends unconverged
    """

    values: Literal["tabular", "features"] = "tabular"
    scale: Literal["global", "per_state"] = "global"
    bellman: Weight | Literal["held_out"] = "held_out"
    cql: Weight = 0.0
    reward: Literal["known", "learnt"] = "known"
    reward_weight: Weight = 1.0
    tau: Positive = TAU
    target: Literal["full", "frozen"] = "full"
    moments: Literal["quadrature", "laplace", "hard"] = "quadrature"
    batch: Count | None = None
    m_steps: Count = 20
    rounds: Count = 100


@dataclass(frozen=True)
class State:
    """Where EM stands: x, z and V (participants,), mu, sigma, and x's Point and advantages."""

    x: np.ndarray
    z: np.ndarray
    V: np.ndarray
    mu: float
    sigma: float
    point: Point
    A: np.ndarray


@dataclass(frozen=True)
class Objective:
    """The penalised nll of the shared parameters with every z fixed."""

    shared: Shared
    scale: Scale
    choices: Choices
    counts: np.ndarray  # (pairs,) observed steps
    settings: GemSettings
    bellman: float

    def __call__(self, x: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Its value in nats and its gradient in x."""
        point = self.shared.at(x)
        return self.of(point, self.scale.advantages(point.q), z)

    def of(self, point: Point, A: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
        """The same from the values and advantages at x."""
        N = self.counts.sum()
        l, of_A = self.choices.in_A(z, A)
        of_q = -self.scale.in_q(point.q, of_A)
        n_known = self.shared.mdp.known.sum()
        value = -l + self.bellman * N * (point.delta @ point.delta) / n_known
        of_delta = 2.0 * self.bellman * N * point.delta / n_known
        if self.settings.cql:
            actions = self.shared.mdp.actions
            top, policy = actions.softmax(point.q)
            visits = actions.total(self.counts)
            value += self.settings.cql * (visits @ top - self.counts @ point.q)
            of_q = of_q + self.settings.cql * (actions.spread(visits) * policy - self.counts)
        of_w = None
        if point.w is not None:
            weight = self.settings.reward_weight * N / len(point.w)
            value += weight * (point.w @ point.w)
            of_w = 2.0 * weight * point.w
        return value, self.shared.in_x(point, of_q, of_delta, of_w)

    def some(self, participants: np.ndarray) -> "Objective":
        """That of some participants, whose choices count for all."""
        share = self.choices.n_participants / len(participants)
        choices = self.choices.some(participants)
        return replace(self, choices=replace(choices, count=share * choices.count, visits=share * choices.visits))


def objective(logs: Logs, settings: GemSettings, bellman: float) -> Objective:
    shared = family(logs.mdp, settings.tau, settings.values, settings.target, settings.reward == "learnt")
    counts = np.bincount(logs.pair, minlength=logs.mdp.n_pairs).astype(float)
    return Objective(shared, Scale(logs.mdp, settings.scale == "per_state"), Choices.of(logs), counts, settings, bellman)


def begin(goal: Objective) -> State:
    """Optimal values, and a population that knows nothing yet."""
    x = goal.shared.start()
    point = goal.shared.at(x)
    n = goal.choices.n_participants
    return State(x, np.zeros(n), np.ones(n), 0.0, SIGMA, point, goal.scale.advantages(point.q))


def run(goal: Objective, state: State, rng: np.random.Generator, rough: bool = False) -> tuple[State, list[float], bool]:
    """EM from a state; the state it ends in, F after each round, and whether it converged."""
    if goal.settings.batch:
        return _online(goal, state, rng)
    return _all(goal, state, *((ROUGH, min(FEW, goal.settings.rounds)) if rough else (STILL, goal.settings.rounds)))


def _all(goal: Objective, state: State, still: float, rounds: int) -> tuple[State, list[float], bool]:
    trace: list[float] = []
    z = None
    for _ in range(rounds):
        z, V = modes(goal.choices, state.A, state.mu, state.sigma, z)
        first, second = _moments(goal, goal.choices, state, z, V)
        mu, sigma = _population(float(first.mean()), float(second.mean()), len(first))
        x, penalised = _improve(goal, state.x, z)
        change = max(np.abs(z - state.z).max(), abs(mu - state.mu), abs(np.log(sigma / state.sigma)))
        state = _state(goal, x, z, V, mu, sigma)
        trace.append(penalised + _divergence(state))
        if change < still:
            return _ended(goal, state), trace, True
    return _ended(goal, state), trace, False


def _online(goal: Objective, state: State, rng: np.random.Generator) -> tuple[State, list[float], bool]:
    """Rounds on a few participants each, with means of z and z^2 + V that forget; ends after as many rounds as settings say,
    and so never by a test of its own."""
    n, z, V = goal.choices.n_participants, state.z.copy(), state.V.copy()
    first, second, trace = state.mu, state.mu**2 + state.sigma**2, []
    for t in range(goal.settings.rounds):
        who = np.sort(rng.choice(n, min(goal.settings.batch, n), replace=False))
        part = goal.some(who)
        some = goal.choices.some(who)
        z[who], V[who] = modes(some, state.A, state.mu, state.sigma, None if t == 0 else z[who])
        found = _moments(goal, some, state, z[who], V[who])
        rate = (t + 1.0) ** -FORGET
        first, second = first + rate * (found[0].mean() - first), second + rate * (found[1].mean() - second)
        mu, sigma = _population(float(first), float(second), n)
        better, value = _improve(part, state.x, z[who])
        state = _state(goal, state.x + rate * (better - state.x), z, V, mu, sigma)
        trace.append(value)
    return _ended(goal, state), trace, False


def _population(first: float, second: float, n: int) -> tuple[float, float]:
    """mu and sigma from the means of E z_j and E z_j^2 over n participants, and one more at the start's mu and one with the
    start's sigma: a handful of players with few games would else make sigma as large as it likes."""
    mu = n * first / (n + 1.0)
    spread = n * (max(second - first**2, 0.0) + (first - mu) ** 2) + mu**2 + SIGMA**2
    return mu, max(float(np.sqrt(spread / (n + 2.0))), LEAST_SIGMA)


def _moments(goal: Objective, choices: Choices, state: State, z: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E z_j and E z_j^2 (participants,), as `settings.moments` has them."""
    if goal.settings.moments == "quadrature":
        mean, variance = moments(choices, state.A, state.mu, state.sigma, z, V)
        return mean, mean**2 + variance
    return z, z**2 + (V if goal.settings.moments == "laplace" else 0.0)


def _improve(goal: Objective, x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, float]:
    """A better x for given z by a few iterations of L-BFGS, and its penalised nll, which is never more than that of x."""
    before = goal(x, z)[0]
    shared = goal.shared
    if shared.frozen:
        shared = replace(shared, target=shared.soft_values(shared.at(x).q)[0])
    options = {"maxiter": goal.settings.m_steps, "maxcor": 20}
    found = minimize(replace(goal, shared=shared), x, args=(z,), jac=True, method="L-BFGS-B", options=options)
    step = found.x - x
    for _ in range(HALVINGS):
        after = goal(x + step, z)[0] if shared.frozen else float(found.fun)
        if after <= before:
            return x + step, after
        step *= 0.5
    return x, before


def _state(goal: Objective, x: np.ndarray, z: np.ndarray, V: np.ndarray, mu: float, sigma: float) -> State:
    point = goal.shared.at(x)
    return State(x, z, V, mu, sigma, point, goal.scale.advantages(point.q))


def _ended(goal: Objective, state: State) -> State:
    """The state with every z at its mode."""
    z, V = modes(goal.choices, state.A, state.mu, state.sigma)
    return replace(state, z=z, V=V)


def _divergence(state: State) -> float:
    """That of every N(z_j, V_j) from N(mu, sigma^2), in nats, but for a constant."""
    spread = ((state.z - state.mu) ** 2 + state.V) / (2.0 * state.sigma**2)
    return float(np.sum(spread + np.log(state.sigma) - 0.5 * np.log(state.V)))
