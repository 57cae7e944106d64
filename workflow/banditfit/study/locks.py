"""What makes a run that was killed go on by the same command.

Snakemake locks the files of a run by files of its own, in .snakemake/locks. They name no process and outlive it, so that after
a kill or a loss of power the next run would stop at them. The system's locks go with their process: every run holds one here,
and whoever finds none held knows that all of Snakemake's are left over.
"""

import fcntl
from pathlib import Path
from typing import TextIO

ELSEWHERE = "jobs run elsewhere\n"


class Presence:
    """A run of the workflow in `folder`, for as long as its process lives (and holds `file`)."""

    def __init__(self, folder: Path) -> None:
        """Removes Snakemake's locks where no other run is alive; but not those of a run on a cluster, whose jobs outlive it and
        would be submitted a second time."""
        engine = folder / ".snakemake"
        engine.mkdir(exist_ok=True)
        self.file: TextIO = open(engine / "present", "a+", encoding="utf-8")  # noqa: SIM115  (as long as the process)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.file.seek(0)
            if self.file.read() != ELSEWHERE:
                for left_over in engine.glob("locks/*"):
                    left_over.unlink()
        except BlockingIOError:  # another run is alive
            pass
        except OSError:  # this file system has no locks
            return
        fcntl.flock(self.file, fcntl.LOCK_SH)

    def begins(self, local: bool) -> None:
        """Says whether the jobs of the run die with it, as on one machine."""
        self.file.truncate(0)
        self.file.write("" if local else ELSEWHERE)
        self.file.flush()
