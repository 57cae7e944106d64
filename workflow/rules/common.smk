# What the rules share: the checked study, and the functions that turn it into file names.
import sys

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "workflow"))

from banditfit.errors import InputError
from banditfit.figures import FIGURES
from banditfit.models import MODELS
from banditfit.provenance import export_package, sources
from banditfit.study import read_study

# The scripts import this copy of the package, installed or not, on this machine or on a node of a cluster.
export_package()

try:
    STUDY = read_study(config, ROOT, ", ".join(map(str, workflow.configfiles)))
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
        for batch in STUDY.batches(wildcards.dataset, source)
        if int(batch.split("-")[0]) <= last and int(batch.split("-")[1]) >= first
    ]
    return expand("results/{{study}}/fits/{{dataset}}/{run}/{batch}.parquet", run=source, batch=overlapping)


def all_fits(wildcards):
    """Every batch of every run over a data set."""
    return [
        f"results/{wildcards.study}/fits/{wildcards.dataset}/{run}/{batch}.parquet"
        for dataset, run in STUDY.n_episodes
        if dataset == wildcards.dataset
        for batch in STUDY.batches(dataset, run)
    ]


def method_of(wildcards):
    return STUDY.runs[wildcards.run].entry.method


# The parts of the study of populations, each a table of its own: one for each data set, size or experiment.
POPULATION_PARTS = [
    f"{table}/{of}"
    for part, tables, each in (
        ("held_out", ["held_out"], "datasets"),
        ("parameters", ["population", "objective"], "datasets"),
        ("study", ["population_study"], "sizes"),
        ("recovery", ["recovery"], "experiments"),
        ("hierarchical", ["hierarchical"], "of"),
    )
    if part in STUDY.populations
    for of in STUDY.populations[part].get(each, ["simulated"])
    for table in tables
]


def methods_asked(part):
    """The modules of the methods in a part of the study of populations."""
    return [f"methods.{method}" for method, _ in STUDY.methods_of(part).values()]


def population_tables():
    """The tables on populations that this study asks for; intervals and criteria need no more than its scores."""
    tables = ["coverage", "validity", *dict.fromkeys(part.split("/")[0] for part in POPULATION_PARTS)]
    return [f"results/{{study}}/tables/{table}.csv" for table in tables]


def posterior_tables():
    """The tables on posteriors that this study asks for."""
    asked = {
        "posterior": any(run.entry.method == "mc" for run in STUDY.runs.values()),
        "draws": STUDY.kept_draws,
        "calibration": STUDY.config["calibration"],
    }
    made = {"posterior": ["diagnostics", "agreement"], "draws": ["draws"], "calibration": ["calibration", "uniformity"]}
    return [f"results/{{study}}/tables/{table}.csv" for rule, wanted in asked.items() if wanted for table in made[rule]]
