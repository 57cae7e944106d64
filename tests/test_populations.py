"""Figures and report section of populations, on small tables of every part; and a study without them."""

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit import figures
from banditfit.experiments import held_out, hierarchical, parameters, recovery, who_wins
from banditfit.figures.population import FIGURES
from banditfit.models import simulate
from banditfit.report import population as section
from banditfit.study import catalogue, entries
from banditfit.study.cases import cases_of
from banditfit.study.results import Results
from banditfit.tables import coverage

ROWS = ("profile\tprofile\t{}\tno\tProfile\t-\t#E69F00\t1\tx", "gem\tgem\t{}\tno\tGEM\t-\t#1668E4\t2\tx")
GEM = {"gem": ("gem", {})}
BOTH = GEM | {"profile": ("profile", {})}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    path = tmp_path_factory.mktemp("entries") / "methods.tsv"
    path.write_text("\n".join(["\t".join(entries.COLUMNS), *ROWS]) + "\n")
    return entries.expand(entries.read_entries(path), ["profile", "gem"], [])


@pytest.fixture(scope="module")
def results(runs):
    data = bf.simulate(
        "mine", "forgetting", p_reward=(0.8, 0.3), p_switch=0.05, n_episodes=12, n_steps=60, seed=1, beta=((0, 5),)
    )
    scores = bf.score(data, pd.concat([bf.fit(data, "forgetting", run.entry.method) for run in runs]))
    told, trace = parameters.parameters(data, "forgetting", bootstrap=2)
    for table in (told, trace):
        table.insert(0, "dataset", "mine")
        table.insert(1, "model", "forgetting")
        table.insert(2, "run", "gem")
    one_type = simulate.POPULATIONS["normal"]
    simulated = simulate.simulate_population("s", one_type, 12, 40, np.random.default_rng(1))
    tables = {
        "coverage": coverage.coverage(data, scores),
        "validity": coverage.validity(data, scores),
        "held_out": held_out.summarise_held_out(held_out.held_out(data, "forgetting", BOTH, folds=3)),
        "population": told,
        "objective": trace,
        "population_study": who_wins.study(BOTH, sizes=(4, 8), steps=(20, 40), replicates=2),
        "recovery": recovery.summarise_recovery(recovery.recovery(GEM, 2, 20, 40)),
        "hierarchical": hierarchical.compare(simulated, "forgetting", 2, 100, 200).assign(steps=40),
    }
    entry = catalogue.Entry("mine", "my bandit", "forgetting", None, "simulate", 2, 12, None)
    return Results(scores, tables, scores, runs, cases_of({"mine": entry}), {"mine": data}, {"mine": data})


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn(results, name, tmp_path):
    figure = figures.draw(name, results)
    assert figure.axes
    figures.save(figure, tmp_path / name)
    assert (tmp_path / f"{name}.svg").stat().st_size > 1000


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_without_data_says_so(results, name):
    bare = Results(results.scores, {}, results.examples, results.runs, results.cases, results.data, results.data)
    assert "Nothing to draw" in figures.draw(name, bare).texts[0].get_text()


def test_the_section_says_what_each_part_found(results):
    found = section.section(results.tables, results.runs, results.cases)
    assert "GEM" in found["told"]
    assert "GEM" in found["coverage"]["sentence"]
    assert "my bandit" in found["held_out"]["sentence"]
    assert {row["name"] for row in found["held_out"]["rows"]} == {"profile", "gem", "truth", "chance"}
    assert len(found["who_wins"]["rows"]) == 2 * 2 * 2
    assert "of the truth" in found["recovery"]["sentence"]
    assert found["parameters"]["groups"][0]["bootstrapped"]
    assert "posterior sd" in found["hierarchical"]["sentence"]
    assert {row["parameter"] for row in found["validity"]["rows"]} == {"α[reward]", "β[reward]"}


def test_a_study_without_populations_has_no_section(results):
    empty = {name: table.head(0) for name, table in results.tables.items() if name in ("coverage", "validity")}
    assert section.section(empty, results.runs, results.cases) is None


def test_a_criterion_beside_a_data_set_with_truth(results, runs, tmp_path):
    """One data set is held against a trait of its owner's, its neighbour, of another size, against its truth."""
    data = results.data["mine"]
    path = tmp_path / "traits.csv"
    path.write_text("episode,criterion\n" + "\n".join(f"{name},{k}" for k, name in enumerate(data.ids)))
    theirs = coverage.validity(data, results.scores, path).assign(dataset="theirs")
    assert "truth" not in set(theirs["run"])
    lone = results.tables["validity"].query("run != 'gem'")  # nor has the neighbour every run
    (entry,) = results.cases.values()
    both = Results(
        results.scores,
        {"validity": pd.concat([theirs, lone])},
        results.examples,
        runs,
        cases_of({"theirs": entry, "mine": entry}),
        {"theirs": data, "mine": data},
        {"theirs": data, "mine": data},
    )
    assert figures.draw("validity", both).axes
    assert section.section(both.tables, runs, both.cases)["validity"]["rows"]


def test_what_is_not_identified_is_left_out_of_intervals_and_correlations(results, tmp_path):
    data, scores = results.data["mine"], results.scores.reset_index(drop=True)
    whole = coverage.coverage(data, scores).set_index(["run", "parameter"])["n"]
    untold = (scores["method"] == "gem") & (scores["episode"] < 2)
    alphas = [np.full((1, 1), np.nan) if blank else alpha for blank, alpha in zip(untold, scores["alpha"], strict=True)]
    scores["alpha"] = pd.Series(alphas, index=scores.index, dtype=object)
    part = coverage.coverage(data, scores).set_index(["run", "parameter"])["n"]
    assert part["gem", "alpha"] == whole["gem", "alpha"] - 2 and part["gem", "beta"] == whole["gem", "beta"]
    path = tmp_path / "traits.csv"
    path.write_text("episode,criterion\n" + "\n".join(f"{name},{k}" for k, name in enumerate(data.ids)))
    n = coverage.validity(data, scores, path).set_index(["run", "parameter", "coefficient"])["n"]
    assert n["gem", "alpha[reward]", "pearson"] == len(data) - 2 and n["gem", "beta[reward]", "pearson"] == len(data)
    scores["alpha"] = pd.Series([np.full((1, 1), np.nan)] * len(scores), index=scores.index, dtype=object)
    table = coverage.validity(data, scores, path).set_index(["run", "parameter", "coefficient"])
    assert np.isnan(table.loc[("gem", "alpha[reward]", "pearson"), "r"]) and np.isfinite(
        table.loc[("gem", "beta[reward]", "pearson"), "r"]
    )
