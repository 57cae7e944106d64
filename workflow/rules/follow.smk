# What follows from the scores: every table and every figure, in one job, as reading the scores takes longer than most of it.


rule follow:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        examples=expand("results/{{study}}/examples/{dataset}.parquet", dataset=STUDY.catalogue),
        data=expand("results/data/{dataset}.parquet", dataset=STUDY.catalogue),
        found=FOUND,
        parts=[path for table in KEPT for path in PARTS[GATHERED[table]]],
        criteria=[PROJECT / path for path in STUDY.config["criteria"].values()],
        published=PROJECT / "config/published/published_tables.csv",
        library=sources("follow", *room("tables"), *room("figures"), *(f"experiments.{GATHERED[table][0]}" for table in KEPT)),
    output:
        FOLLOWING,
        [
            report(
                f"results/{{study}}/figures/{name}.svg",
                caption="../report/figure.rst",
                category="Figures",
                labels={"figure": spec.title, "how to read it": spec.caption},
            )
            for name, spec in FIGURES.items()
        ],
        # The figures that have nothing to show in this study: their files are there, and the report leaves them out.
        empty="results/{study}/figures/empty.json",
    log:
        "logs/{study}/follow.log",
    benchmark:
        "logs/{study}/follow.tsv"
    conda:
        "../../envs/environment.yaml"
    # Each core that draws holds what its figure is made of: of many fits one at a time.
    threads: 2 if sum(STUDY.n_episodes.values()) < 300_000 else 1
    params:
        runs=list(STUDY.runs.values()),
        cases=STUDY.cases,
        # By table: the experiment, and which of its parts' tables, by their folder, it is gathered from.
        gathered={table: GATHERED[table] for table in KEPT},
        criteria=list(STUDY.config["criteria"]),
        seed=STUDY.config["seed"],
    script:
        "../scripts/follow.py"


# Figures for a paper, as the configuration asks for them.
if PAPER_FIGURES:

    rule paper_figures:
        input:
            scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
            examples=expand("results/{{study}}/examples/{dataset}.parquet", dataset=STUDY.catalogue),
            data=expand("results/data/{dataset}.parquet", dataset=STUDY.catalogue),
            tables=[*FOLLOWING, *FOUND],
            library=sources("paper_figures", *room("figures")),
        output:
            DRAWN_FOR_PAPER,
        log:
            "logs/{study}/paper_figures.log",
        benchmark:
            "logs/{study}/paper_figures.tsv"
        conda:
            "../../envs/environment.yaml"
        params:
            runs=list(STUDY.runs.values()),
            cases=STUDY.cases,
            names=PAPER_FIGURES,
            asked=STUDY.config["figures"],
        script:
            "../scripts/paper_figures.py"
