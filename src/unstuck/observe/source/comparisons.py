"""Where a program compares predictions with labels, and which variables that comes to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

COMPARING = ("eq", "ne", "equal")  # functions and methods
COUNTING = re.compile(r"accura|\bacc\b|_acc\b|\bacc_|correct|score|hit_rate|n_right|match",
                      re.IGNORECASE)
DEPTH = 5  # of names and calls that are followed
Function = ast.FunctionDef | ast.AsyncFunctionDef


def counts(trees: Iterable[ast.Module]) -> bool:
    """Whether a program may count right predictions: by its names or by what it compares.

    A comparison that only decides what is done next counts nothing.
    """
    for tree in trees:
        deciding = {id(node.test) for node in ast.walk(tree)
                    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert)}
        for node in ast.walk(tree):
            if isinstance(node, ast.BoolOp):
                deciding |= {id(value) for value in node.values}
            named = _name(node)
            if named and COUNTING.search(named):
                return True
            if id(node) not in deciding and isinstance(node, ast.expr) and _is_comparison(node):
                return True
    return False


def _name(node: ast.AST) -> str:
    for kind, field in ((ast.Name, "id"), (ast.Attribute, "attr"), (ast.arg, "arg"),
                        (ast.FunctionDef, "name"), (ast.alias, "name")):
        if isinstance(node, kind):
            return str(getattr(node, field))
    return ""


def _is_comparison(node: ast.expr) -> bool:
    """Whether two values are compared, neither of which is written out."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        return any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops) and not any(
            isinstance(side, ast.Constant) for side in sides)
    if not isinstance(node, ast.Call):
        return False
    return isinstance(node.func, ast.Attribute) and node.func.attr in COMPARING


def computed_by(tree: ast.Module, function: str, line: int, name: str) -> ast.expr | None:
    """The expression that a variable comes from: the comparison behind it, if that is the only one.

    Args:
        tree: of the file.
        function: in which the variable is, and a line of it that runs.
        line: of the file.
        name: of the variable, or what it holds: `scores['valid']`.
    """
    scope = next((node for node in ast.walk(tree) if isinstance(node, Function)
                  and node.name == function
                  and node.lineno <= line <= (node.end_lineno or 0)), None)
    values = list(_values(scope or tree, name))
    if len(values) != 1:
        return None
    found = {id(node): node for node in _comparing(tree, scope, values[0], set(), DEPTH)}
    return next(iter(found.values())) if len(found) == 1 else values[0]


def _comparing(
    tree: ast.Module, scope: Function | None, value: ast.expr, seen: set[tuple[int, str]],
    depth: int,
) -> Iterator[ast.expr]:
    """The expressions with a comparison that a value is computed by."""
    if any(_is_comparison(node) for node in ast.walk(value) if isinstance(node, ast.expr)):
        yield value
        return
    for node in ast.walk(value) if depth else ():
        if isinstance(node, ast.Name) and (id(scope), node.id) not in seen:
            seen.add((id(scope), node.id))
            for assigned in _values(scope or tree, node.id):
                yield from _comparing(tree, scope, assigned, seen, depth - 1)
        elif isinstance(node, ast.Call):
            for called in _functions(tree, node.func):
                if (id(called), "") not in seen:
                    seen.add((id(called), ""))
                    for back in ast.walk(called):
                        if isinstance(back, ast.Return) and back.value is not None:
                            yield from _comparing(tree, called, back.value, seen, depth - 1)


def _functions(tree: ast.Module, called: ast.expr) -> list[Function]:
    """The file's functions of the name of what is called."""
    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
    return [node for node in ast.walk(tree) if isinstance(node, Function) and node.name == name]


def _values(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """What is assigned, added or appended to a variable, left out what only begins it."""
    for node in ast.walk(scope):
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == name:
            yield node.value
        elif isinstance(node, ast.Assign) and not isinstance(
            node.value, ast.Constant | ast.List | ast.Dict
        ):
            yield from (value for target in node.targets
                        for value in _assigned(target, node.value, name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
            node.func.attr == "append" and len(node.args) == 1
            and ast.unparse(node.func.value) == name
        ):
            yield node.args[0]


def _assigned(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    """The part of a value that an assignment gives to a variable."""
    if not isinstance(target, ast.Tuple):
        if ast.unparse(target) == name:
            yield value
    elif isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
        for part, given in zip(target.elts, value.elts, strict=True):
            if not isinstance(given, ast.Constant):
                yield from _assigned(part, given, name)
    elif any(ast.unparse(part) == name for part in target.elts):
        yield value
