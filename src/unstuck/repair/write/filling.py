"""Medians where a program fills in a number for missing ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import hop
from unstuck.repair.index import Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Source, Splice
from unstuck.repair.values import constant
from unstuck.schema.edits import FillWithMedian

_TARGETS = re.compile(r"label|target|^y", re.IGNORECASE)  # -100 says there which to leave out
LEAST = 5.0  # a filler is far from what is measured; zeros and flags are not


def write_fill(edit: FillWithMedian, record: Record, index: Index) -> list[Patch]:
    """At the only place of the text that fills in such a number."""
    found = [splices for source in index.sources.values() for node in ast.walk(source.tree)
             for splices in _filling(index, source, node)]
    if len(found) != 1:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the missing values are filled "
                      "in.", ("the line that fills in the number",))
    return [Patch(edit, found[0], Form.DATA)]


def _filling(index: Index, source: Source, node: ast.AST) -> Iterator[tuple[Splice, ...]]:
    """The splices that write medians at a place that fills in a number."""
    match node:
        case ast.Call(func=ast.Attribute(value=table, attr="fillna"), args=[value]) if _far(
                index, source, value):
            yield change.replace(source, value, f"{change.operand(source, table)}.median()")
        case ast.Call(args=[ast.Call(func=ast.Attribute(attr="isnan"), args=[array]), value,
                            _]) if names.called(node) == "where" and _far(index, source, value):
            module = names.dotted(node.func).rpartition(".")[0]
            text = source.code(array)
            yield change.replace(source, value, f"{text}.nanmedian(0).values" if module == "torch"
                                 else f"{module}.nanmedian({text}, axis=0)")
        case ast.Call() if names.called(node) == "SimpleImputer" and (
                filler := change.argument(node, "fill_value")) is not None and _far(
                    index, source, filler):
            strategy = change.argument(node, "strategy")
            if strategy is not None:
                yield (*change.replace(source, strategy, '"median"'),
                       *change.drop_argument(source, node, "fill_value"))
        case ast.Assign(targets=[ast.Subscript(value=ast.Name() as array) as target],
                        value=value) if _is_mask(target.slice, array.id) and _far(
                            index, source, value) and not _TARGETS.search(array.id):
            yield _masked(index, source, node, array, value)


def _is_mask(node: ast.expr, array: str) -> bool:
    """Whether an index may be a mask of cells: no number, slice or bound that clips the array."""
    if isinstance(node, ast.Compare):
        sizes = {id(each.value) for each in ast.walk(node)
                 if isinstance(each, ast.Attribute) and each.attr == "shape"}
        return isinstance(node.ops[0], ast.Eq | ast.NotEq) or not any(
            isinstance(each, ast.Name) and each.id == array and id(each) not in sizes
            for each in ast.walk(node))
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.UnaryOp)


def _far(index: Index, source: Source, node: ast.expr) -> bool:
    """Whether a value is a number that nobody measures, its name followed."""
    for _ in range(3):
        value = constant(node)
        if value is not None:
            return abs(value) >= LEAST
        origin = hop(index, source, node)
        if origin is None:
            return False
        source, node = origin.source, origin.node
    return False


def _masked(index: Index, source: Source, statement: ast.Assign, array: ast.Name,
            value: ast.expr) -> tuple[Splice, ...]:
    """`x[missing] = -999`: NaN, and then the medians of what is there."""
    given = names.given_before(source, array)
    made = source.code(given) if given is not None else ""
    name = array.id
    if made.endswith(".clone()") or made.startswith("torch."):
        where, _ = spell(index, source, "torch.where")
        line = f"{name} = {where}({name}.isnan(), {name}.nanmedian(0).values, {name})"
    elif (numpy := index.spelled(source, "numpy")) is not None:
        line = (f"{name} = {numpy}.where({numpy}.isnan({name}), "
                f"{numpy}.nanmedian({name}, axis=0), {name})")
    else:
        raise Refused(Reason.UNKNOWN_FORM, "What the missing values are filled into is not known.")
    return (*change.replace(source, value, 'float("nan")'),
            *change.after(source, statement, line))


WRITERS = {FillWithMedian: write_fill}
