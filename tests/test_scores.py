"""The judged fits of a study as tables and figures read them: some columns of some rows, complete."""

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.study import dictionary
from banditfit.study.compact import write_scores
from banditfit.study.scores import ALWAYS, JUDGED, Scores, everything, only
from banditfit.study.store import stacked
from conftest import make
from project import ROOT


@pytest.fixture(scope="module")
def judged() -> dict[str, pd.DataFrame]:
    """Scores of two data sets, whose parameters have other shapes, by two methods; one fit lies outside the box."""
    found = {}
    for data in (make("forgetting"), make("per_arm")):
        tables = [bf.score(data, bf.fit(data, data.model, method)) for method in ("profile", "hull")]
        found[data.name] = pd.concat(tables, ignore_index=True).assign(machine="{}")
    found["small_forgetting"].loc[0, ["outside", "admissible"]] = True, False
    return found


@pytest.fixture(scope="module")
def stored(judged, tmp_path_factory) -> Scores:
    """The same on disk, each data set in three row groups; the second as an earlier version wrote it."""
    folder = tmp_path_factory.mktemp("scores")
    for name, table in judged.items():
        old = ["guessing", "not_identified", "has_parameters"] if name == "small_per_arm" else []
        write_scores((table.drop(columns=old).iloc[k : k + 2] for k in range(0, 6, 2)), folder / f"{name}.parquet")
    return Scores(folder / f"{name}.parquet" for name in judged)


def test_what_is_asked_for_is_given_and_nothing_else(stored, judged):
    table = only(stored, "t_wall", "nowhere")
    assert list(table.columns) == [*ALWAYS, "t_wall"]
    assert table["t_wall"].tolist() == [t for held in judged.values() for t in held["t_wall"]]


def test_some_rows_are_read_by_what_stands_in_their_columns(stored):
    table = only(stored, "nll", where={"run": ["hull"], "dataset": ["small_per_arm"]})
    assert set(table["run"]) == {"hull"} and set(table["dataset"]) == {"small_per_arm"} and len(table) == 3
    assert only(stored, "nll", where={"run": ["nobody"]}).empty


def test_a_table_in_memory_gives_what_files_give(stored, judged):
    whole = pd.concat(judged.values(), ignore_index=True)
    for columns, where in ((("kl", "t_cpu"), None), (("nll",), {"run": ["profile"]})):
        held, read = (only(scores, *columns, where=where).reset_index(drop=True) for scores in (whole, stored))
        pd.testing.assert_frame_equal(held, read, check_dtype=False, check_categorical=False)


def test_what_lies_outside_the_box_has_no_accuracy_and_keeps_its_row(stored, judged):
    table = only(stored, *JUDGED)
    outside = table["outside"].astype(bool)
    assert outside.sum() == 1 and table.loc[outside, list(JUDGED)].isna().all(axis=None)
    assert table.loc[~outside, "nll"].notna().all() and np.isfinite(judged["small_forgetting"].loc[0, "nll"])


def test_scores_of_an_earlier_version_are_filled_in(stored, judged):
    table = only(stored, "has_parameters", "not_identified", "guessing", where={"dataset": ["small_per_arm"]})
    # A column that some files have is read from these alone; what is absent everywhere follows from the rest.
    assert table["guessing"].isna().all()
    alone = only(Scores(stored.paths[1:]), "has_parameters", "not_identified", "guessing")
    assert alone["has_parameters"].tolist() == judged["small_per_arm"]["has_parameters"].tolist()
    assert (alone["not_identified"] == "").all() and alone["guessing"].isna().all()


def test_arrays_stay_as_they_are_stored(stored, judged):
    for name, held in judged.items():
        table = only(stored, "alpha", where={"dataset": [name]})
        np.testing.assert_array_equal(stacked(table["alpha"]), np.stack(held["alpha"]))


def test_everything_is_all_but_the_machine(stored, judged):
    assert set(everything(stored).columns) == set(judged["small_forgetting"].columns) - {"machine"}
    assert len(everything(stored)) == 12
    held = judged["small_forgetting"]
    assert everything(held) is held


def test_a_damaged_file_is_named(stored, tmp_path):
    path = tmp_path / "damaged.parquet"
    content = bytearray(stored.paths[0].read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(bf.InputError, match="damaged.parquet"):
        Scores([path])


def test_the_dictionary_has_every_column_and_table(judged):
    page = (ROOT / "docs/dictionary.md").read_text()
    assert page == dictionary.markdown() + "\n"
    for table in judged.values():
        assert set(table.columns) <= set(dictionary.SCORES)
    assert {path.stem for path in (ROOT / "results/paper/tables").glob("*.csv")} <= set(dictionary.TABLES)
