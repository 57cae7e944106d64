"""What a data set is: padded arrays of choices, rewards and session starts, with checks that name what is wrong."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .errors import InputError
from .files import replacing
from .models import Bounds, Model


@dataclass(frozen=True)
class Truth:
    """What a simulator knows of its episodes: `alpha`, `beta` (episodes, signals, q), the `values` (episodes, steps,
    arms) from which each choice was drawn, and the `nll` (episodes,) of the choices under those values, in nats."""

    alpha: np.ndarray
    beta: np.ndarray
    values: np.ndarray
    nll: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Bandit episodes.

    choices  (episodes, steps) int: the chosen arm, 0 .. n_arms - 1, or -1 for a missed trial. On a missed trial every
             trace decays and nothing is scored. Shorter episodes are padded with -1 up to the longest.
    rewards  (episodes, steps) float: the outcome of the chosen arm; must be finite wherever a choice was made.
    starts   (episodes, steps) bool: True where a session starts, that is, where all traces are reset to zero.
             Step 0 always starts one.
    n_steps  (episodes,) int: the number of steps before the padding.
    episodes (episodes,) int: each episode's number in its data set; seeds derive from it, so it survives `select`.
    ids      (episodes,) str: what its owner calls the episode.
    reward_scale  the largest absolute outcome of a made choice (1 where all are 0), also of the whole that `select` picks from.
    model    the family that made the data, or None; `bounds` and `truth` are in its terms.
    """

    name: str
    choices: np.ndarray
    rewards: np.ndarray
    n_arms: int
    starts: np.ndarray = None
    n_steps: np.ndarray = None
    episodes: np.ndarray = None
    ids: np.ndarray = None
    model: str | None = None
    bounds: Bounds | None = None
    truth: Truth | None = None
    reward_scale: float | None = None

    def __post_init__(self):
        choices = np.asarray(self.choices)
        if choices.ndim != 2 or choices.shape[1] == 0:
            raise InputError(
                f"data set '{self.name}': choices have shape {choices.shape}, expected (episodes, steps) with a step"
            )
        n_episodes, n_steps = choices.shape
        set_field = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (the frozen idiom)
        if self.starts is None:
            set_field("starts", np.zeros(choices.shape, dtype=bool))
        if self.n_steps is None:
            set_field("n_steps", np.full(n_episodes, n_steps))
        if self.episodes is None:
            set_field("episodes", np.arange(n_episodes))
        if self.ids is None:
            set_field("ids", np.array([str(e) for e in self.episodes]))
        for name in ("rewards", "starts"):
            shape = np.shape(getattr(self, name))
            if shape != choices.shape:
                raise InputError(
                    f"data set '{self.name}': {name} have shape {shape}, expected that of choices, {choices.shape}"
                )
        for name in ("n_steps", "episodes", "ids"):
            shape = np.shape(getattr(self, name))
            if shape != (n_episodes,):
                raise InputError(f"data set '{self.name}': {name} have shape {shape}, expected ({n_episodes},)")
        if len(np.unique(self.episodes)) < n_episodes:
            raise InputError(f"data set '{self.name}': episodes holds a number twice, expected each once")
        if self.n_arms < 2:
            raise InputError(f"data set '{self.name}': n_arms is {self.n_arms}, expected at least 2")
        numbers = np.asarray(choices, dtype=float)
        self._refuse(
            (numbers != np.round(numbers)) | (numbers < -1) | (numbers >= self.n_arms) | ~np.isfinite(numbers),
            "choice",
            numbers,
            f"an arm from 0 to {self.n_arms - 1}, or -1 for a missed trial",
        )
        lengths = np.asarray(self.n_steps)
        wrong = np.flatnonzero((lengths < 1) | (lengths > n_steps))
        if wrong.size:
            found = f"episode {self.ids[wrong[0]]}: n_steps is {lengths[wrong[0]]}"
            raise InputError(f"data set '{self.name}', {found}, expected 1 to {n_steps}")
        padding = np.arange(n_steps) >= lengths[:, None]
        self._refuse(padding & (numbers != -1), "choice", numbers, "-1 in the padding after the last step")
        rewards = np.asarray(self.rewards, dtype=float)
        self._refuse((numbers >= 0) & ~np.isfinite(rewards), "reward", rewards, "a finite number wherever a choice was made")
        if self.reward_scale is None:
            set_field("reward_scale", float(np.abs(rewards[numbers >= 0]).max(initial=0.0)) or 1.0)
        starts = np.array(self.starts, dtype=bool)
        starts[:, 0] = True
        set_field("choices", np.ascontiguousarray(numbers, dtype=np.int64))
        set_field("rewards", np.ascontiguousarray(rewards))
        set_field("starts", starts)
        set_field("n_steps", np.asarray(self.n_steps, dtype=np.int64))
        set_field("episodes", np.asarray(self.episodes, dtype=np.int64))
        set_field("ids", np.asarray(self.ids, dtype=str))

    def _refuse(self, wrong, what, found, expected):
        if wrong.any():
            episode, step = np.argwhere(wrong)[0]
            raise InputError(
                f"data set '{self.name}', episode {self.ids[episode]}, step {step}: {what} is {found[episode, step]:g},"
                f" expected {expected} ({int(wrong.sum())} such steps in all)"
            )

    def __len__(self) -> int:
        return len(self.choices)

    def bounds_of(self, model: Model) -> Bounds:
        """The bounds within which `model` is fitted: the data's own if this family made them, else the model's for
        rewards of this scale."""
        if self.bounds is not None and self.model == model.name:
            return self.bounds
        return model.default_box(self.reward_scale)

    def select(self, episodes) -> "Dataset":
        """The episodes with these numbers (an iterable of int, or a slice of positions), in this order."""
        if isinstance(episodes, slice):
            rows = np.arange(len(self))[episodes]
        else:
            position = {int(number): row for row, number in enumerate(self.episodes)}
            episodes = [int(number) for number in episodes]
            unknown = [number for number in episodes if number not in position]
            if unknown:
                raise InputError(
                    f"data set '{self.name}' has no episode {unknown[0]}; its {len(self)} episodes are numbered"
                    f" {self.episodes.min()} to {self.episodes.max()}"
                )
            rows = np.array([position[number] for number in episodes], dtype=np.int64)
        truth = self.truth and Truth(*(getattr(self.truth, f)[rows] for f in Truth.__dataclass_fields__))
        picked = {f: getattr(self, f)[rows] for f in ("choices", "rewards", "starts", "n_steps", "episodes", "ids")}
        return replace(self, truth=truth, **picked)


