"""What the user's frames hold by name: numbers that speak of a score, and tensors."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import nn

from unstuck.observe.source.sites import Sites, local_variables
from unstuck.observe.source.variables import own_attributes
from unstuck.observe.tensors import is_plain, observable

NEAR = 3  # frames around a call in which labels and rows are looked for
MOST_NAMES = 500  # of a scope
MOST_KEYS = 50  # of a dictionary, a list or an object
MOST_FRAMES = 24
MOST_COPIED = 1_000_000  # elements of an array
MOST_VALUES = 2_000  # of a scope, with what they hold
DEPTH = 3  # of containers within each other
FOREIGN = frozenset({"torch", "numpy", "builtins", "functools", "collections", "pathlib", "random"})
SCORE = re.compile(r"acc|corr|right|hit|score|match", re.IGNORECASE)
SHARE = re.compile(r"acc|score", re.IGNORECASE)  # of all samples, and no number of them


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables of a frame, where it runs, and the variables of its module."""

    function: str
    file: str
    line: int
    variables: dict[str, Any]
    module: dict[str, Any]

    def numbers(self) -> Iterator[tuple[str, float]]:
        """Numbers under names that speak of right answers, and fractions under any name; of a list
        the last one.
        """
        for path, held in self._held(DEPTH, last=True):
            if SCORE.search(path):
                number = _number(held)
                if number is not None:
                    yield path, number
            elif type(held) is float and not held.is_integer():
                yield path, held

    def tensors(self, deep: bool, least: int) -> Iterator[tuple[str, torch.Tensor]]:
        """Tensors, and arrays of numpy as such, of so many elements.

        `deep` for those that containers and objects hold as well.
        """
        for path, held in self._held(DEPTH if deep else 0, last=False):
            found = tensor_of(held, least)
            if found is not None:
                yield path, found

    def paths(self) -> Iterator[tuple[str, Any]]:
        """All values, with those that objects and dictionaries hold."""
        return self._held(DEPTH - 1, last=True)

    def _held(self, depth: int, last: bool) -> Iterator[tuple[str, Any]]:
        names = islice(list(self.variables.items()), MOST_NAMES)
        return islice((pair for name, value in names if not name.startswith("__")
                       for pair in _held(name, value, depth, last)), MOST_VALUES)


def scopes(sites: Sites, depth: int) -> tuple[list[Scope], tuple[tuple[int, int], ...]]:
    """The user's frames from so many frames further out, the innermost first.

    With them the place where each of them runs, which is the same as long as a loop goes on.
    """
    found, places = [], []
    frame: FrameType | None = sys._getframe(depth)
    for _ in range(MOST_FRAMES):
        if frame is None:
            break
        code = frame.f_code
        if sites.is_user(code.co_filename):
            # The variables of a module outlive its frame.
            held = frame.f_globals if code.co_name == "<module>" else local_variables(frame)
            found.append(Scope(
                code.co_name, code.co_filename, frame.f_lineno, held, frame.f_globals))
            places.append((id(code), frame.f_lasti))
        frame = frame.f_back
    return found, tuple(places)


def _held(name: str, value: Any, depth: int, last: bool) -> Iterator[tuple[str, Any]]:
    """A value and what it holds, each under its path; of a sequence the `last` only, or each."""
    yield name, value
    if not depth or is_plain(value):
        return
    inside: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inside = [(f"{name}[{key!r}]", held) for key, held in list(dict.items(value))[:MOST_KEYS]
                  if isinstance(key, str)]
    elif type(value) in (list, tuple):
        inside = [(name, held) for held in value[-1:]] if last else [
            (f"{name}[{place}]", held) for place, held in enumerate(value[:MOST_KEYS])]
    elif type(value).__module__.partition(".")[0] not in FOREIGN:
        hidden = isinstance(value, nn.Module)  # its parameters, modules and hooks
        inside = [(f"{name}.{key}", held)
                  for key, held in list(own_attributes(value).items())[:MOST_KEYS]
                  if not (hidden and key.startswith("_"))]
    for path, held in inside:
        yield from _held(path, held, depth - 1, last)


def tensor_of(value: Any, least: int = 1) -> torch.Tensor | None:
    """A tensor that can be read and has so many elements, or an array of numpy as one.

    It shares the array's memory, so it must not be kept.
    """
    if is_plain(value):
        return value if value.numel() >= least and observable(value) else None
    if type(value) is not np.ndarray or value.size < max(least, 1) or (
        value.dtype.kind not in "iufb" or not value.dtype.isnative
        or min(value.strides, default=0) < 0
    ):
        return None
    if not value.flags.writeable:  # of which torch would warn
        if value.size > MOST_COPIED:
            return None
        value = value.copy()
    try:
        return torch.from_numpy(value)
    except TypeError:  # a kind of number that torch has not
        return None


def _number(value: Any) -> float | None:
    if is_plain(value):
        one = value.numel() == 1 and value.is_cpu and observable(value)
        return float(value.item()) if one else None
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return float(value)
    return None


def subsets(
    near: list[Scope], labels: torch.Tensor, own: torch.Tensor
) -> Iterator[tuple[str, np.ndarray[Any, np.dtype[Any]]]]:
    """Rows that variables name, by number or by a mask: a score may be of these only."""
    flat, seen = labels.reshape(-1), {id(own)}
    if int(flat.min()) < 0:
        yield "labelled", (flat >= 0).numpy()
    for scope in near[:NEAR]:
        for name, value in scope.tensors(True, 1):
            if id(value) in seen or value.device != own.device:
                continue
            seen.add(id(value))
            if value.dtype is torch.bool and value.shape == labels.shape and bool(value.any()):
                yield f"{scope.function}: {name}", value.detach().cpu().reshape(-1).numpy()
            elif value.dtype is torch.int64 and value.ndim == 1 and (
                labels.ndim == 1 and 0 < len(value) < len(flat)
                and int(value.min()) >= 0 and int(value.max()) < len(flat)
                and len(value.unique()) == len(value)
            ):
                yield f"{scope.function}: {name}", value.detach().cpu().numpy()
