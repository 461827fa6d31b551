"""Which variable of the program holds the rows that a model or a loss receives."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import torch

from unstuck.observe.source.sites import Sites, local_variables
from unstuck.observe.tensors import observable
from unstuck.schema.facts.calls import Variable

MOST_FRAMES = 8  # of the program's own, from the call outwards
MOST_NAMES = 500  # of a scope that are looked at,
MOST_PARTS = 32  # and parts of an object, list or dict
LARGEST = 50_000_000  # elements of a variable that is searched
ROWS = 8  # of a batch that are looked for
COLUMNS = 16  # of which one narrows the search
MOST_MATCHES = 256  # rows with the same number there
MOST_COMPARED = 2**16  # numbers of such rows at a time

_Row = np.ndarray[Any, np.dtype[Any]]


@dataclass(slots=True)
class Found:
    """What holds the rows of the tensors that a place receives.

    `whole` has these rows only: the variable of a batch, or data that come as one batch. `part` has
    more, at `places` the first ones of the tensor. Which of the two is meant shows when the place
    receives another tensor.
    """

    whole: Variable | None
    part: Variable | None
    places: tuple[int, ...]
    first: weakref.ref[torch.Tensor]
    changes: bool = False  # another tensor came
    held: weakref.ref[Any] | None = None  # the variable with more rows, on the host,
    kind: torch.dtype = torch.float32  # and what its rows become

    @property
    def variable(self) -> Variable | None:
        """The variable that holds the data, as far as it is known by now."""
        return self.part or self.whole if self.changes else self.whole or self.part

    def rows(self) -> torch.Tensor | None:
        """All rows of the variable with more, as the place receives them; None if it is gone."""
        value = self.held() if self.held is not None else None
        if value is None or self.part is None or len(value) != self.part.rows:
            return None
        rows = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(value)
        return rows.to(self.kind)

    def met(self, given: torch.Tensor) -> None:
        """The place receives this tensor."""
        self.changes = self.changes or self.first() is not given


def variable_of(given: torch.Tensor, sites: Sites) -> Found | None:
    """The variables in the user's frames that hold the rows of a tensor; None if there are none.

    Of several with more rows than the tensor it is one of the innermost function, and of these the
    one with the fewest: a part of the data that is trained on rather than all of them. Rows are
    compared by value.
    """
    wanted = _first_rows(given)
    if wanted is None or (wanted.shape[1] == 1 and len(np.unique(wanted)) < len(wanted)):
        return None  # labels, of which many rows are the same
    found = Found(None, None, tuple(range(len(wanted))), weakref.ref(given), kind=given.dtype)
    for variable, table, same, value in _candidates(given, sites):
        if (variable.whole and found.whole) or (
            not variable.whole and found.part and (
                variable.rows >= found.part.rows or variable.function != found.part.function)
        ):
            continue
        places = found.places if same else _places(table, wanted)
        if places is None:
            continue
        if variable.whole:
            found.whole = variable
        else:
            found.part, found.places = variable, places
            found.held = weakref.ref(value) if given.is_cpu else None
    return found if found.variable is not None else None


def beside(given: torch.Tensor, data: Found, sites: Sites) -> Found | None:
    """The variables that hold the rows of a tensor at the same places as others do: its targets."""
    wanted = _first_rows(given)
    if wanted is None or len(wanted) != len(data.places):
        return None
    found = Found(None, None, data.places, weakref.ref(given))
    for variable, table, same, _ in _candidates(given, sites):
        if variable.whole and found.whole is None and data.whole and (
            same or np.array_equal(_as(table[:len(wanted)], wanted), wanted)
        ):
            found.whole = variable
        elif not variable.whole and found.part is None and data.part and (
            variable.rows == data.part.rows
            and np.array_equal(_as(table[list(data.places)], wanted), wanted)
        ):
            found.part = variable
    return found if found.variable is not None else None


def _candidates(
    given: torch.Tensor, sites: Sites
) -> Iterator[tuple[Variable, _Row, bool, Any]]:
    """Variables with rows as wide as those of a tensor, whether one is the tensor, and its value.
    """
    seen: set[int] = set()
    width = given.numel() // len(given)
    for function, file, names in scopes(sites):
        for name, value in _named(names):
            if id(value) in seen:
                continue
            seen.add(id(value))
            table = _table(value, len(given), width)
            if table is not None:
                rows, same = len(table), value is given
                yield (Variable(name, file, function, rows, rows == len(given)), table, same, value)


# Names --------------------------------------------------------------------------------------------
def scopes(sites: Sites) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Function, file and variables of the user's frames, innermost first, then of their files."""
    frame: FrameType | None = sys._getframe(1)
    files: dict[str, dict[str, Any]] = {}
    count = 0
    while frame is not None and count < MOST_FRAMES:
        file = frame.f_code.co_filename
        if sites.is_user(file):
            count += 1
            files.setdefault(file, frame.f_globals)
            if frame.f_locals is not frame.f_globals:
                yield frame.f_code.co_qualname, file, local_variables(frame)
        frame = frame.f_back
    for file, names in files.items():
        yield "", file, names


