# The data sets: simulated, or read from a file of one's own.


rule data:
    input:
        file=lambda wildcards: STUDY.catalogue[wildcards.dataset].files(PROJECT),
        library=sources("data"),
    output:
        "results/data/{dataset}.parquet",
    log:
        "logs/data/{dataset}.log",
    benchmark:
        "logs/data/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        entry=lambda wildcards: STUDY.catalogue[wildcards.dataset],
    script:
        "../scripts/data.py"
