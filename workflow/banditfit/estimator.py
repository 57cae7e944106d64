"""A model as an estimator of scikit-learn.

>>> learner = bf.ChoiceModel("dual_rates", n_arms=2).fit(table)     # columns episode, choice, reward
>>> learner.predict_proba(table)                                    # (rows, arms), each before its choice
>>> learner.score(table)                                            # mean log-likelihood of a choice, nats

Cloning and searches over settings, such as GridSearchCV(learner, {"model": [...]}, cv=GroupKFold(5)), work as with any
estimator, as long as `groups` keep sessions or episodes whole: what a row predicts depends on those before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from .arguments import describe
from .comparison.people import parameter_table
from .comparison.trials import trial_table
from .data.dataset import OPTIONAL_FIELDS, Dataset
from .data.reading import from_frame
from .errors import InputError
from .fitting import fit


class ChoiceModel(ClassifierMixin, BaseEstimator):
    """A model of choices, with what is needed to fit it; arguments are checked when it is fitted, as scikit-learn asks.

    model, method, settings, bounds, seed, n_jobs   as `bf.fit` takes them
    n_arms    how many arms there are, where X is a table
    columns   the table's own names by role, as `bf.from_frame` takes them
    shared    whether everybody has the same parameters, so that people who were not fitted can be predicted; otherwise each
              episode has its own

    After `fit`: `fits_`, the table of fits; `parameters_`, one row per person and parameter; `classes_`, the arms;
    `n_features_in_` and `feature_names_in_`, the columns of X that are read.
    """

    def __init__(
        self,
        model: str = "rescorla_wagner",
        method: str = "profile",
        n_arms: int = 2,
        columns: Mapping[str, str | None] | None = None,
        shared: bool = False,
        settings: Mapping[str, Any] | None = None,
        bounds: Any = None,
        seed: int = 0,
        n_jobs: int = 1,
    ):
        self.model = model
        self.method = method
        self.n_arms = n_arms
        self.columns = columns
        self.shared = shared
        self.settings = settings
        self.bounds = bounds
        self.seed = seed
        self.n_jobs = n_jobs

    def __sklearn_tags__(self) -> Tags:
        """X is checked by the rules of data sets; choices may be a column of it, and rewards of missed trials are empty."""
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.target_tags.required = False
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: pd.DataFrame | Dataset, y: Sequence | None = None) -> "ChoiceModel":
        """Fits the model to a table with one row per trial (see `bf.from_frame`), or a data set; `y` are the choices, where
        they are no column of the table. X may also be an array (trials, arms) of what each arm brought or would have brought,
        NaN where it was not shown, of one person and session, with the choices `y`, -1 or NaN for a missed trial: what was
        shown of the arm that was not chosen is the foregone outcome, which models with the term `fictive` follow."""
        data = self._pooled(self._data(X, y))
        how = {"settings": self.settings, "bounds": self.bounds, "seed": self.seed, "n_jobs": self.n_jobs}
        self.fits_ = fit(data, self.model, self.method, **how)
        self.parameters_ = parameter_table(self.fits_)
        self.classes_ = np.arange(data.n_arms)
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.array(X.columns, dtype=object)
        if not isinstance(X, Dataset):
            self.n_features_in_ = np.shape(X)[1]
        return self

    def predict_proba(self, X: pd.DataFrame | Dataset, y: Sequence | None = None) -> np.ndarray:
        """The probability of every arm (rows, arms) before each row's choice, given the rows before it, in the order of the
        rows (episode after episode). Raises InputError for an episode that was not fitted, unless parameters are shared."""
        table = self.trials(X, y)
        return table[[f"p[{arm}]" for arm in range(len(self.classes_))]].to_numpy()

    def predict(self, X: pd.DataFrame | Dataset, y: Sequence | None = None) -> np.ndarray:
        """The most probable arm (rows,)."""
        return self.predict_proba(X, y).argmax(axis=1)

    def score(self, X: pd.DataFrame | Dataset, y: Sequence | None = None) -> float:
        """The mean log-likelihood of a scored choice, nats: -log(arms) is what guessing has, 0 the most there is."""
        return float(self.trials(X, y)["log_likelihood"].mean())

    def trials(self, X: pd.DataFrame | Dataset, y: Sequence | None = None) -> pd.DataFrame:
        """Values, policy and prediction errors of every row: see `bf.trial_table`. Raises scikit-learn's NotFittedError before
        `fit`."""
        check_is_fitted(self)
        data = self._data(X, y)
        fits = self.fits_
        if self.shared:
            fits = pd.concat([fits.assign(id=name) for name in data.ids], ignore_index=True)
        elif unknown := sorted(set(data.ids) - set(fits["id"])):
            raise InputError(
                f"{self!r}: found episode '{unknown[0]}', which was not fitted ({len(unknown)} such), expected those that were,"
                " or shared=True"
            )
        order = {name: place for place, name in enumerate(data.ids.tolist())}
        table = trial_table(data, fits)
        return table.sort_values("id", key=lambda ids: ids.map(order), kind="stable").reset_index(drop=True)

    def _data(self, X: pd.DataFrame | Dataset, y: Sequence | None) -> Dataset:
        if isinstance(X, Dataset):
            return X
        if isinstance(X, (np.ndarray, list)):
            return self._full_feedback(np.asarray(X), y)
        if not isinstance(X, pd.DataFrame):
            raise InputError(
                f"{self!r}, X: found {describe(X)}, expected a table (pandas DataFrame), a Dataset, or an array"
                " (trials, arms), none of them sparse"
            )
        role = (self.columns or {}).get("choice") or "choice"
        if y is not None:
            if len(y) != len(X):
                raise InputError(f"{self!r}, y: found {len(y)} choices, expected {len(X)}, as X has rows")
            X = X.assign(**{role: np.asarray(y)})
        return from_frame(X, n_arms=self.n_arms, columns=self.columns)

    def _full_feedback(self, X: np.ndarray, y: Sequence | None) -> Dataset:
        """The data set of the outcomes (trials, arms) and the choices of one person."""
        if X.ndim != 2 or X.shape[1] != self.n_arms or X.dtype.kind not in "iufb":
            raise InputError(f"{self!r}, X: found the shape {X.shape}, expected numbers (trials, {self.n_arms}), one per arm")
        if y is None or len(y) != len(X):
            found = "None" if y is None else f"{len(y)} choices"
            raise InputError(f"{self!r}, y: found {found}, expected {len(X)} choices, as X has rows")
        try:
            made = np.asarray(y, dtype=float)
        except (TypeError, ValueError):
            made = np.full(len(X), np.inf)
        missed = np.isnan(made) | (made == -1)
        wrong = ~missed & ~np.isin(made, np.arange(self.n_arms))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{self!r}, y: found {y[row]!r} in row {row}, expected an arm from 0 to {self.n_arms - 1}, -1 or NaN"
            )
        choices = np.where(missed, -1, made).astype(np.int64)
        taken = np.arange(self.n_arms) == choices[:, None]
        if (unseen := np.isnan(X) & taken).any():
            row = int(np.argmax(unseen.any(axis=1)))
            raise InputError(f"{self!r}, X: found no number of the arm chosen in row {row}, expected what it brought")
        rewards = np.where(taken, X, 0.0).sum(axis=1)
        others = ~np.isnan(X) & ~taken & ~missed[:, None]
        optional = {}
        if others.any():
            if self.n_arms > 2:
                raise InputError(
                    f"{self!r}, X: found outcomes of arms that were not chosen, expected NaN there, or two arms: what three"
                    " arms or more would have brought no model of banditfit follows"
                )
            of_other = np.where(others, X, 0.0).sum(axis=1)
            optional["foregone"] = np.where(others.any(axis=1), of_other, np.nan)[None]
        return Dataset("one person", choices[None], rewards[None], self.n_arms, **optional)

    def _pooled(self, data: Dataset) -> Dataset:
        """All episodes as sessions of one, where they share their parameters."""
        if not self.shared:
            return data
        real = np.arange(data.choices.shape[1]) < data.n_steps[:, None]
        fields = {name: getattr(data, name) for name in ("choices", "rewards", "starts", *OPTIONAL_FIELDS)}
        joined = {name: None if array is None else array[real][None] for name, array in fields.items()}
        return replace(data, **joined, n_steps=[int(real.sum())], episodes=[0], ids=["everybody"], truth=None)
