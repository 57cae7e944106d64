"""Makes or reads one data set."""

from banditfit import data
from banditfit.catalogue import make
from banditfit.programs import log_to
from banditfit.provenance import PROJECT

log_to(snakemake.log[0])

data.save(make(snakemake.params.entry, PROJECT), snakemake.output[0])
