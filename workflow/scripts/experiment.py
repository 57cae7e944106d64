"""Runs one part of an experiment."""

from banditfit.data import stored
from banditfit.experiments import experiment
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

one = experiment(snakemake.params.experiment)
arguments = dict(snakemake.params.arguments)
if one.of_data:
    rows = one.of_data(arguments)
    if isinstance(rows, range):
        (arguments["data"],) = stored.data_blocks(snakemake.input.data, [rows])
    else:
        arguments["data"] = stored.beginning(snakemake.input.data, rows)
for table, path in zip(one.run(**arguments), snakemake.output, strict=True):
    write_csv(table, path)
