"""The two kinds of pairs in a contrastive or triplet loss."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import SwapPairs

Splices = tuple[Splice, ...]
_SUMS = ast.Add | ast.Sub


def write_swap_pairs(edit: SwapPairs, record: Record, index: Index) -> list[Patch]:
    """The labels the other way round; of triplets, the two distances or arguments swapped."""
    found = index.at(edit.at, "the loss")
    for form in (_distances, _arguments) if edit.triplets else (
            _factors, _branches, _labels, _compared):
        splices = form(edit, found)
        if splices:
            return [Patch(edit, splices, Form.CALL)]
    raise Refused(Reason.UNKNOWN_FORM, "The loss does not say in a known way which pairs it pulls "
                  "together.")


def _here(found: Found) -> Iterator[ast.AST]:
    """The nodes of the loss's function, or of its block in a program without one."""
    scope = names.scope_of(found.source, found.node)
    if isinstance(scope, ast.FunctionDef):
        yield from names.inside(scope)
    else:
        for statement in found.source.body(found.statement):
            yield from ast.walk(statement)


def _factors(edit: SwapPairs, found: Found) -> Splices:
    """`label` and `1 - label`, by which the two parts are multiplied."""
    source = found.source
    nodes = list(_here(found))
    turned = [node for node in nodes if isinstance(node, ast.BinOp)
              and isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant)
              and node.left.value == 1 and isinstance(node.right, ast.Name)]
    labels = {node.right.id for node in turned if isinstance(node.right, ast.Name)}
    if len(labels) != 1:
        return ()
    plain = [node for node in nodes if isinstance(node, ast.Name) and node.id in labels
             and isinstance(node.ctx, ast.Load) and _multiplied(source, node)]
    if not plain:
        return ()
    name, = labels
    return (*(_instead(source, node, name) for node in turned),
            *(Splice(source.name, *source.span(node), f"(1 - {name})") for node in plain))


def _instead(source: Source, node: ast.expr, name: str) -> Splice:
    """A name in the place of an expression and of the brackets around it."""
    start, end = source.span(node)
    wider = change.is_alone_in_brackets(source, node)
    return Splice(source.name, start - wider, end + wider, name)


def _multiplied(source: Source, node: ast.AST) -> bool:
    parent = source.parents.get(node)
    return isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult)


def _branches(edit: SwapPairs, found: Found) -> Splices:
    """The two branches of `torch.where`."""
    calls = [node for node in _here(found) if isinstance(node, ast.Call)
             and names.called(node) == "where" and len(node.args) == 3]
    if len(calls) != 1:
        return ()
    return _exchanged(found.source, calls[0].args[1], calls[0].args[2])


def _call(found: Found) -> ast.Call | None:
    """The call that a place is, or whose result is all that a statement there takes."""
    node = getattr(found.node, "value", None) if isinstance(found.node, ast.stmt) else found.node
    return node if isinstance(node, ast.Call) else None


def _labels(edit: SwapPairs, found: Found) -> Splices:
    """The labels that a call is given."""
    call = _call(found)
    if edit.labels is None or call is None:
        return ()
    source = found.source
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    held = [node for node in given if source.code(node) == edit.labels]
    return change.replace(source, held[0], edit.turned(edit.labels)) if len(held) == 1 else ()


def _compared(edit: SwapPairs, found: Found) -> Splices:
    """The only comparison that can make the labels."""
    held = [node for node in _here(found) if isinstance(node, ast.Compare)
            and isinstance(node.ops[0], ast.Eq | ast.NotEq) and len(node.ops) == 1
            and not isinstance(node.comparators[0], ast.Constant)]
    if len(held) != 1:
        return ()
    return change.replace(found.source, held[0], change.opposite(found.source, held[0]))


def _distances(edit: SwapPairs, found: Found) -> Splices:
    """The distance that is added and the one that is taken away, beside a margin."""
    source = found.source
    for node in _here(found):
        parent = source.parents.get(node)
        if not _is_sum(node) or _is_sum(parent):
            continue
        every, taken = _terms(node)
        added = [each for each in every if not _is_margin(each)]
        if len(added) == len(taken) == 1 and _is_margin(*every) and not _is_margin(*taken):
            return _exchanged(source, added[0], taken[0])
    return ()


def _is_sum(node: ast.AST | None) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and isinstance(node.op, _SUMS)


def _terms(node: ast.expr) -> tuple[list[ast.expr], list[ast.expr]]:
    """What a sum adds, and what it takes away."""
    if not _is_sum(node):
        return [node], []
    added, taken = _terms(node.left)
    more, less = _terms(node.right)
    return (added + more, taken + less) if isinstance(node.op, ast.Add) else (
        added + less, taken + more)


def _is_margin(*nodes: ast.expr) -> bool:
    """Whether one of some terms is a number, or is called a margin."""
    return any(isinstance(node, ast.Constant) or any(
        word in names.last_name(node).lower() for word in ("margin", "alpha")) for node in nodes)


def _arguments(edit: SwapPairs, found: Found) -> Splices:
    """The positive and the negative that a triplet loss is given."""
    call = _call(found)
    if call is None:
        return ()
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    pair = given.get("positive"), given.get("negative")
    if pair[0] is not None and pair[1] is not None:
        return _exchanged(found.source, pair[0], pair[1])
    if len(call.args) < 3 or any(isinstance(each, ast.Starred) for each in call.args):
        return ()
    return _exchanged(found.source, call.args[1], call.args[2])


def _exchanged(source: Source, one: ast.expr, other: ast.expr) -> Splices:
    return (*change.replace(source, one, source.code(other)),
            *change.replace(source, other, source.code(one)))


WRITERS = {SwapPairs: write_swap_pairs}
