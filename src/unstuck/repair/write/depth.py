"""The depth of the network: how many layers a row of them has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from unstuck.record.reader import Record
from unstuck.repair.cannot import CannotWrite, Refused
from unstuck.repair.follow import hop
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.repair.values import Number, known, ways
from unstuck.repair.write import write
from unstuck.schema.edits import FewerLayers, RemoveLayer, Together

DEEPEST = 3  # calls and names that a repetition is followed through
ENDS = 2  # layers of a row that its number may count, or not: `depth - 1`, `[width] * (depth + 1)`


def write_fewer(edit: FewerLayers, record: Record, index: Index) -> list[Patch]:
    """The number by which the text repeats a layer; or else each layer is left out by itself."""
    counted = _counted(edit, record, index)
    each = write(Together(tuple(map(RemoveLayer, (*edit.layers, *edit.behind))), edit.words()),
                 record, index)
    if isinstance(each, CannotWrite) and not counted:
        raise Refused(each.reason, each.words, each.needs, each.command)
    return [*counted, *([] if isinstance(each, CannotWrite) else
                        (replace(patch, edit=edit) for patch in each))]


def _counted(edit: FewerLayers, record: Record, index: Index) -> list[Patch]:
    """With a smaller number in the only place that says how often one construction runs."""
    layers = record.layers()
    places = {layers[name].location for name in edit.layers}
    location = places.pop()
    if places or location is None:
        return []
    made = len(index.layers_at(record, location))
    found: dict[tuple[Splice, ...], None] = {}
    for source, node in _repeats(index, index.at(location)):
        now = known(index, source, node)
        if now is not None and abs(now - made) <= ENDS and now > len(edit.layers):
            number = Number(now - len(edit.layers), was=now, shared=True, whole=True)
            found[ways(index, source, node, number)[0].splices] = None
    return [Patch(edit, splices, Form.MODEL) for splices in found] if len(found) == 1 else []


def _repeats(index: Index, found: Found, deepest: int = DEEPEST
             ) -> Iterator[tuple[Source, ast.expr]]:
    """The numbers that say how often the text around a node runs."""
    for outer in found.source.ancestors(found.node):
        match outer:
            case ast.For(iter=over):
                yield from _numbers(index, found.source, over)
            case ast.ListComp(generators=loops) | ast.GeneratorExp(generators=loops):
                for loop in loops:
                    yield from _numbers(index, found.source, loop.iter)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                callers = index.callers(found.source, outer)
                if len(callers) == 1 and deepest:
                    yield from _repeats(index, Found(*callers[0]), deepest - 1)
                return


def _numbers(index: Index, source: Source, over: ast.expr, deepest: int = DEEPEST
             ) -> Iterator[tuple[Source, ast.expr]]:
    """The numbers of ranges and of repeated lists in an expression, or in what its names hold."""
    for node in ast.walk(over):
        match node:
            case ast.Call(func=ast.Name(id="range"), args=[stop] | [_, stop]):
                yield source, _without_ends(stop)
            case ast.BinOp(op=ast.Mult(), left=ast.List() | ast.Tuple(), right=times):
                yield source, _without_ends(times)
            case ast.BinOp(op=ast.Mult(), left=times, right=ast.List() | ast.Tuple()):
                yield source, _without_ends(times)
            case ast.Name() | ast.Attribute() if deepest:
                origin = hop(index, source, node)
                if origin is not None:
                    yield from _numbers(index, origin.source, origin.node, deepest - 1)


def _without_ends(number: ast.expr) -> ast.expr:
    match number:
        case ast.BinOp(op=ast.Add() | ast.Sub(), left=left, right=ast.Constant()):
            return left
    return number


WRITERS = {FewerLayers: write_fewer}
