"""Whether the parameters of simulated populations of one experiment come back."""

from banditfit import population_study
from banditfit.programs import log_to
from banditfit.tables import write_csv

log_to(snakemake.log[0])

model, bandit = snakemake.wildcards.experiment.rsplit("_", 1)
part = snakemake.params.part
table = population_study.recovery(
    snakemake.params.runs,
    replicates=part["replicates"],
    size=part["participants"],
    steps=part["steps"],
    model=model,
    bandit=bandit,
    seed=snakemake.params.seed,
)
write_csv(table, snakemake.output[0])
