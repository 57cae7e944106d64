# The judge: all fits of a data set together, by one yardstick.


rule score:
    input:
        data="results/data/{dataset}.parquet",
        fits=lambda wildcards: expand(all_fits(wildcards.dataset), study=wildcards.study),
        library=sources("score"),
    output:
        scores="results/{study}/scores/{dataset}.parquet",
        example="results/{study}/examples/{dataset}.parquet",
    log:
        "logs/{study}/scores/{dataset}.log",
    benchmark:
        "logs/{study}/scores/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        example=STUDY.config["example"],
        runs=list(STUDY.runs.values()),
        own=lambda wildcards: own_data(STUDY.catalogue[wildcards.dataset]),
    script:
        "../scripts/score.py"
