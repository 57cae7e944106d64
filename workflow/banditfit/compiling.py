"""Compiles what fits need, once and on all cores, so that jobs and tests that begin together do not each do it."""

import hashlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numba.core.caching import FunctionCache

from .data.dataset import Dataset
from .fitting import fit
from .methods import get_method, method_names
from .models.families import get_model

if TYPE_CHECKING:
    from .study.config import Study

# A model of kernels and one of own clocks: what is compiled is the same for all others.
KERNELS, CLOCKS = "forgetting", "rescorla_wagner"
# The methods that take longest begin first.
FIRST = ("certified", "gem", "mc", "quadrature")


def compile_all(study: "Study | None" = None) -> None:
    """A small fit by every method with a model of either kind; of a study, by its methods with a model of the kinds it has."""
    methods, models = set(method_names()), {KERNELS, CLOCKS}
    if study is not None:
        methods = {run.entry.method for run in study.runs.values()}
        models = {KERNELS if get_model(case.model).kernels else CLOCKS for case in study.cases}
    names = [name for name in dict.fromkeys([*FIRST, *method_names()]) if name in methods]
    with (
        TemporaryDirectory() as folder,
        # Not joblib's workers, which are replaced when they have grown, as those that compile do.
        ProcessPoolExecutor(os.cpu_count() or 1, get_context("spawn"), _take_turns, (folder,)) as pool,
    ):
        for done in [pool.submit(_small_fit, name, model) for model in sorted(models) for name in names]:
            done.result()


def _take_turns(folder: str) -> None:
    """From here on this process compiles nothing that another with the same `folder` is compiling: it waits, and loads it. What
    one function calls is compiled within its turn, and no two call each other, so nobody waits in a circle."""
    if sys.platform == "win32":  # where files are not locked so, and some functions are compiled twice
        return
    import fcntl

    load, save = FunctionCache.load_overload, FunctionCache.save_overload
    turns: dict[tuple[FunctionCache, Any], IO] = {}

    def load_overload(cache: FunctionCache, signature: Any, target: Any) -> Any:
        found = load(cache, signature, target)
        if found is None:
            function = cache._py_func
            name = hashlib.sha256(f"{function.__module__} {function.__qualname__} {signature}".encode()).hexdigest()
            turn = open(Path(folder, name), "w")  # noqa: SIM115  (until the function is saved)
            fcntl.flock(turn, fcntl.LOCK_EX)
            found = load(cache, signature, target)
            if found is None:
                turns[cache, signature] = turn
            else:
                turn.close()
        return found

    def save_overload(cache: FunctionCache, signature: Any, compiled: Any) -> None:
        save(cache, signature, compiled)
        turns.pop((cache, signature)).close()

    FunctionCache.load_overload, FunctionCache.save_overload = load_overload, save_overload


def _small_fit(name: str, model: str) -> None:
    rng = np.random.default_rng(0)
    data = Dataset("small", rng.integers(0, 2, (2, 30)), rng.integers(0, 2, (2, 30)).astype(float), n_arms=2)
    method = get_method(name)
    method.warm_up()
    if method.serves(get_model(model)) and name != "mc":  # whose warm-up has drawn from a posterior
        fit(data, model, name)
    if name == "gem" and model == KERNELS:  # as it does where people have many parameters
        fit(data, model, name, settings={"moments": "sampled"})
