"""What every reader hands over: columns of numbers, and the rows of the file they stand in."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from unstuck.reading import Unusable, check_numbers
from unstuck.record.series import Floats, Integers

MOST_COLUMNS = 1000
LONGEST_NAME = 300  # characters of a column's name
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?"
_TENSOR = re.compile(rf"tensor\(\s*({_NUMBER}|[+-]?(?:nan|inf))\b")
_NAME_COLUMNS = frozenset({"tag", "metric", "metricname", "name", "key", "variable", "series",
                           "attributepath", "measure"})
_VALUE_COLUMNS = ("value", "floatvalue", "metricvalue", "val", "y", "scalar")
_MISSING = frozenset({"", "na", "n/a", "none", "null", "-", "--", "<na>"})


class UnusableLog(Unusable):
    """The file cannot be read as curves; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Column:
    """A named quantity: `values`, of shape (n,), and the row of each, in rising order.

    Values may be non-finite; what is missing in a row is left out.
    """

    name: str
    rows: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of one file. `run` names its run among several of a folder.

    `labels` are the words of columns that say which run a row belongs to: their numbers count them.
    """

    format: str
    columns: Mapping[str, Column]
    rows: int
    run: str = ""
    remarks: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def missing(cell: str) -> bool:
    """Whether a cell says that there is no number; nan is a number."""
    return cell.strip().lower() in _MISSING


def number(cell: str) -> float | None:
    """The number in a cell, None if there is none: 0.5, 1e-3, nan, 93 %, 0,5, tensor(0.5)."""
    text = cell.strip().strip("\"'").rstrip("% ")
    try:
        return float(text)
    except ValueError:
        pass
    if found := _TENSOR.match(text):
        return float(found[1])
    if re.fullmatch(r"[+-]?\d+,\d+(?:[eE][+-]?\d{1,5})?", text):
        return float(text.replace(",", "."))
    if re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)[dD][+-]\d{2,3}", text):  # Fortran's
        return float(text.lower().replace("d", "e"))
    return None


def named_rows(names: Sequence[str]) -> tuple[int, int] | None:
    """Where a row that holds one number has its name and the number, None if rows are wider."""
    lower = [re.sub("[_ .]", "", name.casefold()) for name in names]
    named = next((i for i, name in enumerate(lower) if name in _NAME_COLUMNS), None)
    value = next((lower.index(name) for name in _VALUE_COLUMNS if name in lower), None)
    return (named, value) if named is not None and value is not None else None


@dataclass(slots=True)
class Builder:
    """Collects rows whose columns are not known beforehand; `name` is the file's."""

    name: str
    rows: int = 0
    numbers: int = 0
    _places: dict[str, array[int]] = field(default_factory=dict)
    _values: dict[str, array[float]] = field(default_factory=dict)

    def add(self, pairs: Iterable[tuple[str, float]]) -> None:
        """Adds a row. Of a column named twice the first number counts.

        Raises:
            Unusable: there are too many numbers.
        """
        for label, value in pairs:
            name = label[:LONGEST_NAME]
            places = self._places.get(name)
            if places is None:
                if len(self._places) >= MOST_COLUMNS:
                    continue
                places = self._places[name] = array("q")
                self._values[name] = array("d")
            if not places or places[-1] != self.rows:
                places.append(self.rows)
                self._values[name].append(value)
                self.numbers += 1
        self.rows += 1
        check_numbers(self.numbers, self.name)

    def columns(self) -> dict[str, Column]:
        """What was collected."""
        return {
            name: Column(name, np.array(places, dtype=np.int64),
                         np.array(self._values[name], dtype=np.float64))
            for name, places in self._places.items()
        }
