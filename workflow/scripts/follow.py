"""Makes every table and draws every figure that follows from the scores."""

import json
from pathlib import Path

import pandas as pd

from banditfit import figures
from banditfit.data import stored
from banditfit.experiments import experiment
from banditfit.files import intact
from banditfit.study.cases import with_models
from banditfit.study.programs import log_to
from banditfit.study.results import Results, read_tables
from banditfit.study.scores import Scores
from banditfit.study.store import read_csv, read_table
from banditfit.tables import Tables, table_names

log_to(snakemake.log[0])

runs, cases = snakemake.params.runs, snakemake.params.cases
folder = Path(snakemake.output.empty).parents[1]
names = table_names(runs, cases)
tables = Tables(folder / "tables", names, read_tables(snakemake.input.found, cases))
for table, (name, found) in snakemake.params.gathered.items():
    one = experiment(name)
    paths = [path for path in dict.fromkeys(snakemake.input.parts) if Path(path).is_relative_to(folder / one.folder / found)]
    tables.add(table, one.gather(table, (with_models(intact(read_csv, path), cases) for path in paths)))
tables.results = results = Results(
    scores=Scores(snakemake.input.scores),
    tables=tables,
    examples=pd.concat([pd.DataFrame(), *(intact(read_table, path) for path in snakemake.input.examples)], ignore_index=True),
    runs=runs,
    cases=cases,
    data={Path(path).stem: stored.outline(path) for path in snakemake.input.data},
    first={Path(path).stem: next(stored.parts(path)) for path in snakemake.input.data},
    criteria=dict(zip(snakemake.params.criteria, snakemake.input.criteria, strict=True)),
    seed=snakemake.params.seed,
)
for name in names:
    tables[name]
empty = figures.draw_all(results, folder / "figures", snakemake.threads)
Path(snakemake.output.empty).write_text(json.dumps(empty) + "\n")
