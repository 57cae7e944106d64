"""People of several sessions: effects within them, variances between and within, and what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.experiments import sessions


@pytest.fixture(scope="module")
def made():
    return sessions.simulated(50, 200, 2)


@pytest.fixture(scope="module")
def found(made):
    data, table = made
    return bf.session_effects(data, "forgetting", table.sample(frac=1.0, random_state=0), "second")


def test_effects_and_variances_are_found(found):
    assert found.converged and "R-hat" in found.reason
    assert found.effects["term"].tolist() == ["second", "second"]
    for row, true in zip(found.effects.itertuples(), sessions.SECOND, strict=True):
        assert abs(row.effect - true) < 3.0 * row.se and row.low < row.effect < row.high
    assert found.effects["one_more"][0] > found.effects["mean_person"][0]
    for row, between, within in zip(found.variances.itertuples(), sessions.BETWEEN, sessions.WITHIN, strict=True):
        for name, true in (("between", between), ("within", within)):
            low, middle, high = (getattr(row, name + end) for end in ("_low", "", "_high"))
            assert low < middle < high and 0.8 * low < true < 1.25 * high
        assert 0.0 < row.icc_low < row.icc < row.icc_high < 1.0


def test_sessions_are_drawn_towards_those_of_the_same_person(made, found):
    data, table = made
    alone = bf.fit(data, "forgetting", "gem", settings={"prior": "fixed"})
    of = found.sessions[found.sessions["parameter"].str.startswith("alpha")].set_index("episode").loc[list(data.ids)]
    assert (of["person"] == table["person"].astype(str).to_numpy()).all()
    assert ((of["low"] < of["value"]) & (of["value"] < of["high"])).all()
    own = np.array([alpha.item() for alpha in alone["alpha"]]).reshape(-1, 2)
    shared = of["value"].to_numpy().reshape(-1, 2)
    assert np.corrcoef(shared.T)[0, 1] > np.corrcoef(own.T)[0, 1]
    assert of["sd"].mean() < np.mean([posterior["alpha_sd"].item() for posterior in alone["posterior"]])


def test_the_unit_of_rewards_and_the_absence_of_terms_change_no_reliability(made):
    data, table = made
    some, rows = data.select(range(20)), table.iloc[:20]
    one, other = (
        bf.session_effects(each, "rescorla_wagner", rows)
        for each in (
            bf.Dataset("s", some.choices, some.rewards, 2),
            bf.Dataset("s", some.choices, 64.0 * some.rewards, 2),
        )
    )
    assert one.effects.empty
    np.testing.assert_allclose(other.variances["icc"], one.variances["icc"], rtol=1e-6)
    beta = one.sessions["parameter"].str.startswith("beta")
    np.testing.assert_allclose(64.0 * other.sessions["value"][beta], one.sessions["value"][beta], rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"person": list(range(100))}, "found 100 people with one session each, expected at least one with two"),
        ({"person": [None, *range(99)]}, "found no person for episode '0'"),
        ({"episode": "x"}, "episode 'x' twice"),
        ({"second": 1.0}, "the same for everybody"),
    ],
)
def test_what_cannot_be_told_apart_is_one_sentence(made, change, words):
    data, table = made
    with pytest.raises(bf.InputError, match=re.escape(words)):
        bf.session_effects(data, "forgetting", table.assign(**change), "second")


def test_the_table_of_sessions_counts_intervals(capsys):
    table = sessions.calibrate(populations=2, people=8, steps=40)
    assert list(zip(table["parameter"], table["quantity"], strict=True)) == [
        (parameter, what) for parameter in ("alpha", "beta") for what in ("second", "between", "within", "icc")
    ]
    assert (table["n"] == 2).all() and set(table["covered"]) <= {0.0, 0.5, 1.0}
    assert isinstance(table, pd.DataFrame) and table["mean"].notna().all()
