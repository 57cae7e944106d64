"""What many tests share: small data sets, and the smallest study, which runs beside the tests that do not need it."""

import os
import sys

# Before NumPy is imported: the threads of linear algebra wait for one another by spinning, which on cores that other workers
# and the study in the background keep busy takes many times what small matrices take on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Many short processes read the package: where Python is told to write no bytecode, each would compile all of it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import json
import subprocess
import time
from pathlib import Path

import pytest

import banditfit as bf
from banditfit.models.families import PUBLISHED_MODELS
from project import ROOT

BANDIT = {"p_reward": (0.8, 0.4, 0.2), "p_switch": 0.05, "seed": 7}

STUDIES = {"interrupted", "finished"}  # the fixtures that need the smallest study


def needs_study(item: pytest.Item) -> bool:
    return not STUDIES.isdisjoint(item.fixturenames)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what runs the workflow by itself, which takes longest; last what needs the study of the background."""
    items.sort(key=lambda item: (needs_study(item), item.get_closest_marker("long") is None))


def make(model: str, n_episodes: int = 3, n_steps: int = 30) -> bf.Dataset:
    """Episodes on a three-arm bandit whose agents start from zero, as the fits assume."""
    beta = ((0.5, 4.0), (0.0, 2.0))[: len(bf.get_model(model).signals)]
    return bf.simulate(f"small_{model}", model, n_episodes=n_episodes, n_steps=n_steps, beta=beta, **BANDIT)


@pytest.fixture(scope="session", params=PUBLISHED_MODELS)
def small(request) -> bf.Dataset:
    """A small data set of each model family in turn."""
    return make(request.param)


@pytest.fixture(scope="session", autouse=True)
def study(request, tmp_path_factory):
    """The folder of the smallest study, which is begun here, once for all of pytest's workers, if any test needs it; see
    `smallest_study`."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "study"
    running = None
    if any(needs_study(item) for item in request.session.items):
        try:
            folder.mkdir()  # only one can
        except FileExistsError:
            pass
        else:
            script = Path(__file__).with_name("smallest_study.py")
            paths = os.pathsep.join([str(ROOT / "workflow"), str(script.parent)])
            # Not on the channels that pytest's workers speak through.
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            running = subprocess.Popen([sys.executable, script, folder], env=os.environ | {"PYTHONPATH": paths}, **quiet)
    yield folder
    if running is not None:
        running.wait()


def wait_for(folder: Path, what: str) -> str:
    """What stands in a file of the study's folder, once it is there."""
    while not (folder / what).exists():
        assert not (folder / "failed").exists(), (folder / "failed").read_text()
        time.sleep(0.1)
    return (folder / what).read_text()


@pytest.fixture(scope="session")
def interrupted(study) -> tuple[Path, dict[Path, int]]:
    """A copy of the project in which the smallest study was killed in mid-run, and the fits that were stored by then."""
    stored = json.loads(wait_for(study, "interrupted"))
    return study / "project", {Path(path): when for path, when in stored.items()}


@pytest.fixture(scope="session")
def finished(study) -> Path:
    """A copy of the project in which the smallest study, once killed, was run to its end."""
    wait_for(study, "finished")
    return study / "project"
