"""Reading a file of one's own: every kind that people have is read in the one way that is right, or refused in one sentence
that names the place and the setting. The files in data/cases are small ones of those kinds."""

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit import InputError, read_csv

CASES = Path(__file__).parent / "data/cases"
REAL = Path(__file__).parents[2] / "shared/data/zorowitz2023_3arm/data.csv"
HEAD = "episode,choice,reward\n"
PLAIN = HEAD + "a,0,1\na,1,0\nb,1,1\n"
BLOCKS = "episode,block,trial,choice,reward\n"
COUNTED = "episode,trial,choice,reward\n"


def write(folder, text, name="trials.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path, **settings):
    """The one sentence with which a file is refused."""
    with pytest.raises(InputError) as error:
        read_csv(path, **{"n_arms": 2, **settings})
    sentence = str(error.value)
    assert "\n" not in sentence and "expected" in sentence
    assert "found" in sentence or "no column" in sentence
    return sentence


# ---- The files that people have --------------------------------------------------------------------------------------

# The thirty trials of caps.csv, in other clothes; the factor is that of their rewards.
SAME = {
    "bool_reward.csv": ({}, 1, "rewards True and False read as 1 and 0"),
    "comment_first.csv": ({}, 1, "1 comment line before the header left out"),
    "decimal_comma_quoted.csv": ({}, 0.5, "decimal comma"),
    "excel_de.csv": ({}, 0.5, "semicolon-separated UTF-8 text"),
    "hbayes_tab.txt": (
        {"columns": {"episode": "subjID", "reward": "outcome"}, "first_arm": 1},
        1,
        "tab-separated UTF-8 text",
    ),
    "ibl_codes.csv": ({"arms": [-1, 1]}, 1, "arms '-1', '1', in this order"),
    "semicolon.csv": ({}, 1, "semicolon-separated UTF-8 text"),
    "space_header.csv": ({}, 1, "comma-separated UTF-8 text"),
    "tab.tsv": ({}, 1, "tab-separated UTF-8 text"),
    "tapas_1based.csv": ({"first_arm": 1}, 1, "arms numbered from 1"),
    "text_arms.csv": ({"arms": ["left", "right"]}, 1, "arms 'left', 'right', in this order"),
    "trailing_blank.csv": ({}, 1, "2 empty rows at the end left out"),
    "trailing_commas.csv": ({}, 1, "2 empty rows at the end left out"),
    "utf16.csv": ({}, 1, "comma-separated UTF-16 text"),
    "block_column.csv": ({"columns": {"session": "block"}}, 1, "column 'block' is the session"),
    "step_restarts_per_block.csv": ({"columns": {"step": None}}, 1, "columns not read: 'step'"),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_trials_in_another_form_are_the_same_data(name):
    settings, factor, note = SAME[name]
    plain, data = read_csv(CASES / "caps.csv", n_arms=2), read_csv(CASES / name, n_arms=2, **settings)
    assert data.name == name.split(".")[0] and note in data.notes
    np.testing.assert_array_equal(data.choices, plain.choices)
    np.testing.assert_array_equal(data.rewards, factor * plain.rewards)
    blocks = name == "block_column.csv"
    np.testing.assert_array_equal(np.flatnonzero(data.starts), [0, 10, 20] if blocks else [0])


@pytest.mark.parametrize(
    ("name", "settings", "code"),
    [
        ("missing_NA.csv", {}, "#N/A"),
        ("missing_NaN.csv", {}, "NaN"),
        ("missing_dot.csv", {"missing": ["."]}, "."),
        ("missing_minus99.csv", {"missing": [-99]}, "-99"),
    ],
)
def test_missing_codes(name, settings, code):
    plain, data = read_csv(CASES / "caps.csv", n_arms=2), read_csv(CASES / name, n_arms=2, **settings)
    np.testing.assert_array_equal(np.flatnonzero(data.choices < 0), [5])
    others = np.arange(30) != 5
    np.testing.assert_array_equal(data.choices[0, others], plain.choices[0, others])
    np.testing.assert_array_equal(data.rewards[0], np.where(others, plain.rewards[0], 0))
    assert f"missed trials: '{code}'" in data.notes


def test_signed_feedback_is_kept():
    plain, data = (read_csv(CASES / f"{name}.csv", n_arms=2, arms=arms) for name, arms in
                   (("caps", None), ("ibl_signed_feedback", [-1, 1])))  # fmt: skip
    np.testing.assert_array_equal(data.choices, plain.choices)
    np.testing.assert_array_equal(data.rewards, 2 * plain.rewards - 1)


@pytest.mark.parametrize("first_arm", [0, 1])
def test_the_first_arm_can_be_said(first_arm):
    data = read_csv(CASES / "one_based_3arm_12only.csv", n_arms=3, first_arm=first_arm)
    np.testing.assert_array_equal(np.unique(data.choices), [1 - first_arm, 2 - first_arm])


@pytest.mark.parametrize(
    ("name", "n_arms", "nll", "beta", "rel"),
    [
        ("cents_10000.csv", 3, 41.916407, 0.000433393, 1e-4),
        ("win_stay_lose_shift_01.csv", 2, 11.783502, 20.0, 0),
    ],
)
def test_what_is_read_has_the_known_optimum(name, n_arms, nll, beta, rel):
    """nats of `forgetting`, by an independent search: a grid over alpha, bounded search over beta, polish."""
    fit = bf.fit(read_csv(CASES / name, n_arms=n_arms), "forgetting", "profile").iloc[0]
    assert fit.nll == pytest.approx(nll, abs=1e-6) and fit.beta.item() == pytest.approx(beta, rel=rel)


@pytest.mark.parametrize(
    ("name", "n_arms", "line"),
    [
        ("all_missed.csv", 2, "1 episode of 10 steps, 2 arms, 10 missed trials, 1 session, no choice"),
        ("arms50.csv", 50, "1 episode of 200 steps, 50 arms, 0 missed trials, 1 session, rewards 0 to 1"),
        ("base.csv", 2, "1 episode of 60 steps, 2 arms, 0 missed trials, 1 session, rewards 0 to 1"),
        ("constant_reward_0.csv", 3, "1 episode of 80 steps, 3 arms, 0 missed trials, 1 session, rewards 0 to 0"),
        ("negative_minus100_100.csv", 3, "1 episode of 80 steps, 3 arms, 0 missed trials, 1 session, rewards -100 to 100"),
        ("one_trial.csv", 2, "1 episode of 1 step, 2 arms, 0 missed trials, 1 session, rewards 1 to 1"),
    ],
)
def test_plain_files(name, n_arms, line):
    assert repr(read_csv(CASES / name, n_arms=n_arms)) == f"<Dataset '{name[:-4]}': {line}>"


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("ibl_codes.csv", {}, ["row 2", "column 'choice'", "'-1'", "arms=[-1, 1]", "missing=[-1]"]),
        ("ibl_signed_feedback.csv", {}, ["row 2", "column 'choice'", "'-1'", "arms=[-1, 1]", "missing=[-1]"]),
        ("one_based_3arm_12only.csv", {"n_arms": 3}, ["column 'choice'", "1, 2 alone", "first_arm=0", "first_arm=1"]),
        ("tapas_1based.csv", {}, ["row 18, column 'choice': found '2'", "say first_arm=1"]),
        ("hbayes_tab.txt", {}, ["tab-separated", "columns={'episode': 'subjID', 'reward': 'outcome'}"]),
        ("block_column.csv", {}, ["'block'", "columns={'session': 'block'}", "columns={'session': None}"]),
        ("step_restarts_per_block.csv", {}, ["row 12, column 'step': found '1'", "row 11", "starts again", "'session'"]),
        (
            "trial_unsorted.csv",
            {},
            ["'trial'", "'1' in row 3 after '3'", "columns={'step': 'trial'}", "columns={'step': None}"],
        ),
        ("trial_unsorted.csv", {"columns": {"step": "trial"}}, ["row 3, column 'trial': found '1'", "row 2", "in the order"]),
        ("dup_trials_nostep.csv", {}, ["'trial'", "'2' in row 4 after '2'", "columns={'step': 'trial'}"]),
        ("dup_trials_nostep.csv", {"columns": {"step": "trial"}}, ["row 4, column 'trial': found '2'", "row 3", "twice"]),
        ("session_not_contig.csv", {}, ["row 4, column 'session': found '1'", "row 2"]),
        ("missing_dot.csv", {}, ["row 7, column 'choice': found '.'", "missing=['.']"]),
        ("missing_minus99.csv", {}, ["row 7, column 'choice': found '-99'", "missing=[-99]"]),
        ("text_arms.csv", {}, ["row 2, column 'choice': found 'left'", "arms=['left', 'right']"]),
        ("ids_float.csv", {}, ["row 3, column 'episode': found '1.0'", "'1' in row 2"]),
        ("ids_odd.csv", {}, ["row 8, column 'episode': found '7'", "' 7' in row 7"]),
        ("ids_unicode_norm.csv", {}, ["row 3, column 'episode'", r"'Zoe\u0308'", r"'Zo\xeb' in row 2"]),
        ("interleaved.csv", {}, ["row 4, column 'episode': found 's0'", "row 2", "columns={'step': ...}"]),
    ],
)
def test_files_that_leave_a_question_open_are_refused(name, settings, words):
    sentence = refusal(CASES / name, **settings)
    assert sentence.startswith(str(CASES / name)) and all(word in sentence for word in words), sentence


