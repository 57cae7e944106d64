"""Arguments held against their annotations: what does not fit is refused in one sentence, everywhere by this one mechanism.

    @checked
    def fit(data: Dataset, model: ModelName, *, n_jobs: Jobs = 1): ...

    fit(data, "forgetting", n_jobs="2")
    # InputError: fit, argument n_jobs: found '2' (text), expected an integer of at least 1, or -1 for all cores

A *kind* is what an annotation can say: int, float (a finite number; `numbers.Real` allows NaN and infinities), bool, str (what
a file can hold), Any, a class, Literal, X | Y, X | None, tuple, Sequence, Iterable, Mapping, np.ndarray (what is an array of
numbers, or makes one), or Annotated[kind, mark, ...], where each mark (see kinds.py) narrows the kind or says what is expected.

A value of another type is never taken for one of this: True and 2.0 are no integers, "2" is no number. NumPy's scalars are
what Python's are, and reach the function as those; lists and arrays reach it as the tuple or list that is asked for.
"""

import functools
import inspect
import math
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from numbers import Real
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd

from .errors import InputError

T = TypeVar("T", bound=Callable)

SHORT = 60  # characters of a value that a sentence shows

# What is expected where a class is asked for, in words that say where to get one.
CLASSES = {
    "Dataset": "a Dataset, as bf.read_csv, bf.simulate and bf.published_data make it",
    "Bounds": 'bounds by name such as {"alpha": (0, 1), "beta": (0, 20)}, or bf.Bounds((0, 1), ((0, 20),))',
    "Truth": "a bf.Truth",
    "DataFrame": "a table (pandas DataFrame)",
    "Series": "a row of a table (pandas Series)",
    "Path": "a path",
    "PathLike": "a path",
    "slice": "a slice",
}
SCALARS = {int: "an integer", float: "a finite number", Real: "a number", bool: "True or False", str: "text"}

# Classes that may be given as a mapping of their fields.
_BY_NAME: set[type] = set()


def checked(target: T | None = None, *, by_name: bool = False) -> T:
    """Decorates a function, or a dataclass (on the line above `@dataclass`), whose constructor is then checked: every call is
    held against the annotations, and an InputError says function, argument, what was found and what is expected. A default
    always passes. Missing and unknown arguments keep Python's own TypeError.

    A dataclass that is checked `by_name` may, wherever a checked function asks for it, be given as a mapping of its fields."""
    if target is None:
        return functools.partial(checked, by_name=by_name)
    if isinstance(target, type):
        target.__init__ = _checked(target.__init__, target.__name__)
        if by_name:
            _BY_NAME.add(target)
        return target
    return _checked(target, target.__qualname__)


