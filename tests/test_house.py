"""The rooms of the library: what may know of what."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from banditfit.study import provenance
from project import ROOT

PACKAGE = ROOT / "workflow/banditfit"
# Each room may import from those of its own line and above.
ROOMS = [
    ["caching", "errors", "numerics"],
    ["arguments", "files", "kinds", "parameters", "parquet"],
    ["data"],
    ["models"],
    ["identification", "outcome"],
    ["solvers"],
    ["methods"],
    ["names", "fits", "fitting", "judge", "sets", "study"],  # a fit knows the tables of methods and how tables are kept
    ["experiments", "comparison", "psychometrics", "gallery", "compiling"],
    ["estimator"],
    ["tables"],
    ["figures"],
    ["report", "benchmark"],
    ["__init__", "__main__"],
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports of the package when it is read."""
    modules = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for module in modules:
        found[module] = set()
        for node in ast.parse((PACKAGE / f"{module}.py").read_text()).body:
            if not isinstance(node, ast.ImportFrom) or node.level == 0:
                continue
            base = Path(module).parts[: -node.level]
            inside = [*base, *(node.module or "").split(".")] if node.module else list(base)
            for alias in node.names:
                whole, parent = "/".join([*inside, alias.name]), "/".join(inside)
                names = (whole, f"{whole}/__init__", parent, f"{parent}/__init__".removeprefix("/"))
                found[module].add(next(name for name in names if name in modules))
    return found


def room(module: str) -> str:
    return module.split("/")[0]


def test_no_module_imports_one_that_imports_it():
    TopologicalSorter(imports()).prepare()  # raises CycleError


@pytest.mark.parametrize("name", [room for rooms in ROOMS for room in rooms])
def test_a_room_knows_only_those_above_it(name):
    upward = {
        (module, other)
        for module, others in imports().items()
        for other in others
        if room(module) == name and RANK[room(other)] > RANK[name]
    }
    assert not upward


def test_what_a_rule_is_told_of_a_file_are_all_its_imports():
    for module, others in imports().items():
        assert {PACKAGE / f"{other}.py" for other in others} <= set(provenance._imports(PACKAGE / f"{module}.py")), module


# A job that fits imports this at its start, and what its method needs: each of these takes longer than a cheap method's fits.
HEAVY = {"arviz", "cvxpy", "joblib", "matplotlib", "nutpie", "scipy.optimize", "scipy.special", "snakemake", "xarray"}


def test_a_job_imports_no_more_than_it_needs():
    wanted = [line for line in (ROOT / "workflow/scripts/fit.py").read_text().splitlines() if re.match("import|from", line)]
    code = "\n".join([*wanted, "import sys", "print(*sys.modules)"])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.decode().split())


def test_the_library_never_imports_the_engine():
    assert not [path for path in PACKAGE.rglob("*.py") if "import snakemake" in path.read_text()]


def test_one_module_alone_calls_arviz():
    modules = [*PACKAGE.rglob("*.py"), *PACKAGE.with_name("scripts").glob("*.py"), *(ROOT / "tests").glob("*.py")]
    calls = {path.stem for path in modules if re.search(r"^\s*(import|from) arviz", path.read_text(), re.MULTILINE)}
    assert calls == {"chains"}
