"""A study of somebody's own data: a CSV file with all that such files have, in a folder whose name has a blank, in a checkout
with changes of their own. One run, and what follows from it."""

import csv
import html
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import banditfit as bf
from banditfit.data import stored
from banditfit.study.store import read_csv, read_table
from project import ROOT, STUDY, copy_project, site, snakemake, stamps, timeless

# One run serves all of these tests, so one worker has them.
pytestmark = pytest.mark.long

# As people call their participants; one was never rewarded, so that nothing is known of its parameters.
IDS = ["O'Brien, A.", "001", "a/b", "=1+1", "Zoë <b>&amp;", "$x_1$ 50%", 'say "hi"', "../up"]
UNREWARDED = IDS[4]
LABEL = r"gain in $, 50% < a_b & {c} $\frac"
TITLE = 'Own data: "$" & <i>'
RUNS = ["cvx_t", "d_loc.L-BFGS-B", "gem", "profile"]
MODELS = {"forgetting": RUNS, "rescorla_wagner": RUNS[1:], "rw_perseveration": RUNS[1:]}  # and what serves each
CONFIG = f"""study: test
title: {json.dumps(TITLE)}
datasets: [mine, tiny_2arm]
episodes: 6
models: [forgetting, rescorla_wagner, rw_perseveration]
methods: [cvx_t, d_loc, gem, profile]
local_solvers: [L-BFGS-B]
batch: 6
batches: {{cvx_t: {{mine: 4}}}}
seed: 1
own_design: {{people: 4, repeats: 1, rewards: own, method: profile}}
criteria: {{mine: config/my traits.csv, tiny_2arm: config/tiny traits.csv}}
populations:
  held_out: {{datasets: [mine], episodes: 6, runs: [profile, gem], share: 0.5, folds: 2}}
  parameters: {{datasets: [mine], runs: [gem], bootstrap: {{}}}}
"""


