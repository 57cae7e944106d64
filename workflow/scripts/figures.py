"""Draws every figure from the stored tables."""

import json
from pathlib import Path

import pandas as pd

from banditfit import figures
from banditfit.data import stored
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.results import Results, read_tables
from banditfit.study.store import read_table

log_to(snakemake.log[0])

results = Results(
    scores=pd.concat([intact(read_table, path) for path in snakemake.input.scores], ignore_index=True),
    tables=read_tables(snakemake.input.tables, snakemake.params.cases),
    examples=pd.concat([intact(read_table, path) for path in snakemake.input.examples], ignore_index=True),
    runs=snakemake.params.runs,
    cases=snakemake.params.cases,
    data={dataset.name: dataset for dataset in (intact(stored.load, path) for path in snakemake.input.data)},
)
folder, empty = Path(snakemake.output.empty).parent, []
for name in figures.FIGURES:
    figure = figures.draw(name, results)
    figures.save(figure, folder / name)
    if isinstance(figure, figures.Nothing):
        empty.append(name)
Path(snakemake.output.empty).write_text(json.dumps(empty) + "\n")
