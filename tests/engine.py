"""Runs Snakemake as `python -m snakemake` does, but in a fork of this process, which has imported it and the libraries that the
rules and their scripts need: that is half of what a short run takes. Each script of a rule runs in such a fork too, where it
would have begun a Python of its own. Of the package nothing is imported here, as each run has a copy of its own.

Reads one run after another from stdin, as JSON: arguments, folder, stdout, stderr; answers each with its exit status.
"""

import json
import os
import runpy
import select
import socket
import subprocess
import sys
from multiprocessing.connection import Client, Connection

import cvxpy  # noqa: F401
import jinja2  # noqa: F401
import jsonschema  # noqa: F401
import matplotlib.figure  # noqa: F401
import nbformat  # noqa: F401
import numba  # noqa: F401
import pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401
import requests  # noqa: F401
import scipy.optimize  # noqa: F401
import scipy.stats  # noqa: F401
import smart_open  # noqa: F401
import snakemake.cli  # noqa: F401
import snakemake.profiles  # noqa: F401
import snakemake.report.html_reporter  # noqa: F401
import snakemake.storage  # noqa: F401
from snakemake.benchmark import benchmarked
from snakemake.script import PythonScript


def run(arguments: list[str], folder: str, stdout: str, stderr: str) -> None:
    for path, stream in ((os.devnull, 0), (stdout, 1), (stderr, 2)):
        os.dup2(os.open(path, os.O_RDWR), stream)
    os.chdir(folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address := f"\0{os.getpid()}")  # in no folder
    listener.listen()
    ended, alive = os.pipe()
    if os.fork() == 0:
        os.close(alive)
        serve(listener, ended)
        sys.exit()

    def execute_script(script: PythonScript, path: str, edit: bool = False) -> None:
        with Client(address, "AF_UNIX") as line:
            line.send((path, os.environ["PYTHONPATH"]))
            with benchmarked(line.recv(), script.bench_record):
                status = line.recv()
        if status:
            raise subprocess.CalledProcessError(status, path)

    PythonScript.execute_script = execute_script
    sys.argv, sys.path[0] = ["snakemake", *arguments], folder
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)


def serve(listener: socket.socket, ended: int) -> None:
    """Runs the scripts that it is told of, in forks, until Snakemake, which has threads and is best not forked, has ended."""
    while listener in select.select([listener, ended], [], [])[0]:
        called, _ = listener.accept()
        if os.fork() == 0:
            with Connection(called.detach()) as line:
                path, search = line.recv()
                script = os.fork()
                if script == 0:
                    os.environ["PYTHONPATH"] = search
                    sys.path[:1] = [os.path.dirname(path), *search.split(os.pathsep)]
                    sys.argv = [path]
                    runpy.run_path(path, run_name="__main__")
                else:
                    line.send(script)
                    line.send(os.waitstatus_to_exitcode(os.waitpid(script, 0)[1]))
            return
        called.close()


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.exit(run(**json.loads(line)))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
