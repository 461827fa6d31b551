"""The program's variables that hold one number for each sample."""

from __future__ import annotations

import ast
import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

import numpy as np
import torch

from unstuck.observe.source.nodes import functions_called, nodes_of
from unstuck.observe.source.sites import (
    Sites,
    call_at,
    expression_at,
    local_variables,
    syntax_tree,
)
from unstuck.observe.tensors import observable
from unstuck.schema.places import SourceLocation

MOST_FRAMES = 3  # of the program's own, from the call outwards
MOST_NAMES = 300  # of a scope that are looked at
MOST_FIELDS = 16  # of a dictionary
KEPT = 64  # answers about variables
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

    The global ones that they use are among them. Also, behind those, what the batch took from
    longer ones, as in `rewards[picked]`.
    """
    found: list[Vector] = []
    longer: dict[str, tuple[Any, Any]] = {}
    frame: FrameType | None = sys._getframe(1)
    frames = 0
    while frame is not None and frames < MOST_FRAMES and len(found) < MOST:
        if sites.is_user(frame.f_code.co_filename):
            frames += 1
            held = {name: frame.f_globals[name] for name in frame.f_code.co_names
                    if name in frame.f_globals}
            for name, value in _named({**held, **local_variables(frame)}):
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
    """Variables, and the fields of those that are named tuples or dictionaries, or a few tensors.
    """
    for name, value in list(variables.items())[:MOST_NAMES]:
        yield name, value
        if isinstance(value, tuple) and type(value) is not tuple:
            fields = getattr(type(value), "_fields", ())
            yield from ((f"{name}.{field}", held) for field, held in zip(
                fields, tuple.__iter__(value), strict=False))
        elif type(value) in (tuple, list) and len(value) <= MOST_FIELDS:
            yield from ((f"{name}[{place}]", held) for place, held in enumerate(value)
                        if isinstance(held, torch.Tensor | np.ndarray))
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
    file, scope = vector.code.co_filename, _scope(vector.code)
    found = [node for node in ast.walk(scope) if isinstance(node, ast.Assign)
             and any(isinstance(t, ast.Name) and t.id == vector.name for t in node.targets)
             ] if scope is not None else []
    return expression_at(file, found[-1].value, keep_text) if found else None


def returned_at(place: SourceLocation, keep_text: bool) -> SourceLocation | None:
    """What a function of the program returns that a call is given as its second argument.

    None if that is no call of such a function, or one that has several ends.
    """
    tree = syntax_tree(place.file)
    call = call_at(place, nodes_of(tree)) if tree is not None else None
    given = call.args[1] if call is not None and len(call.args) > 1 else None
    function = _function(tree, given) if tree is not None and isinstance(given, ast.Call) else None
    ends = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)
            and node.value is not None] if function is not None else []
    return expression_at(place.file, ends[0], keep_text) if len(ends) == 1 else None


def is_read(vector: Vector) -> bool:
    """Whether its function uses a variable; True where the text does not tell.

    What is only handed on to a function of the program that does not use it is not used either. A
    mark of a limit of time is none of an end, and rightly not read.
    """
    return bool(words_of(vector.name) & _LIMITS) or _uses(vector.code, vector.name)


@lru_cache(maxsize=KEPT)  # it is asked at each look
def _uses(code: CodeType, name: str) -> bool:
    tree, scope = syntax_tree(code.co_filename), _scope(code)
    if tree is None or scope is None:
        return True
    reads = _reads(name)
    left = {id(given) for call in ast.walk(scope) if isinstance(call, ast.Call)
            for given, function, inside in _handed_on(tree, call)
            if not any(map(_reads(inside), ast.walk(function)))}
    left |= {id(node.value) for node in ast.walk(scope)  # what is only filled
             if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)}
    return any(reads(node) and id(node) not in left for node in ast.walk(scope))


def _handed_on(
    tree: ast.Module, call: ast.Call
) -> Iterator[tuple[ast.expr, ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """What a call of a function of the same file is given, and the name that it has there."""
    function = _function(tree, call)
    if function is None or any(isinstance(each, ast.Starred) for each in call.args):
        return
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    if isinstance(call.func, ast.Attribute) and names[:1] == ["self"]:
        names = names[1:]
    yield from ((given, function, name) for given, name in zip(call.args, names, strict=False))
    yield from ((each.value, function, each.arg) for each in call.keywords if each.arg in names)


def _function(
    tree: ast.Module, call: ast.Call
) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The only function of the file with the name of the one that is called."""
    found = functions_called(tree, call.func)
    return found[0] if len(found) == 1 else None


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


def _scope(code: Any) -> ast.AST | None:
    """The function that a code object is of, else its file; None if that cannot be read."""
    tree = syntax_tree(code.co_filename)
    return None if tree is None else next(_scopes(tree, code), tree)


def _scopes(tree: ast.Module, code: Any) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        if (node.name, first) == (code.co_name, code.co_firstlineno):
            yield node
