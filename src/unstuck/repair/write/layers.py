"""Layers and functions replaced, removed and inserted."""

from __future__ import annotations

import ast
import re

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.functions import (
    as_function,
    drop_function,
    function_at,
    is_alike,
    swap_function,
)
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Check, Form, Need, Patch
from unstuck.repair.places import beside_optimizer, layers_meant, model_of, path_of, spell
from unstuck.repair.text import Function, Source, Splice
from unstuck.repair.tracing import made_by, without
from unstuck.repair.values import Number
from unstuck.repair.write.optimizer_arguments import ways_of_argument
from unstuck.schema.edits import (
    BatchFirst,
    Edit,
    InsertLayer,
    LayerArgument,
    RemoveLayer,
    ReplaceLayer,
)
from unstuck.schema.facts.losses import Loss
from unstuck.schema.facts.models import STAND_IN, Activation, Layer, Model
from unstuck.schema.places import SourceLocation

_CONTAINERS = ("Sequential", "ModuleList")
MOST_LINES = 12  # that anybody wants to read in a diff


def layer_code(index: Index, source: Source, layer: str) -> tuple[str, tuple[Need, ...]]:
    """A layer of an edit ("ReLU()", "Sequential(nn.Linear(2, 4), nn.ReLU())") in a source."""
    class_name = layer.partition("(")[0]
    name, needs = spell(index, source, f"torch.nn.{class_name}")
    rest = layer[len(class_name):]
    if "nn." in rest:
        prefix, further = spell(index, source, "torch.nn.Module")
        rest = re.sub(r"\bnn\.", prefix.removesuffix("Module"), rest)
        needs = tuple(dict.fromkeys((*needs, *further)))
    return name + rest, needs


def places_of(record: Record, index: Index, layers: list[Layer]) -> list[SourceLocation]:
    """Where layers are constructed.

    Raises:
        Refused: the record lacks a place, or one makes other layers too.
    """
    found: list[SourceLocation] = []
    meant = {layer.name for layer in layers}
    for layer in layers:
        if layer.location is None:
            raise Refused(Reason.NO_PLACE, f"unstuck does not know where {layer.name} is "
                          "constructed.", (f"the line that constructs {layer.name}",))
        others = {each.name for each in index.layers_at(record, layer.location)
                  if not any(each.name == name or each.name.startswith(f"{name}.")
                             for name in meant)}  # the parts of a layer of torch's go with it
        if others:
            raise Refused(Reason.SHARED_LINE, f"The line that constructs {layer.name} also makes "
                          f"{min(others)}.")
        if layer.location not in found:
            found.append(layer.location)
    return found


def _modules_meant(record: Record, name: str) -> list[Layer]:
    """The layers that are meant. Raises Refused if they are plain tensors, which no module can
    stand for."""
    found = layers_meant(record, name)
    if found and model_of(record, found[0].name).kind == STAND_IN:
        raise Refused(Reason.UNKNOWN_FORM, f"{found[0].name} is a plain tensor that the program "
                      "multiplies by, so no layer can be put in its place.")
    return found


# Replace -----------------------------------------------------------------------------------------
def write_replace(edit: ReplaceLayer, record: Record, index: Index) -> list[Patch]:
    """At the constructions, and at the functions that do the same."""
    layers = _modules_meant(record, edit.layer)
    functions = _functions_meant(record, index, edit.layer)
    if not layers and not functions:
        raise Refused(Reason.NO_PLACE, f"unstuck does not know where {edit.layer} is.")
    splices: list[Splice] = []
    needs: list[Need] = []
    try:
        locations = places_of(record, index, layers)
    except Refused as refused:
        if functions or refused.cannot.reason is Reason.NO_PLACE:
            raise
        return [_assigned(edit, edit.by, layers, record, index)]
    for location in locations:
        found = index.at(location, f"the construction of {edit.layer}")
        code, more = layer_code(index, found.source, _with_names(found, edit.by))
        splices += change.replace(found.source, found.call, code)
        needs += more
    for fact in functions:
        kind = as_function(edit.layer)
        alike = is_alike(index, fact.location, kind)
        found = function_at(index, fact.location, kind if alike else _function_name(fact))
        changed, more = swap_function(index, found, edit.by)
        splices += changed
        needs += more
    return [Patch(edit, tuple(dict.fromkeys(splices)), Form.MODEL, tuple(dict.fromkeys(needs)),
                  (Check("layer.kind", edit.layer, edit.by.partition("(")[0]),))]


