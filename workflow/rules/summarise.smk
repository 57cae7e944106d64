# The tables that people read.


rule summarise:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        published=ROOT / "config/published/published_tables.csv",
        library=sources("tables", "published", "stored"),
    output:
        expand(
            "results/{{study}}/tables/{table}.csv",
            table=["summary", "outcomes", "comparison", "reproduction", "attribution"],
        ),
    log:
        "logs/{study}/summarise.log",
    conda:
        "../../envs/environment.yaml"
    params:
        runs=list(STUDY.runs.values()),
        catalogue=STUDY.catalogue,
    script:
        "../scripts/summarise.py"
