"""Keeps the draws of some fits: whole as netCDF, and thinned, of the first arm, in one table."""

import sys
from pathlib import Path

import pandas as pd

from banditfit import data
from banditfit.files import replacing
from banditfit.posterior import DRAWS, SHOWN_DRAWS, draw_table, draws
from banditfit.stored import intact
from banditfit.tables import read_table, write_csv

sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

datasets = {Path(path).stem: intact(data.load, path) for path in snakemake.input.data}
head = ["dataset", "run", "episode"]
tables = [pd.DataFrame(columns=[*head, *DRAWS])]
for key, fits in zip(snakemake.params.kept, snakemake.input.fits, strict=True):
    dataset, run, episode = key
    row = intact(read_table, fits).set_index("episode", drop=False).loc[episode]
    if row["status"] == "failed":
        print(*key, "has no draws:", row["message"])
        continue
    inference = draws(datasets[dataset], row)
    with replacing(Path(snakemake.output.draws) / dataset / run / f"{episode:04d}.nc") as path:
        inference.to_netcdf(path)
    thinned = draw_table(inference, SHOWN_DRAWS)
    one_arm = thinned[thinned["arm"] == thinned["arm"].iloc[0]].round({"alpha": 5, "beta": 5})  # no dot moves
    tables.append(one_arm.assign(**dict(zip(head, key, strict=True)))[[*head, *DRAWS]])
write_csv(pd.concat(tables[1:] or tables, ignore_index=True), snakemake.output.table)
