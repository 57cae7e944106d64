"""What many tests share: small data sets, and the smallest study."""

from pathlib import Path

import pytest

import banditfit as bf
from project import copy_project, snakemake

BANDIT = {"p_reward": (0.8, 0.4, 0.2), "p_switch": 0.05, "seed": 7}


def make(model: str, n_episodes: int = 3, n_steps: int = 30) -> bf.Dataset:
    """Episodes on a three-arm bandit whose agents start from zero, as the fits assume."""
    beta = ((0.5, 4.0), (0.0, 2.0))[: len(bf.get_model(model).signals)]
    return bf.simulate(f"small_{model}", model, n_episodes=n_episodes, n_steps=n_steps, beta=beta, **BANDIT)


@pytest.fixture(scope="session", params=list(bf.MODELS))
def small(request) -> bf.Dataset:
    """A small data set of each model family in turn."""
    return make(request.param)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A copy of the project in which the smallest study has run to its end."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "project")
    snakemake(project)
    return project
