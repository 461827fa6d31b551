"""Axes of tensors: those that a view or reshape was to swap, and that of a softmax."""

from __future__ import annotations

import ast

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.follow import DEEPEST, hop
from unstuck.repair.functions import function_at
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Check, Form, Patch
from unstuck.repair.text import Source, Splice
from unstuck.schema.edits import KeepSamples, MoveChannels, SoftmaxAxis, SwapAxes

_RESHAPING = ("view", "reshape")


def _reshaped(found: Found) -> ast.expr:
    """The tensor whose method reshapes it. Raises Refused if the call does something else."""
    call = found.call
    if names.called(call) not in _RESHAPING or not isinstance(call.func, ast.Attribute):
        raise Refused(Reason.UNKNOWN_FORM, "The expression at this place is not a view or reshape.")
    if names.dotted(call.func) in ("torch.reshape", "np.reshape", "numpy.reshape"):
        return call.args[0]
    return call.func.value


def _in_its_place(found: Found, tensor: ast.expr, methods: str) -> tuple[Splice, ...]:
    start, end = found.source.span(found.call)
    return (Splice(found.source.name, start, end,
                   f"{change.operand(found.source, tensor)}{methods}"),)


def write_swap_axes(edit: SwapAxes, record: Record, index: Index) -> list[Patch]:
    """A transpose in the place of the view, or the axes in another order before it."""
    found = index.at(edit.at, "the view")
    if edit.order:
        shape = found.call.args[_reshaped(found) in found.call.args:]
        if found.call.keywords or not shape:
            raise Refused(Reason.UNKNOWN_FORM, "The shape of this view is given by name.")
        text = ", ".join(found.source.code(size) for size in shape)
        tensor, order = _reshaped(found), f".permute({', '.join(map(str, edit.order))})"
        swapped = _swapped(tensor)
        if edit.order[:2] == (1, 0) and swapped is not None:
            tensor, order = swapped, ""
        return [Patch(edit, _in_its_place(found, tensor, f"{order}.reshape({text})"), Form.CALL)]
    return [Patch(edit, _in_its_place(found, _reshaped(found), ".transpose(0, 1)"), Form.CALL)]


