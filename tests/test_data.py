"""Data sets: selecting, saving, and the table of data sets; every flaw has its sentence."""

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from banditfit import Dataset, InputError, Truth, read_csv, simulate
from banditfit.data.stored import data_blocks, load, save
from banditfit.models.families import get_model
from banditfit.parameters import Bounds
from banditfit.study.catalogue import COLUMNS, extent, make, read_catalogue

ROOT = Path(__file__).parents[1]
HEAD = "episode,choice,reward\n"


@pytest.fixture
def data():
    return simulate(
        "six", "subrewards", p_reward=(0.8, 0.2), p_switch=0, n_episodes=6, n_steps=9, seed=1, beta=((0, 5), (0, 2))
    )


def assert_same(one, other):
    for name in ("name", "n_arms", "model", "bounds", "notes", "reward_scale"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("choices", "rewards", "starts", "n_steps", "episodes", "ids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.truth is None) == (other.truth is None)
    for field in fields(Truth) if one.truth else ():
        np.testing.assert_array_equal(getattr(one.truth, field.name), getattr(other.truth, field.name))


# ---- The data set ----------------------------------------------------------------------------------------------------


def test_select_keeps_numbers_and_truth(data):
    few = data.select([4, 1])
    np.testing.assert_array_equal(few.episodes, [4, 1])
    np.testing.assert_array_equal(few.choices, data.choices[[4, 1]])
    np.testing.assert_array_equal(few.truth.values, data.truth.values[[4, 1]])
    assert_same(few.select(slice(1, 2)), data.select([1]))
    assert_same(few.select([1]), data.select([1]))
    with pytest.raises(InputError, match="data set 'six' has no episode 6; its 6 episodes are numbered 0 to 5"):
        data.select([6])


@pytest.mark.parametrize("episodes", [3, "12", None, [1.5], ["1"], [True, False], np.array([True] * 6), [None], [1, 1]])
def test_select_takes_numbers_of_episodes_alone(data, episodes):
    with pytest.raises(InputError, match="episodes.* expected"):
        data.select(episodes)


def test_save_and_load(data, tmp_path):
    read = read_csv(write(tmp_path, "episode,choice,reward,session\na,0,1,x\na,,,y\nb,1,.5,x\n"), n_arms=3)
    many = Dataset("many", [[0, 39999]], [[1, 0]], n_arms=40_000)
    for held in (data, data.select([3]), read, many):
        save(held, tmp_path / "held.parquet")
        assert_same(load(tmp_path / "held.parquet"), held)


def write(folder, text):
    path = folder / "trials.csv"
    path.write_text(text)
    return path


# ---- The size of the rewards, and how the data were read -------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "rewards", "scale"),
    [
        ([[0, 1]], [[0, -300.5]], 300.5),
        ([[0, 1]], [[0, 0]], 1.0),
        ([[0, -1]], [[2, 500]], 2.0),  # what stands beside a missed trial is no reward
        ([[0, -1]], [[1e-9, np.nan]], 1e-9),
        ([[-1, -1]], [[3, np.inf]], 1.0),
    ],
)
def test_the_reward_scale_is_the_largest_reward_of_a_choice(choices, rewards, scale):
    assert Dataset("any", choices, rewards, 2).reward_scale == scale


def test_a_part_keeps_the_scale_and_notes_of_the_whole(tmp_path):
    whole = Dataset("any", [[0, 1], [1, 0]], [[0, 1], [50, 2]], 2, notes=("told by hand", "one more"))
    parts = [whole.select([0]), replace(whole.select([0]), name="other")]
    save(whole, tmp_path / "whole.parquet")
    parts += [*data_blocks(tmp_path / "whole.parquet", [range(1), range(1, 2)]), load(tmp_path / "whole.parquet").select([0])]
    for part in parts:
        assert part.reward_scale == 50 and part.notes == ("told by hand", "one more")


@pytest.mark.parametrize(
    ("made", "line"),
    [
        ({}, "2 episodes of 2 steps, 2 arms, 0 missed trials, 2 sessions, rewards 0 to 1"),
        ({"choices": [[0, 1], [0, -1]], "n_steps": [2, 1]}, "2 episodes of 1 to 2 steps, 2 arms, 0 missed trials, 2 sessions,"
         " rewards 0 to 1"),
        ({"choices": [[0, -1], [-1, -1]], "starts": [[0, 1], [0, 0]]}, "2 episodes of 2 steps, 2 arms, 3 missed trials, 3"
         " sessions, rewards 1 to 1"),
        ({"choices": [[-1, -1], [-1, -1]]}, "2 episodes of 2 steps, 2 arms, 4 missed trials, 2 sessions, no choice"),
        ({"choices": np.zeros((0, 2), int), "rewards": np.zeros((0, 2))}, "no episode, 2 arms"),
    ],
)  # fmt: skip
def test_repr_is_one_line(made, line):
    data = Dataset("any", **({"choices": [[0, 1], [0, 1]], "rewards": [[1, 0], [0, 1]], "n_arms": 2} | made))
    assert repr(data) == f"<Dataset 'any': {line}>"


# ---- What is no data set ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"choices": [[0, 2], [0, 1]]}, "episode 0, step 1: choice is 2, expected an arm from 0 to 1, or -1"),
        ({"choices": [[0, 0.5], [0, 1]]}, "episode 0, step 1: choice is 0.5, expected an arm"),
        ({"choices": [[0, np.nan], [0, 1]]}, "episode 0, step 1: choice is nan, expected an arm"),
        ({"choices": [0, 1]}, "choices have shape (2,), expected (episodes, steps)"),
        ({"choices": np.zeros((2, 0))}, "choices have shape (2, 0), expected (episodes, steps) with a step"),
        ({"choices": [[0, 1], [0]]}, "choices have rows of different lengths, expected an array of arms as integers"),
        ({"choices": [["left", "right"]] * 2}, "choices hold text, expected arms as integers, -1 for a missed trial"),
        ({"choices": [["0", "1"]] * 2}, "choices hold text, expected arms as integers"),
        ({"choices": [[0, None], [0, 1]]}, "choices hold None, expected arms as integers"),
        ({"choices": np.array([[0, "1"], [0, 1]], dtype=object)}, "choices hold '1', expected arms as integers"),
        ({"choices": None}, "choices hold None, expected arms as integers"),
        ({"choices": [[True, False]] * 2}, "choices hold True and False, expected arms as integers"),
        ({"choices": [[0, 1j], [0, 1]]}, "choices hold complex numbers, expected arms as integers"),
        ({"choices": np.ma.masked_less([[0, -1], [0, 1]], 0)}, "choices are a masked array, expected arms as integers"),
        ({"choices": {"a": [0, 1]}}, "choices hold a dict, expected arms as integers"),
        ({"rewards": [[1, 0], [0, np.nan]]}, "episode 1, step 1: reward is nan, expected a finite number"),
        ({"rewards": [[1, 0], [0, np.inf]]}, "episode 1, step 1: reward is inf, expected a finite number"),
        ({"rewards": [[1, 0]]}, "rewards have shape (1, 2), expected that of choices, (2, 2)"),
        ({"rewards": [["1", "0"]] * 2}, "rewards hold text, expected numbers"),
        ({"rewards": [[1, None], [0, 1]]}, "rewards hold None, expected numbers"),
        ({"rewards": [[1, 0], [0]]}, "rewards have rows of different lengths, expected an array of numbers"),
        ({"rewards": None}, "rewards hold None, expected numbers"),
        ({"rewards": np.array([["2020-01-01"] * 2] * 2, dtype="M8[D]")}, "rewards hold dates, expected numbers"),
        ({"n_steps": [2]}, "n_steps have shape (1,), expected (2,)"),
        ({"n_steps": [2, 3]}, "episode 1: n_steps is 3, expected 1 to 2"),
        ({"n_steps": [2, 0]}, "episode 1: n_steps is 0, expected 1 to 2"),
        ({"n_steps": [2, 1]}, "episode 1, step 1: choice is 1, expected -1 in the padding"),
        ({"n_steps": [2, 1.5]}, "n_steps hold 1.5, expected integers of at least 0"),
        ({"n_steps": ["2", "2"]}, "n_steps hold text, expected integers"),
        ({"n_steps": 2}, "n_steps have shape (), expected (2,)"),
        ({"episodes": [5, 5]}, "episodes hold a number twice"),
        ({"episodes": [0, 0.5]}, "episodes hold 0.5, expected integers of at least 0"),
        ({"episodes": [0, -1]}, "episodes hold -1, expected integers of at least 0"),
        ({"episodes": [0, np.nan]}, "episodes hold nan, expected integers of at least 0"),
        ({"episodes": ["a", "b"]}, "episodes hold text, expected integers"),
        ({"starts": [["True", "False"]] * 2}, "starts hold text, expected True or False"),
        ({"starts": [[0, 2], [0, 0]]}, "episode 0, step 1: start is 2, expected True or False"),
        ({"starts": [[True, False]]}, "starts have shape (1, 2), expected that of choices, (2, 2)"),
        ({"ids": ["a"]}, "ids have shape (1,), expected (2,)"),
        ({"ids": "ab"}, "ids are no list, expected (2,)"),
        ({"ids": 3}, "ids are no list, expected (2,)"),
        ({"ids": ["a", "a"]}, "ids hold 'a' twice (positions 0 and 1), expected each once"),
        ({"ids": ["a", "a\0"]}, r"ids hold 'a\x00', expected text without control or lost characters"),
        ({"ids": ["a", "b\n"]}, r"ids hold 'b\n', expected text without control"),
        ({"ids": ["a", " "]}, "ids hold ' ', expected text without control"),
        ({"ids": ["a", None]}, "ids hold None, expected text"),
        ({"ids": ["a", 1.5]}, "ids hold 1.5, expected text"),
        ({"n_arms": 1}, "n_arms: found 1, expected an integer of at least 2"),
        ({"n_arms": 2.5}, "n_arms: found 2.5, expected an integer of at least 2"),
        ({"n_arms": "2"}, "n_arms: found '2', expected an integer of at least 2"),
        ({"n_arms": True}, "n_arms: found True, expected an integer of at least 2"),
        ({"n_arms": None}, "n_arms: found None, expected an integer of at least 2"),
        ({"model": 3}, "model is 3, expected the name of a family, or None"),
        ({"bounds": ((0, 1), ((0, 5),))}, "bounds are ((0, 1), ((0, 5),)), expected Bounds, or None"),
        ({"truth": 1}, "truth is a int, expected a Truth, or None"),
        ({"truth": Truth(np.zeros((1, 1, 1)), np.zeros((2, 1, 1)), np.zeros((2, 2, 2)), np.zeros(2))},
         "truth.alpha has shape (1, 1, 1), expected (2, ...)"),
        ({"notes": "read by hand"}, "notes are 'read by hand', expected a tuple of sentences"),
        ({"notes": [1]}, "notes are [1], expected a tuple of sentences"),
        ({"reward_scale": 0}, "reward_scale is 0, expected a positive number, or None"),
        ({"reward_scale": "1"}, "reward_scale is '1', expected a positive number, or None"),
    ],
)  # fmt: skip
def test_dataset_refuses(wrong, sentence):
    right = {"choices": [[0, 1], [0, 1]], "rewards": [[1, 0], [0, 1]], "n_arms": 2}
    with pytest.raises(InputError) as error:
        Dataset("any", **(right | wrong))
    assert "data set 'any'" in str(error.value) and sentence in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", [None, 3, "", " ", "a\nb", "a\0"])
