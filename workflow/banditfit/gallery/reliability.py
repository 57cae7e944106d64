"""How well do estimates of the same people agree when they come twice? Every method on public data of test and retest.

`python -m banditfit reliability DATA [FOLDER]` prints two tables in Markdown and writes them to FOLDER.
docs/reliability.md says where the data come from.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..experiments.reliability import reliability
from ..experiments.sessions import session_effects
from ..parameters import Bounds
from ..study.store import write_csv
from . import FOLDERS, readers

MODELS = ("rescorla_wagner", "dual_rates")
# Published: beta up to 30 per point, and outcomes here are in half points.
BOX = Bounds(None, ((0.0, 15.0),))
# By what is printed: method and settings.
RUNS = {
    "5 starts of L-BFGS-B": ("d_loc", {}),
    "maximum likelihood": ("profile", {"boxes": 0}),
    "MAP": ("gem_map", {}),
    "posterior alone": ("gem", {"prior": "fixed"}),
    "VI with population": ("vi", {}),
    "population (`gem`)": ("gem", {}),
}


def people(folder: Path) -> pd.DataFrame:
    """The table of `reliability` of every model, on Vrizzi's people."""
    test, retest = readers.vrizzi(folder)
    found = [reliability(test, retest, model, RUNS, BOX).assign(model=model) for model in MODELS]
    table = pd.concat(found, ignore_index=True)
    return table[["model", *table.columns.drop("model")]]


def markdown(table: pd.DataFrame) -> list[str]:
    """The lines of a table in Markdown: a row per model and run, a cell per parameter with ICC(A,1) and its 95 % interval, and
    in brackets its ceiling."""
    heads = ("model", "estimates", "ICC(A,1) of each parameter", "nats a trial, other occasion", "people", "ms")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for (model, run), part in table.groupby(["model", "run"], sort=False):
        cells = "<br>".join(_cell(row) for row in part.itertuples())
        nll, ms = part["other_nll"].iloc[0], part["ms"].iloc[0]
        lines.append(f"| `{model}` | {run} | {cells} | {nll:.4f} | {_people(part['n'])} | {ms:.3g} |")
    return lines


def together(folder: Path) -> pd.DataFrame:
    """Both occasions fitted at once, on Vrizzi's people: `variances` of `session_effects` for every model, beside the effect of
    coming a second time, `retest`, with its 95 % limits."""
    data, people = readers.vrizzi_together(folder)
    found = []
    for model in MODELS:
        fitted = session_effects(data, model, people, "retest", bounds=BOX)
        effects = fitted.effects.set_index("parameter")[["effect", "low", "high"]].add_prefix("retest_")
        found.append(fitted.variances.join(effects, on="parameter").assign(model=model, converged=fitted.converged))
    return pd.concat(found, ignore_index=True)


def markdown_together(table: pd.DataFrame) -> list[str]:
    """The lines of a table of `together` in Markdown, a row per model and parameter."""
    heads = ("model", "parameter", "ICC of the parameter", "sd between people", "sd within", "the second time", "settled")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in table.itertuples():
        limits = f"{row.retest_effect:.2f} [{row.retest_low:.2f}, {row.retest_high:.2f}]"
        icc = f"{row.icc:.2f} [{row.icc_low:.2f}, {row.icc_high:.2f}]"
        cells = [f"`{row.model}`", f"`{row.parameter}`", icc, f"{row.between:.2f}", f"{row.within:.2f}", limits]
        lines.append(f"| {' | '.join(cells)} | {'yes' if row.converged else 'no'} |")
    return lines


def _cell(row) -> str:
    top = "" if np.isnan(row.ceiling) else f", ceiling {row.ceiling:.2f}"
    return f"`{row.parameter}` {row.agreement:.2f} [{row.low:.2f}, {row.high:.2f}]{top}"


def _people(n: pd.Series) -> str:
    return str(n.iloc[0]) if n.nunique() == 1 else f"{n.min()}-{n.max()}"


def report(data: Path, folder: Path) -> None:
    """Prints the tables of docs/reliability.md, and writes them to FOLDER/vrizzi.csv and FOLDER/vrizzi_together.csv. Raises
    InputError without data."""
    where = data / FOLDERS["vrizzi"]
    if not where.is_dir():
        raise InputError(f"{data}: found no folder {FOLDERS['vrizzi']}; docs/reliability.md says where the data come from")
    table = people(where)
    write_csv(table, folder / "vrizzi.csv")
    print("\n".join(markdown(table)), "\n", flush=True)
    both = together(where)
    write_csv(both, folder / "vrizzi_together.csv")
    print("\n".join(markdown_together(both)), flush=True)
