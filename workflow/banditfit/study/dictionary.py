"""What the columns of scores mean, with their units, and what each table is: docs/dictionary.md is printed from here."""

# By the column of a table of scores: its unit ("-" where it has none), and what it holds.
SCORES = {
    "dataset": ("-", "the data set, a row of config/datasets.tsv"),
    "episode": ("-", "the number of the episode in its data set, from 0"),
    "id": ("-", "its name there: a participant's, in data of one's own"),
    "model": ("-", "the model that was fitted, a row of config/models.tsv or a sum of terms"),
    "method": ("-", "the method, as `bf.fit` knows it"),
    "settings": ("-", "its settings, as JSON"),
    "run": ("-", "the row of config/methods.tsv, with its local solver where it has one: d_loc.L-BFGS-B"),
    "seed": ("-", "of the fit's random draws; from data set, episode, method and the study's seed"),
    "bounds": ("-", "the box of the fit by the names of the parameters, as JSON"),
    "alpha": ("1", "learning rates of a published family (signals, arms); NaN where not identified; of main runs alone"),
    "beta": ("1 / reward", "its sensitivities, likewise"),
    "parameters": ("-", "all parameters by name (signals, arms), where alpha and beta are not all of them"),
    "fillers": ("-", "the method's own numbers for what is not identified, by name; stored of cvx_loc and cvx_loc_t alone"),
    "nll": (
        "nats",
        "the negative log-likelihood of the episode, by the judge; NaN in a file where a regret tells it",
    ),
    "nll_claimed": ("nats", "the same in the method's own word"),
    "rounding": ("nats", "how far from exact the recomputed nll may be"),
    "guessing": ("nats", "the nll of equal probabilities for every arm on offer"),
    "n_scored": ("trials", "how many choices count: neither missed nor forced"),
    "lower_bound": (
        "nats",
        "the method's bound on the nll of every admissible parameter; NaN where it has none; every bit is kept",
    ),
    "bound_holds": ("-", "whether it is at most the nll of every admissible fit of the episode, but for rounding"),
    "best_nll": ("nats", "the least nll of an admissible fit of the episode, by whatever method; every bit is kept"),
    "best_bound": ("nats", "the highest bound that holds for the episode; every bit is kept"),
    "regret": ("nats", "nll - best_nll, of an admissible fit, to 1e-9"),
    "gap": ("nats", "nll - best_bound, of an admissible fit, to 1e-9; not in a file of scores"),
    "kl": ("nats per step", "the mean over steps of KL(true policy || fitted policy); NaN without truth"),
    "kl_mean_policy": ("nats per step", "likewise of the mean policy of a posterior"),
    "alpha_error": ("1", "the Euclidean norm of the error of all alpha, fillers included, as published"),
    "beta_error": ("1 / reward", "likewise of beta"),
    "alpha_error_identified": ("1", "the same over the identified alpha alone; NaN in a file where these are all"),
    "beta_error_identified": ("1 / reward", "the same over the identified beta alone; NaN in a file where these are all"),
    "status": ("-", "how the fit ended, from a closed list: converged, limit, not_converged, inaccurate, separable, failed"),
    "message": ("-", "the method's words on it"),
    "fallback": ("-", "what the method fell back on; empty where it did not"),
    "has_parameters": ("-", "whether there is a finite number for every parameter that the choices tell"),
    "not_identified": ("-", "names of the parameters of which the scored choices say nothing"),
    "admissible": ("-", "whether there are parameters, all inside the box"),
    "outside": ("-", "whether there are parameters, and some outside the box"),
    "at_bound": ("-", "parameters that ended at a bound, with its value; in a stored study kinds of them, whichever the arm"),
    "claim_held": (
        "-",
        "whether the claimed nll, bound and parameters are what the judge finds; None where nothing was claimed",
    ),
    "starts": ("-", "what each start of a local search ended at"),
    "start_excess": ("nats", "what each start ended above the best one"),
    "n_eval": ("1", "evaluations of the likelihood; of a conic solver its iterations; in tables of fits alone"),
    "t_setup": ("s", "to build and compile the problem, wall time"),
    "t_solve": ("s", "to solve it, wall time"),
    "t_wall": ("s", "all of the fit, wall time"),
    "t_cpu": ("s", "all of the fit, processor time: what methods are compared by"),
    "t_published": ("s", "time as the published study counts it for this method; NaN in a file where that is t_wall"),
    "diagnostics": ("-", "of a sampler or search, by name: r_hat, ess_bulk, ess_tail, divergences, e_bfmi, ..."),
    "posterior": (
        "-",
        "ends of 95 % intervals by parameter; sd of mc and quadrature; other moments in tables of fits",
    ),
    "machine": ("-", "processor, cores, threads and versions, as JSON"),
}
# What a row of each table is. Columns that bear a column's name of the scores mean the same; times in them are in ms.
TABLES = {
    "agreement": "a parameter: Monte Carlo beside exact moments, in standard errors",
    "attribution": "a run: gaps to the bound of CVX, by what they are made of (a poor fit, a loose bound, undecided)",
    "behaviour": "a measure of behaviour at a lag or trial: mean over people with its 95 % interval, for people and agents",
    "calibration": "a rank of a parameter of simulated episodes among draws of their posteriors: how many have it",
    "choices": "a need of the guide and a run: in what share of the resamples it is chosen",
    "claim_figures": "a figure that a claim rests on",
    "claims": "a claim: its source, rule, verdict and reason",
    "compared": "a run and a metric: its median over the episodes that all compared runs have",
    "comparison": "a run and a metric beside the published figure: medians, quartiles, 95 % interval, verdict",
    "confusion": "a model that made the data and one that was chosen: in what share",
    "coverage": "a run and a parameter: how often 95 % intervals hold the truth",
    "diagnostics": "a diagnostic of a sampler: its distribution over fits, and how many fail",
    "draws": "a draw of a posterior that is shown",
    "facts": "a fact on how a file was read",
    "guide": "a run: its cost, accuracy and what it gives beside an estimate",
    "held_out": "a run: nll per held-out trial and gain over chance, in nats, with 95 % intervals",
    "hierarchical": "a parameter of a population: gem beside NUTS",
    "models": "a model: criteria summed over people, and how frequent it is among them",
    "objective": "a round of EM",
    "outcomes": "a run: how its fits ended, counted",
    "people": "a person and a model: criteria and flags",
    "people_sets": "a parameter of a person: what values the choices do not speak against",
    "person_parameters": "a parameter of a person: estimate, flags, box, interval",
    "population": "a parameter of a population on the link scale, with standard errors",
    "population_of_batches": "a parameter of a population whose people were fitted in batches",
    "population_study": "a run on a simulated population: means over its members",
    "recovered": "a parameter of a model at one's own design: correlation, bias and error of its recovery",
    "recovered_people": "an agent and a parameter: true and estimated",
    "recovered_values": "a run, a parameter and a bin of its true values: quartiles of what is fitted there",
    "recovery": "a parameter of a simulated population: variances found beside true ones, and coverage",
    "regrets": "a run and a number of nats: the share of fits no further above the best of their episode",
    "reproduction": "a published figure beside ours",
    "summary": "a run and a metric: n, median with 95 % bootstrap interval, quartiles, mean, in the unit of the row",
    "uniformity": "a parameter: whether the ranks of the calibration are uniform",
    "validity": "a run and a parameter: its correlation with a criterion, with 95 % interval",
}


