"""Finds in the text what the record speaks of: optimizers, models, steps, backward passes.

Facts of a run come first; where a record lacks them, the text is read, and what stays ambiguous is
refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Need
from unstuck.repair.text import Function, Source
from unstuck.schema.facts.calls import OptimizerCall
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.models import Layer, Model
from unstuck.schema.facts.optimizers import Optimizer


def spell(index: Index, source: Source, name: str) -> tuple[str, tuple[Need, ...]]:
    """How to write a dotted name of torch or NumPy in a source, and the import that it takes."""
    known = index.spelled(source, name)
    if known is not None:
        return known, ()
    module, _, last = name.rpartition(".")
    if any(isinstance(each, ast.ImportFrom) and each.module == module and not each.level
           for each in source.tree.body):  # as the program does with its neighbours
        return last, (Need(source.name, last, f"from {module} import {last}"),)
    head, statement = ("nn", "from torch import nn") if name.startswith("torch.nn.") and (
        not name.startswith("torch.nn.functional.")) else ("torch", "import torch")
    if name.startswith("torch.nn.functional."):
        head, statement = "F", "import torch.nn.functional as F"
        rest = name.removeprefix("torch.nn.functional")
    elif module == "numpy":
        head, statement, rest = "np", "import numpy as np", f".{last}"
    else:
        rest = name.removeprefix("torch.nn" if head == "nn" else "torch")
    return head + rest, (Need(source.name, head, statement),)


def free_name(index: Index, source: Source, wanted: str) -> str:
    """The name, numbered if the source has it already."""
    taken = {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}
    taken |= {node.arg for node in ast.walk(source.tree) if isinstance(node, ast.arg)}
    taken |= {node.name for node in ast.walk(source.tree)
              if isinstance(node, Function | ast.ClassDef)}
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


# Optimizers --------------------------------------------------------------------------------------
def optimizer(record: Record, name: str) -> Optimizer:
    """The optimizer of a name. Raises Refused if the record has none."""
    for each in record.facts(Optimizer):
        if each.name == name:
            return each
    raise Refused(Reason.NO_PLACE, f"The record has no optimizer {name}.")


def construction(record: Record, index: Index, name: str) -> Found:
    """The call that constructs an optimizer. Raises Refused if a library does it."""
    if optimizer(record, name).rate_argument is not None:
        raise Refused(Reason.UNKNOWN_FORM, f"A library constructs {name}.")
    return index.at(optimizer(record, name).location, f"the construction of {name}")


def backwards(record: Record, index: Index) -> list[Found]:
    """The places that start backward passes."""
    found = [index.at(each.location, "the call of backward") for each in record.facts(Backward)]
    if not found:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where backward is called.",
                      ("the line that calls backward",))
    return found


def steps(record: Record, index: Index, name: str) -> list[Found]:
    """The places that call an optimizer's step."""
    known = [each for each in record.facts(OptimizerCall)
             if each.method == "step" and each.optimizer == name]
    if known:
        return [index.at(each.location, f"the step of {name}") for each in known]
    held = _names_of(record, index, name)
    return [
        Found(source, call) for source, call in index.calls("step")
        if isinstance(call.func, ast.Attribute) and (
            (names.dotted(call.func.value) or "?") in held
            or any(names.dotted(each) in held for each in call.args))  # scaler.step(optimizer)
    ]


def _names_of(record: Record, index: Index, name: str) -> set[str]:
    """What an optimizer is called: where it is assigned, and as a parameter it is passed to."""
    found = construction(record, index, name)
    statement = found.statement
    held: set[str] = set()
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is found.node:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        held |= {names.dotted(target) for target in targets} - {""}
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple) and (
            isinstance(statement.value, ast.Tuple)):
        for target, value in zip(statement.targets[0].elts, statement.value.elts, strict=False):
            if value is found.node:
                held.add(names.dotted(target))
    function = found.source.function(found.node)
    if isinstance(statement, ast.Return) and function is not None:  # a factory
        for source, call in index.callers(found.source, function):
            assigned = source.statement(call)
            if isinstance(assigned, ast.Assign) and assigned.value is call:
                held |= {names.dotted(target) for target in assigned.targets} - {""}
    for _ in range(3):  # functions that it is passed on to
        for source, node in index.nodes(ast.Call):
            assert isinstance(node, ast.Call)
            held |= _parameters_given(index, source, node, found, held)
    return held


def _parameters_given(index: Index, source: Source, call: ast.Call, built: Found,
                      held: set[str]) -> set[str]:
    found: set[str] = set()
    for where, function in index.functions(names.called(call)):
        method = isinstance(where.parents.get(function), ast.ClassDef)
        declared = [each.arg for each in function.args.args][1 if method else 0:]
        given = [*zip(declared, call.args, strict=False),
                 *((k.arg, k.value) for k in call.keywords if k.arg)]
        for parameter, value in given:
            if value is built.node or names.dotted(value) in held:
                found.add(parameter)
                found |= {
                    names.dotted(target)
                    for node in ast.walk(function) if isinstance(node, ast.Assign)
                    and isinstance(node.value, ast.Name) and node.value.id == parameter
                    for target in node.targets if names.dotted(target)}
    return found