def test_odd_names_are_read_as_they_stand(tmp_path):
    text = (CASES / "ids_odd.csv").read_text().replace(" 7,0,1\n", "").replace("007", "=1+1")
    names = ["Doe, J.", 'a "q"', "../../etc/x", "被験者1", "7", "=1+1"]
    np.testing.assert_array_equal(read_csv(write(tmp_path, text), n_arms=2).ids, names)


# ---- What a file may look like ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "settings", "note"),
    [
        (PLAIN.encode("utf-8-sig"), {}, "comma-separated UTF-8 text"),
        (b"\xfe\xff" + PLAIN.encode("utf-16-be"), {}, "comma-separated UTF-16 text"),
        (PLAIN.encode("utf-32"), {}, "comma-separated UTF-32 text"),
        (PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}, "comma-separated utf-16-le text"),
        (gzip.compress(PLAIN.encode(), mtime=0), {}, "comma-separated UTF-8 text, gzip"),
        (PLAIN.replace(",", "|"), {"separator": "|"}, "'|'-separated UTF-8 text"),
        (PLAIN.replace(",", " "), {"separator": " "}, "' '-separated UTF-8 text"),
        ("sep=;\n" + PLAIN.replace(",", ";"), {}, "semicolon-separated UTF-8 text"),
        ("episode;choice;reward;rt,ms\na;0;1;5\na;1;0;5\nb;1;1;\n", {}, "columns not read: 'rt,ms'"),
        (PLAIN.replace("\n", "\r"), {}, None),
        (PLAIN.replace("\n", "\r\n")[:-2], {}, None),
        ("\n\n# one\n#two\n" + PLAIN, {}, "2 comment lines before the header left out"),
        ('"episode", "choice", "reward"\n"a", "0", "1"\n"a", "1", "0"\n"b", "1", "1"\n', {}, None),
        (PLAIN.replace("\n", ",,\n"), {}, None),
        (PLAIN.replace("1\n", "1,,\n"), {}, None),
        (",episode,choice,reward\n0,a,0,1\n1,a,1,0\n2,b,1,1\n", {}, None),
        (PLAIN.replace("0", "0.0").replace("1", "1.0"), {}, None),
        (PLAIN.replace("1\n", "+1e0\n"), {}, None),
        (PLAIN.replace(",", ";").replace("0", "0,0").replace("1", "1,0"), {}, "decimal comma"),
        (PLAIN.replace(",", "\t").replace("0", "0,000").replace("1", "1,000"), {"decimal": ","}, "decimal comma"),
        (PLAIN.replace(",0\n", ",FALSE\n").replace(",1\n", ",true\n"), {}, "rewards True and False read as 1 and 0"),
        (PLAIN.replace(",0,", ",No,").replace(",1,", ",TRUE,"), {"arms": ["No", True]}, "arms 'No', 'True', in this order"),
        (PLAIN.replace("episode", " EPISODE ").replace("reward", "Reward"), {}, None),
        ("Subject ID,Trial,Choice,Points\na,1,0,1\na,2,1,0\nb,1,1,1\n",
         {"columns": {"episode": "subject id", "step": "trial", "reward": "points"}}, "column 'Subject ID' is the episode"),
        ("episode,step,choice,reward\na,1,0,1\nb,1,1,1\na,2,1,0\n", {},
         "rows of an episode that lay apart put together, as 'step' counts them"),
        (BLOCKS + "a,1,5,0,1\na,1,6,1,0\nb,1,1,1,1\n", {"columns": {"session": None, "step": None}},
         "columns not read: 'block', 'trial'"),
    ],
)  # fmt: skip
def test_read_is_what_can_be_read_in_one_way(tmp_path, content, settings, note):
    data = read_csv(write(tmp_path, content), n_arms=2, **settings)
    np.testing.assert_array_equal(data.ids, ["a", "b"])
    np.testing.assert_array_equal(data.choices, [[0, 1], [1, -1]])
    np.testing.assert_array_equal(data.rewards, [[1, 0], [1, 0]])
    assert note is None or note in data.notes


