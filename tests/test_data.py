"""Data sets: selecting, saving, reading a CSV file and the table of data sets; every flaw has its sentence."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from banditfit import Dataset, InputError, Truth, read_csv, simulate
from banditfit.catalogue import COLUMNS, count_episodes, make, read_catalogue
from banditfit.data import load, save

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared/data/zorowitz2023_3arm/data.csv"


@pytest.fixture
def data():
    return simulate(
        "six", "subrewards", p_reward=(0.8, 0.2), p_switch=0, n_episodes=6, n_steps=9, seed=1, beta=((0, 5), (0, 2))
    )


def assert_same(one, other):
    assert (one.name, one.n_arms, one.model, one.bounds) == (other.name, other.n_arms, other.model, other.bounds)
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


def test_save_and_load(data, tmp_path):
    read = read_csv(write(tmp_path, "episode,choice,reward,session\na,0,1,x\na,,,y\nb,1,.5,x\n"), n_arms=3)
    for held in (data, data.select([3]), read):
        save(held, tmp_path / "held.npz")
        assert_same(load(tmp_path / "held.npz"), held)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"choices": [[0, 2], [0, 1]]}, "episode 0, step 1: choice is 2, expected an arm from 0 to 1, or -1"),
        ({"choices": [[0, 0.5], [0, 1]]}, "episode 0, step 1: choice is 0.5, expected an arm"),
        ({"choices": [0, 1]}, "choices have shape (2,), expected (episodes, steps)"),
        ({"rewards": [[1, 0], [0, np.nan]]}, "episode 1, step 1: reward is nan, expected a finite number"),
        ({"rewards": [[1, 0]]}, "rewards have shape (1, 2), expected that of choices, (2, 2)"),
        ({"n_steps": [2]}, "n_steps have shape (1,), expected (2,)"),
        ({"n_steps": [2, 3]}, "episode 1: n_steps is 3, expected 1 to 2"),
        ({"n_steps": [2, 1]}, "episode 1, step 1: choice is 1, expected -1 in the padding"),
        ({"episodes": [5, 5]}, "episodes holds a number twice"),
        ({"n_arms": 1}, "n_arms is 1, expected at least 2"),
    ],
)
def test_dataset_refuses(wrong, sentence):
    right = {"choices": [[0, 1], [0, 1]], "rewards": [[1, 0], [0, 1]], "n_arms": 2}
    with pytest.raises(InputError) as error:
        Dataset("any", **{key: np.array(value) if key != "n_arms" else value for key, value in (right | wrong).items()})
    assert "data set 'any'" in str(error.value) and sentence in str(error.value)


# ---- Reading a CSV file ----------------------------------------------------------------------------------------------


def write(folder, text):
    path = folder / "trials.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_read_csv_pads_sessions_and_missed_trials(tmp_path):
    lines = ["session,choice,subject,won,other", "1,0,b,1,", "1,,b,,", "2,-1,b,0,", "2,2.0,b,-0.5,", "2,1,a,0,"]
    path = write(tmp_path, "\r\n".join(lines) + "\r\n")
    data = read_csv(path, n_arms=3, columns={"episode": "subject", "reward": "won"})
    assert data.name == "trials"
    np.testing.assert_array_equal(data.ids, ["b", "a"])
    np.testing.assert_array_equal(data.n_steps, [4, 1])
    np.testing.assert_array_equal(data.choices, [[0, -1, -1, 2], [1, -1, -1, -1]])
    np.testing.assert_array_equal(data.rewards, [[1, 0, 0, -0.5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(data.starts, [[True, False, True, False], [True, False, False, False]])
    assert data.model is data.bounds is data.truth is None


def test_read_csv_follows_steps_across_sessions(tmp_path):
    text = "episode,session,step,choice,reward\na,1,1,0,1\na,1,2,1,0\na,2,1,0,0\na,2,2,0,0\nb,2,7,0,0\n"
    data = read_csv(write(tmp_path, text), n_arms=2, name="mine")
    assert data.name == "mine"
    np.testing.assert_array_equal(data.n_steps, [4, 1])


def test_read_csv_returns_what_a_simulator_wrote(data, tmp_path):
    rows = [f"{e},{y},{u}" for e, y, u in zip(np.repeat(data.ids, 9), data.choices.flat, data.rewards.flat, strict=True)]
    read = read_csv(write(tmp_path, "\n".join(["\ufeffepisode,choice,reward", *rows])), n_arms=2)
    for name in ("choices", "rewards", "starts", "n_steps", "ids"):
        np.testing.assert_array_equal(getattr(read, name), getattr(data, name))


HEAD = "episode,choice,reward\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "trials.csv: found an empty file, expected a header and one row per trial"),
        (HEAD, "trials.csv: found only a header, expected a header and one row per trial"),
        ("episode;choice;reward\na;0;1\n", "row 1: no column 'episode' (for the episode); found 'episode;choice;reward'"),
        ("episode,choice,win\na,0,1\n", "row 1: no column 'reward' (for the reward); found 'episode', 'choice', 'win'"),
        ("episode,choice,choice,reward\na,0,0,1\n", "row 1: found column 'choice' 2 times, expected each column once"),
        (HEAD + "a,0,1\na,0\n", "row 3: found 2 cells, expected 3 as in the header"),
        (HEAD + "a,0,1\n\na,0,1\n", "row 3: found 0 cells, expected 3 as in the header"),
        (HEAD.encode() + b"a,0,1\n\xff,0,1\n", "row 3: found the byte 0xff, expected UTF-8 text"),
        (HEAD + 'a,0,1\n"b"c,0,1\n', "row 3: found ',' expected after '\"', expected comma-separated cells"),
        (HEAD + "a,left,1\n", "row 2, column 'choice': found 'left', expected an arm from 0 to 2, or empty or -1"),
        (HEAD + "a,0,1\na,0.5,1\n", "row 3, column 'choice': found '0.5', expected an arm from 0 to 2"),
        (HEAD + "a,nan,1\n", "row 2, column 'choice': found 'nan', expected an arm"),
        (HEAD + "a,1_0,1\n", "row 2, column 'choice': found '1_0', expected an arm"),
        (HEAD + "a,-2,1\na,-2,1\n", "row 2, column 'choice': found '-2', expected an arm from 0 to 2, or empty or -1"),
        (HEAD + "a,4,1\na,5,1\n", "found '4', expected an arm from 0 to 2, or empty or -1 for a missed trial (2 such"),
        (HEAD + "a,1,1\na,3,1\n", "row 3, column 'choice': found '3', expected an arm from 0 to 2, or empty or -1 for a missed"
         " trial: the arms seem to be numbered 1 to 3, so subtract 1 from every choice"),
        (HEAD + "a,0,1\na,3,1\n", "trial: either 0 marks a missed trial and arms are numbered 1 to 3, so write -1 for it and"
         " subtract 1 from the others, or there are 4 arms, so say n_arms=4"),
        (HEAD + "a,0,\n", "row 2, column 'reward': found '', expected a number, as a choice was made"),
        (HEAD + "a,0,yes\n", "row 2, column 'reward': found 'yes', expected a finite number"),
        (HEAD + "a,0,inf\n", "row 2, column 'reward': found 'inf', expected a finite number"),
        (HEAD + "a,,1\n", "row 2, column 'reward': found '1', expected empty or 0, as the trial was missed"),
        (HEAD + ",0,1\n", "row 2, column 'episode': found '', expected the name of an episode"),
        (HEAD + "a,0,1\nb,0,1\na,0,1\n", "row 4, column 'episode': found 'a', expected an episode not met before"),
        ("episode,choice,reward,session\na,0,1,\n", "row 2, column 'session': found '', expected the name of a session"),
        ("episode,choice,reward,step\na,0,1,1\na,0,1,3\n", "row 3, column 'step': found '3', expected one more than in"),
        ("episode,choice,reward,step\na,0,1,1.5\n", "row 2, column 'step': found '1.5', expected an integer"),
    ],
)  # fmt: skip
def test_read_csv_refuses(tmp_path, text, sentence):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_csv(path, n_arms=3)
    assert str(error.value).startswith(str(path)) and sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_read_csv_refuses_its_arguments(tmp_path):
    path = write(tmp_path, HEAD + "a,0,1\n")
    with pytest.raises(InputError, match="columns: found the key 'subject', expected some of episode, choice"):
        read_csv(path, n_arms=2, columns={"subject": "episode"})
    with pytest.raises(InputError, match=r"no column 'session' \(for the session\)"):
        read_csv(path, n_arms=2, columns={"session": "session"})
    with pytest.raises(InputError, match="absent.csv: no such file"):
        read_csv(tmp_path / "absent.csv", n_arms=2)


@pytest.mark.skipif(not REAL.exists(), reason="the published people's data are not beside the project, in ../shared/data")
def test_read_csv_reads_published_people():
    """406 people, 6 blocks of 15 trials (Zorowitz et al. 2023, doi 10.1038/s41562-023-01640-7)."""
    data = read_csv(REAL, n_arms=3, columns={"episode": "subject", "reward": "outcome", "session": "block", "step": "trial"})
    assert data.choices.shape == (406, 90) and (data.n_steps == 90).all() and (data.choices >= 0).all()
    np.testing.assert_array_equal(np.flatnonzero(data.starts[0]), np.arange(0, 90, 15))


# ---- The table of data sets ------------------------------------------------------------------------------------------


def test_the_projects_own_table():
    entries = read_catalogue(ROOT / "config/datasets.tsv")
    for name in ("tiny_2arm", "tiny_3arm"):
        entry, data = entries[name], make(entries[name], ROOT)
        assert (data.name, data.model, data.n_arms, data.bounds) == (name, entry.model, entry.n_arms, entry.bounds)
        assert len(data) == count_episodes(entry, ROOT)
    published = [entry for entry in entries.values() if entry.source == "published"]
    assert len(published) == 6 and {entry.n_episodes for entry in published} == {1000}
    data = make(published[0], ROOT)
    assert (data.name, data.n_arms, data.bounds) == (published[0].name, published[0].n_arms, published[0].bounds)


SIMULATED = ["mine", "my label", "subrewards", "-", "simulate", "2", "0.9 0.1", "0.1", "3", "20", "1", "0", "0 1", "0 5; 0 2"]
PUBLISHED = ["mine", "my label", "subrewards", "2arm", "published", *["-"] * 9]
FILE = ["mine", "my label", "forgetting", "-", "trials.csv", "2", *["-"] * 8]


def table(folder, *rows):
    path = folder / "datasets.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in (COLUMNS, *rows)))
    return path


def changed(row, column, cell):
    return [cell if name == column else old for name, old in zip(COLUMNS, row, strict=True)]


def test_a_file_in_the_table(tmp_path):
    write(tmp_path, HEAD + "a,0,1\nb,1,1\n")
    own = changed(changed(changed(changed(FILE, "dataset", "own"), "label", "own"), "alpha", "0 0.5"), "beta", "1 9")
    entries = read_catalogue(table(tmp_path, FILE, own))
    data = make(entries["mine"], tmp_path)
    assert (data.name, data.model, data.bounds, len(data)) == ("mine", "forgetting", None, 2)
    assert count_episodes(entries["mine"], tmp_path) == 2
    assert entries["mine"].files(tmp_path) == [str(tmp_path / "trials.csv")]
    data = make(entries["own"], tmp_path)
    assert (data.bounds.alpha, data.bounds.beta) == ((0.0, 0.5), ((1.0, 9.0),))


@pytest.mark.parametrize(
    ("row", "column", "cell", "expected"),
    [
        (SIMULATED, "dataset", "My data", "small letters, digits and underscores"),
        (SIMULATED, "label", "", "text without blanks at its ends"),
        (SIMULATED, "model", "rw", "one of forgetting, per_arm, subrewards"),
        (SIMULATED, "bandit", "2arm", "-, as it has no use where source is simulate"),
        (SIMULATED, "source", "simulated", "published, simulate, or the path of a .csv file below the project's root"),
        (SIMULATED, "source", "/a/b.csv", "published, simulate, or the path of a .csv file below the project's root"),
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
        (FILE, "alpha", "0 1", None),
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
        ([PUBLISHED[:-1]], "row 2: found 13 cells, expected 14, separated by tabs"),
        ([PUBLISHED, []], "row 3: found 0 cells, expected 14, separated by tabs"),
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
