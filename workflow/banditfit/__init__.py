"""banditfit: methods of fitting reinforcement-learning models to choices in bandit tasks, compared on one likelihood.

>>> import banditfit as bf
>>> data = bf.published_data("forgetting", "2arm")
>>> fits = bf.fit(data, model="forgetting", method="d_loc", episodes=range(50))
>>> table = bf.score(data, fits)
"""

from .comparison.compare import compare
from .comparison.grid import model_grid, model_table
from .comparison.loo import loo
from .comparison.people import parameter_table
from .comparison.recovery import recover
from .comparison.selection import select_models
from .comparison.trials import trial_table
from .data.dataset import Dataset, Truth
from .data.reading import from_frame, read_csv
from .errors import InputError
from .estimator import ChoiceModel
from .experiments.effects import group_effects
from .fits import load_fits, save_fits
from .fitting import fit
from .judge import score
from .methods import STATUSES
from .models.families import MODELS, get_model
from .models.simulate import published_data, simulate
from .names import method_names
from .parameters import Bounds

__all__ = [
    "MODELS",
    "STATUSES",
    "Bounds",
    "ChoiceModel",
    "Dataset",
    "InputError",
    "Truth",
    "compare",
    "fit",
    "from_frame",
    "get_model",
    "group_effects",
    "load_fits",
    "loo",
    "method_names",
    "model_grid",
    "model_table",
    "parameter_table",
    "published_data",
    "read_csv",
    "recover",
    "save_fits",
    "score",
    "select_models",
    "simulate",
    "trial_table",
]
