"""The baselines of the benchmark compute the same things, only slower; speed itself is measured by `make benchmark`."""

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.benchmark import COLUMNS, baselines, models, speed
from banditfit.methods import get_method
from banditfit.models import likelihood
from conftest import make


def first(data):
    model = bf.get_model(data.model)
    return likelihood.problem(data, 0, model, data.bounds_of(model))


def test_the_loop_has_the_same_likelihood(small):
    problem = first(small)
    theta = np.random.default_rng(0).uniform(problem.lower, problem.upper)
    assert baselines.nll(problem, theta) == pytest.approx(problem.nll_theta(theta), rel=1e-12)


def test_the_program_built_step_by_step_has_the_same_optimum():
    problem = first(make("per_arm"))
    cvx = get_method("cvx")
    ours = cvx.fit(problem, cvx.settings(), np.random.default_rng(0), None)
    assert baselines.cvx(problem) == pytest.approx(ours.nll, abs=1e-3)


def test_growth_is_the_slope_in_logarithms():
    grown = pd.DataFrame({"what": "steps", "size": [10, 100, 1000], "ms": [2.0, 200.0, 20000.0]})
    assert speed.exponents(grown)["steps"] == pytest.approx(2.0)


def test_rows_of_models_say_what_was_asked_and_met(tmp_path):
    table = pd.DataFrame(models.rows(tmp_path, episodes=1), columns=COLUMNS)  # no data of people there
    assert len(table) == 4 * len(models.MODELS) and (table["n"] == 1).all()
    shares = table[table["unit"] == "share, at least"]
    assert (shares["measured"] == 1.0).all() and set(shares["met"]) == {"met", ""}
    assert (table["met"] == "").equals(table["target"].isna())
