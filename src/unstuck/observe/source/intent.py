"""What the program's own names say a line is for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from unstuck.observe.source.sites import syntax_tree
from unstuck.schema.places import SourceLocation

_HELD_OUT = frozenset({
    "val", "valid", "validation", "eval", "test", "dev", "holdout", "heldout", "unseen",
})
_MARKS = frozenset({"mask", "masks", "length", "lengths"})  # of what is valid within a sample
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def validates(call: SourceLocation | None) -> bool:
    """Whether the arguments of a call, or the loop that they come from, are named held-out data.

    Names of functions do not count: one that validates may well be called with training data.
    """
    tree = syntax_tree(call.file) if call is not None else None
    if call is None or tree is None:
        return False
    given: set[str] = set()
    loops = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno == call.line and (
            node.end_lineno == call.end_line
        ):
            given |= _names([*node.args, *(k.value for k in node.keywords)])
        elif isinstance(node, ast.For) and node.lineno <= call.line <= (node.end_lineno or 0):
            loops.append(node)
    for loop in loops:
        if given & _names([loop.target]):
            given |= _names([loop.iter])
    every = [{word.lower() for word in _WORD.findall(name)} for name in given]
    words = set().union(*(name for name in every if not name & _MARKS))
    return bool(words & _HELD_OUT) and "train" not in words


def _names(expressions: Iterable[ast.expr]) -> set[str]:
    found = set()
    for expression in expressions:
        for node in ast.walk(expression):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
    return found