def _with_names(found: Found, by: str) -> str:
    """Layers in a row, from what one took to what it gave, by the names of its two sizes: the line
    may make layers of other sizes too."""
    sizes = found.call.args[:2]
    if not by.startswith("Sequential(") or len(sizes) < 2 or not all(
            isinstance(each, ast.Name | ast.Attribute) for each in sizes):
        return by
    given, made = map(found.source.code, sizes)
    within = re.fullmatch(r"(\D+)\d+(, .*, )\d+(\)\))", by)
    return f"{within[1]}{given}{within[2]}{made}{within[3]}" if within else by


def _assigned(edit: Edit, by: str, layers: list[Layer], record: Record, index: Index) -> Patch:
    """Layers put into the model that is there: for lines that make others too, or are not the
    user's. {} in `by` is the layer that is there now."""
    model = model_of(record, layers[0].name)
    near, held, late = beside_optimizer(record, index, model)
    lines: list[str] = []
    needs: tuple[Need, ...] = ()
    for layer in layers:
        path = path_of(record, model, layer, held)
        code, needs = layer_code(index, near.source, by)
        lines.append(f"{path} = {code.replace('{}', path)}")
    if len(lines) > MOST_LINES or any(held == line.partition(" = ")[0] for line in lines):
        raise Refused(Reason.SHARED_LINE, f"{len(lines):,} layers would have to be replaced one "
                      "by one.")
    put = change.after if late else change.before
    return Patch(edit, put(near.source, near.statement, "\n".join(lines)), Form.STATEMENT, needs)


def _function_name(fact: Activation) -> str:
    named = fact.function or fact.name.rpartition(" > ")[2]
    return re.sub(r"[\s-]*\d+$", "", named)


def _functions_meant(record: Record, index: Index, name: str) -> list[Activation]:
    every = record.facts(Activation)
    wanted = as_function(name)
    return ([each for each in every if each.name == name]
            or [each for each in every if _function_name(each) == wanted
                or is_alike(index, each.location, wanted)])


# Arguments ---------------------------------------------------------------------------------------
def write_layer_argument(edit: LayerArgument, record: Record, index: Index) -> list[Patch]:
    """At the constructions of the layers, or where the value comes from."""
    layers = layers_meant(record, edit.layer)
    if not layers:
        raise Refused(Reason.NO_PLACE, f"unstuck does not know where {edit.layer} is.")
    splices: list[Splice] = []
    form = Form.LITERAL
    for location in places_of(record, index, layers):
        found = index.at(location, f"the construction of {edit.layer}")
        form, new = _argument(edit, found, index, layers[0].kind)
        splices += new
    return [Patch(edit, tuple(dict.fromkeys(splices)), form)]


def _argument(
    edit: LayerArgument, found: Found, index: Index, kind: str
) -> tuple[Form, tuple[Splice, ...]]:
    whole = edit.value.isdigit()
    try:
        number = Number(int(edit.value) if whole else float(edit.value), shared=True, whole=whole)
    except ValueError:  # another kind of value
        number = None
    known = [] if number is None else ways_of_argument(index, found, kind, edit.argument, number)
    return known[0] if known else (Form.LITERAL, change.set_argument(
        found.source, found.call, edit.argument, edit.value,
        torch_api.position(kind, edit.argument)))


# Remove ------------------------------------------------------------------------------------------
def write_remove(edit: RemoveLayer, record: Record, index: Index) -> list[Patch]:
    """An element of a Sequential less, or an identity; a function's argument in its place."""
    layers = layers_meant(record, edit.layer)
    if edit.at is not None or not layers:
        functions = _functions_meant(record, index, edit.layer)
        location = edit.at or (functions[0].location if len(functions) == 1 else None) or (
            _in_front_of_loss(record, edit.layer))
        if location is None:
            return [Patch(edit, _before_loss(record, index, edit.layer), Form.MODEL)]
        return [Patch(edit, drop_function(function_at(
            index, location, as_function(re.split(r" > |\.", edit.layer)[-1]))), Form.MODEL)]
    try:
        places_of(record, index, layers)
    except Refused as refused:
        if refused.cannot.reason is Reason.NO_PLACE:
            raise
        return [_assigned(edit, "Identity()", layers, record, index)]
    dropped: list[Splice] = []
    identity: list[Splice] = []
    needs: list[Need] = []
    clean = True
    for location in places_of(record, index, layers):
        found = index.at(location, f"the construction of {edit.layer}")
        code, more = layer_code(index, found.source, "Identity()")
        identity += change.replace(found.source, found.call, code)
        needs += more
        element = element_of(found)
        if element is None or not element.last:
            clean = False
        else:
            dropped += change.drop_item(found.source, element.opens, element.index)
    identities = Patch(edit, tuple(identity), Form.MODEL, tuple(dict.fromkeys(needs)))
    return [Patch(edit, tuple(dropped), Form.MODEL), identities] if clean else [identities]


