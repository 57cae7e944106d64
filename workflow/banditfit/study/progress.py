"""How far a study is, and how long the rest of its fits will take.

`python -m banditfit progress [CONFIG [CORES]]`, in the project's folder, reads the batches that are there and nothing else; a
run that is going on is not disturbed. CONFIG is config/config.yaml if not given, CORES the cores of this machine.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from ..files import intact
from ..parquet import read_parquet
from .config import Study

JOB = 4.0  # seconds that a job takes beside its fits: to start Python, import, compile or load what was compiled, and write


@dataclass(frozen=True)
class Part:
    """A run over a data set with a model: its batches in all and those `done`, the seconds that the done ones took, and the
    seconds that the others are expected to take on one core (NaN where nothing like them is done)."""

    dataset: str
    model: str
    run: str
    batches: int
    done: int
    spent: float
    left: float


def progress(study: Study, folder: Path) -> list[Part]:
    """The parts of a study whose fits lie in `folder`, in its order.

    An unfinished part is expected to go on as its finished batches went; one that has none, as its run goes on the other data
    sets, or else as the average of all. Raises InputError for a damaged table of fits.
    """
    found: dict[tuple[str, str, str], tuple[int, int, float]] = {}  # batches, episodes, seconds
    for keys in study.n_episodes:
        paths = [folder.joinpath(*keys, f"{batch}.parquet") for batch in study.batches(*keys)]
        held = [intact(_seconds, path) for path in paths if path.exists()]
        found[keys] = (len(held), sum(n for n, _ in held), sum(seconds for _, seconds in held))
    own = {}
    for (dataset, model, run), (batches, episodes, seconds) in found.items():
        # A fit counts the time of the fit it starts from, which another job has spent.
        earlier = found.get((dataset, model, study.given.get(run)), (0, 0, 0.0))
        before = earlier[2] / earlier[1] * episodes if earlier[1] else 0.0
        own[dataset, model, run] = (episodes, max(seconds - before, 0.0), batches)

    parts = []
    for keys, (episodes, seconds, done) in own.items():
        like = [own[keys]]
        if not episodes:
            like = [other for (*_, run), other in own.items() if run == keys[-1] and other[0]] or [
                o for o in own.values() if o[0]
            ]
        known = sum(other[0] for other in like)
        each = sum(other[1] for other in like) / known if known else float("nan")
        total = study.batches(*keys)
        left = each * (study.n_episodes[keys] - episodes) + JOB * (len(total) - done) if done < len(total) else 0.0
        parts.append(Part(*keys, len(total), done, seconds + JOB * done, left))
    return parts


def _seconds(path: Path) -> tuple[int, float]:
    """The number of fits in a table, and the seconds that they took."""
    column = read_parquet(path, ["t_wall"])["t_wall"]
    return len(column), pc.sum(column).as_py() or 0.0


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
            lines.append(f"  {what:<18} {part.run:<30} {part.done:>4} of {part.batches:<4} {words(part.left):>10}")
    return "\n".join(lines)


def _models(parts: list[Part], dataset: str) -> set[str]:
    return {part.model for part in parts if part.dataset == dataset}


def words(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
