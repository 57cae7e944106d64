"""Predicts trials of one data set that no fit has seen."""

from banditfit.data import stored
from banditfit.experiments import held_out
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

part = snakemake.params.part
held = intact(stored.load, snakemake.input.data)
table = held_out.held_out(
    held.select(slice(part["episodes"])),
    snakemake.params.model,
    snakemake.params.runs,
    share=part["share"],
    folds=part["folds"],
    seed=snakemake.params.seed,
)
write_csv(table, snakemake.output[0])
print(held_out.summarise_held_out(table).to_string())