@pytest.mark.parametrize("name", ["mine.csv", "mine.tsv", "mine.TXT", "mine.csv.gz"])
def test_the_name_is_that_of_the_file(tmp_path, name):
    content = gzip.compress(PLAIN.encode(), mtime=0) if name.endswith("gz") else PLAIN
    assert read_csv(write(tmp_path, content, name), n_arms=2).name == "mine"
    assert read_csv(tmp_path / name, n_arms=2, name="other").name == "other"


@pytest.mark.parametrize(
    ("rows", "settings", "choices", "rewards"),
    [
        ("a,,\na,NA,NA\na,n/a,0\na,nan,\na,0,1\n", {}, [-1, -1, -1, -1, 0], [0, 0, 0, 0, 1]),
        ("a,0,0\na,1,1\na,2,0\n", {"missing": [0], "first_arm": 1}, [-1, 0, 1], [0, 1, 0]),  # a reward of 0 remains one
        ("a,0,0\na,1,1\na,2,0\n", {"missing": [2]}, [0, 1, -1], [0, 1, 0]),
        ("a,-1,0\na,0,1\na,1,1\n", {"missing": [-1]}, [-1, 0, 1], [0, 1, 1]),
        ("a,-1,-1\na,0,0\na,1,1\n", {"missing": [0], "arms": [-1, 1]}, [0, -1, 1], [-1, 0, 1]),
        ("a,-1,-1\na,0,-1\na,1,1\n", {"missing": {"choice": [0], "reward_if_missed": [-1]}, "arms": [-1, 1]},
         [0, -1, 1], [-1, 0, 1]),  # what was shown for not choosing
        ("a,1,-1\na,-1,-99\na,2,1\n", {"missing": {"choice": [-1], "reward": [-99]}, "first_arm": 1}, [0, -1, 1], [-1, 0, 1]),
        ("a,0,1\na,-99.0,-99\na,1,2\n", {"missing": ["-99"]}, [0, -1, 1], [1, 0, 2]),
        ("a,left,1\na,timeout,\na,right,0\n", {"arms": ["right", "left"], "missing": ["timeout"]}, [1, -1, 0], [1, 0, 0]),
        ("a,1,1\na,,\n", {}, [1, -1], [1, 0]),  # one arm alone is chosen
    ],
)  # fmt: skip
def test_codings(tmp_path, rows, settings, choices, rewards):
    data = read_csv(write(tmp_path, HEAD + rows), n_arms=2, **settings)
    np.testing.assert_array_equal(data.choices[0], choices)
    np.testing.assert_array_equal(data.rewards[0], rewards)


def test_one_arm_alone_is_said_not_to_show_the_numbering(tmp_path):
    data = read_csv(write(tmp_path, HEAD + "a,1,1\na,1,0\n"), n_arms=2)
    assert "arms numbered from 0, which the one arm chosen, 1, does not show" in data.notes


