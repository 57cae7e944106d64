# The figures, all from the stored tables alone: one job, as reading the tables takes longer than drawing.


rule figures:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        examples=expand("results/{{study}}/examples/{dataset}.parquet", dataset=STUDY.catalogue),
        data=expand("results/data/{dataset}.npz", dataset=STUDY.catalogue),
        tables=[*rules.summarise.output, *posterior_tables(), *population_tables()],
        library=sources("figures"),
    output:
        expand("results/{{study}}/figures/{figure}.svg", figure=FIGURES),
        [
            report(
                f"results/{{study}}/figures/{name}.png",
                caption="../report/figure.rst",
                category="Figures",
                labels={"figure": spec.title, "how to read it": spec.caption},
            )
            for name, spec in FIGURES.items()
        ],
        # The figures that have nothing to show in this study: their files are there, and the report leaves them out.
        empty="results/{study}/figures/empty.json",
    log:
        "logs/{study}/figures.log",
    benchmark:
        "logs/{study}/figures.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        runs=list(STUDY.runs.values()),
        cases=STUDY.cases,
    script:
        "../scripts/figures.py"
