"""What a study is: a checked configuration, and the runs, batches and files that follow from it."""

import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ..errors import InputError
from ..files import is_below, read_text
from ..methods import get_method, method_names
from ..models.families import MODELS, get_model
from .cases import Case, cases_of
from .catalogue import OWN, extent, own_entry, read_catalogue
from .catalogue import Entry as Data
from .entries import Run, expand, read_entries


def _is_integer(_, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_, value: Any) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


# JSON Schema has 1.0 for an integer and NaN for a number.
_STRICT = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
_Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=_STRICT)


@dataclass(frozen=True)
class Study:
    """A study: `catalogue` holds its data sets by name, `cases` these with the models they are fitted with, `runs` its
    methods by run id, `given` the run from which a run starts (for those that start from another), and `n_episodes` how many
    episodes of a data set a run fits with a model (absent where the method does not serve it)."""

    config: dict[str, Any]
    catalogue: dict[str, Data]
    cases: dict[Case, Data]
    runs: dict[str, Run]
    given: dict[str, str]
    n_episodes: dict[tuple[str, str, str], int]  # by dataset, model and run

    def models_of(self, dataset: str) -> list[str]:
        """The models that a data set is fitted with."""
        return [case.model for case in self.cases if case.dataset == dataset]

    def batches(self, dataset: str, model: str, run: str) -> list[str]:
        """The batches of a run over a data set with a model, each named by its first and last episode, such as "0025-0049";
        one batch for a method that fits all episodes at once."""
        total = self.n_episodes[dataset, model, run]
        return _batches(total, self.batch_size(dataset, run) or total)

    def batch_size(self, dataset: str, run: str) -> int | None:
        """How many episodes of a data set one job of a run fits; None: all of them, as a population."""
        if get_method(self.runs[run].entry.method).population:
            return None
        return self.config["batches"].get(run, {}).get(dataset, self.config["batch"])

    def batch_of(self, dataset: str, model: str, run: str, episode: int) -> str:
        """The batch in which an episode is fitted."""
        return next(batch for batch in self.batches(dataset, model, run) if int(batch.split("-")[1]) >= episode)

    def calibration_batches(self) -> list[str]:
        """The batches of each model that is calibrated, named likewise."""
        return _batches(self.config["calibration"]["episodes"], self.config["batch"]) if self.config["calibration"] else []

    @property
    def populations(self) -> dict[str, Any]:
        """The parts of the study of populations that are asked for, by name."""
        return {part: asked for part, asked in self.config["populations"].items() if asked}

    def methods_of(self, part: str, model: str | None = None) -> dict[str, tuple[str, dict[str, Any]]]:
        """Method and settings of the runs in a part of the study of populations, of those that can fit `model`."""
        return self.methods(self.populations.get(part, {}).get("runs", []), model)

    def methods(self, runs: list[str], model: str | None = None) -> dict[str, tuple[str, dict[str, Any]]]:
        """Method and settings of these runs, of those that can fit `model`."""
        fitting = [run for run in map(self.runs.__getitem__, runs) if model is None or _fits(run, model)]
        return {run.id: (run.entry.method, run.settings) for run in fitting}

    def methods_by_model(self, part: str, dataset: str) -> dict[str, dict[str, tuple[str, dict[str, Any]]]]:
        """`methods_of` the part by each model of a data set that any of them serves."""
        found = {model: self.methods_of(part, model) for model in self.models_of(dataset)}
        return {model: methods for model, methods in found.items() if methods}

    @property
    def kept_draws(self) -> list[tuple[str, str, str, int]]:
        """Every dataset, model, run and episode whose draws are kept."""
        return [(*case, run, e) for run, episodes in self.config["draws"].items() for case in self.cases for e in episodes]


def _fits(run: Run, model: str) -> bool:
    return get_method(run.entry.method).serves(get_model(model))


def _batches(total: int, size: int) -> list[str]:
    return [f"{first:04d}-{min(first + size, total) - 1:04d}" for first in range(0, total, size)]


