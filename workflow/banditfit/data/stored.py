"""A data set on disk, whole or some episodes at a time: memory stays flat however many there are."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import InputError
from ..files import UNSEALED, check_seal, naming_damage, replacing, seal
from ..parameters import Bounds
from .dataset import OPTIONAL_FIELDS, Dataset, Truth, largest_reward

EPISODE_FIELDS = ("choices", "rewards", "starts", "n_steps", "episodes", "ids")


def save(data: Dataset, path: str | Path) -> None:
    """Writes a data set as one compressed .npz file."""
    arrays = {f: getattr(data, f) for f in EPISODE_FIELDS}
    optional = {name: getattr(data, name) for name in OPTIONAL_FIELDS}
    arrays |= {name: array for name, array in optional.items() if array is not None}
    if data.states is not None:
        arrays["states"] = data.states.astype(np.int32)
    arrays["choices"] = arrays["choices"].astype(np.int16 if data.n_arms <= 2**15 else np.int64)
    arrays |= {"notes": np.array(data.notes, dtype=str), "reward_scale": np.array(data.reward_scale)}
    if data.truth is not None:
        arrays |= {f"true_{f}": getattr(data.truth, f) for f in Truth.__dataclass_fields__}
    if data.bounds is not None:
        arrays |= {"bounds": np.array(data.bounds.text())}
    with replacing(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, name=data.name, n_arms=data.n_arms, model=data.model or "", **arrays)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.comment = UNSEALED
        seal(temporary)


def load(path: str | Path) -> Dataset:
    """Reads what `save` wrote. Raises ValueError, or what NumPy raises, at damage."""
    check_seal(path)
    with np.load(path) as file:
        held = dict(file)
    truth = Truth(**{f: held[f"true_{f}"] for f in Truth.__dataclass_fields__}) if "true_alpha" in held else None
    bounds = Bounds.read(str(held["bounds"])) if "bounds" in held else None
    rest: dict[str, Any] = {f: held[f] for f in (*EPISODE_FIELDS, *OPTIONAL_FIELDS) if f in held}
    if "reward_scale" in held:  # files of earlier versions have none
        rest["reward_scale"] = float(held["reward_scale"])
    return Dataset(
        name=str(held["name"]),
        n_arms=int(held["n_arms"]),
        model=str(held["model"]) or None,
        bounds=bounds,
        truth=truth,
        notes=tuple(held["notes"].tolist()) if "notes" in held else (),
        **rest,
    )


PART = 1000  # episodes of `parts`


def parts(path: str | Path, truth: bool = True) -> Iterator[Dataset]:
    """All episodes of a file that `save` wrote, PART of them at a time. Raises InputError for a damaged file."""
    count = len(_read(path, ["n_steps"])["n_steps"])
    yield from data_blocks(path, [range(at, min(at + PART, count)) for at in range(0, count, PART)], truth)


OUTLINE = (
    *("name", "n_arms", "model", "bounds", "notes", "reward_scale"),
    *("episodes", "ids", "true_alpha", "true_beta", "true_nll"),
)


def outline(path: str | Path) -> Dataset:
    """A data set without its steps, of which every episode has one, a missed trial: its name, arms, model, bounds and size of
    rewards, the episodes with their ids, and their true parameters. Raises InputError for a damaged file."""
    held = _read(path, OUTLINE)
    if "reward_scale" in held:
        scale = float(held["reward_scale"])
    else:  # in files of earlier versions
        scale = largest_reward(*_read(path, ["choices", "rewards"]).values())
    n = len(held["episodes"])
    known = "true_alpha" in held
    return Dataset(
        name=str(held["name"]),
        choices=np.full((n, 1), -1),
        rewards=np.zeros((n, 1)),
        n_arms=int(held["n_arms"]),
        episodes=held["episodes"],
        ids=held["ids"],
        model=str(held["model"]) or None,
        bounds=Bounds.read(str(held["bounds"])) if "bounds" in held else None,
        truth=Truth(held["true_alpha"], held["true_beta"], np.empty((n, 0, 0)), held["true_nll"]) if known else None,
        notes=tuple(held["notes"].tolist()) if "notes" in held else (),
        reward_scale=scale,
    )


def _read(path: str | Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Those of these arrays that a file holds."""
    with naming_damage(path):
        check_seal(path)
        with np.load(path) as file:
            return {name: file[name] for name in names if name in file}


SKIP = 1 << 20  # bytes that are read over at once


def data_blocks(path: str | Path, blocks: Iterable[range], truth: bool = True) -> Iterator[Dataset]:
    """The episodes of each block, from a file that `data.save` wrote of episodes numbered from 0; without what only a
    simulator knows if not `truth`.

    The blocks must come in order and not overlap: the file is read once. Raises InputError for a damaged file and for an
    episode that it does not hold.
    """
    with naming_damage(path), ExitStack() as opened:
        check_seal(path)
        archive = opened.enter_context(zipfile.ZipFile(path))
        held = {name.removesuffix(".npy") for name in archive.namelist()}
        read = lambda name: np.lib.format.read_array(opened.enter_context(archive.open(f"{name}.npy")))  # noqa: E731
        bounds = Bounds.read(str(read("bounds"))) if "bounds" in held else None
        fixed: dict[str, Any] = {
            "name": str(read("name")),
            "n_arms": int(read("n_arms")),
            "model": str(read("model")) or None,
            "bounds": bounds,
            "notes": tuple(read("notes").tolist()) if "notes" in held else (),
            # Files of earlier versions hold no scale; that of the whole is not that of a part.
            "reward_scale": float(
                read("reward_scale") if "reward_scale" in held else largest_reward(read("choices"), read("rewards"))
            ),
        }
        known = [f"true_{field}" for field in Truth.__dataclass_fields__] if truth and "true_alpha" in held else []
        names = [*EPISODE_FIELDS, *(name for name in OPTIONAL_FIELDS if name in held), *known]
        rows = {name: _Rows(opened.enter_context(archive.open(f"{name}.npy"))) for name in names}
        for block in blocks:
            if block.stop > rows["episodes"].count:
                raise InputError(f"{path}: has {rows['episodes'].count} episodes, expected {block.stop} or more")
            part: dict[str, Any] = {name: array.take(block) for name, array in rows.items()}
            held_truth = Truth(**{name.removeprefix("true_"): part.pop(name) for name in known}) if known else None
            yield Dataset(**fixed, truth=held_truth, **part)


class _Rows:
    """The rows of a stored array, read from the first to the last."""

    def __init__(self, file: IO[bytes]):
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        (self.count, *inner), _, self.dtype = read_header(file)
        self.inner = tuple(inner)
        self.bytes = self.dtype.itemsize * int(np.prod(inner, dtype=int))
        self.file = file
        self.next = 0

    def take(self, block: range) -> np.ndarray:
        """The rows of `block`, shape (len(block), ...); those before it are passed over."""
        waste = (block.start - self.next) * self.bytes
        while waste > 0:
            waste -= len(self.file.read(min(waste, SKIP)))
        self.next = block.stop
        return np.frombuffer(self.file.read(len(block) * self.bytes), self.dtype).reshape(len(block), *self.inner)
