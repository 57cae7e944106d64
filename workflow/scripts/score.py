"""Judges all fits of one data set, and keeps the fits of the episode that is drawn as an example."""

import sys

import pandas as pd

import banditfit as bf
from banditfit import data
from banditfit.tables import read_table, write_table

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

fits = pd.concat([read_table(path) for path in snakemake.input.fits], ignore_index=True)
write_table(bf.score(data.load(snakemake.input.data), fits), snakemake.output.scores)
write_table(fits[fits["episode"] == snakemake.params.example], snakemake.output.example)
