"""A study's configuration: what is wrong is named, and what is right becomes runs and batches."""

import copy
import shutil
from functools import cache
from pathlib import Path

import pytest
import yaml

from banditfit import InputError
from banditfit.study import config as study_config
from banditfit.study.config import load_study, read_study
from banditfit.study.jobs import jobs
from banditfit.study.provenance import sources

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "config/test.yaml").read_text())


def read(**changes):
    config = copy.deepcopy(CONFIG) | changes
    return read_study({key: value for key, value in config.items() if value is not None}, ROOT, "config/test.yaml")


def test_runs_share_jobs_unless_they_are_slow_or_have_batches_of_their_own():
    methods = ["cvx", "cvx_t", "cvx_loc", "cvx_loc_t", "cvx_log", "d_loc", "profile", "mc", "gem", "gem_map"]
    limits = {"d_loc.Nelder-Mead": {"tiny_3arm": 2}}
    study = read(methods=methods, limits=limits, draws={}, sets=None, populations={}, optima=None)
    assert jobs(study, "tiny_2arm", "forgetting") == {
        "cvx": ["cvx"],
        "mc": ["mc"],
        "quick-runs": ["cvx_t", "d_loc.L-BFGS-B", "profile", "cvx_loc_t.L-BFGS-B"],
        "population-runs": ["gem", "gem_map"],
        "d_loc.Nelder-Mead": ["d_loc.Nelder-Mead"],
        "cvx_loc_t.Nelder-Mead": ["cvx_loc_t.Nelder-Mead"],
        "after-cvx": ["cvx_loc.L-BFGS-B", "cvx_log"],
        "cvx_loc.Nelder-Mead": ["cvx_loc.Nelder-Mead"],
    }
    for case in study.cases:
        fitted = [run for shared in jobs(study, *case).values() for run in shared]
        assert sorted(fitted) == sorted(run for *keys, run in study.n_episodes if tuple(keys) == case)


def test_batches_cover_every_episode_once():
    study = read(batch=2, episodes=3)
    assert study.batches("tiny_2arm", "forgetting", "cvx") == ["0000-0001", "0002-0002"]
    assert study.batches("tiny_3arm", "subrewards", "d_loc.Nelder-Mead") == ["0000-0001"]
    assert study.given["cvx_loc.L-BFGS-B"] == "cvx"
    assert read(episodes="all", batch=100, limits={}).batches("tiny_2arm", "forgetting", "cvx") == ["0000-0005"]
    slow = read(episodes="all", batch=4, batches={"cvx": {"tiny_2arm": 2}}, limits={})
    assert slow.batches("tiny_2arm", "forgetting", "cvx") == ["0000-0001", "0002-0003", "0004-0005"]
    assert slow.batches("tiny_3arm", "subrewards", "cvx") == ["0000-0003"]
    assert slow.batches("tiny_2arm", "forgetting", "d_loc.Nelder-Mead") == ["0000-0003", "0004-0005"]


def test_every_data_set_is_fitted_with_all_models_of_the_study():
    names = ["forgetting", "dual_rates"]
    study = read(
        models=names,
        methods=["cvx", "d_loc"],
        limits={"d_loc.L-BFGS-B": {"tiny_3arm": 2}},
        draws={},
        populations={},
        optima=None,
        sets=None,
    )
    assert list(study.cases) == [(dataset, model) for dataset in ("tiny_2arm", "tiny_3arm") for model in names]
    assert study.cases["tiny_2arm", "dual_rates"].label == "forgetting, 2 arms, tiny: two learning rates"
    # Limits hold for each model, and a method that does not serve one is left out.
    assert {study.n_episodes["tiny_3arm", model, "d_loc.L-BFGS-B"] for model in names} == {2}
    assert [keys for keys in study.n_episodes if keys[2] == "cvx"] == [(d, "forgetting", "cvx") for d in study.catalogue]
    assert [entry.label for entry in read().cases.values()] == ["forgetting, 2 arms, tiny", "subrewards, 3 arms, tiny"]


