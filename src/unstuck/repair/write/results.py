"""What a layer returns, given to what comes next."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import settled
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Function, Source
from unstuck.schema.edits import UseResult

_TAKE_STATES = frozenset({"RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"})


def write_use_result(edit: UseResult, record: Record, index: Index) -> list[Patch]:
    """The name that the layer is given is bound anew, or the next to read it reads the result."""
    found = index.at(edit.at, "the call of the layer")
    source, statement = found.source, found.statement
    given = _given(found.call)
    if isinstance(statement, ast.Expr) and given is not None:
        return [Patch(edit, change.replace(
            source, statement.value, f"{given.id} = {source.code(statement.value)}"),
            Form.STATEMENT)]
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "What the layer returns has no name of its own.")
    target = statement.targets[0]
    if isinstance(target, ast.Name) and given is not None and target.id != given.id:
        loop = _loop(source, statement, target.id)
        if loop is not None:
            return [Patch(edit, (
                *change.before(source, loop, f"{target.id} = {given.id}"),
                *change.replace(source, given, target.id)), Form.STATEMENT)]
        reader = _next(source, statement, given)
        if reader is not None:
            return [Patch(edit, change.replace(source, reader, target.id), Form.CALL)]
    if isinstance(target, ast.Tuple):
        taker = _taker(found, index)
        if taker is not None:
            return [Patch(edit, change.add_item(
                source, change.opening(source, taker), source.code(target.elts[-1])), Form.CALL)]
    raise Refused(Reason.UNKNOWN_FORM, "What should be given the result is not sure.")


def _given(call: ast.Call) -> ast.Name | None:
    """The variable that the innermost first argument of a call is."""
    node: ast.expr = call
    while isinstance(node, ast.Call) and node.args:
        node = node.args[0]
    return node if isinstance(node, ast.Name) else None


def _loop(source: Source, statement: ast.stmt, name: str) -> ast.stmt | None:
    """The innermost loop around a statement, if a name is read behind it alone."""
    loop = next((each for each in source.ancestors(statement)
                 if isinstance(each, ast.For | ast.While | Function)), None)
    if loop is None or isinstance(loop, Function):
        return None
    uses = names.uses(source, names.scope_of(source, statement), name)
    within = set(ast.walk(loop))
    return loop if uses and not any(each in within for each in uses) else None


def _next(source: Source, statement: ast.stmt, given: ast.Name) -> ast.Name | None:
    """The first place behind a statement that reads what the layer was given."""
    end = source.span(statement)[1]
    later = [each for each in names.uses(source, names.scope_of(source, statement), given.id)
             if source.span(each)[0] >= end]
    return min(later, key=lambda each: source.span(each), default=None)


def _taker(found: Found, index: Index) -> ast.Call | None:
    """The only call further down in the function of what takes a state and is given none."""
    source, end = found.source, found.source.span(found.statement)[1]
    scope = names.scope_of(source, found.statement)
    takers = []
    for node in names.inside(scope) if not isinstance(scope, ast.Module) else ast.walk(scope):
        if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords or (
                source.span(node)[0] < end):
            continue
        made = settled(index, source, node.func)
        if made is not None and isinstance(made.node, ast.Call) and (
                _takes_state(index, names.called(made.node))):
            takers.append(node)
    return takers[0] if len(takers) == 1 else None


def _takes_state(index: Index, kind: str) -> bool:
    """Whether a layer can be given a second input and need not be."""
    known = index.forward_of(kind)
    if known is None:
        return kind in _TAKE_STATES
    taken = known[1].args
    return 0 < len(taken.defaults) == len(taken.args) - 2  # self and the input


WRITERS = {UseResult: write_use_result}
