"""What choices can tell of values and betas, and what they cannot: by the eigenvalues of their information, and by the
likelihood along some directions."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import psychometrics as ps
from . import Experiment

if TYPE_CHECKING:
    from ..study.config import Study


def identify(board: str, participants: int, games: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`ps.directions` and `ps.spectrum` of simulated players of a board."""
    logs = ps.simulate(ps.board(board), participants, games, seed=seed)
    return ps.directions(logs, seed).assign(board=board), ps.spectrum(logs).assign(board=board)


def _asked(study: "Study") -> dict[str, Any]:
    return (study.config["psychometrics"] or {}).get("identification") or {}


def _arguments(study: "Study", part: str) -> dict[str, Any]:
    size = {name: _asked(study)[name] for name in ("participants", "games")}
    return {"board": part, **size, "seed": study.config["seed"]}


EXPERIMENT = Experiment(
    run=identify,
    found=("directions", "spectrum"),
    parts=lambda study: _asked(study).get("boards", []),
    arguments=_arguments,
    tables={"identification_directions": ("directions", None), "identification_spectrum": ("spectrum", None)},
    folder="psychometrics",
)
