"""Holds the judged fits against the truth, or against criteria of the data's owner."""

import pandas as pd

from banditfit.data import stored
from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import read_table, write_csv
from banditfit.tables.coverage import coverage, validity

log_to(snakemake.log[0])

criteria = dict(zip(snakemake.params.criteria, snakemake.input.criteria, strict=True))
intervals, criteria_met = [], []
for path, scores in zip(snakemake.input.data, snakemake.input.scores, strict=True):
    held, judged = intact(stored.load, path), intact(read_table, scores)
    intervals.append(coverage(held, judged))
    criteria_met.append(validity(held, judged, criteria.get(held.name), snakemake.params.seed))
for tables, path in ((intervals, snakemake.output.coverage), (criteria_met, snakemake.output.validity)):
    write_csv(pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True), path)
