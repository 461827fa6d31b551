"""What a call returns and the text never reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from unstuck.observe.source.lexical import Function, own_nodes
from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.results import is_returned

_Place = tuple[int, int]
_TORCH = frozenset({"torch", "nn", "F", "functional"})


@dataclass(frozen=True, slots=True)
class Unread:
    """A result that nothing reads: the names that keep it and the line of their statement.

    With `turns` it is read behind a loop, so that those of all turns but the last are lost.
    """

    names: tuple[str, ...]
    line: int
    turns: bool = False


def unread(tree: ast.Module, call: ast.expr) -> Unread | None:
    """How the result of a call is left unread, None if something may read it."""
    scope = _scope(tree, call)
    statement = _statement(scope, call)
    if isinstance(statement, ast.Expr):
        return Unread((), statement.lineno) if _is_alone(statement.value, call) else None
    names = _names(statement)
    if statement is None or not names:
        return None
    kept = tuple(name for name in names if name.strip("_"))
    loop = next((each for each in _around(scope, statement)
                 if isinstance(each, ast.For | ast.While)), None)
    if loop is not None and any(_is_read(loop, name, None) for name in names):
        return None
    if not any(_is_read(scope, name, statement) for name in names):
        return Unread(kept, statement.lineno)
    return Unread(kept, statement.lineno, True) if loop is not None else None


def returned(tree: ast.Module, call: ast.expr) -> bool:
    """Whether the function that a call stands in returns its result."""
    statement = _statement(_scope(tree, call), call)
    return statement is not None and is_returned(statement, frozenset(_names(statement)), tree)


def _is_alone(value: ast.expr, call: ast.expr) -> bool:
    """Whether nothing but functions of torch stand around a call: no list that it is put into."""
    while value is not call:
        if not isinstance(value, ast.Call) or not value.args or (
                ast.unparse(value.func).partition(".")[0] not in _TORCH):
            return False
        value = value.args[0]
    return True


def _names(statement: ast.stmt | None) -> list[str]:
    """What an assignment binds; nothing if an attribute or an item is among it, which is read who
    knows where."""
    targets = statement.targets if isinstance(statement, ast.Assign) else (
        [statement.target] if isinstance(statement, ast.AnnAssign) else [])
    bound = [each for target in targets for each in ast.walk(target)
             if not isinstance(each, ast.expr_context | ast.Tuple | ast.List)]
    names = [each.id for each in bound if isinstance(each, ast.Name)]
    return names if len(names) == len(bound) else []


def _scope(tree: ast.Module, node: ast.AST) -> ast.AST:
    """The innermost function that holds a node, else the whole text."""
    functions = [each for each in nodes_of(tree) if isinstance(each, Function)
                 and node in own_nodes(each)]
    return functions[-1] if functions else tree


def _statement(scope: ast.AST, node: ast.AST) -> ast.stmt | None:
    holders = [each for each in own_nodes(scope) if isinstance(each, ast.stmt)
               and any(node is part for part in ast.walk(each))]
    return holders[-1] if holders else None


def _around(scope: ast.AST, statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements that one stands in, the innermost first."""
    yield from reversed([each for each in own_nodes(scope) if isinstance(each, ast.stmt)
                         and each is not statement and statement in own_nodes(each)])


def _is_read(body: ast.AST, name: str, after: ast.stmt | None) -> bool:
    """Whether anything in a body reads a name, if given after a statement that binds it and before
    another binds it anew for certain."""
    start = (after.end_lineno or 0, after.end_col_offset or 0) if after is not None else (0, 0)
    end = min((_end(each) for each in own_nodes(body) if after is not None
               and isinstance(each, ast.Assign) and _position(each) >= start
               and any(isinstance(target, ast.Name) and target.id == name
                       for target in each.targets) and _beside(body, each, after)),
              default=(1 << 30, 0))
    own = set(own_nodes(body))
    return any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load)
        and (each not in own or start <= _position(each) <= end)
        for each in ast.walk(body))


def _beside(body: ast.AST, statement: ast.stmt, other: ast.stmt) -> bool:
    """Whether a statement stands in the list of statements that another one, or what holds it, is
    in, so that it runs in every case."""
    for each in [body, *(node for node in own_nodes(body) if isinstance(node, ast.stmt))]:
        for block in (getattr(each, part, None) for part in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and statement in block:
                return any(other is one or other in own_nodes(one) for one in block)
    return False


def _position(node: ast.expr | ast.stmt) -> _Place:
    return node.lineno, node.col_offset


def _end(node: ast.stmt) -> _Place:
    return node.end_lineno or node.lineno, node.end_col_offset or 0
