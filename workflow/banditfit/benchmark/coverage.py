"""How often 95 % intervals hold the truth in the six published experiments, and at what accuracy.

`python -m banditfit coverage [EPISODES [METHOD]]` prints a row for every experiment and parameter, in Markdown.
"""

import numpy as np
import pandas as pd

from ..fitting import fit
from ..judge import score
from ..methods import get_method
from ..models.families import PUBLISHED_MODELS
from ..models.simulate import published_data
from ..names import called
from ..tables.coverage import HOLD, coverage
from ..tables.published import PUBLISHED_TABLES

COLUMNS = ("model", "bandit", "parameter", "n", "coverage", "low", "high", "kl", "published", "ms", "converged")


def measured(model: str, bandit: str, episodes: int, method: str = "gem") -> pd.DataFrame:
    """The rows of COLUMNS of one experiment, for its first episodes as one population: the share of intervals that hold the
    truth, over parameters that the choices identify, with its 95 % interval; the median KL beside that published for MC, nats;
    processor time an episode; and the share of fits that converged."""
    get_method(called(method)[0]).warm_up()
    data = published_data(model, bandit).select(range(episodes))
    fits = fit(data, model, method)
    scores = score(data, fits)
    tables = pd.read_csv(PUBLISHED_TABLES)
    of_mc = tables.query("method == 'MC' and metric == 'kl' and model == @model and bandit == @bandit")["median"]
    found = coverage(data, fits.assign(run=method)).rename(columns={"dataset": "bandit"})
    same = {"kl": scores["kl"].median(), "published": of_mc.iloc[0], "ms": 1e3 * fits["t_cpu"].median()}
    return found.assign(model=model, bandit=bandit, **same, converged=(fits["status"] == "converged").mean())[list(COLUMNS)]


def report(episodes: int, method: str) -> None:
    """Prints the rows of all six, and how many lie where intervals are as wide as they say."""
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    inside = []
    for model in PUBLISHED_MODELS:
        for bandit in ("2arm", "10arm"):
            for row in measured(model, bandit, episodes, method).itertuples(index=False):
                inside.append(HOLD[0] <= np.round(row.coverage, 2) <= HOLD[1])
                cells = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row]
                print("|", " | ".join(cells), "|", flush=True)
    print(f"\n{sum(inside)} of {len(inside)} between {HOLD[0]} and {HOLD[1]}.")
