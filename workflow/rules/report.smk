# The manifest and the report: what ran, and what came out.


rule manifest:
    input:
        data=expand("results/data/{dataset}.parquet", dataset=STUDY.catalogue),
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        library=sources("manifest"),
    output:
        "results/{study}/manifest.json",
    log:
        "logs/{study}/manifest.log",
    benchmark:
        "logs/{study}/manifest.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        config=STUDY.config,
        models={dataset: STUDY.models_of(dataset) for dataset in STUDY.catalogue},
    script:
        "../scripts/manifest.py"


rule report:
    input:
        manifest="results/{study}/manifest.json",
        tables=[*FOLLOWING, *FOUND],
        figures=expand("results/{{study}}/figures/{figure}.svg", figure=FIGURES),
        empty="results/{study}/figures/empty.json",
        paper=DRAWN_FOR_PAPER,
        library=sources("report", *room("report")),
        templates=sorted((PROJECT / "workflow/banditfit/report").glob("*.j2")),
        assets=sorted((PROJECT / "workflow/banditfit/report/assets").iterdir()),
    output:
        report("results/{study}/report.html", caption="../report/report.rst", category="Report"),
        directory("results/{study}/report"),
    log:
        "logs/{study}/report.log",
    benchmark:
        "logs/{study}/report.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        title=STUDY.config["title"],
        runs=list(STUDY.runs.values()),
        cases=STUDY.cases,
    script:
        "../scripts/report.py"