def test_a_data_set_has_a_name(name):
    with pytest.raises(InputError, match="name: found .* expected a name for the data set"):
        Dataset(name, [[0, 1]], [[1, 0]], 2)


# ---- The table of data sets ------------------------------------------------------------------------------------------


def test_the_projects_own_table():
    entries = read_catalogue(ROOT / "config/datasets.tsv")
    for name in ("tiny_2arm", "tiny_3arm"):
        entry, data = entries[name], make(entries[name], ROOT)
        assert (data.name, data.model, data.n_arms, data.bounds) == (name, entry.model, entry.n_arms, entry.bounds)
        assert (len(data), False) == extent(entry, ROOT)
    published = [entry for entry in entries.values() if entry.source == "published"]
    assert len(published) == 6 and {entry.n_episodes for entry in published} == {1000}
    data = make(published[0], ROOT)
    assert (data.name, data.n_arms, data.bounds) == (published[0].name, published[0].n_arms, published[0].bounds)


SIMULATED = [
    "mine",
    "my label",
    "subrewards",
    "-",
    "simulate",
    "2",
    "0.9 0.1",
    "0.1",
    "3",
    "20",
    "1",
    "0",
    "0 1",
    "0 5; 0 2",
    "-",
]
PUBLISHED = ["mine", "my label", "subrewards", "2arm", "published", *["-"] * 10]
FILE = ["mine", "my label", "forgetting", "-", "trials.csv", "2", *["-"] * 9]


