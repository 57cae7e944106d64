"""Agents with the parameters that people were fitted with, playing the design of those people."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ..data.dataset import Dataset
from ..errors import InputError
from ..fits import FitTable
from ..fitting import derive_seed
from ..identification import complete
from ..models import likelihood
from ..models.families import get_model
from ..models.play import play, taken
from ..parameters import Bounds


class Outcomes:
    """What arms offer, which the data say of the chosen ones alone: drawn from what people got from each arm in each state.

    By the `rule` these are all such rewards ("arms"), those at the nearest step of the session at which anybody chose the arm
    ("steps"), or the one that the same person got at the nearest trial of the same session ("own"; of an arm that the person
    never chose there, all). Raises InputError for an arm whose rewards nobody saw.

    An outcome is a reward, or where losses are known apart a pair of the reward and the loss that is part of it.
    """

    def __init__(self, data: Dataset, rule: str):
        self.data, self.rule = data, rule
        parts = [data.rewards] if data.losses is None else [data.rewards, data.losses]
        self.outcomes = np.stack(parts, axis=-1)  # (episodes, steps, 1 or 2)
        self.states = np.zeros_like(data.choices) if data.states is None else data.states
        self.session = np.cumsum(data.starts, axis=1)
        steps = np.arange(data.choices.shape[1])
        self.steps = steps - np.maximum.accumulate(np.where(data.starts, steps, 0), axis=1)  # within the session
        self.seen: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # by state and arm: steps, in order, and outcomes
        for state in np.unique(self.states[steps < data.n_steps[:, None]]):
            for arm in range(data.n_arms):
                got = (data.choices == arm) & (self.states == state)
                order = np.argsort(self.steps[got], kind="stable")
                self.seen[state, arm] = self.steps[got][order], self.outcomes[got][order]
                if not got.any():
                    where = f" in state {state}" if data.states is not None else ""
                    raise InputError(
                        f"recover, argument rewards: nobody chose arm {arm}{where}, so what it would have brought is not known;"
                        " expected an array of rewards (episodes, steps, arms)"
                    )

    def draw(self, row: int, n_steps: int, n_arms: int, rng: np.random.Generator) -> np.ndarray:
        """What each arm offers one person (steps, arms, 1 or 2)."""
        offered = np.empty((n_steps, n_arms, self.outcomes.shape[2]))
        uniform = rng.random((n_steps, n_arms))
        states = self.states[row, :n_steps]
        for state in np.unique(states):
            here = np.flatnonzero(states == state)
            for arm in range(n_arms):
                steps, outcomes = self.seen[state, arm]
                low, high = 0, len(outcomes)
                if self.rule == "steps":
                    low, high = _nearest(steps, self.steps[row, here])
                offered[here, arm] = outcomes[low + (uniform[here, arm] * (high - low)).astype(np.int64)]
                if self.rule == "own":
                    self._put_own(offered, row, here, arm)
        return offered

    def _put_own(self, offered: np.ndarray, row: int, here: np.ndarray, arm: int) -> None:
        """Puts into `offered`, at the steps `here`, what the person got from an arm at the nearest of them in the session."""
        session = self.session[row, here]
        for one in np.unique(session):
            steps = here[session == one]
            own = steps[self.data.choices[row, steps] == arm]
            if len(own):
                offered[steps, arm] = self.outcomes[row, own[_nearest(own, steps)[0]]]


def _nearest(steps: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where, in ordered steps, those nearest to each of `wanted` begin and end; the earlier of two that are as near."""
    at = np.searchsorted(steps, wanted)
    before, after = steps[np.maximum(at - 1, 0)], steps[np.minimum(at, len(steps) - 1)]
    nearest = np.where(np.abs(wanted - before) <= np.abs(after - wanted), before, after)
    return np.searchsorted(steps, nearest), np.searchsorted(steps, nearest, side="right")


class Agents:
    """The fits of one model as agents: their parameters, complete, and which of them are identified. People whose fit failed
    have none."""

    def __init__(self, data: Dataset, fits: FitTable, name: str):
        self.name, self.model = name, get_model(name)
        fits = fits[fits["model"] == name]
        box = Bounds.read(fits["bounds"].iloc[0])
        fitted = {row.episode: row for row in fits.itertuples()}
        self.agents = {}
        for row, episode in enumerate(data.episodes.tolist()):
            problem = likelihood.problem(data, row, self.model, box)
            parameters = complete(problem, fitted[episode])
            if parameters is not None:
                self.agents[episode] = (problem, *parameters)
        self.data = data.select(list(self.agents))
        self.rows = [row for row, episode in enumerate(data.episodes.tolist()) if episode in self.agents]

    def play(self, source: Outcomes | np.ndarray, repeat: int, seed: int) -> Dataset:
        """The data set that the agents make, named after theirs, the model and the repeat."""
        choices = self.data.choices.copy()
        rewards = np.zeros(choices.shape)
        shown = None if self.data.foregone is None else np.isfinite(self.data.foregone)
        foregone = None if shown is None else np.full(choices.shape, np.nan)
        losses = None if isinstance(source, np.ndarray) or self.data.losses is None else np.zeros(choices.shape)
        for place, (row, (episode, (problem, theta, _))) in enumerate(zip(self.rows, self.agents.items(), strict=True)):
            rng = np.random.default_rng([derive_seed(self.data.name, episode, self.name, seed), repeat])
            n = problem.n_steps
            given = isinstance(source, np.ndarray)
            drawn = source[row, :n, :, None] if given else source.draw(row, n, problem.n_arms, rng)
            offered, of_losses = drawn[..., 0], drawn[..., 1] if drawn.shape[2] > 1 else None
            seen = None if shown is None else shown[place, :n]
            choices[place, :n], _ = play(problem, theta, offered, rng, seen, of_losses)
            rewards[place, :n] = taken(offered, choices[place, :n])
            if losses is not None and of_losses is not None:
                losses[place, :n] = taken(of_losses, choices[place, :n])
            if seen is not None:
                foregone[place, :n] = np.where(seen, taken(offered[:, ::-1], choices[place, :n]), np.nan)
        named = f"{self.data.name} played by {self.name}, {repeat}"
        made = {"choices": choices, "rewards": rewards, "foregone": foregone, "losses": losses}
        return replace(self.data, name=named, **made, truth=None)

    def against(self, fits: FitTable) -> pd.DataFrame:
        """The truth of every parameter beside the estimate of the same model."""
        names = self.model.parameter_names(self.data.n_arms)
        rows = []
        for fit in fits[fits["model"] == self.name].itertuples():
            _, theta, unidentified = self.agents[fit.episode]
            told = np.concatenate([np.ravel(part) for part in fit.parameters.values()])
            true = np.where(unidentified, np.nan, theta)
            rows += [(fit.episode, fit.id, self.name, *each) for each in zip(names, true, told, strict=True)]
        return pd.DataFrame(rows, columns=["episode", "id", "model", "parameter", "true", "estimate"])
