"""Makes or reads one data set."""

import sys
from pathlib import Path

from banditfit import data
from banditfit.catalogue import make

ROOT = Path(snakemake.scriptdir).parents[1]
sys.stdout = sys.stderr = open(snakemake.log[0], "w", buffering=1)

data.save(make(snakemake.params.entry, ROOT), snakemake.output[0])
