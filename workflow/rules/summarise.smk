# The tables that people read.


rule summarise:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        coverage="results/{study}/tables/coverage.csv",
        published=PROJECT / "config/published/published_tables.csv",
        library=sources("summarise"),
    output:
        expand(
            "results/{{study}}/tables/{table}.csv",
            table=["summary", "compared", "outcomes", "comparison", "reproduction", "attribution", "guide"],
        ),
    log:
        "logs/{study}/summarise.log",
    benchmark:
        "logs/{study}/summarise.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        runs=list(STUDY.runs.values()),
        cases=STUDY.cases,
    script:
        "../scripts/summarise.py"


rule claims:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        data=expand("results/data/{dataset}.npz", dataset=STUDY.catalogue),
        tables=[*rules.summarise.output, *population_tables()],
        library=sources("claims"),
    output:
        ledger="results/{study}/tables/claims.csv",
        figures="results/{study}/tables/claim_figures.csv",
    log:
        "logs/{study}/claims.log",
    benchmark:
        "logs/{study}/claims.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        runs=list(STUDY.runs.values()),
    script:
        "../scripts/claims.py"
