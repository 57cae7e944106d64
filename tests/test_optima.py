"""Whether fits of simulated learners are optimal: the study of models, on a few of them."""

from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit import figures
from banditfit.experiments import optima
from banditfit.methods import get_method
from banditfit.models import likelihood
from banditfit.report import optima as section
from banditfit.report import wording
from banditfit.study.config import load_study
from banditfit.study.results import Results
from banditfit.study.store import write_csv
from project import ROOT

RUNS = {"d_loc": ("d_loc", {"starts": 1}), "profile": ("profile", {}), "certified": ("certified", {})}


@pytest.fixture(scope="module")
def found():
    tables = optima.optima("rw_bias", 2, RUNS, ["L-BFGS-B", "TNC"], 4, 40, 5, seed=1, limits={"d_loc": 2, "TNC": 2})
    return dict(zip(optima.FOUND, tables, strict=True))


def test_learners_are_what_their_parameters_say():
    """Drawn within their boxes, better than guessing, and the same again, whatever the number of learners."""
    data, truth = optima.learners("rw_bias", 3, 4, 80, 0)
    again, _ = optima.learners("rw_bias", 3, 4, 80, 0)
    assert (data.choices == again.choices).all() and set(np.unique(data.rewards)) == {0.0, 1.0}
    model = bf.get_model("rw_bias")
    for row in range(4):
        problem = likelihood.problem(data, row, model, data.bounds_of(model))
        assert (truth[row] >= problem.lower).all() and (truth[row] <= problem.upper).all()
        assert problem.nll_theta(truth[row]) < 80 * np.log(3)
    longer, _ = optima.learners("rw_bias", 3, 6, 80, 0)
    assert (longer.choices[:4] == data.choices).all()


def test_optima_are_proved_and_luck_is_counted(found):
    methods = found["optima_methods"].set_index("run")
    assert methods.loc["certified", "closed"] == 1.0 and methods.loc["certified", "optimal"] == 1.0
    assert (methods["broken"] == 0).all() and (methods["failed"] == 0).all()
    assert methods.loc["profile", "closed"] == 1.0
    assert methods.loc["d_loc", "bounded"] == 0 and np.isnan(methods.loc["d_loc", "gap_worst"])
    assert (methods["regret_median"] <= methods["regret_worst"]).all()
    assert methods["n"].to_dict() == {"d_loc": 2, "profile": 4, "certified": 4}
    assert found["optima_starts"].set_index(["solver", "starts"])["n"].loc["TNC"].to_dict() == {1: 10, 5: 2}
    starts = found["optima_starts"].query("solver == 'L-BFGS-B'").set_index("starts")
    assert starts["n"].to_dict() == {1: 20, 5: 4}
    assert starts.loc[5, "missed"] <= starts.loc[1, "missed"] and starts.loc[5, "miss_worst"] <= starts.loc[1, "miss_worst"]
    sets = found["optima_sets"]
    assert list(sets["parameter"]) == ["alpha", "beta", "bias[1]"] and (sets["n"] == 4).all()
    assert sets["covered"].between(0.0, 1.0).all() and set(found["optima_recovery"]["n"]) == {2, 4}


def test_a_lower_fit_of_a_random_start_counts_as_the_best_known():
    judged = pd.DataFrame(
        {"run": "x", "episode": [0], "admissible": True, "nll": 5.0, "lower_bound": 4.5, "rounding": 0.0, "t_cpu": 1.0}
    ).assign(status="converged")
    (row,) = optima._methods(judged, np.array([4.0]))
    assert row["regret_worst"] == 1.0 and row["missed"] == 1.0 and row["broken"] == 1


def test_the_section_and_its_figures_say_what_the_tables_do(found):
    runs = list(load_study(ROOT / "config/models.yaml", ROOT).runs.values())
    tables = {name: table.replace({"run": {"d_loc": "d_loc.L-BFGS-B"}}) for name, table in found.items()}
    told = section.section(tables, runs, {})
    (group,) = told["groups"]
    assert [row["name"] for row in group["parameters"]] == ["alpha", "beta", "bias[1]"]
    assert told["sentences"][0].startswith("4 of 4 fits are proved optimal to 1e-06 nats, over 1 model")
    assert section.section({}, runs, {}) is None
    solvers, methods = (table.rows for table in told["tables"][1:])
    assert [row[:2] for row in solvers] == [["L-BFGS-B", "20"], ["TNC", "10"]]
    assert {row[0]: row[5] for row in methods} == {"D-LOC": "–", "Profile": "100.0 %", "Certified": "100.0 %"}
    scores = pd.DataFrame({"nll": []})
    for name in ("optima_starts", "optima_recovery"):
        spec = figures.FIGURES[name]
        assert not isinstance(spec.draw(Results(scores, tables, scores, runs, {}, {}, {})), figures.Nothing)
        assert isinstance(spec.draw(Results(scores, {}, scores, runs, {}, {}, {})), figures.Nothing)


def test_a_finished_study_prints_its_tables(found, tmp_path):
    study = load_study(ROOT / "config/models.yaml", ROOT)
    with pytest.raises(bf.InputError, match="optima_methods.csv: no such file, expected a table of a study that has run"):
        section.markdown(study, tmp_path)
    for name, table in found.items():
        write_csv(table.replace({"run": {"d_loc": "d_loc.L-BFGS-B"}}), tmp_path / f"tables/{name}.csv")
    lines = section.markdown(study, tmp_path)
    assert any(line.startswith("| Rescorla-Wagner, bias, 2 arms | 4 | 100.0 % |") for line in lines)
    assert any(line.startswith("**Gaps, nats.**") for line in lines)


def test_a_study_asks_for_models_and_each_gets_the_runs_that_serve_it():
    study = load_study(ROOT / "config/models.yaml", ROOT)
    parts = optima.EXPERIMENT.parts(study)
    assert len(parts) == 22 and "rw_lapse_4arm" in parts
    serves = {
        run
        for run in study.config["optima"]["runs"]
        if get_method(study.runs[run].entry.method).serves(bf.get_model("rw_lapse"))
    }
    assert set(optima.EXPERIMENT.arguments(study, "rw_lapse_4arm")["runs"]) == serves and "d_loc.L-BFGS-B" in serves


def test_the_page_shows_every_model_solver_and_parameter(found):
    runs = list(load_study(ROOT / "config/models.yaml", ROOT).runs.values())
    tables = {name: table.replace({"run": {"d_loc": "d_loc.L-BFGS-B"}}) for name, table in found.items()}
    loader = jinja2.FileSystemLoader(Path(section.__file__).parent)
    page = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    page.filters.update(sig=wording.sig, count=wording.count, percent=wording.percent)
    topic = {"parts": ["optima"]}
    told = {"optima": section.section(tables, runs, {}), "figures": [], "stored": ["optima_sets"], "root": ""}
    html = page.get_template("_body.html.j2").render(topic=topic, **told)
    for words in ("Rescorla-Wagner, bias, 2 arms", "L-BFGS-B", "Certified", "bias[1]", "optima_sets.csv"):
        assert words in html
