"""The table of docs/psychometrics.md: every board, both generators, all methods, beside what was published."""

from collections.abc import Iterator
from typing import Any

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
COLUMNS = ("board", "players", "method", "rmse", "free_rmse", "r", "coverage", "missing", "seconds", "weight")
THIN = {"participants": 30, "games": 2}  # big cross, with little data


def measure(participants: int = 200, games: int = 50, seed: int = 0) -> Iterator[dict[str, Any]]:
    """One row per board, generator and method (and the oracle), as they are ready: recovery and seconds."""
    fit(simulate(board("tiny_cross"), 4, 4), settings={"bellman": 1.0})  # compiles before the clock starts
    for name in BOARDS:
        task = board(name)
        for generator, methods in METHODS.items():
            logs = simulate(task, participants, games, generator, MU, SIGMA, seed)
            row = {"board": name, "players": generator}
            if generator == "shared":
                yield row | {"method": "oracle", **oracle(logs, MU, SIGMA)}
            for method in methods + (ON_SMALL[generator] if name in SMALL else ()):
                found = fit(logs, method, seed=seed)
                yield row | {"method": method, **recovery(found), "seconds": found.seconds, "weight": found.bellman}


def thin(seeds: int = 5) -> pd.DataFrame:
    """One row per data set of 30 participants with 2 games each on the big cross: RMSE of the oracle, without a penalty, and
    with one chosen by held-out choices."""
    rows = []
    for seed in range(seeds):
        logs = simulate(board("big_cross"), **THIN, mu=MU, sigma=SIGMA, seed=seed)
        chosen, none = fit(logs, seed=seed), fit(logs, settings={"bellman": 0.0})
        found = {"oracle": oracle(logs, MU, SIGMA), "none": recovery(none), "chosen": recovery(chosen)}
        rows.append({"seed": seed, **{name: each["rmse"] for name, each in found.items()}, "bellman": chosen.bellman})
    return pd.DataFrame(rows)


def report(participants: int) -> None:
    """Prints both tables, in Markdown, row by row as they are ready."""
    published = "; ".join(f"{name} {rmse:g}, {seconds:g} s" for name, (rmse, seconds) in PUBLISHED.items())
    print(f"Published RMSE and seconds of RLMM: {published}\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for row in measure(participants):
        cells = [row.get(name, "") for name in COLUMNS]
        print("|", " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells), "|", flush=True)
    few = thin()
    means = ", ".join(f"{name} {few[name].mean():.3f}" for name in ("oracle", "none", "chosen"))
    print(
        f"\nBig cross, {THIN['participants']} participants x {THIN['games']} games: mean RMSE over {len(few)} data sets "
        f"by weight of the Bellman penalty: {means}"
    )
