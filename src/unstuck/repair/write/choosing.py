"""Which of the inputs are replaced on the way to the model."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import InvertChoice


def write_invert_choice(edit: InvertChoice, record: Record, index: Index) -> list[Patch]:
    """At the only `where` or `masked_fill` of an expression that puts a number for others."""
    found = index.at(edit.at, "what replaces inputs")
    inverted = [splices for node in ast.walk(found.node)
                if (splices := _inverted(found.source, node))]
    if len(inverted) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "Inputs are replaced by more than one operation, or by "
                      "one that this change has no form for.")
    return [Patch(edit, inverted[0], Form.DATA)]


def _inverted(source: Source, node: ast.AST) -> tuple[Splice, ...]:
    match node:
        case ast.Call(args=[_, first, second]) if names.called(node) == "where" and (
                _is_number(first) != _is_number(second)):
            return (*change.replace(source, first, source.code(second)),
                    *change.replace(source, second, source.code(first)))
        case ast.Call(func=ast.Attribute(attr="masked_fill" | "masked_fill_"), args=[mask, _]):
            return change.replace(source, mask, f"~{change.operand(source, mask)}")
    return ()


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


WRITERS = {InvertChoice: write_invert_choice}
