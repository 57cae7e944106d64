"""Writes the report."""

import json
from pathlib import Path

from banditfit.files import intact
from banditfit.report import render
from banditfit.study.programs import log_to
from banditfit.study.provenance import read_manifest
from banditfit.study.results import read_tables

log_to(snakemake.log[0])

empty = intact(lambda path: json.loads(Path(path).read_text()), snakemake.input.empty)
render(
    snakemake.output[0],
    title=snakemake.params.title,
    manifest=intact(read_manifest, snakemake.input.manifest),
    tables=read_tables(snakemake.input.tables, snakemake.params.cases),
    runs=snakemake.params.runs,
    cases=snakemake.params.cases,
    paper=snakemake.input.paper,
    figures={Path(path).stem: path for path in snakemake.input.figures if Path(path).stem not in empty},
)
