"""Who wins when: simulated populations of one size."""

from banditfit import population_study
from banditfit.programs import log_to
from banditfit.tables import write_csv

log_to(snakemake.log[0])

table = population_study.study(
    snakemake.params.runs,
    sizes=[int(snakemake.wildcards.size)],
    steps=snakemake.params.part["steps"],
    replicates=snakemake.params.part["replicates"],
    seed=snakemake.params.seed,
)
write_csv(table, snakemake.output[0])
