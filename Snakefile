# banditfit: methods of fitting reinforcement-learning models to bandit choices, compared by one yardstick.
from snakemake.utils import min_version

min_version("9.0")

if not workflow.configfiles:

    configfile: Path(workflow.basedir) / "config/config.yaml"


report: "workflow/report/study.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/follow.smk"
include: "workflow/rules/report.smk"


# A limit of jobs per second makes Snakemake look, every second, at all jobs that may start, and once more for each job that has
# ended: after a hundred jobs that takes a good part of a core. On one machine the cores are the limit.
onstart:
    if workflow.is_main_process:
        PRESENCE.begins(local=workflow.local_exec)
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


rule all:
    default_target: True
    input:
        everything_stored(),
