"""The posterior of one episode, shared by the methods that describe it: priors, and a compiled log-density.

Both methods work in coordinates u, one per parameter, in which the uniform prior is standard normal:

    theta = lower + (upper - lower) Phi(u),    log p(u | y) = -J(theta) + log prior(theta) - |u|^2 / 2 + const

So edges of the box are at infinity, a parameter that the choices say nothing of is exactly normal, and a parameter whose
bounds coincide needs no special case. `prior` is relative to the uniform density on the box.

In u a posterior can be a corner: as alpha goes to 0 the choices say nothing of beta, elsewhere they hold it to a narrow
band. Chains go round that corner seldom, so Monte Carlo straightens it (a triangular transport; Parno & Marzouk 2018,
SIAM/ASA J. Uncertain. Quantif. 6, 645), for each pair of a learning rate and its sensitivity:

    u_alpha = v_alpha,    u_beta = m(u_alpha) + s(u_alpha) v_beta,    log p(v | y) = log p(u | y) + sum log s

with the mode m and standard deviation s of u_beta given u_alpha, by Laplace's approximation. Any smooth m and s > 0 leave the
posterior exact; good ones make it nearly normal.
"""

import re
from math import erfc, exp, log, pi, sqrt

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.special import ndtr

from ..errors import InputError
from ..models.likelihood import Problem
from ..models.traces import N_OWN, OWN, WEIGHT, _at, _bar, _bias, _nll_grad, _one_trace, _policy_of, _unit_traces
from ..numerics import _compiled, _policy

# log prior(theta) = c0 log theta + c1 log(1 - theta) + c2 theta + c3 (log theta)^2 + const, as (c0, c1, c2, c3).
PRIORS = {
    "uniform": lambda: (0.0, 0.0, 0.0, 0.0),
    "beta": lambda a, b: (a - 1.0, b - 1.0, 0.0, 0.0),
    "gamma": lambda shape, scale: (shape - 1.0, 0.0, -1.0 / scale, 0.0),
    "lognormal": lambda mu, sigma: (mu / sigma**2 - 1.0, 0.0, 0.0, -0.5 / sigma**2),
}
# The numbers of each prior, from the least to the largest of use: beyond, all of a prior lies nearer to a bound or to a point
# than numbers of 64 bits can tell, and its density has no digit left.
_SHAPE = (1e-3, 1e9)
LIMITS = {
    "uniform": (),
    "beta": (("a", *_SHAPE), ("b", *_SHAPE)),
    "gamma": (("shape", *_SHAPE), ("scale", 1e-100, 1e100)),
    "lognormal": (("mu", -500.0, 500.0), ("sigma", 1e-4, 1e4)),
}
ALPHA_PRIORS = ("uniform", "beta")
BETA_PRIORS = ("uniform", "gamma", "lognormal")
QUANTILES = {"lower": 0.025, "median": 0.5, "upper": 0.975}

# m and log s of the transport are tabulated for u_alpha from -EDGE to EDGE (6e-7 of a uniform prior lies outside) and
# constant beyond. m need only be near the mode: Newton's method ends after NEWTON steps, or one shorter than NEAR.
EDGE, CELLS = 5.0, 40
NEWTON, NEAR = 12, 1e-3


def _read(what: str, text: str, allowed: tuple[str, ...]) -> tuple[float, float, float, float]:
    """The coefficients of a prior written as `uniform`, `beta(a, b)`, `gamma(shape, scale)` or `lognormal(mu, sigma)`,
    truncated to the box; raises InputError for any other text, and for numbers outside LIMITS."""
    match = re.fullmatch(r"(\w+)(?:\(([^,()]+),([^,()]+)\))?", text.strip())
    try:
        name, given = match[1], [float(number) for number in match.groups()[1:] if number]
        within = all(low <= number <= high for number, (_, low, high) in zip(given, LIMITS[name], strict=True))
        if name in allowed and within:
            return PRIORS[name](*given)
    except (KeyError, TypeError, ValueError):
        pass
    raise InputError(f"{what} is {text!r}, expected one of {'; '.join(map(_form, allowed))}")


def _form(name: str) -> str:
    """How a prior is written, and what its numbers may be."""
    if not LIMITS[name]:
        return name
    ranges = " and ".join(f"{number} from {low:g} to {high:g}" for number, low, high in LIMITS[name])
    return f"{name}({', '.join(number for number, _, _ in LIMITS[name])}) with {ranges}"


def read_priors(prior_alpha: str, prior_beta: str) -> np.ndarray:
    """The coefficients of both priors, shape (2, 4)."""
    return np.array([_read("prior_alpha", prior_alpha, ALPHA_PRIORS), _read("prior_beta", prior_beta, BETA_PRIORS)])


