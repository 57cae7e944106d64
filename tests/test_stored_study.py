"""What is committed of a study is enough: its tables, figures and report come out of it again, byte for byte, with no fits."""

import json
import re
import shutil

import pytest
import yaml

import banditfit as bf
from banditfit.report.headline import headline
from banditfit.report.wording import count
from banditfit.study.config import read_study
from banditfit.study.store import read_csv
from project import ROOT, STUDY, copy_project, snakemake

IGNORED = (ROOT / ".gitignore").read_text()


def committed() -> str:
    """The study whose results are in the repository."""
    (name,) = re.findall(r"^!results/(\w+)/$", IGNORED, flags=re.MULTILINE)
    return name


def test_tables_figures_and_report_are_made_anew_from_what_is_committed(finished, tmp_path):
    project = copy_project(tmp_path / "project")
    left_out = re.findall(rf"^results/{committed()}/(\w+)/$", IGNORED, flags=re.MULTILINE)
    assert "fits" in left_out
    shutil.copytree(
        finished / STUDY, project / STUDY, ignore=lambda folder, names: left_out if folder == str(finished / STUDY) else []
    )
    made = [
        path.relative_to(finished / STUDY) for kind in ("tables", "figures") for path in (finished / STUDY / kind).iterdir()
    ]
    for path in (project / STUDY / "figures").iterdir():
        path.unlink()
    allowed = re.search(r"^FROM_SCORES := (.*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)[1].split()
    done = snakemake(project, "--allowed-rules", *allowed, "--forceall", "--", f"{STUDY}/report.html")
    assert "rule fit:" not in done.stdout + done.stderr and not (project / STUDY / "fits").exists()
    pages = [path.relative_to(finished / STUDY) for path in (finished / STUDY / "report").glob("*.html")]
    assert len(pages) > 5
    for path in (*made, *pages, "report.html"):
        assert (project / STUDY / path).read_bytes() == (finished / STUDY / path).read_bytes(), path


def test_a_reader_loads_the_committed_study_and_draws_from_it():
    study = bf.load_study(str(ROOT / f"results/{committed()}"))
    assert len(study.tables["summary"]) and set(study.scores["run"]) == {run.id for run in study.runs}
    figure = bf.plot(study, "kl", columns=1, methods=["profile", "gem"], datasets=["forgetting_2arm"])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["Profile", "GEM"]
    with pytest.raises(bf.InputError, match="plot, argument name: found 'kll', expected one of "):
        bf.plot(study, "kll")
    with pytest.raises(bf.InputError, match=r"found no manifest.json, expected the folder of a finished study"):
        bf.load_study(str(ROOT / "results"))


def test_the_readme_says_what_the_committed_study_found():
    name = committed()
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    stored = json.loads((ROOT / f"results/{name}/manifest.json").read_text())["config"]
    assert {key: stored[key] for key in config} == config  # the study that is committed is the one that is configured
    lines = headline(read_study(config, ROOT, name), ROOT / f"results/{name}")
    bounds = read_csv(ROOT / f"results/{name}/tables/outcomes.csv")["bounds"].sum()
    report = (ROOT / f"results/{name}/report.html").read_text()
    assert f"Of {count(bounds)} lower bounds" in report  # which was made from these tables
    readme = " ".join((ROOT / "README.md").read_text().split())  # which wraps its lines
    assert [line for line in lines if " ".join(line.split()) not in readme] == []
