# The figures: one job each, from the stored tables alone.


rule figure:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        examples=expand("results/{{study}}/examples/{dataset}.parquet", dataset=STUDY.catalogue),
        data=expand("results/data/{dataset}.npz", dataset=STUDY.catalogue),
        tables=rules.summarise.output,
        library=sources("figures", "tables"),
    output:
        png=report(
            "results/{study}/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        svg="results/{study}/figures/{figure}.svg",
    log:
        "logs/{study}/figures/{figure}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        caption=lambda wildcards: FIGURES[wildcards.figure].caption,
        runs=list(STUDY.runs.values()),
        catalogue=STUDY.catalogue,
    script:
        "../scripts/figure.py"
