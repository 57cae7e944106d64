"""Summarises the scores: medians and quartiles, counts of what happened, and the comparison with the published figures."""

from pathlib import Path

import pandas as pd

from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import read_csv, read_table, write_csv
from banditfit.tables import guide, published
from banditfit.tables.summaries import attribute, compare, outcomes, summarise

log_to(snakemake.log[0])

runs, cases = snakemake.params.runs, snakemake.params.cases
scores = pd.concat([intact(read_table, path) for path in snakemake.input.scores], ignore_index=True)
summary = summarise(scores, runs)
compared = compare(scores, runs)
theirs = published.read_published(snakemake.input.published)
comparison = published.compare(summary, runs, theirs, cases)
tables = {
    "summary": summary,
    "compared": compared,
    "outcomes": outcomes(scores, runs),
    "comparison": comparison,
    "reproduction": published.reproduce(comparison, summary, runs, theirs, cases),
    "attribution": attribute(scores, runs),
    "guide": guide.table(scores, compared, runs, read_csv(snakemake.input.coverage)),
}
for path in snakemake.output:
    write_csv(tables[Path(path).stem], path)
