# Populations: intervals and criteria held against the judged fits, prediction of held-out trials, populations' own parameters,
# and simulated populations, whose truth is known. All but the first are parts of a study that its configuration asks for.


rule coverage:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        data=expand("results/data/{dataset}.npz", dataset=STUDY.catalogue),
        criteria=lambda wildcards: [PROJECT / path for path in STUDY.config["criteria"].values()],
        library=sources("interval_coverage"),
    output:
        coverage="results/{study}/tables/coverage.csv",
        validity="results/{study}/tables/validity.csv",
    log:
        "logs/{study}/coverage.log",
    benchmark:
        "logs/{study}/coverage.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        criteria=list(STUDY.config["criteria"]),
        seed=STUDY.config["seed"],
    script:
        "../scripts/interval_coverage.py"


rule held_out:
    input:
        data="results/data/{dataset}.npz",
        library=sources("held_out", *methods_asked("held_out")),
    output:
        "results/{study}/population/held_out/{dataset}.csv",
    log:
        "logs/{study}/population/held_out/{dataset}.log",
    benchmark:
        "logs/{study}/population/held_out/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        runs=lambda wildcards: STUDY.methods_by_model("held_out", wildcards.dataset),
        part=STUDY.populations.get("held_out"),
        seed=STUDY.config["seed"],
    script:
        "../scripts/held_out.py"


rule parameters:
    input:
        data="results/data/{dataset}.npz",
        library=sources("parameters", *methods_asked("parameters")),
    output:
        population="results/{study}/population/population/{dataset}.csv",
        objective="results/{study}/population/objective/{dataset}.csv",
    log:
        "logs/{study}/population/parameters/{dataset}.log",
    benchmark:
        "logs/{study}/population/parameters/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        runs=lambda wildcards: STUDY.methods_by_model("parameters", wildcards.dataset),
        episodes=lambda wildcards: {keys[1:]: n for keys, n in STUDY.n_episodes.items() if keys[0] == wildcards.dataset},
        part=STUDY.populations.get("parameters"),
        seed=STUDY.config["seed"],
    script:
        "../scripts/parameters.py"


rule population_study:
    input:
        library=sources("population_study", *methods_asked("study")),
    output:
        "results/{study}/population/population_study/{size}.csv",
    log:
        "logs/{study}/population/population_study/{size}.log",
    benchmark:
        "logs/{study}/population/population_study/{size}.tsv"
    wildcard_constraints:
        size=r"\d+",
    conda:
        "../../envs/environment.yaml"
    params:
        runs=STUDY.methods_of("study"),
        part=STUDY.populations.get("study"),
        seed=STUDY.config["seed"],
    script:
        "../scripts/population_study.py"


rule recovery:
    input:
        library=sources("recovery", *methods_asked("recovery")),
    output:
        "results/{study}/population/recovery/{experiment}.csv",
    log:
        "logs/{study}/population/recovery/{experiment}.log",
    benchmark:
        "logs/{study}/population/recovery/{experiment}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        runs=STUDY.methods_of("recovery"),
        part=STUDY.populations.get("recovery"),
        seed=STUDY.config["seed"],
    script:
        "../scripts/recovery.py"


rule hierarchical:
    input:
        library=sources("hierarchical"),
    output:
        "results/{study}/population/hierarchical/simulated.csv",
    log:
        "logs/{study}/population/hierarchical.log",
    benchmark:
        "logs/{study}/population/hierarchical.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        part=STUDY.populations.get("hierarchical"),
        seed=STUDY.config["seed"],
    script:
        "../scripts/hierarchical.py"


if POPULATION_PARTS:

    rule populations:
        input:
            parts=expand("results/{{study}}/population/{part}.csv", part=POPULATION_PARTS),
            library=sources("populations"),
        output:
            expand("results/{{study}}/tables/{table}.csv", table=sorted({part.split("/")[0] for part in POPULATION_PARTS})),
        log:
            "logs/{study}/populations.log",
        benchmark:
            "logs/{study}/populations.tsv"
        conda:
            "../../envs/environment.yaml"
        params:
            cases=STUDY.cases,
        script:
            "../scripts/populations.py"
