"""Numbers and lists as people write them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

ABSENT = "–"


def sig(value: float) -> str:
    """A number to three significant digits, as people write it: 0.00692, 12 300, 1.2 × 10⁻⁵; a dash for NaN."""
    value = float(value)
    if math.isnan(value):
        return ABSENT
    if value == 0 or math.isinf(value):
        return {0.0: "0", math.inf: "∞", -math.inf: "−∞"}[value]
    mantissa, exponent = f"{value:.2e}".split("e")
    power = int(exponent)
    if -5 < power < 7:
        text = f"{float(f'{value:.2e}'):,.{max(0, 2 - power)}f}".replace(",", "\u202f")
    else:
        text = f"{mantissa} × 10{str(power).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    return text.replace("-", "−")


def count(number: float) -> str:
    return f"{int(number):,}".replace(",", "\u202f")


def counted(number: int, noun: str, plural: str | None = None) -> str:
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    if 0 < share < 1e-5:
        return "less than 0.001 %"
    return f"{100 * share:.3g} %" if 0 < share < 0.1 else f"{100 * share:.1f} %"


def listed(words: Iterable[str]) -> str:
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def span(values: pd.Series) -> str:
    low, high = sig(values.min()), sig(values.max())
    return low if low == high else f"{low} to {high}"


def were_beaten(number: int) -> str:
    if number == 0:
        return "none was beaten by an admissible fit"
    return f"{count(number)} {'was' if number == 1 else 'were'} beaten by an admissible fit, so not valid"


def deviation(rows: pd.DataFrame) -> str:
    """How far our figures are from the published ones, over the rows of a comparison that are judged."""
    off = (rows["ratio"] - 1.0).abs()
    near = listed(f"{percent((off <= limit).mean())} within {100 * limit:g} %" for limit in (0.01, 0.05))
    return f"Ours differs from the published figure by {percent(off.median())} in the median; {near}."


def of_parts(parts: Sequence[Mapping[str, Any]]) -> str:
    """The sentences of each data set, which is named where there are several."""
    named = len(parts) > 1
    return " ".join(f"{part['label'] + ': ' if named else ''}{' '.join(part['sentences'])}" for part in parts)


def headed(names: Iterable[str]) -> list[str]:
    """The head of a table in Markdown."""
    names = list(names)
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
