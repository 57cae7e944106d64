"""Compiled code on disk is never that of an older text."""

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from numba.core.dispatcher import Dispatcher

from banditfit import caching
from banditfit.caching import PACKAGE

OUTER = """from .heart import _compiled
from .inner import TIMES, _inner


@_compiled
def outer(x):
    return TIMES * _inner(x)
"""
INNER = """from .heart import _compiled

TIMES = {}


@_compiled
def _inner(x):
    return x + {}
"""
HEART = """from numba import config, njit

from .caching import LOCATORS

config.CACHE_LOCATOR_CLASSES = LOCATORS
_compiled = njit(cache=True)
"""
RUN = "from pack.outer import outer; print(outer(1.0), sum(outer.stats.cache_hits.values()))"


def a_package(folder):
    """A package of one compiled function that calls another, which is yet to be written."""
    pack = folder / "pack"
    pack.mkdir()
    shutil.copy(PACKAGE / "caching.py", pack)
    (pack / "__init__.py").touch()
    (pack / "heart.py").write_text(HEART)
    (pack / "outer.py").write_text(OUTER)
    return pack


def test_a_caller_is_compiled_anew_when_what_it_calls_changes(tmp_path):
    pack = a_package(tmp_path)
    command, said = [sys.executable, "-B", "-c", RUN], []  # bytecode cannot tell two texts of one length and second
    for times, more in ((1, 1.0), (1, 1.0), (1, 2.0), (3, 2.0)):
        (pack / "inner.py").write_text(INNER.format(times, more))
        said.append(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split())
    assert said == [["2.0", "0"], ["2.0", "1"], ["3.0", "0"], ["9.0", "0"]]


TURNS = """from banditfit.compiling import _take_turns
_take_turns({!r})
from pack.outer import outer
print(outer(1.0), sum(outer.stats.cache_hits.values()))
"""


def test_what_one_process_compiles_another_waits_for(tmp_path):
    pack = a_package(tmp_path)
    (pack / "inner.py").write_text(INNER.format(1, 1.0))
    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(PACKAGE.parent)])}
    turns = tmp_path / "turns"
    turns.mkdir()
    both = [
        subprocess.Popen([sys.executable, "-c", TURNS.format(str(turns))], env=paths, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].split() for process in both]
    assert sorted(said) == [["2.0", "0"], ["2.0", "1"]]


def test_every_file_that_compiled_code_comes_from_is_looked_at():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if not caching._COMPILES.search(path.read_text()) or "benchmark" in name:
            continue
        taken = [item for item in vars(import_module(name)).values() if isinstance(item, Dispatcher)]
        homes = {Path(function.py_func.__code__.co_filename) for function in taken}
        assert homes <= caching._closure(path), name
