"""Gathers what the parts of the study of populations found into the tables that people read."""

from pathlib import Path

import pandas as pd

from banditfit.experiments.held_out import summarise_held_out
from banditfit.experiments.recovery import summarise_recovery
from banditfit.files import intact
from banditfit.study.cases import with_models
from banditfit.study.programs import log_to
from banditfit.study.store import read_csv, write_csv

log_to(snakemake.log[0])

SUMMARIES = {"held_out": summarise_held_out, "recovery": summarise_recovery}
for path in snakemake.output:
    name = Path(path).stem
    paths = [part for part in snakemake.input.parts if Path(part).parent.name == name]
    parts = [with_models(intact(read_csv, path), snakemake.params.cases) for path in paths]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    write_csv(SUMMARIES[name](table) if name in SUMMARIES else table, path)
