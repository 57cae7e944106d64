# What the rules share: the checked study, and the functions that turn it into file names.
import shlex
import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from banditfit.errors import InputError
from banditfit.figures import FIGURES
from banditfit.models.families import MODELS
from banditfit.study.provenance import PROJECT, export_package, sources
from banditfit.study.config import read_config, read_study

# The scripts import this copy of the package, installed or not, on this machine or on a node of a cluster.
export_package()
# Snakemake gives this path to a shell, in which the blanks of a folder's name would part it.
sys.executable = shlex.quote(sys.executable)

try:
    for path in workflow.configfiles:
        read_config(path)  # sees what Snakemake, which has read it too, lets pass
    STUDY = read_study(config, PROJECT, ", ".join(map(str, workflow.configfiles)))
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


def calibration_ranks():
    """Every batch of the calibration, if this study asks for one."""
    return [
        f"results/{{study}}/calibration/{model}/{batch}.parquet"
        for batch in STUDY.calibration_batches()
        for model in STUDY.config["calibration"]["models"]
    ]


def posterior_tables():
    """The tables on posteriors that this study asks for."""
    asked = {
        "posterior": any(run.entry.method == "mc" for run in STUDY.runs.values()),
        "draws": STUDY.kept_draws,
        "calibration": STUDY.config["calibration"],
    }
    made = {"posterior": ["diagnostics", "agreement"], "draws": ["draws"], "calibration": ["calibration", "uniformity"]}
    return [f"results/{{study}}/tables/{table}.csv" for rule, wanted in asked.items() if wanted for table in made[rule]]


def everything_stored():
    """Every file that the study stores, so that the same command makes anew what was deleted."""
    parts = [f"results/{{study}}/population/{part}.csv" for part in POPULATION_PARTS]
    of_data = [f"results/{{study}}/{kind}/{{dataset}}.parquet" for kind in ("scores", "examples")]
    fits = [
        f"results/{{study}}/fits/{'/'.join(keys)}/{batch}.parquet"
        for keys in STUDY.n_episodes
        for batch in STUDY.batches(*keys)
    ]
    named = [rules.report, rules.manifest, rules.figures, rules.summarise, rules.claims, rules.coverage]
    outputs = [path for rule in named for path in rule.output]
    posteriors = [*posterior_tables(), *(rules.draws.output if STUDY.kept_draws else ()), *calibration_ranks()]
    files = [*outputs, *population_tables(), *parts, *posteriors, "results/data/{dataset}.npz", *of_data, *fits]
    return sorted(set(expand(files, study=STUDY.config["study"], dataset=STUDY.catalogue)))