def read_study(config: dict[str, Any], root: Path, where: str) -> Study:
    """Checks a configuration (`where` names it in messages) against the schema and the tables under `root`/config.

    Raises InputError with one sentence: the key, what was found, what is allowed.
    """
    check_config(config, root / "workflow/schemas/config.schema.yaml", where)
    catalogue = read_catalogue(root / "config/datasets.tsv")
    if config["data"] is not None:
        catalogue[OWN] = _own(config, where)
    elif OWN in config["datasets"]:
        raise InputError(f"{where}: key 'data' is missing; expected the path of a file, as in --config data=mine.csv n_arms=2")
    entries = read_entries(root / "config/methods.tsv")
    for key, known, table in (("datasets", catalogue, "datasets.tsv"), ("methods", entries, "methods.tsv")):
        for name in config[key]:
            if name not in known:
                raise InputError(f"{where}: {key} has {name!r}, expected names in config/{table}: {', '.join(known)}")

    runs = {run.id: run for run in expand(entries, config["methods"], config["local_solvers"])}
    given = {}
    for run in runs.values():
        method = get_method(run.entry.method)
        method.read_settings(run.entry.method, run.settings)
        if method.needs:
            sources = [other.id for other in runs.values() if other.entry.method == method.needs]
            if not sources:
                needed = [entry.id for entry in entries.values() if entry.method == method.needs]
                raise InputError(
                    f"{where}: methods has '{run.entry.id}', which starts from '{needed[0]}'; expected that listed too"
                )
            given[run.id] = sources[0]

    for key in ("limits", "batches"):
        for run in config[key]:
            if run not in runs:
                raise InputError(f"{where}: {key} has run {run!r}, expected one of {', '.join(runs)}")
            for dataset in config[key][run]:
                if dataset not in config["datasets"]:
                    raise InputError(f"{where}: {key} of {run} has data set {dataset!r}, expected one listed under datasets")
    for run in config["batches"]:
        if get_method(runs[run].entry.method).population:
            raise InputError(f"{where}: batches has run {run!r}, which fits all episodes in one; expected another run")
    chosen = {name: catalogue[name] for name in config["datasets"]}
    _check_models(config, chosen, runs, where)
    cases = cases_of(chosen, config["models"])
    extents = {dataset: extent(entry, root) for dataset, entry in chosen.items()}
    held = {dataset: n for dataset, (n, _) in extents.items()}
    _check_choice_sets([dataset for dataset, (_, choice_sets) in extents.items() if choice_sets], runs, where)
    n_episodes = {}
    for dataset, model in cases:
        wanted = held[dataset] if config["episodes"] == "all" else config["episodes"]
        if wanted > held[dataset]:
            raise InputError(
                f"{where}: episodes is {wanted}, but data set {dataset!r} holds {held[dataset]}; expected at most"
                f" {held[dataset]} or all"
            )
        for run in runs.values():
            if _fits(run, model):
                n_episodes[dataset, model, run.id] = min(wanted, config["limits"].get(run.id, {}).get(dataset, wanted))
    for run, source in given.items():
        for case in cases:
            if n_episodes.get((*case, run), 0) > n_episodes.get((*case, source), 0):
                raise InputError(
                    f"{where}: limits of {source} leave {run} without its start on {case.dataset}; give {run} the same limit"
                )
    if n_episodes and config["example"] >= min(n_episodes.values()):
        raise InputError(
            f"{where}: example is {config['example']}, expected the number of an episode that every run fits,"
            f" 0 to {min(n_episodes.values()) - 1}"
        )
    for run, episodes in config["draws"].items():
        if run not in runs or runs[run].entry.method != "mc":
            sampled = ", ".join(other.id for other in runs.values() if other.entry.method == "mc")
            raise InputError(f"{where}: draws has run {run!r}, expected one of method mc: {sampled or 'none is listed'}")
        fitted = min(n_episodes[*case, run] for case in cases)
        if max(episodes, default=0) >= fitted:
            raise InputError(
                f"{where}: draws of {run} has episode {max(episodes)}, expected numbers that it fits on every data set,"
                f" 0 to {fitted - 1}"
            )
    _check_populations(config, runs, n_episodes, where)
    _check_psychometrics(config, where)
    _check_optima(config, runs, where)
    _check_sets(config, runs, cases, where)
    for dataset, path in config["criteria"].items():
        if dataset not in config["datasets"]:
            raise InputError(f"{where}: criteria has data set {dataset!r}, expected one listed under datasets")
        if not (is_below(root, path) and (root / path).is_file()):
            raise InputError(f"{where}: criteria of {dataset} is {path!r}, expected a file below the project's folder")
    return Study(config, chosen, cases, runs, given, n_episodes)