def test_a_data_set_without_a_model_needs_one_of_the_study(tmp_path):
    project = tmp_path / "project"
    for folder in ("config", "workflow/schemas"):
        shutil.copytree(ROOT / folder, project / folder)
    (project / "config/mine.csv").write_text("episode,choice,reward\n" + "a,0,1\nb,1,0\nc,1,0\n")
    table = project / "config/datasets.tsv"
    row = ["mine", "mine", "-", "-", "config/mine.csv", "2", *["-"] * 6, "0 0.5", "-", "-"]
    table.write_text(table.read_text() + "\t".join(row) + "\n")
    config = copy.deepcopy(CONFIG) | {"datasets": ["mine"], "limits": {}, "draws": {}, "populations": {}, "sets": None}
    with pytest.raises(InputError, match="key 'models' is missing, and data set 'mine' has - in the column model of") as caught:
        read_study(copy.deepcopy(config), project, "test")
    assert "\n" not in str(caught.value)
    study = read_study(config | {"models": ["rescorla_wagner", "dual_rates"]}, project, "test")
    assert list(study.cases) == [("mine", "rescorla_wagner"), ("mine", "dual_rates")]


@pytest.mark.parametrize("name", ["config", "models", "paper", "psychometrics", "scale", "test"])
def test_the_configs_of_the_project_are_valid(name):
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    study = read_study(config, ROOT, name)
    assert study.runs or study.config["psychometrics"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_startz": 50}, "key 'n_startz' is not known; allowed: study, title, datasets"),
        ({"batch": None}, "key 'batch' is missing; expected how many episodes one job fits"),
        ({"batch": 0}, "batch is 0, expected how many episodes one job fits, an integer of at least 1"),
        ({"batch": "2"}, "batch is '2', expected how many episodes one job fits, an integer of at least 1"),
        ({"seed": -1}, "seed is -1, expected the integer"),
        ({"study": "a/b"}, "study is 'a/b', expected a name for the results folder"),
        ({"study": "a\n"}, r"study is 'a\\n', expected a name for the results folder"),
        ({"study": "data"}, "study is 'data', expected .* not data or benchmark, which hold other things"),
        ({"study": "Data"}, "study is 'Data', expected .* not data or benchmark"),
        ({"batch": True}, "batch is True, expected how many episodes one job fits"),
        ({"batch": 2.0}, "batch is 2.0, expected how many episodes one job fits"),
        ({"episodes": 1.0}, "episodes is 1.0, expected how many episodes"),
        ({"seed": 1.0}, "seed is 1.0, expected the integer"),
        ({"draws": {"mc": [0.0]}}, "draws.mc.0 is 0.0, expected the number of an episode"),
        ({"methods": ["cvx\nd_loc"]}, r"methods has 'cvx\\nd_loc', expected names"),
        ({"criteria": {"tiny_2arm": "../x.csv"}}, r"criteria of tiny_2arm is '../x.csv', expected a file below the project's"),
        ({"criteria": {"tiny_2arm": "/etc/passwd"}}, "criteria of tiny_2arm is '/etc/passwd', expected a file below"),
        ({"criteria": {"tiny_2arm": "config"}}, "criteria of tiny_2arm is 'config', expected a file below"),
        ({"criteria": {"tiny_2arm": "a\0b"}}, "criteria of tiny_2arm is .*, expected a file below"),
        ({"episodes": 7}, "episodes is 7, but data set 'tiny_2arm' holds 6; expected at most 6 or all"),
        ({"episodes": "some"}, "episodes is 'some', expected how many episodes.* or \"all\""),
        ({"datasets": ["tiny"]}, "datasets has 'tiny', expected names in config/datasets.tsv: forgetting_2arm"),
        ({"datasets": []}, r"datasets is \[\], expected a list of at least one name"),
        ({"figures": {"columns": 3}}, "figures.columns is 3, expected how many columns of a page a figure takes"),
        ({"figures": {"format": ["svg"]}}, "key 'format' in figures is not known; allowed: draw, formats, columns, methods"),
        ({"methods": ["d_log"]}, "methods has 'd_log', expected names in config/methods.tsv: cvx.*, d_loc"),
        ({"methods": ["cvx_loc"]}, "methods has 'cvx_loc', which starts from 'cvx'; expected that listed too"),
        ({"local_solvers": ["BFGS"]}, "local_solvers.0 is 'BFGS', expected one of SciPy's solvers Nelder-Mead"),
        ({"limits": {"d_loc": {"tiny_2arm": 1}}}, "limits has run 'd_loc', expected one of"),
        ({"limits": {"cvx": {"tiny": 1}}}, "limits of cvx has data set 'tiny'"),
        ({"limits": {"cvx": {"tiny_2arm": 0}}}, "limits.cvx.tiny_2arm is 0, expected how many episodes to fit"),
        ({"limits": {"cvx": {"tiny_2arm": 1}}}, "limits of cvx leave cvx_loc.L-BFGS-B without its start on tiny_2arm"),
        ({"batches": {"cvxx": {"tiny_2arm": 2}}}, "batches has run 'cvxx', expected one of cvx, "),
        ({"batches": {"gem": {"tiny_2arm": 2}}}, "batches has run 'gem', which fits all episodes in one; expected another run"),
        ({"batches": {"cvx": {"tiny": 2}}}, "batches of cvx has data set 'tiny', expected one listed under datasets"),
        (
            {"batches": {"cvx": {"tiny_2arm": 0}}},
            "batches.cvx.tiny_2arm is 0, expected how many episodes one job fits, an integer of at least 1",
        ),
        (
            {"optima": CONFIG["optima"] | {"models": ["q"]}},
            "optima has model 'q', expected one of config/models.tsv: forgetting",
        ),
        ({"optima": CONFIG["optima"] | {"runs": ["gem"]}}, "optima has run 'gem', expected one of cvx, "),
        (
            {"optima": CONFIG["optima"] | {"limits": {"TNC": 2}}},
            "optima.limits has 'TNC', expected one of its runs or solvers: ",
        ),
        (
            {"optima": CONFIG["optima"] | {"runs": ["hull"], "models": ["rw_lapse"]}},
            "runs has none that serves model 'rw_lapse'",
        ),
        ({"draws": {"gem": [0]}}, "draws has run 'gem', expected one of method mc: mc"),
        ({"draws": {"mc": [2]}}, "draws of mc has episode 2, expected numbers that it fits on every data set, 0 to 1"),
        ({"draws": {"mc": 0}}, "draws.mc is 0, expected a list of numbers of episodes"),
        (
            {"calibration": {"models": ["q"]}},
            "key 'episodes' in calibration is missing; expected how many episodes to simulate",
        ),
        (
            {"calibration": {"models": ["q"], "episodes": 1, "steps": 1}},
            "calibration.models.0 is 'q', expected one of forgetting",
        ),
        ({"criteria": {"tiny": "x.csv"}}, "criteria has data set 'tiny', expected one listed under datasets"),
        ({"criteria": {"tiny_2arm": "x.csv"}}, "criteria of tiny_2arm is 'x.csv', expected a file"),
        ({"populations": {"helt_out": {}}}, "key 'helt_out' in populations is not known; allowed: held_out, parameters"),
        (
            {"populations": {"study": {"runs": ["gem"]}}},
            "key 'sizes' in populations.study is missing; expected a list of numbers",
        ),
        (
            {"populations": {"parameters": {"datasets": ["tiny_2arm"], "runs": ["mc"], "bootstrap": {}}}},
            "populations.parameters has run 'mc', expected one of gem",
        ),
        (
            {
                "populations": {
                    "held_out": {"datasets": ["tiny_2arm"], "episodes": 9, "runs": ["gem"], "share": 0.5, "folds": 2}
                }
            },
            "populations.held_out: episodes is 9, expected from 2, the folds, to the",
        ),
        (
            {"populations": {"hierarchical": {"participants": 0, "steps": 10}}},
            "populations.hierarchical.participants is 0, expected how many participants it has, an integer of at least 10",
        ),
        ({"models": ["rw"]}, "models has 'rw', expected names in config/models.tsv: forgetting, per_arm"),
        ({"models": []}, r"models is \[\], expected a list of at least one id"),
        (
            {"models": ["rw_lapse"], "methods": ["cvx"], "limits": {}, "draws": {}},
            "methods has none that serves model 'rw_lapse'",
        ),
        (
            {
                "models": ["rw_lapse"],
                "methods": ["gem", "gem_shared"],
                "limits": {},
                "draws": {},
                "populations": {"parameters": {"datasets": ["tiny_2arm"], "runs": ["gem_shared"], "bootstrap": {}}},
            },
            "populations.parameters: runs has none that serves a model of data set 'tiny_2arm'",
        ),
        ({"psychometrics": {"runs": {}}}, "key 'designs' in psychometrics is missing; expected a mapping of names to what"),
        ({"datasets": None}, "key 'datasets' is missing; expected a list of at least one name"),
        ({"psychometrics": None, "datasets": None, "methods": None}, "key 'datasets' is missing; expected a list of at least"),
        ({"example": 3}, "example is 3, expected the number of an episode that every run fits, 0 to 1"),
    ],
)
def test_a_wrong_key_or_value_gets_one_sentence(changes, words):
    with pytest.raises(InputError, match=words) as caught:
        read(**changes)
    assert str(caught.value).startswith("config/test.yaml: ") and "\n" not in str(caught.value)


