# Experiments: what a study asks beside its fits. Which there are, with their parts, is said by the library's modules.

for name, experiment in EXPERIMENTS.items():

    rule:
        name:
            f"experiment_{name}"
        input:
            data=lambda wildcards, experiment=experiment: (
                f"results/data/{experiment.data_of(wildcards.part)}.parquet" if experiment.of_data else []
            ),
            library=sources("experiment", f"experiments.{name}", *(f"methods.{m}" for m in experiment.methods(STUDY))),
        output:
            [f"results/{{study}}/{experiment.folder}/{found}/{{part}}.csv" for found in experiment.found],
        log:
            f"logs/{{study}}/experiments/{name}/{{part}}.log",
        benchmark:
            f"logs/{{study}}/experiments/{name}/{{part}}.tsv"
        wildcard_constraints:
            part="|".join(map(re.escape, experiment.parts(STUDY))),
        conda:
            "../../envs/environment.yaml"
        params:
            experiment=name,
            arguments=lambda wildcards, experiment=experiment: experiment.arguments(STUDY, wildcards.part),
        script:
            "../scripts/experiment.py"


# The tables that are gathered from parts which are not kept with the scores.
if made := [table for table in GATHERED if table not in KEPT]:

    rule gather:
        input:
            parts=lambda wildcards: expand(PARTS[GATHERED[wildcards.table]], study=wildcards.study),
            library=lambda wildcards: sources("gather", f"experiments.{GATHERED[wildcards.table][0]}"),
        output:
            "results/{study}/tables/{table}.csv",
        log:
            "logs/{study}/gather/{table}.log",
        benchmark:
            "logs/{study}/gather/{table}.tsv"
        wildcard_constraints:
            table="|".join(made),
        conda:
            "../../envs/environment.yaml"
        params:
            experiment=lambda wildcards: GATHERED[wildcards.table][0],
        script:
            "../scripts/gather.py"


# The draws behind some fits of Monte Carlo.
rule draws:
    input:
        data=expand("results/data/{dataset}.parquet", dataset=STUDY.catalogue),
        fits=[fits_of(*keys, [STUDY.batch_of(*keys, episode)])[0] for *keys, episode in STUDY.kept_draws],
        library=sources("draws"),
    output:
        table="results/{study}/tables/draws.csv",
        draws=[
            f"results/{{study}}/draws/{dataset}/{model}/{run}/{episode:04d}.nc"
            for dataset, model, run, episode in STUDY.kept_draws
        ],
    log:
        "logs/{study}/draws.log",
    benchmark:
        "logs/{study}/draws.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        kept=STUDY.kept_draws,
    script:
        "../scripts/draws.py"