def _in_front_of_loss(record: Record, name: str) -> SourceLocation | None:
    """Where the operation of a name ("torch.softmax") makes what a loss receives."""
    operation = f"{name.rpartition('.')[2].replace('_', '')}backward0".lower()
    found = [loss.input_location for loss in record.facts(Loss)
             if loss.input_operations[:1] and loss.input_operations[0].lower() == operation]
    return found[0] if len(set(found)) == 1 else None


def _before_loss(record: Record, index: Index, name: str) -> tuple[Splice, ...]:
    """Without the function ("torch.softmax") that what a loss receives comes from by the text."""
    wanted = name.rpartition(".")[2]
    for loss in record.facts(Loss):
        operations = [each.lower().partition("backward")[0] for each in loss.input_operations]
        if wanted.replace("_", "") not in operations or loss.location is None:
            continue
        found = index.at(loss.location, "the loss")
        given = change.argument(found.call, "input", 0) if isinstance(
            found.node, ast.Call) else None
        made = made_by(index, found.source, given, wanted) if given is not None else None
        splices = without(index, made) if made is not None else None
        if splices is not None:
            return splices
    raise Refused(Reason.NO_PLACE, f"unstuck does not know where {name} is.")


class Element:
    """A construction as an element of a container's arguments or of a list."""

    def __init__(self, opens: int, index: int, count: int, container: ast.expr) -> None:
        self.opens, self.index, self.last = opens, index, index == count - 1 and count > 1
        self.container = container


def element_of(found: Found) -> Element | None:
    """The construction as an element of a Sequential, or of a list of layers; None if it is none.
    """
    source, node = found.source, found.node
    parent = source.parents.get(node)
    while isinstance(parent, ast.IfExp):
        return None
    if isinstance(parent, ast.Call) and names.called(parent) in _CONTAINERS:
        place = next((i for i, each in enumerate(parent.args) if each is node), None)
        if place is not None and not parent.keywords:
            return Element(change.opening(source, parent), place, len(parent.args), parent)
    if isinstance(parent, ast.List):
        place = next(i for i, each in enumerate(parent.elts) if each is node)
        return Element(source.span(parent)[0], place, len(parent.elts), parent)
    return None


# Insert ------------------------------------------------------------------------------------------
def write_insert(edit: InsertLayer, record: Record, index: Index) -> list[Patch]:
    """Behind the element of a Sequential; around the call in `forward`; with it in a Sequential."""
    if edit.after == "input":
        return _at_input(edit, record, index)
    layer = next(iter(_modules_meant(record, edit.after)), None)
    if layer is None:
        raise Refused(Reason.NO_PLACE, f"The record has no layer {edit.after}.")
    if layer.location is None:
        raise Refused(Reason.NO_PLACE,
                      f"unstuck does not know where {layer.name} is constructed.")
    if not _alike(record, index, layer):
        return [_assigned(edit, f"Sequential({{}}, nn.{edit.layer})", [layer], record, index)]
    found = index.at(layer.location, f"the construction of {layer.name}")
    code, needs = layer_code(index, found.source, edit.layer)
    patches: list[Patch] = []
    element = element_of(found)
    if element is not None:
        patches.append(Patch(edit, change.add_item(
            found.source, element.opens, code, after=element.index), Form.MODEL, needs))
        return patches
    use = _use(found)
    if use is not None and not _has_state(edit.layer):
        text, more = _applied(index, found.source, edit.layer)
        before, _, behind = text.partition("{}")
        patches.append(Patch(
            edit, change.wrap(found.source, use, before, behind), Form.MODEL, more))
    name, more = spell(index, found.source, "torch.nn.Sequential")
    patches.append(Patch(edit, change.wrap(found.source, found.call, f"{name}(", f", {code})"),
                         Form.MODEL, (*needs, *more)))
    return patches


