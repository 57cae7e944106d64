"""How decisive players of sequential games are: how well methods find again the log betas of simulated players, how they
predict held-out games, and what scores say of it.

A study asks for designs: boards, kinds of players, numbers of participants and games, and the runs that fit them. A part is one
run on the simulated data sets of one kind; the run `oracle` knows the true advantages and the population.
"""

import json
import traceback
from collections.abc import Mapping, Sequence
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import psychometrics as ps
from ..fitting import derive_seed
from ..psychometrics.fits import SharedValues, score, splits
from . import Experiment

if TYPE_CHECKING:
    from ..study.config import Study

ORACLE = "oracle"
# Xu & Ji, arXiv 2605.09305, Tables 3 and 4, 200 participants x 50 games: RMSE of log beta and seconds, by method and board.
PUBLISHED = {
    ("mdp_gem", "tiny_cross"): (0.368, 16.5),
    ("mdp_gem", "big_cross"): (0.203, 17.1),
    ("mdp_gem", "big_l"): (0.142, 18.9),
    ("mdp_gem", "diamond"): (0.099, 19.4),
    ("mdp_mm", "tiny_cross"): (0.542, 35.3),
    ("mdp_mm", "big_cross"): (0.442, 75.5),
    ("mdp_mm", "big_l"): (0.388, 202.5),
    ("mdp_mm", "diamond"): (0.403, 370.5),
}
PUBLISHED_SIZE = (200, 50)  # participants, games
KEYS = ["design", "board", "players", "run"]
MEANS = ["rmse", "free_rmse", "r", "coverage", "missing", "mu", "sigma", "seconds", "cpu_seconds", "nll"]
FIT = ["method", "settings", "status", "message", "participants", "games", *MEANS, "bellman", "convex", "newton_fails"]
PLAYER = ["participant", "truth", "log_beta", "se", "lower", "upper", "status", "not_identified", "score", "solved", "nll", "n"]


def measure(
    board: str,
    players: str,
    participants: int,
    games: int,
    method: str,
    settings: Mapping[str, Any],
    held_out: bool = False,
    mu: float = 0.0,
    sigma: float = 0.75,
    seed: int = 0,
    fit_seed: int = 0,
) -> tuple[pd.DataFrame, ...]:
    """One run on `participants` x `games` simulated with `seed`: its row; a row per player, with held-out choices if asked for;
    mean |influence| by step; and the weights that held-out choices chose from. Of a fit that fails the row says why."""
    logs = ps.simulate(ps.board(board), participants, games, players, mu, sigma, seed)
    row = {"method": method, "settings": json.dumps(dict(settings)), "participants": participants, "games": games}
    if method == ORACLE:
        fitted = ps.know(logs, mu, sigma)
    else:
        ps.fit(ps.simulate(ps.board("tiny_cross"), 4, 4), settings={"bellman": 1.0})  # compiles before the clock starts
        begin, begin_cpu = perf_counter(), process_time()
        try:
            fitted = ps.fit(logs, method, settings, fit_seed)
        except Exception as error:  # whatever it was, its row says so
            traceback.print_exc()
            row |= {"status": "failed", "message": f"{type(error).__name__}: {error}"}
            return _row(row), *(pd.DataFrame(columns=names) for names in (PLAYER, STEP, WEIGHT))
        row |= {"seconds": perf_counter() - begin, "cpu_seconds": process_time() - begin_cpu}
    row |= {"status": fitted.status, "message": "", "mu": fitted.mu, "sigma": fitted.sigma, "bellman": fitted.bellman}
    row |= ps.recovery(fitted)
    table = fitted.table.assign(truth=logs.truth["log_beta"]).merge(logs.scores(), on="participant")
    if held_out and method != ORACLE:
        unseen = _unseen(logs, method, settings, fit_seed)
        table = table.merge(unseen, on="participant", how="left")
        row["nll"] = unseen["nll"].sum() / unseen["n"].sum()
    steps, weights = pd.DataFrame(columns=STEP), pd.DataFrame(columns=WEIGHT)
    if isinstance(fitted.players, SharedValues):
        row |= ps.newton(fitted)
        steps = ps.influence_by_step(fitted)
    if fitted.held_out is not None:
        weights = fitted.held_out
    return _row(row), table.reindex(columns=PLAYER), steps[STEP], weights[WEIGHT]


STEP = ["step", "all", "lowest", "highest"]
WEIGHT = ["weight", "nll", "se"]


