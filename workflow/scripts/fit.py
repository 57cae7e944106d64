"""Fits one batch of episodes with the runs of one job, one after the other."""

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
machine = json.dumps(provenance.machine())
given = [intact(read_table, path) for path in snakemake.input.given]
made = []
for run, method, settings in snakemake.params.runs:
    source = snakemake.params.starts.get(run)
    tables = [table[table["run"] == source] for table in (*given, *made)] if source else []
    fits = fit(
        dataset,
        model=snakemake.wildcards.model,
        method=method,
        settings=settings,
        seed=snakemake.params.seed,
        given=pd.concat([table for table in tables if len(table)], ignore_index=True) if source else None,
    )
    made.append(fits.assign(run=run, machine=machine))
    print(run)
    print(fits[["episode", "status", "fallback", "nll", "t_wall", "message"]].to_string())
write_table(pd.concat(made, ignore_index=True), snakemake.output[0])