VALUES = [None, True, "x", "", 1.5, 1.0, -1, 0, float("nan"), float("inf"), [], {}, [[]], [None], [True], {"x": None}, {1: 2}]


def places(config, path=()):
    """The path of everything in a configuration."""
    yield path
    items = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def test_whatever_stands_in_a_place_is_right_or_gets_one_sentence(monkeypatch):
    """Values of every kind in every place of a configuration; numbers that are no integers nowhere but in `share`."""
    for name in ("read_catalogue", "read_entries"):  # whose tables stay as they are, so that they are read once
        monkeypatch.setattr(f"banditfit.study.config.{name}", cache(getattr(study_config, name)))
    whole = copy.deepcopy(CONFIG) | {"criteria": {"tiny_2arm": "LICENSE"}, "batches": {"cvx": {"tiny_2arm": 1}}}
    taken = []
    for path in list(places(whole))[1:]:
        for value in VALUES:
            config = copy.deepcopy(whole)
            inner = config
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            try:
                read_study(config, ROOT, "config/x.yaml")
                taken.append((path, value))
            except InputError as error:
                assert str(error).startswith("config/x.yaml: ") and "\n" not in str(error), (path, value)
    taken = [(path, value) for path, value in taken if value not in ([], {})]
    assert {path for path, value in taken if isinstance(value, bool | float) or value != value} <= {
        ("populations", "held_out", "share"),
        ("figures", "letters"),
        ("psychometrics", "designs", "tiny", "held_out"),
        ("psychometrics", "runs", "mdp_gem", "settings", "bellman"),
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "found no readable file .*, expected a mapping of keys to values in YAML"),
        (b"", "found an empty file, expected a mapping"),
        (b"# nothing\n", "found an empty file, expected a mapping"),
        (b"- a\n- b\n", "found a list, expected a mapping"),
        (b"study", "found a single value, expected a mapping"),
        (b"study: a\ntitle: \xe9t\xe9\n", "row 2: found the byte 0xe9, expected UTF-8 text"),
        (b"study: a\nseed: 1\nseed: 2\n", "row 3: found the key 'seed' twice, expected a mapping .*, each key once"),
        (b"limits:\n  cvx: {tiny_2arm: 1, tiny_2arm: 2}\n", "row 2: found the key 'tiny_2arm' twice"),
        (b"study: [a\ntitle: b\n", "row 2: found .*, expected a mapping"),
        (b"? [a]\n: b\n", "row 1: found unhashable key, expected a mapping"),
        (b"a: \0\n", "found .*, expected a mapping"),
        (b"study: !!python/name:os.system\n", "row 1: found .*, expected a mapping"),
    ],
)
def test_a_file_that_is_no_configuration_gets_one_sentence(tmp_path, content, words):
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        load_study(path, ROOT)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_configuration_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xef\xbb\xbf" + (ROOT / "config/test.yaml").read_bytes())
    assert load_study(tmp_path / "config.yaml", ROOT).config["study"] == "test"


