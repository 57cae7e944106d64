"""Public data sets as their owners publish them, each from its own folder, beside the fits published with them.

Where each comes from, and under which licence, stands in docs/published_fits.md and docs/reliability.md; none of them is part
of this project.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.special import expit

from ..data.dataset import Dataset
from ..data.reading import from_frame
from ..errors import InputError


def _mat(path: Path) -> dict:
    if not path.is_file():
        raise InputError(f"{path}: found no such file, expected it as published (docs/published_fits.md)")
    return loadmat(path, squeeze_me=True, struct_as_record=False)


def _long(**columns: np.ndarray) -> pd.DataFrame:
    """A row per trial from columns of an array per person."""
    people = range(len(next(iter(columns.values()))))
    return pd.concat([pd.DataFrame({"episode": k, **{name: each[k] for name, each in columns.items()}}) for k in people])


# ---- Bavard, Lebreton, Khamassi, Coricelli & Palminteri 2018 (github.com/sophiebavard/Magnitude) ------------------------


def bavard(folder: Path) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Experiment 1: 20 people x 160 trials, 8 states of two arms; with the published negative log-likelihoods (people,) and
    parameters alpha, beta (people, 2) of model 1, Q-learning from 0."""
    held = _mat(folder / "Magnitude_Optimization_LearningTest_expe1.mat")
    table = _long(choice=held["cho"], reward=held["out"], state=held["con"])
    table = table[table["choice"] > 0]  # missed trials were skipped, and neither score nor move values
    return from_frame(table, n_arms=2, first_arm=1, name="bavard2018"), held["ll"][:, 0], held["parameters"][:, 1::-1, 0]


# ---- Palminteri's meta-analysis of confirmation bias (github.com/spalminteri/conf-bias-meta-analysis) -------------------

CONFIRMATION = ("L2017a", "L2017b", "P2017a")


def palminteri(folder: Path, name: str) -> Dataset:
    """One of the sets with partial feedback: states of two arms, outcomes -1 and 1."""
    held = _mat(folder / f"{name}.mat")
    table = _long(choice=held["cho"], reward=held["out"], state=held["sta"])
    table = table[table["choice"] != 1.5]  # missed
    return from_frame(table, n_arms=2, first_arm=1, name=name)


# ---- CBM's simulated people (github.com/payampiray/cbm) ---------------------------------------------------------------


def cbm(folder: Path) -> Dataset:
    """40 people x 100 trials x 2 arms, rewards -1 and 1."""
    people = _mat(folder / "all_data.mat")["data"]
    table = _long(actions=[one.actions for one in people], outcome=[one.outcome for one in people])
    return from_frame(table.rename(columns={"episode": "subject"}), n_arms=2, preset="cbm")


def cbm_stored(folder: Path, name: str) -> Any:
    """A stored fit, as it is."""
    return _mat(folder / f"{name}.mat")["cbm"]


def cbm_fits(folder: Path, name: str) -> tuple[Any, np.ndarray]:
    """A stored Laplace fit, such as lap_RL: all of it, and its parameters as rates and beta (people, parameters)."""
    held = cbm_stored(folder, name)
    found = np.asarray(held.output.parameters, dtype=float)
    return held, np.column_stack([expit(found[:, :-1]), np.exp(found[:, -1])])


# ---- Zorowitz, Solis, Niv & Bennett 2023 (doi 10.1038/s41562-023-01640-7) ----------------------------------------------


def zorowitz(folder: Path) -> Dataset:
    """The 386 people analysed, 90 trials of three arms in one go, in sorted order."""
    table = pd.read_csv(folder / "data.csv")
    analysed = sorted((folder / "analysed_subjects.txt").read_text().split())
    table = table[table["subject"].isin(analysed)]
    columns = {"episode": "subject", "reward": "outcome", "session": None, "step": None}
    data = from_frame(table, n_arms=3, columns=columns, name="zorowitz2023")
    position = {name: row for row, name in enumerate(data.ids)}
    return data.select([int(data.episodes[position[name]]) for name in analysed])


