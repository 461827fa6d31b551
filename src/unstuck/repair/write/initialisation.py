"""How weights start: another initialisation, or PyTorch's own."""

from __future__ import annotations

import ast

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Need, Patch
from unstuck.repair.places import beside_optimizer, layers_meant, model_of, path_of, spell
from unstuck.repair.plain_weights import WEIGHTED, drawn_anew
from unstuck.repair.text import Function, Splice
from unstuck.schema.edits import DefaultInitialisation, InitialiseLayer
from unstuck.schema.facts.models import STAND_IN, Initialisation, Layer, Model


def write_initialise(edit: InitialiseLayer, record: Record, index: Index) -> list[Patch]:
    """Where the program sets these weights; else in front of the optimizer, behind everything that
    may set them before.
    """
    if edit.layer:
        layers = layers_meant(record, edit.layer)
        if not layers:
            raise Refused(Reason.NO_PLACE, f"The record has no layer {edit.layer}.")
        model = model_of(record, layers[0].name)
    else:
        model = next(iter(record.facts(Model)), None) or _refuse()
        layers = [layer for layer in model.layers if layer.role in WEIGHTED]
    own = _in_place(edit, record, index, layers)
    if own is not None:
        return [own]
    if model.kind == STAND_IN:
        return [Patch(edit, drawn_anew(record, index, model, layers, edit.scheme),
                      Form.ARGUMENT)]
    near, held, late = beside_optimizer(record, index, model)
    name, needs = spell(index, near.source, f"torch.nn.init.{edit.scheme}")
    zeros, more = spell(index, near.source, "torch.nn.init.zeros_")
    lines: list[str] = []
    if edit.layer or any(_matrix(record, layer) != "weight" for layer in layers):
        for layer in layers:
            path = path_of(record, model, layer, held)
            lines.append(f"{name}({path}.{_matrix(record, layer)})")
            if any(each.endswith("bias") for each in layer.parameters):
                lines.append(f"{zeros}({path}.bias)")
    else:
        kinds = sorted({layer.kind for layer in layers})
        spelled = [spell(index, near.source, f"torch.nn.{kind}") for kind in kinds]
        needs = (*needs, *(need for _, each in spelled for need in each))
        meant = spelled[0][0] if len(spelled) == 1 else f"({', '.join(s for s, _ in spelled)})"
        lines += [f"for layer in {held}.modules():", f"    if isinstance(layer, {meant}):",
                  f"        {name}(layer.weight)"]
        if all(any(each.endswith("bias") for each in layer.parameters) for layer in layers):
            lines.append(f"        {zeros}(layer.bias)")
    code = "\n".join(lines)
    put = change.after if late else change.before
    return [Patch(edit, put(near.source, near.statement, code), Form.STATEMENT,
                  tuple(dict.fromkeys((*needs, *more))))]


def _in_place(edit: InitialiseLayer, record: Record, index: Index, layers: list[Layer]
              ) -> Patch | None:
    """The scheme in the place of constants in the program's own calls; None if there are none."""
    weights = {f"{layer.name}.{_matrix(record, layer)}" for layer in layers}
    facts = [fact for fact in record.facts(Initialisation) if fact.name in weights
             and not fact.function.startswith(("xavier_", "kaiming_"))]
    calls = {found.node: found for fact in facts if fact.location is not None
             for found in [index.at(fact.location, "the initialisation")]}
    if not calls or any(
            not isinstance(found.node, ast.Call) or not found.node.args
            or names.called(found.node) not in torch_api.INITIALISERS for found in calls.values()):
        return None
    splices: list[Splice] = []
    needs: tuple[Need, ...] = ()
    for found in calls.values():
        name, more = spell(index, found.source, f"torch.nn.init.{edit.scheme}")
        splices += change.replace(
            found.source, found.node, f"{name}({found.source.code(found.call.args[0])})")
        needs = (*needs, *more)
    return Patch(edit, tuple(splices), Form.CALL, tuple(dict.fromkeys(needs)))


def _matrix(record: Record, layer: Layer) -> str:
    """What a layer calls its weights: those of the program's own may have another name."""
    known = record.parameters()
    own = [name.rpartition(".")[2] for name in layer.parameters
           if name in known and len(known[name].shape) > 1]
    return own[0] if len(own) == 1 else "weight"


def _refuse() -> Model:
    raise Refused(Reason.NO_PLACE, "The record has no model.")


# PyTorch's own -----------------------------------------------------------------------------------
def write_default(edit: DefaultInitialisation, record: Record, index: Index) -> list[Patch]:
    """Without the statements that set the weights, and what is around them alone."""
    layers = {layer.name for layer in layers_meant(record, edit.layer)} or {edit.layer}
    facts = [fact for fact in record.facts(Initialisation) if fact.location is not None
             and (not edit.layer or fact.name.rpartition(".")[0] in layers)]
    if not facts:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the weights are set.")
    splices: list[Splice] = []
    for location in dict.fromkeys(fact.location for fact in facts):
        found = index.at(location, "the initialisation")
        splices += _removed(index, found)
    return [Patch(edit, tuple(dict.fromkeys(splices)), Form.STATEMENT)]


def _sets(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but set weights."""
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return names.called(call) in torch_api.INITIALISERS or names.called(call) in (
                "copy_", "fill_", "zero_", "mul_")
        case ast.If(orelse=[]) | ast.For(orelse=[]) | ast.With():
            return all(map(_sets, statement.body))
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
    return False


def _removed(index: Index, found: Found) -> tuple[Splice, ...]:
    source, statement = found.source, found.statement
    while isinstance(outer := source.parents[statement], ast.If | ast.For | ast.With) and (
            _sets(outer)):
        statement = outer
    outer = source.parents[statement]
    if isinstance(outer, Function) and all(map(_sets, outer.body)):
        applied = [(where, where.statement(call)) for where, call in index.calls("apply")
                   if call.args and names.dotted(call.args[0]).rpartition(".")[2] == outer.name]
        applied += [(where, where.statement(call)) for where, call in index.calls(outer.name)]
        if applied and all(isinstance(each, ast.Expr) for _, each in applied):
            return tuple(s for where, each in applied for s in change.remove(where, each))
    return change.remove(source, statement)


WRITERS = {InitialiseLayer: write_initialise, DefaultInitialisation: write_default}