def _swapped(node: ast.expr) -> ast.expr | None:
    """The tensor of which an expression swaps the first two axes; None if it does not."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and (
        node.func.attr in ("transpose", "swapaxes")
        and [each.value for each in node.args if isinstance(each, ast.Constant)] == [0, 1]
    ):
        return node.func.value
    return None


def write_move_channels(edit: MoveChannels, record: Record, index: Index) -> list[Patch]:
    """The reshape to these images or series gets its axes in the order of the numbers."""
    found = _shaping(edit, index)
    tensor = _reshaped(found)
    one = len(_asked(found.call)) == len(edit.shape)  # a sample
    channels, *rest = edit.shape
    before = ", ".join([*([] if one else ["-1"]), *map(str, (*rest, channels))])
    axes = range(len(edit.shape)) if one else range(1, len(edit.shape) + 1)
    # An array of numpy has no permute; swaps do the same to both kinds.
    if _is_tensor(index, found):
        order = (*range(axes[0]), axes[-1], *axes[:-1])
        turned = f".permute({', '.join(map(str, order))})"
    else:
        turned = "".join(f".swapaxes({k}, {axes[-1]})" for k in axes[:-1])
    return [Patch(edit, _in_its_place(found, tensor, f".reshape({before}){turned}"), Form.DATA)]


def _shaping(edit: MoveChannels, index: Index) -> Found:
    """The reshape that they pass through last, else the only one in the text to their shape."""
    if edit.at is not None:
        last = index.at(edit.at, "the reshape")
        if isinstance(last.node, ast.Call) and names.called(last.call) in _RESHAPING and (
                len(_asked(last.call)) in (len(edit.shape), len(edit.shape) + 1)):
            return last
    calls = [Found(source, call) for name in _RESHAPING for source, call in index.calls(name)
             if _ends_with(Found(source, call), edit.shape, index)]
    if len(calls) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "No single view or reshape in the text makes {} of "
                      "{}.".format("series" if len(edit.shape) == 2 else "images",
                                   " × ".join(map(str, edit.shape))))
    return calls[0]


def _asked(call: ast.Call) -> list[ast.expr]:
    """The sizes that a call asks for."""
    given = list(call.args)
    if len(given) == 1 and isinstance(given[0], ast.Tuple):
        return given[0].elts
    return given


def _ends_with(found: Found, shape: tuple[int, ...], index: Index) -> bool:
    """Whether a call asks for a sample or a batch of this shape, with numbers that are known."""
    given = _asked(found.call)
    return len(given) in (len(shape), len(shape) + 1) and [
        _number(index, found.source, size) for size in given[-len(shape):]] == [*shape]


def _number(index: Index, source: Source, node: ast.expr) -> int | None:
    """A whole number that is written out, there or where a name was given it."""
    for _ in range(DEEPEST):
        if isinstance(node, ast.Constant):
            return node.value if type(node.value) is int else None
        origin = hop(index, source, node)
        if origin is None:
            return None
        source, node = origin.source, origin.node
    return None


def _is_tensor(index: Index, found: Found) -> bool:
    """Whether what is reshaped is surely a tensor: by a view, in a class with a forward pass, or
    where torch makes it."""
    if names.called(found.call) == "view":
        return True
    origin = hop(index, found.source, _reshaped(found))
    if origin is not None and any(names.dotted(each.func).startswith("torch.")
                                  for each in ast.walk(origin.node) if isinstance(each, ast.Call)):
        return True
    outer = found.source.class_of(found.call)
    return outer is not None and index.forward_of(outer.name) is not None


def write_axis(edit: SoftmaxAxis, record: Record, index: Index) -> list[Patch]:
    """The dimension of a softmax, as a function, a method or a layer."""
    found = index.at(edit.at, "the softmax")
    node = found.node
    held = [each for each in ast.walk(node) if isinstance(each, ast.Call)
            and (origin := hop(index, found.source, each.func)) is not None
            and isinstance(origin.node, ast.Call)
            and "softmax" in names.called(origin.node).lower()]
    if len(held) == 1:
        found = Found(found.source, held[0])
    elif not (isinstance(node, ast.Call) and "softmax" in names.called(node).lower()):
        found = function_at(index, edit.at, "softmax")
    built = hop(index, found.source, found.call.func)
    if built is not None and isinstance(built.node, ast.Call):  # a layer that an attribute holds
        found = Found(built.source, built.node)
    call = found.call
    layer = names.called(call)[:1].isupper()
    method = isinstance(call.func, ast.Attribute) and not layer and index.spelled(
        found.source, "torch") is not None and not names.dotted(call.func).startswith(
        ("torch.", "F.", "nn."))
    place = 0 if layer or method else 1
    return [Patch(edit, change.set_argument(found.source, call, "dim", str(edit.dim), place),
                  Form.LITERAL, checks=(Check("loss.softmax_dimension", "", str(edit.dim)),)
                  if edit.dim >= 0 else ())]


def write_keep_samples(edit: KeepSamples, record: Record, index: Index) -> list[Patch]:
    """The letter of the batch behind the arrow, and in each einsum that takes such a result."""
    found = index.at(edit.at, "the product")
    source = found.source
    spelled, text = _equation(found.node) or (None, "")
    operands, _, result = text.partition("->")
    first, _, second = operands.partition(",")
    if spelled is None or not first or first[0] not in second or first[0] in result:
        raise Refused(Reason.UNKNOWN_FORM, "Only an einsum of two tensors that leaves the first "
                      "letter out has a form for this.")
    kept = first[0] + result
    splices = [*_spelled(source, spelled, f"{operands}->{kept}")]
    for node in ast.walk(source.function(found.node) or source.tree):
        other, text = _equation(node) or (None, "")
        taken, arrow, made = text.partition("->")
        if other is not None and other is not spelled and result in taken.split(","):
            parts = [kept if part == result else part for part in taken.split(",")]
            splices += _spelled(source, other, ",".join(parts) + arrow + made)
    return [Patch(edit, tuple(splices), Form.LITERAL)]


def _spelled(source: Source, node: ast.expr, text: str) -> tuple[Splice, ...]:
    """A text in the quotes of another, and in its place."""
    quote = source.code(node)[0]
    return change.replace(source, node, f"{quote}{text}{quote}")


def _equation(node: ast.AST) -> tuple[ast.expr, str] | None:
    """The equation of an einsum that is written out without blanks."""
    if isinstance(node, ast.Call) and names.called(node) == "einsum" and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and (
                " " not in first.value):
            return first, first.value
    return None


WRITERS = {SwapAxes: write_swap_axes, MoveChannels: write_move_channels, SoftmaxAxis: write_axis,
           KeepSamples: write_keep_samples}
