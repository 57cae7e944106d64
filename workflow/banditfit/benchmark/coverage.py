"""How often 95 % intervals hold the truth in the six published experiments, and at what accuracy.

`python -m banditfit coverage [EPISODES [METHOD [START]]]` prints a row for every experiment and parameter, in Markdown. With 0
for START agents begin where fits believe that they do, which the published ones do not.
"""

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..fitting import fit
from ..judge import score
from ..methods import get_method
from ..models.families import PUBLISHED_MODELS
from ..models.simulate import PUBLISHED, PUBLISHED_BANDITS, PUBLISHED_BETA, PUBLISHED_SEED, published_data, simulate
from ..names import called
from ..tables.coverage import HOLD, coverage
from ..tables.published import PUBLISHED_TABLES

COLUMNS = ("model", "bandit", "parameter", "n", "coverage", "low", "high", "kl", "published", "ms", "converged")


def measured(model: str, bandit: str, episodes: int, method: str, start: float) -> pd.DataFrame:
    """The rows of COLUMNS of one experiment, for its first episodes as one population, or for as many whose traces start from
    another value: the share of intervals that hold the truth, over parameters that the choices identify, with its 95 %
    interval; the median KL beside that published for MC, nats; processor time an episode; and the share of fits that converged.
    """
    get_method(called(method)[0]).warm_up()
    data = _played(model, bandit, episodes, start)
    fits = fit(data, model, method)
    scores = score(data, fits)
    tables = pd.read_csv(PUBLISHED_TABLES)
    of_mc = tables.query("method == 'MC' and metric == 'kl' and model == @model and bandit == @bandit")["median"]
    found = coverage(data, fits.assign(run=method)).rename(columns={"dataset": "bandit"})
    same = {"kl": scores["kl"].median(), "published": of_mc.iloc[0], "ms": 1e3 * fits["t_cpu"].median()}
    return found.assign(model=model, bandit=bandit, **same, converged=(fits["status"] == "converged").mean())[list(COLUMNS)]


def _played(model: str, bandit: str, episodes: int, start: float) -> Dataset:
    if start == PUBLISHED["initial_value"]:
        return published_data(model, bandit).select(range(episodes))
    how = PUBLISHED | PUBLISHED_BANDITS[bandit] | {"n_episodes": episodes, "initial_value": start}
    return simulate(f"{model}_{bandit}", model, beta=PUBLISHED_BETA[model][bandit], seed=PUBLISHED_SEED, **how)


def report(episodes: int, method: str, start: float) -> None:
    """Prints the rows of all six, and how many lie where intervals are as wide as they say."""
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    inside = []
    for model in PUBLISHED_MODELS:
        for bandit in ("2arm", "10arm"):
            for row in measured(model, bandit, episodes, method, start).itertuples(index=False):
                inside.append(HOLD[0] <= np.round(row.coverage, 2) <= HOLD[1])
                cells = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row]
                print("|", " | ".join(cells), "|", flush=True)
    print(f"\n{sum(inside)} of {len(inside)} between {HOLD[0]} and {HOLD[1]}.")
