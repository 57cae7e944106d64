"""Compiles what fits need, once and on all cores, so that jobs and tests that begin together do not each do it."""

import os

import numpy as np

from .data.dataset import Dataset
from .fitting import fit
from .methods import get_method, method_names
from .models.families import get_model

# A model of kernels and one of own clocks: what is compiled is the same for all others.
MODELS = ("forgetting", "rescorla_wagner")
# Those that take longest begin first.
FIRST = ("certified", "gem", "mc", "quadrature")


def compile_all() -> None:
    """A small fit by every method."""
    import joblib

    names = [*FIRST, *(name for name in method_names() if name not in FIRST)]
    joblib.Parallel(n_jobs=os.cpu_count() or 1, batch_size=1)(joblib.delayed(_small_fit)(name) for name in names)


def _small_fit(name: str) -> None:
    rng = np.random.default_rng(0)
    data = Dataset("small", rng.integers(0, 2, (2, 30)), rng.integers(0, 2, (2, 30)).astype(float), n_arms=2)
    method = get_method(name)
    method.warm_up()
    for model in MODELS:
        if method.serves(get_model(model)) and name != "mc":  # whose warm-up has drawn from a posterior
            fit(data, model, name)