def _named(names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Variables with arrays in them, and arrays that are parts of variables, with an expression."""
    parts = []
    for name, value in list(names.items())[:MOST_NAMES]:
        if name.startswith("__") or not isinstance(name, str):
            continue
        if isinstance(value, torch.Tensor | np.ndarray):
            yield name, value
        else:
            parts.append((name, value))
    for name, value in parts:
        yield from _parts(name, value)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    found: list[tuple[str, Any]]
    if kind is dict:
        found = [(f"{name}[{key!r}]", v) for key, v in list(value.items())[:MOST_PARTS]
                 if type(key) in (str, int)]
    elif kind in (list, tuple):
        found = [(f"{name}[{i}]", v) for i, v in enumerate(value[:MOST_PARTS])]
    else:
        found = [(f"{name}.{key}", v) for key, v in attributes(value)]
        for path, inner in list(found):
            if type(inner) is tuple:  # the tensors of a TensorDataset
                found += [(f"{path}[{i}]", v) for i, v in enumerate(inner[:MOST_PARTS])]
    for path, part in found:
        if isinstance(part, torch.Tensor | np.ndarray):
            yield path, part


def attributes(value: Any) -> list[tuple[str, Any]]:
    """An object's own attributes, past whatever its class makes of attribute access."""
    if isinstance(value, type | torch.nn.Module) or type(value) is type(sys):
        return []
    return [(k, v) for k, v in list(own_attributes(value).items())[:MOST_PARTS]
            if isinstance(k, str)]


def own_attributes(value: Any) -> dict[str, Any]:
    """The table of an object's attributes, asked past its own methods; empty if it has none."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return {}
    return found if type(found) is dict else {}


# Rows ---------------------------------------------------------------------------------------------
def _table(value: Any, least: int, width: int) -> _Row | None:
    """An array as rows of a width, at least so many; None if it is none. Nothing is copied."""
    if isinstance(value, torch.Tensor):
        if not observable(value) or not value.is_cpu or value.dtype is torch.bfloat16:
            return None
        size, value = value.numel(), value.detach()
    elif type(value) is np.ndarray and value.dtype.kind in "biuf":
        size = value.size
    else:
        return None
    count = int(value.shape[0]) if value.ndim else 0
    if count < least or size != count * width or size > LARGEST:
        return None
    try:
        array: _Row = value.numpy() if isinstance(value, torch.Tensor) else value
    except (RuntimeError, TypeError):  # a tensor without storage
        return None
    return array.reshape(count, width)


def _first_rows(given: torch.Tensor) -> _Row | None:
    """The first rows of a batch, in an array."""
    if not observable(given) or not given.ndim or not len(given):
        return None
    rows = given.detach()[:ROWS].cpu()
    rows = rows.float() if rows.dtype is torch.bfloat16 else rows
    return np.asarray(rows.reshape(len(rows), -1).numpy())


def _places(table: _Row, wanted: _Row) -> tuple[int, ...] | None:
    """Where rows are in a table, as its type keeps them; None unless all are there."""
    # The column that tells the wanted rows apart best.
    columns = np.unique(np.linspace(0, wanted.shape[1] - 1, COLUMNS).astype(int)).tolist()
    column = max(columns, key=lambda c: len(np.unique(wanted[:, c])))
    values = _as(table[:, column], wanted)
    found = []
    at_once = max(1, MOST_COMPARED // wanted.shape[1])
    for row in wanted:
        near = np.flatnonzero(values == row[column])[:MOST_MATCHES]
        place = next((int(part[int(np.argmax(same))]) for part in np.split(
            near, range(at_once, len(near), at_once))
            if (same := (_as(table[part], wanted) == row).all(1)).any()), None)
        if place is None:
            return None
        found.append(place)
    return tuple(found)


def _as(values: _Row, wanted: _Row) -> _Row:
    """Numbers in the type of others; a program that makes errors of warnings sees none."""
    with np.errstate(all="ignore"):
        return values.astype(wanted.dtype)
