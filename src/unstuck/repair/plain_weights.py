"""Weights in plain tensors: the expression that draws them, with another scale."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Index
from unstuck.repair.text import Source, Splice
from unstuck.schema.facts.models import MATMUL, Initialisation, Layer, LayerRole, Model, Parameter

WEIGHTED = (LayerRole.LINEAR, LayerRole.CONVOLUTION)
_MAKERS = frozenset({"randn", "rand", "zeros", "ones", "full", "empty"})
_SCALES = {"kaiming_normal_": "(2 / {inputs}) ** 0.5",
           "xavier_normal_": "(2 / ({inputs} + {units})) ** 0.5"}


def drawn_anew(
    record: Record, index: Index, model: Model, layers: Iterable[Layer], scheme: str
) -> tuple[Splice, ...]:
    """The changes that draw the weights of layers by a scheme, and set their biases to 0.

    Raises:
        Refused: the text does not show how they are made.
    """
    if scheme not in _SCALES:
        raise Refused(Reason.UNKNOWN_FORM, f"{scheme} is not written out for plain tensors.")
    filled = {fact.name for fact in record.facts(Initialisation)}
    found: dict[Splice, None] = {}
    for layer in layers:
        for parameter in model.parameters:
            if parameter.name not in layer.parameters:
                continue
            if parameter.name in filled:
                raise Refused(Reason.UNKNOWN_FORM,
                              f"{parameter.name} is filled anew after it is made.")
            matrix = len(parameter.shape) > 1
            splice = _zero(index, parameter) if not matrix else (
                _drawn(index, layer, parameter, scheme) if layer.role in WEIGHTED else None)
            if splice is not None:
                found[splice] = None
    if not found:
        raise Refused(Reason.NO_PLACE, "unstuck does not know where the weights are made.")
    return tuple(found)


def _drawn(index: Index, layer: Layer, parameter: Parameter, scheme: str) -> Splice:
    scale, made = _SCALES[scheme], _made(index, parameter)
    if made is None:
        return _filled(index, layer, parameter, scheme)
    source, call, whole = made
    sizes = _sizes(call)
    if len(sizes) != len(parameter.shape):
        raise Refused(Reason.UNKNOWN_FORM, f"The sizes of {parameter.name} are not written out.")
    parts = [change.operand(source, size) for size in sizes]
    own, before, *kernel = parts[::-1] if layer.kind == MATMUL else parts
    inputs, units = (" * ".join([side, *kernel]) for side in (before, own))
    if kernel and "+" not in scale:
        inputs = f"({inputs})"
    drawn = f"{_call(source, call, 'randn', sizes)} * {scale.format(inputs=inputs, units=units)}"
    return _in_place_of(source, call, whole, drawn)


def _filled(index: Index, layer: Layer, parameter: Parameter, scheme: str) -> Splice:
    """A tensor of other values, which are drawn anew once it is there."""
    found = index.at(parameter.made, parameter.name)
    torch = index.spelled(found.source, "torch")
    if torch is None or not isinstance(found.node, ast.Call) or len(parameter.shape) != 2:
        raise Refused(Reason.UNKNOWN_FORM, f"The expression that makes {parameter.name} is not "
                      "a call like torch.randn(inputs, units).")
    # Of x @ w the inputs are the rows of w; torch takes them for its columns.
    mode = ', mode="fan_out"' if layer.kind == MATMUL and scheme.startswith("kaiming") else ""
    start, end = found.source.span(found.node)
    return Splice(found.source.name, start, end,
                  f"{torch}.nn.init.{scheme}({found.source.code(found.node)}{mode})")


def _zero(index: Index, parameter: Parameter) -> Splice | None:
    """A bias of zeros; None where it is, or where its making is not known."""
    made = _made(index, parameter)
    if made is None:
        return None
    source, call, whole = made
    if whole is call and names.called(call) == "zeros":
        return None
    return _in_place_of(source, call, whole, _call(source, call, "zeros", _sizes(call)))


def _in_place_of(source: Source, call: ast.Call, whole: ast.expr, text: str) -> Splice:
    start, end = source.span(whole)
    learns = any(keyword.arg == "requires_grad" for keyword in call.keywords)
    parent = source.parents.get(whole)
    if learns or (isinstance(parent, ast.Attribute | ast.BinOp)
                  and not change.is_alone_in_brackets(source, whole)):
        text = f"({text})"
    return Splice(source.name, start, end, f"{text}.requires_grad_()" if learns else text)


def _call(source: Source, call: ast.Call, maker: str, sizes: list[ast.expr]) -> str:
    """A call of another maker, with the same sizes and settings."""
    function = source.code(call.func)
    function = function[:len(function) - len(names.called(call))] + maker
    kept = [f"{keyword.arg}={source.code(keyword.value)}" for keyword in call.keywords
            if keyword.arg in ("device", "dtype") or (
                keyword.arg == "generator" and maker == "randn")]
    first = call.args[0]
    given = [source.code(first)] if isinstance(first, ast.Tuple | ast.List) else [
        source.code(size) for size in sizes]
    return f"{function}({', '.join([*given, *kept])})"


def _sizes(call: ast.Call) -> list[ast.expr]:
    """The sizes that a maker is given, one by one or in a tuple; none if they are not there."""
    given = call.args[:1] if names.called(call) == "full" else call.args
    if len(given) == 1 and isinstance(given[0], ast.Tuple | ast.List):
        given = given[0].elts
    return [] if any(isinstance(each, ast.Starred) for each in given) else list(given)


def _made(index: Index, parameter: Parameter) -> tuple[Source, ast.Call, ast.expr] | None:
    """The call that makes a tensor, and all that sets its first values, scale included."""
    if parameter.made is None:
        return None
    found = index.at(parameter.made, parameter.name)
    source = found.source
    calls = [node for node in ast.walk(found.node)
             if isinstance(node, ast.Call) and names.called(node) in _MAKERS and _sizes(node)]
    if len(calls) != 1:
        return None
    whole: ast.expr = calls[0]
    while whole is not found.node:
        outer = source.parents.get(whole)
        if isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Mult | ast.Div):
            whole = outer
        elif isinstance(outer, ast.Attribute) and outer.attr.endswith("_") and (
            outer.attr != "requires_grad_"
            and isinstance(filled := source.parents.get(outer), ast.Call)
        ):
            whole = filled  # torch.empty(n, m).uniform_(-1, 1)
        elif isinstance(outer, ast.Call) and names.called(outer).endswith("_") and (
            outer.args[:1] == [whole]
        ):
            whole = outer  # nn.init.normal_(torch.empty(n, m))
        else:
            break
    return source, calls[0], whole