def test_sessions_missed_trials_and_lengths(tmp_path):
    lines = ["session,choice,subject,won,other", "1,0,b,1,", "1,,b,,", "2,-1,b,0,", "2,2.0,b,-0.5,", "2,1,a,0,"]
    path = write(tmp_path, "\r\n".join(lines) + "\r\n")
    data = read_csv(path, n_arms=3, columns={"episode": "subject", "reward": "won"}, missing=[-1])
    assert data.name == "trials"
    np.testing.assert_array_equal(data.ids, ["b", "a"])
    np.testing.assert_array_equal(data.n_steps, [4, 1])
    np.testing.assert_array_equal(data.choices, [[0, -1, -1, 2], [1, -1, -1, -1]])
    np.testing.assert_array_equal(data.rewards, [[1, 0, 0, -0.5], [0, 0, 0, 0]])
    np.testing.assert_array_equal(data.starts, [[True, False, True, False], [True, False, False, False]])
    assert data.model is data.bounds is data.truth is None
    assert repr(data) == (
        "<Dataset 'trials': 2 episodes of 1 to 4 steps, 3 arms, 2 missed trials, 3 sessions, rewards -0.5 to 1>"
    )
    assert data.notes == (
        "comma-separated UTF-8 text",
        "column 'subject' is the episode",
        "column 'won' is the reward",
        "columns not read: 'other'",
        "arms numbered from 0",
        "missed trials: empty, '-1'",
        "traces decay over 2 missed trials",
    )


def test_steps_begin_anew_in_each_session(tmp_path):
    rows = "a,1,1,0,1\na,1,2,1,0\na,2,1,0,0\na,2,2,0,0\nb,2,7,0,0\n"
    data = read_csv(write(tmp_path, BLOCKS + rows), n_arms=2, columns={"session": "block", "step": "trial"}, name="mine")
    np.testing.assert_array_equal(data.n_steps, [4, 1])
    np.testing.assert_array_equal(data.starts[0], [True, False, True, False])


def test_people_sorted_by_block_are_put_together_where_trials_are_counted(tmp_path):
    rows = "a,1,1,0,1\nb,1,1,1,0\na,2,1,1,1\na,2,2,0,0\nb,2,1,0,1\n"
    data = read_csv(write(tmp_path, BLOCKS + rows), n_arms=2, columns={"session": "block", "step": "trial"})
    np.testing.assert_array_equal(data.choices, [[0, 1, 0], [1, 0, -1]])
    np.testing.assert_array_equal(data.starts, [[True, True, False], [True, True, False]])


def test_what_a_simulator_wrote_is_read_back(tmp_path):
    data = bf.simulate("six", "forgetting", p_reward=(0.8, 0.2), p_switch=0, n_episodes=6, n_steps=9, seed=1, beta=((0, 5),))
    rows = [f"{e},{y},{u}" for e, y, u in zip(np.repeat(data.ids, 9), data.choices.flat, data.rewards.flat, strict=True)]
    read = read_csv(write(tmp_path, "\n".join(["\ufeffepisode,choice,reward", *rows])), n_arms=2)
    for name in ("choices", "rewards", "starts", "n_steps", "ids"):
        np.testing.assert_array_equal(getattr(read, name), getattr(data, name))


@pytest.mark.skipif(not REAL.exists(), reason="the published people's data are not beside the project, in ../shared/data")
def test_published_people_are_read():
    """406 people, 6 blocks of 15 trials (Zorowitz et al. 2023, doi 10.1038/s41562-023-01640-7)."""
    data = read_csv(REAL, n_arms=3, columns={"episode": "subject", "reward": "outcome", "session": "block", "step": "trial"})
    assert data.choices.shape == (406, 90) and (data.n_steps == 90).all() and (data.choices >= 0).all()
    np.testing.assert_array_equal(np.flatnonzero(data.starts[0]), np.arange(0, 90, 15))


