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
bootstrap, seed = snakemake.params.part["bootstrap"].get(held.name, 0), snakemake.params.seed
for model, runs in snakemake.params.runs.items():
    for run, (method, settings) in runs.items():
        episodes = held.select(slice(snakemake.params.episodes[model, run]))
        pair = parameters.parameters(episodes, model, method, settings, bootstrap=bootstrap, seed=seed)
        for table, kept in zip(pair, (tables, traces), strict=True):
            table[["dataset", "model", "run"]] = held.name, model, run
            kept.append(table[["dataset", "model", "run", *table.columns[:-3]]])
write_csv(pd.concat(tables), snakemake.output.population)
write_csv(pd.concat(traces), snakemake.output.objective)
