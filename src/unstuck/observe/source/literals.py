"""Where a program's text writes a number into its data."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

from unstuck.observe.source.sites import Sites, expression_at, user_trees
from unstuck.schema.places import SourceLocation

_FILLS = frozenset({
    "fillna", "nan_to_num", "SimpleImputer", "where", "masked_fill", "masked_fill_", "fill",
    "fill_",
    "full", "full_like", "replace", "put", "putmask", "choose", "select",
})
_MISSING = frozenset({"fillna", "nan_to_num", "SimpleImputer"})  # that say what they are for
_NINES = re.compile("99+")
_COUNTS = re.compile(r"(?i)train|sample|subset|shot|size|limit|max|(^|_)n(_|$)|num|count|rows")
_OTHERS = re.compile(
    r"(?i)batch|hidden|dim|width|epoch|step|test|val|held|feature|layer|unit|embed")
FEWEST = 8  # smaller numbers stand for many things
LEAST = 1e-6  # relative difference of a number that was rounded on its way


def filled(value: float, sites: Sites) -> tuple[float, SourceLocation] | None:
    """The number and the place of the call or assignment that writes it; the first of several.

    What was scaled since is found by functions that are for missing numbers, and by numbers that
    are nothing but nines; else by an assignment of -1 to a part of something.
    """
    found: list[tuple[int, float, SourceLocation]] = []
    for file, tree in user_trees(sites):
        for node, function, number in _writes(tree):
            if number is not None and math.isclose(number, value, rel_tol=LEAST):
                rank = 0
            elif number is None:
                rank = 2
            elif number == -1 and not function:
                rank = 3
            elif number and (function in _MISSING or _NINES.fullmatch(str(int(abs(number))))):
                rank = 1
            else:
                continue
            place = expression_at(file, node, sites.keeps_text)
            found.append((rank, value if number is None else number, place))
    return min(found, key=lambda each: each[0])[1:] if found else None


def counted(samples: int, sites: Sites) -> SourceLocation | None:
    """The only place at which the text says how many training samples there are.

    Where data are cut off at that number, or under a name that speaks of samples.
    """
    found = [expression_at(file, node, sites.keeps_text) for file, tree in user_trees(sites)
             for node in _limits(tree) if node.value == samples] if samples >= FEWEST else []
    return found[0] if len(found) == 1 else None


def _limits(tree: ast.Module) -> Iterator[ast.Constant]:
    """The whole numbers that may count samples."""
    for node in ast.walk(tree):
        named: list[tuple[str, ast.expr | None]] = []
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                named = [(name, value)]
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                named = [(name, value)]
            case ast.keyword(arg=str(name), value=value):
                named = [(name, value)]
            case ast.Dict(keys=keys, values=values):
                named = [(str(key.value), value) for key, value in zip(keys, values, strict=True)
                         if isinstance(key, ast.Constant)]
            case ast.Subscript(slice=ast.Slice(lower=None, upper=upper)):
                named = [("rows", upper)]
        for name, given in named:
            if isinstance(given, ast.Constant) and type(given.value) is int and (
                _COUNTS.search(name) and not _OTHERS.search(name)
            ):
                yield given


def _writes(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str, float | None]]:
    """Calls that fill, and assignments of a number to a part of something.

    None stands for a number that is not written there, in a call that is for missing ones.
    """
    names = {target.id: number for node in tree.body if isinstance(node, ast.Assign)
             for target in node.targets if isinstance(target, ast.Name)
             and (number := _number(node.value, {})) is not None}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else (
                node.func.id if isinstance(node.func, ast.Name) else "")
            parts = (*node.args, *(k.value for k in node.keywords)) if called in _FILLS else ()
            numbers = [n for each in parts if (n := _number(each, names)) is not None]
            for number in numbers:
                yield node, called, number
            if not numbers and called in _MISSING:
                yield node, called, None
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            number = _number(node.value, names)
            if number is not None:
                yield node, "", number
        elif isinstance(node, ast.IfExp):
            for given in (node.body, node.orelse):
                number = _number(given, names)
                if number is not None:
                    yield node, "", number


def _number(node: ast.expr, names: dict[str, float]) -> float | None:
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1.0, node.operand
    if isinstance(node, ast.Name):
        found = names.get(node.id)
        return None if found is None else sign * found
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(
        node.value, bool
    ):
        return sign * float(node.value)
    return None
