"""Under which names the program keeps what a call of its own returns."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType

from unstuck.observe.source.lexical import own_nodes
from unstuck.observe.source.nodes import nodes_of
from unstuck.observe.source.sites import Sites, syntax_tree

KEPT = 256  # statements of which it is remembered
_COMPREHENSIONS = ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")
MOST_FRAMES = 4  # of the program's own, from the call outwards


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement of a function that gets a result, and the names that it binds to it, or that are
    computed of these.
    """

    file: str
    function: str
    line: int
    names: frozenset[str]

    @property
    def statement(self) -> ast.stmt | None:
        """The statement, None if the file cannot be read."""
        return statement_at(self.file, self.line)

    def nodes(self) -> tuple[ast.AST, ...]:
        """What stands in its function, or in the file outside of functions."""
        tree, statement = syntax_tree(self.file), self.statement
        if tree is None or statement is None:
            return ()
        return own_nodes(function_around(statement, tree) or tree)

    def is_in(self, file: str, line: int, function: str) -> bool:
        """Whether the statement at a line of a function reads the result, or what is made of it."""
        if (file, function) != (self.file, self.function):
            return False
        statement = statement_at(file, line)
        return statement is not None and (
            statement.lineno <= self.line <= (statement.end_lineno or statement.lineno)
            or any(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
                   and node.id in self.names for node in ast.walk(statement)))


def kept(sites: Sites) -> list[Kept]:
    """Where what the call under way returns is kept: in its function, and where that returns it."""
    found: list[Kept] = []
    place: int | None = None  # of the result in the tuple that a function returns
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and len(found) < MOST_FRAMES:
        file, line = frame.f_code.co_filename, frame.f_lineno
        if frame.f_code.co_name in _COMPREHENSIONS:  # a frame of its own before Python 3.12
            frame = frame.f_back
            continue
        statement = statement_at(file, line) if sites.is_user(file) else None
        if statement is not None:
            names = frozenset(_bound(statement, place))
            found.append(Kept(file, frame.f_code.co_name, line, _computed(file, statement, names)))
            tree = syntax_tree(file)
            if not is_returned(statement, names, tree):
                break
            place = _place(statement, names, tree)
        frame = frame.f_back
    return found


def statement_at(file: str, line: int) -> ast.stmt | None:
    """The innermost statement at a line, None if the file cannot be read."""
    tree = syntax_tree(file)
    return _around(tree, line) if tree is not None else None


@lru_cache(maxsize=KEPT)
def _around(tree: ast.Module, line: int) -> ast.stmt | None:
    around = [node for node in nodes_of(tree) if isinstance(node, ast.stmt)
              and node.lineno <= line <= (node.end_lineno or node.lineno)]
    return max(around, key=lambda node: node.lineno, default=None)


def _bound(statement: ast.stmt, place: int | None = None) -> Iterator[str]:
    """The names that a statement binds, or whose lists it adds to; of a tuple only the one at a
    place, if that is known.
    """
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and isinstance(
            call.func.value, ast.Name) and call.func.attr in ("append", "extend"):
        yield call.func.value.id
    targets = statement.targets if isinstance(statement, ast.Assign) else (
        [statement.target] if isinstance(statement, ast.AnnAssign | ast.AugAssign) else [])
    for target in targets:
        if place is not None and isinstance(target, ast.Tuple) and place < len(target.elts):
            target = target.elts[place]
        while isinstance(target, ast.Subscript):  # what an index names is not bound
            target = target.value
        yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


@lru_cache(maxsize=KEPT)
def _computed(file: str, statement: ast.stmt, names: frozenset[str]) -> frozenset[str]:
    """Names, and those that the function, or the file, gives to what it computes of them."""
    tree = syntax_tree(file)
    scope = function_around(statement, tree) or tree
    found = set(names)
    for node in own_nodes(scope) if scope is not None and names else ():
        if isinstance(node, ast.Assign | ast.AugAssign) and node.lineno > statement.lineno and any(
                isinstance(each, ast.Name) and each.id in found for each in ast.walk(node.value)):
            found.update(_bound(node))
    return frozenset(found)


@lru_cache(maxsize=KEPT)
def function_around(
    statement: ast.stmt, tree: ast.Module | None
) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The innermost function around a statement."""
    functions = [node for node in nodes_of(tree) if isinstance(
        node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= statement.lineno <= (node.end_lineno or 0)] if tree else []
    return max(functions, key=lambda node: node.lineno, default=None)


@lru_cache(maxsize=KEPT)
def is_returned(statement: ast.stmt, names: frozenset[str], tree: ast.Module | None) -> bool:
    """Whether a function returns what a statement of it has got, under its name or at once."""
    if isinstance(statement, ast.Return):
        return True
    return any(_is_sign_of(part, names) for _, part in _returned(statement, tree))


def _place(
    statement: ast.stmt, names: frozenset[str], tree: ast.Module | None
) -> int | None:
    """Where in a tuple that its function returns a result is, None if it is no tuple."""
    places = {place for place, part in _returned(statement, tree) if _is_sign_of(part, names)}
    return places.pop() if len(places) == 1 else None


def _returned(
    statement: ast.stmt, tree: ast.Module | None
) -> Iterator[tuple[int | None, ast.expr]]:
    """What the function around a statement returns; of tuples each part with its place."""
    function = function_around(statement, tree)
    for node in ast.walk(function) if function is not None else ():
        if isinstance(node, ast.Return) and node.value is not None:
            if isinstance(node.value, ast.Tuple | ast.List):
                yield from enumerate(node.value.elts)
            else:
                yield None, node.value


def _is_sign_of(part: ast.expr, names: frozenset[str]) -> bool:
    """Whether an expression is one of the names or an item of it, the negative of that, or what a
    function or a method makes of one: `torch.stack(columns, 1)`.
    """
    if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub):
        part = part.operand
    if isinstance(part, ast.Call):
        method = isinstance(part.func, ast.Attribute) and _is_sign_of(part.func.value, names)
        return method or bool(part.args and _is_sign_of(part.args[0], names))
    if isinstance(part, ast.Subscript):
        part = part.value
    return isinstance(part, ast.Name) and part.id in names
