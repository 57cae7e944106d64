"""GEM beside the hierarchical posterior, on one simulated population."""

import numpy as np

from banditfit.experiments import hierarchical
from banditfit.fitting import derive_seed
from banditfit.models import simulate
from banditfit.study.programs import log_to
from banditfit.study.store import write_csv

log_to(snakemake.log[0])

part, seed = snakemake.params.part, snakemake.params.seed
rng = np.random.default_rng(derive_seed("hierarchical", None, "simulate", seed))
data = simulate.simulate_population("hierarchical", simulate.POPULATIONS["normal"], part["participants"], part["steps"], rng)
table = hierarchical.compare(data, data.model, seed=seed)
table.insert(0, "steps", part["steps"])
write_csv(table, snakemake.output[0])
