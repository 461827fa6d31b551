"""Axes of tensors that a view or reshape was to swap, and that it cuts up anew."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from unstuck.record.reader import Record
from unstuck.repair import change, names
from unstuck.repair.cannot import Reason, Refused
from unstuck.repair.index import Found, Index
from unstuck.repair.patch import Form, Patch
from unstuck.repair.text import Splice
from unstuck.schema.edits import MoveChannels, SwapAxes

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
        methods = f".permute({', '.join(map(str, edit.order))}).reshape({text})"
        return [Patch(edit, _in_its_place(found, _reshaped(found), methods), Form.CALL)]
    return [Patch(edit, _in_its_place(found, _reshaped(found), ".transpose(0, 1)"), Form.CALL)]


def write_move_channels(edit: MoveChannels, record: Record, index: Index) -> list[Patch]:
    """The only reshape to these images gets its axes in the order that the numbers have."""
    channels, height, width = edit.shape
    calls = [Found(source, call) for name in _RESHAPING for source, call in index.calls(name)
             if _ends_with(call, edit.shape)]
    if len(calls) != 1:
        raise Refused(Reason.UNKNOWN_FORM, "No single view or reshape in the text makes images of "
                      f"{channels} × {height} × {width}.")
    found = calls[0]
    tensor = _reshaped(found)
    before = ", ".join(["-1", *map(str, (height, width, channels))])
    # An array of numpy has no permute; two swaps do the same to both kinds.
    turned = ".permute(0, 3, 1, 2)" if _is_tensor(index, found) else (
        ".swapaxes(1, 3).swapaxes(2, 3)")
    return [Patch(edit, _in_its_place(found, tensor, f".reshape({before}){turned}"), Form.DATA)]


def _ends_with(call: ast.Call, shape: tuple[int, ...]) -> bool:
    """Whether a call asks for a batch of this shape, with numbers that are written out."""
    given = list(call.args)
    if len(given) == 1 and isinstance(given[0], ast.Tuple):
        given = given[0].elts
    return len(given) >= 4 and [*_numbers(given[-3:])] == [*shape]


def _numbers(nodes: list[ast.expr]) -> Iterator[int]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            yield node.value


def _is_tensor(index: Index, found: Found) -> bool:
    """Whether what is reshaped is surely a tensor: in a class that has a forward pass."""
    outer = found.source.class_of(found.call)
    return outer is not None and index.forward_of(outer.name) is not None


WRITERS = {SwapAxes: write_swap_axes, MoveChannels: write_move_channels}
