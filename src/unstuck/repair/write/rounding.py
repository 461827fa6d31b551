"""Numbers that are kept on the way to the model: their fractions, and those that are replaced."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import Edit, InvertChoice, KeepFractions

_WHOLE = ("byte", "short", "int", "long")  # methods of a tensor
_TYPES = re.compile(r"u?int\d*$")


def write_keep_fractions(edit: KeepFractions, record: Record, index: Index) -> list[Patch]:
    """At the only operation of an expression that rounds: `//`, or a conversion."""
    return _at_the_only(edit, index.at(edit.at, "what rounds the inputs"), _without_rounding,
                        "The inputs are rounded")


def write_invert_choice(edit: InvertChoice, record: Record, index: Index) -> list[Patch]:
    """At the only `where` or `masked_fill` of an expression that puts a number for others."""
    return _at_the_only(edit, index.at(edit.at, "what replaces inputs"), _inverted,
                        "Inputs are replaced")


def _at_the_only(
    edit: Edit, found: Found, changed: Callable[[Source, ast.AST], tuple[Splice, ...]], done: str
) -> list[Patch]:
    """Where one operation of an expression can be changed."""
    possible = [splices for node in ast.walk(found.node)
                if (splices := changed(found.source, node))]
    if len(possible) != 1:
        raise Refused(Reason.UNKNOWN_FORM, f"{done} by more than one operation, or "
                      "by one that this change has no form for.")
    return [Patch(edit, possible[0], Form.DATA)]


def _without_rounding(source: Source, node: ast.AST) -> tuple[Splice, ...]:
    match node:
        case ast.BinOp(op=ast.FloorDiv(), left=left, right=right):
            between = source.span(left)[1]
            at = source.text.index("//", between, source.span(right)[0])
            return (Splice(source.name, at, at + 2, "/"),)
        case ast.Call(func=ast.Attribute(attr="astype"), args=[kind, *_]) if _TYPES.search(
                names.dotted(kind) or str(getattr(kind, "value", ""))):
            return change.replace(source, kind, '"float32"')
        case ast.Call(func=ast.Attribute(value=value, attr=method), args=[], keywords=[]) if (
                method in _WHOLE):
            at = source.text.index(method, source.span(value)[1])
            return (Splice(source.name, at, at + len(method), "float"),)
    return ()


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


WRITERS = {KeepFractions: write_keep_fractions, InvertChoice: write_invert_choice}
