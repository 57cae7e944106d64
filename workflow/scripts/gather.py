"""Gathers what the parts of an experiment found into a table that people read."""

from banditfit.experiments import experiment
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import read_csv, write_csv

log_to(snakemake.log[0])

parts = (intact(read_csv, path) for path in snakemake.input.parts)
table = experiment(snakemake.params.experiment).gather(snakemake.wildcards.table, parts)
write_csv(table, snakemake.output[0])
