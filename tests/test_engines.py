"""Engines of posteriors beside the exact one: the experiment, its section and its figure."""

import numpy as np
import pytest

from banditfit import figures
from banditfit.experiments import engines, misspecified, simulated
from banditfit.report import engines as section
from banditfit.study.results import Results


@pytest.fixture(scope="module")
def table():
    return engines.compare("forgetting", 4, steps=80, nuts=1)


def test_engines_are_held_against_the_exact_posterior(table):
    found = table.set_index("engine")
    assert list(found.index) == [name for name in engines.LABELS if name != "nuts_hierarchical"]  # four people are too many
    assert found["n"].to_dict() == {name: 1 if name == "nuts" else 4 for name in found.index}
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
    assert [len(group["rows"]) for group in shown["groups"]] == [6, 5]
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
    table = misspecified.study(runs, boxes=(1, 10), people=5, steps=60, shapes=("skewed",))
    assert list(zip(table["box"], table["run"], strict=True)) == [(1, "gem"), (1, "profile"), (10, "gem"), (10, "profile")]
    assert (table["failed"] == 0).all()
    assert table.loc[table["run"] == "profile", "coverage"].isna().all()
    assert table.loc[table["run"] == "gem", "coverage"].between(0.4, 1).all()
    assert (table["kl"] > 0).all()
