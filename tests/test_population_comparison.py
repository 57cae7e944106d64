"""Populations compared: the integrated likelihood, its BIC, and people left out."""

import numpy as np
import pytest

import banditfit as bf
from test_compare import people

MODELS = ["rescorla_wagner", "choice_kernel"]


@pytest.fixture(scope="module")
def data():
    return people(8, 60)


def test_ibic_is_by_its_formula_and_prefers_what_made_the_data(data):
    found = bf.compare_populations(data, MODELS, left_out=4)
    table = found.models.set_index("model")
    assert table.index[0] == "rescorla_wagner" and table["delta"].iloc[0] == 0.0
    for model, row in table.iterrows():
        mine = found.people[found.people["model"] == model]
        assert row["log_evidence"] == pytest.approx(mine["log_evidence"].sum())
        assert row["n_parameters"] == 5  # two means, two variances, one covariance
        assert row["ibic"] == pytest.approx(-2 * row["log_evidence"] + 5 * np.log(data.scored.sum()))
        # What was not seen is predicted less well, all in all.
        assert row["left_out"] == pytest.approx(mine["left_out"].sum()) and row["left_out"] < row["log_evidence"]
    wide = found.people.pivot(index="episode", columns="model", values="left_out")[MODELS]
    assert bf.select_models(wide).frequency[0] > 0.5


def test_what_is_refused(data):
    with pytest.raises(bf.InputError, match="argument left_out: found 9, expected 2 to 8, the people"):
        bf.compare_populations(data, MODELS, left_out=9)