def coefficients(problem: Problem, prior_alpha: str, prior_beta: str) -> np.ndarray:
    """The prior of every parameter, shape (parameters, 4): `prior_alpha` of rates, `prior_beta` of sensitivities, uniform of
    all others. Priors are in the user's units: that of b' = b c, where the problem's sensitivities are c times the user's, is
    that of b at b' / c."""
    of_rate, of_sensitivity = read_priors(prior_alpha, prior_beta)
    roles = problem.model.roles(problem.n_arms)
    prior = np.zeros((len(roles), 4))
    prior[roles == "rate"] = of_rate
    own = roles == "sensitivity"
    unit = problem.model.scale(problem.n_arms, problem.unit)[own]
    beta = np.repeat(of_sensitivity[None], len(unit), axis=0)
    beta[:, 0] -= 2.0 * beta[:, 3] * np.log(unit)
    beta[:, 2] /= unit
    prior[own] = beta
    return prior


def pairs_of(problem: Problem) -> np.ndarray:
    """The places (pairs, 2) of each weight, behind that of the first rate of its trace; every place once."""
    rules, places = problem.episode.rules, problem.episode.places
    of_rate = problem.model.roles(problem.n_arms) == "rate"
    found: dict[int, int] = {}
    for k in range(len(rules) - 1):
        for arm in range(problem.n_arms):
            weight, own = int(places[k, arm, WEIGHT]), places[k, arm, OWN : OWN + rules[k, N_OWN]]
            rates = [int(place) for place in own if of_rate[place] and place not in found.values()]
            if weight >= 0 and weight not in found and rates:
                found[weight] = rates[0]
    return np.array([(rate, weight) for weight, rate in sorted(found.items())], dtype=np.int64).reshape(-1, 2)


def theta_of(problem: Problem, u: np.ndarray) -> np.ndarray:
    """Parameters theta of coordinates u (..., parameters)."""
    return problem.lower + (problem.upper - problem.lower) * ndtr(u)


def summary(problem: Problem, policy: np.ndarray, **by_theta: np.ndarray) -> dict[str, np.ndarray]:
    """`Outcome.posterior`: PARAMETER_NAME, such as alpha_lower, for each theta vector NAME, and the mean policy."""
    parts = {f"{name}_{what}": part for what, theta in by_theta.items() for name, part in problem.named(theta).items()}
    return parts | {"policy": policy}


