"""What is committed of a study is enough: its tables, figures and report come out of it again, byte for byte, with no fits."""

import re
import shutil

from project import ROOT, STUDY, copy_project, snakemake


def test_tables_figures_and_report_are_made_anew_from_what_is_committed(finished, tmp_path):
    project = copy_project(tmp_path / "project")
    left_out = re.findall(r"^results/core/(\w+)/$", (ROOT / ".gitignore").read_text(), flags=re.MULTILINE)
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
    for path in (*made, "report.html"):
        assert (project / STUDY / path).read_bytes() == (finished / STUDY / path).read_bytes(), path
