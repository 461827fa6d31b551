"""Recursions backwards over the steps of a trajectory, in the text of the program."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.sites import expression_at, syntax_tree
from unstuck.observe.source.vectors import marks_ends
from unstuck.schema.places import SourceLocation

_LOOP = ast.For | ast.While


@dataclass(frozen=True, slots=True)
class Recursion:
    """Where a sum of steps is made: `sums` is the expression that holds the sum of the next step,
    `values` the one that holds the value of the next state, if another does. `ends` is how the
    step's own mark of an end is written there.
    """

    sums: SourceLocation | None = None
    values: SourceLocation | None = None
    ends: str = ""


def recursion(file: str, path: str, keep_text: bool) -> Recursion | None:
    """The recursion that a variable comes from, None if the text does not show a single one.

    It is in a function that is called where the variable is assigned, or else the only one of the
    file.
    """
    tree = syntax_tree(file)
    if tree is None:
        return None
    inner = {id(each[1]): (loop, each) for loop in nodes_of(tree) if isinstance(loop, _LOOP)
             for each in _of_loop(loop)}  # the loops around others come first
    found = [pair for pair in inner.values() if _is_backwards(pair[0])] or [*inner.values()]
    if len(found) > 1:
        called = _called(tree, re.findall(r"\w+", path)[-1])
        found = [pair for pair in found if _function(tree, pair[0]) in called] or found
    if not found or len({id(loop) for loop, _ in found}) > 1:
        return None
    loop, (name, value) = found[0]
    fed = next((each.value for each in ast.walk(loop) if isinstance(each, ast.Assign)
                and each.value is not value and len(each.targets) == 1
                and isinstance(each.targets[0], ast.Name) and each.targets[0].id != name
                and _reads(value, each.targets[0].id) and _has_product(each.value)), None)
    return Recursion(
        expression_at(file, value, keep_text),
        expression_at(file, fed, keep_text) if fed is not None else None,
        _marked(tree, loop))


def _is_backwards(loop: ast.For | ast.While) -> bool:
    return isinstance(loop, ast.For) and any(
        (isinstance(node, ast.Name) and node.id == "reversed")
        or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub))
        for node in ast.walk(loop.iter))


def _of_loop(loop: ast.For | ast.While) -> list[tuple[str, ast.expr]]:
    """The assignments of a loop in which a name is a factor of what it is set to: `g = r + c * g`.
    """
    found = []
    for node in ast.walk(loop):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = target.value if isinstance(target, ast.Subscript) else target
                if isinstance(name, ast.Name) and _is_factor(node.value, name.id):
                    found.append((name.id, node.value))
                    break
    return found


def _is_factor(node: ast.expr, name: str) -> bool:
    """Whether a name stands in a product that is part of a sum."""
    return any(isinstance(each, ast.BinOp) and isinstance(each.op, ast.Add) and any(
        isinstance(side, ast.BinOp) and isinstance(side.op, ast.Mult) and _reads(side, name)
        for side in (each.left, each.right)) for each in ast.walk(node))


def _has_product(node: ast.expr) -> bool:
    return any(isinstance(each, ast.BinOp) and isinstance(each.op, ast.Mult)
               for each in ast.walk(node))


def _reads(node: ast.expr, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))


def _called(tree: ast.Module, name: str) -> set[str]:
    """The functions that are called in what a variable of this name is assigned."""
    found = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.Assign) and any(
                name in {getattr(part, "id", ""), getattr(part, "attr", "")}
                for target in node.targets for part in ast.walk(target)):
            for call in ast.walk(node.value):
                if isinstance(call, ast.Call):
                    found.add(getattr(call.func, "id", getattr(call.func, "attr", "")))
    return found


def _function(tree: ast.Module, node: ast.AST) -> str:
    """The name of the innermost function that a node stands in."""
    return next((each.name for each in reversed(nodes_of(tree))
                 if isinstance(each, ast.FunctionDef) and node in ast.walk(each)), "")


def _marked(tree: ast.Module, loop: ast.For | ast.While) -> str:
    """How this step's mark of an end is written in a loop: `done`, which it goes through, or
    `dones[t]`, with what it counts by.
    """
    if not isinstance(loop, ast.For):
        return ""
    through = [node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)]
    own = [name for name in through if marks_ends(name)]
    if own:
        return own[0] if len(own) == 1 else ""
    function = next((each for each in reversed(nodes_of(tree))
                     if isinstance(each, ast.FunctionDef) and loop in ast.walk(each)), None)
    if function is None or len(through) != 1:
        return ""
    passed = [each.arg for each in function.args.args if marks_ends(each.arg)]
    return f"{passed[0]}[{through[0]}]" if len(passed) == 1 else ""
