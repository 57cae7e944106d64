"""Writes the report."""

import json
import sys
from pathlib import Path

from banditfit.report import render
from banditfit.stored import intact
from banditfit.tables import read_csv

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

render(
    snakemake.output[0],
    title=snakemake.params.title,
    manifest=intact(lambda path: json.loads(Path(path).read_text()), snakemake.input.manifest),
    tables={Path(path).stem: intact(read_csv, path) for path in snakemake.input.tables},
    runs=snakemake.params.runs,
    catalogue=snakemake.params.catalogue,
    figures={Path(path).stem: path for path in snakemake.input.figures},
)
