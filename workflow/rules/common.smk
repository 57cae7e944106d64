# What the rules share: the checked study, and the functions that turn it into file names.
import shlex
import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from banditfit.errors import InputError
from banditfit.experiments import experiments
from banditfit.figures import FIGURES, paper_figures
from banditfit.methods import get_method
from banditfit.models.families import MODELS
from banditfit.study.provenance import PROJECT, export_package, room, sources
from banditfit.study.catalogue import own_data
from banditfit.study.config import read_config, read_study
from banditfit.study.jobs import job_of, jobs
from banditfit.study.locks import Presence
from banditfit.tables import table_names

# The scripts import this copy of the package, installed or not, on this machine or on a node of a cluster.
export_package()
# Snakemake gives this path to a shell, in which the blanks of a folder's name would part it.
sys.executable = shlex.quote(sys.executable)

# A run that was killed goes on by the same command.
PRESENCE = Presence(Path.cwd()) if workflow.is_main_process else None

try:
    for path in workflow.configfiles:
        read_config(path)  # sees what Snakemake, which has read it too, lets pass
    STUDY = read_study(config, PROJECT, ", ".join(map(str, workflow.configfiles)))
    PAPER_FIGURES = paper_figures(STUDY, ", ".join(map(str, workflow.configfiles)))
    # The experiments that the study asks for.
    EXPERIMENTS = {name: experiment for name, experiment in experiments().items() if experiment.parts(STUDY)}
except InputError as error:
    raise WorkflowError(str(error)) from None


# The runs of each job of fits, by data set and model.
JOBS = {case: jobs(STUDY, *case) for case in STUDY.cases}


wildcard_constraints:
    study=STUDY.config["study"],
    dataset="|".join(STUDY.catalogue),
    job="|".join(sorted({re.escape(job) for shared in JOBS.values() for job in shared})),
    batch=r"\d+-\d+",
    model="|".join(MODELS),


def runs_of(wildcards):
    """The runs of a job of fits."""
    return [STUDY.runs[run] for run in JOBS[wildcards.dataset, wildcards.model][wildcards.job]]


def is_slow(run):
    return get_method(run.entry.method).slow


def fits_of(dataset, model, run, batches=None):
    """The files that hold the fits of a run over a data set with a model: of these batches, or of all."""
    job = job_of(STUDY, dataset, model, run)
    batches = STUDY.batches(dataset, model, run) if batches is None else batches
    return [f"results/{{study}}/fits/{dataset}/{model}/{job}/{batch}.parquet" for batch in batches]


def given_fits(wildcards):
    """The fits that this batch starts from, where a method of its job starts from those of another job."""
    case, runs = (wildcards.dataset, wildcards.model), {run.id for run in runs_of(wildcards)}
    sources = [STUDY.given[run] for run in runs if run in STUDY.given and STUDY.given[run] not in runs]
    first, last = map(int, wildcards.batch.split("-"))
    found = []
    for source in sources:
        overlapping = [
            batch
            for batch in STUDY.batches(*case, source)
            if int(batch.split("-")[0]) <= last and int(batch.split("-")[1]) >= first
        ]
        found += fits_of(*case, source, overlapping)
    return sorted(set(expand(found, study=wildcards.study)))


def all_fits(dataset=None):
    """The files of all fits, or of those of one data set with all its models."""
    cases = [case for case in STUDY.cases if dataset in (None, case.dataset)]
    return [path for case in cases for runs in JOBS[case].values() for path in fits_of(*case, runs[0])]


# Where the parts of each experiment lie.
PARTS = {
    (name, found): [f"results/{{study}}/{experiment.folder}/{found}/{part}.csv" for part in experiment.parts(STUDY)]
    for name, experiment in EXPERIMENTS.items()
    for found in experiment.found
}
# By the table that is gathered from them: the experiment, and which of what its parts found.
GATHERED = {table: (name, found) for name, one in EXPERIMENTS.items() for table, found in one.gathered().items()}
# Those of them that are gathered with what follows from the scores.
KEPT = [table for table, (name, _) in GATHERED.items() if EXPERIMENTS[name].kept]


def tables(names):
    return [f"results/{{study}}/tables/{name}.csv" for name in names]


# The tables that are there before what follows from the scores.
FOUND = tables([*(set(GATHERED) - set(KEPT)), *(["draws"] if STUDY.kept_draws else [])])
# The tables that follow from the scores, and those gathered with them.
FOLLOWING = tables([*table_names(STUDY.runs.values(), STUDY.cases), *KEPT])


# The figures for a paper that the study asks for, in their formats.
DRAWN_FOR_PAPER = [
    f"results/{{study}}/paper_figures/{name}.{kind}"
    for name in PAPER_FIGURES
    for kind in STUDY.config["figures"].get("formats", ["svg", "pdf", "png"])
]


def everything_stored():
    """Every file that the study stores, so that the same command makes anew what was deleted."""
    of_data = [f"results/{{study}}/{kind}/{{dataset}}.parquet" for kind in ("scores", "examples")]
    outputs = [path for rule in (rules.report, rules.manifest, rules.follow) for path in rule.output]
    parts = [path for paths in PARTS.values() for path in paths]
    files = [*outputs, *FOUND, *parts, *(rules.draws.output if STUDY.kept_draws else ()), *DRAWN_FOR_PAPER]
    files += ["results/data/{dataset}.parquet", *of_data, *all_fits()]
    return sorted(set(expand(files, study=STUDY.config["study"], dataset=STUDY.catalogue)))