def table(folder, *rows):
    path = folder / "datasets.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in (COLUMNS, *rows)))
    return path


def changed(row, column, cell):
    return [cell if name == column else old for name, old in zip(COLUMNS, row, strict=True)]


def test_a_file_in_the_table(tmp_path):
    write(tmp_path, HEAD + "a,0,1\nb,1,1\n")
    ours = changed(changed(changed(changed(FILE, "dataset", "ours"), "label", "ours"), "alpha", "0 0.5"), "beta", "1 9")
    entries = read_catalogue(table(tmp_path, FILE, ours))
    data = make(entries["mine"], tmp_path)
    assert (data.name, data.model, data.bounds, len(data)) == ("mine", "forgetting", None, 2)
    assert extent(entries["mine"], tmp_path) == (2, False)
    assert entries["mine"].files(tmp_path) == [str(tmp_path / "trials.csv")]
    data = make(entries["ours"], tmp_path)
    assert (data.bounds.alpha, data.bounds.beta) == ((0.0, 0.5), ((1.0, 9.0),))


def test_a_box_holds_for_the_parameters_of_that_name_in_any_model():
    data = Dataset("mine", [[0, 1]], [[0, 10]], 2, bounds=Bounds((0.0, 0.5), ((0.0, 3.0),), {"kappa": (-1.0, 1.0)}))
    box = lambda name: data.bounds_of(get_model(name)).named()  # noqa: E731
    assert box("forgetting") == {"alpha": ((0.0, 0.5),), "beta": ((0.0, 3.0),)}
    assert box("rw_perseveration") == box("forgetting") | {"kappa": ((-1.0, 1.0),)}
    assert box("dual_rates") == {"alpha_pos": ((0.0, 1.0),), "alpha_neg": ((0.0, 1.0),), "beta": ((0.0, 3.0),)}
    assert box("subrewards")["beta"] == ((0.0, 3.0), (0.0, 20.0))  # the first signal's; the second keeps its default


