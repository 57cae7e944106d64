"""What many tests share: small data sets, and the smallest study."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import banditfit as bf
from project import command, copy_project, snakemake, stamps

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
def interrupted(tmp_path_factory) -> tuple[Path, dict[Path, int]]:
    """A copy of the project in which the smallest study was killed in mid-run, and the fits that were stored by then."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "project")
    running = subprocess.Popen(
        command(), cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while len(stored := stamps(project)) < 4:
            assert running.poll() is None, "the run ended before four batches were stored"
            time.sleep(0.05)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    return project, stored


@pytest.fixture(scope="session")
def finished(interrupted) -> Path:
    """A copy of the project in which the smallest study, once killed, was run to its end."""
    project, _ = interrupted
    snakemake(project, "--unlock")
    snakemake(project)
    return project
