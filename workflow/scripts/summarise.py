"""Summarises the scores: medians and quartiles, counts of what happened, and the comparison with the published figures."""

from pathlib import Path

import pandas as pd

from banditfit import guide
from banditfit.programs import log_to
from banditfit.published import compare, read_published, reproduce
from banditfit.stored import intact
from banditfit.tables import attribute, outcomes, read_csv, read_table, summarise, write_csv

log_to(snakemake.log[0])

runs, catalogue = snakemake.params.runs, snakemake.params.catalogue
scores = pd.concat([intact(read_table, path) for path in snakemake.input.scores], ignore_index=True)
summary = summarise(scores, runs)
published = read_published(snakemake.input.published)
comparison = compare(summary, runs, published, catalogue)
tables = {
    "summary": summary,
    "outcomes": outcomes(scores, runs),
    "comparison": comparison,
    "reproduction": reproduce(comparison, summary, runs, published, catalogue),
    "attribution": attribute(scores, runs),
    "guide": guide.table(scores, summary, runs, read_csv(snakemake.input.coverage)),
}
for path in snakemake.output:
    write_csv(tables[Path(path).stem], path)
