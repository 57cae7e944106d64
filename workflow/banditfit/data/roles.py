"""Which column of a file says what: the episode, the choice, the reward, the session and the step of each row."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..errors import InputError
from .sheet import SEPARATORS, Sheet, quoted

# What a file may hold; each is looked for in the column of its name. A file without the optional ones is complete.
ROLES = ("episode", "choice", "reward", "loss", "session", "step", "state", "available", "forced", "foregone")
OPTIONAL = {
    "session": "where traces are reset",
    "step": "the order of the trials",
    "loss": "what was lost, beside what was won",
    "state": "which has values of its own",
    "available": "the arms on offer",
    "forced": "trials that are not scored",
    "foregone": "the outcome of the other of two arms",
}

# The role that several columns may have together, and what each of them is called.
SEVERAL = "available"
_ONE_OF = "{role} {number}"

# The names that people give to these columns, as patterns of small letters and digits. They are never read unasked, but
# proposed where the column of a role is absent, and refused where a session, a step or a state would pass unused.
_COUNT = "s?(no|nr|num|number|id|idx|index|count|thisn)?"
USUAL = {
    "episode": f"(subject|subj|sub|participant|ppt|pp|person|worker|prolific|user|player|animal|mouse|rat){_COUNT}|id|pid",
    "choice": "(choice|action|response|resp|option|arm|decision|key|keyresp)(s|id|made|code)?|chosen(arm|option)?",
    "reward": "(reward|outcome|feedback|point|payoff|gain|payout)(s|value|type)?|score|win|won",
    "session": f"(block|miniblock|run|session|sess|game|round|day|visit){_COUNT}",
    "step": f"(trial|step|timestep){_COUNT}|trial(in|within)(block|run|session)|t",
    "state": f"(cue|context|stimulus|stim){_COUNT}",
}


def find(names: list[str], wanted: str) -> str | None:
    """The name among `names` that is `wanted`, in any capitals."""
    return next((name for name in names if name.casefold() == wanted.strip().casefold()), None)


def each_column(columns: Mapping[str, str | Sequence[str] | None]) -> dict[str, str | None]:
    """Names of columns by role, with a role of its own for each column of a list."""
    found: dict[str, str | None] = {}
    for role, name in columns.items():
        if isinstance(name, str | None):
            found[role] = name
        else:
            found[role] = None
            found |= {_ONE_OF.format(role=role, number=number): one for number, one in enumerate(name, start=1)}
    return found


class Columns:
    """The columns of a sheet that have a role: `used` holds their names by role, `cells` their text row by row, without
    blanks at the ends. `asked` are the user's names by role, None for a role that no column has.

    Raises InputError for a role without a column, and for an unused column with a usual name for a session, a step or a state.
    """

    def __init__(self, where: str, sheet: Sheet, asked: Mapping[str, str | None]):
        self.where, self.sheet = where, sheet
        roles = (*ROLES, *(role for role in asked if role not in ROLES))
        self.used = {role: name for role in roles if (name := find(sheet.header, asked.get(role, role) or "")) is not None}
        open_roles = [role for role in roles if role not in self.used and asked.get(role, role) is not None]
        left = [name for name in sheet.header if name not in self.used.values()]
        usual: dict[str, str] = {}  # columns with a usual name for a role that has none
        for role in open_roles:
            for name in left:
                if role in USUAL and re.fullmatch(USUAL[role], re.sub(r"[^a-z0-9]", "", name.casefold())):
                    usual.setdefault(role, name)
        absent = [role for role in open_roles if role in asked or role not in OPTIONAL]
        if absent:
            self._refuse_absent([(role, name) for role in absent if (name := asked.get(role, role)) is not None], usual)
        for role, name in self.used.items():
            others = [other for other in self.used if other != role and self.used[other] == name]
            if others:
                raise InputError(f"columns: found {quoted(name)} for {role} and {others[0]}, expected a column for each")
        position = {role: sheet.header.index(name) for role, name in self.used.items()}
        self.raw = {role: [row[at] for row in sheet.rows] for role, at in position.items()}
        self.cells, self._texts, self._text_of = {}, {}, {}
        for role, cells in self.raw.items():  # a file has many cells and few different texts
            which, texts = pd.factorize(np.array(cells, dtype=object))
            known: dict[str, int] = {}
            number = np.array([known.setdefault(text.strip(), len(known)) for text in texts])
            self._texts[role], self._text_of[role] = list(known), number[which]
            self.cells[role] = np.array(list(known), dtype=object)[number[which]].tolist()
        if usual:
            self._refuse_unused(usual)
        plain = [(role, name) for role, name in self.used.items() if not role.startswith(f"{SEVERAL} ")]
        self.notes = [f"column {quoted(name)} is the {role}" for role, name in plain if name.casefold() != role]
        if left:
            self.notes.append(f"columns not read: {', '.join(map(quoted, left))}")

    def _refuse_absent(self, absent: list[tuple[str, str]], usual: dict[str, str]) -> None:
        separator = self.sheet.separator and f"{SEPARATORS.get(self.sheet.separator, repr(self.sheet.separator))}-separated "
        words = " and ".join(f"no column {quoted(name)} (for the {role})" for role, name in absent)
        hint = f"such as columns={usual}" if usual else "as in columns={'episode': 'subject'}"
        raise InputError(
            f"{self.where}, row {self.sheet.header_line}: {words}; found {', '.join(map(quoted, self.sheet.header))}, expected"
            f" {separator}names, among them {'this one' if len(absent) == 1 else 'these'} (`columns`, in a study"
            f" under `reading`, maps others, {hint})"
        )

    def _refuse_unused(self, usual: dict[str, str]) -> None:
        said = " and ".join(f"'{name}', a usual name for the {role} ({OPTIONAL[role]})" for role, name in usual.items())
        disorder = self._disorder(usual["step"]) if "step" in usual else ""
        raise InputError(
            f"{self.where}, row {self.sheet.header_line}: found the column{'s' * (len(usual) > 1)} {said}, which nothing"
            f" uses{disorder}, expected to be told: columns={usual} to use it, columns={dict.fromkeys(usual)} to leave it"
        )

    def _disorder(self, name: str) -> str:
        """What is wrong with an unused count of steps: the first row, and those like it, that does not lie above the row
        before in the same episode."""
        at = self.sheet.header.index(name)
        before: dict[str, tuple[float, str]] = {}
        for line, episode, row in zip(self.sheet.lines, self.cells["episode"], self.sheet.rows, strict=True):
            try:
                step = float(row[at])
            except ValueError:
                return ""
            if episode in before and step <= before[episode][0]:
                return f" and has {quoted(row[at].strip())} in row {line} after {quoted(before[episode][1])}"
            before[episode] = step, row[at].strip()
        return ""

    def refuse(self, role: str, rows: np.ndarray, expected: str, also: str = "") -> None:
        """Raises InputError for the first row that the mask `rows` marks, if there is one."""
        if rows.any():
            first, count = int(np.argmax(rows)), int(np.sum(rows))
            many = f" ({count} such rows in all)" if count > 1 else ""
            raise InputError(
                f"{self.where}, row {self.sheet.lines[first]}, column {quoted(self.used[role])}: found"
                f" {quoted(self.cells[role][first])}{also}, expected {expected}{many}"
            )

    def which(self, role: str, is_so: Callable[[str], bool]) -> np.ndarray:
        """The mask of the rows whose cell `is_so`."""
        return self.each(role, lambda text: bool(is_so(text)))

    def each(self, role: str, value: Callable) -> np.ndarray:
        """The `value` of each row's cell; each text is asked once."""
        return np.array([value(text) for text in self._texts[role]])[self._text_of[role]]
