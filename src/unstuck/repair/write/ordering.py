"""Inputs and targets that were put into an order, or split, each alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import free_name
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import OrderTogether

_SPLIT = "train_test_split"
_IN_PLACE = "shuffle"


def write_order_together(edit: OrderTogether, record: Record, index: Index) -> list[Patch]:
    """One split or order of both, or that of one for the other; else neither is ordered."""
    inputs, targets = ([index.at(place, "what draws the order") for place in places]
                       for places in (edit.inputs, edit.targets))
    if len(inputs) == len(targets) == 1 and (
            merged := _one_split(inputs[0], targets[0])) is not None:
        return [Patch(edit, merged, Form.DATA)]
    if len(inputs) + len(targets) == 1 and (
            joined := _joined(*inputs, *targets)) is not None:
        return [Patch(edit, joined, Form.DATA)]
    if len(inputs) == len(targets) == 1 and (
            shared := _one_shuffle(inputs[0], targets[0], index)) is not None:
        return [Patch(edit, shared, Form.DATA)]
    splices: list[Splice] = []
    for found in (*inputs, *targets):
        splices += _without(found)
    return [Patch(edit, tuple(splices), Form.DATA)]


def _one_split(one: Found, other: Found) -> tuple[Splice, ...] | None:
    """The first of two splits that are alike, of both; None if they are not."""
    source = one.source
    if other.source is not source:
        return None
    first, second = sorted((one, other), key=lambda each: source.span(each.node))
    halves = [_halves(each) for each in (first, second)]
    if None in halves or source.body(first.statement) is not source.body(second.statement):
        return None
    (near, call), (far, later) = (half for half in halves if half is not None)
    if [ast.dump(keyword) for keyword in call.keywords] != [
            ast.dump(keyword) for keyword in later.keywords]:
        return None
    end = source.span(call.args[0])[1]
    left = source.span(near)[1]
    return (Splice(source.name, left, left, f", {source.code(far)}"),
            Splice(source.name, end, end, f", {source.code(later.args[0])}"),
            *change.remove(source, second.statement))


def _halves(found: Found) -> tuple[ast.Tuple, ast.Call] | None:
    match found.statement:
        case ast.Assign(targets=[ast.Tuple() as both], value=ast.Call(args=[_]) as call) if (
                call is found.node and names.called(call) == _SPLIT
                and not change.is_bracketed(found.source, both)):
            return both, call
    return None


def _one_shuffle(one: Found, other: Found, index: Index) -> tuple[Splice, ...] | None:
    """One order in the place of two shuffles of NumPy's; None if they are something else."""
    source = one.source
    shuffles = [_shuffled(each) for each in (one, other)]
    if other.source is not source or None in shuffles or (
            source.body(one.statement) is not source.body(other.statement)):
        return None
    (generator, x), (_, y) = (each for each in shuffles if each is not None)
    first, second = sorted((one, other), key=lambda each: source.span(each.node))
    order = free_name(index, source, "order")
    indentation = source.indentation(source.span(first.statement)[0])
    lines = (f"{order} = {generator}.permutation(len({x}))",
             f"{x}, {y} = {x}[{order}], {y}[{order}]")
    return (*change.replace(source, first.statement, f"{source.line_end}{indentation}".join(lines)),
            *change.remove(source, second.statement))


def _shuffled(found: Found) -> tuple[str, str] | None:
    """The generator and the name of what is shuffled in place; None of Python's own, for lists."""
    match found.statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=generator, attr="shuffle"),
                                     args=[what])):
            text = found.source.code(generator)
            return (text, found.source.code(what)) if text != "random" and names.dotted(
                what) else None
    return None


def _joined(found: Found) -> tuple[Splice, ...] | None:
    """What one of two is put into an order by, for the other too; None if that is not known.

    The other is what a statement gives a name together with the first.
    """
    picks = list(_picks(found))
    if len(picks) != 1 or not isinstance(picks[0].value, ast.Name):
        return None
    source, pick = found.source, picks[0]
    statement, name = source.statement(pick), picks[0].value.id
    if not isinstance(statement, ast.Assign) or source.code(statement.targets[0]) != name:
        return None
    beside = [target.elts for each in source.body(statement) if isinstance(each, ast.Assign)
              for target in each.targets if isinstance(target, ast.Tuple)
              and name in map(names.dotted, target.elts)]
    if len(beside) != 1 or len(beside[0]) != 2:
        return None
    other = next(names.dotted(each) for each in beside[0] if names.dotted(each) != name)
    return change.after(source, statement, f"{other} = {other}[{source.code(pick.slice)}]")


def _picks(found: Found) -> Iterator[ast.Subscript]:
    """Where rows are picked by an order that is drawn at a place and given a name."""
    source, statement = found.source, found.statement
    if not isinstance(statement, ast.Assign) or statement.value is not found.node or not (
            isinstance(statement.targets[0], ast.Name)):
        return
    order = statement.targets[0].id
    for node in ast.walk(source.function(statement) or source.tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and isinstance(
                node.slice, ast.Name) and node.slice.id == order:
            yield node


def _without(found: Found) -> tuple[Splice, ...]:
    """Without what puts something into an order."""
    source, node, statement = found.source, found.node, found.statement
    picks = list(_picks(found))
    if picks:
        return tuple(splice for pick in picks for splice in _plain(source, pick, pick.value))
    if isinstance(node, ast.Call) and names.called(node) == _IN_PLACE and isinstance(
            statement, ast.Expr):
        return change.remove(source, statement)
    if isinstance(node, ast.Call) and names.called(node) != _SPLIT and node.args:
        pick = source.parents.get(node)
        if isinstance(pick, ast.Subscript) and pick.slice is node:
            return _plain(source, pick, pick.value)
        return _plain(source, node, node.args[0])
    raise Refused(Reason.UNKNOWN_FORM, "What puts one of them into an order cannot be taken out.")


def _plain(source: Source, node: ast.expr, value: ast.expr) -> tuple[Splice, ...]:
    """A value in the place of an expression of it; no statement that gives a name to itself."""
    statement = source.statement(node)
    if isinstance(statement, ast.Assign) and statement.value is node and (
            source.code(statement.targets[0]) == source.code(value)):
        return change.remove(source, statement)
    return change.replace(source, node, source.code(value))


WRITERS = {OrderTogether: write_order_together}
