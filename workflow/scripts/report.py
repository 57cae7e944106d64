"""Writes the report."""

import json
import sys
from pathlib import Path

from banditfit.report import render
from banditfit.stored import intact
from banditfit.tables import read_csv

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

read_json = lambda path: json.loads(Path(path).read_text())  # noqa: E731
empty = intact(read_json, snakemake.input.empty)
render(
    snakemake.output[0],
    title=snakemake.params.title,
    manifest=intact(read_json, snakemake.input.manifest),
    tables={Path(path).stem: intact(read_csv, path) for path in snakemake.input.tables},
    runs=snakemake.params.runs,
    catalogue=snakemake.params.catalogue,
    figures={Path(path).stem: path for path in snakemake.input.figures if Path(path).stem not in empty},
)
