"""GEM beside the hierarchical posterior, on one simulated population."""

import numpy as np

from banditfit import hierarchical, population_study
from banditfit.fitting import derive_seed
from banditfit.programs import log_to
from banditfit.tables import write_csv

log_to(snakemake.log[0])

part, seed = snakemake.params.part, snakemake.params.seed
rng = np.random.default_rng(derive_seed("hierarchical", None, "simulate", seed))
data = population_study.simulate_population(
    "hierarchical", population_study.POPULATIONS["normal"], part["participants"], part["steps"], rng
)
table = hierarchical.compare(data, data.model, seed=seed)
table.insert(0, "steps", part["steps"])
write_csv(table, snakemake.output[0])
