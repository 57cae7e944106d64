"""What shares one weight in a model that is linear in its weights."""

from typing import NamedTuple

import numpy as np

from ..models.likelihood import Problem
from ..models.traces import N_OWN, OWN, WEIGHT, _sizes


class Groups(NamedTuple):
    """What shares one weight, and what shares its rates with it.

    weight  (groups,): the place of the weight in theta
    size    (groups,): how many parameters its traces have of their own, rates and initial values
    own     (groups, most): their places
    of      (traces, arms): the group of each trace on each arm
    slot    (traces, arms, most): which of the group's own parameters each of the trace's is
    biases  (biases,): places of the biases that differ, and `arm` (arms,): each arm's among these, or -1
    """

    weight: np.ndarray
    size: np.ndarray
    own: np.ndarray
    of: np.ndarray
    slot: np.ndarray
    biases: np.ndarray
    arm: np.ndarray


def groups(problem: Problem) -> Groups:
    """The groups of a problem's model."""
    ep = problem.episode
    n_traces, n_arms, _ = _sizes(ep)
    weights = ep.places[:-1, :, WEIGHT]
    weight = np.unique(weights)
    of = np.searchsorted(weight, weights)
    owns: list[list[int]] = [[] for _ in weight]
    for k in range(n_traces):
        for i in range(n_arms):
            for place in ep.places[k, i, OWN : OWN + ep.rules[k, N_OWN]]:
                if place not in owns[of[k, i]]:
                    owns[of[k, i]].append(int(place))
    most = max(map(len, owns))
    own = np.array([each + [-1] * (most - len(each)) for each in owns], dtype=np.int64).reshape(len(weight), most)
    slot = np.full((n_traces, n_arms, most + 1), -1)
    for k in range(n_traces):
        for i in range(n_arms):
            for l in range(ep.rules[k, N_OWN]):
                slot[k, i, l] = owns[of[k, i]].index(ep.places[k, i, OWN + l])
    places = ep.places[-1, :, 0]
    biases = np.unique(places[places >= 0])
    arm = np.where(places >= 0, np.searchsorted(biases, places), -1)
    return Groups(weight, np.array([len(each) for each in owns], dtype=np.int64), own, of, slot, biases, arm)


def by_sign(gr: Groups, lower: np.ndarray, upper: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The box [lower, upper], halved at 0 along every weight of either sign that has rates of its own."""
    boxes = [(lower.copy(), upper.copy())]
    for w, n in zip(gr.weight, gr.size, strict=True):
        if n and lower[w] < 0.0 < upper[w]:
            halves = []
            for low, high in boxes:
                below, above = high.copy(), low.copy()
                below[w] = above[w] = 0.0
                halves += [(low, below), (above, high)]
            boxes = halves
    return boxes
