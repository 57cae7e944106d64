"""Runs the smallest study in a copy of the project: kills it in mid-run, and then runs it to its end. The tests start this in
the background, so that it runs beside those that do not need it.

Usage: smallest_study.py FOLDER. FOLDER/project is the copy. FOLDER/interrupted holds, after the kill, the fits stored by
then and when each was written (JSON); FOLDER/finished appears at the end, or FOLDER/failed with the reason.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from banditfit.files import replacing
from project import command, copy_project, snakemake, stamps


def killed(project: Path) -> dict[Path, int]:
    """Kills the study, and all its jobs, once four batches are stored; those that are stored then, as `stamps` has them."""
    running = subprocess.Popen(
        command(), cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while len(stored := stamps(project)) < 4:
            assert running.poll() is None, "the run ended before four batches were stored"
            time.sleep(0.05)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    return stored


def write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text)


def main(folder: Path) -> None:
    try:
        project = copy_project(folder / "project")
        write(folder / "interrupted", json.dumps({str(path): when for path, when in killed(project).items()}))
        snakemake(project)  # by the same command, with nothing before it
        write(folder / "finished", "")
    except BaseException as error:  # whoever waits must hear of it, whatever it was
        write(folder / "failed", f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