def _own(config: dict[str, Any], where: str) -> Data:
    """The data set that the configuration names itself."""
    if OWN not in config["datasets"]:
        raise InputError(f"{where}: key 'data' is {config['data']!r}, but datasets does not list '{OWN}', which stands for it")
    if config["n_arms"] is None:
        raise InputError(f"{where}: key 'n_arms' is missing; expected the number of arms of {config['data']}, at least 2")
    return own_entry(config["data"], config["n_arms"], _as_written(config["reading"]), where)


def _as_written(value: Any) -> Any:
    """The same where numbers inside a mapping or list have come as text, as Snakemake hands over those of the command line."""
    if isinstance(value, dict):
        return {key: _as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    return None if value == "null" else int(value) if isinstance(value, str) and re.fullmatch("-?[0-9]+", value) else value


def _check_choice_sets(datasets: list[str], runs: dict[str, Run], where: str) -> None:
    """Raises InputError for a method that needs all arms on offer, where one of these data sets offers fewer."""
    for dataset in datasets:
        unfit = [run.entry.id for run in runs.values() if get_method(run.entry.method).all_arms]
        if unfit:
            known = ", ".join(name for name in method_names() if not get_method(name).all_arms)
            raise InputError(
                f"{where}: methods has {unfit[0]!r}, which needs all arms on offer at every step, and data set {dataset!r} has"
                f" choice sets; expected some of {known}"
            )


def _check_models(config: dict[str, Any], chosen: dict[str, Data], runs: dict[str, Run], where: str) -> None:
    """Raises InputError for an unknown model, a data set without one, and a model that no method of the study serves."""
    for model in config["models"] or ():
        if model not in MODELS:
            raise InputError(f"{where}: models has {model!r}, expected names in config/models.tsv: {', '.join(MODELS)}")
    for dataset, entry in chosen.items():
        if config["models"] is None and entry.model is None:
            raise InputError(
                f"{where}: key 'models' is missing, and data set {dataset!r} has - in the column model of config/datasets.tsv;"
                " expected a model in one of the two"
            )
        for model in config["models"] or [entry.model]:
            if not any(_fits(run, model) for run in runs.values()):
                raise InputError(
                    f"{where}: methods has none that serves model {model!r}, expected one for data set {dataset!r}"
                )


# The parts that describe the populations which methods find, and so serve those that find one.
POPULATIONS_OWN = ("parameters", "recovery", "batches")


def _check_populations(config: dict[str, Any], runs: dict[str, Run], n_episodes: dict, where: str) -> None:
    for part, asked in config["populations"].items():
        place = f"{where}: populations.{part}"
        for model in (asked or {}).get("models", []):
            if model not in MODELS:
                raise InputError(f"{place} has model {model!r}, expected names in config/models.tsv: {', '.join(MODELS)}")
        known = [id_ for id_, run in runs.items() if part not in POPULATIONS_OWN or get_method(run.entry.method).population]
        for run in (asked or {}).get("runs", []):
            if run not in known:
                raise InputError(f"{place} has run {run!r}, expected one of {', '.join(known) or 'gem, which is not listed'}")
            if part in ("study", "misspecified") and not _fits(runs[run], "forgetting"):
                raise InputError(f"{place} has run {run!r}, expected one that fits forgetting")
        for dataset in [*(asked or {}).get("datasets", []), *(asked or {}).get("bootstrap", {})]:
            if dataset not in config["datasets"]:
                raise InputError(f"{place} has data set {dataset!r}, expected one listed under datasets")
            if not any(d == dataset and run in asked["runs"] for d, _, run in n_episodes):
                raise InputError(f"{place}: runs has none that serves a model of data set {dataset!r}")
            for run in asked["runs"]:
                fitted = max((n for (d, _, r), n in n_episodes.items() if (d, r) == (dataset, run)), default=None)
                if part == "held_out" and fitted is not None and not asked["folds"] <= asked["episodes"] <= fitted:
                    raise InputError(
                        f"{place}: episodes is {asked['episodes']}, expected from {asked['folds']}, the folds, to the"
                        f" {fitted} that {run} fits on {dataset}"
                    )


def _check_psychometrics(config: dict[str, Any], where: str) -> None:
    asked = config["psychometrics"] or {"runs": {}, "designs": {}}
    for design, parts in asked["designs"].items():
        for run in parts["runs"]:
            if run not in (*asked["runs"], "oracle"):
                known = ", ".join([*asked["runs"], "oracle"])
                raise InputError(f"{where}: psychometrics.designs.{design} has run {run!r}, expected one of {known}")


def _check_optima(config: dict[str, Any], runs: dict[str, Run], where: str) -> None:
    asked = config["optima"] or {"models": [], "runs": []}
    for run in asked["runs"]:
        if run not in runs or get_method(runs[run].entry.method).population:
            known = [id_ for id_, one in runs.items() if not get_method(one.entry.method).population]
            raise InputError(f"{where}: optima has run {run!r}, expected one of {', '.join(known)}")
    for model in asked["models"]:
        if model not in MODELS:
            raise InputError(f"{where}: optima has model {model!r}, expected one of config/models.tsv: {', '.join(MODELS)}")
        if not any(_fits(runs[run], model) for run in asked["runs"]):
            raise InputError(f"{where}: optima: runs has none that serves model {model!r}")
    known = [*asked["runs"], *config["local_solvers"]]
    for name in asked.get("limits", {}):
        if name not in known:
            raise InputError(f"{where}: optima.limits has {name!r}, expected one of its runs or solvers: {', '.join(known)}")


def _check_sets(config: dict[str, Any], runs: dict[str, Run], cases: dict[Case, Data], where: str) -> None:
    asked = config["sets"]
    if asked is None:
        return
    if asked["run"] not in runs:
        raise InputError(f"{where}: sets has run {asked['run']!r}, expected one of {', '.join(runs)}")
    for dataset in asked["datasets"]:
        if not any(_fits(runs[asked["run"]], case.model) for case in cases if case.dataset == dataset):
            raise InputError(
                f"{where}: sets has data set {dataset!r}, expected one listed under datasets, with a model that"
                f" {asked['run']} serves"
            )


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice in a mapping is an error; else the last would count, without a word."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_config(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises InputError with one sentence for what is none."""
    expected = "a mapping of keys to values in YAML, such as config/config.yaml"
    try:
        config = yaml.load(read_text(path, expected), _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, row {mark.line + 1}" if mark else str(path)
        found = (getattr(error, "problem", None) or str(error)).splitlines()[0].removeprefix("found ")
        raise InputError(f"{where}: found {found}, expected {expected}, each key once") from None
    if not isinstance(config, dict):
        kind = {"NoneType": "an empty file", "list": "a list"}.get(type(config).__name__, "a single value")
        raise InputError(f"{path}: found {kind}, expected {expected}")
    return config


def load_study(path: str | Path, root: Path) -> Study:
    """The study of a configuration file; raises InputError as `read_config` and `read_study` do."""
    return read_study(read_config(path), root, str(path))


@cache
def _schema(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def check_config(config: dict[str, Any], schema_path: Path, where: str) -> None:
    """Holds a configuration against its closed schema and fills in the defaults; raises InputError at the first flaw."""
    schema = _schema(schema_path)
    errors = sorted(_Validator(schema).iter_errors(config), key=lambda e: list(map(str, e.path)))
    if errors:
        raise InputError(f"{where}: {_sentence(errors[0], schema)}")
    for key, rule in schema["properties"].items():
        if "default" in rule:
            config.setdefault(key, rule["default"])


def _sentence(error: jsonschema.ValidationError, schema: dict[str, Any]) -> str:
    key = ".".join(map(str, error.absolute_path))
    inside = f" in {key}" if key else ""
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = sorted(set(map(str, error.instance)) - set(known))
        return f"key '{unknown[0]}'{inside} is not known; allowed: {', '.join(known)}"
    if error.validator in ("required", "dependentRequired"):
        wanted = error.validator_value
        if error.validator == "dependentRequired":
            wanted = [name for present, names in wanted.items() if present in error.instance for name in names]
        missing = next(name for name in wanted if name not in error.instance)
        described = error.schema if "properties" in error.schema else schema
        return f"key '{missing}'{inside} is missing; expected {described['properties'][missing]['description']}"
    return f"{key} is {error.instance!r}, expected {error.schema['description']}"
