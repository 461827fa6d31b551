"""Expressions that end the graph of autograd: `detach()`, `item()`, a block without gradients."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType

from unstuck.observe.source.operations import last_name
from unstuck.observe.source.sites import syntax_tree

_METHODS = frozenset({"detach", "detach_", "numpy", "item", "tolist", "argmax"})
_FUNCTIONS = frozenset({"tensor", "as_tensor", "from_numpy", "argmax"})
_MODES = frozenset({"no_grad", "inference_mode"})


def cutting(
    code: CodeType, start: int | None, end: int | None, recorded: bool
) -> Iterator[tuple[str, ast.expr]]:
    """The expressions of a function that can cut, between two lines if given, both included.

    `recorded` says whether gradients were on: if not, what switches them off is one.
    """
    tree = syntax_tree(code.co_filename)
    if tree is None:
        return
    scope: ast.AST = tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == (
            code.co_name
        ) and min([node.lineno, *(d.lineno for d in node.decorator_list)]) == (
            code.co_firstlineno
        ):
            scope = node
            if not recorded:
                yield from ((code.co_filename, each) for each in node.decorator_list
                            if _called(each) in _MODES)
    for node in ast.walk(scope):
        if isinstance(node, ast.expr):
            if (start or 0) <= node.lineno <= (end or node.lineno) and is_cutting(node):
                yield code.co_filename, node
        elif isinstance(node, ast.With) and start is not None and not recorded and (
            node.lineno <= start <= (node.end_lineno or start)
        ):
            for item in node.items:
                if _called(item.context_expr) in _MODES:
                    yield code.co_filename, item.context_expr


def is_cutting(node: ast.expr) -> bool:
    """Whether an expression can cut the graph."""
    if isinstance(node, ast.Attribute):
        return node.attr == "data"
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and (
            node.func.attr in _METHODS or _draws(node, node.func)):
        return True
    return _called(node) in _FUNCTIONS


def _draws(call: ast.Call, function: ast.Attribute) -> bool:
    """Whether it draws from a distribution, which `rsample` does with a graph and `sample` not."""
    return function.attr == "sample" and not call.args and last_name(function.value) != "random"


def _called(node: ast.expr) -> str:
    return last_name(node.func if isinstance(node, ast.Call) else node)
