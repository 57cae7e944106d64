"""Ranks the truth of one batch of simulated episodes among draws of their posteriors."""

from banditfit.experiments.calibration import calibrate
from banditfit.models.simulate import PUBLISHED_BANDITS, PUBLISHED_BETA
from banditfit.study.programs import log_to
from banditfit.study.store import write_table

log_to(snakemake.log[0])

first, last = map(int, snakemake.wildcards.batch.split("-"))
ranks = calibrate(
    snakemake.wildcards.model,
    **PUBLISHED_BANDITS["2arm"],
    beta=PUBLISHED_BETA[snakemake.wildcards.model]["2arm"],
    n_episodes=snakemake.params.calibration["episodes"],
    n_steps=snakemake.params.calibration["steps"],
    seed=snakemake.params.seed,
    episodes=range(first, last + 1),
)
write_table(ranks, snakemake.output[0])
