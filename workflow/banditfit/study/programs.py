"""What programs share, those of the command line and the scripts of the workflow: a user's mistake ends them in its one
sentence and not in a traceback."""

import argparse
import atexit
import resource
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError


def log_to(path: str | Path) -> None:
    """Sends all that a script says to its log, which Snakemake shows if the script fails; its last line says how much memory
    a script that did not fail held at most."""
    sys.stdout = sys.stderr = open(path, "w", buffering=1, encoding="utf-8")  # noqa: SIM115  (until the script ends)
    sys.excepthook = _explain
    atexit.register(_say_peak)


PEAK = "memory at most: {:.0f} MB"


def _say_peak() -> None:
    print(PEAK.format(_peak()))


def _peak() -> float:
    """The most memory that this process has held, or one that it began, MB, as the system counts it."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    try:
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
        return max(int(line.split()[1]) / 1e3, children)
    except OSError:  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def peak_in(log: Path) -> float:
    """The MB that a script's log says it held at most; 0 where it says nothing."""
    words = PEAK.split("{")[0]
    try:
        *_, last = log.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return 0.0
    return float(last.removeprefix(words).removesuffix(" MB")) if last.startswith(words) else 0.0


def _explain(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    atexit.unregister(_say_peak)  # what went wrong is the last that is read
    if isinstance(error, InputError):
        print(error, file=sys.stderr)
    else:
        traceback.print_exception(kind, error, trace)


@contextmanager
def one_sentence() -> Iterator[None]:
    """For the body of a command: an InputError becomes its sentence, on stderr, and the exit status 1."""
    try:
        yield
    except InputError as error:
        sys.exit(str(error))


def whole_number(text: str) -> int:
    """An argument that is a whole number of at least 1, such as 4 or 1e6. Raises argparse.ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = 0.5
    if not (number >= 1 and number.is_integer()):
        raise argparse.ArgumentTypeError(f"found {text}, expected a whole number of at least 1")
    return int(number)
