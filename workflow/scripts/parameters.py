"""The populations that the episodes of one data set make, and how their fits came about."""

import pandas as pd

from banditfit.data import stored
from banditfit.experiments import parameters
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

held = intact(stored.load, snakemake.input.data)
tables, traces = [], []
for run, (method, settings) in snakemake.params.runs.items():
    episodes = held.select(slice(snakemake.params.episodes[run]))
    bootstrap = snakemake.params.part["bootstrap"].get(held.name, 0)
    pair = parameters.parameters(
        episodes, snakemake.params.model, method, settings, bootstrap=bootstrap, seed=snakemake.params.seed
    )
    for table, kept in zip(pair, (tables, traces), strict=True):
        table.insert(0, "dataset", held.name)
        table.insert(1, "run", run)
        kept.append(table)
write_csv(pd.concat(tables), snakemake.output.population)
write_csv(pd.concat(traces), snakemake.output.objective)
