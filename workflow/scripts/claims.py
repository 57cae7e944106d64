"""Tests every claim of the ledger on the scores, the tables and the data."""

from pathlib import Path

import pandas as pd

from banditfit.data import stored
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import read_csv, read_table, write_csv
from banditfit.tables import claim_cases, claims

log_to(snakemake.log[0])

evidence = claim_cases.Evidence(
    scores=pd.concat([intact(read_table, path) for path in snakemake.input.scores], ignore_index=True),
    tables={Path(path).stem: intact(read_csv, path) for path in snakemake.input.tables},
    runs=snakemake.params.runs,
    data={dataset.name: dataset for dataset in (intact(stored.load, path) for path in snakemake.input.data)},
)
ledger, figures = claims.check(evidence)
write_csv(ledger, snakemake.output.ledger)
write_csv(figures, snakemake.output.figures)
