"""Compiles what fits need, once and on all cores, so that jobs and tests that begin together do not each do it."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

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
    # Not joblib's workers, which are replaced when they have grown, as those that compile do.
    with ProcessPoolExecutor(os.cpu_count() or 1, get_context("spawn")) as pool:
        for done in [pool.submit(_small_fit, name, model) for model in sorted(models) for name in names]:
            done.result()


def _small_fit(name: str, model: str) -> None:
    rng = np.random.default_rng(0)
    data = Dataset("small", rng.integers(0, 2, (2, 30)), rng.integers(0, 2, (2, 30)).astype(float), n_arms=2)
    method = get_method(name)
    method.warm_up()
    if method.serves(get_model(model)) and name != "mc":  # whose warm-up has drawn from a posterior
        fit(data, model, name)