def save(data: Dataset, path: str | Path) -> None:
    """Writes a data set as one compressed .npz file."""
    arrays = {f: getattr(data, f) for f in ("choices", "rewards", "starts", "n_steps", "episodes", "ids")}
    arrays["choices"] = arrays["choices"].astype(np.int16)
    if data.truth is not None:
        arrays |= {f"true_{f}": getattr(data.truth, f) for f in Truth.__dataclass_fields__}
    if data.bounds is not None:
        arrays |= {"bounds_alpha": np.array(data.bounds.alpha), "bounds_beta": np.array(data.bounds.beta)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, name=data.name, n_arms=data.n_arms, model=data.model or "", **arrays)


def load(path: str | Path) -> Dataset:
    """Reads what `save` wrote."""
    with np.load(path) as file:
        held = dict(file)
    truth = Truth(**{f: held[f"true_{f}"] for f in Truth.__dataclass_fields__}) if "true_alpha" in held else None
    bounds = None
    if "bounds_alpha" in held:
        bounds = Bounds(tuple(held["bounds_alpha"].tolist()), tuple(map(tuple, held["bounds_beta"].tolist())))
    return Dataset(
        name=str(held["name"]),
        n_arms=int(held["n_arms"]),
        model=str(held["model"]) or None,
        bounds=bounds,
        truth=truth,
        **{f: held[f] for f in ("choices", "rewards", "starts", "n_steps", "episodes", "ids")},
    )
