"""The table of data sets: one row each, whether published, simulated or read from a file."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..arguments import conform, expected
from ..data.coding import Reading
from ..data.dataset import Dataset
from ..data.reading import read_csv
from ..data.stored import PART
from ..errors import InputError
from ..files import read_tsv
from ..kinds import Count, Probability, Seed
from ..models.families import MODELS, PUBLISHED_MODELS
from ..models.simulate import PUBLISHED, PUBLISHED_BANDITS, PUBLISHED_BETA, published_data, simulate, simulated_parts
from ..parameters import Bounds

# Of the columns after `source`, those that each kind of source needs; the others hold "-".
NEEDED = {
    "published": ("bandit",),
    "simulate": ("n_arms", "p_reward", "p_switch", "episodes", "steps", "seed", "initial_value", "alpha", "beta"),
    "file": ("n_arms", "alpha", "beta", "reading"),
}
COLUMNS = ("dataset", "label", "model", "bandit", "source", *NEEDED["simulate"], "reading")
OWN = "own"  # the name of the data set that a configuration's own key `data` names
ENDINGS = ("csv", "tsv", "txt")  # of files of text, packed (.gz) or not


@dataclass(frozen=True)
class Entry:
    """A row of the table. `model` is the one that made the data, or that a user's own are fitted with unless a study names
    others (None: a study must); `bounds` are those of the parameters of that name in any model (None: the models' own).

    `bandit` is that of the published study, or None; `source` is "published", "simulate" or the path of a file below the
    project's root; `n_episodes` is None where only that file knows; `arguments` are those of `simulate`, or the settings of
    `read_csv`.
    """

    name: str
    label: str
    model: str | None
    bandit: str | None
    source: str
    n_arms: int
    n_episodes: int | None
    bounds: Bounds | None
    arguments: dict[str, Any] = field(default_factory=dict)

    def files(self, root: str | Path) -> list[str]:
        """The files that the data are read from; raises InputError for one that a link takes out of `root`, if it is of the
        table."""
        if not own_data(self):
            return []
        path = Path(root) / self.source
        if self.name != OWN and not path.resolve().is_relative_to(Path(root).resolve()):
            raise InputError(f"{path}: found a link to {path.resolve()}, expected a file below the project's root")
        return [str(path)]


def own_data(entry: Entry) -> bool:
    """Whether the data are somebody's own, from a file."""
    return entry.source not in NEEDED


def own_entry(path: str, n_arms: int, reading: dict[str, Any], where: str) -> Entry:
    """The entry of the file that a configuration names itself, wherever it lies; `where` the configuration is, in messages."""
    known = Reading.__dataclass_fields__
    if unknown := [key for key in reading if key not in known]:
        raise InputError(f"{where}: reading: found '{unknown[0]}', expected some of {', '.join(known)}")
    try:
        Reading(**reading).check_arms(n_arms)
    except InputError as error:
        raise InputError(f"{where}: reading: {error}") from None
    return Entry(OWN, Path(path).stem, None, None, path, n_arms, None, None, reading)


def make(entry: Entry, root: str | Path) -> Dataset:
    """The data set of an entry, under its name; paths are relative to `root`."""
    if entry.source == "published":
        return replace(published_data(entry.model, entry.bandit), name=entry.name)
    if entry.source == "simulate":
        return simulate(entry.name, entry.model, **entry.arguments)
    data = read_csv(*entry.files(root), n_arms=entry.n_arms, name=entry.name, **entry.arguments)
    return replace(data, model=entry.model, bounds=entry.bounds)


def parts(entry: Entry, root: str | Path) -> Iterator[Dataset]:
    """The data set of an entry, as `make` gives it, in parts: what is simulated is never held whole."""
    if entry.source == "simulate":
        yield from simulated_parts(entry.name, entry.model, PART, **entry.arguments)
    else:
        yield make(entry, root)


def extent(entry: Entry, root: str | Path) -> tuple[int, bool]:
    """How many episodes the data set of an entry holds, and whether the arms on offer change from step to step."""
    if entry.n_episodes is not None:
        return entry.n_episodes, False
    data = make(entry, root)
    return len(data), data.available is not None


def read_catalogue(path: str | Path) -> dict[str, Entry]:
    """The entries by name, in the order of the table. Raises InputError with one sentence: file, row, column, what was
    found and what is expected."""
    entries = {}
    for number, cells in read_tsv(path, COLUMNS):
        row = _Row(f"{path}, row {number}", cells)
        entry = row.entry()
        if entry.name in entries:
            raise row.error("dataset", "a name that no other row has")
        if entry.label in [other.label for other in entries.values()]:
            raise row.error("label", "a label that no other row has")
        entries[entry.name] = entry
    return entries


def _may_be_source(source: str) -> bool:
    """Whether this is a path of a file that can be read, and its parts do not lead out of the folder that it starts from."""
    path = Path(source)
    named = source.isprintable() and re.search(rf"[^/]\.(({'|'.join(ENDINGS)})(\.gz)?|parquet)$", source)
    return bool(named) and not path.is_absolute() and ".." not in path.parts


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON text; raises ValueError for a key that it has twice, of which JSON would keep the last."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


@dataclass(frozen=True)
class _Row:
    """One row being read: `where` it stands, and its cells by column."""

    where: str
    cells: dict[str, str]

    def error(self, column: str, expected: str) -> InputError:
        return InputError(f"{self.where}, column {column}: found '{self.cells[column]}', expected {expected}")

    def held(self, column: str, pattern: str, expected: str) -> str:
        if not re.fullmatch(pattern, self.cells[column]):
            raise self.error(column, expected)
        return self.cells[column]

    def one_of(self, column: str, known) -> str:
        return self.held(column, "|".join(known), f"one of {', '.join(known)}")

    def entry(self) -> Entry:
        name = self.held("dataset", r"[a-z][a-z0-9_]*", "small letters, digits and underscores")  # it names files
        if name == OWN:
            raise self.error("dataset", f"another name: '{OWN}' is the file that a configuration names in its key data")
        label = self.held("label", r"\S(.*\S)?", "text without blanks at its ends")
        source = self.cells["source"]
        kind = source if source in NEEDED else "file"
        model = self.one_of("model", PUBLISHED_MODELS) if kind != "file" else self.one_of("model", ("-", *MODELS))
        if kind == "file" and not _may_be_source(source):
            known = ", ".join(f".{ending}" for ending in ENDINGS)
            raise self.error(
                "source",
                f"published, simulate, or the path of a file ({known}, each also .gz, or .parquet) below the project's root",
            )
        for column in ("bandit", *NEEDED["simulate"], "reading"):
            if column not in NEEDED[kind] and self.cells[column] != "-":
                raise self.error(column, f"-, as it has no use where source is {source}")

        if kind == "published":
            bandit = self.one_of("bandit", PUBLISHED_BANDITS)
            bounds = Bounds(PUBLISHED["alpha"], PUBLISHED_BETA[model][bandit])
            n_arms = len(PUBLISHED_BANDITS[bandit]["p_reward"])
            return Entry(name, label, model, bandit, source, n_arms, PUBLISHED["n_episodes"], bounds)

        n_arms = int(self.held("n_arms", r"[2-9]|[1-9]\d+", "an integer of at least 2"))
        if kind == "file":
            bounds, model = self.box_of_file(model), None if model == "-" else model
            return Entry(name, label, model, None, source, n_arms, None, bounds, self.reading(n_arms))
        bounds = self.bounds(self.pairs("alpha", 1), self.pairs("beta", MODELS[model].n_signals))
        p_reward = tuple(self.number("p_reward", Probability, text) for text in self.cells["p_reward"].split(" "))
        if len(p_reward) != n_arms:
            raise self.error("p_reward", f"{n_arms} probabilities separated by a space, one for each arm")
        arguments = {
            "p_reward": p_reward,
            "p_switch": self.number("p_switch", Probability),
            "n_episodes": self.number("episodes", Count),
            "n_steps": self.number("steps", Count),
            "seed": self.number("seed", Seed),
            "initial_value": self.number("initial_value", float),
            "alpha": bounds.alpha,
            "beta": bounds.beta,
        }
        return Entry(name, label, model, None, source, n_arms, arguments["n_episodes"], bounds, arguments)

    def reading(self, n_arms: int) -> dict[str, Any]:
        """The settings of `read_csv` in the column `reading`."""
        if self.cells["reading"] == "-":
            return {}
        try:
            settings = json.loads(self.cells["reading"], object_pairs_hook=_each_once)
        except ValueError:
            settings = None
        known = Reading.__dataclass_fields__
        if not isinstance(settings, dict) or not set(settings) <= set(known):
            example = '{"columns": {"session": "block"}, "first_arm": 1}'
            raise self.error("reading", f"-, or a JSON object with some of {', '.join(known)}, each once, such as {example}")
        try:
            Reading(**settings).check_arms(n_arms)
        except InputError as error:
            raise InputError(f"{self.where}, column reading, {error}") from None
        return settings

    def number(self, column: str, kind: Any, text: str | None = None) -> float:
        """The number in a cell (or in `text`, a part of it), as a `kind`."""
        text = self.cells[column] if text is None else text
        try:
            return conform(int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else float(text.replace("_", "?")), kind, column)
        except ValueError:
            raise self.error(column, expected(kind)) from None

    def pairs(self, column: str, n: int | None) -> tuple[tuple[float, float], ...]:
        """The n bounds (None: any number of them) in a cell such as "0 1", or "0 5; 0 2" for two signals."""
        try:
            pairs = tuple((float(lower), float(upper)) for lower, upper in map(str.split, self.cells[column].split(";")))
        except ValueError:
            pairs = ()
        if not pairs or len(pairs) != (n or len(pairs)):
            raise self.error(column, "lower and upper bound, as in 0 1" + "; 0 1" * ((n or 1) - 1))
        return pairs

    def bounds(self, alpha: tuple | None, beta: tuple | None) -> Bounds:
        try:
            return Bounds(alpha and alpha[0], beta)
        except InputError as error:
            raise InputError(f"{self.where}, {error}") from None

    def box_of_file(self, model: str) -> Bounds | None:
        """The bounds of a user's own data: of what is named, alpha, beta or both; None where neither is."""
        found: dict[str, tuple | None] = {"alpha": None, "beta": None}
        for column in found:
            if self.cells[column] == "-":
                continue
            n = 1 if column == "alpha" else None
            if model != "-":
                known = {parameter.name: parameter for parameter in MODELS[model].parameters}
                if column not in known:
                    raise self.error(column, f"-, as model {model} has no parameter of that name")
                n = n or max(len(known[column].signals), 1)
            found[column] = self.pairs(column, n)
        return self.bounds(**found) if any(found.values()) else None
