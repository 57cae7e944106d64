"""When compiled code on disk is out of date.

A compiled function holds the code of the functions that it calls, but numba looks for changes in the function's own file alone:
after an update of one file, callers in others would go on with the old code. So what numba compares here is the text of every
file of the package that a function's file takes compiled functions or constants from, directly or through others.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

PACKAGE = Path(__file__).parent
# Imports at the head of a file: compiled code can use no others.
_IMPORT = re.compile(r"^from (\.+)([\w.]*) import ([^\n(]+|\([^)]*\))", re.MULTILINE)
_COMPILES = re.compile(r"^(?:@?_compiled|@?_vectorised|@njit)\b", re.MULTILINE)


class _Whole:
    """Adds to a function's stamp the text of all files that its compiled code comes from."""

    _py_file: str

    def get_source_stamp(self) -> bytes:
        return stamp(Path(self._py_file))

    @classmethod
    def from_function(cls, py_func, py_file):
        # None: a function of another library, which numba's own locators serve
        return super().from_function(py_func, py_file) if PACKAGE in Path(py_file).parents else None


class Chosen(_Whole, UserProvidedCacheLocator):
    """In the folder that NUMBA_CACHE_DIR names."""


class InTree(_Whole, InTreeCacheLocator):
    """Beside the sources, where that can be written."""


class UserWide(_Whole, UserWideCacheLocator):
    """In the user's own cache, for an installed package that the user cannot write to."""


# As numba's setting has them: ours first, then its own for everything else.
LOCATORS = ",".join(
    [f"{__name__}.{locator.__name__}" for locator in (Chosen, InTree, UserWide)]
    + ["UserProvidedCacheLocator", "InTreeCacheLocator", "UserWideCacheLocator", "IPythonCacheLocator", "ZipCacheLocator"]
)


@cache
def stamp(path: Path) -> bytes:
    """A digest of a file's text and of the texts that its compiled functions take code or constants from."""
    digest = hashlib.sha256()
    for source in sorted(_closure(path)):
        digest.update(_text(source).encode())
    return digest.digest()


def _closure(path: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += _takes_from(source)
    return found


@cache
def _takes_from(path: Path) -> tuple[Path, ...]:
    """The files of the package that a file takes compiled functions, or constants (names in capitals), from."""
    files = []
    for dots, module, clause in _IMPORT.findall(_text(path)):
        origin = path.parents[len(dots) - 1].joinpath(*filter(None, module.split(".")))
        names = re.findall(r"\w+", clause)
        inside = [origin / f"{name}.py" for name in names]
        files += [file for file in inside if file.is_file() and _COMPILES.search(_text(file))]
        home = origin.with_suffix(".py") if origin.with_suffix(".py").is_file() else origin / "__init__.py"
        if home.is_file() and (_COMPILES.search(_text(home)) or any(name.isupper() for name in names)):
            files.append(home)
    return tuple(files)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
