"""The table of docs/psychometrics.md: every board, both generators, all methods, beside what was published."""

import numpy as np
import pandas as pd

from .boards import board
from .fits import fit
from .outputs import oracle, recovery
from .simulate import simulate

MU, SIGMA = 0.0, 0.75
# Xu & Ji, arXiv 2605.09305, Tables 3 and 4: RMSE and seconds of their RLMM.
PUBLISHED = {"tiny_cross": (0.368, 16.5), "big_cross": (0.203, 17.1), "big_l": (0.142, 18.9), "diamond": (0.099, 19.4)}
BOARDS = (*PUBLISHED, "four_by_four")
SMALL = ("tiny_cross", "big_cross")
# The methods for players of each generator, and those that are shown on small boards alone, as they take minutes on others.
METHODS = {"shared": ("mdp_gem", "mdp_mm"), "mdp_mm": ("mdp_mm",)}
ON_SMALL = {"shared": ("no_prior",), "mdp_mm": ("mdp_gem",)}
THIN = {"participants": 30, "games": 2}  # big cross, with little data


def measure(participants: int = 200, games: int = 50, seed: int = 0) -> pd.DataFrame:
    """One row per board, generator and method (and the oracle): recovery, seconds, and the published numbers of the board."""
    fit(simulate(board("tiny_cross"), 4, 4), settings={"bellman": 1.0})  # compiles before the clock starts
    rows = []
    for name in BOARDS:
        task = board(name)
        for generator, methods in METHODS.items():
            logs = simulate(task, participants, games, generator, MU, SIGMA, seed)
            row = {"board": name, "players": generator}
            if generator == "shared":
                rows.append(row | {"method": "oracle", **oracle(logs, MU, SIGMA)})
            for method in methods + (ON_SMALL[generator] if name in SMALL else ()):
                found = fit(logs, method, seed=seed)
                rows.append(row | {"method": method, **recovery(found), "seconds": found.seconds, "bellman": found.bellman})
    table = pd.DataFrame(rows)
    published = pd.DataFrame(PUBLISHED, index=["published_rmse", "published_seconds"]).T
    return table.join(published, on="board")


def thin(seeds: int = 10) -> pd.DataFrame:
    """One row per data set of 30 participants with 2 games each on the big cross: RMSE of the oracle, without a penalty, and
    with one chosen by held-out choices."""
    rows = []
    for seed in range(seeds):
        logs = simulate(board("big_cross"), **THIN, mu=MU, sigma=SIGMA, seed=seed)
        chosen, none = fit(logs, seed=seed), fit(logs, settings={"bellman": 0.0})
        found = {"oracle": oracle(logs, MU, SIGMA), "none": recovery(none), "chosen": recovery(chosen)}
        rows.append({"seed": seed, **{name: each["rmse"] for name, each in found.items()}, "bellman": chosen.bellman})
    return pd.DataFrame(rows)


def describe(participants: int) -> str:
    """Both tables as text."""
    table, few = measure(participants), thin()
    mean = few[["oracle", "none", "chosen"]].mean()
    worst = np.round(few["chosen"].max(), 3)
    words = ", ".join(f"{name} {value:.3f}" for name, value in mean.items())
    return "\n\n".join(
        [
            table.round(3).to_string(index=False, na_rep=""),
            f"big cross, 30 participants x 2 games, mean RMSE over {len(few)} data sets by weight of the Bellman penalty: "
            f"{words}; largest of the chosen {worst}",
        ]
    )
