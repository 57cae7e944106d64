"""How far a study is, and how long the rest of its fits will take.

`python -m banditfit progress [CONFIG [CORES]]`, in the project's folder, reads the batches that are there and nothing else; a
run that is going on is not disturbed. CONFIG is config/config.yaml if not given, CORES the cores of this machine.
"""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pandas as pd

from ..files import intact
from ..parquet import read_parquet
from .config import Study
from .jobs import jobs

JOB = 4.0  # seconds that a job takes beside its fits: to start Python, import, compile or load what was compiled, and write


@dataclass(frozen=True)
class Part:
    """A job over a data set with a model (`jobs.py`): its batches in all and those `done`, the seconds that the done ones took,
    and the seconds that the others are expected to take on one core (NaN where nothing like them is done)."""

    dataset: str
    model: str
    job: str
    batches: int
    done: int
    spent: float
    left: float


def progress(study: Study, folder: Path) -> list[Part]:
    """The parts of a study whose fits lie in `folder`, in its order.

    An unfinished part is expected to go on as its finished batches went; one that has none, as its job goes on the other data
    sets, or else as the average of all. Raises InputError for a damaged table of fits.
    """
    own: dict[tuple[str, str, str], tuple[int, int, float]] = {}  # by job: batches, episodes, seconds of all its runs
    first: dict[tuple[str, str, str], str] = {}  # of its runs
    for case in study.cases:
        shared, held = jobs(study, *case), {}
        for job, runs in shared.items():
            paths = [folder.joinpath(*case, job, f"{batch}.parquet") for batch in study.batches(*case, runs[0])]
            held[job] = [intact(_seconds, path) for path in paths if path.exists()]
        times = pd.concat([_NO_FITS, *chain.from_iterable(held.values())]).groupby(level=0).sum()
        for job, runs in shared.items():
            fitted = [run for run in runs if run in times.index]
            seconds = sum(max(_own_seconds(study, times, run), 0.0) for run in fitted)
            own[*case, job] = (len(held[job]), int(times.loc[fitted, "n"].max()) if fitted else 0, seconds)
            first[*case, job] = runs[0]

    parts = []
    for keys, (done, episodes, seconds) in own.items():
        like = [own[keys]]
        if not episodes:
            like = [other for (*_, job), other in own.items() if job == keys[-1] and other[1]] or [
                o for o in own.values() if o[1]
            ]
        known = sum(other[1] for other in like)
        each = sum(other[2] for other in like) / known if known else float("nan")
        run = (*keys[:2], first[keys])
        total = study.batches(*run)
        left = each * (study.n_episodes[run] - episodes) + JOB * (len(total) - done) if done < len(total) else 0.0
        parts.append(Part(*keys, len(total), done, seconds + JOB * done, left))
    return parts


_NO_FITS = pd.DataFrame(columns=["n", "seconds"], dtype=float)


def _own_seconds(study: Study, times: pd.DataFrame, run: str) -> float:
    """The seconds of a run's fits without those of the fits that they start from, which they count too."""
    source = study.given.get(run)
    earlier = times.loc[source, "seconds"] / times.loc[source, "n"] if source in times.index else 0.0
    return times.loc[run, "seconds"] - earlier * times.loc[run, "n"]


def _seconds(path: Path) -> pd.DataFrame:
    """Of a table of fits, by run: how many there are, and the seconds that they took."""
    table = read_parquet(path, ["run", "t_wall"]).to_pandas()
    return pd.DataFrame({"n": 1.0, "seconds": table["t_wall"]}).groupby(table["run"].to_numpy()).sum()


def describe(parts: list[Part], name: str, cores: int) -> str:
    """The lines that `main` prints."""
    done, total = sum(part.done for part in parts), sum(part.batches for part in parts)
    spent, left = sum(part.spent for part in parts), sum(part.left for part in parts)
    lines = [f"{name}: {done} of {total} batches of fits are done ({done / total:.0%}), in {words(spent)} of one core."]
    if done == total:
        return lines[0]
    if left != left:
        return lines[0] + " Nothing is known of the rest before the first batch."
    on = f", or {words(left / cores)} on {cores} cores" if cores > 1 else ""
    lines.append(f"The rest takes about {words(left)} of one core{on}. Of that the most:")
    for part in sorted(parts, key=lambda part: -part.left)[:8]:
        if part.left > 0:
            what = part.dataset if len(_models(parts, part.dataset)) == 1 else f"{part.dataset} {part.model}"
            lines.append(f"  {what:<18} {part.job:<30} {part.done:>4} of {part.batches:<4} {words(part.left):>10}")
    return "\n".join(lines)


def _models(parts: list[Part], dataset: str) -> set[str]:
    return {part.model for part in parts if part.dataset == dataset}


def words(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
