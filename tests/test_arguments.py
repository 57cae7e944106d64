"""Wrong arguments are refused in one sentence each: which, what was found, what is expected; NumPy's right ones are taken."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from math import inf, nan
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pytest

import banditfit as bf
from banditfit.arguments import checked, conform, describe, describe_mismatch
from banditfit.data import criteria
from banditfit.experiments import calibration, draws, held_out, hierarchical, parameters, populations
from banditfit.experiments.populations import POPULATION_METHODS
from banditfit.kinds import Count, Items, Jobs, Limits, Pair, Probability, Seed, Share
from banditfit.methods import get_method
from banditfit.names import called
from banditfit.tables import coverage
from conftest import BANDIT, make

ROOT = Path(__file__).parents[1]
PLAN = BANDIT | {"p_switch": 0.05, "n_episodes": 3, "n_steps": 30, "beta": ((0.5, 4.0),)}


@pytest.fixture(scope="module")
def data():
    return make("forgetting")


@pytest.fixture(scope="module")
def fits(data):
    return bf.fit(data, "forgetting", "d_loc", seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("files")
    (path / "folder").mkdir()
    (path / "trials.csv").write_text("episode,choice,reward\na,0,1\na,1,0\n")
    (path / "latin.csv").write_bytes("episode,criterion\n0,1\né,2\n".encode("latin-1"))
    (path / "text.parquet").write_text("no table")
    (path / "short.csv").write_text("episode,criterion\n0\n")
    return path


class Hostile:
    """What no sentence may show: its repr is long and has many lines."""

    def __repr__(self):
        return "line\n" * 1000


def a_function():
    """Nothing."""


# ---- Wrong calls of every public function: the name of the call, its arguments, and what its sentence holds --------------

FIT = ("fit", lambda made, **how: bf.fit(**{"data": made.data, "model": "forgetting", "method": "d_loc", **how}))
SCORE = ("score", lambda made, **how: bf.score(**{"data": made.data, "fits": made.fits, **how}))
SIMULATE = ("simulate", lambda made, **how: bf.simulate(**{"name": "any", "model": "forgetting", **PLAN, **how}))
PUBLISHED = ("published_data", lambda made, **how: bf.published_data(**{"model": "forgetting", "bandit": "2arm", **how}))
MODEL = ("get_model", lambda made, **how: bf.get_model(**how))
BOUNDS = ("Bounds", lambda made, **how: bf.Bounds(**{"alpha": (0, 1), "beta": ((0, 20),), **how}))
SELECT = ("Dataset.select", lambda made, **how: made.data.select(**how))
SAVE = ("save_fits", lambda made, **how: bf.save_fits(**{"fits": made.fits, "path": made.folder / "fits.parquet", **how}))
LOAD = ("load_fits", lambda made, **how: bf.load_fits(**how))
LEARN = ("learn", lambda made, **how: populations.learn(**{"data": made.data, "model": "forgetting", **how}))
PARAMETERS = ("parameters", lambda made, **how: parameters.parameters(**{"data": made.data, "model": "forgetting", **how}))
HELD_OUT = (
    "held_out",
    lambda made, **how: held_out.held_out(
        **{"data": made.data, "model": "forgetting", "runs": {"gem": ("gem", {})}, "folds": 2, **how}
    ),
)
SUMMARISE = ("summarise_held_out", lambda made, **how: held_out.summarise_held_out(**how))
EXTERNAL = (
    "external_validity",
    lambda made, **how: coverage.external_validity(**{"fits": made.fits, "criterion": {"0": 1.0}, **how}),
)
VALIDITY = (
    "validity",
    lambda made, **how: coverage.validity(**{"data": made.data, "scores": made.fits.assign(run="d_loc"), **how}),
)
CRITERION = ("read_criterion", lambda made, **how: criteria.read_criterion(**{"path": "x.csv", "data": made.data, **how}))
COVERAGE = ("coverage", lambda made, **how: coverage.coverage(**{"data": made.data, "fits": made.fits, **how}))
COMPARE = ("compare", lambda made, **how: hierarchical.compare(**{"data": made.data, "model": "forgetting", **how}))
DRAWS = ("draws", lambda made, **how: draws.draws(**{"data": made.data, "row": made.fits.iloc[0], **how}))
CALIBRATE = ("calibrate", lambda made, **how: calibration.calibrate(**{"model": "forgetting", **PLAN, **how}))

WHOLE = "an integer"
NAMES = "one of certified, cvx, "
MODELS = "one of forgetting, per_arm, subrewards, rescorla_wagner, "
PLAYED = "one of forgetting, per_arm, subrewards"
BOX = 'bounds by name such as {"alpha": (0, 1), "beta": (0, 20)}, or bf.Bounds((0, 1), ((0, 20),))'
FITS = "a table of fits, as bf.fit returns it or bf.load_fits reads it"
DATA = "a Dataset, as bf.read_csv, bf.simulate and bf.published_data make it"
PATH = "the path of a file, as text or a pathlib.Path"
PAIR = "a pair of numbers (lower, upper), such as (0, 1)"

WRONG = [
    (FIT, "data", pd.DataFrame({"choice": [0, 1]}), "a table (DataFrame) of 2 rows and 1 columns", DATA),
    (FIT, "data", "trials.csv", "'trials.csv' (text)", DATA),
    (FIT, "data", None, "None", DATA),
    (FIT, "data", bf.Dataset, "the class Dataset", DATA),
    (FIT, "model", "rescorla", "'rescorla'", MODELS),
    (FIT, "model", None, "None", MODELS),
    (FIT, "model", bf.MODELS["per_arm"], "an object of type Model", MODELS),
    (FIT, "model", ["forgetting"], "['forgetting'] (a list)", MODELS),
    (FIT, "method", None, "None", NAMES),
    (FIT, "method", a_function, "the function a_function", NAMES),
    (FIT, "method", get_method("d_loc"), "an object of type Method", NAMES),
    (FIT, "method", "dloc", "'dloc'", NAMES),
    (FIT, "method", "", "''", NAMES),
    (FIT, "method", "GEM (Laplace)", "'GEM (Laplace)'", "its id, 'gem_laplace'"),
    (FIT, "method", "MAP (fixed prior)", "'MAP (fixed prior)'", "its id, 'gem_map'"),
    (FIT, "method", "d_loc.L-BFGS-B", "'d_loc.L-BFGS-B'", "'d_loc' with settings={'solver': 'L-BFGS-B'}"),
    (FIT, "episodes", "012", "'012' (text)", "a sequence of items, each an integer of at least 0"),
    (FIT, "episodes", 5, "5", "a sequence of items"),
    (FIT, "episodes", 0.5, "0.5", "a sequence of items"),
    (FIT, "episodes", True, "True (a truth value)", "a sequence of items"),
    (FIT, "episodes[1]", [0, 1.0], "1.0", "an integer of at least 0"),
    (FIT, "episodes[0]", np.array([0.5]), "0.5", "an integer of at least 0"),
    (FIT, "episodes[0]", np.array([True, False, True]), "True (a truth value)", "an integer of at least 0"),
    (FIT, "episodes[2]", (0, 1, -1), "-1", "an integer of at least 0"),
    (FIT, "episodes[0]", ["0"], "'0' (text)", "an integer of at least 0"),
    (FIT, "episodes", {0, 1}, "a set of 2 items", "a sequence of items"),
    (FIT, "episodes", {0: "a"}, "a mapping (dict) with the keys '0'", "a sequence of items"),
    (FIT, "settings", [("starts", 2)], "[('starts', 2)] (a list)", 'settings by name, such as {"starts": 5}'),
    (FIT, "settings", "starts=2", "'starts=2' (text)", 'settings by name, such as {"starts": 5}'),
    (FIT, "settings", 3, "3", 'settings by name, such as {"starts": 5}'),
    (FIT, "bounds", ((0, 1), (0, 20)), "((0, 1), (0, 20)) (a tuple)", BOX),
    (FIT, "bounds", [0, 1], "[0, 1] (a list)", BOX),
    (FIT, "bounds['alpha']", {"alpha": 1.0, "beta": (0, 20)}, "1.0", PAIR),
    (FIT, "bounds['alpha'][1]", {"alpha": (0, "1"), "beta": (0, 20)}, "'1' (text)", "a finite number"),
    (FIT, "seed", -1, "-1", "an integer from 0 to 4294967295"),
    (FIT, "seed", 1.5, "1.5", "an integer from 0 to 4294967295"),
    (FIT, "seed", 2.0, "2.0", "an integer from 0 to 4294967295"),
    (FIT, "seed", 2**70, "1180591620717411303424", "an integer from 0 to 4294967295"),
    (FIT, "seed", 10**5000, "an integer of 16610 binary digits", "an integer from 0 to 4294967295"),
    (FIT, "seed", True, "True (a truth value)", WHOLE),
    (FIT, "seed", "1", "'1' (text)", WHOLE),
    (FIT, "seed", None, "None", WHOLE),
    (FIT, "n_jobs", 0, "0", "an integer of at least 1, or -1 for all cores"),
    (FIT, "n_jobs", -2, "-2", "an integer of at least 1, or -1 for all cores"),
    (FIT, "n_jobs", "2", "'2' (text)", "an integer of at least 1, or -1 for all cores"),
    (FIT, "n_jobs", 2.0, "2.0", "an integer of at least 1, or -1 for all cores"),
    (FIT, "n_jobs", None, "None", "an integer of at least 1, or -1 for all cores"),
    (FIT, "given", "fits.parquet", "'fits.parquet' (text)", FITS),
    (FIT, "given", pd.DataFrame({"episode": [0]}), "a table without the columns 'dataset', 'model', ", FITS),
    (FIT, "given", {"episode": [0]}, "a mapping (dict) with the keys 'episode'", FITS),
    (SCORE, "data", None, "None", DATA),
    (SCORE, "fits", [1, 2], "[1, 2] (a list)", FITS),
    (SCORE, "fits", {"alpha": 1}, "a mapping (dict) with the keys 'alpha'", FITS),
    (SCORE, "fits", Path("fits.parquet"), "the path 'fits.parquet'", FITS),
    (SCORE, "fits", Hostile(), "an object of type Hostile", FITS),
    (SCORE, "bounds", (0, 1), "(0, 1) (a tuple)", BOX),
    (SIMULATE, "name", None, "None", "text"),
    (SIMULATE, "name", "a\0b", "'a\\x00b'", "text without a NUL character"),
    (SIMULATE, "name", "\ud800", "'\\ud800'", "text that can be written as UTF-8"),
    (SIMULATE, "model", "q", "'q'", PLAYED),
    (SIMULATE, "model", "dual_rates", "'dual_rates'", PLAYED),
    (SIMULATE, "p_reward", 0.5, "0.5", "a probability from 0 to 1 for each of at least 2 arms"),
    (SIMULATE, "p_reward", "0.9 0.1", "'0.9 0.1' (text)", "a probability from 0 to 1 for each of at least 2 arms"),
    (SIMULATE, "p_reward", [0.5], "[0.5] (a list)", "a probability from 0 to 1 for each of at least 2 arms"),
    (SIMULATE, "p_reward[1]", (0.5, 1.5), "1.5", "a finite number from 0 to 1"),
    (SIMULATE, "p_reward[0]", (nan, 0.5), "nan", "a finite number from 0 to 1"),
    (SIMULATE, "p_reward[1]", (0.5, None), "None", "a finite number from 0 to 1"),
    (SIMULATE, "p_reward[0]", np.ones((2, 2)), "an array of shape (2,)", "a finite number from 0 to 1"),
    (SIMULATE, "p_switch", "0.1", "'0.1' (text)", "a finite number from 0 to 1"),
    (SIMULATE, "p_switch", True, "True (a truth value)", "a finite number from 0 to 1"),
    (SIMULATE, "n_episodes", 2.5, "2.5", "an integer of at least 1"),
    (SIMULATE, "n_steps", "30", "'30' (text)", "an integer of at least 1"),
    (SIMULATE, "seed", 2**32, "4294967296", "an integer from 0 to 4294967295"),
    (SIMULATE, "initial_value", inf, "inf", "a finite number"),
    (SIMULATE, "alpha", 0.5, "0.5", PAIR),
    (SIMULATE, "alpha[0]", (nan, 1), "nan", "a finite number"),
    (SIMULATE, "beta", 5, "5", "a pair (lower, upper) for each signal, such as ((0, 20),)"),
    (SIMULATE, "beta[0][1]", ((0, "5"),), "'5' (text)", "a finite number"),
    (PUBLISHED, "model", 1, "1", PLAYED),
    (PUBLISHED, "bandit", "3arm", "'3arm'", "one of '2arm', '10arm'"),
    (PUBLISHED, "bandit", 2, "2", "one of '2arm', '10arm'"),
    (MODEL, "name", None, "None", MODELS),
    (MODEL, "name", bf.MODELS, "a mapping (Models) with the keys 'forgetting', 'per_arm', 'subrewards', ...", MODELS),
    (BOUNDS, "alpha", 1.0, "1.0", PAIR),
    (BOUNDS, "alpha", (0, 0.5, 1), "(0, 0.5, 1) (a tuple)", PAIR),
    (BOUNDS, "alpha[0]", (nan, 1), "nan", "a finite number"),
    (BOUNDS, "alpha[1]", (0, "1"), "'1' (text)", "a finite number"),
    (BOUNDS, "beta[0][1]", ((0, inf),), "inf", "a finite number"),
    (BOUNDS, "beta[0]", ((0, 1, 2),), "(0, 1, 2) (a tuple)", PAIR),
    (BOUNDS, "beta", (), "() (a tuple)", "a pair (lower, upper) for each signal"),
    (BOUNDS, "beta", "0 20", "'0 20' (text)", "a pair (lower, upper) for each signal"),
    (SELECT, "episodes", "01", "'01' (text)", "a sequence of items, each an integer of at least 0 or a slice"),
    (SELECT, "episodes[0]", [0.5], "0.5", "an integer of at least 0"),
    (SELECT, "episodes", None, "None", "a sequence of items, each an integer of at least 0 or a slice"),
    (SAVE, "fits", [1], "[1] (a list)", "a table of fits or scores"),
    (SAVE, "fits", pd.DataFrame(), "a table without rows", "a table of fits or scores"),
    (SAVE, "path", "/", "the folder '/'", PATH),
    (LOAD, "path", None, "None", PATH),
    (LOAD, "path", "/", "the folder '/'", PATH),
    (LEARN, "data", {}, "an empty dict", DATA),
    (LEARN, "method", "d_loc", "'d_loc'", "one of gem, gem_alone, gem_hard, gem_laplace, gem_logit, gem_map, gem_sampled, "),
    (LEARN, "seed", 0.0, "0.0", WHOLE),
    (PARAMETERS, "bootstrap", 1.5, "1.5", "an integer of at least 0"),
    (PARAMETERS, "bootstrap", "100", "'100' (text)", "an integer of at least 0"),
    (PARAMETERS, "settings", ["batch"], "['batch'] (a list)", "settings by name"),
    (HELD_OUT, "runs", ["gem"], "['gem'] (a list)", 'methods with their settings by name, such as {"gem": ("gem", {})}'),
    (HELD_OUT, "runs['gem']", {"gem": "gem"}, "'gem' (text)", "2 items: one of certified, "),
    (HELD_OUT, "runs['a'][0]", {"a": ("nobody", {})}, "'nobody'", NAMES),
    (HELD_OUT, "share", 1, "1", "a finite number above 0 and below 1"),
    (HELD_OUT, "share", "half", "'half' (text)", "a finite number above 0 and below 1"),
    (HELD_OUT, "folds", 1, "1", "an integer of at least 2"),
    (HELD_OUT, "folds", 2.0, "2.0", "an integer of at least 2"),
    (
        SUMMARISE,
        "table",
        pd.DataFrame({"run": [1]}),
        "a table without the columns 'dataset', 'model', 'episode', 'nll'",
        "a table as held_out.held_out returns it",
    ),
    (
        SUMMARISE,
        "table",
        pd.DataFrame({"run": [1]}),
        "a table without the columns 'dataset', 'model', 'episode', 'nll'",
        "a table as",
    ),
    (EXTERNAL, "fits", "fits", "'fits' (text)", "a table of fits or scores"),
    (
        EXTERNAL,
        "fits",
        pd.DataFrame({"id": ["a"], "model": "forgetting", "alpha": 0, "beta": 0}),
        "a table without the column 'run or method'",
        "a table",
    ),
    (EXTERNAL, "criterion", [1, 2], "[1, 2] (a list)", "a mapping (dict)"),
    (EXTERNAL, "criterion['0']", {"0": "high"}, "'high' (text)", "a number"),
    (EXTERNAL, "criterion", {0: 1.0}, "the key 0", "keys that are each text"),
    (VALIDITY, "criterion", ".", "the folder '.'", PATH),
    (CRITERION, "path", pd.DataFrame(), "a table (DataFrame) of 0 rows and 0 columns", PATH),
    (CRITERION, "data", "mine", "'mine' (text)", DATA),
    (COVERAGE, "fits", None, "None", "a table of fits or scores"),
    (COMPARE, "chains", 0, "0", "an integer of at least 1"),
    (COMPARE, "draws", 10.5, "10.5", "an integer of at least 1"),
    (
        DRAWS,
        "row",
        {"method": "mc"},
        "a mapping (dict) with the keys 'method'",
        "a row of a table of fits, such as fits.iloc[0]",
    ),
    (DRAWS, "row", pd.Series({"method": "mc"}), "a row without the columns 'model', ", "a row of a table of fits"),
    (CALIBRATE, "episodes", 3, "3", "a sequence of items"),
]


class Made:
    """What right calls are made of."""

    def __init__(self, data, fits, folder):
        self.data, self.fits, self.folder = data, fits, folder


@pytest.mark.parametrize(
    ("call", "argument", "value", "found", "expected"),
    [pytest.param(*row, id=f"{row[0][0]}-{row[1].split('[')[0]}-{number}") for number, row in enumerate(WRONG)],
)
def test_a_wrong_argument_is_refused_in_one_sentence(call, argument, value, found, expected, data, fits, folder):
    name, function = call
    with pytest.raises(bf.InputError) as error:
        function(Made(data, fits, folder), **{argument.split("[")[0]: value})
    words = str(error.value)
    assert words.startswith(f"{name}, argument {argument}: found {found}") and f", expected {expected}" in words
    assert "\n" not in words and len(words) < 500
    assert not error.value.__cause__ and error.value.__suppress_context__


@pytest.mark.parametrize(
    ("call", "wrong", "sentence"),
    [
        (FIT, {"bounds": {"alpha": (1, 0), "beta": (0, 20)}}, "bounds of alpha: found [1, 0], expected 0 <= lower <= upper"),
        (FIT, {"bounds": {"alpha": (0, 1), "beta": [(0, 1), (0, 1)]}}, "bounds of beta: found 2 pairs, model 'forgetting' "),
        (BOUNDS, {"alpha": (0, 2)}, "bounds of alpha: found [0, 2], expected 0 <= lower <= upper <= 1"),
        (BOUNDS, {"beta": (5, 0)}, "bounds of beta of signal 0: found [5, 0], expected 0 <= lower <= upper"),
        (BOUNDS, {"beta": ((0, 1), (-1, 1))}, "bounds of beta of signal 1: found [-1, 1], expected 0 <= lower <= upper"),
        (HELD_OUT, {"folds": 4}, "folds is 4, expected 2 to 3, the number of participants"),
        (DRAWS, {}, "draws: found a fit of method 'd_loc', expected 'mc'"),
    ],
)  # fmt: skip
def test_what_only_the_function_can_know_is_one_sentence_too(call, wrong, sentence, data, fits, folder):
    with pytest.raises(bf.InputError) as error:
        call[1](Made(data, fits, folder), **wrong)
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


def test_files_that_are_no_such_files(data, fits, folder):
    for call, path, words in [
        (lambda path: bf.load_fits(path), "absent.parquet", "found no such file, expected one that bf.save_fits wrote"),
        (lambda path: bf.load_fits(path), "text.parquet", "found a damaged or another file (Could not open Parquet input"),
        (
            lambda path: criteria.read_criterion(path, data),
            "absent.csv",
            "found no readable file (No such file or directory), expected a CSV",
        ),
        (lambda path: criteria.read_criterion(path, data), "latin.csv", "row 3: found the byte 0xe9, expected UTF-8 text"),
        (lambda path: criteria.read_criterion(path, data), "short.csv", "row 2: found 1 cells, expected 2"),
    ]:
        with pytest.raises(bf.InputError) as error:
            call(folder / path)
        assert str(error.value).startswith(f"{folder / path}") and words in str(error.value)
        assert "\n" not in str(error.value)


def test_missing_and_unknown_arguments_keep_pythons_own_words(data):
    with pytest.raises(TypeError, match=r"get_model\(\) missing 1 required positional argument: 'name'"):
        bf.get_model()
    with pytest.raises(TypeError, match=r"simulate\(\) got an unexpected keyword argument 'arms'"):
        bf.simulate("any", "forgetting", arms=2, **PLAN)


# ---- Right calls ----------------------------------------------------------------------------------------------------------


def test_numpy_scalars_and_arrays_are_what_pythons_are(data):
    plan = {
        "p_reward": np.array(BANDIT["p_reward"]),
        "p_switch": np.float64(0.05),
        "n_episodes": np.int64(3),
        "n_steps": np.int32(30),
        "seed": np.uint8(7),
        "beta": np.array([[0.5, 4.0]]),
        "alpha": [np.float64(0), np.int64(1)],
        "initial_value": np.int8(0),
    }
    made = bf.simulate(np.str_("small_forgetting"), np.str_("forgetting"), **plan)
    np.testing.assert_array_equal(made.choices, data.choices)
    assert made.bounds == data.bounds and type(made.bounds.alpha[0]) is float

    plain = bf.fit(data, "forgetting", "d_loc", episodes=[2, 0], settings={"starts": 2}, seed=3)
    for episodes in (np.array([2, 0]), pd.Series([2, 0]), (i for i in (2, 0)), np.array([2, 0], dtype=np.uint8)):
        fits = bf.fit(
            data,
            np.str_("forgetting"),
            np.str_("d_loc"),
            episodes=episodes,
            settings={"starts": np.int64(2)},
            bounds={"alpha": np.array([0, 1]), "beta": [[0.5, np.float64(4)]]},
            seed=np.int64(3),
            n_jobs=np.int64(1),
        )
        pd.testing.assert_frame_equal(
            fits[["episode", "nll", "settings", "seed"]], plain[["episode", "nll", "settings", "seed"]]
        )


def test_bounds_by_name_are_bounds(data):
    box = bf.Bounds((0, 1), ((0, 8),))
    assert bf.Bounds((0, 1), (0, 8)) == bf.Bounds([0, 1], [[0, 8]]) == box and box.beta == ((0.0, 8.0),)
    named = bf.fit(data, "forgetting", "profile", bounds={"alpha": (0, 1), "beta": (0, 8)})
    pd.testing.assert_series_equal(named["nll"], bf.fit(data, "forgetting", "profile", bounds=box)["nll"])
    assert bf.score(data, named, bounds={"alpha": (0, 1), "beta": (0, 8)})["admissible"].all()


def test_minus_one_is_all_cores(data):
    assert conform(-1, Jobs, "n_jobs") >= 1
    one, all_cores = (bf.fit(data, "forgetting", "profile", n_jobs=n_jobs) for n_jobs in (1, -1))
    pd.testing.assert_series_equal(one["nll"], all_cores["nll"])


# ---- The mechanism ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (int, [0, -3, np.int8(4)], [True, 2.0, "2", None, nan, np.float64(2), np.bool_(True), 1 + 0j]),
        (float, [0, 2.5, np.float32(0.5)], [True, "2", nan, inf, -inf, None, 10**400, [1.0], 1j, np.datetime64(1, "s")]),
        (Real, [nan, inf, 3], [True, "nan", None]),
        (bool, [True, np.bool_(False)], [0, 1, "True", "no", None]),
        (str, ["", "a", np.str_("b")], [None, 3, b"a", "a\0", "\ud800", Path("a")]),
        (Literal["a", 1], ["a", 1, np.int64(1)], ["b", True, 1.0, None, ["a"], np.array(["a", "a"])]),
        (int | None, [None, 3], ["", False, 1.5]),
        (str | int, ["a", 3], [True, 1.5, None]),
        (Sequence[int], [[], (1, 2), range(3), np.arange(3), pd.Series([1])], ["12", 3, [1.5], {1}, {1: 2}, pd.DataFrame()]),
        (Iterable[str], [["a"], ("a" for _ in "1")], ["a", b"a", [1]]),
        (tuple[float, float], [(0, 1), [0.5, 2]], [(0,), (0, 1, 2), 3, "01", (0, nan), None]),
        (Mapping[str, float], [{}, {"a": 1}, pd.Series({"a": 1.0})], [{"a": "b"}, {1: 1.0}, [("a", 1)], None]),
        (np.ndarray, [[1, 2], [[True]], np.zeros((2, 2)), []], ["a", ["a"], [[1], [1, 2]], None, np.ma.array([1]), [None]]),
        (bf.Bounds, [bf.Bounds((0, 1), (0, 2)), {"alpha": (0, 1), "beta": (0, 2)}], [(0, 1), None, {"bias": "x"}, bf.Bounds]),
        (Any, [None, 3, "a"], []),
        (Count, [1, np.int64(5)], [0, 1.0, True]),
        (Seed, [0, 2**32 - 1], [-1, 2**32]),
        (Share, [0.5], [0, 1, 0.0, "0.5"]),
        (Probability, [0, 1, 0.5], [-1e-9, 1.1]),
        (Pair, [(0, 1)], [1]),
        (Annotated[Sequence[int], Items(2)], [[1, 2]], [[1]]),
        (Annotated[float, Limits(0.5)], [0.5, 1e300], [0.4, inf]),
    ],
)  # fmt: skip
def test_what_fits_a_kind(kind, right, wrong):
    for value in right:
        assert describe_mismatch(value, kind) is None, value
    for value in wrong:
        words = describe_mismatch(value, kind)
        assert words is not None and words.startswith("found ") and ", expected " in words and "\n" not in words, value


def test_a_function_gets_pythons_own_objects():
    got = []

    @checked
    def take(a: int, b: float = 1.0, *, c: Sequence[int] | None = None, d: Mapping[str, Any] | None = None, e=None):
        got.append((a, b, c, d, e))

    take(np.int64(1), np.float32(0.5), c=np.arange(2), d={"x": np.int64(3)}, e=np.int64(2))
    a, b, c, d, e = got[0]
    assert (a, b, c, d) == (1, 0.5, [0, 1], {"x": 3})
    assert [type(x) for x in (a, b, c, c[0], d["x"], e)] == [int, float, list, int, int, np.int64]
    take(2)
    assert got[1] == (2, 1.0, None, None, None)


def test_a_value_is_described_in_a_few_words():
    many = [Hostile(), [Hostile()] * 3, "x" * 1000, "a\nb", list(range(1000)), pd.DataFrame(np.zeros((1000, 1000))), np, np.sum]
    for value in [
        *many,
        pd.Series(["long\n"] * 99),
        np.zeros(10**5),
        {"k" * 500: 1},
        {Hostile(): 1},
        ("\n" * 50, 1),
        [[0] * 99],
    ]:
        assert "\n" not in describe(value) and len(describe(value)) < 260, describe(value)


def test_every_public_function_is_checked():
    """What a notebook calls is refused or served, never served half."""
    unchecked = {"method_names"}  # takes nothing
    for name in set(bf.__all__) - unchecked:
        public = getattr(bf, name)
        if callable(public) and name not in ("InputError", "Dataset", "read_csv", "from_frame", "ChoiceModel"):
            assert hasattr(public.__init__ if isinstance(public, type) else public, "__wrapped__"), name


# ---- Methods by the names of the table -------------------------------------------------------------------------------------


def test_the_table_names_methods():
    assert called("gem_map") == ("gem", {"prior": "fixed", "moments": "hard"})
    assert called("gem_map", {"prior": "learned", "nodes": 7}) == ("gem", {"prior": "learned", "moments": "hard", "nodes": 7})
    assert called("d_loc", {"starts": 2}) == ("d_loc", {"starts": 2})
    for name in bf.method_names():
        method, settings = called(name)
        get_method(method).read_settings(method, settings)
        assert name != method or settings == {}, "the name of a method means its defaults"
    assert {called(name)[0] for name in bf.method_names()} >= set(POPULATION_METHODS)


@pytest.mark.parametrize(("name", "method", "settings"), [
    ("gem_map", "gem", {"prior": "fixed", "moments": "hard"}),
    ("cvx_loc_log", "cvx_loc", {"start": "log-linear"}),
    ("cvx_scs", "cvx", {"conic": "SCS"}),
])  # fmt: skip
def test_what_the_guide_names_is_fitted_by_that_name(name, method, settings, data):
    named, plain = bf.fit(data, "forgetting", name, seed=2), bf.fit(data, "forgetting", method, settings=settings, seed=2)
    same = ["method", "settings", "seed", "nll", "status"]
    pd.testing.assert_frame_equal(named[same], plain[same])


def test_a_population_is_learned_by_a_name_of_the_table(data):
    named = populations.learn(data, "forgetting", "gem_laplace")
    plain = populations.learn(data, "forgetting", "gem", {"moments": "laplace"})
    np.testing.assert_array_equal(named.mu, plain.mu)


def test_an_installed_package_knows_the_names(tmp_path):
    project = tmp_path / "project"
    for name in ("config", "workflow"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", ".snakemake"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, project / name)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=project, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        held = set(file.namelist())
        file.extractall(tmp_path / "installed")
    for path in (ROOT / "workflow/banditfit").rglob("*"):
        if path.suffix in (".py", ".j2"):
            assert path.relative_to(ROOT / "workflow").as_posix() in held
    shutil.rmtree(project)
    say = "from banditfit import names; print(names.table_of_methods(), names.called('gem_map'))"
    done = subprocess.run(
        [sys.executable, "-c", say],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
    )
    assert str(tmp_path / "installed/banditfit/config/methods.tsv") in done.stdout, done.stderr
    assert "'gem', {'prior': 'fixed', 'moments': 'hard'}" in done.stdout


# ---- Tables of fits on disk -----------------------------------------------------------------------------------------------


def assert_same_tables(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(one.columns) == list(other.columns) and len(one) == len(other)
    for name in one.columns:
        for left, right in zip(one[name], other[name], strict=True):
            if isinstance(left, dict):
                assert left.keys() == right.keys()
                for key in left:
                    np.testing.assert_equal(
                        np.asarray(left[key], dtype=object).tolist(), np.asarray(right[key], dtype=object).tolist()
                    )
            else:
                np.testing.assert_equal(left, right)


@pytest.mark.parametrize("method", ["d_loc", "cvx", "quadrature", "gem", "profile"])
def test_fits_come_back_from_disk(method, data, tmp_path):
    fits = bf.fit(data, "forgetting", method)
    scores = bf.score(data, fits)
    for table, write in [
        (fits, lambda table, path: bf.save_fits(table, path)),
        (fits, lambda table, path: table.to_parquet(path)),
        (scores, lambda table, path: table.to_parquet(str(path))),
        (fits[fits["episode"] > 0], lambda table, path: table.to_parquet(path)),
        (pd.DataFrame(fits), lambda table, path: bf.save_fits(table, path)),
    ]:
        write(table, tmp_path / "table.parquet")
        back = bf.load_fits(tmp_path / "table.parquet")
        assert_same_tables(back, table)
        assert back.index.tolist() == list(range(len(table)))
    fits.to_parquet(tmp_path / "fits.parquet")
    pd.testing.assert_series_equal(bf.score(data, bf.load_fits(tmp_path / "fits.parquet"))["nll"], scores["nll"])
    assert bf.fit(data, "forgetting", "cvx_loc", given=fits)["nll"].notna().all() if method == "cvx" else True


def test_what_cannot_be_stored_or_judged_is_said(data, fits, tmp_path):
    with pytest.raises(bf.InputError, match="to_parquet: found engine, expected a path alone"):
        fits.to_parquet(tmp_path / "fits.parquet", engine="pyarrow")
    with pytest.raises(bf.InputError, match="found a column that Parquet cannot hold"):
        fits.assign(own=[Hostile(), 1, "a"]).to_parquet(tmp_path / "fits.parquet")
    with pytest.raises(bf.InputError, match="found a table with '.*' .text. in its column 'alpha' of arrays"):
        bf.score(data, fits.assign(alpha=fits["alpha"].astype(str)))
    with pytest.raises(bf.InputError, match="found a table without rows, expected a table of fits"):
        bf.score(data, fits.iloc[:0])
    with pytest.raises(bf.InputError, match="found a table without the column 'kernels', expected a table of fits"):
        bf.score(data, fits.drop(columns="kernels"))