def markdown() -> str:
    """The page."""
    rows = [f"| `{name}` | {unit} | {meaning} |" for name, (unit, meaning) in SCORES.items()]
    tables = [f"| `{name}` | {row} |" for name, row in TABLES.items()]
    return "\n".join(
        [
            "# Data dictionary",
            "",
            "Printed by `python -m banditfit dictionary`.",
            "",
            "## Scores",
            "",
            "`results/STUDY/scores/DATASET.parquet` has a row per episode, model and run. Of a stored study numbers are rounded"
            " to what counts (`study/compact.py`), but for bounds, the best nll and guessing, which keep every bit, so that a"
            " bound can be checked. A file says each fact once: where there is a regret, nll = best_nll + regret, and"
            " gap = nll - best_bound; `bf.load_study` and `bf.load_fits` put both in. Columns that a table of fits has alone"
            " are named too.",
            "",
            "| column | unit | meaning |",
            "|---|---|---|",
            *rows,
            "",
            "## Tables",
            "",
            "`results/STUDY/tables/NAME.csv`. Columns that are called as one of the scores mean the same, but that times are in"
            " milliseconds; `n` is a number of fits, `low` and `high` are ends of 95 % intervals.",
            "",
            "| table | a row is |",
            "|---|---|",
            *tables,
        ]
    )
