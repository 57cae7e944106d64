"""Puts the ranks of all batches together, and tests whether they are uniform."""

import sys

import pandas as pd

from banditfit.posterior import uniformity
from banditfit.stored import intact
from banditfit.tables import read_table, write_csv

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

ranks = pd.concat([intact(read_table, path) for path in snakemake.input.ranks], ignore_index=True)
write_csv(ranks, snakemake.output.calibration)
write_csv(uniformity(ranks), snakemake.output.uniformity)