def _applied(index: Index, source: Source, layer: str) -> tuple[str, tuple[Need, ...]]:
    name = as_function(layer.partition("(")[0])
    text, needs = spell(index, source, f"torch.{name}" if name in ("relu", "tanh", "sigmoid")
                        else f"torch.nn.functional.{name}")
    if index.spelled(source, "torch.nn.functional") == "F" and name == "relu":
        text, needs = "F.relu", ()
    return f"{text}({{}})", needs


def _has_state(layer: str) -> bool:
    return not as_function(layer.partition("(")[0]) or ("(" in layer and not layer.endswith("()"))


def _alike(record: Record, index: Index, layer: Layer) -> bool:
    """Whether a line makes layers of one kind and width only, and not the last of a model."""
    assert layer.location is not None
    others = index.layers_at(record, layer.location)
    if len(others) == 1:
        return True
    model = model_of(record, layer.name)
    weighted = [each for each in model.layers if each.parameters]
    widths = {record.parameters()[name].shape[:1] for each in others for name in each.parameters
              if name in record.parameters()}
    return len(widths) <= 1 and all(each.kind == layer.kind for each in others) and not (
        weighted and weighted[-1].name in {each.name for each in others})


def _use(found: Found) -> ast.Call | None:
    """The only call of a layer that is held as an attribute: `self.fc1(x)`."""
    statement, source = found.statement, found.source
    if not (isinstance(statement, ast.Assign) and statement.value is found.node):
        return None
    target = names.dotted(statement.targets[0])
    outer = source.class_of(found.node)
    if outer is None or not target.startswith("self."):
        return None
    uses = [node for node in ast.walk(outer) if isinstance(node, ast.Call)
            and names.dotted(node.func) == target]
    return uses[0] if len(uses) == 1 else None


def _at_input(edit: InsertLayer, record: Record, index: Index) -> list[Patch]:
    """In front of everything: in the model's class, else as a wrapper around the construction."""
    model = next(iter(record.facts(Model)), None)
    if model is None or model.location is None:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the model is constructed.")
    if any(each.loaded for each in model.parameters):
        raise Refused(Reason.BY_HAND, "The model's weights come from a checkpoint, whose names a "
                      "new first layer would change.")
    forward = index.forward_of(model.kind)
    if forward is not None and forward[1].args.args[1:]:
        source, function = forward
        outer = source.class_of(function)
        setup = next((each for each in outer.body if isinstance(each, Function)
                      and each.name == "__init__"), None) if outer else None
        if setup is not None:
            code, needs = layer_code(index, source, edit.layer)
            given = function.args.args[1].arg
            return [Patch(edit, (
                *change.at_end(source, setup.body, f"self.input_norm = {code}"),
                *change.first_of_body(source, function, f"{given} = self.input_norm({given})"),
            ), Form.MODEL, needs)]
    found = index.at(model.location, "the construction of the model")
    code, needs = layer_code(index, found.source, edit.layer)
    name, more = spell(index, found.source, "torch.nn.Sequential")
    return [Patch(edit, change.wrap(found.source, found.call, f"{name}({code}, ", ")"),
                  Form.MODEL, tuple(dict.fromkeys((*needs, *more))))]


# Options of layers -------------------------------------------------------------------------------
def write_batch_first(edit: BatchFirst, record: Record, index: Index) -> list[Patch]:
    """At the construction of the layer."""
    splices: list[Splice] = []
    layers = layers_meant(record, edit.layer)
    for location in dict.fromkeys(layer.location for layer in layers):
        found = index.at(location, f"the construction of {edit.layer}")
        made = names.called(found.call)
        if made not in torch_api.AXIS_FOR_PARTS:
            places_of(record, index, layers)
        splices += change.set_argument(found.source, found.call, "batch_first", "True",
                                       torch_api.position(made, "batch_first"))
    return [Patch(edit, tuple(splices), Form.LITERAL)]


WRITERS = {ReplaceLayer: write_replace, RemoveLayer: write_remove, InsertLayer: write_insert,
           LayerArgument: write_layer_argument,
           BatchFirst: write_batch_first}