def _checked(function: Callable, name: str) -> Callable:
    signature = inspect.signature(function)

    @functools.cache
    def kinds() -> dict[str, Any]:
        return get_type_hints(function, include_extras=True)

    @functools.wraps(function)
    def call(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # which says so in Python's words
        for argument, value in bound.arguments.items():
            if argument in kinds() and value is not signature.parameters[argument].default:
                bound.arguments[argument] = conform(value, kinds()[argument], f"{name}, argument {argument}")
        return function(*bound.args, **bound.kwargs)

    return call


def conform(value: Any, kind: Any, where: str) -> Any:
    """`value` as the Python object that `kind` means; raises InputError "WHERE: found ..., expected ..."."""
    try:
        return as_kind(value, kind)
    except Mismatch as error:
        raise InputError(f"{where}{error.place}: found {error.found}, expected {error.expected}") from None


def describe_mismatch(value: Any, kind: Any) -> str | None:
    """What is wrong with `value` as a `kind`: "found ..., expected ...", or None."""
    try:
        as_kind(value, kind)
    except Mismatch as error:
        return f"found {error.found}{error.place and f' at {error.place}'}, expected {error.expected}"
    return None


class Mismatch(Exception):
    """What was found and what is expected, in words (None: those of the value, and of the kind); `place` is where inside the
    value, such as "[3]"."""

    def __init__(self, found: str | None = None, expected: str | None = None, place: str = ""):
        super().__init__(found, expected, place)
        self.found, self.expected, self.place = found, expected, place


# Values against kinds ------------------------------------------------------------------------------------------------------


def as_kind(value: Any, kind: Any) -> Any:
    """`value` as the Python object that `kind` means; raises Mismatch with words for found and expected."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    try:
        return _take(value, kind)
    except Mismatch as error:
        error.found = error.found or describe(value)
        error.expected = error.expected or expected(kind)
        raise


def _take(value: Any, kind: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any or kind is inspect.Parameter.empty:
        return value
    if origin is Annotated:
        kind, marks = parts[0], parts[1:]
        try:
            value = _take(value, kind)
        except Mismatch as error:
            if isinstance(value, str) and kind is str:
                error.found = error.found or quoted(value)
            raise
        for mark in marks:
            value = mark.check(value)
        return value
    if origin in (Union, types.UnionType):
        return _of_union(value, parts)
    if origin is Literal:
        if not any(type(value) is type(part) and value == part for part in parts):
            raise Mismatch(quoted(value) if isinstance(value, str) else None)
        return value
    if kind in SCALARS:
        return _scalar(value, kind)
    if origin is tuple:
        return tuple(_items(value, parts[0]) if parts[-1] is Ellipsis else _items(value, *parts))
    origin = origin or kind
    if origin is np.ndarray:
        return _numbers(value)
    if issubclass(origin, Mapping):
        return _mapping(value, *(parts or (Any, Any)))
    if origin in (list, Sequence, Iterable):
        return list(_items(value, parts[0] if parts else Any))
    if origin in _BY_NAME and isinstance(value, Mapping):
        return _by_name(value, origin)
    if not isinstance(value, origin):
        raise Mismatch
    return value


def _of_union(value: Any, kinds: tuple) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    kinds = [kind for kind in kinds if kind is not types.NoneType]
    errors = []
    for kind in kinds:
        try:
            return as_kind(value, kind) if len(kinds) == 1 else _take(value, kind)
        except Mismatch as error:
            # A traceback would hold the frames of the call, this one too, and the data in them until garbage is collected.
            errors.append(error.with_traceback(None))
    # What got into the value before it failed knows best what is wrong.
    deepest = max(errors, key=lambda error: error.place.count("["))
    raise deepest if deepest.place or len(kinds) == 1 else Mismatch()


def _scalar(value: Any, kind: type) -> Any:
    if kind is str:
        if not isinstance(value, str):
            raise Mismatch
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Mismatch(quoted(value), "text that can be written as UTF-8") from None
        if "\0" in value:
            raise Mismatch(quoted(value), "text without a NUL character")
        return str(value)
    if kind is bool:
        if not isinstance(value, bool):
            raise Mismatch
        return value
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float | np.floating):
        raise Mismatch
    if kind is int:
        return value
    try:
        number = float(value)
    except OverflowError:
        raise Mismatch from None
    if kind is float and not math.isfinite(number):
        raise Mismatch
    return number


def _numbers(value: Any) -> np.ndarray:
    """The array of numbers that a value is, or that nested lists make."""
    if isinstance(value, str | bytes | Mapping | set | frozenset | np.ma.MaskedArray) or not isinstance(value, Iterable):
        raise Mismatch("a masked array" if isinstance(value, np.ma.MaskedArray) else None)
    try:
        array = np.asarray(value)
    except ValueError:
        raise Mismatch("lists of different lengths") from None
    if array.size and array.dtype.kind not in "biuf":
        raise Mismatch
    return array


def _items(value: Any, *kinds: Any) -> Iterable:
    """The items of a sequence of one kind of item, or of one item of each of several kinds."""
    if isinstance(value, str | bytes | Mapping | set | frozenset | pd.DataFrame) or not isinstance(value, Iterable):
        raise Mismatch
    items = value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else list(value)
    if len(kinds) > 1 and len(items) != len(kinds):
        raise Mismatch
    for place, (item, kind) in enumerate(zip(items, kinds * len(items) if len(kinds) == 1 else kinds, strict=True)):
        yield _inside(f"[{place}]", item, kind)


def _mapping(value: Any, of_keys: Any, of_values: Any) -> dict:
    value = value.to_dict() if isinstance(value, pd.Series) else value
    if not isinstance(value, Mapping):
        raise Mismatch
    taken = {}
    for key, item in value.items():
        try:
            name = as_kind(key, of_keys)
        except Mismatch as error:
            raise Mismatch(f"the key {error.found}", f"keys that are each {error.expected}") from None
        taken[name] = _inside(f"[{quoted(str(key))}]", item, of_values)
    return taken


def _by_name(value: Mapping, kind: type) -> Any:
    """The dataclass `kind` with the fields in `value`; other keys go to its field of the `rest`, if it has one."""
    known, kinds = {field.name: field for field in fields(kind)}, get_type_hints(kind, include_extras=True)
    rest = next((name for name, field in known.items() if field.metadata.get("rest")), None)
    needed = [name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING]
    more = {key: item for key, item in value.items() if key not in known or key == rest} if rest else {}
    for key in [*value, *needed]:
        if (key not in known or key not in value) and key not in more:
            raise Mismatch(f"the key {describe(key)}" if key in value else f"no key {key!r}", expected(kind))
    taken = {key: _inside(f"[{key!r}]", item, kinds[key]) for key, item in value.items() if key not in more}
    return kind(**taken, **({rest: as_kind(more, kinds[rest])} if more else {}))


def _inside(place: str, value: Any, kind: Any) -> Any:
    """`_fitted` for what stands at `place` inside a value."""
    try:
        return as_kind(value, kind)
    except Mismatch as error:
        error.place = place + error.place
        raise


# Words ---------------------------------------------------------------------------------------------------------------------


def expected(kind: Any) -> str:
    """What a kind expects, in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return functools.reduce(lambda words, mark: mark.words(words), kind.__metadata__, expected(parts[0]))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(expected(part) for part in parts if part is not types.NoneType))
    if origin is Literal:
        return f"one of {', '.join(map(repr, parts))}"
    if kind in SCALARS:
        return SCALARS[kind]
    if origin is tuple and parts[-1] is not Ellipsis:
        return f"{len(parts)} items: {', '.join(map(expected, parts))}"
    origin = origin or kind
    if origin in (list, tuple, Sequence, Iterable):
        return f"a sequence of items, each {expected(parts[0])}" if parts and parts[0] is not Any else "a sequence"
    if origin is np.ndarray:
        return "an array of numbers"
    if issubclass(origin, Mapping):
        return "a mapping (dict)"
    return CLASSES.get(origin.__name__, f"an object of type {origin.__name__}")


