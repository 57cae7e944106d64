"""How far a study is: batches that are there are counted, the others expected to go on alike."""

import pandas as pd
import pytest
import yaml

from banditfit.errors import InputError
from banditfit.study.config import read_study
from banditfit.study.progress import JOB, describe, progress
from banditfit.study.store import write_table
from project import FITS_ALONE, ROOT


@pytest.fixture
def study():
    """Two data sets; D-LOC in two batches on each, CVX-LOC from the fits of CVX."""
    config = yaml.safe_load((ROOT / "config/test.yaml").read_text())
    return read_study(config | FITS_ALONE | {"methods": ["cvx", "cvx_loc", "d_loc"]}, ROOT, "this test")


MODELS = {"tiny_2arm": "forgetting", "tiny_3arm": "subrewards"}


def store(folder, dataset, run, batch, seconds):
    path = folder / dataset / MODELS[dataset] / run / f"{batch}.parquet"
    write_table(pd.DataFrame({"episode": range(len(seconds)), "run": run, "t_wall": seconds}), path)


def test_nothing_done(study, tmp_path):
    words = describe(progress(study, tmp_path), "test", 2)
    assert words.startswith("test: 0 of 12 batches of fits are done (0%)") and "Nothing is known" in words


def test_the_rest_goes_on_as_what_is_done(study, tmp_path):
    store(tmp_path, "tiny_2arm", "d_loc.L-BFGS-B", "0000-0001", [50.0, 150.0])
    store(tmp_path, "tiny_2arm", "cvx", "0000-0001", [1000.0, 1000.0])
    store(tmp_path, "tiny_2arm", "cvx_loc.L-BFGS-B", "0000-0001", [1010.0, 1010.0])
    parts = {(part.dataset, part.job): part for part in progress(study, tmp_path)}
    # Its own pace; the pace of the same run on the other data set.
    assert parts["tiny_2arm", "d_loc.L-BFGS-B"].left == pytest.approx(100 + JOB)
    assert parts["tiny_3arm", "d_loc.L-BFGS-B"].left == pytest.approx(300 + 2 * JOB)
    # What CVX took is CVX's, and not counted twice.
    assert parts["tiny_2arm", "cvx_loc.L-BFGS-B"].spent == pytest.approx(20 + JOB)
    assert parts["tiny_3arm", "cvx_loc.L-BFGS-B"].left == pytest.approx(30 + 2 * JOB)
    words = describe(list(parts.values()), "test", 2)
    assert "3 of 12 batches of fits are done (25%), in 37 min" in words and "on 2 cores" in words
    assert words.splitlines()[2].split()[:2] == ["tiny_3arm", "cvx"]


def test_a_finished_study_has_no_rest(study, tmp_path):
    for dataset, model, run in study.n_episodes:
        for batch in study.batches(dataset, model, run):
            store(tmp_path, dataset, run, batch, [0.1])
    words = describe(progress(study, tmp_path), "test", 2)
    assert "12 of 12 batches of fits are done (100%)" in words and "rest" not in words


def test_a_damaged_batch_is_named(study, tmp_path):
    store(tmp_path, "tiny_2arm", "cvx", "0000-0001", [1.0])
    path = tmp_path / "tiny_2arm/forgetting/cvx/0000-0001.parquet"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match="found a damaged file of 50 bytes"):
        progress(study, tmp_path)
