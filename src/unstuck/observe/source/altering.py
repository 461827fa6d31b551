"""Where the program's code changes, in place, what a data set holds; found in its source."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from unstuck.observe.source.sites import Sites, expression_at, syntax_tree
from unstuck.schema.places import SourceLocation

_FETCHING = ("__getitem__", "__getitems__")
_FOLLOWED = 8  # functions that are looked through
_KEEPING = frozenset({"requires_grad_", "detach_", "share_memory_", "pin_memory_"})


def altering(
    kind: type, members: Mapping[str, Any], attribute: str, sites: Sites
) -> tuple[SourceLocation | None, SourceLocation | None]:
    """The first operation in place of the code that fetches a sample, and what it takes it from.

    Args:
        kind: the class of the data set.
        members: its attributes; transforms may be among them.
        attribute: that holds the samples.
        sites: of the program.
    """
    functions = [f for f in (method_of(kind, name) for name in _FETCHING) if f is not None]
    read = place = None
    seen: set[str] = set()
    while functions and len(seen) < _FOLLOWED:
        function = functions.pop(0)
        if function.__qualname__ in seen:
            continue
        seen.add(function.__qualname__)
        file = function.__code__.co_filename
        node = definition(function) if sites.is_user(file) else None
        if node is None:
            continue
        read = read or next((expression_at(file, n, sites.keeps_text) for n in ordered(node)
                             if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Load)
                             and _is_attribute(n.value, attribute)), None)
        changes = [n for n in ordered(node) if isinstance(n, ast.expr | ast.stmt) and _alters(n)]
        if changes and place is None:
            place = expression_at(file, changes[0], sites.keeps_text)
        functions += _called(node, kind, members, function)
    return place, read


def method_of(kind: type, name: str) -> FunctionType | None:
    """The function that a class has as a method, past its decorators."""
    found = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    found = inspect.unwrap(found) if callable(found) else getattr(found, "__func__", None)
    return found if isinstance(found, FunctionType) else None


def definition(function: FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The definition of a function in its file."""
    tree = syntax_tree(function.__code__.co_filename)
    return next((node for node in ast.walk(tree) if isinstance(
        node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function.__name__
        and function.__code__.co_firstlineno in (
            node.lineno, *(each.lineno for each in node.decorator_list))), None) if tree else None


def ordered(node: ast.AST) -> list[ast.AST]:
    """The nodes within one, in the order of the text."""
    found = [n for n in ast.walk(node) if isinstance(n, ast.expr | ast.stmt) and n is not node]
    return sorted(found, key=lambda n: (n.lineno, n.col_offset))  # type: ignore[attr-defined]


def _is_attribute(node: ast.expr, attribute: str) -> bool:
    """Whether an expression is `self.images`, or `self.tensors[0]`."""
    return ast.unparse(node).partition(".")[2] == attribute


def _alters(node: ast.expr | ast.stmt) -> bool:
    """Whether something is changed in place: x -= 1, x[...] = 0, x.sub_(1), f(x, out=x)."""
    if isinstance(node, ast.AugAssign):
        return not isinstance(node.value, ast.Constant) or not isinstance(node.value.value, str)
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Subscript) for target in node.targets)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        in_place = name.endswith("_") and not name.endswith("__") and name not in _KEEPING
        return in_place or any(
            k.arg == "out" or (k.arg == "inplace" and isinstance(k.value, ast.Constant)
                               and k.value.value is True) for k in node.keywords)
    return False


def _called(
    node: ast.AST, kind: type, members: Mapping[str, Any], function: FunctionType
) -> list[FunctionType]:
    """Functions that a function calls by name: methods, globals, and attributes that are called."""
    found: list[Any] = []
    for call in ordered(node):
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Name):
            found.append(function.__globals__.get(call.func.id))
        elif isinstance(call.func, ast.Attribute):
            found.append(method_of(kind, call.func.attr))
            member = members.get(call.func.attr)
            held = vars(member).values() if hasattr(member, "__dict__") else ()
            parts = [part for each in held if type(each) in (list, tuple) for part in each]
            for each in (member, *parts):
                found.append(each if isinstance(each, FunctionType) else (
                    method_of(type(each), "__call__")))
            if isinstance(call.func.value, ast.Name):
                home = function.__globals__.get(call.func.value.id)
                found.append(vars(home).get(call.func.attr) if type(home) is type(sys) else None)
    return [f for f in found if isinstance(f, FunctionType)]
