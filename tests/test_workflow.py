"""The real Snakefile on the smallest study, in a copy of the project that the tests may change."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from snakemake.scheduling.job_scheduler import JobScheduler

import banditfit as bf
from banditfit.data.stored import load
from banditfit.methods import STATUSES
from banditfit.study.config import read_study
from banditfit.study.jobs import jobs
from banditfit.study.store import read_table, write_table
from project import ROOT, STUDY, copy_project, site, snakemake, timeless


def scores(project: Path, dataset: str) -> pd.DataFrame:
    return read_table(project / STUDY / "scores" / f"{dataset}.parquet")


def test_every_fit_has_its_row(finished):
    for dataset, n_arms in (("tiny_2arm", 2), ("tiny_3arm", 3)):
        table = scores(finished, dataset)
        counts = table.groupby("run")["episode"].agg(["count", "nunique"])
        expected = pd.Series(3, index=counts.index)
        expected["mc"] = 2  # the study's own limits
        if dataset == "tiny_3arm":
            expected["d_loc.Nelder-Mead"] = 2
            assert "quadrature" not in counts.index  # which fits `forgetting` only
        assert counts["count"].equals(expected.rename("count")) and counts["nunique"].equals(expected.rename("nunique"))
        assert set(table["status"]) <= set(STATUSES)
        # Parameters are stored for the first run of each method.
        assert {a.shape for a in table["alpha"] if a is not None} == {(1, 1) if n_arms == 2 else (2, 3)}
        assert table.loc[table["alpha"].isna(), "run"].str.endswith(".Nelder-Mead").all()
        assert table.loc[table["run"].str.startswith(("d_loc", "cvx_loc")), "kl"].notna().all()


def test_the_study_ends_in_a_report_with_its_identity(finished):
    page = site(finished / STUDY / "report.html")
    manifest = json.loads((finished / STUDY / "manifest.json").read_text())
    assert manifest["data"]["tiny_2arm"]["choices"] in page
    assert manifest["machines"][0]["numpy"] in page
    assert 'src="http' not in page and 'href="http' not in page.replace("https://doi.org", "").replace("https://arxiv.org", "")


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in "".join(snakemake(finished).stderr)


def test_the_engines_own_report_is_written_offline(finished):
    snakemake(finished, "--report", "engine.html")
    assert "CVX" in (finished / "engine.html").read_text()


def test_editing_a_module_reruns_what_depends_on_it_and_nothing_else(finished):
    judge = finished / "workflow/banditfit/judge.py"
    before = judge.read_text()
    judge.write_text(before + "\n# edited\n")
    try:
        plan = snakemake(finished, "--dry-run")
    finally:
        judge.write_text(before)
    # The table of planned jobs: one line for each rule, its name and a count.
    words = [line.split() for line in (plan.stdout + plan.stderr).splitlines()]
    planned = {pair[0] for pair in words if len(pair) == 2 and pair[0].isidentifier() and pair[1].isdigit()} - {"total"}
    judging = {"score", "experiment_optima", "experiment_who_wins"}
    gathering = {"follow", "paper_figures", "manifest", "report", "all"}
    assert planned == judging | gathering


def test_a_killed_run_keeps_what_was_finished(interrupted, finished):
    _, stored = interrupted
    again = [path for path, when in stored.items() if path.stat().st_mtime_ns != when]
    # A batch whose file was in place but whose job had not yet reported its end is run again; all others stay.
    assert len(again) <= 2


def test_the_fits_are_those_of_one_process(finished, tmp_path):
    """However many jobs ran at once, and in whatever order."""
    study = read_study(yaml.safe_load((finished / "config/test.yaml").read_text()), finished, "test")
    dataset = load(finished / "results/data/tiny_2arm.parquet")
    fits = {path.parent.name: path for path in finished.glob(f"{STUDY}/fits/tiny_2arm/forgetting/*/*.parquet")}
    assert fits.keys() == jobs(study, "tiny_2arm", "forgetting").keys()
    for path in fits.values():
        stored, made = read_table(path), []
        for name, rows in stored.groupby("run", sort=False):
            run = study.runs[name]
            given = read_table(fits["cvx"]) if name.startswith("cvx_loc") else None
            table = bf.fit(
                dataset, "forgetting", run.entry.method, rows["episode"], run.settings, seed=study.config["seed"], given=given
            )
            made.append(table.assign(run=name, machine=rows["machine"].to_numpy()))
        write_table(pd.concat(made, ignore_index=True), tmp_path / "fits.parquet")
        assert timeless(tmp_path / "fits.parquet") == timeless(path), path


def test_a_wrong_config_stops_the_run_at_once(tmp_path):
    """In a sentence of `read_study`, all of which are tested where they come from."""
    project = copy_project(tmp_path / "project")
    with open(project / "config/test.yaml", "a") as config:
        config.write("n_startz: 50\n")
    done = snakemake(project, check=False)
    assert done.returncode != 0
    for word in ("config/test.yaml", "key 'n_startz' is not known", "local_solvers"):
        assert word in done.stdout + done.stderr
    assert not (project / "results").exists()


def test_snakemake_still_has_the_limit_of_jobs_that_is_switched_off():
    """Where the Snakefile sets it to None, Snakemake must ask for None: else the switch would do nothing, and nobody see it."""
    source = inspect.getsource(JobScheduler)
    assert "workflow.scheduler.job_rate_limiter = None" in (ROOT / "Snakefile").read_text()
    assert "self.job_rate_limiter = (" in source and "self.job_rate_limiter is None" in source


def test_the_workflow_is_clean():
    snakemake(ROOT, "--lint")
    binaries = Path(sys.executable).parent
    for words in (
        [binaries / "snakefmt", "--check", "Snakefile", "workflow/rules"],
        [binaries / "ruff", "check", "."],
        [binaries / "ruff", "format", "--check", "."],
        [binaries / "mypy"],
    ):
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
