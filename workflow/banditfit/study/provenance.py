"""Where results come from: the code, the machine, the versions, the data."""

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..files import replacing
from ..models.families import get_model, table_of_models

PACKAGE = Path(__file__).parents[1]
# The project's folder, for the rules and for the scripts: what the engine tells a script of its place is no plain path.
PROJECT = PACKAGE.parents[1]
# The libraries whose versions can change a figure.
LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "cvxpy",
    "clarabel",
    "scs",
    "pandas",
    "pyarrow",
    "matplotlib",
    "nutpie",
    "arviz",
    "snakemake",
)


def export_package() -> None:
    """Lets child processes import this very copy of the package."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))


def room(name: str) -> list[str]:
    """The modules of a folder of the package, as `sources` takes them: those that are found by their names."""
    return [f"{name}.{path.stem}" for path in sorted((PACKAGE / name).glob("*.py")) if path.stem != "__init__"]


def sources(script: str, *modules: str) -> list[str]:
    """The files of the package that a script of the workflow needs, and those that these modules (such as "methods.cvx") need,
    themselves included: what a result depends on, and nothing else. Imports are followed wherever they stand, in functions too.
    """
    return list(_sources(PACKAGE.parent / f"scripts/{script}.py", modules))


@cache
def _sources(script: Path, modules: tuple[str, ...]) -> tuple[str, ...]:
    found: set[Path] = set()
    waiting = [*_imports(script), *(_file(PACKAGE.joinpath(*module.split("."))) for module in modules)]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += _imports(path)
    if PACKAGE / "models/families.py" in found:  # which reads it
        found.add(table_of_models())
    return tuple(sorted(map(str, found)))


def _file(module: Path) -> Path:
    """The file of a module or package."""
    return module / "__init__.py" if module.is_dir() else module.with_suffix(".py")


# An import of a part of the package, in a function too; and a block that only a type checker reads.
_IMPORT = re.compile(r"^[ \t]*from (\.*)([\w.]*) import ([^\n(]+|\([^)]*\))", re.MULTILINE)
_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:(?: .*)?\n)+", re.MULTILINE)


@cache
def _imports(path: Path) -> list[Path]:
    """The files of the package that a file imports. It is searched as text: every run of the workflow asks this of every file,
    and to parse them all takes a second."""
    imported = []
    for dots, module, clause in _IMPORT.findall(_TYPES.sub("", path.read_text(encoding="utf-8"))):
        if dots:
            origin = path.parents[len(dots) - 1].joinpath(*filter(None, module.split(".")))
        elif module.split(".")[0] == PACKAGE.name:
            origin = PACKAGE.parent.joinpath(*module.split("."))
        else:
            continue
        names = re.findall(r"\w+", re.sub(r" as \w+|#.*", "", clause))
        inside = [_file(origin / name) for name in names]
        imported += [module for module in inside if module.is_file()]
        # What is no module of its own stands in the module or package that is named.
        if not all(module.is_file() for module in inside):
            imported += [module for module in (_file(origin),) if module.is_file()]
    return imported


def machine() -> dict[str, str]:
    """The machine and the versions that computed a table: CPU, cores, threads granted, system, Python, libraries, commit."""
    return {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        "commit": commit(PROJECT),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def commit(root: Path) -> str:
    """The commit of the project at `root`, marked when what results depend on differs from it, new files included."""
    try:
        say = lambda *words: subprocess.run(("git", "-C", root, *words), capture_output=True, text=True, check=True).stdout  # noqa: E731
        changed = say("status", "--porcelain", "--", "Snakefile", "workflow", "config", "envs").strip()
        return say("rev-parse", "HEAD").strip() + (" with uncommitted changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"


def checksums(*parts: Dataset) -> dict[str, str]:
    """SHA-256 of the choices as signed bytes, and of the rewards as float64, in C order, padding included, of a data set that
    is given whole or part after part. (For choices without missed trials, and for none else, the first equals the sum over
    unsigned bytes.)"""
    return _checksums(parts)


def _checksums(parts: Iterable[Dataset]) -> dict[str, str]:
    kinds = {"choices": np.int8, "rewards": np.float64}
    sums = {name: hashlib.sha256() for name in kinds}
    for part in parts:
        for name, kind in kinds.items():
            sums[name].update(getattr(part, name).astype(kind).tobytes())
    return {name: found.hexdigest() for name, found in sums.items()}


def manifest(
    config: dict[str, Any],
    datasets: Iterable[tuple[Dataset, Iterable[Dataset]]],
    models: Mapping[str, Iterable[str]],
    scores: list[pd.DataFrame],
) -> dict[str, Any]:
    """The identity of a study: date, commit, configuration and its hash; the data with their checksums, how they were read,
    their largest reward, and the box in which each of their `models` is fitted; and each machine that fitted, with the number
    of its fits. `datasets` are outlines (`stored.outline`), each with the data set part after part; `scores` need only the
    column `machine`."""
    machines = pd.concat([pd.DataFrame({"machine": []}), *scores])["machine"].value_counts()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(PROJECT),
        "config": config,
        "config_sha256": hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
        "data": {
            data.name: {
                "episodes": len(data),
                "steps": steps,
                "arms": data.n_arms,
                "notes": list(data.notes),
                "reward_scale": data.reward_scale,
                "models": {name: json.loads(data.bounds_of(get_model(name)).text()) for name in models[data.name]},
                **sums,
            }
            for data, parts in datasets
            for steps, sums in [_steps_and_sums(parts)]
        },
        "machines": [{"fits": int(count), **json.loads(text)} for text, count in machines.items()],
    }


def _steps_and_sums(parts: Iterable[Dataset]) -> tuple[int, dict[str, str]]:
    parts = iter(parts)
    first = next(parts)
    return first.choices.shape[1], _checksums(chain([first], parts))


def write_manifest(manifest: dict[str, Any], path: str | Path) -> None:
    """Writes a manifest as JSON; the file appears whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Reads what `write_manifest` wrote. Raises ValueError at damage."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
