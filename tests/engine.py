"""Runs Snakemake as `python -m snakemake` does, but in a fork of this process, which has imported it and the libraries that the
rules need: that is half of what a short run takes. Of the package nothing is imported here, as each run has a copy of its own.

Reads one run after another from stdin, as JSON: arguments, folder, stdout, stderr; answers each with its exit status.
"""

import json
import os
import runpy
import sys

import jinja2  # noqa: F401
import jsonschema  # noqa: F401
import matplotlib.figure  # noqa: F401
import numba  # noqa: F401
import pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401
import scipy.optimize  # noqa: F401
import scipy.stats  # noqa: F401
import snakemake.cli  # noqa: F401


def run(arguments: list[str], folder: str, stdout: str, stderr: str) -> None:
    for path, stream in ((os.devnull, 0), (stdout, 1), (stderr, 2)):
        os.dup2(os.open(path, os.O_RDWR), stream)
    os.chdir(folder)
    sys.argv, sys.path[0] = ["snakemake", *arguments], folder
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.exit(run(**json.loads(line)))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
