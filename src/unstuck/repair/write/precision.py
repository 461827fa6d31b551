"""Numbers of 32 bits in the place of those of 16."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import WidenWeights

# How a program names each type: of torch, as a method, and in a string.
_TYPES = {"bfloat16": ("bfloat16",), "float16": ("float16", "half")}
_CONVERTS = {"bfloat16": "bfloat16", "float16": "half"}
# What computes in 16 bits and leaves the weights as they are.
_APART = ("autocast", "GradScaler", "MixedPrecision")


def write_widen(edit: WidenWeights, record: Record, index: Index) -> list[Patch]:
    """Each mention of the type: `torch.bfloat16`, `model.bfloat16()`, "bfloat16"."""
    splices = tuple(splice for source in index.sources.values()
                    for splice in _mentions(source, edit.dtype))
    if not splices:
        raise Refused(Reason.NO_PLACE, f"The text does not say where {edit.dtype} is asked for.")
    return [Patch(edit, splices, Form.LITERAL)]


def _mentions(source: Source, dtype: str) -> Iterator[Splice]:
    known = _TYPES.get(dtype, (dtype,))
    for node in ast.walk(source.tree):
        if any(isinstance(outer, ast.Call) and names.called(outer) in _APART
               for outer in source.ancestors(node)):
            continue
        match node:
            case ast.Call(func=ast.Attribute(attr=attr), args=[], keywords=[]) if (
                attr == _CONVERTS.get(dtype)
            ):
                yield _attribute(source, node.func, "float")
            case ast.Attribute(attr=attr) if attr in known and names.dotted(
                    node.value).rpartition(".")[2] in ("torch", "th"):
                yield _attribute(source, node, "float32")
            case ast.Constant(value=str() as value) if value in known and not isinstance(
                    source.parents.get(node), ast.Compare | ast.Expr | ast.Dict):
                yield from change.replace(source, node, '"float32"')


def _attribute(source: Source, node: ast.expr, name: str) -> Splice:
    assert isinstance(node, ast.Attribute)
    end = source.span(node)[1]
    return Splice(source.name, end - len(node.attr), end, name)


WRITERS = {WidenWeights: write_widen}
