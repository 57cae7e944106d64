"""Certificates of the models people fit, and `profile` where it is asked most: how many close, in what processor time.

`python -m banditfit certificates` prints the rows in Markdown; `make benchmark` has them among its own.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..experiments.optima import learners
from ..fitting import fit
from ..gallery import FOLDERS
from ..gallery.readers import CONFIRMATION, MOUSE_BOX, mice, mouse, palminteri
from ..methods import get_method
from ..parameters import Bounds
from . import COLUMNS, met

STEPS = 160
# The model whose certificate others' are measured against, in the same run on the same choices, and how many times its time the
# first of MODELS may take; that of the others: the share that closes within a second.
YARDSTICK, MOST = "forgetting", 3.0
MODELS = {
    "rescorla_wagner": np.nan,
    "rescorla_wagner + bias": 0.95,
    "rescorla_wagner + choice_kernel": 0.95,
    "dual_rates": np.nan,
    "rescorla_wagner + lapse": np.nan,
}
# What is certified of people, and the shares that are to close to 1e-3, and to 1e-6 within a second.
PEOPLE = (
    ("dual_rates", 1.0, 0.95),
    ("dual_rates + unchosen_decay", np.nan, np.nan),
)
# What closes in some learners alone, and on how many: the gap that is left in the others is told.
OPEN, OPEN_LEARNERS = "dual_rates + lapse", 6
CLOSED = 1.01e-6
STARTS = 50


def _row(what: str, experiment: str, n: int, ms: tuple[float, float], measured: float, unit: str, target: float) -> list:
    reached = measured <= target if unit.endswith("at most") else measured >= target
    return [what, experiment, n, *ms, measured, np.nan, np.nan, unit, target, met(reached, target)]


def _gap(fits: pd.DataFrame) -> pd.Series:
    return fits["nll"] - fits["lower_bound"]


def certificate_rows(episodes: int) -> Iterator[list]:
    """Certificates on simulated learners of each model, playing STEPS trials, beside those of YARDSTICK on the same choices."""
    get_method("certified").warm_up()
    for n_arms in (2, 4):
        for model, target in MODELS.items():
            data, _ = learners(model, n_arms, episodes, STEPS, 0)
            turns = [[fit(data, name, "certified", episodes=[e]) for name in (model, YARDSTICK)] for e in range(episodes)]
            ours, theirs = (pd.concat(side, ignore_index=True) for side in zip(*turns, strict=True))
            ms = 1e3 * ours["t_cpu"].median(), 1e3 * theirs["t_cpu"].median()
            where = f"{model}, {n_arms} arms"
            ratios = ours["t_cpu"] / theirs["t_cpu"]
            q25, ratio, q75 = np.percentile(ratios, (25, 50, 75))
            most = MOST if model == "rescorla_wagner" else np.nan
            row = ["certified / that of forgetting", where, episodes, *ms, ratio, q25, q75]
            yield [*row, "times its time, at most", most, met(ratio <= most, most)]
            if np.isnan(target):
                share = float((_gap(ours) <= CLOSED).mean())
                aim = 1.0 if model == "rescorla_wagner" else np.nan
                yield _row("certified: share closed to 1e-6", where, episodes, ms, share, "share, at least", aim)
            else:
                share = float(((_gap(ours) <= CLOSED) & (ours["t_cpu"] <= 1.0)).mean())
                what = "certified: share closed to 1e-6 within a second"
                yield _row(what, where, episodes, ms, share, "share, at least", target)


def open_rows(n: int = OPEN_LEARNERS) -> Iterator[list]:
    """The model that certificates close for in some alone, on n learners with 2 arms: how many, and the gap of the others."""
    fits = fit(learners(OPEN, 2, n, STEPS, 0)[0], OPEN, "certified")
    gap, ms = _gap(fits), (1e3 * fits["t_cpu"].median(), np.nan)
    left = gap[gap > CLOSED]
    where = f"{OPEN}, 2 arms"
    yield _row(
        "certified: share closed to 1e-6", where, len(fits), ms, float((gap <= CLOSED).mean()), "share, at least", np.nan
    )
    for what, value in (("median", left.median()), ("largest", left.max())):
        if len(left):
            yield _row(f"certified: {what} gap of the others", where, len(left), ms, float(value), "nats, at most", np.nan)


def people_rows(data: Path) -> Iterator[list]:
    """The confirmation model of 105 people of Palminteri's sets, and one of three rates; none where they are not at
    hand."""
    folder = data / FOLDERS["palminteri"]
    if not folder.is_dir():
        return
    for model, closed, within in PEOPLE:
        sets = [fit(palminteri(folder, name), model, "certified", bounds={"beta": (0, 50)}) for name in CONFIRMATION]
        fits = pd.concat(sets)
        ms, where = (1e3 * fits["t_cpu"].median(), np.nan), f"{model}, {', '.join(CONFIRMATION)}"
        quick = float(((_gap(fits) <= CLOSED) & (fits["t_cpu"] <= 1.0)).mean())
        share = float((_gap(fits) <= 1e-3).mean())
        yield _row("certified: share closed to 1e-3", where, len(fits), ms, share, "share, at least", closed)
        yield _row("certified: share closed to 1e-6 within a second", where, len(fits), ms, quick, "share, at least", within)


def mice_rows(data: Path, starts: int = STARTS) -> Iterator[list]:
    """`profile` of two rates on all sessions of Hou's mice: seconds, and how far it ever lies above the best of many starts;
    none where they are not at hand."""
    folder = data / FOLDERS["hou"]
    if not folder.is_dir():
        return
    get_method("profile").warm_up()
    sessions = [mouse(folder, name) for name in mice(folder)]
    profile = pd.concat([_fitted(each, "profile", {}) for each in sessions])
    local = pd.concat([_fitted(each, "d_loc", {"starts": starts}) for each in sessions])
    ms = 1e3 * profile["t_cpu"].median(), 1e3 * local["t_cpu"].median()
    where, n = f"dual_rates, {len(profile)} sessions of mice", len(profile)
    yield _row("profile: all sessions", where, n, ms, profile["t_cpu"].sum() / 2, "s on two cores, at most", 20.0)
    excess = float((profile["nll"] - local["nll"]).max())
    yield _row(f"profile: most above d_loc, {starts} starts", where, n, ms, excess, "nats, at most", 1e-6)
    worse = float((profile["nll"] > local["nll"] + 1e-6).mean())
    yield _row(f"profile: share above d_loc, {starts} starts", where, n, ms, worse, "share, at most", 0.0)


def _fitted(data: Dataset, method: str, settings: dict) -> pd.DataFrame:
    return fit(data, "dual_rates", method, settings=settings, bounds=Bounds(None, (MOUSE_BOX["beta"],)))


def rows(data: Path, episodes: int = 100, starts: int = STARTS) -> list[list]:
    """All of them but `open_rows`, as rows of the benchmark."""
    return [*certificate_rows(episodes), *people_rows(data), *mice_rows(data, starts)]


def report(data: Path, episodes: int, starts: int) -> None:
    """Prints the rows in Markdown, as docs/certificates.md has them."""
    heads = ["what", "model, data", "n", "ms", "beside, ms", "measured", "", "target", ""]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for made in (certificate_rows(episodes), open_rows(), people_rows(data), mice_rows(data, starts)):
        for row in made:
            cell = dict(zip(COLUMNS, row, strict=True))
            numbers = {name: "" if np.isnan(cell[name]) else f"{cell[name]:.3g}" for name in COLUMNS if _number(cell[name])}
            names = ("what", "experiment", "n", "ours_ms", "theirs_ms", "measured", "unit", "target", "met")
            print("|", " | ".join(str(numbers.get(name, cell[name])) for name in names), "|", flush=True)


def _number(value: object) -> bool:
    return isinstance(value, float | np.floating)
