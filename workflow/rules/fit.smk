# The fits: one job for a batch of episodes and the runs that share it (banditfit/study/jobs.py), one table of fits from each.


rule fit:
    input:
        data="results/data/{dataset}.parquet",
        given=given_fits,
        library=lambda wildcards: sources("fit", *(f"methods.{run.entry.method}" for run in runs_of(wildcards))),
    output:
        "results/{study}/fits/{dataset}/{model}/{job}/{batch}.parquet",
    log:
        "logs/{study}/fits/{dataset}/{model}/{job}/{batch}.log",
    benchmark:
        "logs/{study}/fits/{dataset}/{model}/{job}/{batch}.tsv"
    # What takes longest begins first, so that no core waits for it at the end; the data sets of many arms before the others.
    priority: lambda wildcards: STUDY.catalogue[wildcards.dataset].n_arms * any(is_slow(run) for run in runs_of(wildcards))
    conda:
        "../../envs/environment.yaml"
    params:
        runs=lambda wildcards: [(run.id, run.entry.method, run.settings) for run in runs_of(wildcards)],
        starts=lambda wildcards: {run.id: STUDY.given[run.id] for run in runs_of(wildcards) if run.id in STUDY.given},
        seed=STUDY.config["seed"],
    script:
        "../scripts/fit.py"
