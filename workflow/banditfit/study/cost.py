"""What a study took, job by job, and what more episodes would take.

`python -m banditfit cost [CONFIG [EPISODES [CORES]]]`, in the project's folder, reads the benchmark file that Snakemake left
of every job (in logs/), the times in the tables of fits and the sizes of files. CONFIG is config/config.yaml if not given,
EPISODES a million of each data set, CORES the cores of this machine.

The model: a fit takes the processor time that it took on average here; a job takes, beside its fits, what it took here; all
other jobs take time in proportion to the episodes. Memory is the most that a job held, as the system counted it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ..files import intact
from ..parquet import read_parquet
from .cases import Case
from .config import Study
from .jobs import jobs
from .programs import peak_in
from .progress import words

# Jobs beside the fits, by the place of their benchmark files: those of each data set, and those of the whole study.
OF_DATA = {"data": "logs/data/{dataset}.tsv", "score": "logs/{study}/scores/{dataset}.tsv"}
OF_STUDY = ("follow", "manifest", "report")
# And those of what a study may ask for besides, on data of their own or a few episodes: they do not grow with the episodes, but
# for batches of people, whose experiment is asked for so many.
ASIDE = ("experiments/*/*.tsv", "gather/*.tsv", "draws.tsv")


@dataclass(frozen=True)
class Fits:
    """A run over a data set with a model: its `episodes`, its `jobs` and the `share` of them that is its own (the rest is of
    the other runs that they fit); `each`, processor seconds of a fit; `beside`, seconds that a job takes beside its fits;
    `peak`, MB of the job that held most; `size`, bytes of a stored fit."""

    dataset: str
    model: str
    run: str
    episodes: int
    jobs: int
    share: float
    each: float
    beside: float
    peak: float
    size: float

    def seconds(self, episodes: int, batch: int | None) -> float:
        """What `episodes` would take on one core, in batches of `batch` (None: all in one)."""
        return episodes * self.each + self.share * (ceil(episodes / batch) if batch else 1) * self.beside


@dataclass(frozen=True)
class Other:
    """A job beside the fits, or several: its `name`, `seconds` and `peak` MB; it met `episodes`, 0 if it takes as long for any
    number of them."""

    name: str
    seconds: float
    peak: float
    episodes: int

    def ahead(self, episodes: int) -> float:
        return self.seconds * episodes / self.episodes if self.episodes else self.seconds


@dataclass(frozen=True)
class Cost:
    """What the jobs of a study took: `fits`, `others`; `elapsed` seconds from the begin of the first to the end of the last
    of them, during `idle` of which none ran; `size`, bytes of data and results; and `absent`, jobs that left no record."""

    fits: list[Fits]
    others: list[Other]
    elapsed: float
    idle: float
    size: int
    absent: int


def cost(study: Study, folder: Path) -> Cost:
    """What the finished jobs of a study in the project's `folder` took. Raises InputError for a damaged table of fits."""
    name, results = study.config["study"], folder / "results"
    spans, absent = [], 0

    def record(path: Path) -> tuple[float, float] | None:
        nonlocal absent
        found = _benchmark(path)
        if found is None:
            absent += 1
            return None
        spans.append((path.stat().st_mtime - found[0], path.stat().st_mtime))
        return found

    fits = []
    for case in study.cases:
        found = {}
        for job, runs in jobs(study, *case).items():
            rows = []
            for batch in study.batches(*case, runs[0]):
                path = results.joinpath(name, "fits", *case, job, f"{batch}.parquet")
                left = record(folder.joinpath("logs", name, "fits", *case, job, f"{batch}.tsv")) if path.exists() else None
                if left is not None:
                    rows.append((intact(_times, path), *left, path.stat().st_size))
            found[job] = rows
        fits += _fits_of_case(study, case, found)

    others = []
    held = {dataset: max(n for (d, _, _), n in study.n_episodes.items() if d == dataset) for dataset in study.catalogue}
    of_data = [
        (f"{rule} {d}", place.format(study=name, dataset=d), _stored(results / f"data/{d}.parquet") if rule == "data" else n)
        for rule, place in OF_DATA.items()
        for d, n in held.items()
    ]
    of_study = [(rule, f"logs/{name}/{rule}.tsv", sum(held.values())) for rule in OF_STUDY]
    for job, place, episodes in of_data + of_study:
        if (found := record(folder / place)) is not None:
            others.append(Other(job, *found, episodes))
    people = (study.config["populations"].get("batches") or {}).get("episodes", 0)
    for part, paths in _aside(folder / f"logs/{name}").items():
        if found := [row for row in map(record, paths) if row is not None]:
            seconds, peaks = zip(*found, strict=True)
            n = people if part == "experiments/batches" else 0
            others.append(Other(f"{part}, {len(found)}" + (" in all" if n == 0 else ""), sum(seconds), max(peaks), n))
    stored = [results / f"data/{dataset}.parquet" for dataset in study.catalogue]
    stored += [path for path in (results / name).rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in stored if path.exists())
    return Cost(fits, others, *_elapsed(spans), size, absent)


