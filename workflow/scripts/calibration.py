"""Puts the ranks of all batches together, and tests whether they are uniform."""

import pandas as pd

from banditfit.experiments.calibration import uniformity
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import read_table, write_csv

log_to(snakemake.log[0])

ranks = pd.concat([intact(read_table, path) for path in snakemake.input.ranks], ignore_index=True)
write_csv(ranks, snakemake.output.calibration)
write_csv(uniformity(ranks), snakemake.output.uniformity)
