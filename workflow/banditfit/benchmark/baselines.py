"""The way these fits are usually written, kept as a baseline of the benchmark and used nowhere else: a Python loop over steps,
finite-difference gradients, a convex program put together step by step."""

import numpy as np
from scipy.optimize import Bounds, minimize

from ..models.likelihood import Problem


def nll(problem: Problem, theta: np.ndarray) -> float:
    """The negative log-likelihood in nats by a loop over steps, with NumPy on the arms."""
    alpha, beta = map(problem.full, problem.split(theta))
    trace = np.zeros(problem.full_shape)
    total = 0.0
    for t in range(problem.n_steps):
        if problem.starts[t]:
            trace[:] = 0.0
        if problem.choices[t] >= 0:
            x = trace.sum(axis=0)
            total += np.log(np.exp(x - x.max()).sum()) + x.max() - x[problem.choices[t]]
        signal = np.zeros(problem.full_shape)
        if problem.arms[t] >= 0:
            signal[:, problem.arms[t]] = problem.signals[:, t]
        trace = (1 - alpha) * trace + alpha * beta * signal
    return total


def d_loc(problem: Problem, starts: np.ndarray) -> float:
    """The best nll of L-BFGS-B from `starts` (n, parameters), with SciPy's finite-difference gradients."""
    box = Bounds(problem.lower, problem.upper)
    ends = [minimize(lambda theta: nll(problem, theta), start, method="L-BFGS-B", bounds=box) for start in starts]
    return min(end.fun for end in ends)


def cvx(problem: Problem) -> float:
    """The optimum of the published relaxation by CVXPY and Clarabel, its expressions built step by step."""
    import cvxpy as cp

    n, m, (n_signals, q) = problem.n_steps, problem.n_arms, problem.shape
    kernels = [[cp.Variable(n, nonneg=True) for _ in range(q)] for _ in range(n_signals)]
    terms = []
    for t in range(n):
        if problem.choices[t] < 0:
            continue
        x = []
        for i in range(m):
            value = 0.0
            for s in range(n_signals):
                past = np.array([problem.signals[s, j] if problem.arms[j] == i else 0.0 for j in range(t)])[::-1]
                if past.any():
                    value = value + past @ kernels[s][i if q > 1 else 0][:t]
            x.append(value)
        terms.append(cp.log_sum_exp(cp.hstack(x)) - x[problem.choices[t]])
    falling = [kernel[1:] <= kernel[:-1] for row in kernels for kernel in row]
    return cp.Problem(cp.Minimize(sum(terms)), falling).solve(solver=cp.CLARABEL)
