"""A copy of the project that tests may change, and the real Snakemake in it."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from banditfit.parquet import read_parquet

ROOT = Path(__file__).parents[1]
STUDY = "results/test"
# In place of what config/test.yaml asks for beside the fits of its methods: nothing.
FITS_ALONE = {
    "batch": 2,
    "limits": {},
    "draws": {},
    "populations": {},
    "optima": None,
    "sets": None,
    "local_solvers": ["L-BFGS-B"],
}
# The columns of a table of fits that no two runs share.
TIMES = ["t_setup", "t_solve", "t_wall", "t_cpu", "t_published", "machine"]


def timeless(path: Path) -> str:
    """A stored table without what no two runs share, as text in which NaN equals NaN."""
    table = read_parquet(path).drop_columns(TIMES)
    rows = table.to_pylist(maps_as_pydicts="strict")
    for row in rows:
        if row["diagnostics"]:
            row["diagnostics"].pop("draws_per_second", None)
    return f"{table.schema}{rows!r}"


def site(front: Path) -> str:
    """All pages of a report, the front page first."""
    return "".join(page.read_text(encoding="utf-8") for page in (front, *sorted(front.with_suffix("").glob("*.html"))))


def copy_project(target: Path) -> Path:
    """A copy whose compiled code is that of the project itself: what either compiles the other finds (both go by the contents
    of the sources, so that a change in the copy counts)."""
    for name in ("Snakefile", "config", "workflow", "profiles", "envs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    for module in (ROOT / "workflow/banditfit").rglob("__init__.py"):
        compiled = module.parent / "__pycache__"
        compiled.mkdir(exist_ok=True)
        (target / compiled.relative_to(ROOT)).symlink_to(compiled)
    return target


def command(*arguments: str, cores: int | None = 2, python: str | Path = sys.executable) -> list[str]:
    """Snakemake on the smallest study; `cores` is None where a profile says how many."""
    limit = [] if cores is None else ["--cores", str(cores)]
    return [str(python), "-m", "snakemake", "--configfile", "config/test.yaml", *limit, *arguments]


@cache
def engine() -> subprocess.Popen:
    """The process in which `snakemake` runs; see there."""
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("engine.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def snakemake(project: Path, *arguments: str, check: bool = True, **how) -> subprocess.CompletedProcess:
    """Runs `command` in a copy of the project: by `engine`, or by another Python where one is named."""
    words = command(*arguments, **how)
    if "python" in how:
        done = subprocess.run(words, cwd=project, capture_output=True, text=True)
    else:
        with NamedTemporaryFile("r") as stdout, NamedTemporaryFile("r") as stderr:
            asked = {"arguments": words[3:], "folder": str(project), "stdout": stdout.name, "stderr": stderr.name}
            print(json.dumps(asked), file=engine().stdin, flush=True)
            done = subprocess.CompletedProcess(words, int(engine().stdout.readline()), stdout.read(), stderr.read())
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


# A study of three batches, one episode each, by a method that finishes at once.
FRAIL_FITS = f"{STUDY}/fits/tiny_2arm/forgetting/frail"
BATCHES = [f"{FRAIL_FITS}/{number:04d}-{number:04d}.parquet" for number in range(3)]
SCORES = f"{STUDY}/scores/tiny_2arm.parquet"
FRAIL_CONFIG = """study: test
title: Three batches
datasets: [tiny_2arm]
episodes: 3
methods: [frail]
local_solvers: [L-BFGS-B]
batch: 1
seed: 1
"""
# It comes to harm once, as the file `fault` says: the batch that gets there first (or, if it says so, when only one is left)
# takes the file away. Slurm counts as memory what is in use, so that must be filled.
FRAIL = '''"""The middle of the box, by a method that may come to harm."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import Method, Outcome


@dataclass(frozen=True)
class Settings:
    """None."""


def fit(problem, settings, rng, given):
    path = Path("fault")
    last = len(list(Path("results/test/fits/tiny_2arm/forgetting/frail").glob("*.parquet"))) == 2
    try:
        fault = path.rename("fault.taken").read_text() if last or path.read_text() != "kill the last" else ""
    except FileNotFoundError:
        fault = ""
    if fault.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "memory":
        held = np.ones(300_000_000)
        time.sleep(30)
    alpha, beta = problem.split((problem.lower + problem.upper) / 2)
    return Outcome("converged", alpha=alpha, beta=beta, nll=problem.nll(alpha, beta))


METHOD = Method(fit=fit, settings=Settings)
'''


def frail_project(target: Path) -> Path:
    project = copy_project(target)
    (project / "workflow/banditfit/methods/frail.py").write_text(FRAIL)
    table = project / "config/methods.tsv"
    table.write_text(table.read_text().rstrip("\n") + "\nfrail\tfrail\t{}\tno\tFrail\t-\t#123456\t99\tthis test\n")
    (project / "config/test.yaml").write_text(FRAIL_CONFIG)
    return project


def stamps(project: Path) -> dict[Path, int]:
    """The stored fits, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in project.glob(f"{STUDY}/fits/*/*/*/*.parquet")}
