"""Runs one part of an experiment."""

from banditfit.data import stored
from banditfit.experiments import experiment
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

one = experiment(snakemake.params.experiment)
arguments = dict(snakemake.params.arguments)
if one.of_data:
    arguments["data"] = stored.beginning(snakemake.input.data, one.of_data(arguments))
for table, path in zip(one.run(**arguments), snakemake.output, strict=True):
    write_csv(table, path)