def describe(value: Any) -> str:
    """A value in a few words, and on one line: never the whole of a table."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None:
        return "None"
    if isinstance(value, bool):
        return f"{value} (a truth value)"
    if isinstance(value, int):
        return str(value) if value.bit_length() < 200 else f"an integer of {value.bit_length()} binary digits"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, str):
        return f"{quoted(value)} (text)"
    if isinstance(value, os.PathLike):
        return f"the path {quoted(str(value))}"
    if isinstance(value, pd.DataFrame):
        return f"a table (DataFrame) of {len(value)} rows and {value.shape[1]} columns"
    if isinstance(value, pd.Series | pd.Index):
        return f"a {type(value).__name__} of {len(value)} values"
    if isinstance(value, np.ndarray):
        what = {"U": " of text", "S": " of bytes", "O": " of objects", "b": " of truth values"}.get(value.dtype.kind, "")
        return f"an array{what} of shape {value.shape}"
    if isinstance(value, Mapping):
        keys = ", ".join([*(quoted(str(key)) for key in list(value)[:3]), *["..."] * (len(value) > 3)])
        return f"a mapping ({type(value).__name__}) with the keys {keys}" if keys else f"an empty {type(value).__name__}"
    if isinstance(value, list | tuple | set | frozenset):
        text = _written(value)
        return f"{text} (a {type(value).__name__})" if text else f"a {type(value).__name__} of {len(value)} items"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, types.ModuleType):
        return f"the module {value.__name__}"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__}"
    return f"an object of type {type(value).__name__}"


def _written(value: Any) -> str:
    """A list or tuple of plain values, or of such lists, as Python writes it, if that is short."""
    if type(value) in (list, tuple) and len(value) <= SHORT:
        parts = [_written(item) for item in value]
        text = f"[{', '.join(parts)}]" if type(value) is list else f"({', '.join(parts)}{',' * (len(parts) == 1)})"
        return text if all(parts) and len(text) <= SHORT else ""
    value = value.item() if isinstance(value, np.generic) else value
    return repr(value) if value is None or type(value) in (bool, int, float, str) and len(repr(value)) <= SHORT else ""


def quoted(text: str) -> str:
    """A text as Python writes it, on one line, cut off where it is long."""
    return repr(text if len(text) <= SHORT else text[:SHORT] + "...")
