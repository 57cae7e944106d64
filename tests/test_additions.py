"""A stranger's additions: every example of CONTRIBUTING.md, as it stands there, in a copy of the project."""

import os
import re
import subprocess
import sys
from pathlib import Path

from project import ROOT, copy_project, site, snakemake

EXAMPLES = (ROOT / "CONTRIBUTING.md").read_text().split("## An example of every new thing")[1].split("\n## ")[0]
COUNTS = (ROOT / "README.md").read_text().split("## Where a new thing goes")[1].split("\n## ")[0]
STUDIED = """study: test
title: What a stranger added
datasets: [tiny_2arm]
models: [forgetting, rates_and_habit]
episodes: 3
methods: [middle]
local_solvers: [L-BFGS-B]
batch: 3
seed: 1
populations: {repeats: {datasets: [tiny_2arm], runs: [middle]}}
"""


def blocks(kind: str) -> list[tuple[str, str]]:
    """The examples of a kind, each with the last path that is named before it."""
    found = []
    for match in re.finditer(rf"```{kind}\n(.*?)```", EXAMPLES, flags=re.DOTALL):
        named = re.findall(r"`((?:config|workflow)/[\w./]+\.\w+)`", EXAMPLES[: match.start()])
        found.append((named[-1], match[1]))
    return found


def add(project: Path) -> dict[str, set[str]]:
    """Adds all of them; by what was added, the files that were touched."""
    touched: dict[str, set[str]] = {}
    for path, text in blocks("python") + blocks("html"):
        assert not (project / path).exists(), path
        (project / path).write_text(text)
        room = Path(path).parent.name
        touched.setdefault("section" if room == "report" else room.rstrip("s"), set()).add(path)
    for path, row in blocks("tsv"):
        with open(project / path, "a") as table:
            table.write(row)
        touched.setdefault(Path(path).stem.rstrip("s"), set()).add(path)
    ((path, keys),) = blocks("yaml")
    schema = project / path
    schema.write_text(schema.read_text().replace("      held_out:\n", f"{keys}      held_out:\n", 1))
    touched["experiment"].add(path)
    return touched


# In a process that knows the copy alone: what jobs of the workflow do, one after another.
USED = """
from pathlib import Path
import pandas as pd, sys, yaml
import banditfit as bf
from banditfit import figures, report, tables
from banditfit.experiments import experiment
from banditfit.study.config import read_study
from banditfit.study.results import Results

root, made = Path(sys.argv[1]), Path(sys.argv[1]) / "made"
study = read_study(yaml.safe_load((root / "config/test.yaml").read_text()), root, "test")
arms = {"p_reward": (0.8, 0.2), "p_switch": 0.1}
data = bf.simulate("tiny_2arm", "forgetting", n_episodes=3, n_steps=30, **arms, beta=((1, 5),), seed=1)
fits = [bf.fit(data, model, "middle").assign(run="middle") for dataset, model in study.cases]
assert all((each["t_solve"] > 0).all() for each in fits)  # as the contract of methods has it
runs, scores = list(study.runs.values()), pd.concat([bf.score(data, each) for each in fits], ignore_index=True)
one = experiment("repeats")
assert one.parts(study) == ["tiny_2arm"]
(repeats,) = one.run(data=data, **one.arguments(study, "tiny_2arm"))
held = tables.Tables(made / "tables", tables.table_names(runs, study.cases), {"repeats": repeats})
results = held.results = Results(scores, held, scores, runs, study.cases, {data.name: data}, {data.name: data})
figures.save(figures.draw("guessing", results), made / "figures/guessing")
report.render(
    made / "report.html", title="Added", manifest={"date": "-", "commit": "-", "config": {}, "config_sha256": "-", "data": {},
    "machines": []}, tables=dict(held), runs=runs, cases=study.cases, figures={"guessing": made / "figures/guessing.svg"},
)
print(sorted(set(scores["model"])), len(held["guessing"]), len(repeats))
"""


def test_every_addition_is_found_and_reaches_the_report(tmp_path):
    project = copy_project(tmp_path / "project")
    touched = add(project)
    said = dict(re.findall(r"^\| (\w+).*\| (\d) \|$", COUNTS, flags=re.MULTILINE))
    assert {kind: str(len(paths)) for kind, paths in touched.items()} == {k: n for k, n in said.items() if k != "data"}

    (project / "config/test.yaml").write_text(STUDIED)
    here = os.environ | {"PYTHONPATH": str(project / "workflow")}
    done = subprocess.run([sys.executable, "-c", USED, project], env=here, capture_output=True, text=True)
    assert done.stdout == "['forgetting', 'rates_and_habit'] 2 1\n", done.stderr
    page = site(project / "made/report.html")
    assert "of the fits are no better than guessing." in page and 'id="figure-guessing"' in page

    plan = snakemake(project, "--dry-run").stdout
    for what in ("fits/tiny_2arm/rates_and_habit/middle", "tables/guessing.csv", "figures/guessing.svg", "tables/repeats.csv"):
        assert what in plan, what