def mean_policy(problem: Problem, theta: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """The mass-weighted mean of the choice probabilities (steps, arms) of parameters theta (points, parameters)."""
    policy = np.zeros((problem.n_arms, problem.n_steps))
    _add_policies(np.ascontiguousarray(theta), mass / mass.sum(), problem.episode, policy)
    return problem.in_data_order(policy.T)


@_compiled
def _add_policies(theta, mass, episode, policy):
    for k in range(mass.size):
        policy += mass[k] * _policy_of(episode, theta[k])


@_compiled
def place(u, lower, upper):
    """theta, 1 - theta (to full precision near an upper bound of 1) and dtheta/du of one coordinate."""
    theta = lower + (upper - lower) * 0.5 * erfc(-u / sqrt(2.0))
    rest = (1.0 - upper) + (upper - lower) * 0.5 * erfc(u / sqrt(2.0))
    return theta, rest, (upper - lower) * exp(-0.5 * u * u) / sqrt(2.0 * pi)


@_compiled
def log_prior(theta, rest, c):
    """The log prior but for its constant, and its derivative; rest is 1 - theta. A zero coefficient must not meet log(0)."""
    value = c[2] * theta
    slope = c[2]
    if c[0] != 0.0 or c[3] != 0.0:
        logarithm = log(theta)
        value += (c[0] + c[3] * logarithm) * logarithm
        slope += (c[0] + 2.0 * c[3] * logarithm) / theta
    if c[1] != 0.0:
        value += c[1] * log(rest)
        slope -= c[1] / rest
    return value, slope


@_compiled
def log_density(u, gradient, episode, lower, upper, prior):
    """log p(u | y) up to a constant; fills its gradient."""
    theta, slope = np.empty_like(u), np.empty_like(u)
    value = 0.0
    for k in range(u.size):
        theta[k], rest, slope[k] = place(u[k], lower[k], upper[k])
        value -= 0.5 * u[k] * u[k]
        gradient[k] = -u[k]
        if upper[k] > lower[k]:
            log_p, d_prior = log_prior(theta[k], rest, prior[k])
            value += log_p
            gradient[k] += d_prior * slope[k]
    nll, d_nll = _nll_grad(episode, theta)
    gradient -= d_nll * slope
    return value - nll


def transport(problem: Problem, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (`pairs_of`), and m and log s of every one as cubic splines over u_alpha, shape (pairs, 2, CELLS, 4):
    coefficients of the powers 3 to 0 of the distance from each cell's lower edge. Each pair's are conditional on the others at
    the mode of p(u | y)."""
    box = (problem.episode, problem.lower, problem.upper, prior)
    u = np.zeros(len(problem.lower))
    if len(u) > 2:

        def objective(u):
            gradient = np.empty_like(u)
            return -log_density(u, gradient, *box), -gradient

        u = minimize(objective, u, jac=True, method="L-BFGS-B", bounds=[(-EDGE, EDGE)] * len(u)).x
    nodes = np.linspace(-EDGE, EDGE, CELLS + 1)
    pairs = pairs_of(problem)
    splines = CubicSpline(nodes, _conditionals(u, nodes, pairs, *box), axis=-1, bc_type="clamped").c
    return pairs, np.ascontiguousarray(splines.transpose(2, 3, 1, 0))


@_compiled
def _conditionals(u, nodes, pairs, episode, lower, upper, prior):
    """m and log s at nodes of u_alpha, shape (pairs, 2, nodes), given all other parameters of u."""
    choices = episode.choices
    theta = np.empty_like(u)
    for k in range(u.size):
        theta[k] = place(u[k], lower[k], upper[k])[0]
    traces = _unit_traces(episode, theta)
    n_traces, n_arms, n_steps = traces.shape
    found = np.empty((len(pairs), 2, nodes.size))
    there = theta.copy()
    for k in range(len(pairs)):
        rate, weight = pairs[k]
        # Values as those of two signals: everything else, of sensitivity 1, and this pair's.
        h, b = np.zeros((2, n_arms, n_steps)), np.ones((2, n_arms))
        for i in range(n_arms):
            h[0, i] += _at(theta, _bias(episode, i))
            for r in range(n_traces):
                if episode.places[r, i, WEIGHT] != weight:
                    h[0, i] += _at(theta, episode.places[r, i, WEIGHT]) * traces[r, i]
        _bar(episode.barred, h[0])
        mode = u[weight]
        for j in range(nodes.size - 1, -1, -1):  # from where beta is known best
            there[rate] = place(nodes[j], lower[rate], upper[rate])[0]
            for r in range(n_traces):
                for i in range(n_arms):
                    if episode.places[r, i, WEIGHT] == weight:
                        _one_trace(episode, r, i, there, h[1, i])
            mode, sd = _conditional(mode, choices, h, b, lower[weight], upper[weight], prior[weight])
            found[k, 0, j], found[k, 1, j] = mode, log(sd)
        there[rate] = theta[rate]
    return found


@_compiled
def _conditional(u, choices, h, b, lower, upper, prior):
    """Mode and standard deviation of u_beta, from a start u, where beta is the sensitivity b[1] of the traces h[1]."""
    for _ in range(NEWTON):
        beta, rest, slope = place(u, lower, upper)
        b[1] = beta
        policy = _policy(choices, h, b)[1]
        gradient = curvature = 0.0  # of the nll in beta
        for t in range(choices.size):
            if choices[t] >= 0:
                mean = square = 0.0
                for i in range(len(policy)):
                    mean += policy[i, t] * h[1, i, t]
                    square += policy[i, t] * h[1, i, t] ** 2
                gradient += mean - h[1, choices[t], t]
                curvature += square - mean * mean
        rise = -u - gradient * slope
        if upper > lower:
            rise += log_prior(beta, rest, prior)[1] * slope
        precision = 1.0 + curvature * slope * slope
        step = min(max(rise / precision, -1.0), 1.0)
        u += step
        if abs(step) < NEAR:
            break
    return u, 1.0 / sqrt(precision)


@_compiled
def _spline(u_alpha, splines):
    """m and log s of one pair (2, CELLS, 4), each with its derivative."""
    width = 2.0 * EDGE / CELLS
    inside = min(max(u_alpha, -EDGE), EDGE)
    cell = min(int((inside + EDGE) / width), CELLS - 1)
    x = inside + EDGE - cell * width
    rises = 1.0 if inside == u_alpha else 0.0
    m, log_s = splines[0, cell], splines[1, cell]
    return (
        ((m[0] * x + m[1]) * x + m[2]) * x + m[3],
        rises * ((3.0 * m[0] * x + 2.0 * m[1]) * x + m[2]),
        ((log_s[0] * x + log_s[1]) * x + log_s[2]) * x + log_s[3],
        rises * ((3.0 * log_s[0] * x + 2.0 * log_s[1]) * x + log_s[2]),
    )


@_compiled
def transported(v, pairs, splines):
    """u of v."""
    u = v.copy()
    for k in range(len(pairs)):
        rate, weight = pairs[k]
        m, _, log_s, _ = _spline(v[rate], splines[k])
        u[weight] = m + exp(log_s) * v[weight]
    return u


@_compiled
def transported_log_density(v, gradient, episode, lower, upper, prior, pairs, splines):
    """log p(v | y) up to a constant; fills its gradient."""
    u = transported(v, pairs, splines)
    value = log_density(u, gradient, episode, lower, upper, prior)
    for k in range(len(pairs)):
        rate, weight = pairs[k]
        _, d_m, log_s, d_log_s = _spline(v[rate], splines[k])
        s = exp(log_s)
        value += log_s
        gradient[rate] += gradient[weight] * (d_m + s * d_log_s * v[weight]) + d_log_s
        gradient[weight] *= s
    return value
