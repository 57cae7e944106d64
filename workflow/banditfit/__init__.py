"""banditfit: methods of fitting reinforcement-learning models to choices in bandit tasks, compared on one likelihood.

>>> import banditfit as bf
>>> data = bf.published_data("forgetting", "2arm")
>>> fits = bf.fit(data, model="forgetting", method="d_loc", episodes=range(50))
>>> table = bf.score(data, fits)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .data.dataset import Dataset, Truth
from .data.reading import from_frame, read_csv
from .errors import InputError
from .fits import load_fits, save_fits
from .fitting import fit
from .judge import score
from .methods import STATUSES
from .models.families import MODELS, get_model
from .models.simulate import published_data, simulate
from .names import method_names
from .parameters import Bounds

if TYPE_CHECKING:
    from .comparison.behaviour import behaviour, predicted_behaviour
    from .comparison.compare import compare
    from .comparison.grid import model_grid, model_table
    from .comparison.hbi import hbi
    from .comparison.loo import loo
    from .comparison.people import parameter_table
    from .comparison.populations import compare_populations
    from .comparison.recovery import recover
    from .comparison.selection import select_models
    from .comparison.trials import trial_table
    from .estimator import ChoiceModel
    from .experiments.effects import group_effects
    from .experiments.sessions import session_effects
    from .figures import plot
    from .sets import profile_sets
    from .tables.reading import load_study

__version__ = "0.1.0"

__all__ = [
    "MODELS",
    "STATUSES",
    "Bounds",
    "ChoiceModel",
    "Dataset",
    "InputError",
    "Truth",
    "behaviour",
    "compare",
    "compare_populations",
    "fit",
    "from_frame",
    "get_model",
    "group_effects",
    "hbi",
    "load_fits",
    "load_study",
    "loo",
    "method_names",
    "model_grid",
    "model_table",
    "parameter_table",
    "plot",
    "predicted_behaviour",
    "profile_sets",
    "published_data",
    "read_csv",
    "recover",
    "save_fits",
    "score",
    "select_models",
    "session_effects",
    "simulate",
    "trial_table",
]

# What a job that fits does not need is imported when it is first asked for.
_LATER = {
    "ChoiceModel": "estimator",
    "behaviour": "comparison.behaviour",
    "compare": "comparison.compare",
    "compare_populations": "comparison.populations",
    "group_effects": "experiments.effects",
    "hbi": "comparison.hbi",
    "load_study": "tables.reading",
    "loo": "comparison.loo",
    "model_grid": "comparison.grid",
    "model_table": "comparison.grid",
    "parameter_table": "comparison.people",
    "plot": "figures",
    "predicted_behaviour": "comparison.behaviour",
    "profile_sets": "sets",
    "recover": "comparison.recovery",
    "select_models": "comparison.selection",
    "session_effects": "experiments.sessions",
    "trial_table": "comparison.trials",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    found = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
