# Posteriors: how the chains did, Monte Carlo against quadrature, calibration by simulation, and the draws that are kept.


rule posterior:
    input:
        scores=expand("results/{{study}}/scores/{dataset}.parquet", dataset=STUDY.catalogue),
        library=sources("posterior"),
    output:
        diagnostics="results/{study}/tables/diagnostics.csv",
        agreement="results/{study}/tables/agreement.csv",
    log:
        "logs/{study}/posterior.log",
    benchmark:
        "logs/{study}/posterior.tsv"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/posterior.py"


rule draws:
    input:
        data=expand("results/data/{dataset}.npz", dataset=STUDY.catalogue),
        fits=[
            f"results/{{study}}/fits/{dataset}/{model}/{run}/{STUDY.batch_of(dataset, model, run, episode)}.parquet"
            for dataset, model, run, episode in STUDY.kept_draws
        ],
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


rule calibrate:
    input:
        library=sources("calibrate"),
    output:
        "results/{study}/calibration/{model}/{batch}.parquet",
    log:
        "logs/{study}/calibration/{model}/{batch}.log",
    benchmark:
        "logs/{study}/calibration/{model}/{batch}.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        calibration=STUDY.config["calibration"],
        seed=STUDY.config["seed"],
    script:
        "../scripts/calibrate.py"


rule calibration:
    input:
        ranks=calibration_ranks(),
        library=sources("calibration"),
    output:
        calibration="results/{study}/tables/calibration.csv",
        uniformity="results/{study}/tables/uniformity.csv",
    log:
        "logs/{study}/calibration.log",
    benchmark:
        "logs/{study}/calibration.tsv"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/calibration.py"