def _stored(path: Path) -> int:
    """How many episodes a data set has on disk, which may be more than are fitted; 0 if it is not there."""
    return pq.read_metadata(path).num_rows if path.exists() else 0


def _aside(logs: Path) -> dict[str, list[Path]]:
    """The records of the jobs of ASIDE, by the experiment or the rule."""
    parts: dict[str, list[Path]] = {}
    for path in sorted(path for pattern in ASIDE for path in logs.glob(pattern)):
        place = path.with_suffix("") if path.parent == logs else path.parent
        parts.setdefault(str(place.relative_to(logs)), []).append(path)
    return parts


# Of a job of fits: the times of its runs' fits (`_times`), its seconds, its MB, and the bytes that it stored.
Job = tuple[pd.DataFrame, float, float, int]


def _fits_of_case(study: Study, case: Case, found: dict[str, list[Job]]) -> list[Fits]:
    """What the runs over a data set with a model took, of the records of their jobs, by the jobs' names."""
    found = {job: rows for job, rows in found.items() if rows}
    times = pd.concat([pd.DataFrame(columns=TIMES, dtype=float), *(row[0] for rows in found.values() for row in rows)])
    times = times.groupby(level=0).sum()
    own = times[["cpu", "wall"]].copy()
    # A fit counts the time of the fit that it starts from, which was spent once.
    for run, source in study.given.items():
        if run in times.index and source in times.index:
            own.loc[run] -= times.loc[source, ["cpu", "wall"]] / times.loc[source, "n"] * times.loc[run, "n"]
    fits = []
    for job, rows in found.items():
        runs = [run for run in jobs(study, *case)[job] if run in times.index]
        seconds, size = sum(row[1] for row in rows), sum(row[3] for row in rows) / times.loc[runs, "n"].sum()
        cpu, wall = own.loc[runs].sum()
        # Where other work slowed the machine down, it did so to all that a job does.
        beside = max(seconds - wall, 0.0) * min(cpu / wall, 1.0) / len(rows)
        peak = max(row[2] for row in rows)
        for run in runs:
            n = int(times.loc[run, "n"])
            fits.append(Fits(*case, run, n, len(rows), 1 / len(runs), own.loc[run, "cpu"] / n, beside, peak, size))
    return sorted(fits, key=lambda each: list(study.runs).index(each.run))


def _benchmark(path: Path) -> tuple[float, float] | None:
    """The seconds and the MB of a job, or None if there is no record of it. Memory is what its log says, or else what Snakemake
    saw of it: 0 of a job too short to be looked at."""
    try:
        row = pd.read_csv(path, sep="\t").iloc[-1]
    except (FileNotFoundError, pd.errors.EmptyDataError, IndexError):
        return None
    seen = pd.to_numeric(row["max_rss"], errors="coerce")
    return float(row["s"]), peak_in(path.with_suffix(".log")) or (0.0 if np.isnan(seen) else float(seen))


