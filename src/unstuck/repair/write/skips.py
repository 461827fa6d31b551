"""Connections past the layers of a deep network."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index, methods
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import SkipConnections
from unstuck.schema.facts.models import Layer, Parameter

FEWEST = 3  # layers of one construction: those of a block that is built again and again


def write_skips(edit: SkipConnections, record: Record, index: Index) -> list[Patch]:
    """Where a loop calls the layers one by one, or where the block that holds them returns."""
    shapes = {p.layer: p for p in record.parameters().values() if len(p.shape) > 1}
    known = record.layers()
    layers = [known[name] for name in edit.layers if name in known and name in shapes]
    for places in _together(layers):
        found = index.at(places[0].location, "the construction of the layers")
        if not all(_is_even(shapes[layer.name]) for layer in places):
            continue
        splices = _block(found) or _loop(found)
        if splices:
            return [Patch(edit, splices, Form.MODEL)]
    raise Refused(Reason.UNKNOWN_FORM, "The layers are called neither in a loop nor in a block of "
                  "their own that is built several times.")


def _together(layers: list[Layer]) -> list[list[Layer]]:
    """The layers of each construction that makes several, most first."""
    places = {layer.location: [x for x in layers if x.location == layer.location]
              for layer in layers}
    return sorted((each for each in places.values() if len(each) >= FEWEST), key=len, reverse=True)


def _is_even(weight: Parameter) -> bool:
    """Whether as much comes out of a layer as goes in."""
    return weight.shape[0] == weight.shape[1]


def _block(found: Found) -> tuple[Splice, ...]:
    """The sum at the only `return` of a block; nothing if the class is the whole network."""
    source, outer = found.source, found.source.class_of(found.node)
    forward = methods(outer, "forward") if outer is not None else []
    several = ast.ListComp | ast.For | ast.GeneratorExp
    if outer is None or len(forward) != 1 or len(forward[0].args.args) != 2 or any(
            isinstance(node, several) for node in ast.walk(outer)):
        return ()
    given = forward[0].args.args[1].arg
    returns = [node for node in ast.walk(forward[0]) if isinstance(node, ast.Return)]
    bound = {node.id for node in ast.walk(forward[0])
             if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if len(returns) != 1 or returns[0].value is None or given in bound:
        return ()
    return _plus(source, returns[0].value, given)


def _loop(found: Found) -> tuple[Splice, ...]:
    """The sum in the loop of `forward` that gives each layer what the one before returned."""
    source, outer = found.source, found.source.class_of(found.node)
    for forward in methods(outer, "forward") if outer is not None else []:
        for loop in ast.walk(forward):
            match loop:
                case ast.For(target=ast.Name(id=layer), body=[
                        ast.Assign(targets=[ast.Name(id=x)], value=value)]):
                    calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)
                             and names.dotted(node.func) == layer]
                    if len(calls) == 1 and [*map(names.dotted, calls[0].args)] == [x]:
                        return _plus(source, value, x)
    return ()


def _plus(source: Source, value: ast.expr, given: str) -> tuple[Splice, ...]:
    start = source.span(value)[0]
    if isinstance(value, ast.Call | ast.Name | ast.Attribute | ast.Subscript):
        return (Splice(source.name, start, start, f"{given} + "),)
    return change.replace(source, value, f"{given} + ({source.code(value)})")


WRITERS = {SkipConnections: write_skips}
