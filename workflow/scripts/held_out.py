"""Predicts trials of one data set that no fit has seen."""

import pandas as pd

from banditfit.data import stored
from banditfit.experiments import held_out
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

part = snakemake.params.part
held = intact(stored.load, snakemake.input.data)
how = {"share": part["share"], "folds": part["folds"], "seed": snakemake.params.seed}
tables = []
for model, runs in snakemake.params.runs.items():
    table = held_out.held_out(held.select(slice(part["episodes"])), model, runs, **how)
    print(held_out.summarise_held_out(table).to_string())
    tables.append(table)
write_csv(pd.concat(tables), snakemake.output[0])