def _row(row: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([row]).reindex(columns=FIT)


def _unseen(logs: ps.Logs, method: str, settings: Mapping[str, Any], seed: int) -> pd.DataFrame:
    """Per participant who is held out once, nll of their last games, whose shared parameters come from other participants and
    whose beta from their first games; and n, the number of choices there. Every run meets the same split."""
    parts = []
    for fold in splits(logs, np.random.default_rng(derive_seed(logs.mdp.name, None, "held_out", seed))):
        nll, n = score(ps.fit(fold.train, method, settings, seed).players, fold)
        parts.append(pd.DataFrame({"participant": fold.last.ids, "nll": nll, "n": n}))
    return pd.concat(parts, ignore_index=True)


def measure_part(keys: Mapping[str, str], replicates: int, seed: int, **how: Any) -> tuple[pd.DataFrame, ...]:
    """`measure` on each data set of a part, with their keys and `replicate` in the first columns of every table."""
    found = []
    for replicate in range(replicates):
        data_seed = derive_seed(how["board"], replicate, "players", seed)  # the same for every run
        tables = measure(**how, seed=data_seed, fit_seed=seed)
        for table in tables:
            for place, (name, value) in enumerate({**keys, "replicate": replicate}.items()):
                table.insert(place, name, value)
        found.append(tables)
    return tuple(_joined(tables) for tables in zip(*found, strict=True))


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


# What people read -----------------------------------------------------------------------------------------------------------


def summarise(fits: pd.DataFrame) -> pd.DataFrame:
    """One row per design, board, kind of players and run: means over the `n` data sets of what FIT holds, `rmse_se` and
    `sigma_se`, how many fits failed or met a limit, the published RMSE and seconds where the size is that of the paper, and
    `oracle`, RMSE over the oracle's."""
    rows = []
    for keys, part in fits.groupby(KEYS, sort=False):
        ended = part[part["status"] != "failed"]
        row = dict(zip(KEYS, keys, strict=True)) | {"n": len(part), "failed": len(part) - len(ended)}
        row |= {"method": part["method"].iloc[0], "limit": int((ended["status"] == "limit").sum())}
        row |= ended[MEANS].mean().to_dict() | {
            f"{name}_se": ended[name].std(ddof=1) / np.sqrt(max(len(ended), 1)) for name in ("rmse", "sigma")
        }
        row |= {"bellman": " ".join(f"{weight:g}" for weight in ended["bellman"].dropna().unique())}
        row |= ended[["convex", "newton_fails"]].mean().to_dict()
        size = tuple(part[["participants", "games"]].iloc[0])
        theirs = PUBLISHED.get((row["run"], row["board"])) if size == PUBLISHED_SIZE else None
        row |= dict(zip(("published_rmse", "published_seconds"), theirs or (np.nan, np.nan), strict=True))
        rows.append(row | {"participants": size[0], "games": size[1]})
    table = pd.DataFrame(rows)
    known = table[table["run"] == ORACLE].set_index(KEYS[:-1])["rmse"]
    table["oracle"] = table["rmse"] / known.reindex(pd.MultiIndex.from_frame(table[KEYS[:-1]])).to_numpy()
    return table


def compare_held_out(players: pd.DataFrame) -> pd.DataFrame:
    """One row per design, board, kind of players and run: nll per held-out choice, and se of its difference from the best
    run's, paired by player."""
    rows = []
    told = players[players["nll"].notna()]
    for keys, part in told.groupby(KEYS[:-1], sort=False):
        wide = part.pivot_table(index=["replicate", "participant"], columns="run", values="nll", sort=False)
        n = part.drop_duplicates(["replicate", "participant"])["n"].sum()
        wide = wide.dropna(axis=1)  # a run that failed on some data set is compared with none
        best = wide[wide.sum().idxmin()] if len(wide.columns) else None
        for run in wide:
            gap = wide[run] - best
            row = {"run": run, "nll": wide[run].sum() / n, "gap": gap.sum() / n}
            row |= {"gap_se": np.sqrt(len(gap)) * gap.std() / n, "n": int(n)}
            rows.append(dict(zip(KEYS[:-1], keys, strict=True)) | row)
    return pd.DataFrame(rows, columns=[*KEYS, "nll", "gap", "gap_se", "n"])


def validity(players: pd.DataFrame) -> pd.DataFrame:
    """One row per design, board, kind of players, run and criterion (score, solved): Pearson's r and Spearman's rho with log
    beta over all players who are identified, and with the true one, `true_r`."""
    rows = []
    told = players[players["log_beta"].notna()]
    for keys, part in told.groupby(KEYS, sort=False):
        for criterion in ("score", "solved"):
            by = {name: part["log_beta"].corr(part[criterion], method=name) for name in ("pearson", "spearman")}
            row = {"criterion": criterion, "n": len(part), **by, "true_r": part["truth"].corr(part[criterion])}
            rows.append(dict(zip(KEYS, keys, strict=True)) | row)
    return pd.DataFrame(rows, columns=[*KEYS, "criterion", "n", "pearson", "spearman", "true_r"])


def _designs(study: "Study") -> dict[str, dict[str, Any]]:
    asked = study.config["psychometrics"]
    return asked["designs"] if asked else {}


def _parts(study: "Study") -> list[str]:
    """Raises InputError for settings that a method does not have."""
    for run in (study.config["psychometrics"] or {"runs": {}})["runs"].values():
        ps.check_settings(run["method"], run.get("settings"))
    return [
        f"{design}/{board}/{players}/{run}"
        for design, asked in _designs(study).items()
        for board in asked["boards"]
        for players in asked["players"]
        for run in asked["runs"]
        if run != ORACLE or players == "shared"
    ]


def _arguments(study: "Study", part: str) -> dict[str, Any]:
    design, board, players, run = part.split("/")
    asked = _designs(study)[design]
    one = {"method": ORACLE} if run == ORACLE else study.config["psychometrics"]["runs"][run]
    how = {"board": board, "players": players, "method": one["method"], "settings": one.get("settings", {})}
    how |= {name: asked[name] for name in ("participants", "games", "held_out", "replicates")}
    return {"keys": dict(zip(KEYS, part.split("/"), strict=True)), "seed": study.config["seed"], **how}


EXPERIMENT = Experiment(
    run=measure_part,
    found=("fits", "players", "influence", "weights"),
    parts=_parts,
    arguments=_arguments,
    tables={
        "psychometrics": ("fits", summarise),
        "psychometrics_players": ("players", None),
        "psychometrics_held_out": ("players", compare_held_out),
        "psychometrics_validity": ("players", validity),
        "psychometrics_influence": ("influence", None),
        "psychometrics_weights": ("weights", None),
    },
    folder="psychometrics",
)
