"""Engines of posteriors beside the exact one: the experiment, its section and its figure."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit import figures
from banditfit.experiments import engines, misspecified, simulated
from banditfit.report import engines as section
from banditfit.study import entries
from banditfit.study.results import Results
from banditfit.study.store import write_csv
from banditfit.tables import claim_engines, guide
from banditfit.tables.claim_cases import Evidence, NotTested
from project import ROOT


@pytest.fixture(scope="module")
def table():
    return engines.compare("forgetting", 4, steps=80, nuts=1)


def test_engines_are_held_against_the_exact_posterior(table):
    found = table.set_index("engine")
    assert list(found.index) == list(engines.LABELS)
    assert found["n"].to_dict() == {name: {"nuts": 1, "nuts_hierarchical": 0}.get(name, 4) for name in found.index}
    assert found.loc["nuts_hierarchical", "left_out"] == "more than 1 people"
    assert np.isnan(found.loc["nuts_hierarchical", "ms"])
    found = found.drop("nuts_hierarchical")
    assert (found["left_out"] == "").all()
    assert found.loc["quadrature", "mean_error"] < 0.05
    assert found.loc["vi", "mean_error"] < found.loc["laplace", "mean_error"]
    assert found.loc["vi_mean_field", "evidence"] < found.loc["vi", "evidence"] + 0.02 < 0.05
    assert np.isnan(found.loc["nuts", "evidence"])
    # HBI's prior of precisions makes a population of four people too narrow.
    assert found["sd_ratio"].drop("hbi").between(0.6, 1.3).all()
    assert found["coverage"].between(0.5, 1).all()


def test_people_are_drawn_as_asked():
    rng = np.random.default_rng(0)
    made = simulated.people("drawn", "dual_rates", 400, 2, rng)
    np.testing.assert_allclose(made.h.mean(axis=0), [simulated.RATES, simulated.RATES, simulated.REST], atol=0.1)
    np.testing.assert_allclose(made.h.std(axis=0), simulated.SD, rtol=0.1)
    assert len(made.data) == 400


def test_the_section_and_the_figure_show_every_engine(table):
    shown = section.section({"engines": table}, [], {})["exact"]
    assert [len(group["rows"]) for group in shown["groups"]] == [6, 7]
    assert "Pathfinder" in shown["sentence"]
    assert section.section({}, [], {}) is None
    held = Results(None, {"engines": table}, None, [], {}, {}, {})
    figure = figures.engines._engines(held)
    assert len(figure.axes) == 4
    assert "Nothing to draw" in figures.engines._engines(Results(None, {}, None, [], {}, {}, {})).texts[0].get_text()


def test_populations_of_every_shape_have_the_same_mean_and_sd():
    for name, shape in misspecified.SHAPES.items():
        drawn = shape(np.random.default_rng(0), (40_000, 2))
        np.testing.assert_allclose(drawn.mean(axis=0), 0.0, atol=0.03, err_msg=name)
        np.testing.assert_allclose(drawn.std(axis=0), 1.0, atol=0.1, err_msg=name)


def test_methods_are_told_wider_boxes_than_made_the_people():
    runs = {"gem": ("gem", {}), "profile": ("profile", {})}
    drawn = misspecified.study(runs, boxes=(1, 10), people=5, steps=60, replicates=2, shapes=("skewed",))
    assert drawn["replicate"].tolist() == [0] * 4 + [1] * 4
    table = misspecified.summary(drawn)
    assert list(zip(table["box"], table["run"], strict=True)) == [(1, "gem"), (1, "profile"), (10, "gem"), (10, "profile")]
    assert (table["failed"] == 0).all() and (table["replicates"] == 2).all()
    pairs = drawn[(drawn["box"] == 1) & (drawn["run"] == "profile")]["kl"]
    assert table["kl"][1] == pytest.approx(pairs.mean()) and table["kl_se"][1] == pytest.approx(pairs.sem())
    behind = table[["behind_low", "behind", "behind_high"]].to_numpy()
    assert (behind[table["kl"] == table.groupby("box")["kl"].transform("min")] == 1.0).all()
    assert (np.diff(behind, axis=1) >= 0).all()
    assert table.loc[table["run"] == "profile", "coverage"].isna().all()
    assert table.loc[table["run"] == "gem", "coverage"].between(0.4, 1).all()
    assert (table["kl"] > 0).all()


def evidence(**tables):
    return Evidence(pd.DataFrame(), tables, [], {})


def test_claims_about_engines_are_judged_by_their_tables(table):
    said = evidence(engines=table)
    assert [case.held for case in claim_engines.variational_nearer(said)] == ["yes", "yes"]
    assert [case.value for case in claim_engines.quadrature_exact(said)] == pytest.approx(
        table.set_index("engine").loc[["quadrature", "em"], "mean_error"].tolist()
    )
    assert len(claim_engines.variational_too_narrow(said)) == 2
    for claim in (claim_engines.variational_nearer, claim_engines.gem_stays_accurate):
        with pytest.raises(NotTested):
            claim(evidence())


WRONG = pd.DataFrame(
    {
        "population": "skewed",
        "box": [1, 1, 1, 4, 4, 4],
        "run": ["profile", "gem_alone", "gem"] * 2,
        "replicates": 10,
        "people": 40,
        "kl": [0.005, 0.004, 0.003, 0.005, 0.006, 0.003],
        "kl_se": 0.0002,
        "coverage": [np.nan, 0.95, 0.94] * 2,
        "behind": [1.6, 1.3, 1.0, 1.6, 2.0, 1.0],
        "behind_low": [1.5, 1.2, 1.0, 1.5, 1.8, 1.0],
        "behind_high": [1.7, 1.4, 1.0, 1.7, 2.2, 1.0],
    }
)


def test_claims_about_wrong_boxes_are_judged_by_their_table():
    said = evidence(misspecified=WRONG)
    assert [case.held for case in claim_engines.gem_stays_accurate(said)] == ["yes", "yes"]
    (case,) = claim_engines.flat_prior_misleads(said)  # the box of its own is none that is too wide
    assert case.held == "yes" and case.value == pytest.approx(1.2)


def test_the_guide_chooses_what_stays_accurate_where_it_is_told_wrongly():
    need = next(need for need in guide.NEEDS if need.name == "robust")
    rows = pd.DataFrame({"run": ["profile", "quadrature", "gem", "vi", "mc"], "estimates": [1.0, 1.0, 1.0, 0.5, 1.0]})
    rows["wrong"] = [1.6, 2.0, 1.0, 1.0, np.nan]
    assert rows[need.serves(rows)]["run"].tolist() == ["gem"]  # vi's fits end badly, and of mc nothing is known
    assert need in guide.needs(rows) and need not in guide.needs(rows.assign(wrong=np.nan))


def test_the_tables_of_the_docs_are_printed_from_a_study(table, tmp_path, monkeypatch):
    runs = entries.expand(entries.read_entries(ROOT / "config/methods.tsv"), ["profile", "gem_alone", "gem"], ["L-BFGS-B"])
    study = SimpleNamespace(config={"study": "small"}, runs={run.id: run for run in runs})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bf.InputError, match="expected a table of a study that has run to its end"):
        section.markdown_of_engines(study)
    write_csv(table, tmp_path / "results/small/tables/engines.csv")
    write_csv(WRONG, tmp_path / "results/small/tables/misspecified.csv")
    lines = section.markdown_of_engines(study)
    assert sum(line.startswith("| NUTS, hierarchical | 4 | left out: more than 1 people | - |") for line in lines) == 1
    assert sum(line.count("|") == 5 for line in lines) == 2 * 2 + len(engines.LABELS)
    lines = section.markdown_of_misspecified(study)
    assert lines[2] == "| skewed | ×1 | 5.00 ± 0.20 | 3.00 ± 0.20, .94 | 4.00 ± 0.20, .95 |"
    assert "GEM by a factor of 1.00 [1.00, 1.00] (skewed, box ×1), Profile by a factor of 1.60" in lines[-1]
