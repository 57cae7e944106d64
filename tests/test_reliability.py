"""Reliability: intraclass correlations against published ones and simulation, and people who come twice."""

import numpy as np
import pytest

import banditfit as bf
from banditfit.experiments.reliability import intraclass, reliability
from banditfit.experiments.simulated import people
from banditfit.gallery import DATA as WHERE
from banditfit.gallery import FOLDERS, readers
from banditfit.gallery import reliability as gallery
from project import ROOT

VRIZZI = ROOT / WHERE / FOLDERS["vrizzi"]

# Shrout & Fleiss 1979, Psychological Bulletin 86, 420, table 2: six people, four judges. Their ICC(2,1) is .29, ICC(3,1) .71;
# the limits are those of R's psych.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


def test_intraclass_correlations_are_those_of_shrout_and_fleiss():
    found = intraclass(JUDGES)
    np.testing.assert_allclose(found.agreement, (0.290, 0.019, 0.761), atol=5e-4)
    np.testing.assert_allclose(found.consistency, (0.715, 0.342, 0.946), atol=5e-4)


def test_what_an_occasion_adds_to_everybody_lowers_agreement_alone():
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(30, 1)) + 0.5 * rng.normal(size=(30, 2))
    moved = pairs + [0.0, 3.0]
    assert intraclass(moved).consistency == pytest.approx(intraclass(pairs).consistency)
    assert intraclass(moved).agreement.r < intraclass(pairs).agreement.r - 0.3
    same = intraclass(np.repeat(pairs[:, :1], 2, axis=1))
    assert same.agreement == same.consistency == (1.0, 1.0, 1.0)
    assert np.isnan(intraclass(np.ones((5, 2))).agreement.r) and np.isnan(intraclass(pairs[:2]).agreement.r)


@pytest.mark.parametrize("icc", [0.0, 0.4, 0.8])
def test_intervals_hold_the_true_correlation_as_often_as_they_say(icc):
    rng = np.random.default_rng(1)
    true = np.sqrt(icc) * rng.normal(size=(300, 40, 1))
    drawn = [intraclass(one) for one in true + np.sqrt(1.0 - icc) * rng.normal(size=(300, 40, 2))]
    for kind in ("agreement", "consistency"):
        r, low, high = np.array([getattr(one, kind) for one in drawn]).T
        assert abs(np.mean((low <= icc) & (icc <= high)) - 0.95) < 0.045  # 3.6 standard errors
        assert abs(r.mean() - icc) < 0.035


@pytest.mark.parametrize("values", [np.ones(3), np.ones((3, 1)), np.array([[1.0, np.nan], [2.0, 3.0]])])
def test_what_is_no_table_of_occasions_is_refused(values):
    with pytest.raises(bf.InputError, match="expected \\(people, occasions\\) of finite numbers"):
        intraclass(values)


def test_people_who_do_not_change_are_as_reliable_as_the_ceiling_says():
    """Those of two occasions stand in another order, and are matched by their ids."""
    same = lambda rng, size: np.random.default_rng(7).standard_normal(size)  # noqa: E731
    first, second = (people("twice", "rescorla_wagner", 60, 200, np.random.default_rng(k), same) for k in range(2))
    runs = {"profile": ("profile", {"boxes": 0}), "gem": ("gem", {})}
    turned = second.data.select(second.data.episodes[::-1].tolist())
    found = reliability(first.data, turned, "rescorla_wagner", runs, first.bounds)
    assert (found["failed"] == 0).all() and found["n"].gt(50).all()
    gem = found[found["run"] == "gem"]
    assert ((gem["low"] < gem["ceiling"]) & (gem["ceiling"] < gem["high"])).all()
    assert found[found["run"] == "profile"]["ceiling"].isna().all()
    assert found.groupby("run")["other_nll"].first().between(0.3, np.log(2)).all()


def test_people_of_one_occasion_alone_are_named():
    data = bf.simulate("s", "forgetting", p_reward=(0.8, 0.2), p_switch=0.0, n_episodes=3, n_steps=20, seed=1, beta=((1, 4),))
    with pytest.raises(bf.InputError, match="person '2' is on one occasion alone"):
        reliability(data, data.select([0, 1]), "forgetting", {"profile": ("profile", {})})


def test_test_and_retest_that_are_not_there_are_named(tmp_path):
    with pytest.raises(bf.InputError, match="found no folder vrizzi2025_test_retest"):
        gallery.report(tmp_path, tmp_path)


@pytest.mark.skipif(not VRIZZI.is_dir(), reason="vrizzi2025_test_retest is neither in BANDITFIT_DATA nor in ../shared/data")
def test_people_of_vrizzi_come_twice():
    test, retest = readers.vrizzi(VRIZZI)
    assert len(test) == len(retest) == 169 and test.ids.tolist() == retest.ids.tolist()
    assert test.scored.sum() == retest.scored.sum() == 169 * 160
    assert set(np.unique(test.rewards)) == {-1.0, 0.0, 1.0} and np.isnan(test.foregone).mean() == 0.5
    assert len(np.unique(test.states)) == 8
    some = [occasion.select(occasion.episodes[:30].tolist()) for occasion in (test, retest)]
    found = reliability(*some, "rescorla_wagner", {"MAP": gallery.RUNS["MAP"]}, gallery.BOX)
    assert (found["n"] == 30).all() and found["other_nll"].iloc[0] < np.log(2)
    lines = gallery.markdown(found.assign(model="rescorla_wagner"))
    assert len(lines) == 3 and "`alpha`" in lines[-1] and "ceiling" not in lines[-1]


@pytest.mark.skipif(not VRIZZI.is_dir(), reason="vrizzi2025_test_retest is neither in BANDITFIT_DATA nor in ../shared/data")
def test_both_occasions_of_vrizzis_people_are_one_data_set(monkeypatch):
    _, retest = readers.vrizzi(VRIZZI)
    data, sessions = readers.vrizzi_together(VRIZZI)
    assert len(data) == len(sessions) == 338 and sessions["person"].nunique() == 169
    second = sessions[sessions["retest"] == 1]
    np.testing.assert_array_equal(data.select(np.flatnonzero(sessions["retest"] == 1)).choices, retest.choices)
    assert second["person"].astype(str).tolist() == retest.ids.tolist()
    monkeypatch.setattr(readers, "vrizzi_together", lambda folder: (data.select(range(24)), sessions.iloc[:24]))
    monkeypatch.setattr(gallery, "MODELS", ("rescorla_wagner",))
    found = gallery.together(VRIZZI)
    assert found["parameter"].tolist() == ["alpha", "beta"] and found["icc"].between(0, 1).all()
    assert found["retest_effect"].between(found["retest_low"], found["retest_high"]).all()
    lines = gallery.markdown_together(found)
    assert len(lines) == 4 and {line.count("|") for line in lines} == {8}
