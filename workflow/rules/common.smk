# What the rules share: the checked study, and the functions that turn it into file names.
import shlex
import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from banditfit.errors import InputError
from banditfit.experiments import experiments
from banditfit.figures import FIGURES, paper_figures
from banditfit.models.families import MODELS
from banditfit.study.provenance import PROJECT, export_package, room, sources
from banditfit.study.catalogue import own_data
from banditfit.study.config import read_config, read_study
from banditfit.tables import table_names

# The scripts import this copy of the package, installed or not, on this machine or on a node of a cluster.
export_package()
# Snakemake gives this path to a shell, in which the blanks of a folder's name would part it.
sys.executable = shlex.quote(sys.executable)

try:
    for path in workflow.configfiles:
        read_config(path)  # sees what Snakemake, which has read it too, lets pass
    STUDY = read_study(config, PROJECT, ", ".join(map(str, workflow.configfiles)))
    PAPER_FIGURES = paper_figures(STUDY, ", ".join(map(str, workflow.configfiles)))
    # The experiments that the study asks for.
    EXPERIMENTS = {name: experiment for name, experiment in experiments().items() if experiment.parts(STUDY)}
except InputError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    study=STUDY.config["study"],
    dataset="|".join(STUDY.catalogue),
    run="|".join(map(re.escape, STUDY.runs)),
    batch=r"\d+-\d+",
    model="|".join(MODELS),


def given_fits(wildcards):
    """The fits that this batch starts from, where its method starts from another's."""
    source = STUDY.given.get(wildcards.run)
    if source is None:
        return []
    first, last = map(int, wildcards.batch.split("-"))
    overlapping = [
        batch
        for batch in STUDY.batches(wildcards.dataset, wildcards.model, source)
        if int(batch.split("-")[0]) <= last and int(batch.split("-")[1]) >= first
    ]
    return expand("results/{{study}}/fits/{{dataset}}/{{model}}/{run}/{batch}.parquet", run=source, batch=overlapping)


def all_fits(wildcards):
    """Every batch of every run over a data set, with all its models."""
    return [
        f"results/{wildcards.study}/fits/{dataset}/{model}/{run}/{batch}.parquet"
        for dataset, model, run in STUDY.n_episodes
        if dataset == wildcards.dataset
        for batch in STUDY.batches(dataset, model, run)
    ]


def method_of(wildcards):
    return STUDY.runs[wildcards.run].entry.method


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
    fits = [
        f"results/{{study}}/fits/{'/'.join(keys)}/{batch}.parquet"
        for keys in STUDY.n_episodes
        for batch in STUDY.batches(*keys)
    ]
    outputs = [path for rule in (rules.report, rules.manifest, rules.follow) for path in rule.output]
    parts = [path for paths in PARTS.values() for path in paths]
    files = [*outputs, *FOUND, *parts, *(rules.draws.output if STUDY.kept_draws else ()), *DRAWN_FOR_PAPER]
    files += ["results/data/{dataset}.parquet", *of_data, *fits]
    return sorted(set(expand(files, study=STUDY.config["study"], dataset=STUDY.catalogue)))
