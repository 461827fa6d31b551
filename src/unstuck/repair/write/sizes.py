"""The size of the network: the width of its hidden layers, and dropout."""

from __future__ import annotations

import ast

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import hops
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Check, Form, Patch
from unstuck.repair.places import spell
from unstuck.repair.text import Splice
from unstuck.repair.values import Number, constant, decimal, ways
from unstuck.repair.write.layers import element_of, layer_code
from unstuck.schema.edits import Dropout, ResizeLayer, literal
from unstuck.schema.facts.models import Layer, LayerRole, Model

_WEIGHTED = (LayerRole.LINEAR, LayerRole.CONVOLUTION, LayerRole.RECURRENT)
_ENDS = {  # the arguments that hold what goes in and what comes out
    LayerRole.LINEAR: ("in_features", "out_features"),
    LayerRole.CONVOLUTION: ("in_channels", "out_channels"),
    LayerRole.RECURRENT: ("input_size", "hidden_size"),
}


# Width -------------------------------------------------------------------------------------------
def write_resize(edit: ResizeLayer, record: Record, index: Index) -> list[Patch]:
    """Where the widths are written: at the layers, or the names, lists and options behind them."""
    model = next(iter(record.facts(Model)), None)
    if model is None:
        raise Refused(Reason.NO_PLACE, "The record has no model.")
    weighted = [layer for layer in model.layers if layer.role in _WEIGHTED]
    if len(weighted) < 2:
        raise Refused(Reason.UNKNOWN_FORM, "The network has no hidden layer.")
    wanted: list[tuple[Found, ast.expr, int]] = []  # what is written, and its new value
    kept: list[tuple[Found, ast.expr]] = []
    width, factor = 0, 1.0  # of the weighted layer before, and how much wider it is to be
    passed = False  # the one layer: what comes later and has its number receives what it makes
    for layer in model.layers:
        if layer.parameters and layer.role not in (*_WEIGHTED, LayerRole.NORMALISATION) and (
            not edit.layer or factor != 1
        ):
            raise Refused(Reason.UNKNOWN_FORM, f"The width of {layer.name} ({layer.kind}) depends "
                          "on more than the layers beside it.")
        if layer.role is LayerRole.NORMALISATION and factor != 1:
            _norm(index, layer, width, factor, wanted)
        if layer not in weighted:
            continue
        found = index.at(layer.location, f"the construction of {layer.name}")
        ins, outs = (change.argument(found.call, name, place)
                     for place, name in enumerate(_ENDS[layer.role]))
        goes_in, comes_out = _shape(record, layer)
        if ins is not None and factor != 1:
            if goes_in % width:
                raise Refused(Reason.UNKNOWN_FORM, f"What {layer.name} receives is not a "
                              "multiple of the width before it.")
            wanted.append((found, ins, _scaled(width, factor) * (goes_in // width)))
        elif ins is not None and not passed:
            kept.append((found, ins))
        hidden = layer is not weighted[-1] and edit.layer in ("", layer.name)
        width, factor = comes_out, edit.factor if hidden else 1.0
        passed = passed or bool(edit.layer and hidden)
        if outs is not None and hidden:
            wanted.append((found, outs, _scaled(width, factor)))
        elif outs is not None:
            kept.append((found, outs))
    shared = {found.node for layer in model.layers if layer.location is not None
              and len(index.layers_at(record, layer.location)) > 1
              for found in [index.at(layer.location)]}
    try:
        splices = _put(index, wanted, kept, shared)
    except Refused:
        listed = _listed(index, [
            (width, _scaled(width, edit.factor) if edit.layer in ("", layer.name) else width)
            for layer in weighted[:-1] for width in [_shape(record, layer)[1]]])
        if listed is None:
            raise
        splices = listed
    return [Patch(edit, splices, Form.MODEL)]


def _listed(index: Index, widths: list[tuple[int, int]]) -> tuple[Splice, ...] | None:
    """In the only list of numbers that are the widths of the hidden layers, in their order.

    Each comes with its new value. The size of the inputs may stand in front of them, and that of
    the outputs behind them.
    """
    found = [
        (source, inner) for kind in (ast.List, ast.Tuple) for source, node in index.nodes(kind)
        if isinstance(node, ast.List | ast.Tuple)
        for inner in (node.elts, node.elts[1:], node.elts[:-1], node.elts[1:-1])
        if len(inner) > 1 and [each.value if isinstance(each, ast.Constant) else None
                               for each in inner] == [now for now, _ in widths]]
    if len(found) != 1:
        return None
    (source, inner), = found
    return tuple(splice for each, (now, then) in zip(inner, widths, strict=True) if now != then
                 for splice in change.replace(source, each, str(then)))


def _scaled(width: int, factor: float) -> int:
    return max(round(width * factor), 1)


def _shape(record: Record, layer: Layer) -> tuple[int, int]:
    """What goes into a layer and what comes out of it."""
    shapes = {name.rpartition(".")[2]: record.parameters()[name].shape
              for name in layer.parameters if name in record.parameters()}
    if layer.role is LayerRole.RECURRENT and "weight_hh_l0" in shapes:
        return shapes["weight_ih_l0"][1], shapes["weight_hh_l0"][1]
    shape = shapes.get("weight", ())
    if len(shape) < 2:
        raise Refused(Reason.NOT_MEASURED, f"The shape of {layer.name} is not known.")
    return shape[1], shape[0]


def _norm(index: Index, layer: Layer, width: int, factor: float,
          wanted: list[tuple[Found, ast.expr, int]]) -> None:
    found = index.at(layer.location, f"the construction of {layer.name}")
    declared = torch_api.ARGUMENTS.get(layer.kind, ("num_features",))
    size = change.argument(found.call, declared[0], 0)
    if size is not None:
        wanted.append((found, size, _scaled(width, factor)))


def _put(index: Index, wanted: list[tuple[Found, ast.expr, int]],
         kept: list[tuple[Found, ast.expr]], shared: set[ast.expr | ast.stmt]
         ) -> tuple[Splice, ...]:
    """Splices for the new widths; `shared` are constructions that run for several layers."""
    fixed: set[ast.expr] = {node for found, each in kept for node in _behind(index, found, each)}
    splices: dict[tuple[str, int], Splice] = {}
    for found, node, value in wanted:
        chain = _behind(index, found, node)
        if fixed & set(chain):
            raise Refused(Reason.SHARED_LINE, "The width of hidden layers is written in the same "
                          "place as the size of the inputs or outputs.")
        if constant(chain[-1]) is None and found.node in shared:
            raise Refused(Reason.UNKNOWN_FORM, "The widths are computed from the data or from each "
                          "other.")
        number = Number(float(value), shared=True, whole=True)
        for splice in ways(index, found.source, node, number)[0].splices:
            before = splices.setdefault((splice.file, splice.start), splice)
            if before != splice:
                raise Refused(Reason.SHARED_LINE, "One number in the text is the width of layers "
                              "that get different widths.")
    return tuple(splices.values())


def _behind(index: Index, found: Found, node: ast.expr) -> list[ast.expr]:
    """The expressions that a value comes from, the last one first known as a number."""
    return [node, *(origin.node for origin in hops(index, found.source, node))]


# Dropout -----------------------------------------------------------------------------------------
def write_dropout(edit: Dropout, record: Record, index: Index) -> list[Patch]:
    """At the dropout layers and calls; where there are none, in front of the last layer."""
    splices: list[Splice] = []
    form = Form.LITERAL
    layers = [layer for model in record.facts(Model) for layer in model.layers]
    for location in dict.fromkeys(layer.location for layer in layers
                                  if layer.role is LayerRole.DROPOUT):
        found = index.at(location, "the dropout layer")
        splices += _set(index, found, 0, edit.share)
    for source, call in index.calls("dropout"):
        if names.dotted(call.func) in ("F.dropout", "nn.functional.dropout",
                                       "torch.nn.functional.dropout"):
            splices += _set(index, Found(source, call), 1, edit.share)
    if splices:
        return [Patch(edit, tuple(dict.fromkeys(splices)), form, checks=(
            Check("layer.dropped", "", literal(edit.share)),))]
    weighted = [layer for layer in layers if layer.role in _WEIGHTED]
    if len(weighted) < 2:
        raise Refused(Reason.UNKNOWN_FORM, "The network has no hidden layer.")
    last = weighted[-1]
    found = index.at(last.location, f"the construction of {last.name}")
    if last.location is not None and len(index.layers_at(record, last.location)) > 1:
        raise Refused(Reason.SHARED_LINE,
                      f"The line that constructs {last.name} makes other layers too.")
    element = element_of(found)
    if element is not None and element.index:
        code, needs = layer_code(index, found.source, f"Dropout({literal(edit.share)})")
        return [Patch(edit, change.add_item(
            found.source, element.opens, code, after=element.index - 1), Form.MODEL, needs)]
    listed = _in_a_growing_list(edit, index, found)
    if listed is not None:
        return [listed]
    statement = found.statement
    target = names.dotted(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
    outer = found.source.class_of(found.node)
    uses = [node for node in ast.walk(outer) if isinstance(node, ast.Call)
            and names.dotted(node.func) == target and node.args] if outer and target else []
    if len(uses) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "The place in front of the last layer is not one "
                      "expression of the text.")
    name, needs = spell(index, found.source, "torch.nn.functional.dropout")
    return [Patch(edit, change.wrap(
        found.source, uses[0].args[0], f"{name}(", f", {literal(edit.share)}, self.training)"),
        Form.MODEL, needs)]


def _in_a_growing_list(edit: Dropout, index: Index, found: Found) -> Patch | None:
    """In front of a layer that is added to a list: `layers += [...]`, `layers.append(...)`."""
    source, statement = found.source, found.statement
    code, needs = layer_code(index, source, f"Dropout({literal(edit.share)})")
    match statement:
        case ast.AugAssign(op=ast.Add(), value=ast.List(elts=[first, *_])) if first is found.node:
            start, _ = source.span(found.node)
            splices: tuple[Splice, ...] = (Splice(source.name, start, start, f"{code}, "),)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append") as append, args=[given])
                      ) if given is found.node:
            held = source.code(append.value)
            splices = change.before(source, statement, f"{held}.append({code})")
        case _:
            return None
    return Patch(edit, splices, Form.MODEL, needs)


def _set(index: Index, found: Found, place: int, share: float) -> tuple[Splice, ...]:
    now = change.argument(found.call, "p", place)
    if now is None:
        return change.set_argument(found.source, found.call, "p", decimal(share))
    return ways(index, found.source, now, Number(share, shared=True))[0].splices


WRITERS = {ResizeLayer: write_resize, Dropout: write_dropout}
