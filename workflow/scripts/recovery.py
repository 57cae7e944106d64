"""Whether the parameters of simulated populations of one experiment come back."""

from banditfit.experiments import recovery
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

model, bandit = snakemake.wildcards.experiment.rsplit("_", 1)
part = snakemake.params.part
table = recovery.recovery(
    snakemake.params.runs,
    replicates=part["replicates"],
    size=part["participants"],
    steps=part["steps"],
    model=model,
    bandit=bandit,
    seed=snakemake.params.seed,
)
write_csv(table, snakemake.output[0])