TIMES = ["n", "cpu", "wall"]


def _times(path: Path) -> pd.DataFrame:
    """Of a table of fits, by run: how many, their processor seconds (seconds where threads shared a process), their seconds."""
    table = read_parquet(path, ["run", "t_cpu", "t_wall"]).to_pandas()
    columns = {"n": 1.0, "cpu": table["t_cpu"].fillna(table["t_wall"]), "wall": table["t_wall"]}
    return pd.DataFrame(columns).groupby(table["run"].to_numpy()).sum()


def _elapsed(spans: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """The seconds from the first begin to the last end of these (begin, end), and for how many of them none held."""
    spans = sorted(spans)
    if not spans:
        return 0.0, 0.0
    idle, reached = 0.0, spans[0][0]
    for begin, end in spans:
        idle += max(begin - reached, 0.0)
        reached = max(reached, end)
    return reached - spans[0][0], idle


def describe(cost: Cost, study: Study, episodes: int, cores: int) -> str:
    """The lines that `main` prints."""
    name = study.config["study"]
    if not cost.fits:
        return f"{name}: no job of fits has left a record in logs/{name}; expected a study that has run here"
    lines = [
        f"{name}: {sum(f.jobs * f.share for f in cost.fits):.0f} jobs of fits, {len(cost.others)} others,"
        f" {sum(f.episodes for f in cost.fits)} fits; {cost.size / 1e6:.0f} MB on disk, data included.",
        f"From the first job's begin to the last one's end {words(cost.elapsed)}; no job ran for"
        f" {cost.idle / cost.elapsed:.1%} of it.",
    ]
    if cost.absent:
        lines.append(f"{cost.absent} jobs have left no record (not run yet, or made elsewhere) and are not counted.")
    most = {dataset: max(n for (d, _, _), n in study.n_episodes.items() if d == dataset) for dataset in study.catalogue}
    # What is too slow for all episodes of this study is not taken to fit more of them.
    whole = [f for f in cost.fits if study.n_episodes[f.dataset, f.model, f.run] == most[f.dataset]]
    ahead = {f: f.seconds(episodes, study.batch_size(f.dataset, f.run)) for f in whole}
    lines += ["", f"{'fits':<44}{'ms each':>9}{'job, s':>8}{'MB':>6}{'bytes':>7}{f'{episodes:.0e} episodes':>20}"]
    for f in cost.fits:
        then = words(ahead[f]) if f in ahead else "-"
        what = f.dataset if len(study.models_of(f.dataset)) == 1 else f"{f.dataset} {f.model}"
        lines.append(f"{what:<18}{f.run:<26}{1e3 * f.each:>9.2f}{f.beside:>8.1f}{f.peak:>6.0f}{f.size:>7.0f}{then:>20}")
    more = {o: o.ahead(episodes * (len(study.catalogue) if o.name in OF_STUDY else 1)) for o in cost.others}
    lines += ["", f"{'other jobs':<44}{'s':>9}{'':>8}{'MB':>6}"]
    for o, seconds in more.items():
        lines.append(f"{o.name:<44}{o.seconds:>9.1f}{'':>8}{o.peak:>6.0f}{'':>7}{words(seconds):>20}")
    fitting, rest = sum(ahead.values()), sum(more.values())
    n_jobs = sum(f.share * ceil(episodes / (study.batch_size(f.dataset, f.run) or episodes)) for f in whole)
    lines += [
        "",
        f"{episodes} episodes of each data set: {words(fitting + rest)} of one core, {rest / (fitting + rest):.0%} of it other"
        f" than fits; {words(fitting / cores + rest)} where fits share {cores} cores; {n_jobs:.0f} jobs of fits.",
        "ms each: processor time of a fit. job, s: what a job takes beside the fits of all its runs. MB: most that it held.",
        "bytes: of a fit on disk. -: fits only the first episodes here, and none of more.",
        'Other jobs are taken to grow with the episodes, but for those given "in all".',
    ]
    return "\n".join(lines)
