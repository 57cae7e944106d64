"""Runs one part of an experiment."""

from banditfit.data import stored
from banditfit.experiments import experiment
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

one = experiment(snakemake.params.experiment)
data = {"data": intact(stored.load, snakemake.input.data)} if one.of_data else {}
for table, path in zip(one.run(**data, **snakemake.params.arguments), snakemake.output, strict=True):
    write_csv(table, path)