def test_a_file_in_the_table_is_read_by_its_settings(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a b.tsv").write_text("subject\tblock\tchoice\treward\nx\t1\t1\t0,5\nx\t2\t2\t1\nx\t2\t0\t0\n")
    settings = '{"columns": {"episode": "subject", "session": "block"}, "first_arm": 1, "missing": [0]}'
    row = changed(changed(FILE, "source", "own/a b.tsv"), "reading", settings)
    data = make(read_catalogue(table(tmp_path, row))["mine"], tmp_path)
    np.testing.assert_array_equal(data.choices, [[0, 1, -1]])
    np.testing.assert_array_equal(data.rewards, [[0.5, 1, 0]])
    np.testing.assert_array_equal(data.starts, [[True, True, False]])
    assert data.notes == (
        "tab-separated UTF-8 text",
        "decimal comma",
        "column 'subject' is the episode",
        "column 'block' is the session",
        "arms numbered from 1",
        "missed trials: '0'",
        "traces decay over 1 missed trial",
    )


def test_a_source_stays_below_the_projects_root(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / "config").mkdir(parents=True)
    write(outside, HEAD + "a,0,1\n")
    os.symlink(outside, root / "link")
    os.symlink(outside / "trials.csv", root / "trials.csv")
    for source in ("link/trials.csv", "trials.csv"):
        entry = read_catalogue(table(root / "config", changed(FILE, "source", source)))["mine"]
        with pytest.raises(InputError, match="found a link to .*, expected a file below the project's root"):
            make(entry, root)
    os.symlink(root, tmp_path / "other way")  # a link to the root itself leads nowhere else
    write(root / "config", HEAD + "a,0,1\n")
    entry = read_catalogue(table(root / "config", changed(FILE, "source", "config/trials.csv")))["mine"]
    assert len(make(entry, tmp_path / "other way")) == 1


@pytest.mark.parametrize(
    ("row", "column", "cell", "expected"),
    [
        (SIMULATED, "dataset", "My data", "small letters, digits and underscores"),
        (SIMULATED, "label", "", "text without blanks at its ends"),
        (SIMULATED, "model", "rw", "one of forgetting, per_arm, subrewards"),
        (SIMULATED, "bandit", "2arm", "-, as it has no use where source is simulate"),
        *(
            (
                FILE,
                "source",
                source,
                "published, simulate, or the path of a file (.csv, .tsv, .txt, each also .gz, or .parquet) below",
            )
            for source in ("simulated", "/a/b.csv", "../b.csv", "a/../../b.csv", "a.xlsx", ".csv", "a\x07.csv", "")
        ),
        (SIMULATED, "reading", "{}", "-, as it has no use where source is simulate"),
        *(
            (FILE, "reading", cell, "-, or a JSON object with some of columns, first_arm, arms, missing, separator")
            for cell in ("", "first_arm=1", "[]", '{"first_arm": 1', '{"n_arms": 3}', '{"first_arm": 1, "first_arm": 0}')
        ),
        (FILE, "reading", '{"first_arm": "1"}', None),
        (FILE, "reading", '{"columns": {"block": "session"}}', None),
        (FILE, "reading", '{"arms": ["a", "b", "c"]}', None),
        (FILE, "reading", '{"missing": [NaN]}', None),
        (FILE, "reading", '{"missing": -1}', None),
        (SIMULATED, "n_arms", "1", "an integer of at least 2"),
        (SIMULATED, "n_arms", "3", None),
        (SIMULATED, "p_reward", "0.9", "2 probabilities separated by a space, one for each arm"),
        (SIMULATED, "p_reward", "0.9 1.1", None),
        (SIMULATED, "p_reward", "0.9,0.1", "a finite number from 0 to 1"),
        (SIMULATED, "p_switch", "-", "a finite number from 0 to 1"),
        (SIMULATED, "episodes", "1.5", "an integer of at least 1"),
        (SIMULATED, "steps", "many", "an integer of at least 1"),
        (SIMULATED, "seed", "-1", None),
        (SIMULATED, "initial_value", "nan", None),
        (SIMULATED, "alpha", "0", "lower and upper bound, as in 0 1"),
        (SIMULATED, "beta", "0 5", "lower and upper bound, as in 0 1; 0 1"),
        (SIMULATED, "beta", "0 5; 2 0", None),
        (PUBLISHED, "bandit", "3arm", "one of 2arm, 10arm"),
        (PUBLISHED, "seed", "1", "-, as it has no use where source is published"),
        (FILE, "episodes", "1", "-, as it has no use where source is trials.csv"),
        (FILE, "alpha", "0 2", None),
        (FILE, "beta", "0 5; 0 5", "lower and upper bound, as in 0 1"),
        (FILE, "model", "rw", "one of -, forgetting, per_arm"),
        (changed(FILE, "model", "dual_rates"), "alpha", "0 1", "-, as model dual_rates has no parameter of that name"),
    ],
)
def test_read_catalogue_refuses(tmp_path, row, column, cell, expected):
    other = changed(changed(PUBLISHED, "dataset", "other"), "label", "other")
    path = table(tmp_path, other, changed(row, column, cell))
    with pytest.raises(InputError) as error:
        read_catalogue(path)
    message = str(error.value)
    assert message.startswith(f"{path}, row 3, ") and "found" in message and "expected" in message and "\n" not in message
    if expected:
        assert f"column {column}: found '{cell}', expected {expected}" in message


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [PUBLISHED, changed(PUBLISHED, "label", "other")],
            "row 3, column dataset: found 'mine', expected a name that no other",
        ),
        (
            [PUBLISHED, changed(PUBLISHED, "dataset", "other")],
            "row 3, column label: found 'my label', expected a label that no",
        ),
        ([PUBLISHED[:-1]], "row 2: found 14 cells, expected 15, separated by tabs"),
        ([PUBLISHED, []], "row 3: found 0 cells, expected 15, separated by tabs"),
    ],
)
def test_read_catalogue_refuses_rows(tmp_path, rows, sentence):
    with pytest.raises(InputError) as error:
        read_catalogue(table(tmp_path, *rows))
    assert sentence in str(error.value)


