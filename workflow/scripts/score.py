"""Judges all fits of one data set, and keeps the fits of the main runs for the episode that is drawn as an example."""

import numpy as np
import pandas as pd

from banditfit.data.stored import data_blocks
from banditfit.judge import score
from banditfit.study.blocks import episode_blocks, fit_blocks
from banditfit.study.compact import compact, write_scores
from banditfit.study.entries import main_runs
from banditfit.study.programs import log_to
from banditfit.study.store import write_table

log_to(snakemake.log[0])

runs, paths = snakemake.params.runs, snakemake.input.fits
# Fits of an episode are judged together, those of another one never: some episodes at a time keep the memory flat.
blocks = episode_blocks(paths, 500)
drawn = []
place = {run.id: number for number, run in enumerate(runs)}


def judged():
    for dataset, fits in zip(data_blocks(snakemake.input.data, blocks), fit_blocks(paths, blocks), strict=True):
        # By model and run, in the study's order, whichever jobs fitted them.
        fits = fits.iloc[np.lexsort((fits["run"].map(place), pd.factorize(fits["model"])[0]))].reset_index(drop=True)
        main = fits["run"].isin([run.id for run in main_runs(runs)])
        drawn.append(fits[main & (fits["episode"] == snakemake.params.example)])
        yield compact(score(dataset, fits), runs, snakemake.params.own)


write_scores(judged(), snakemake.output.scores)
write_table(pd.concat(drawn, ignore_index=True), snakemake.output.example)
