"""Tables of the chains' diagnostics and of the agreement of Monte Carlo with quadrature."""

import pandas as pd

from banditfit.files import intact
from banditfit.study.programs import log_to
from banditfit.study.store import read_table, write_csv
from banditfit.tables.posterior import agreement, diagnostics

log_to(snakemake.log[0])

scores = pd.concat([intact(read_table, path) for path in snakemake.input.scores], ignore_index=True)
write_csv(diagnostics(scores), snakemake.output.diagnostics)
write_csv(agreement(scores), snakemake.output.agreement)
