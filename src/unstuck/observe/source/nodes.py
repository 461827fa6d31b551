"""The nodes of a file's syntax tree, gathered once: many ask for them."""

from __future__ import annotations

import ast
from functools import lru_cache

KEPT = 16  # files


@lru_cache(maxsize=KEPT)
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes, outer ones before those within them."""
    return tuple(ast.walk(tree))


@lru_cache(maxsize=KEPT)
def evaluated(tree: ast.AST) -> dict[int, list[ast.expr]]:
    """Calls and operators by the line that Python gives them, operands before what takes them."""
    found: dict[int, list[ast.expr]] = {}
    open_: list[tuple[ast.AST, bool]] = [(tree, False)]
    while open_:
        node, done = open_.pop()
        if done:
            if isinstance(node, ast.Call):
                found.setdefault(_line(node), []).append(node)
            elif isinstance(node, ast.BinOp | ast.UnaryOp):
                found.setdefault(node.lineno, []).append(node)
        else:
            open_.append((node, True))
            open_ += [(child, False) for child in reversed(list(ast.iter_child_nodes(node)))]
    return found


def _line(call: ast.Call) -> int:
    """The line that Python gives a call: that of a method's name, where it is one."""
    if isinstance(call.func, ast.Attribute):
        return call.func.end_lineno or call.lineno
    return call.lineno


def functions_called(
    tree: ast.Module, called: ast.expr
) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The file's functions of the name of what is called."""
    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
    return [node for node in nodes_of(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name]
