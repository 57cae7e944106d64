"""What every method must do, whoever wrote it; a new one is tested the day it is added."""

import json

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.methods import get_method, method_names
from banditfit.study.store import read_table, write_table
from conftest import make

SAME = ["alpha", "beta", "nll", "lower_bound", "status", "message", "seed", "n_eval"]


@pytest.mark.parametrize("name", method_names())
def test_the_contract_of_a_method(name, small, tmp_path):
    method = get_method(name)
    if not method.serves(bf.get_model(small.model)):
        with pytest.raises(bf.InputError, match=f"method '{name}' needs"):
            bf.fit(small, small.model, name)
        return
    fits = bf.fit(small, small.model, name, episodes=[2, 0], seed=3)

    assert fits["episode"].tolist() == [2, 0]
    assert set(fits["status"]) <= set(bf.STATUSES) and "failed" not in set(fits["status"])
    assert {a.shape for a in [*fits["alpha"], *fits["beta"]]} == {bf.get_model(small.model).shape(small.n_arms)}
    assert (fits["t_wall"] >= fits["t_solve"] + fits["t_setup"] - 1e-9).all() and (fits["t_solve"] > 0).all()
    table = bf.score(small, fits)
    assert table["claim_held"].all()
    assert (table["not_identified"] == fits["not_identified"]).all()
    for row, fit in zip(table.itertuples(), fits.itertuples(), strict=True):
        assert row.has_parameters or (fit.kernels is not None and "not identified" in fit.message)
        if row.has_parameters:
            absent = np.isnan(np.concatenate([fit.alpha.ravel(), fit.beta.ravel()]))
            names = np.array(bf.get_model(small.model).parameter_names(small.n_arms))
            assert row.admissible and " ".join(names[absent]) == row.not_identified

    write_table(fits, tmp_path / "fits.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "fits.parquet")[SAME], fits[SAME])


@pytest.mark.parametrize("name", method_names())
def test_the_same_seed_gives_the_same_table_whatever_the_workers(name):
    data = make("forgetting")
    one, two = (bf.fit(data, "forgetting", name, seed=5, n_jobs=n_jobs) for n_jobs in (1, 2))
    pd.testing.assert_frame_equal(one[SAME], two[SAME], check_exact=True)


def test_starts_depend_on_everything_that_may_change_them_and_on_nothing_else():
    data = make("forgetting")
    seeds = lambda **how: bf.fit(data, "forgetting", **how)["seed"].tolist()  # noqa: E731
    same = seeds(method="d_loc", settings={"solver": "COBYLA"}, seed=1)
    assert seeds(method="d_loc", settings={"solver": "TNC"}, seed=1) == same
    assert len({*same, *seeds(method="d_loc", seed=2), *seeds(method="d_loc_published", seed=1)}) == 9


def test_one_bad_episode_does_not_stop_the_rest(monkeypatch):
    data = make("forgetting")
    d_loc = get_method("d_loc")
    real = d_loc.fit

    def breaking(problem, *rest):
        if (problem.choices == data.choices[1]).all():
            raise FloatingPointError("not today")
        return real(problem, *rest)

    monkeypatch.setattr("banditfit.methods.d_loc.METHOD", type(d_loc)(fit=breaking, settings=d_loc.settings))
    fits = bf.fit(data, "forgetting", "d_loc")
    assert fits["status"].tolist()[1] == "failed" and "FloatingPointError: not today" in fits["message"][1]
    assert fits["nll"].notna().tolist() == [True, False, True]
    assert np.isnan(bf.score(data, fits)["nll"][1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "forgeting"}, "found 'forgeting', expected one of forgetting"),
        ({"method": "d-loc"}, "found 'd-loc', expected its id, 'd_loc'"),
        ({"settings": {"n_startz": 5}}, "key 'n_startz' is not known; allowed: solver, starts"),
        ({"settings": {"starts": 0}}, "starts is 0, expected at least 1"),
        ({"settings": {"starts": 2.5}}, "settings of method 'd_loc', starts: found 2.5, expected an integer"),
        ({"settings": {"solver": "BFGS"}}, "solver: found 'BFGS', expected one of 'Nelder-Mead'"),
        ({"episodes": [0, 99]}, "has no episode 99"),
        ({"bounds": bf.Bounds((0, 1), ((0, 1), (0, 1)))}, "found 2 pairs, model 'forgetting' expects 1"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments, words):
    with pytest.raises(bf.InputError, match=words.replace("[", "\\[")) as caught:
        bf.fit(make("forgetting"), **{"model": "forgetting", "method": "d_loc", **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "box", [((0.5, 0.2), ((0, 1),)), ((0, 1.5), ((0, 1),)), ((0, 1), ((-1, 1),)), ((0, 1), ((0, np.inf),))]
)
def test_impossible_bounds_are_refused(box):
    with pytest.raises(bf.InputError, match="[Bb]ounds"):
        bf.Bounds(*box)


def test_settings_stand_in_the_row():
    fits = bf.fit(make("forgetting"), "forgetting", "d_loc", settings={"starts": 2})
    assert json.loads(fits["settings"][0]) == {"solver": "L-BFGS-B", "starts": 2}
    assert {len(starts["nll"]) for starts in fits["starts"]} == {2}
