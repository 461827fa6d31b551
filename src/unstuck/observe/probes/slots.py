"""Whether what a layer takes as one sample is pasted together from several of the model's input."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from types import CodeType
from typing import Any

import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.naming import unwrapped
from unstuck.observe.source.sites import Site, expression_at, syntax_tree
from unstuck.observe.tensors import is_plain
from unstuck.schema.facts.models import Pasted
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.batches import PASTED_SHARE

ELEMENT_LIMIT = 200_000  # of an input; a larger one is not looked at
STEPS = 3  # first steps that are looked at
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a tensor lies in memory: numbers only, no reference to it."""

    storage: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    layout: _Layout
    axis: int  # along which the layer takes its samples
    stack: tuple[Site, ...]  # the user's call sites, innermost first


class SlotProbe(Probe):
    """Follows the memory of the model's input to the first layer that takes whole samples.

    A view moves no number. If both lie in the same memory, it is exactly known which of the
    model's samples each number of the layer's input belongs to.
    """

    signals = (PASTED_SHARE,)
    facts = (Pasted,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._call: _Call | None = None
        self._found = False

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Notes the first layer that takes whole samples."""
        if not self._moment.learns or self._moment.step >= STEPS or self._found or (
            self._call is not None or not args
        ):
            return
        given = args[0]
        axis = _sample_axis(module, given)
        known = self._names.layer(module) if axis is not None else None
        layout = _layout(given) if known is not None else None
        if known is not None and axis is not None and layout is not None:
            self._call = _Call(known[0], layout, axis, tuple(self._sites.stack()))

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Compares what the model got with what that layer took."""
        step = self._moment.step
        call, self._call = self._call, None
        if call is None or not args or not is_plain(output):
            return
        source = _layout(args[0])
        if source is None or source.storage != call.layout.storage or len(source.shape) < 2:
            return
        size = source.shape[0]
        if size < 3 or call.layout.shape[call.axis] != size or size not in output.shape[:2]:
            return
        mixed = _mixed(source, call)
        if not mixed:
            return
        self._found = True
        self._writer.sample(PASTED_SHARE, step, {call.name: mixed / size})
        self._writer.fact(Pasted(
            call.name, size, mixed, source.shape, call.layout.shape,
            self._location(unwrapped(module), call)), step)

    def _location(self, model: nn.Module, call: _Call) -> SourceLocation | None:
        """The only `view` or `reshape` of the model's code before the layer, else its call."""
        layer = self._sites.location(call.stack[0]) if call.stack else None
        codes = {self._sites.code(site) for site in call.stack}
        inside = [c for c in codes if c.co_name == "forward" or c in _methods(model).values()]
        for code in list(inside):
            inside += [m for name, m in _methods(model).items()
                       if name in code.co_names and m not in inside]
        found = {}
        for code in inside:
            if not self._sites.is_user(code.co_filename):
                continue
            for node in _views(code):
                if layer is None or code.co_filename != layer.file or code not in codes or (
                    node.lineno <= layer.line
                ):
                    found[code.co_filename, node.lineno, node.col_offset] = node
        if len(found) != 1:
            return layer
        (file, _, _), node = next(iter(found.items()))
        return expression_at(file, node, self._sites.keeps_text)


def _sample_axis(module: nn.Module, given: Any) -> int | None:
    """The axis along which a layer takes its samples, None for a layer that has none."""
    if not is_plain(given):
        return None
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention) and given.ndim == 3:
        return 0 if module.batch_first else 1
    if isinstance(module, _CONVOLUTIONS) and given.ndim == len(module.kernel_size) + 2:
        return 0
    return None


def _layout(tensor: Any) -> _Layout | None:
    if not is_plain(tensor) or tensor.layout is not torch.strided or (
        not 0 < tensor.numel() <= ELEMENT_LIMIT or tensor.is_meta
    ):
        return None
    try:
        storage = tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):  # a tensor without storage
        return None
    return _Layout(storage, tensor.storage_offset(), tuple(tensor.shape), tensor.stride())


def _places(layout: _Layout) -> torch.Tensor:
    """The place in memory of each number."""
    places = torch.full(layout.shape, layout.offset)
    for axis, (size, stride) in enumerate(zip(layout.shape, layout.strides, strict=True)):
        shape = [1] * len(layout.shape)
        shape[axis] = size
        places += torch.arange(size).reshape(shape) * stride
    return places


def _mixed(source: _Layout, call: _Call) -> int:
    """How many of the layer's samples hold numbers of several samples; 0 if that is not sure."""
    with torch.device("cpu"):
        origin, target = _places(source), _places(call.layout)
        first = int(origin.min())
        last = int(origin.max())
        if int(target.min()) < first or int(target.max()) > last or (
            origin.unique().numel() != origin.numel()
        ):
            return 0
        slots = target.movedim(call.axis, 0).flatten(1) - first
        mixed = 0
        for axis, size in enumerate(source.shape):
            if size != len(slots):
                continue
            shape = [1] * len(source.shape)
            shape[axis] = size
            owner = torch.full((last - first + 1,), -1)
            owner[(origin - first).flatten()] = (
                torch.arange(size).reshape(shape).expand(source.shape).flatten())
            owners = owner[slots]
            if bool((owners < 0).any()):
                return 0
            several = int((owners.amin(1) != owners.amax(1)).sum())
            if not several:
                return 0  # the layer's samples are whole along this axis
            mixed = mixed or several
        return mixed


def _methods(model: nn.Module) -> dict[str, CodeType]:
    """The code of the methods of a model's class, by name."""
    found: dict[str, CodeType] = {}
    for kind in type(model).__mro__:
        if kind is nn.Module:
            break
        for name, value in vars(kind).items():
            code = getattr(value, "__code__", None)
            if isinstance(code, CodeType):
                found.setdefault(name, code)
    return found


def _views(code: CodeType) -> list[ast.Call]:
    """The calls of `view` and `reshape` in a function."""
    tree = syntax_tree(code.co_filename)
    if tree is None:
        return []
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef) and scope.name == code.co_name and min(
            [scope.lineno, *(d.lineno for d in scope.decorator_list)]
        ) == code.co_firstlineno:
            return [node for node in ast.walk(scope) if isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("view", "reshape")]
    return []
