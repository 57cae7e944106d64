"""Makes or reads one data set."""

from banditfit.data import stored
from banditfit.study.catalogue import parts
from banditfit.study.programs import log_to
from banditfit.study.provenance import PROJECT

log_to(snakemake.log[0])

stored.save(parts(snakemake.params.entry, PROJECT), snakemake.output[0])
