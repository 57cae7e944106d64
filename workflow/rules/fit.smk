# The fits: one job for a batch of episodes, one table of fits from each.

# The methods that take most of a study's time.
SLOWEST = ("cvx", "mc")


rule fit:
    input:
        data="results/data/{dataset}.parquet",
        given=given_fits,
        library=lambda wildcards: sources("fit", f"methods.{method_of(wildcards)}"),
    output:
        "results/{study}/fits/{dataset}/{model}/{run}/{batch}.parquet",
    log:
        "logs/{study}/fits/{dataset}/{model}/{run}/{batch}.log",
    benchmark:
        "logs/{study}/fits/{dataset}/{model}/{run}/{batch}.tsv"
    # What takes longest begins first, so that no core waits for it at the end; the data sets of many arms before the others.
    priority: lambda wildcards: STUDY.catalogue[wildcards.dataset].n_arms * (method_of(wildcards) in SLOWEST)
    conda:
        "../../envs/environment.yaml"
    params:
        method=method_of,
        settings=lambda wildcards: STUDY.runs[wildcards.run].settings,
        seed=STUDY.config["seed"],
    script:
        "../scripts/fit.py"
