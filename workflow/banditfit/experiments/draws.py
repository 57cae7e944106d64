"""The draws behind a fit of `mc`.

They follow from the fit's row, so a study keeps only those it is asked for: `draws` brings back the very ones, and `draws(data,
row).to_netcdf(path)` keeps them.
"""

import json
from typing import Annotated

import numpy as np
import pandas as pd

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import InputError
from ..kinds import Count, Table
from ..models import likelihood
from ..models.families import get_model
from ..parameters import Bounds
from ..solvers.chains import group

SHOWN_DRAWS = 125  # per chain, evenly spaced, in a table of draws
DRAWS = ("chain", "draw", "divergent", "signal", "arm", "alpha", "beta")
Fit = Annotated[
    pd.Series, Table("a row of a table of fits, such as fits.iloc[0]", ("method", "model", "episode", "settings", "seed"))
]
Drawn = Annotated[pd.DataFrame, Table("a table as draws.draw_table returns it", DRAWS)]


@checked
def draws(data: Dataset, row: Fit, bounds: Bounds | None = None):
    """The draws behind one row of a table of `mc` fits, in the user's units, as an arviz.InferenceData (with ArviZ 1.0 or later
    an xarray.DataTree); `bounds` are those of the row unless given.

    Raises InputError if the row is of another method, or its episode is not in the data."""
    if row["method"] != "mc":
        raise InputError(f"draws: found a fit of method '{row['method']}', expected 'mc'")
    from ..methods import mc

    model = get_model(row["model"])
    own = Bounds.read(row["bounds"]) if "bounds" in row else data.bounds_of(model)
    problem = likelihood.problem(data.select([row["episode"]]), 0, model, bounds or own)
    problem = problem.in_units(problem.own_unit())  # as the fit was made
    settings = mc.METHOD.read_settings("mc", json.loads(row["settings"]))
    drawn = mc.sound_sample(problem, settings, np.random.default_rng(row["seed"]))[0][-1]
    drawn["posterior"]["beta"] = drawn["posterior"]["beta"] / problem.unit[:, None]
    return drawn


@checked
def draw_table(inference, most: Count | None = None) -> pd.DataFrame:
    """What `draws` returned as a table, at most `most` evenly spaced draws of each chain (all); columns as in DRAWS."""
    posterior = group(inference, "posterior")
    n = posterior.sizes["draw"]
    spaced = np.linspace(0, n - 1, min(n, most or n)).astype(int)
    chosen = posterior[["alpha", "beta"]].assign(divergent=group(inference, "sample_stats")["diverging"]).isel(draw=spaced)
    table = chosen.to_dataframe().reset_index()
    return table[list(DRAWS)]
