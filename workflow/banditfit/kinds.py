"""What arguments may be, beyond their types (see arguments.py): marks for `Annotated`, and the kinds that functions share."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd

from .arguments import Mismatch, describe, quoted


class Mark:
    """What narrows an annotated kind. `words` are what is expected of it, given those of the kind; `check` returns the value,
    or what it stands for, and raises Mismatch. Every mark is a frozen dataclass, as annotations are compared and kept."""

    def words(self, kind: str) -> str:
        return kind

    def check(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Words(Mark):
    """Says what is expected in other words."""

    text: str

    def words(self, kind: str) -> str:
        return self.text


@dataclass(frozen=True)
class Limits(Mark):
    """A number from `least` to `most`, both included, or `inside` these two."""

    least: float
    most: float = math.inf
    inside: bool = False

    def words(self, kind: str) -> str:
        if self.inside:
            return f"{kind} above {self.least}" + (f" and below {self.most}" if math.isfinite(self.most) else "")
        return f"{kind} from {self.least} to {self.most}" if math.isfinite(self.most) else f"{kind} of at least {self.least}"

    def check(self, value: float) -> float:
        if not (self.least < value < self.most if self.inside else self.least <= value <= self.most):
            raise Mismatch
        return value


@dataclass(frozen=True)
class Items(Mark):
    """A sequence of at least `least` items."""

    least: int

    def check(self, value: Sequence) -> Sequence:
        if len(value) < self.least:
            raise Mismatch
        return value


@dataclass(frozen=True)
class OneOf(Mark):
    """A name among those that `names` returns when it is called."""

    names: Callable[[], Iterable[str]]

    def words(self, kind: str) -> str:
        return f"one of {', '.join(self.names())}"

    def check(self, value: str) -> str:
        if value not in self.names():
            raise Mismatch(quoted(value))
        return value


@dataclass(frozen=True)
class Table(Mark):
    """A DataFrame with a row at least (unless it may be `empty`) and these `columns` ("run or method" is one of the two), some
    of which hold `arrays` (not text, as after a stay in a CSV file); or one row of it, a Series. `what` it is, in words that
    say where to get one."""

    what: str
    columns: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    empty: bool = False

    def words(self, kind: str) -> str:
        return self.what

    def check(self, value: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
        noun, held = ("row", value.index) if isinstance(value, pd.Series) else ("table", value.columns)
        absent = [repr(name) for name in self.columns if not any(part in held for part in name.split(" or "))]
        if absent:
            raise Mismatch(f"a {noun} without the column{'s' * (len(absent) > 1)} {', '.join(absent)}")
        if len(value) == 0 and not self.empty:
            raise Mismatch("a table without rows")
        for name in self.arrays:
            if not any(isinstance(cell, np.ndarray) for cell in value[name]):
                raise Mismatch(f"a table with {describe(value[name].iloc[0])} in its column {name!r} of arrays")
        return value


@dataclass(frozen=True)
class File(Mark):
    """The path of a file, there or to be written; it reaches the function as a Path."""

    def words(self, kind: str) -> str:
        return "the path of a file, as text or a pathlib.Path"

    def check(self, value: str | os.PathLike) -> Path:
        path = Path(os.fspath(value))
        if os.path.isdir(path):
            raise Mismatch(f"the folder {quoted(str(path))}")
        return path


@dataclass(frozen=True)
class Cores(Mark):
    """A number of workers, of which -1 stands for one per core that this process may use."""

    def words(self, kind: str) -> str:
        return "an integer of at least 1, or -1 for all cores"

    def check(self, value: int) -> int:
        if value == -1:
            import joblib  # here, for a job that fits begins sooner without

            return joblib.cpu_count()
        if value < 1:
            raise Mismatch
        return value


# Kinds that many functions share

Count = Annotated[int, Limits(1)]
Number = Annotated[int, Limits(0)]  # of an episode, or of what there may be none of
Seed = Annotated[int, Limits(0, 2**32 - 1)]  # what NumPy's RandomState takes too
Probability = Annotated[float, Limits(0, 1)]
Share = Annotated[float, Limits(0, 1, inside=True)]
Jobs = Annotated[int, Cores()]
FilePath = Annotated[str | os.PathLike, File()]
Pair = Annotated[tuple[float, float], Words("a pair of numbers (lower, upper), such as (0, 1)")]
ByName = Annotated[Mapping[str, Any], Words('settings by name, such as {"starts": 5}')]
