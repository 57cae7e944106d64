"""Predicts trials of one data set that no fit has seen."""

from banditfit import data, population
from banditfit.programs import log_to
from banditfit.stored import intact
from banditfit.tables import write_csv

log_to(snakemake.log[0])

part = snakemake.params.part
held = intact(data.load, snakemake.input.data)
table = population.held_out(
    held.select(slice(part["episodes"])),
    snakemake.params.model,
    snakemake.params.runs,
    share=part["share"],
    folds=part["folds"],
    seed=snakemake.params.seed,
)
write_csv(table, snakemake.output[0])
print(population.summarise_held_out(table).to_string())