def receiver(record: Record, index: Index, name: str, near: Found) -> str:
    """The expression that reaches an optimizer at a place.

    Raises:
        Refused: none is known there.
    """
    here = _functions(near)
    for step in steps(record, index, name):
        call = step.call
        if not isinstance(call.func, ast.Attribute):
            continue
        value: ast.expr = call.func.value
        if call.args and not isinstance(call.args[0], ast.Lambda) and (
                names.dotted(call.args[0]) in _names_of(record, index, name)):
            value = call.args[0]  # scaler.step(optimizer)
        if step.source is near.source and step.source.function(step.node) in here:
            return step.source.code(value)
    built = construction(record, index, name)
    for held in sorted(_names_of(record, index, name)):
        if names.resolve(near.source, near.node, held.partition(".")[0]) and (
                "." not in held or _same_class(built, near)):
            return held
    raise Refused(Reason.NO_PLACE, f"No name for {name} is known at line "
                  f"{near.node.lineno:,} of {near.source.name}.")


def _functions(found: Found) -> list[ast.AST | None]:
    inner = [a for a in found.source.ancestors(found.node) if isinstance(a, Function)]
    return [*inner, None]


def _same_class(first: Found, second: Found) -> bool:
    return first.source is second.source and (
        first.source.class_of(first.node) is second.source.class_of(second.node))


# Models and layers -------------------------------------------------------------------------------
def model_of(record: Record, layer: str) -> Model:
    """The model that has a layer. Raises Refused if none has."""
    for model in record.facts(Model):
        if any(each.name == layer for each in model.layers):
            return model
    raise Refused(Reason.NO_PLACE, f"The record has no layer {layer}.")


def layers_meant(record: Record, name: str) -> list[Layer]:
    """The layer of a name, else all layers of a kind."""
    every = [layer for model in record.facts(Model) for layer in model.layers]
    return ([layer for layer in every if layer.name == name]
            or [layer for layer in every if layer.kind == name])


def model_name(record: Record, index: Index, model: Model, near: Found) -> str:
    """The expression that reaches a model at a place.

    Raises:
        Refused: none is known there.
    """
    within, method = near.source.class_of(near.node), near.source.function(near.node)
    if within is not None and within.name == model.kind and method is not None and (
            method.args.args):
        return method.args.args[0].arg
    for expression in _model_names(index, model):
        head = expression.partition(".")[0]
        if head == "self" and near.source.class_of(near.node) is None:
            continue
        if names.resolve(near.source, near.node, head):
            return expression
    raise Refused(Reason.NO_PLACE, f"No name for the model is known at line "
                  f"{near.node.lineno:,} of {near.source.name}.")


def _model_names(index: Index, model: Model) -> Iterator[str]:
    built = index.at(model.location, "the construction of the model") if model.location else None
    if built is not None:
        statement = built.statement
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            inner: ast.expr = statement.value
            while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and (
                    inner is not built.node):
                inner = inner.func.value  # Net().to(device)
            if inner is built.node or statement.value is built.node:
                yield from filter(None, map(names.dotted, statement.targets))
    if model.call_location is not None:
        called = index.at(model.call_location, "the call of the model")
        if isinstance(called.node, ast.Call):
            dotted = names.dotted(called.node.func)
            if dotted:
                yield dotted


def path_of(record: Record, model: Model, layer: Layer, held: str) -> str:
    """The expression of a layer of a model that is reached as `held`: "net.body[0]"."""
    name = layer.name
    if len(record.facts(Model)) > 1:
        name = name.removeprefix(f"{model.name}.")
    if layer.name == model.name:
        return held
    return held + re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f".{name}")


def beside_optimizer(record: Record, index: Index, model: Model) -> tuple[Found, str, bool]:
    """Where all weights are there and nothing is trained yet, and the model's name there.

    It is in front of the optimizer's construction; else behind the model's, which the last says.
    """
    for fact in record.facts(Optimizer):
        if fact.rate_argument is not None:
            continue
        found = index.at(fact.location, "the construction of the optimizer")
        given = change.argument(found.call, "params", 0)
        if isinstance(given, ast.Call) and isinstance(given.func, ast.Attribute) and (
                given.func.attr == "parameters" and names.dotted(given.func.value)
                and len(record.facts(Model)) == 1):
            return found, names.dotted(given.func.value), False
        try:
            return found, model_name(record, index, model, found), False
        except Refused:
            continue
    found = index.at(model.location, "the construction of the model")
    return found, model_name(record, index, model, found), True


def model_within(found: Found, inner: Found) -> str | None:
    """How the model that is called at `inner` is spelled at `found`, which calls that function.

    None where that cannot be told.
    """
    held = inner.source.code(inner.call.func)
    name, _, rest = held.partition(".")
    if name == "self":
        same = inner.source is found.source and (
            inner.source.class_of(inner.node) is found.source.class_of(found.node))
        return held if same else None
    function = inner.source.function(inner.node)
    given = [] if function is None else [each.arg for each in function.args.args]
    if given[:1] == ["self"] and isinstance(found.call.func, ast.Attribute):
        del given[0]
    if name not in given:
        return None
    place = given.index(name)
    argument = found.call.args[place] if place < len(found.call.args) else next(
        (each.value for each in found.call.keywords if each.arg == name), None)
    if not isinstance(argument, ast.Name | ast.Attribute):
        return None
    return found.source.code(argument) + (f".{rest}" if rest else "")
