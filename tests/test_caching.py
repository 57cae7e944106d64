"""Compiled code on disk is never that of an older text."""

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


def test_a_caller_is_compiled_anew_when_what_it_calls_changes(tmp_path):
    pack = tmp_path / "pack"
    pack.mkdir()
    shutil.copy(PACKAGE / "caching.py", pack)
    (pack / "__init__.py").touch()
    (pack / "heart.py").write_text(HEART)
    (pack / "outer.py").write_text(OUTER)
    said = []
    for times, more in ((1, 1.0), (1, 1.0), (1, 2.0), (3, 2.0)):
        (pack / "inner.py").write_text(INNER.format(times, more))
        said.append(
            subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
        )
    assert said == [["2.0", "0"], ["2.0", "1"], ["3.0", "0"], ["9.0", "0"]]


def test_every_file_that_compiled_code_comes_from_is_looked_at():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if not caching._COMPILES.search(path.read_text()) or "benchmark" in name:
            continue
        taken = [item for item in vars(import_module(name)).values() if isinstance(item, Dispatcher)]
        homes = {Path(function.py_func.__code__.co_filename) for function in taken}
        assert homes <= caching._closure(path), name
