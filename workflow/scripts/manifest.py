"""Writes down what ran: code, configuration, data, machines."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq

from banditfit import data, provenance
from banditfit.files import replacing
from banditfit.stored import intact

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)


def machines(path):
    return pq.read_table(path, columns=["machine"], read_dictionary=["machine"]).to_pandas()


manifest = provenance.manifest(
    config=snakemake.params.config,
    root=Path(snakemake.scriptdir).parents[1],
    # One after the other, and of the scores the column that counts, so that no more is held than need be.
    datasets=(intact(data.load, path) for path in snakemake.input.data),
    scores=[intact(machines, path) for path in snakemake.input.scores],
)
with replacing(snakemake.output[0]) as path:
    path.write_text(json.dumps(manifest, indent=2) + "\n")
