"""The example that ships with the project: simulated people, as people are, and nobody's data.

Two rates by the sign of the prediction error and a choice kernel, parameters that differ between people, a few who guess,
missed trials (more of them in some), two sessions, and a trait that goes with the rate of losses.
"""

import csv
import io
from pathlib import Path

import numpy as np

from ..data.dataset import Dataset
from ..files import replacing
from . import likelihood
from .families import get_model
from .play import play, taken

SEED, PEOPLE, SESSIONS, TRIALS, GUESSERS = 20251, 60, 2, 60, 5
MODEL = "dual_rates + choice_kernel"
CHANCES = (0.75, 0.25)  # of a reward; they change sides every 15 to 25 trials
HEADER = ("subject", "session", "trial", "choice", "reward", "worry")


def people() -> tuple[Dataset, np.ndarray]:
    """The data set, and the trait (people,) from 20 to 80."""
    rng = np.random.default_rng(SEED)
    n = SESSIONS * TRIALS
    missed = rng.random((PEOPLE, n)) < rng.choice([0.01, 0.03, 0.12], size=(PEOPLE, 1), p=[0.5, 0.4, 0.1])
    starts = np.tile(np.arange(n) % TRIALS == 0, (PEOPLE, 1))
    ids = [f"s{number:02d}" for number in range(1, PEOPLE + 1)]
    design = Dataset("example", np.where(missed, -1, 0), np.zeros((PEOPLE, n)), 2, starts=starts, ids=ids)
    model = get_model(MODEL)
    theta, trait = _parameters(rng, model.parameter_names(2))
    choices, rewards = np.full(missed.shape, -1), np.zeros(missed.shape)
    for row in range(PEOPLE):
        offered = (rng.random((n, 2)) < _schedule(rng, n)).astype(float)
        one = likelihood.problem(design, row, model, design.bounds_of(model))
        choices[row], _ = play(one, theta[row], offered, rng)
        rewards[row] = taken(offered, choices[row])
    return Dataset("example", choices, rewards, 2, starts=starts, ids=ids), trait


def _parameters(rng: np.random.Generator, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """theta of each person (people, parameters), and the trait (people,)."""
    z = rng.standard_normal((PEOPLE, 5))
    rate = lambda x: 1.0 / (1.0 + np.exp(-x))  # noqa: E731
    z[:, 2] = 0.6 * z[:, 4] + 0.8 * z[:, 2]  # the rate of losses goes with the trait, r = .6
    drawn = {
        "beta": 4.0 * np.exp(0.5 * z[:, 0]),
        "alpha_pos": rate(0.2 + 0.7 * z[:, 1]),
        "alpha_neg": rate(-0.6 + 0.8 * z[:, 2]),
        "alpha_choice": np.full(PEOPLE, 0.4),
        "beta_choice": 0.9 + 0.6 * z[:, 3],
    }
    guessers = rng.choice(PEOPLE, size=GUESSERS, replace=False)
    for name in ("beta", "beta_choice"):
        drawn[name][guessers] = 0.0
    return np.column_stack([drawn[name] for name in names]), np.clip(np.round(45 + 10 * z[:, 4]), 20, 80)


def _schedule(rng: np.random.Generator, n_steps: int) -> np.ndarray:
    """The probability of a reward of each arm (steps, arms)."""
    chances, side, left = np.empty((n_steps, 2)), int(rng.integers(2)), 0
    for t in range(n_steps):
        if left == 0:
            side, left = 1 - side, int(rng.integers(15, 26))
        chances[t] = CHANCES if side == 0 else CHANCES[::-1]
        left -= 1
    return chances


def write_example(folder: str | Path) -> list[Path]:
    """Writes example.csv, a row per trial, and example_traits.csv, a row per person; the same bytes every time."""
    data, trait = people()
    rows: list[tuple] = [HEADER]
    for row, name in enumerate(data.ids):
        for step, (choice, reward) in enumerate(zip(data.choices[row], data.rewards[row], strict=True)):
            told = ("", "") if choice < 0 else (("left", "right")[choice], int(reward))
            rows.append((name, step // TRIALS + 1, step % TRIALS + 1, *told, int(trait[row])))
    traits = [("episode", "criterion"), *zip(data.ids, trait.astype(int), strict=True)]
    paths = [Path(folder) / "example.csv", Path(folder) / "example_traits.csv"]
    for path, table in zip(paths, (rows, traits), strict=True):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(table)
        with replacing(path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
    return paths
