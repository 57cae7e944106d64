"""What a data set is: padded arrays of choices, rewards and session starts, with checks that name what is wrong."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import checked
from ..errors import InputError
from ..kinds import Number
from ..parameters import Bounds

if TYPE_CHECKING:
    from ..models.families import Model

# No name holds these: control characters, line separators, and what stands for a character that a conversion has lost.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]")
# What a data set may hold per step beside choices, rewards and starts.
OPTIONAL_FIELDS = ("states", "forced", "foregone", "losses", "available")
KINDS = {"b": "True and False", "U": "text", "S": "bytes", "c": "complex numbers", "M": "dates", "m": "durations"}


# Stands for None where a field that is left out is computed: whoever reads the field never meets it.
_COMPUTED: Any = None


@checked
@dataclass(frozen=True, eq=False)
class Truth:
    """What a simulator knows of its episodes: `alpha`, `beta` (episodes, signals, q), the `values` (episodes, steps,
    arms) from which each choice was drawn, and the `nll` (episodes,) of the choices under those values, in nats."""

    alpha: np.ndarray
    beta: np.ndarray
    values: np.ndarray
    nll: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Bandit episodes.

    choices  (episodes, steps) int: the chosen arm, 0 .. n_arms - 1, or -1 for a missed trial. On a missed trial every
             trace decays and nothing is scored. Shorter episodes are padded with -1 up to the longest.
    rewards  (episodes, steps) float: the outcome of the chosen arm; must be finite wherever a choice was made.
    starts   (episodes, steps) bool: True where a session starts, that is, where all traces are reset to zero.
             Step 0 always starts one.
    n_steps  (episodes,) int: the number of steps before the padding.
    episodes (episodes,) int: each episode's number in its data set, 0 or more; seeds derive from it, so it survives `select`.
    states   (episodes, steps) int, 0 or more, or None where there is one: which state (cue, context) each step is in. Each has
             values of its own, and only those of the present one are seen and move.
    forced   (episodes, steps) bool, or None where there is none: trials on which the arm was not chosen freely. What it brought
             informs the values as ever, and the choice is not scored.
    foregone (episodes, steps) float, or None where there is none: the outcome of the other of two arms where it was shown, NaN
             where it was not.
    losses   (episodes, steps) float, or None where there is no such signal: the part of `rewards` that was lost, 0 or more,
             where people saw what they won (`rewards` + `losses`) and what they lost apart.
    available (episodes, steps, arms) bool, or None where every step offers all arms: those that could be chosen. A choice of
             the only one on offer is forced.
    ids      (episodes,) str: what its owner calls the episode, each another text.
    model    the family that made the data, or None; `bounds` and `truth` are in its terms.
    notes    how the data were read, a short sentence each.
    reward_scale  the largest absolute reward of a choice in the whole data set, 1 if there is none but 0: the unit in which
             default bounds are set. Survives `select`, so that a part is fitted as the whole is; computed where it is None.

    Raises InputError with the field, and where there is one the episode and step, that is wrong.
    """

    name: str
    choices: np.ndarray
    rewards: np.ndarray
    n_arms: int
    starts: np.ndarray = _COMPUTED
    n_steps: np.ndarray = _COMPUTED
    episodes: np.ndarray = _COMPUTED
    ids: np.ndarray = _COMPUTED
    states: np.ndarray | None = None
    forced: np.ndarray | None = None
    foregone: np.ndarray | None = None
    losses: np.ndarray | None = None
    available: np.ndarray | None = None
    model: str | None = None
    bounds: Bounds | None = None
    truth: Truth | None = None
    notes: tuple[str, ...] = ()
    reward_scale: float = _COMPUTED

    def __post_init__(self) -> None:
        set_field = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (the frozen idiom)
        if not isinstance(self.name, str) or not self.name.strip() or CONTROL.search(self.name):
            raise InputError(f"name: found {self.name!r}, expected a name for the data set, on one line")
        check_arms(self.n_arms, f"data set '{self.name}', n_arms")
        choices = self._array("choices", "iuf", "arms as integers, -1 for a missed trial")
        if choices.ndim != 2 or choices.shape[1] == 0:
            raise InputError(f"{self._where('choices')} have shape {choices.shape}, expected (episodes, steps) with a step")
        n_episodes, n_steps = choices.shape
        set_field("n_arms", int(self.n_arms))
        if self.starts is None:
            set_field("starts", np.zeros(choices.shape, dtype=bool))
        if self.n_steps is None:
            set_field("n_steps", np.full(n_episodes, n_steps))
        if self.episodes is None:
            set_field("episodes", np.arange(n_episodes))
        rewards = self._array("rewards", "iufb", "numbers")
        starts = self._array("starts", "iufb", "True or False")
        lengths = self._array("n_steps", "iuf", "integers")
        episodes = self._array("episodes", "iuf", "integers")
        states = None if self.states is None else self._array("states", "iuf", "integers")
        forced = None if self.forced is None else self._array("forced", "iufb", "True or False")
        foregone = None if self.foregone is None else self._array("foregone", "iuf", "numbers, NaN where none was shown")
        losses = None if self.losses is None else self._array("losses", "iuf", "numbers of at least 0")
        held = {"states": states, "forced": forced, "foregone": foregone, "losses": losses}
        optional = [(name, array) for name, array in held.items() if array is not None]
        for name, array in (("rewards", rewards), ("starts", starts), *optional):
            if array.shape != choices.shape:
                raise InputError(f"{self._where(name)} have shape {array.shape}, expected that of choices, {choices.shape}")
        for name, array in (("n_steps", lengths), ("episodes", episodes)):
            if array.shape != (n_episodes,):
                raise InputError(f"{self._where(name)} have shape {array.shape}, expected ({n_episodes},)")
            wrong = np.flatnonzero(~np.isfinite(array) | (array != np.round(array)) | (array < 0))
            if wrong.size:
                raise InputError(f"{self._where(name)} hold {array[wrong[0]]:g}, expected integers of at least 0")
        if len(np.unique(episodes)) < n_episodes:
            raise InputError(f"{self._where('episodes')} hold a number twice, expected each once")
        set_field("ids", self._checked_ids(n_episodes, episodes))
        numbers = choices.astype(float)
        self._refuse(
            (numbers != np.round(numbers)) | (numbers < -1) | (numbers >= self.n_arms) | ~np.isfinite(numbers),
            "choice",
            numbers,
            f"an arm from 0 to {self.n_arms - 1}, or -1 for a missed trial",
        )
        wrong = np.flatnonzero((lengths < 1) | (lengths > n_steps))
        if wrong.size:
            found = f"episode {self.ids[wrong[0]]}: n_steps is {lengths[wrong[0]]:g}"
            raise InputError(f"data set '{self.name}', {found}, expected 1 to {n_steps}")
        padding = np.arange(n_steps) >= lengths[:, None]
        self._refuse(padding & (numbers != -1), "choice", numbers, "-1 in the padding after the last step")
        rewards = np.asarray(rewards, dtype=float)
        self._refuse((numbers >= 0) & ~np.isfinite(rewards), "reward", rewards, "a finite number wherever a choice was made")
        if starts.dtype != bool:
            self._refuse((starts != 0) & (starts != 1), "start", starts, "True or False")
        starts = starts.astype(bool)
        starts[:, 0] = True
        if states is not None:
            self._refuse(
                ~(np.isfinite(states) & (states == np.round(states)) & (states >= 0)),
                "state",
                states,
                "an integer of at least 0",
            )
            set_field("states", np.ascontiguousarray(states, dtype=np.int64))
        if forced is not None:
            self._refuse((forced != 0) & (forced != 1), "forced", forced, "True or False")
            set_field("forced", forced.astype(bool))
        if foregone is not None:
            if self.n_arms != 2:
                raise InputError(
                    f"{self._where('foregone')} are those of one other arm, expected two arms, found {self.n_arms}"
                )
            self._refuse(np.isinf(foregone), "foregone outcome", foregone, "a finite number, or NaN where none was shown")
            set_field("foregone", np.ascontiguousarray(foregone, dtype=float))
        if losses is not None:
            self._refuse((numbers >= 0) & ~(np.isfinite(losses) & (losses >= 0)), "loss", losses, "a number of at least 0")
            set_field("losses", np.ascontiguousarray(np.where(numbers >= 0, losses, 0.0)))
        if self.available is not None:
            set_field("available", self._checked_offers(numbers))
        set_field("choices", np.ascontiguousarray(numbers, dtype=np.int64))
        set_field("rewards", np.ascontiguousarray(rewards))
        set_field("starts", starts)
        set_field("n_steps", lengths.astype(np.int64))
        set_field("episodes", episodes.astype(np.int64))
        self._check_the_rest(n_episodes)
        if self.reward_scale is None:
            set_field("reward_scale", largest_reward(self.choices, self.rewards, self.losses))

    def _where(self, field: str) -> str:
        return f"data set '{self.name}': {field}"

    def _array(self, field: str, kinds: str, expected: str) -> np.ndarray:
        """The field as an array of numbers of one of these kinds (as NumPy calls them)."""
        value = getattr(self, field)
        if isinstance(value, np.ma.MaskedArray):
            raise InputError(f"{self._where(field)} are a masked array, expected {expected} in a plain one")
        try:
            array = np.asarray(value)
        except ValueError:
            raise InputError(f"{self._where(field)} have rows of different lengths, expected an array of {expected}") from None
        if array.dtype.kind == "O":
            odd = [item for item in array.flat if not isinstance(item, Real)]
            if odd:
                found = repr(odd[0]) if isinstance(odd[0], str | None) else f"a {type(odd[0]).__name__}"
                raise InputError(f"{self._where(field)} hold {found}, expected {expected}")
            array = array.astype(float)
        if array.dtype.kind not in kinds:
            found = KINDS.get(array.dtype.kind, f"items of type {array.dtype}")
            raise InputError(f"{self._where(field)} hold {found}, expected {expected}")
        return array

    def _checked_offers(self, choices: np.ndarray) -> np.ndarray:
        """Which arms each step offers (episodes, steps, arms)."""
        offers = self._array("available", "iufb", "True or False")
        if offers.shape != (*choices.shape, self.n_arms):
            expected = (*choices.shape, self.n_arms)
            raise InputError(
                f"{self._where('available')} have shape {offers.shape}, expected (episodes, steps, arms), {expected}"
            )
        if offers.dtype != bool:
            odd = (offers != 0) & (offers != 1)
            self._refuse(np.any(odd, axis=2), "available", offers[..., 0], "True or False for every arm")
        offers = offers.astype(bool)
        self._refuse(~np.any(offers, axis=2), "the number of arms on offer", offers.sum(axis=2), "at least 1")
        chosen = np.take_along_axis(offers, np.maximum(choices, 0).astype(np.int64)[..., None], axis=2)[..., 0]
        self._refuse((choices >= 0) & ~chosen, "choice", choices, "an arm on offer")
        return np.ascontiguousarray(offers)

    def _checked_ids(self, n_episodes: int, episodes: np.ndarray) -> np.ndarray:
        """The ids as text, by default the episodes' numbers."""
        if self.ids is None:
            return np.array([str(int(number)) for number in episodes], dtype=str)
        try:
            # Looked at before NumPy makes text of them, which loses a NUL at the end.
            ids = self.ids.tolist() if isinstance(self.ids, np.ndarray) else list(self.ids)
        except TypeError:
            ids = None
        if ids is None or isinstance(self.ids, str) or len(ids) != n_episodes:
            found = f"have shape {np.shape(self.ids)}" if ids is not None and not isinstance(self.ids, str) else "are no list"
            raise InputError(f"{self._where('ids')} {found}, expected ({n_episodes},)")
        met: dict[str, int] = {}
        for position, value in enumerate(ids):
            if not isinstance(value, str | Integral) or isinstance(value, bool):
                raise InputError(f"{self._where('ids')} hold {value!r}, expected text")
            text = str(value)
            if not text.strip() or CONTROL.search(text):
                raise InputError(f"{self._where('ids')} hold {text!r}, expected text without control or lost characters")
            if met.setdefault(text, position) != position:
                places = f"positions {met[text]} and {position}"
                raise InputError(f"{self._where('ids')} hold '{text}' twice ({places}), expected each once")
        return np.array(list(met), dtype=str)

    def _check_the_rest(self, n_episodes: int) -> None:
        if self.model is not None and not isinstance(self.model, str):
            raise InputError(f"{self._where('model')} is {self.model!r}, expected the name of a family, or None")
        if self.bounds is not None and not isinstance(self.bounds, Bounds):
            raise InputError(f"{self._where('bounds')} are {self.bounds!r}, expected Bounds, or None")
        if self.truth is not None:
            if not isinstance(self.truth, Truth):
                raise InputError(f"{self._where('truth')} is a {type(self.truth).__name__}, expected a Truth, or None")
            for field in Truth.__dataclass_fields__:
                if np.shape(getattr(self.truth, field))[:1] != (n_episodes,):
                    shape = np.shape(getattr(self.truth, field))
                    raise InputError(f"{self._where('truth')}.{field} has shape {shape}, expected ({n_episodes}, ...)")
        if isinstance(self.notes, str) or not all(isinstance(note, str) for note in self.notes):
            raise InputError(f"{self._where('notes')} are {self.notes!r}, expected a tuple of sentences")
        object.__setattr__(self, "notes", tuple(self.notes))
        scale = self.reward_scale
        if scale is not None and not (isinstance(scale, Real) and np.isfinite(scale) and scale > 0):
            raise InputError(f"{self._where('reward_scale')} is {scale!r}, expected a positive number, or None")

    def _refuse(self, wrong: np.ndarray, what: str, found: np.ndarray, expected: str) -> None:
        if wrong.any():
            episode, step = np.argwhere(wrong)[0]
            raise InputError(
                f"data set '{self.name}', episode {self.ids[episode]}, step {step}: {what} is {found[episode, step]:g},"
                f" expected {expected} ({int(wrong.sum())} such steps in all)"
            )

    def __repr__(self) -> str:
        if not len(self):
            return f"<Dataset '{self.name}': no episode, {self.n_arms} arms>"
        made = self.choices >= 0
        real = np.arange(self.choices.shape[1]) < self.n_steps[:, None]
        counted = lambda n, noun: f"{n} {noun}{'' if n == 1 else 's'}"  # noqa: E731
        fewest, most = self.n_steps.min(), self.n_steps.max()
        steps = counted(most, "step") if fewest == most else f"{fewest} to {most} steps"
        rewards = "no choice"
        if made.any():
            rewards = f"rewards {self.rewards[made].min():g} to {self.rewards[made].max():g}"
        arms = f"{self.n_arms} arms"
        if self.available is not None:
            few, many = (side(self.available[real].sum(axis=1)) for side in (np.min, np.max))
            arms = f"{few if few == many else f'{few} to {many}'} of {arms} on offer"
        states = "" if self.states is None else f" {counted(len(np.unique(self.states[real])), 'state')},"
        forced = made & ~self.scored
        forced = f" {counted(forced.sum(), 'forced choice')}," if forced.any() else ""
        return (
            f"<Dataset '{self.name}': {counted(len(self), 'episode')} of {steps}, {arms},{states}{forced}"
            f" {counted((real & ~made).sum(), 'missed trial')}, {counted((self.starts & real).sum(), 'session')}, {rewards}>"
        )

    def __len__(self) -> int:
        return len(self.choices)

    @property
    def scored(self) -> np.ndarray:
        """The trials whose choice counts in the likelihood (episodes, steps): made, made freely, and of two arms or more."""
        counts = self.choices >= 0
        if self.forced is not None:
            counts = counts & ~self.forced
        return counts if self.available is None else counts & (self.available.sum(axis=2) > 1)

    def bounds_of(self, model: "Model", given: Bounds | None = None) -> Bounds:
        """The bounds within which `model` is fitted: those given; where they say nothing the data's own, which hold for the
        parameters of that name in any model; and else the model's for rewards of this scale."""
        box = model.default_box(self.reward_scale)
        own = self.bounds
        if own is not None and self.model != model.name:
            own = own.meant_for(box)
        for bounds in (own, given):
            box = bounds.over(box) if bounds is not None else box
        return box

    @checked
    def select(self, episodes: Iterable[Number] | slice) -> "Dataset":
        """The episodes with these numbers (an iterable of int, or a slice of positions), in this order."""
        if isinstance(episodes, slice):
            rows = np.arange(len(self))[episodes]
        else:
            if isinstance(episodes, str) or not isinstance(episodes, Iterable):
                raise InputError(f"episodes: found {episodes!r}, expected the numbers of episodes, such as range(10)")
            episodes = list(episodes)
            for number in episodes:
                if not isinstance(number, Integral) or isinstance(number, bool):
                    raise InputError(f"episodes: found {number!r} among them, expected integers, the numbers of episodes")
            position = {int(number): row for row, number in enumerate(self.episodes)}
            unknown = [number for number in episodes if number not in position]
            if unknown:
                raise InputError(
                    f"data set '{self.name}' has no episode {unknown[0]}; its {len(self)} episodes are numbered"
                    f" {self.episodes.min()} to {self.episodes.max()}"
                )
            rows = np.array([position[number] for number in episodes], dtype=np.int64)
        truth = self.truth and Truth(*(getattr(self.truth, f)[rows] for f in Truth.__dataclass_fields__))
        fields = (
            "choices",
            "rewards",
            "starts",
            "n_steps",
            "episodes",
            "ids",
            *(name for name in OPTIONAL_FIELDS if getattr(self, name) is not None),
        )
        picked = {f: getattr(self, f)[rows] for f in fields}
        return replace(self, truth=truth, **picked)


def check_arms(n_arms: Any, where: str) -> None:
    """Raises InputError unless `n_arms` can be a number of arms; `where` begins the sentence."""
    if not isinstance(n_arms, Integral) or isinstance(n_arms, bool) or n_arms < 2:
        raise InputError(f"{where}: found {n_arms!r}, expected an integer of at least 2")


def largest_reward(choices: np.ndarray, rewards: np.ndarray, losses: np.ndarray | None = None) -> float:
    """The largest absolute reward of a choice, or what was won or lost where these are known apart, and 1 where there is none
    but 0."""
    made = choices >= 0
    signals = [rewards, -rewards] if losses is None else [rewards + losses, losses]
    return max(float(each.max(initial=0.0, where=made)) for each in signals) or 1.0