@pytest.mark.parametrize("table", ["methods.tsv", "datasets.tsv"])
def test_a_table_that_cannot_be_read_gets_one_sentence(tmp_path, table):
    project = tmp_path / "project"
    shutil.copytree(ROOT / "config", project / "config")
    shutil.copytree(ROOT / "workflow/schemas", project / "workflow/schemas")
    path = project / "config" / table
    whole = path.read_bytes()
    for content, words in (
        (None, "found no readable file .*, expected a table separated by tabs"),
        (b"", "row 1: found columns none"),
        (whole + "caf\xe9".encode("latin-1"), r"row \d+: found the byte 0xe9, expected UTF-8 text"),
        (whole.replace(b"\t", b","), "row 1: found columns .*, expected"),
    ):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=words) as caught:
            load_study(project / "config/test.yaml", project)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
        path.touch()
    path.write_bytes(b"\xef\xbb\xbf" + whole)
    assert load_study(project / "config/test.yaml", project).runs


def test_criteria_outside_the_project_are_refused_wherever_links_lead(tmp_path):
    project = tmp_path / "project"
    for folder in ("config", "workflow/schemas"):
        shutil.copytree(ROOT / folder, project / folder)
    for path in (tmp_path / "own.csv", project / "own.csv"):
        path.write_text("episode,criterion\n0,1\n")
    for link, target in (("out", tmp_path / "own.csv"), ("loop", "loop.csv"), ("near", "../own.csv")):
        (project / f"config/{link}.csv").symlink_to(target)
    config = copy.deepcopy(CONFIG) | {"criteria": {"tiny_2arm": "config/near.csv"}}
    assert read_study(config, project, "test").config["criteria"]
    for path in ("../own.csv", "config/out.csv", "config/loop.csv", "config/../../own.csv"):
        with pytest.raises(InputError, match="criteria of tiny_2arm is .*, expected a file below the project's folder"):
            read_study(config | {"criteria": {"tiny_2arm": path}}, project, "test")