# ---- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "trials.csv: found an empty file, expected a header and one row per trial"),
        (" \n,,\n", "trials.csv: found an empty file, expected a header and one row per trial"),
        (HEAD, "trials.csv: found only a header, expected a header and one row per trial"),
        (HEAD + ",,\n,,\n", "trials.csv: found only a header"),
        # bytes
        (HEAD.encode() + b"a,0,1\n\xff,0,1\n", "row 3: found the byte 0xff, expected UTF-8 text; if it is in another encoding,"
         " say which, such as encoding='cp1252'"),
        (PLAIN.encode("utf-16-le"), "row 1: found bytes of value zero, expected UTF-8 text; a text in UTF-16"),
        (PLAIN.encode("utf-16")[:-1], "found the byte 0x0a, expected UTF-16 text"),
        ((HEAD + "a\0,0,1\n").encode("utf-16"), "row 2: found a NUL character, expected UTF-16 text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "found bytes of value zero, expected UTF-8 text"),
        (b"PK\x03\x04", "found an Excel workbook or another zip archive, expected a file of separated text"),
        (b"\xd0\xcf\x11\xe0", "found an old Excel workbook"),
        (b"PAR1", "found a damaged Parquet file"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], "found a damaged gzip file"),
        # separators
        (PLAIN.replace(",", "|"), "row 1: found the header 'episode|choice|reward', expected names separated by comma,"
         " semicolon or tab; if another character separates them, say which, such as separator='|'"),
        ("episode;choice;reward,cents\na;0;1\n", "in which comma and semicolon could separate the names, expected one that"
         " does; say which, such as separator=','"),
        # headers
        ("a,0,1\na,1,0\n", "row 1: no column 'episode' (for the episode) and no column 'choice' (for the choice) and no column"
         " 'reward' (for the reward); found 'a', '0', '1', expected comma-separated names, among them these"),
        ("episode,choice,win\na,0,1\n", "row 1: no column 'reward' (for the reward); found 'episode', 'choice', 'win',"
         " expected comma-separated names, among them this one (`columns`, in a study under `reading`, maps others,"
         " such as columns={'reward': 'win'})"),
        ("episode,choice,choice,reward\na,0,0,1\n", "row 1: found column 'choice' 2 times, expected each column once"),
        ("episode,choice,Choice,reward\na,0,0,1\n", "row 1: found columns 'choice', 'Choice', expected each column once"),
        ("episode,cue,choice,reward\na,x,0,1\na,y,1,0\n", "row 1: found the column 'cue', a usual name for the state"),
        (COUNTED + "a,1,0,1\n", "row 1: found the column 'trial', a usual name for the step (the order of the trials), which"
         " nothing uses, expected to be told: columns={'step': 'trial'} to use it, columns={'step': None} to leave it"),
        (BLOCKS + "a,1,1,0,1\n", "columns={'session': 'block', 'step': 'trial'} to use it"),
        (COUNTED.replace("trial", "Session_ID") + "a,1,0,1\n", "columns={'session': 'Session_ID'} to use it"),
        (COUNTED.replace("trial", "run") + "a,1,0,1\n", "columns={'session': 'run'} to use it"),
        (COUNTED.replace("trial", "blocks.thisN") + "a,1,0,1\n", "columns={'session': 'blocks.thisN'} to use it"),
        (COUNTED.replace("trial", "Trial Number") + "a,1,0,1\n", "columns={'step': 'Trial Number'} to use it"),
        (COUNTED.replace("trial", "trial_in_block") + "a,1,0,1\n", "columns={'step': 'trial_in_block'} to use it"),
        # rows
        (HEAD + "a,0,1\na,0\n", "row 3: found 2 cells (is the file cut off?), expected 3 as in the header"),
        (HEAD + "a,0\na,0,1\n", "row 2: found 2 cells, expected 3 as in the header"),
        (PLAIN + "b", "row 5: found 1 cell (is the file cut off?), expected 3"),
        (PLAIN + '"b,0,1\n', "row 5: found a quotation mark that is never closed, expected comma-separated cells"),
        (HEAD + 'a,0,1\n"b"c,0,1\n', "row 3: found ',' expected after '\"', expected comma-separated cells"),
        (HEAD + "a,0," + "1" * 200_000, "row 2: found field larger than field limit"),
        (HEAD + "a,0,0,5\n", "row 2: found 4 cells, expected 3 as in the header; a decimal comma needs quotation marks"),
        ("episode,choice,reward,\na,0,0,5\n", "row 2: found '5' in column 4, which has no name, expected cells"),
        (HEAD + "a,0,1\n\na,0,1\n", "row 3: found an empty row between others, expected one row per trial"),
        (HEAD + "a,0,1\n,,\na,0,1\n", "row 3: found an empty row between others"),
        (HEAD + "a,0,1\n# pause,,\na,0,1\n", "row 3, column 'episode': found '# pause' in a row that begins with '# pause'"),
        # choices
        (HEAD + "a,0.5,1\na,0,1\n", "row 2, column 'choice': found '0.5', expected an arm from 0 to 2, or empty or NA"),
        (HEAD + "a,1_0,1\n", "row 2, column 'choice': found '1_0', expected an arm"),
        (HEAD + "a,０,1\n", "row 2, column 'choice': found '０', expected an arm"),
        (HEAD + "a,0x1,1\n", "row 2, column 'choice': found '0x1', expected an arm"),
        (HEAD + "a,-2,1\na,-2,1\n", "found '-2', expected an arm from 0 to 2, or empty or NA for a missed trial; where -2 marks"
         " a missed trial, say missing=[-2] (2 such rows in all)"),
        (HEAD + "a,0,1\na,99,\n", "row 3, column 'choice': found '99', expected an arm from 0 to 2, or empty or NA for a missed"
         " trial; where 99 marks a missed trial, say missing=[99]"),
        (HEAD + "a,1,1\na,3,1\na,-9,\n", "row 4, column 'choice': found '-9'"),
        (HEAD + "a,1,1\na,3,1\n", "row 3, column 'choice': found '3', expected an arm from 0 to 2, or empty or NA for a missed"
         " trial: the arms seem to be numbered 1 to 3; if so, say first_arm=1"),
        (HEAD + "a,0,1\na,3,1\n", "trial: if 0 marks a missed trial and the arms are 1 to 3, say missing=[0] and first_arm=1;"
         " if 3 marks one, say missing=[3]; if there are 4 arms, say n_arms=4"),
        (HEAD + "a,-1,1\na,0,1\na,1,1\n", "row 2, column 'choice': found '-1', expected an arm from 0 to 2, or empty or NA for"
         " a missed trial: if -1 is an arm (left, say), say arms=[-1, 0, 1]; if -1 marks a missed trial, say missing=[-1]"),
        (HEAD + "a,-1,0\na,0,1\n", "where -1 marks a missed trial, say missing=[-1]"),
        (HEAD + "a,1,0\na,2,1\n", "row 2, column 'choice': found '1', expected choices that show how the 3 arms are numbered,"
         " which 1, 2 alone do not; say first_arm=0 if they are 0 to 2, first_arm=1 if they are 1 to 3"),
        (HEAD + "a,None,\na,0,1\n", "row 2, column 'choice': found 'None', expected an arm from 0 to 2, or empty or NA for a"
         " missed trial; if a word marks a missed trial, say which, such as missing=['None']"),
        (HEAD + "a,C,1\na,A,1\na,B,1\n", "if the arms have names, say them in their order, such as arms=['A', 'B', 'C']"),
        (HEAD + "a,C,1\na,A,1\n", "if the arms have names (found ['A', 'C']), say those of all 3 in their order, arms=[...]"),
        # rewards
        (HEAD + "a,0,\n", "row 2, column 'reward': found '', expected a number, as a choice was made"),
        (HEAD + "a,0,NA\n", "row 2, column 'reward': found 'NA', expected a number, as a choice was made"),
        *((HEAD + f"a,0,{cell}\n", f"row 2, column 'reward': found '{cell}', expected a finite number without unit")
          for cell in ("yes", "inf", "-Infinity", "1e999", "50%", "5 €", "−1", "1 000", ".", "1'000")),
        (HEAD + 'a,0,"1.234,5"\n', "row 2, column 'reward': found '1.234,5', expected a finite number"),
        (HEAD + 'a,0,"1,000"\n', "row 2, column 'reward': found '1,000', expected a number that can be read in one way: say"
         " decimal=',' if this has three decimals"),
        ("episode;choice;reward\na;0;1.000\n", "found '1.000', expected a number that can be read in one way: say decimal='.'"),
        ("episode;choice;reward\na;0;0,5\na;0;0.5\n", "row 2, column 'reward': found '0,5', and '0.5' in row 3, expected one"),
        (HEAD + "a,0,True\na,0,2\n", "row 2, column 'reward': found 'True', expected numbers alone, or True and False alone"),
        (HEAD + "a,0,1\na,,1\n", "row 3, column 'reward': found '1', expected 0 or a missing code, as the trial was missed"),
        # names
        (HEAD + ",0,1\n", "row 2, column 'episode': found '', expected the name of an episode"),
        (HEAD + "NA,0,1\n", "row 2, column 'episode': found 'NA', expected the name of an episode"),
        (HEAD + "a\x07,0,1\n", r"row 2, column 'episode': found 'a\x07', expected a name without control or lost characters"),
        (HEAD + '"a\nb",0,1\n', r"row 2, column 'episode': found 'a\nb', expected a name without control or lost characters"),
        (HEAD + "a\ufffd,0,1\n", "row 2, column 'episode': found 'a\ufffd', expected a name without control or lost"),
        (HEAD + "a\0,0,1\n", "row 2: found bytes of value zero"),
        *((HEAD + f"{one},0,1\nx,0,1\n{other},0,1\n", f"row 4, column 'episode': found '{other.strip()}' (as '{other}'), and"
           f" '{one}' in row 2, expected episodes whose names differ in more than their form")
          for one, other in (("7", "7.0"), ("7", "007"), ("7", "7e0"), ("S1", "s1"), ("s", "s "), ("s 1", "s  1"))),
        (HEAD + 'A 1,0,1\nA\u00a01,0,1\n', r"row 3, column 'episode': found 'A\xa01' (as 'A\xa01'), and 'A 1' in row 2"),
        (HEAD + 'A1,0,1\nA\u200b1,0,1\n', r"found 'A\u200b1' (as 'A\u200b1'), and 'A1' in row 2"),
        (HEAD + "a,0,1\nb,0,1\na,0,1\n", "row 4, column 'episode': found 'a', met before up to row 2, expected the rows of an"
         " episode together, or a column that counts its trials"),
        ("episode,choice,reward,session\na,0,1,\n", "row 2, column 'session': found '', expected the name of a session"),
        ("episode,choice,reward,session\na,0,1,1\na,0,1,1.0\n", "row 3, column 'session': found '1.0' (as '1.0'), and '1' in"),
        ("episode,choice,reward,session\na,0,1,1\na,0,1,2\na,0,1,1\n", "row 4, column 'session': found '1', met before up to"
         " row 2, expected the rows of a session together"),
        # steps
        ("episode,choice,reward,step\na,0,1,1\na,0,1,3\n", "row 3, column 'step': found '3', expected 2, one more than in row"
         " 2, the one before in the same session: a trial is absent"),
        ("episode,choice,reward,step\na,0,1,2\na,0,1,2\n", "found '2', expected 3, one more than in row 2, the one before in"
         " the same session: a trial stands there twice"),
        ("episode,choice,reward,step\na,0,1,2\na,0,1,1\n", "found '1', expected 3, one more than in row 2, the one before in"
         " the same session: the rows of a session stand in the order of its trials"),
        ("episode,choice,reward,step\na,0,1,1\na,0,1,2\na,0,1,1\n", "the count starts again: if traces are reset"),
        ("episode,choice,reward,step\na,0,1,1\nb,0,1,1\na,0,1,3\n", "row 4, column 'step': found '3', expected 2, one more than"
         " in row 2"),
        ("episode,choice,reward,step\na,0,1,1.5\n", "row 2, column 'step': found '1.5', expected an integer"),
        ("episode,choice,reward,step\na,0,1,\n", "row 2, column 'step': found '', expected an integer"),
    ],
)  # fmt: skip
def test_a_file_that_is_refused(tmp_path, content, words):
    path = write(tmp_path, content)
    sentence = refusal(path, n_arms=3)
    assert sentence.startswith(str(path)) and words in sentence, sentence


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        ("a,0,1\n", {"columns": {"subject": "episode"}}, "columns: found the key 'subject', expected some of episode, choice"),
        ("a,0,1\n", {"columns": {"choice": None}}, "columns: found None for the choice, expected the name of a column"),
        ("a,0,1\n", {"columns": {"session": 3}}, "columns: found 3 for the session, expected the name of a column, or None"),
        ("a,0,1\n", {"columns": ["session"]}, "columns: found ['session'], expected names of columns by role"),
        ("a,0,1\n", {"columns": {"session": "episode"}}, "columns: found 'episode' for episode and session, expected a column"),
        ("a,0,1\n", {"columns": {"session": "session"}}, "row 1: no column 'session' (for the session); found 'episode'"),
        ("a,0,1\n", {"first_arm": "1"}, "first_arm: found '1', expected the number of the first arm"),
        ("a,0,1\n", {"first_arm": True}, "first_arm: found True, expected the number of the first arm"),
        ("a,0,1\n", {"first_arm": 0, "arms": [0, 1]}, "first_arm: found 0 beside arms=[0, 1], expected one of the two"),
        ("a,0,1\n", {"arms": "ab"}, "arms: found 'ab', expected the codes of the arms in their order"),
        ("a,0,1\n", {"arms": {0, 1}}, "arms: found {0, 1}, expected the codes of the arms in their order"),
        ("a,0,1\n", {"arms": [1, "1.0"]}, "arms: found [1, '1.0'], expected the codes of the arms in their order, none twice"),
        ("a,0,1\n", {"arms": ["left", ""]}, "arms: found ['left', ''], expected the codes of the arms"),
        ("a,0,1\n", {"arms": ["a", "b", "c"]}, "arms: found 3 codes, expected 2, as n_arms says"),
        ("a,0,1\n", {"missing": -1}, "missing: found -1, expected a list of codes"),
        ("a,0,1\n", {"missing": "NA"}, "missing: found 'NA', expected a list of codes"),
        ("a,0,1\n", {"missing": None}, "missing: found None, expected a list of codes"),
        ("a,0,1\n", {"missing": [float("nan")]}, "missing: found [nan], expected a list of codes"),
        ("a,0,1\n", {"missing": {"step": [1]}}, "missing: found {'step': [1]}, expected a list of codes"),
        ("a,0,1\n", {"missing": [0], "first_arm": 0}, "missing: found 0, which is the code of an arm (arms numbered from 0)"),
        ("a,x,1\n", {"missing": ["x"], "arms": ["x", "y"]}, "missing: found 'x', which is the code of an arm"),
        ("a,0,1\n", {"separator": ";;"}, "separator: found ';;', expected one character"),
        ("a,0,1\n", {"decimal": ";"}, "decimal: found ';', expected '.' or ','"),
        ("a,0,1\n", {"encoding": "klingon"}, "encoding: found 'klingon', expected an encoding that Python knows"),
        ("a,0,1\n", {"encoding": "rot13"}, "encoding: found 'rot13', expected an encoding that Python knows"),
        ("a,0,1\n", {"encoding": "utf-16"}, "row 1: found the header '\\u7065"),
        ("a,0,1\n", {"missed": "skip"}, "missed: found 'skip', expected 'decay' or 'drop'"),
        ("a,0,1\n", {"missed": None}, "missed: found None, expected 'decay' or 'drop'"),
        ("a,0,1\nb,,\n", {"missed": "drop"}, "row 3, column 'episode': found 'b', expected an episode with a choice"),
        ("a,0,1\n", {"n_arms": "2"}, "n_arms: found '2', expected an integer of at least 2"),
        ("a,0,1\n", {"n_arms": 2.5}, "n_arms: found 2.5, expected an integer of at least 2"),
        ("a,0,1\n", {"n_arms": True}, "n_arms: found True, expected an integer of at least 2"),
        ("a,0,1\n", {"n_arms": 1}, "n_arms: found 1, expected an integer of at least 2"),
        ("a,1,1\na,0,1\n", {"first_arm": 1}, "row 3, column 'choice': found '0', expected an arm from 1 to 2, or empty or NA"
         " for a missed trial; where 0 marks a missed trial, say missing=[0]"),
        ("a,1,1\na,2,1\na,0,0\n", {"missing": [0]}, "row 3, column 'choice': found '2', expected an arm from 0 to 1, or empty"
         " or NA for a missed trial: the arms seem to be numbered 1 to 2; if so, say first_arm=1"),
        ("a,left,1\na,Right,1\n", {"arms": ["left", "right"]}, "row 3, column 'choice': found 'Right', expected an arm, 'left'"
         " or 'right'"),
        ("a,0,1\na,1,-99\n", {"missing": [-99]}, "row 3, column 'reward': found '-99', expected a reward, as a choice was"),
        ("a,1,-1\na,0,-1\n", {"missing": [0], "arms": [-1, 1]}, "row 3, column 'reward': found '-1', expected 0 or a missing"
         " code, as the trial was missed; if it is what people saw for not choosing"),
        ('a,0,"1,5"\n', {"decimal": "."}, "row 2, column 'reward': found '1,5', expected a finite number"),
        ("a,0,1.5\n", {"decimal": ","}, "row 2, column 'reward': found '1.5', expected a finite number"),
    ],
)  # fmt: skip
def test_a_setting_that_is_refused(tmp_path, rows, settings, words):
    sentence = refusal(write(tmp_path, HEAD + rows), **settings)
    assert words in sentence, sentence


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (None, "path: found None, expected the path of a file"),
        (3, "path: found 3, expected the path of a file"),
        (b"mine.csv", "path: found b'mine.csv', expected the path of a file"),
        (io.StringIO(PLAIN), "path: found <_io.StringIO"),
        (pd.DataFrame({"choice": [0]}), "path: found a DataFrame, expected the path of a file; bf.from_frame reads a table"),
        (CASES, f"{CASES}: found a folder, expected a file of separated text"),
        (CASES / "absent.csv", "absent.csv: no such file"),
        ("a\0b", "found no readable file"),
        ("x" * 5000, "found no readable file"),
    ],
)
def test_a_path_that_is_none(path, words):
    with pytest.raises(InputError) as error:
        read_csv(path, n_arms=2)
    assert words in str(error.value) and "\n" not in str(error.value)


