"""Writes down what ran: code, configuration, data, machines."""

from banditfit.data import stored
from banditfit.files import intact
from banditfit.parquet import read_parquet
from banditfit.study import provenance
from banditfit.study.programs import log_to

log_to(snakemake.log[0])


def machines(path):
    return read_parquet(path, ["machine"], read_dictionary=["machine"]).to_pandas()


manifest = provenance.manifest(
    config=snakemake.params.config,
    models=snakemake.params.models,
    # One after the other, in parts, and of the scores the column that counts, so that no more is held than need be.
    datasets=((stored.outline(path), stored.parts(path)) for path in snakemake.input.data),
    scores=[intact(machines, path) for path in snakemake.input.scores],
)
provenance.write_manifest(manifest, snakemake.output[0])
