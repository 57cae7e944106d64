"""Draws the figures for a paper that a configuration asks for."""

from pathlib import Path

import pandas as pd

from banditfit import figures
from banditfit.data import stored
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.results import Results, read_tables
from banditfit.study.scores import Scores
from banditfit.study.store import read_table

log_to(snakemake.log[0])

results = Results(
    scores=Scores(snakemake.input.scores),
    tables=read_tables(snakemake.input.tables, snakemake.params.cases),
    examples=pd.concat([intact(read_table, path) for path in snakemake.input.examples], ignore_index=True),
    runs=snakemake.params.runs,
    cases=snakemake.params.cases,
    data={Path(path).stem: stored.outline(path) for path in snakemake.input.data},
    first={Path(path).stem: next(stored.parts(path)) for path in snakemake.input.data},
)
for name in snakemake.params.names:
    stem = Path(snakemake.output[0]).with_name(name)
    figure = figures.draw_for_paper(name, results, snakemake.params.asked, stem)
    if isinstance(figure, figures.Nothing):
        print(f"{name}: nothing to draw, {figure.reason}")