@pytest.mark.parametrize("head", ["", "dataset\tlabel\n"])
def test_read_catalogue_refuses_other_columns(tmp_path, head):
    path = tmp_path / "datasets.tsv"
    path.write_text(head)
    with pytest.raises(InputError, match="row 1: found columns .* expected dataset, label, model"):
        read_catalogue(path)


def test_read_catalogue_reads_what_editors_leave(tmp_path):
    path = table(tmp_path, PUBLISHED)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert list(read_catalogue(path)) == ["mine"]


def test_read_catalogue_refuses_what_is_no_table(tmp_path):
    path = table(tmp_path, changed(PUBLISHED, "label", "Zoë"))
    path.write_bytes(path.read_text().encode("latin-1"))
    with pytest.raises(InputError, match="datasets.tsv, row 2: found the byte 0xeb, expected UTF-8 text"):
        read_catalogue(path)
    path.write_bytes(b"dataset\t\0\n")
    with pytest.raises(InputError, match="datasets.tsv.*expected"):
        read_catalogue(path)
    with pytest.raises(InputError, match=r"absent.tsv: found no readable file \(No such file or directory\), expected a table"):
        read_catalogue(tmp_path / "absent.tsv")
    with pytest.raises(InputError, match=r"found no readable file \(Is a directory\)"):
        read_catalogue(tmp_path)