def test_sources_are_what_a_script_imports_and_no_more():
    needed = lambda *modules: {Path(path).relative_to(ROOT).as_posix() for path in sources("fit", *modules)}  # noqa: E731
    library = lambda *names: {f"workflow/banditfit/{name}.py" for name in names}  # noqa: E731
    names = needed("methods.d_loc")
    assert library("methods/d_loc", "solvers/local", "methods/__init__", "models/likelihood", "models/families") <= names
    assert "config/models.tsv" in names  # which the models are read from
    assert not names & library("figures/__init__", "judge", "data/reading", "methods/cvx", "__init__")
    assert library("methods/d_loc") <= needed("methods.d_loc_published")


def own(tmp_path, **changes):
    (tmp_path / "mine.csv").write_text("who,choice,reward\n" + "a,1,1\nb,2,0\nc,2,0\n")
    # As Snakemake hands over what stands on the command line.
    told = {"data": str(tmp_path / "mine.csv"), "n_arms": 2, "reading": {"columns": {"episode": "who"}, "first_arm": "1"}}
    return load_own(told | changes)


def load_own(told):
    return read_study(yaml.safe_load((ROOT / "config/own_data.yaml").read_text()) | told, ROOT, "config/own_data.yaml")


def test_a_file_named_on_the_command_line_is_a_data_set_wherever_it_lies(tmp_path):
    study = own(tmp_path)
    entry = study.catalogue["own"]
    assert entry.label == "mine" and entry.files(ROOT) == [str(tmp_path / "mine.csv")]
    assert {case.dataset for case in study.cases} == {"own"} and len(study.cases) == len(study.config["models"])
    assert set(study.n_episodes.values()) == {3}
    assert {keys[1:] for keys in study.n_episodes} == {(case.model, run) for case in study.cases for run in study.runs}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": None}, "key 'data' is missing; expected the path of a file, as in --config data=mine.csv n_arms=2"),
        ({"n_arms": None}, "key 'n_arms' is missing; expected the number of arms of "),
        ({"n_arms": 1}, "n_arms is 1, expected how many arms there are"),
        ({"data": "nowhere.csv"}, "nowhere.csv"),
        ({"reading": {}}, "episode"),
        ({"reading": {"columns": {"episode": "who"}, "first_arm": "left"}}, "reading: first_arm: found 'left'"),
        ({"reading": {"column": {"episode": "who"}}}, "reading: found 'column', expected some of columns, first_arm, arms"),
        ({"datasets": ["tiny_2arm"]}, "but datasets does not list 'own'"),
        ({"models": ["nobody"]}, "nobody"),
    ],
)
def test_what_is_wrong_with_a_file_of_ones_own_is_one_sentence(tmp_path, changes, words):
    with pytest.raises(InputError) as caught:
        own(tmp_path, **changes)
    assert words in str(caught.value) and "\n" not in str(caught.value)
