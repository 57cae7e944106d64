"""Keeps the draws of some fits: whole as netCDF, and thinned, of the first arm, in one table."""

from pathlib import Path

import pandas as pd
import xarray as xr

from banditfit.data import stored
from banditfit.experiments.draws import DRAWS, SHOWN_DRAWS, draw_table, draws
from banditfit.files import intact, replacing
from banditfit.models.families import get_model
from banditfit.study.cases import KEYS
from banditfit.study.programs import log_to
from banditfit.study.store import read_table, write_csv

log_to(snakemake.log[0])

datasets = {Path(path).stem: path for path in snakemake.input.data}
head = [*KEYS, "run", "episode"]
tables = [pd.DataFrame(columns=[*head, *DRAWS])]
for key, fits, file in zip(snakemake.params.kept, snakemake.input.fits, snakemake.output.draws, strict=True):
    dataset, _, run, episode = key
    fits = intact(read_table, fits)
    row = fits[fits["run"] == run].set_index("episode", drop=False).loc[episode]
    failed = row["status"] == "failed"
    # Of a failed fit there are no draws; the file then holds why.
    if failed:
        inference = xr.Dataset(attrs={"failed": row["message"]})
    else:
        (data,) = stored.data_blocks(datasets[dataset], [range(episode, episode + 1)], truth=False)
        inference = draws(data, row)
    with replacing(file) as path:
        inference.to_netcdf(path)
    # Of models other than the published families no picture is drawn of a rate against its sensitivity.
    if failed or not get_model(row["model"]).kernels:
        continue
    thinned = draw_table(inference, SHOWN_DRAWS)
    one_arm = thinned[thinned["arm"] == thinned["arm"].iloc[0]].round({"alpha": 5, "beta": 5})  # no dot moves
    tables.append(one_arm.assign(**dict(zip(head, key, strict=True)))[[*head, *DRAWS]])
write_csv(pd.concat(tables[1:] or tables, ignore_index=True), snakemake.output.table)
