"""Writes down what ran: code, configuration, data, machines."""

import json
import sys
from pathlib import Path

from banditfit import data, provenance
from banditfit.files import replacing
from banditfit.stored import intact
from banditfit.tables import read_table

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

manifest = provenance.manifest(
    config=snakemake.params.config,
    root=Path(snakemake.scriptdir).parents[1],
    datasets=[intact(data.load, path) for path in snakemake.input.data],
    scores=[intact(read_table, path) for path in snakemake.input.scores],
)
with replacing(snakemake.output[0]) as path:
    path.write_text(json.dumps(manifest, indent=2) + "\n")