# ---- Tables in memory, Parquet and presets -------------------------------------------------------------------------------


def same(one, other):
    for name in ("choices", "rewards", "starts", "n_steps", "ids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


FRAME = {"episode": ["a", "a", "b"], "session": [1, 2, 1], "choice": [1.0, np.nan, 0.0], "reward": [0.25, np.nan, 3]}


def test_a_table_in_memory_is_read_as_its_file_is(tmp_path):
    table = pd.DataFrame(FRAME, index=[7, 7, 9])
    data = bf.from_frame(table, n_arms=2, name="mine")
    assert data.name == "mine" and data.notes[0] == "table in memory"
    table.to_csv(tmp_path / "t.csv", index=False)
    same(data, read_csv(tmp_path / "t.csv", n_arms=2))
    table.to_parquet(tmp_path / "t.parquet")
    packed = read_csv(tmp_path / "t.parquet", n_arms=2)
    assert packed.name == "t" and packed.notes[0] == "Parquet table"
    same(data, packed)
    with pytest.raises(InputError, match="found a Parquet file, which has no separator and encoding"):
        read_csv(tmp_path / "t.parquet", n_arms=2, separator=";")


def test_a_table_may_hold_any_kind_of_column():
    table = pd.DataFrame(
        {
            "subject": pd.Categorical(["x", "x", "y"]),
            "arm": pd.array(["left", None, "right"], dtype="string"),
            "reward": pd.array([True, None, False], dtype="boolean"),
            "note": [object(), None, 3],
        }
    )
    data = bf.from_frame(table, n_arms=2, columns={"episode": "subject", "choice": "arm"}, arms=["left", "right"])
    assert data.choices.tolist() == [[0, -1], [1, -1]] and data.rewards.tolist() == [[1, 0], [0, 0]]
    ids = bf.from_frame(pd.DataFrame({"episode": [1.0, 2.0], "choice": [0, 1], "reward": [1, 1]}), n_arms=2).ids
    assert ids.tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"choice": [1, 5, 0]}, "table, row 1, column 'choice': found '5', expected an arm from 0 to 1"),
        ({"reward": [1, np.inf, 0]}, "table, row 1, column 'reward': found 'inf', expected a finite number"),
        ({"reward": ["1", "x", "2"]}, "table, row 1, column 'reward': found 'x'"),
        ({"Choice": [1, 0, 0]}, "table in memory: found the column 'choice' twice"),
        ({"trial": [1, 1, 1]}, "table, row 0: found the column 'trial', a usual name for the step"),
        ({"episode": ["a", "b", "a"]}, "table, row 2, column 'episode': found 'a', met before up to row 0"),
    ],
)
def test_a_table_that_is_refused(change, words):
    with pytest.raises(InputError) as error:
        bf.from_frame(pd.DataFrame(FRAME | {"choice": [1, 0, 0], "reward": [1, 0, 0]} | change), n_arms=2)
    assert words in str(error.value), str(error.value)


