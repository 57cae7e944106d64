"""What a study took and what more episodes would take, from the records that its jobs left."""

import os
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from banditfit.study.config import read_study
from banditfit.study.cost import cost, describe
from banditfit.study.store import write_table
from project import FITS_ALONE, ROOT

# Of a job of fits: the seconds of each fit, and how many of them the processor worked.
WALL, CPU = [1.0, 3.0], [0.5, 1.5]


@pytest.fixture
def study():
    config = yaml.safe_load((ROOT / "config/test.yaml").read_text())
    chosen = {"datasets": ["tiny_2arm"], "methods": ["cvx", "cvx_loc", "gem"], "episodes": 4}
    return read_study(config | FITS_ALONE | chosen, ROOT, "this test")


def record(path, begin, seconds, peak):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t{peak}\n")
    os.utime(path, (begin + seconds, begin + seconds))


def fits(folder, run, batch, wall, cpu):
    table = pd.DataFrame({"run": run, "t_wall": wall, "t_cpu": cpu})
    write_table(table, folder / f"results/test/fits/tiny_2arm/forgetting/{run}/{batch}.parquet")


def test_time_memory_and_what_a_million_takes(study, tmp_path):
    logs = tmp_path / "logs/test"
    for number, batch in enumerate(["0000-0001", "0002-0003"]):
        fits(tmp_path, "cvx", batch, WALL, CPU)
        record(logs / f"fits/tiny_2arm/forgetting/cvx/{batch}.tsv", 1000 + 20 * number, 6.0, 300 + number)
    # The time of the fits that it starts from is another job's.
    fits(tmp_path, "cvx_loc.L-BFGS-B", "0000-0001", [1.5, 3.5], [1.0, 2.0])
    record(logs / "fits/tiny_2arm/forgetting/cvx_loc.L-BFGS-B/0000-0001.tsv", 1040, 3.0, 310)
    fits(tmp_path, "gem", "0000-0003", [2.0] * 4, [float("nan")] * 4)
    record(logs / "fits/tiny_2arm/forgetting/gem/0000-0003.tsv", 1043, 9.0, "NA")
    record(logs / "scores/tiny_2arm.tsv", 1052, 8.0, 400)
    found = cost(study, tmp_path)

    cvx, cvx_loc, gem = found.fits
    assert (cvx.jobs, cvx.episodes, cvx.each, cvx.peak) == (2, 4, 1.0, 301)
    # Of 6 seconds 4 were the fits', in half of which the processor worked for others.
    assert cvx.beside == pytest.approx(1.0)
    assert (cvx_loc.each, cvx_loc.beside) == (pytest.approx(0.5), pytest.approx(2.0))
    assert (gem.each, gem.beside, gem.peak) == (2.0, 1.0, 0.0)
    assert cvx.seconds(10, 2) == pytest.approx(10 * 1.0 + 5 * 1.0) and gem.seconds(10, None) == pytest.approx(21.0)
    assert [(other.name, other.seconds, other.peak) for other in found.others] == [("score tiny_2arm", 8.0, 400)]
    # From 1000 to 1060; nothing ran from 1006 to 1020 and from 1026 to 1040.
    assert (found.elapsed, found.idle) == (pytest.approx(60.0), pytest.approx(28.0))
    assert found.absent == 4  # the data, and the three jobs of the whole study

    words = describe(found, study, 10, 5)
    assert "4 jobs of fits, 1 others, 10 fits" in words and "no job ran for 46.7% of it" in words
    # 15 + 15 + 21 seconds of fits and 20 of judging.
    assert "10 episodes of each data set: 1 min of one core, 28% of it other than fits; 1 min where fits share 5 cores" in words
    assert "; 11 jobs of fits." in words


def test_batches_of_people_grow_and_other_experiments_do_not(study, tmp_path):
    logs = tmp_path / "logs/test/experiments"
    record(logs / "batches/a.tsv", 1000, 2.0, 500)
    record(logs / "batches/b.tsv", 1002, 4.0, 510)
    record(logs / "effects/a.tsv", 1006, 3.0, 300)
    populations = study.config["populations"] | {"batches": {"episodes": 10}}
    batches, effects = cost(replace(study, config=study.config | {"populations": populations}), tmp_path).others
    assert (batches.name, batches.ahead(100), batches.peak) == ("experiments/batches, 2", 60.0, 510)
    assert (effects.name, effects.ahead(100)) == ("experiments/effects, 1 in all", 3.0)


def test_what_cannot_be_told_is_said(study, tmp_path):
    assert "has left a record" in describe(cost(study, tmp_path), study, 10, 1)
