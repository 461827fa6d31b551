"""Reads from a program's text what a watched run of it would have recorded.

It knows plain programs only: what is called `nn.X(...)` is a layer, `optim.X(...)` an optimizer.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from unstuck import torch_api
from unstuck.record.reader import Record
from unstuck.repair import names
from unstuck.repair.change import argument
from unstuck.repair.text import Source
from unstuck.repair.values import constant
from unstuck.schema.facts.data import Loader
from unstuck.schema.facts.losses import Backward, Loss
from unstuck.schema.facts.models import Activation, Layer, LayerRole, Model, Parameter
from unstuck.schema.facts.optimizers import Clipping, Optimizer, Scheduler
from unstuck.schema.facts.run import Program
from unstuck.schema.places import SourceLocation

OPTIMIZERS = {name for name, declared in torch_api.ARGUMENTS.items() if declared[:2] == (
    "params", "lr")}
ROLES = {
    "Linear": LayerRole.LINEAR, "Conv1d": LayerRole.CONVOLUTION, "Conv2d": LayerRole.CONVOLUTION,
    "GRU": LayerRole.RECURRENT, "LSTM": LayerRole.RECURRENT, "RNN": LayerRole.RECURRENT,
    "ReLU": LayerRole.ACTIVATION, "Sigmoid": LayerRole.ACTIVATION, "Tanh": LayerRole.ACTIVATION,
    "Softmax": LayerRole.ACTIVATION, "LogSoftmax": LayerRole.ACTIVATION,
    "Dropout": LayerRole.DROPOUT, "BatchNorm1d": LayerRole.NORMALISATION,
    "BatchNorm2d": LayerRole.NORMALISATION, "LayerNorm": LayerRole.NORMALISATION,
    "Sequential": LayerRole.CONTAINER, "Flatten": LayerRole.OTHER,
}
FUNCTIONS = ("relu", "sigmoid", "tanh", "softmax", "log_softmax", "clamp")
MODULES = {"CosineEmbeddingLoss": "cosine_embedding_loss",
           "CrossEntropyLoss": "cross_entropy", "MSELoss": "mse_loss", "NLLLoss": "nll_loss",
           "BCELoss": "binary_cross_entropy", "BCEWithLogitsLoss":
           "binary_cross_entropy_with_logits"}


def place(source: Source, node: ast.expr | ast.stmt) -> SourceLocation:
    """The location of a node, as a record has it."""
    start, end = source.span(node)
    first, last = source.line_of(start), source.line_of(end)
    return SourceLocation(
        source.name, first, start - source.position(first, 0) + 1,
        last, end - source.position(last, 0) + 1, source.lines[first - 1])


def at(sources: Iterable[Source], snippet: str) -> SourceLocation:
    """The location of the first expression or statement with this text."""
    for source in sources:
        found = [node for node in ast.walk(source.tree) if isinstance(node, ast.expr | ast.stmt)
                 and source.code(node) == snippet]
        if found:
            first = min(found, key=lambda node: (source.span(node), isinstance(node, ast.stmt)))
            return place(source, first)
    raise AssertionError(f"{snippet} is in no source")


def read(sources: list[Source], values: Mapping[str, Any]) -> Record:
    """The record of a program. `values` has what the text alone does not say: `lr`, `steps`."""
    calls = [(source, node) for source in sources for node in ast.walk(source.tree)
             if isinstance(node, ast.Call)]
    calls.sort(key=lambda pair: (sources.index(pair[0]), pair[0].span(pair[1])))
    record = Record("0" * 32, "0", steps=values.get("steps", 0))
    optimizers: list[Optimizer] = []
    for source, call in calls:
        kind = names.called(call)
        if kind not in OPTIMIZERS and kind != values.get("factory"):
            continue
        kind = values.get("kind", kind)
        number = f"-{len(optimizers) + 1}" if optimizers else ""
        rate = values.get("lr", _number(call, "lr", 1))
        for each in rate if isinstance(rate, list) else [rate]:
            number = f"-{len(optimizers) + 1}" if optimizers else ""
            optimizers.append(Optimizer(
                f"{kind}{number}", kind, place(source, call), each,
                _number(call, "momentum", 2) or 0.0, _number(call, "weight_decay", 4) or 0.0, ()))
    found: list[Any] = [
        *optimizers,
        *(Backward(place(s, c)) for s, c in calls if names.called(c) == "backward"),
        *(Loader(f"loader at line {c.lineno}", place(s, c), 32, "", 100, 0)
          for s, c in calls if names.called(c) == "DataLoader"),
        *(Clipping(names.called(c), place(s, c), _number(c, "max_norm", 1) or 1.0)
          for s, c in calls if names.called(c).startswith("clip_grad_")),
        *(Scheduler(f"{names.called(c)}", names.called(c), "SGD", place(s, c), None)
          for s, c in calls if names.called(c).endswith("LR")),
        *(Activation(f"x > {names.called(c)}", place(s, c), names.called(c))
          for s, c in calls if names.called(c) in FUNCTIONS),
        *_losses(calls, values),
    ]
    if "argv" in values:
        found.append(Program(tuple(values["argv"]), "", "", "", ()))
    model = _model(sources, calls, values)
    given = values.get("more", ())
    found += [model] if model else []
    return record.hold(
        *(fact for fact in found if type(fact) not in map(type, given)), *given)


def _number(call: ast.Call, name: str, position: int) -> float | None:
    given = argument(call, name, position)
    return None if given is None else constant(given)


def _losses(calls: list[tuple[Source, ast.Call]], values: Mapping[str, Any]) -> Iterable[Loss]:
    built = {MODULES[names.called(c)]: place(s, c) for s, c in calls if names.called(c) in MODULES}
    for source, call in calls:
        name = names.called(call)
        function = name if name in torch_api.LOSSES else None
        where = None
        if name in ("criterion", "loss_fn", "loss_function") and built:
            function, where = next(iter(built.items()))
        if isinstance(call.func, ast.Call) and names.called(call.func) in MODULES:
            function = MODULES[names.called(call.func)]
            where = place(source, call.func)
        if function is not None:
            yield Loss(function, function, False, place(source, call),
                       values.get("input_shape", (32, 10)), values.get("target_shape", (32,)),
                       "int64", "mean", built=where)


def _model(sources: list[Source], calls: list[tuple[Source, ast.Call]],
           values: Mapping[str, Any]) -> Model | None:
    classes = {node.name for source in sources for node in ast.walk(source.tree)
               if isinstance(node, ast.ClassDef)
               and any(names.last_name(base) in ("Module", "Sequential") for base in node.bases)}
    layers = [_layer(source, call) for source, call in calls if names.called(call) in ROLES
              and names.called(call) != "Sequential"]
    for source, call in calls:
        kind = names.called(call)
        statement = source.statement(call)
        top = (isinstance(statement, ast.Assign) and statement.value is call
               and names.dotted(statement.targets[0]) in ("model", "net", "self.model", "self.net"))
        if (kind in classes and kind != "super") or (kind in ROLES and top):
            called = next(((s, c) for s, c in calls if names.dotted(c.func) in (
                "model", "net", "self.model", "self.net")), None)
            own = Layer("model", kind, LayerRole.CONTAINER, place(source, call))
            parameters = tuple(
                Parameter(f"{layer.name}.weight", layer.name, shape, True)
                for layer, shape in ((layer, values.get("shapes", {}).get(layer.name, ()))
                                     for layer in layers if layer.parameters))
            return Model("model", kind, place(source, call),
                         None if called is None else place(*called), (own, *layers), parameters)
    return None


def _layer(source: Source, call: ast.Call) -> Layer:
    kind = names.called(call)
    name, node = "", source.parents[call]
    inner: ast.AST = call
    while isinstance(node, ast.Call | ast.List):
        elements = node.args if isinstance(node, ast.Call) else node.elts
        index = next((i for i, each in enumerate(elements) if each is inner), 0)
        name = f"{index}.{name}" if name else str(index)
        inner, node = node, source.parents[node]
        if isinstance(inner, ast.List) and isinstance(node, ast.Call):
            inner, node = node, source.parents[node]
    target = names.dotted(node.targets[0]) if isinstance(node, ast.Assign) else ""
    held = target.removeprefix("self.") if target not in ("model", "net", "layers") else ""
    name = ".".join(filter(None, (held, name)))
    role = ROLES[kind]
    weighted = role not in (LayerRole.ACTIVATION, LayerRole.DROPOUT, LayerRole.OTHER)
    return Layer(name, kind, role, place(source, call),
                 (f"{name}.weight", f"{name}.bias") if weighted else ())
