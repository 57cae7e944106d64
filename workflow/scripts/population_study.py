"""Who wins when: simulated populations of one size."""

from banditfit.experiments import who_wins
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

table = who_wins.study(
    snakemake.params.runs,
    sizes=[int(snakemake.wildcards.size)],
    steps=snakemake.params.part["steps"],
    replicates=snakemake.params.part["replicates"],
    seed=snakemake.params.seed,
)
write_csv(table, snakemake.output[0])
