"""Fits one batch of episodes with one method."""

import json

import pandas as pd

from banditfit.data.stored import data_blocks
from banditfit.files import intact
from banditfit.fitting import fit
from banditfit.study import provenance
from banditfit.study.programs import log_to
from banditfit.study.store import read_table, write_table

log_to(snakemake.log[0])

first, last = map(int, snakemake.wildcards.batch.split("-"))
# No more than these episodes is held, however many the data set has.
(dataset,) = data_blocks(snakemake.input.data, [range(first, last + 1)], truth=False)
given = [intact(read_table, path) for path in snakemake.input.given]
fits = fit(
    dataset,
    model=snakemake.wildcards.model,
    method=snakemake.params.method,
    settings=snakemake.params.settings,
    seed=snakemake.params.seed,
    given=pd.concat(given, ignore_index=True) if given else None,
)
fits["run"] = snakemake.wildcards.run
fits["machine"] = json.dumps(provenance.machine())
write_table(fits, snakemake.output[0])
print(fits[["episode", "status", "fallback", "nll", "t_wall", "message"]].to_string())
