"""Which variable or attribute of the program takes a tensor with its graph into the next step."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch import nn

from unstuck.observe import graph
from unstuck.observe.source.named import FOREIGN
from unstuck.observe.source.sites import Sites, expression_at, syntax_tree
from unstuck.observe.source.variables import MOST_NAMES, MOST_PARTS, own_attributes, scopes
from unstuck.observe.tensors import is_plain
from unstuck.schema.places import SourceLocation

_DEPTH = 3  # of objects within objects
_MOST = 2_000  # values that are looked at
_WITHOUT_GRAPH = frozenset({"data", "detach", "item", "numpy", "tolist"})


@dataclass(frozen=True, slots=True)
class Carrier:
    """A name that holds a tensor with a graph, as the frame of the backward pass writes it.

    `owner` is the class of the object whose attribute it is; of a variable, None.
    """

    name: str
    several: bool  # a tuple or list of tensors
    owner: type | None
    file: str
    function: str


def carriers(sites: Sites) -> dict[int, Carrier]:
    """What the innermost user's frame reaches of tensors with a graph, by their nodes' numbers."""
    found: dict[int, Carrier] = {}
    known = list(scopes(sites))
    around = [scope for scope in known[1:] if not scope[0] and scope[1] == known[0][1]]
    for function, file, variables in (*known[:1], *around):  # the frame's, and its file's
        inner = bool(known[0][0] and not function)  # no function can bind its file's names
        held = [pair for name, value in list(variables.items())[:MOST_NAMES]
                if isinstance(name, str) and not name.startswith("__")
                and not (inner and (is_plain(value) or type(value) in (tuple, list)))
                for pair in _held(name, value, None, _DEPTH)]
        for name, value, owner in islice(held, _MOST):
            several = type(value) in (tuple, list)
            for tensor in value[:MOST_PARTS] if several else (value,):
                if is_plain(tensor) and tensor.grad_fn is not None:
                    found.setdefault(graph.sequence(tensor.grad_fn), Carrier(
                        name, several, owner, file, function.rpartition(".")[2]))
    return found


def carried_at(carrier: Carrier, sites: Sites, once: bool) -> SourceLocation | None:
    """The expression that a step leaves under that name, if the text has only one.

    With `once` the one that made it in front of the steps.
    """
    scope, file = _scope(carrier)
    if scope is None:
        return None
    attribute = carrier.name.rpartition(".")[2]
    values = {}
    for function in ast.walk(scope):
        if not isinstance(function, ast.FunctionDef | ast.Module) or (
            carrier.owner is not None and getattr(function, "name", "") == "__init__"
        ):
            continue
        loops = [function] if once or carrier.owner is not None else [
            node for node in ast.walk(function) if isinstance(node, ast.For | ast.While)]
        for node in (each for loop in loops for each in ast.walk(loop)):
            if isinstance(node, ast.Assign) and any(
                _is_named(part, attribute, carrier.owner is not None)
                for target in node.targets for part in ast.walk(target)
            ) and not any(isinstance(part, ast.Attribute) and part.attr in _WITHOUT_GRAPH
                          for part in ast.walk(node.value)):
                values[node.value.lineno, node.value.col_offset] = node.value
    if len(values) != 1:
        return None
    (value,) = values.values()
    return expression_at(file, value, sites.keeps_text)


def _scope(carrier: Carrier) -> tuple[ast.AST | None, str]:
    """Where the name is assigned: in the class of its object, or in the function."""
    if carrier.owner is not None:
        try:
            file = inspect.getsourcefile(carrier.owner) or ""
        except TypeError:  # made by no file
            file = ""
        name = carrier.owner.__name__
        kind: tuple[type[ast.AST], ...] = (ast.ClassDef,)
    else:
        file, name = carrier.file, carrier.function
        kind = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = syntax_tree(file) if file else None
    if tree is None or not name:
        return tree, file
    return next((node for node in ast.walk(tree)
                 if isinstance(node, kind) and getattr(node, "name", "") == name), None), file


def _held(
    name: str, value: Any, owner: type | None, depth: int
) -> Iterator[tuple[str, Any, type | None]]:
    """A tensor, tuples and lists of them, and what an object holds of these, by their paths."""
    if is_plain(value) or type(value) in (tuple, list):
        yield name, value, owner
    elif depth and not isinstance(value, type) and (
        type(value).__module__.partition(".")[0] not in FOREIGN
    ):
        hidden = isinstance(value, nn.Module)
        for key, part in list(own_attributes(value).items())[:MOST_PARTS]:
            if isinstance(key, str) and not (hidden and key.startswith("_")):
                yield from _held(f"{name}.{key}", part, type(value), depth - 1)
        if hidden:
            for key, part in nn.Module.named_children(value):
                yield from _held(f"{name}.{key}", part, type(value), depth - 1)


def _is_named(node: ast.AST, name: str, attribute: bool) -> bool:
    if attribute:
        return isinstance(node, ast.Attribute) and node.attr == name
    return isinstance(node, ast.Name) and node.id == name
