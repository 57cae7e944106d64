"""Are posteriors as wide as they say? Calibration by simulation of `gem`, `vi`, `mc` and of effects of covariates.

`python -m banditfit calibration [POPULATIONS [FOLDER]]` prints a row for every method, model and parameter, in Markdown, and
draws FOLDER/calibration.svg. What is simulated is kept in FOLDER, CHUNK populations at a time: an interrupted run goes on where
it stopped, and a longer one begins with what is there. Remove the folder to begin anew.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ..experiments import posterior_calibration
from ..experiments.posterior_calibration import LEVELS, of_chains, of_effects, of_population
from ..figures.calibration import plot_calibration
from ..study.store import read_csv, write_csv

CHUNK = 10
# By the name of a file: how many times as many populations, as some have one place of a parameter and others one of every
# person; and what looks up the truths of populations of these numbers.
Part = tuple[int, Callable[[range], pd.DataFrame]]
PARTS: dict[str, Part] = {
    "gem_forgetting": (1, lambda numbers: of_population("gem", "forgetting", numbers)),
    "gem_dual_rates": (1, lambda numbers: of_population("gem", "dual_rates", numbers)),
    "vi_forgetting": (1, lambda numbers: of_population("vi", "forgetting", numbers)),
    "vi_dual_rates": (1, lambda numbers: of_population("vi", "dual_rates", numbers)),
    "effects": (5, of_effects),
    "mc": (5, of_chains),
}


def places(populations: int, folder: Path, parts: dict[str, Part] = PARTS) -> pd.DataFrame:
    """Where truths lie in the posteriors of so many populations, from FOLDER where that is known, and else kept there."""
    tables = []
    for name, (times, make) in parts.items():
        for first in range(0, times * populations, times * CHUNK):
            numbers = range(first, min(first + times * CHUNK, times * populations))
            path = folder / name / f"{numbers[0]}-{numbers[-1]}.csv"
            if not path.is_file():
                write_csv(make(numbers), path)
            tables.append(read_csv(path))
    return pd.concat(tables, ignore_index=True)


def markdown(table: pd.DataFrame) -> list[str]:
    """The lines of a table in Markdown, from `posterior_calibration.summary`."""
    heads = ["method", "model", "parameter", "n", "failed", *(f"{100 * level:.0f} %" for level in LEVELS), "mean u", "p"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in table.to_dict("records"):
        shares = [f"{row[f'covered_{100 * level:.0f}']:.3f} ({row[f'se_{100 * level:.0f}']:.3f})" for level in LEVELS]
        cells = [*(row[name] for name in ("method", "model", "parameter", "n", "failed")), *shares]
        lines.append(f"| {' | '.join(map(str, cells))} | {row['mean']:.3f} | {row['p']:.2g} |")
    return lines


def report(populations: int, folder: Path) -> None:
    """Prints the table of docs/populations.md, and draws the figure."""
    table = places(populations, folder)
    print("\n".join(markdown(posterior_calibration.summary(table))), flush=True)
    plot_calibration(table).savefig(folder / "calibration.svg")
