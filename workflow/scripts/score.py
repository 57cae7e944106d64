"""Judges all fits of one data set, and keeps the fits of the main runs for the episode that is drawn as an example."""

import sys

import pandas as pd

import banditfit as bf
from banditfit import data
from banditfit.compact import compact, write_scores
from banditfit.entries import main_runs
from banditfit.stored import intact
from banditfit.tables import read_table, write_table

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

fits = pd.concat([intact(read_table, path) for path in snakemake.input.fits], ignore_index=True)
write_scores(compact(bf.score(intact(data.load, snakemake.input.data), fits), snakemake.params.runs), snakemake.output.scores)
drawn = fits["run"].isin([run.id for run in main_runs(snakemake.params.runs)]) & (fits["episode"] == snakemake.params.example)
write_table(fits[drawn], snakemake.output.example)
