"""Numbers that keep their fractions on the way to the model."""

from __future__ import annotations

import ast
import re

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import KeepFractions

_WHOLE = ("byte", "short", "int", "long")  # methods of a tensor
_TYPES = re.compile(r"u?int\d*$")


def write_keep_fractions(edit: KeepFractions, record: Record, index: Index) -> list[Patch]:
    """At the only operation of an expression that rounds: `//`, or a conversion."""
    found = index.at(edit.at, "what rounds the inputs")
    rounding = [splices for node in ast.walk(found.node)
                if (splices := _without_rounding(found.source, node))]
    if len(rounding) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The inputs are rounded by more than one operation, or "
                      "by one that this change has no form for.")
    return [Patch(edit, rounding[0], Form.DATA)]


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


WRITERS = {KeepFractions: write_keep_fractions}