def test_no_table_is_refused():
    with pytest.raises(InputError, match="argument table: found .*, expected a pandas DataFrame"):
        bf.from_frame({"choice": [0]}, n_arms=2)
    with pytest.raises(InputError, match="table, row 0: no column 'episode' .*, expected names, among them"):
        bf.from_frame(pd.DataFrame({"a": [0], "b": [1]}), n_arms=2)
    with pytest.raises(InputError, match="table in memory: found no rows"):
        bf.from_frame(pd.DataFrame({"a": []}), n_arms=2)


@pytest.mark.parametrize(
    ("preset", "table", "choices"),
    [
        ("hbayesdm", {"subjID": [1, 1], "trial": [1, 2], "choice": [1, 2], "outcome": [1, -1]}, [0, 1]),
        ("hbayesdm", {"subjID": [1, 1], "block": [1, 2], "choice": [2, 2], "outcome": [1, -1]}, [1, 1]),
        ("em", {"sub": [1, 1], "c": [0, 1], "r": [1, 0]}, [0, 1]),
        (
            "aind",
            {"session_id": ["m_1", "m_1"], "animal_response": [2, 1], "earned_reward": [False, True]},
            [-1, 1],
        ),
        ("cbm", {"subject": [1, 1], "actions": [2, 1], "outcome": [1, -1]}, [1, 0]),
        (
            "palminteri",
            {"sub": [1, 1], "sta": [1, 2], "cho": [1.5, 2], "out": [0, 1], "cou": [np.nan, -1], "con": [1, 1]},
            [-1, 1],
        ),
    ],
)
def test_the_layouts_of_other_programs(preset, table, choices, tmp_path):
    data = bf.from_frame(pd.DataFrame(table), n_arms=2, preset=preset)
    assert data.choices.tolist() == [choices]
    pd.DataFrame(table).to_csv(tmp_path / "t.txt", sep="\t", index=False)
    same(data, read_csv(tmp_path / "t.txt", n_arms=2, preset=preset))
    assert (data.states is not None) == (data.foregone is not None) == ("sta" in table) and data.starts.sum() == 1 + (
        "block" in table
    )


def test_settings_go_before_those_of_a_preset():
    table = pd.DataFrame({"subjID": [1, 1], "block": [1, 2], "choice": [0, 1], "points": [1, 5]})
    given = {"columns": {"reward": "points", "session": None}, "first_arm": 0}
    data = bf.from_frame(table, n_arms=2, preset="hbayesdm", **given)
    assert data.choices.tolist() == [[0, 1]] and data.starts.tolist() == [[True, False]]
    with pytest.raises(InputError, match="preset: found 'spm', expected one of hbayesdm, em, aind, cbm, cpm, palminteri"):
        bf.from_frame(table, n_arms=2, preset="spm")
