"""Which runs of a study are fitted in one job of the workflow.

To start a job takes longer than most methods take for all episodes of a batch, so runs share jobs. A run has jobs of its own if
its method says that it is slow, or if the configuration gives it batches or limits of its own. Of all others those share a job
that begin together: populations, what starts from no other fit, and what starts from the fits of a run that has jobs of its
own. Each local solver but the study's first has jobs apart, as some are slow whatever the method.
"""

from ..methods import get_method
from .config import Study

# No id of a run has a hyphen before its dot.
QUICK, POPULATION, AFTER = "quick-runs", "population-runs", "after-"


def jobs(study: Study, dataset: str, model: str) -> dict[str, list[str]]:
    """The runs that fit a data set with a model, by the job that they share; those from which others start come first. A run
    that shares its job with no other gives it its name."""
    found: dict[str, list[str]] = {}
    for run in sorted(study.runs, key=lambda run: _depth(study, run)):
        if (dataset, model, run) in study.n_episodes:
            found.setdefault(_job(study, run), []).append(run)
    return {runs[0] if len(runs) == 1 else job: runs for job, runs in found.items()}


def job_of(study: Study, dataset: str, model: str, run: str) -> str:
    """The job that fits a run."""
    return next(job for job, runs in jobs(study, dataset, model).items() if run in runs)


def _depth(study: Study, run: str) -> int:
    """How many fits must be there before this one starts."""
    source = study.given.get(run)
    return 0 if source is None else 1 + _depth(study, source)


def _job(study: Study, run: str) -> str:
    if _apart(study, run):
        return run
    solver = study.runs[run].local_solver
    first = solver in (None, study.config["local_solvers"][0])
    return _stage(study, run) + ("" if first else f".{solver}")


def _apart(study: Study, run: str) -> bool:
    """Whether a run has jobs of its own."""
    method = get_method(study.runs[run].entry.method)
    own_batches = run in study.config["batches"] or run in study.config["limits"]
    return method.slow or own_batches or (method.population and run in study.given)


def _stage(study: Study, run: str) -> str:
    """What a run waits for. A population is fitted in one batch, unlike others."""
    source = study.given.get(run)
    if source is None:
        return POPULATION if get_method(study.runs[run].entry.method).population else QUICK
    if _apart(study, source) or get_method(study.runs[source].entry.method).population:
        return AFTER + source
    return _stage(study, source)
