"""The same studies through a Slurm of one node, started for the purpose. `make test-slurm` installs what it needs of Python;
Slurm itself and munge are Debian's slurm-wlm and munge."""

import os
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from banditfit.study.store import read_table
from project import ROOT, SCORES, STUDY, copy_project, frail_project, snakemake, stamps, timeless

ONE_NODE = ROOT / "tests/slurm/one-node"
# A cluster of one's own may be asked more often, and has no file system that lags.
EAGER = ["--seconds-between-status-checks", "1", "--latency-wait", "5", "--max-jobs-per-timespan", "20/1s"]
PROFILES = {
    "slurm": ["--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "2", *EAGER],
    "generic": ["--profile", "profiles/generic", *EAGER],
}


def missing() -> str | None:
    """Why there can be no Slurm here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "starting a Slurm of one's own needs root on Linux"
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "the executors for clusters are not installed: make cluster-env"
    absent = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed: apt-get install slurm-wlm munge"
    return None


@pytest.fixture(scope="session")  # as those of the study, which nobody need wait for where there is no Slurm
def slurm(tmp_path_factory):
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    started = subprocess.run([ONE_NODE, "start", folder], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    if started.returncode != 0:
        subprocess.run([ONE_NODE, "stop", folder], check=True)
        pytest.skip(f"Slurm did not start: {started.stderr.strip()}")
    yield
    subprocess.run([ONE_NODE, "stop", folder], check=True)


def slurm_jobs() -> dict[str, str]:
    """The state of every job that Slurm has seen, by number."""
    shown = subprocess.run(["scontrol", "show", "job", "--oneliner"], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^JobId=(\d+) .*?JobState=(\w+)", shown, flags=re.MULTILINE))


def run(project: Path, profile: str, *arguments: str) -> list[str]:
    """Runs the project's study through a profile; the states in which its jobs of Slurm ended."""
    before, begin = set(slurm_jobs()), time.monotonic()
    snakemake(project, *PROFILES[profile], *arguments, cores=None)
    states = [state for number, state in slurm_jobs().items() if number not in before]
    print(f"profiles/{profile}: {len(states)} jobs of Slurm, {time.monotonic() - begin:.0f} s")
    return states


def test_the_smallest_study_comes_out_as_locally(slurm, finished, tmp_path):
    project = copy_project(tmp_path / "project")
    states = run(project, "slurm")
    assert set(states) == {"COMPLETED"}
    # In groups: far fewer jobs of Slurm than the study has steps, each of which leaves a record.
    assert len(states) < len(list(project.glob("logs/test/**/*.tsv"))) / 2
    for path in finished.glob(f"{STUDY}/scores/*.parquet"):
        assert timeless(project / path.relative_to(finished)) == timeless(path)
    for name in ("outcomes", "attribution"):
        assert (project / STUDY / f"tables/{name}.csv").read_text() == (finished / STUDY / f"tables/{name}.csv").read_text()


def test_any_scheduler_by_three_scripts(slurm, tmp_path):
    project = frail_project(tmp_path / "project")
    assert set(run(project, "generic", SCORES)) == {"COMPLETED"}
    assert len(read_table(project / SCORES)) == 3


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("fault", ["memory", "kill"])
def test_a_batch_that_fails_is_submitted_again(slurm, tmp_path, fault, profile):
    project = frail_project(tmp_path / "project")
    (project / "fault").write_text(fault)
    states = run(project, profile, SCORES)
    assert not (project / "fault").exists() and len(states) > states.count("COMPLETED")
    assert len(read_table(project / SCORES)) == 3


def test_a_group_that_fails_keeps_what_it_finished(slurm, tmp_path):
    project = frail_project(tmp_path / "project")
    (project / "fault").write_text("kill the last")
    done = snakemake(project, *PROFILES["slurm"], "--retries", "0", SCORES, cores=None, check=False)
    assert done.returncode != 0 and "SIGKILL" in done.stdout + done.stderr
    kept = stamps(project)
    assert len(kept) == 2
    snakemake(project, SCORES)
    assert len(read_table(project / SCORES)) == 3 and all(stamps(project)[path] == when for path, when in kept.items())