def write(path: Path, rows: list[list]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def trials(rng: np.random.Generator) -> list[list]:
    """Two sessions of twenty trials each, with misses, and rewards in points up to 100."""
    rows = []
    for name in IDS:
        for session in "ab":
            value = np.zeros(2)
            for step in range(1, 21):
                if rng.random() < 0.1:
                    rows.append([name, session, step, "", ""])
                    continue
                choice = int(rng.random() < 1 / (1 + np.exp(4 * (value[0] - value[1]))))
                reward = int(rng.random() < (0.8, 0.3)[choice]) if name != UNREWARDED else 0
                value *= 0.7
                value[choice] += 0.3 * reward
                rows.append([name, session, step, choice, 100 * reward])
    return rows


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Where that study was run to its end; its data were read by a Python in the same folder."""
    project = copy_project(tmp_path_factory.mktemp("own") / "my study")
    shutil.copy(ROOT / ".gitignore", project)
    (project / ".venv").symlink_to(sys.prefix)
    rng = np.random.default_rng(3)
    write(project / "config/my data.csv", [["episode", "session", "step", "choice", "reward"], *trials(rng)])
    for name, ids in (("my", IDS), ("tiny", range(6))):
        write(project / f"config/{name} traits.csv", [["episode", "criterion"], *([id_, rng.normal()] for id_ in ids)])
    table = project / "config/datasets.tsv"
    header, *rows = table.read_text().splitlines()
    mine = {"dataset": "mine", "label": LABEL, "source": "config/my data.csv", "n_arms": "2"}
    table.write_text("\n".join([header, *rows, "\t".join(mine.get(column, "-") for column in header.split("\t"))]) + "\n")
    (project / "config/test.yaml").write_text(CONFIG)
    me = ["-c", "user.name=me", "-c", "user.email=me@home"]
    for words in (["init", "--quiet"], ["add", "."], [*me, "commit", "--quiet", "--message", "mine"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    (project / "config/paper.yaml").write_text("# a change that is not committed\n")
    snakemake(project, "results/data/mine.parquet", python=project / ".venv/bin/python")
    snakemake(project)
    return project


def test_the_study_ends_in_its_report_and_manifest(project):
    page = site(project / STUDY / "report.html")
    assert html.escape(LABEL, quote=False) in page and "<i>" not in page.split("</title>")[0]
    manifest = json.loads((project / STUDY / "manifest.json").read_text(encoding="utf-8"))
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, check=True, capture_output=True, text=True).stdout.strip()
    assert manifest["commit"] == f"{head} with uncommitted changes"
    assert {machine["commit"] for machine in manifest["machines"]} == {manifest["commit"]}
    assert manifest["config"]["title"] == TITLE
    assert (manifest["data"]["mine"]["episodes"], manifest["data"]["mine"]["steps"]) == (len(IDS), 40)
    # How the file was read, in what units, and in which box it was fitted.
    read = f"{html.escape(LABEL, quote=False)} was read from "
    box = "α in [0, 1], β in [0, 0.2]"
    boxes = f"{box} (forgetting Q-learning); with {box} (Rescorla-Wagner); with {box}, κ in [-5, 5] (Rescorla-Wagner, "
    boxes += "perseveration)"
    assert read in page and f"Its largest reward is 100; it is fitted with {boxes}, the default for" in page
    assert "CVX-T does not serve “Rescorla-Wagner” and “Rescorla-Wagner, perseveration”: it needs values that are" in page
    label = html.escape(LABEL, quote=False)
    assert all(f"{label}: {bf.get_model(model).label}</h3>" in page for model in MODELS) and "<td>κ</td>" in page


def test_everybody_has_a_row_of_every_run(project):
    held = stored.load(project / "results/data/mine.parquet")
    assert held.ids.tolist() == IDS and held.rewards.max() == 100 and (held.choices == -1).any()
    assert held.starts.sum(axis=1).tolist() == [2] * len(IDS)
    scores = read_table(project / STUDY / "scores/mine.parquet")
    keys = zip(scores["model"], scores["run"], scores["id"], strict=True)
    assert sorted(keys) == sorted((model, run, id_) for model, runs in MODELS.items() for run in runs for id_ in IDS[:6])
    fitted = scores[scores["run"] != "cvx_t"].set_index("id")
    unknown = fitted.loc[UNREWARDED, "not_identified"]
    assert len(unknown) == 9 and unknown.str.contains("alpha").all() and unknown.str.contains("beta").all()
    best = fitted[fitted["run"] == "profile"].pivot(columns="model", values="nll")
    assert (best["rw_perseveration"] <= best["rescorla_wagner"] + 1e-6).all()  # which it holds within
    kappa = fitted.loc[fitted["model"] == "rw_perseveration", "parameters"]
    assert all(set(held) == {"alpha", "beta", "kappa"} for held in kappa)
    validity = read_csv(project / STUDY / "tables/validity.csv")
    assert set(validity["dataset"]) == {"mine", "tiny_2arm"} and "truth" not in set(validity["run"])
    of_kappa = validity[validity["parameter"] == "kappa"]
    assert set(validity["model"]) == set(MODELS) and set(of_kappa["model"]) == {"rw_perseveration"}


def test_errors_against_the_truth_are_those_of_the_model_that_made_the_data(project):
    scores = read_table(project / STUDY / "scores/tiny_2arm.parquet")
    scores = scores[scores["run"] == "profile"]
    assert set(scores.loc[scores["alpha_error"].notna(), "model"]) == {"forgetting"} and scores["kl"].notna().all()
    assert set(read_csv(project / STUDY / "tables/coverage.csv")["model"]) == {"forgetting"}
    summary = read_csv(project / STUDY / "tables/summary.csv")
    assert set(map(tuple, summary[["dataset", "model"]].to_numpy())) == {(d, m) for d in ("mine", "tiny_2arm") for m in MODELS}
    population = read_csv(project / STUDY / "tables/population.csv")
    assert population.loc[population["model"] == "rw_perseveration", "parameter"].tolist() == ["alpha", "beta", "kappa"]


def test_a_users_mistake_in_a_job_is_said_in_its_sentence(project):
    path = project / "config/my traits.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"\r\n001,", b"\r\n001,x"))
    try:
        done = snakemake(project, f"{STUDY}/tables/coverage.csv", check=False)
    finally:
        path.write_bytes(before)
    words = done.stdout + done.stderr
    sentence = f"{path}, row 3: found criterion 'x"
    assert done.returncode != 0 and "Traceback" not in words
    assert [line for line in words.splitlines() if line.startswith(sentence) and line.endswith("finite number, or nothing")]


def test_what_is_deleted_is_made_anew_by_the_same_command(project):
    """Whatever is stored, the default target asks for it; of one table, that is tried."""
    fits = project / STUDY / "fits/mine/forgetting/cvx_t/0000-0003.parquet"
    before, stored = timeless(fits), stamps(project)
    fits.unlink()
    done = snakemake(project)
    assert timeless(fits) == before
    assert {path for path, when in stamps(project).items() if stored[path] != when} == {fits}
    lines = (done.stdout + done.stderr).splitlines()
    (asked,) = [line.split(": ", 1)[1] for line in lines if line.startswith("    input: ") and "report.html" in line]
    stored = {path.relative_to(project) for path in (project / "results").rglob("*") if path.is_file()}
    pages = Path(STUDY, "report")  # a folder, which is asked for as a whole
    assert {str(pages if pages in path.parents else path) for path in stored} == set(asked.split(", "))


def test_models_are_compared_and_everybody_has_parameters(project):
    tables = {name: read_csv(project / STUDY / f"tables/{name}.csv") for name in ("models", "people", "person_parameters")}
    scores = read_table(project / STUDY / "scores/mine.parquet")
    models = tables["models"][tables["models"]["dataset"] == "mine"].set_index("model")
    assert set(models.index) == set(MODELS) and models["n_people"].eq(6).all() and models["delta"].min() == 0.0
    assert models["frequency"].sum() == pytest.approx(1.0) and models["best_for"].sum() == 6
    # By the best fit of each person and model, and hand.
    best = scores[scores["admissible"]].groupby(["model", "id"])["nll"].min()
    trials = scores.groupby(["model", "id"])["guessing"].first() / np.log(2.0)
    for model, k in (("forgetting", 2), ("rescorla_wagner", 2), ("rw_perseveration", 3)):
        assert models.loc[model, "nll"] == pytest.approx(best[model].sum(), rel=1e-5)
        bic = 2.0 * best[model].sum() + k * np.log(trials[model]).sum()
        assert models.loc[model, "bic"] == pytest.approx(bic, rel=1e-5) and models.loc[model, "n_parameters"] == k
    people = tables["people"]
    assert len(people[people["dataset"] == "mine"]) == 6 * len(MODELS)
    assert people.loc[(people["id"] == UNREWARDED) & (people["model"] == "rescorla_wagner"), "guessed"].all()
    # Of one's own data alone, with all digits.
    parameters = tables["person_parameters"]
    assert set(parameters["dataset"]) == {"mine"} and set(parameters["model"]) == set(MODELS)
    rows = parameters[(parameters["method"] == "profile") & parameters["parameter"].str.startswith("alpha")]
    assert len(rows) == 6 * len(MODELS) and rows.loc[rows["id"] == UNREWARDED, "not_identified"].all()
    assert rows.loc[rows["id"] == UNREWARDED, "estimate"].isna().all() and rows["upper"].eq(1.0).all()
    page = site(project / STUDY / "report.html")
    assert '<h2 id="models">Models compared</h2>' in page and 'id="figure-models"' in page


def test_data_are_asked_about_by_themselves(project):
    tables = {
        name: read_csv(project / STUDY / f"tables/{name}.csv") for name in ("facts", "behaviour", "confusion", "recovered")
    }
    facts = tables["facts"][tables["facts"]["dataset"] == "mine"].set_index("fact")["value"]
    held = stored.load(project / "results/data/mine.parquet")
    missed = (held.choices < 0).sum()  # nobody's trials are padded
    assert facts["people"] == "8" and facts["rows"] == "320" and facts["missed trials"] == str(missed)
    assert facts["sessions"] == "16" and facts["reward scale"] == "100"
    assert f"traces decay over {missed} missed trials" in facts.tolist()
    behaviour = tables["behaviour"][tables["behaviour"]["dataset"] == "mine"]
    assert set(behaviour["model"]) == {"people", "sample", *MODELS}
    confusion = tables["confusion"][tables["confusion"]["dataset"] == "mine"]
    assert confusion.groupby("model")["share"].sum().round(6).eq(1.0).all() and confusion["n_people"].eq(4).all()
    assert set(tables["recovered"]["model"]) == set(MODELS)
    page = site(project / STUDY / "report.html")
    titles = {
        "read": "What was read",
        "behaviour": "Behaviour, and checks of the models",
        "recovered": "What this design can tell",
    }
    titles |= {"persons": "Person by person", "write_up": "What to report in a paper"}
    assert all(f'<h2 id="{name}">{title}</h2>' in page for name, title in titles.items())
    assert html.escape(UNREWARDED) in page.split('<h2 id="persons">')[1]
