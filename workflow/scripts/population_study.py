"""Who wins when: simulated populations of one size."""

import sys

from banditfit import population_study
from banditfit.tables import write_csv

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

table = population_study.study(
    snakemake.params.runs,
    sizes=[int(snakemake.wildcards.size)],
    steps=snakemake.params.part["steps"],
    replicates=snakemake.params.part["replicates"],
    seed=snakemake.params.seed,
)
write_csv(table, snakemake.output[0])
