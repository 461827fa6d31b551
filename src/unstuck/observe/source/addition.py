"""The expressions that a sum in the source adds up."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from unstuck.observe import graph
from unstuck.observe.source.sites import syntax_tree

_Line = Callable[[Any], "tuple[str, int] | None"]
Found = tuple[str, ast.expr]  # a file, and an expression in it


def addition(node: Any, line_of: _Line) -> Found | None:
    """The expression that ran as this addition, with all that it adds up; None if not found."""
    line = line_of(node)
    tree = syntax_tree(line[0]) if line is not None else None
    if line is None or tree is None:
        return None
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.stmt) or hasattr(statement, "body") or not (
            statement.lineno <= line[1] <= (statement.end_lineno or statement.lineno)
        ):
            continue
        found = next((each for each in ast.walk(statement) if _adds(each)), None)
        if isinstance(found, ast.BinOp):
            return line[0], found
        if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add | ast.Sub):
            return line[0], statement.value
        found = next((each for each in ast.walk(statement) if _calls(each)), None)
        if isinstance(found, ast.Call):
            return line[0], found
    return None


def written(root: Any, line_of: _Line) -> dict[Any, Found]:
    """The expression of each term below a sum, by the node of what it adds.

    A factor belongs to the expression: `beta * kl`.
    """
    found: dict[Any, Found] = {}
    _match(root, None, line_of, found)
    return found


def _adds(node: ast.AST | None) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)


def _calls(node: ast.AST) -> bool:
    """Whether this is `sum(terms)`, `torch.stack(terms)` or `terms.sum()`."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(
        node.func, "id", "")
    return called in ("sum", "stack", "cat", "mean", "add")


def _match(node: Any, given: Found | None, line_of: _Line, found: dict[Any, Found]) -> None:
    """Walks down a sum and its expression together."""
    behind = [parent for parent, _ in node.next_functions]
    kept = [parent for parent in behind if parent is not None]
    name = node.name()
    if name in ("AddBackward0", "SubBackward0") and kept:
        here = given if given is not None and _adds(given[1]) else addition(node, line_of)
        if here is None:
            sides: list[Found | None] = [None, None]
        elif isinstance(here[1], ast.BinOp) and _adds(here[1]):
            sides = [(here[0], here[1].left), (here[0], here[1].right)]
        elif isinstance(here[1], ast.Call):
            sides = [None, None]
        else:
            sides = [None, here]  # loss += term
        for parent, side in zip(behind, sides, strict=False):
            if parent is not None:
                _match(parent, side, line_of, found)
        return
    if len(kept) == 1 and name in graph.LINEAR and graph.variable(kept[0]) is None:
        inside = _bracketed(given[1]) if given is not None else None
        if given is None or inside is not None or kept[0].name() in graph.SUMS:
            below = (given[0], inside) if given is not None and inside is not None else None
            _match(kept[0], below, line_of, found)
            return
        found[kept[0]] = given
    if given is not None:
        found[node] = given


def _bracketed(product: ast.expr) -> ast.expr | None:
    """The sum that a product multiplies: `0.5 * (a + b)`."""
    if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult | ast.Div):
        return next((side for side in (product.left, product.right) if _adds(side)), None)
    return None
