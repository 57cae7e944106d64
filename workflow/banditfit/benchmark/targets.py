"""What data of one's own may cost: comparisons, recovery and a million trials, each measured on a part and told for the whole.

`python -m banditfit targets` prints a row for each: processor seconds of the part, the wall time that the whole would take on
two cores (the processor time times whole over part, divided by two; the start of jobs is not counted), and the limit.
"""

import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pandas as pd

from ..comparison.compare import compare
from ..comparison.recovery import recover
from ..data.dataset import Dataset
from ..data.reading import read_csv
from ..fitting import fit
from ..judge import score
from ..models.simulate import simulate

MODELS = [
    *("rescorla_wagner", "forgetting", "dual_rates", "choice_kernel", "rw_perseveration", "rw_choice_kernel", "rw_bias"),
    *("dual_rates + bias", "dual_rates + choice_kernel", "dual_rates + unchosen_decay + bias"),
]
CORES = 2
COLUMNS = ["what", "part", "processor_s", "whole", "minutes", "limit_minutes", "met"]


def people(n_episodes: int, n_steps: int) -> Dataset:
    """People who learn, on a bandit of two arms that change sides."""
    bandit = {"p_reward": (0.8, 0.3), "p_switch": 0.02, "beta": ((1.0, 8.0),)}
    return simulate("people", "forgetting", **bandit, n_episodes=n_episodes, n_steps=n_steps, seed=1)


def cost(what: str, call: Callable[[], object], part: str, whole: str, times: float, limit: float) -> list:
    """A row of the table: `times` is the whole over the part."""
    begin = process_time()
    call()
    used = process_time() - begin
    minutes = used * times / CORES / 60.0
    return [what, part, used, whole, minutes, limit, "met" if minutes <= limit else "not met"]


def targets() -> pd.DataFrame:
    """The table, after everything is compiled and loaded."""
    small = people(2, 60)
    compare(small, MODELS)  # loads and compiles
    sessions = people(20, 570)
    rows = [
        cost(
            "ten models compared: fits, criteria, selection",
            lambda: compare(sessions, MODELS),
            "20 sessions of 570 trials",
            "400 sessions",
            20.0,
            1.0,
        ),
        cost(
            "recovery of ten models by ten",
            lambda: recover(people(4, 200), MODELS),
            "4 people of 200 trials",
            "50 people",
            12.5,
            10.0,
        ),
        *_a_million(),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _a_million() -> list[list]:
    """Reading, fitting and judging a twentieth of a million trials."""
    data = people(250, 200)
    limit = 3.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        rows = {"episode": data.ids.repeat(200), "choice": data.choices.ravel(), "reward": data.rewards.ravel()}
        pd.DataFrame(rows).to_csv(path, index=False)
        found = [cost("a million trials read", lambda: read_csv(path, n_arms=2), "50 000 trials", "1 000 000", 20.0, limit)]
    for model in ("forgetting", "rescorla_wagner"):
        fits = []
        found += [
            cost(
                f"a million trials fitted by profile: {model}",
                lambda model=model, fits=fits: fits.append(fit(data, model, "profile")),
                "50 000 trials",
                "1 000 000",
                20.0,
                limit,
            ),
            cost(
                f"these fits judged: {model}",
                lambda fits=fits: score(data, fits[0]),
                "50 000 trials",
                "1 000 000",
                20.0,
                limit,
            ),
        ]
    return found


def main() -> None:
    """Prints the table, and the memory that it took."""
    table = targets()
    print(table.to_string(index=False, float_format="{:.2f}".format))
    print(f"most memory at once: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