def zorowitz_means(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means of alpha_pos, alpha_neg and beta (people, 3), and the largest R-hat of each person's three."""
    table = pd.read_csv(folder / "rstd_summary.tsv", sep="\t").set_index("name")
    names = [[f"{name}[{k + 1}]" for name in ("eta_p", "eta_n", "beta")] for k in range(386)]
    mean, r_hat = (np.array([table.loc[each, column] for each in names], dtype=float) for column in ("Mean", "R_hat"))
    return mean, r_hat.max(axis=1)


# ---- Hou's mice, with Hattori's model (github.com/hanhou/Dynamic-Foraging) ---------------------------------------------


HATTORI = "dual_rates + unchosen_decay + bias"
# Published: sigma, the inverse of beta, in [.01, 15].
MOUSE_BOX = {"alpha_pos": (0, 1), "alpha_neg": (0, 1), "alpha_forget": (0, 1), "beta": (1 / 15, 100), "bias": (-5, 5)}
# Published: tau, the trials in which a reward fades to 1/e, in [.001, 100]; the rate of `forgetting` is 1 - exp(-1 / tau).
MOUSE_FADING = (1.0 - float(np.exp(-1 / 100)), 1.0)


def mouse(folder: Path, name: str) -> Dataset:
    """The sessions of a mouse, one episode each; ignored trials are dropped, as in the published fits."""
    held = np.load(folder / f"{name}.npz")
    table = pd.DataFrame({"episode": held["session"], "choice": held["choice"], "reward": held["reward"] > 0})
    return from_frame(table[table["choice"] > 0], n_arms=2, first_arm=1, name=name)


def mice(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.npz"))


def mouse_fits(folder: Path) -> pd.DataFrame:
    """Per session the published parameters and negative log-likelihood of Hattori's model, with a row's `mice` and `id`."""
    table = pd.read_csv(folder / "published_fits_hattori_bias.csv")
    return table.assign(id=table["session_number"].astype(str))


# ---- Vrizzi, Najar et al. 2025, the same people twice (github.com/hrl-team/test_retest) ---------------------------------


def vrizzi(folder: Path) -> tuple[Dataset, Dataset]:
    """Test and retest of 169 people x 160 trials, 8 states of two arms: half with rewards (0 or 1), half with punishments (-1
    or 0), in units of half a point; in half of each the outcome of the other arm was shown (`foregone`)."""
    table = _of_vrizzi(folder)
    test, retest = (_occasions(table[table["occasion"] == name], "id", name) for name in ("test", "retest"))
    return test, retest


def vrizzi_together(folder: Path) -> tuple[Dataset, pd.DataFrame]:
    """The same as one data set, with an episode per person and occasion, and whose each is: episode, person, retest (0 or
    1)."""
    table = _of_vrizzi(folder)
    table["both"] = table["id"].astype(str) + " " + table["occasion"]
    sessions = table.drop_duplicates("both")
    people = {"episode": sessions["both"], "person": sessions["id"], "retest": (sessions["occasion"] == "retest").astype(float)}
    return _occasions(table, "both", "both"), pd.DataFrame(people).reset_index(drop=True)


def _of_vrizzi(folder: Path) -> pd.DataFrame:
    path = folder / "trials.csv.gz"
    if not path.is_file():
        raise InputError(f"{path}: found no such file, expected the trials of both occasions (docs/reliability.md)")
    return pd.read_csv(path).sort_values(["id", "occasion", "session", "trial"], kind="stable")


def _occasions(table: pd.DataFrame, episode: str, name: str) -> Dataset:
    columns = {"episode": episode, "reward": "outcome", "session": None, "step": None}
    return from_frame(table, n_arms=2, first_arm=1, columns=columns, name=f"vrizzi2025_{name}")
