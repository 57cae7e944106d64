"""A population by batches of its people: what jobs give adds up to the whole."""

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.data import stored
from banditfit.experiments import batches, experiments
from banditfit.experiments.parameters import parameters
from banditfit.models.simulate import POPULATIONS, simulate_population
from banditfit.study.config import read_config, read_study
from banditfit.study.provenance import PROJECT
from project import copy_project, snakemake


@pytest.fixture(scope="module")
def people():
    return simulate_population("b", POPULATIONS["normal"], 240, 100, np.random.default_rng(1))


def parts_of(people, size):
    for first in range(0, len(people), size):
        part = batches.statistics(people.select(range(first, min(first + size, len(people)))), "forgetting")
        yield part.assign(dataset="b", model="forgetting", run="gem", batch=f"{first}")


def test_sums_of_batches_are_the_population_of_all(people):
    whole, _ = parameters(people, "forgetting")
    table = batches.merged(pd.concat(parts_of(people, 80), ignore_index=True))
    assert table["people"].tolist() == [240, 240] and (table["batches"] == 3).all() and (table["lost"] == 0).all()
    assert (np.abs(table["mean"] - whole["mean"]) < 0.3 * whole["mean_se"]).all()
    assert (np.abs(table["sd"] - whole["sd"]) < 0.7 * whole["sd_se"]).all()
    assert (np.abs(table["centre"] - whole["centre"]) < 0.1 * (whole["high"] - whole["low"])).all()
    assert (table[["mean_se", "sd_se"]] > 0.0).all().all()
    one = batches.merged(pd.concat(parts_of(people, 240), ignore_index=True))
    np.testing.assert_allclose(one["mean"], whole["mean"], atol=0.02)
    assert one["mean_se"].isna().all()


def test_people_who_share_a_rate_have_no_sums(people):
    with pytest.raises(bf.InputError, match="found method 'gem_shared', whose people share their rates"):
        batches.statistics(people, "forgetting", "gem_shared")


def test_a_part_reads_its_own_people(people, tmp_path):
    study = read_study(read_config(PROJECT / "config/population.yaml"), PROJECT, "population")
    one = experiments()["batches"]
    names = one.parts(study)
    assert len(names) == 20 and names[1] == "scale_2arm_0005000-0009999" and one.data_of(names[1]) == "scale_2arm"
    arguments = one.arguments(study, names[1])
    assert one.of_data(arguments) == range(5000, 10_000)
    stored.save(people, tmp_path / "b.parquet")
    (part,) = stored.data_blocks(tmp_path / "b.parquet", [range(80, 160)])
    (found,) = one.run(data=part, **arguments)
    expected = batches.statistics(people.select(range(80, 160)), "forgetting", seed=study.config["seed"])
    pd.testing.assert_frame_equal(found[expected.columns], expected)


def test_the_workflow_gives_each_job_its_people_and_adds_up_what_they_say(tmp_path):
    project = copy_project(tmp_path / "project")
    config, asked = project / "config/test.yaml", "batches: {datasets: [tiny_2arm], runs: [gem], episodes: 6, people: 4}"
    config.write_text(config.read_text().replace("populations:\n", f"populations:\n  {asked}\n"))
    snakemake(project, "results/test/tables/population_of_batches.csv")
    table = pd.read_csv(project / "results/test/tables/population_of_batches.csv")
    assert table["people"].tolist() == [6, 6] and table["batches"].tolist() == [2, 2]
    data = stored.load(project / "results/data/tiny_2arm.parquet")
    rows = [batches.statistics(data.select(each), "forgetting", seed=1) for each in (range(4), range(4, 6))]
    second = [each.loc[each["other"] == "", "sum"].to_numpy() for each in rows]
    np.testing.assert_allclose(table["mean"], sum(second) / 6.0, rtol=1e-6)
