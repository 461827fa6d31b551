"""The program's variables that hold one number for each sample."""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import torch

from unstuck.observe.source.sites import Sites, expression_at, local_variables, syntax_tree
from unstuck.observe.tensors import observable
from unstuck.schema.places import SourceLocation

MOST_FRAMES = 3  # of the program's own, from the call outwards
MOST_NAMES = 300  # of a scope that are looked at
MOST_FIELDS = 16  # of a dictionary
MOST = 32  # variables that are looked at in one go
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_NAME = re.compile(r"""(?P<owner>\w+)(?:\.(?P<field>\w+)|\["(?P<key>[^"]*)"\])?""")
_ENDS = frozenset({"done", "dones", "terminal", "terminals", "terminated", "ended", "end", "ends",
                   "final", "over", "d", "dead", "finished"})
_LIMITS = frozenset({"truncated", "truncation", "truncations", "trunc", "timeout", "timeouts",
                     "limit", "time"})
_NOT = frozenset({"not", "non", "no"})
_GOES_ON = frozenset({"mask", "masks", "alive", "continues", "continuing", "nonterminal",
                      "nonterminals", "notdone"})


@dataclass(frozen=True, slots=True)
class Vector:
    """A variable with one number for each sample; `type` is that of a tensor, "list" that of
    a list, tuple or array, else "".
    """

    name: str
    values: torch.Tensor
    shape: tuple[int, ...]
    type: str
    code: Any  # of the function whose variable it is


def vectors(sites: Sites, size: int) -> list[Vector]:
    """The variables of the program's innermost frames with `size` numbers, one for each sample.

    Also, behind those, what the batch took from longer ones, as in `rewards[picked]`.
    """
    found: list[Vector] = []
    longer: dict[str, tuple[Any, Any]] = {}
    frame: FrameType | None = sys._getframe(1)
    frames = 0
    while frame is not None and frames < MOST_FRAMES and len(found) < MOST:
        if sites.is_user(frame.f_code.co_filename):
            frames += 1
            for name, value in _named(local_variables(frame)):
                values = as_vector(value, size)
                if values is None and _is_longer(value, size):
                    longer.setdefault(name, (value, frame.f_code))
                elif values is not None and len(found) < MOST:
                    found.append(Vector(
                        name, values, tuple(getattr(value, "shape", (size,))),
                        _type(value), frame.f_code))
        frame = frame.f_back
    picked = max(filter(_picks, found), key=lambda v: len(v.values.unique()), default=None)
    if picked is not None:
        found += [_taken(name, value, picked, code) for name, (value, code) in longer.items()
                  if picked.values.max() < len(value)][:MOST - len(found)]
    return found


def _named(variables: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Variables, and the fields of those that are named tuples or dictionaries."""
    for name, value in list(variables.items())[:MOST_NAMES]:
        yield name, value
        if isinstance(value, tuple) and type(value) is not tuple:
            fields = getattr(type(value), "_fields", ())
            yield from ((f"{name}.{field}", held) for field, held in zip(
                fields, tuple.__iter__(value), strict=False))
        elif type(value) is dict:
            yield from ((f'{name}["{key}"]', held)
                        for key, held in list(value.items())[:MOST_FIELDS] if isinstance(key, str))


def _is_longer(value: Any, size: int) -> bool:
    """Whether a value is a column of numbers for more than `size` samples."""
    if not (isinstance(value, np.ndarray) and value.dtype.kind in "biuf") and not (
            isinstance(value, torch.Tensor) and observable(value)):
        return False
    return value.ndim > 0 and len(value) > size and math.prod(value.shape[1:]) == 1


def _picks(vector: Vector) -> bool:
    """Whether a variable may be the places of a batch in a store: most of them differ."""
    values = vector.values
    return bool((values >= 0).all()) and bool((values == values.round()).all()) and (
        2 * len(values.unique()) > len(values))


def _taken(name: str, value: Any, picked: Vector, code: Any) -> Vector:
    """What a batch took from a longer variable."""
    places = picked.values.long()
    taken = value.detach()[places.to(value.device)] if isinstance(
        value, torch.Tensor) else torch.from_numpy(value[places.numpy()])
    return Vector(
        f"{name}[{picked.name}]", taken.reshape(-1).to("cpu", torch.float64), tuple(taken.shape),
        _type(value), code)


def _type(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return str(value.dtype).removeprefix("torch.")
    return "list" if isinstance(value, tuple | list | np.ndarray) else ""


def as_vector(value: Any, size: int) -> torch.Tensor | None:
    """A value as `size` numbers, None if it is not so many."""
    if isinstance(value, torch.Tensor):
        if observable(value) and value.numel() == size and size in value.shape[:1]:
            return value.detach().reshape(-1).to("cpu", torch.float64)
    elif isinstance(value, np.ndarray):
        if value.size == size and value.dtype.kind in "biuf" and size in value.shape[:1]:
            return torch.from_numpy(value.reshape(-1).astype(np.float64))
    elif type(value) in (tuple, list) and len(value) == size and all(
            type(each) in (bool, int, float) for each in value):
        return torch.tensor([float(each) for each in value], dtype=torch.float64)
    return None


def words_of(name: str) -> set[str]:
    """The words of a variable's name, in lower case: "next" and "value" of `nextValue[rows]`; of a
    field its own name.
    """
    owner, field = _parts(name)
    return {word.lower() for word in _WORD.findall(field or owner)}


def _parts(name: str) -> tuple[str, str]:
    """The variable, and its field if it has one: of `batch.done` and of `batch["done"]`."""
    found = _NAME.match(name)
    return (found["owner"], found["field"] or found["key"] or "") if found else (name, "")


def marks_ends(name: str) -> bool | None:
    """Whether a variable marks ends by 1 (True) or by 0 (False), by its name; None for others."""
    words = words_of(name)
    if words & _GOES_ON or (words & _NOT and words & _ENDS):
        return False
    return True if words & _ENDS else None


def made_at(vector: Vector, keep_text: bool) -> SourceLocation | None:
    """The last expression that a variable is assigned in its function, None if there is none."""
    code = vector.code
    tree = syntax_tree(code.co_filename)
    scope = next(_scopes(tree, code), tree) if tree is not None else None
    found = [node for node in ast.walk(scope) if isinstance(node, ast.Assign)
             and any(isinstance(t, ast.Name) and t.id == vector.name for t in node.targets)
             ] if scope is not None else []
    return expression_at(code.co_filename, found[-1].value, keep_text) if found else None


def is_read(vector: Vector) -> bool:
    """Whether its function uses a variable; True where the text does not tell.

    A mark of a limit of time is none of an end, and rightly not read.
    """
    if words_of(vector.name) & _LIMITS:
        return True
    code = vector.code
    tree = syntax_tree(code.co_filename)
    scope = next(_scopes(tree, code), tree) if tree is not None else None
    return scope is None or any(map(_reads(vector.name), ast.walk(scope)))


def _reads(name: str) -> Callable[[ast.AST], bool]:
    """Whether a node reads a variable, or the field of one: `batch.done` or `batch["done"]`."""
    owner, field = _parts(name)

    def reads(node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return not field and node.id == owner and isinstance(node.ctx, ast.Load)
        if isinstance(node, ast.Attribute):
            return bool(field) and node.attr == field
        return bool(field) and isinstance(node, ast.Constant) and node.value == field

    return reads


def _scopes(tree: ast.Module, code: Any) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        if (node.name, first) == (code.co_name, code.co_firstlineno):
            yield node
