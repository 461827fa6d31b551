"""Follows the data through a step that is computed again: every value that depends on the inputs.

Inside of models too: an operation has the line of the program that asks for it, or, where a
container of torch does, the line where its layer was built.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from unstuck.asking.tape import Batch, is_parameter, play, tensors_of
from unstuck.observe.source.sites import Site, Sites

LARGEST_COPY = 4_000_000  # elements
_UNTOLD = frozenset({"size", "dim", "numel", "is_floating_point", "stride", "__len__",
                     "detach_", "requires_grad_"})
# Operations that relate samples to each other.
_REDUCING = frozenset({"mean", "std", "var", "var_mean", "std_mean", "sum", "norm", "amax", "amin",
                       "max", "min", "logsumexp", "batch_norm", "median", "vector_norm"})
_INDEXING = frozenset({"__getitem__", "index_select", "gather", "index_add", "index_add_",
                       "scatter_add", "scatter_add_", "scatter", "scatter_reduce", "take"})
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "einsum", "__matmul__", "__rmatmul__", "baddbmm",
                       "cdist", "sparse_mm"})


@dataclass(frozen=True, slots=True)
class Value:
    """What an operation made of the inputs. `parents` are the numbers of the values it used.

    `key` is the same in every batch for the same operation of the program. `learns` says whether
    a gradient can come back through it, `could` whether one could have: something that it was made
    of learns. `used` are the identities of parameters among that. `sources` are the shapes of the
    tensors it was made of that are none of the values.
    """

    number: int
    key: tuple[Any, ...]
    name: str
    tensor: torch.Tensor
    site: Site | None
    layer: nn.Module | None
    parents: tuple[int, ...]
    learns: bool = False
    could: bool = False
    used: tuple[int, ...] = ()
    sources: tuple[tuple[int, ...], ...] = ()
    axis: int | None = None  # along which it was reduced, or normalised


@dataclass(slots=True)
class Flow(TorchFunctionMode):  # type: ignore[misc]
    """The values of one step, in order."""

    sites: Sites
    built: Callable[[nn.Module], Site | None]
    values: list[Value] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # of values, by tensor
    kept: list[Any] = field(default_factory=list)  # so that identities stay theirs
    layers: list[nn.Module] = field(default_factory=list)
    counts: dict[Any, int] = field(default_factory=dict)
    outer: Site | None = None
    # What is made of parameters alone: their identities, by tensor; and what cuts them off.
    made_of: dict[int, tuple[int, ...]] = field(default_factory=dict)
    cuts: dict[int, tuple[str, Site | None]] = field(default_factory=dict)
    slots: dict[int, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        TorchFunctionMode.__init__(self)

    def begins_with(self, tensors: Iterable[torch.Tensor]) -> None:
        """The inputs, which are the first values."""
        for number, tensor in enumerate(tensors):
            self.numbers[id(tensor)] = number
            self.values.append(Value(
                number, ("input", number), "input", tensor.detach().clone(), None, None, ()))

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Notes what is made of a value."""
        kwargs = kwargs or {}
        parents = tuple(self.numbers[id(each)] for each in tensors_of((args, kwargs))
                        if id(each) in self.numbers)
        result = function(*args, **kwargs)
        name = _name(function)
        if name in _UNTOLD:
            return result
        if not parents:
            self._note_parameters(name, result, args, kwargs)
            return result
        if name == "__setitem__":
            result_of: Any = args[0]
        else:
            result_of = result
        site = self._site()
        for tensor in tensors_of(result_of):
            self._note(name, tensor, site, parents, args, kwargs)
        return result

    def _parameters(self, given: Iterable[torch.Tensor]) -> tuple[int, ...]:
        """The identities of parameters among tensors, and of those that they are made of."""
        found = (self.made_of.get(id(each), (id(each),) if is_parameter(each) else ())
                 for each in given)
        return tuple(number for numbers in found for number in numbers)

    def _note_parameters(self, name: str, result: Any, args: Any, kwargs: Any) -> None:
        used = self._parameters(tensors_of((args, kwargs)))
        for tensor in tensors_of(result) if used else ():
            self.kept.append(tensor)
            self.made_of[id(tensor)] = used
            if not tensor.requires_grad and tensor.is_floating_point():
                for number in used:
                    self.cuts.setdefault(number, (name, self._site()))

    def _note(self, name: str, tensor: torch.Tensor, site: Site | None, parents: tuple[int, ...],
              args: Any, kwargs: Any) -> None:
        layer = self.layers[-1] if self.layers else None
        place = (site or self.outer, name, id(layer))
        count = self.counts[place] = self.counts.get(place, 0) + 1
        given = list(tensors_of((args, kwargs)))
        axis = kwargs.get("dim", next((each for each in args[1:2] if isinstance(each, int)), None))
        self.numbers[id(tensor)] = len(self.values)
        self.kept.append(tensor)
        self.values.append(Value(
            len(self.values), (*place, count), name, _copy(tensor), site, layer, parents,
            tensor.requires_grad, any(each.requires_grad for each in given),
            self._parameters(given),
            tuple(tuple(each.shape) for each in given if id(each) not in self.numbers),
            axis if isinstance(axis, int) else None))

    def _site(self) -> Site | None:
        """The program's innermost frame within this step, else where the layer was built."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not play.__code__:
            if self.sites.is_user(frame.f_code.co_filename):
                return self.sites._site(frame)
            frame = frame.f_back
        for layer in reversed(self.layers):
            found = self.built(layer)
            if found is not None:
                return found
        return self.outer

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follows what is computed within."""
        def enter(module: nn.Module, args: Any) -> None:
            self.layers.append(module)

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            self.layers.pop()

        before = nn.modules.module.register_module_forward_pre_hook(enter)
        after = nn.modules.module.register_module_forward_hook(leave, always_call=True)
        try:
            with self:
                yield
        finally:
            before.remove()
            after.remove()


def _name(function: Any) -> str:
    """What a function is called; of reading an attribute the attribute."""
    name = str(getattr(function, "__name__", ""))
    return str(getattr(function.__self__, "__name__", name)) if name == "__get__" else name


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    """What is there now: later operations may write into the same memory."""
    tensor = tensor.detach()
    return tensor.clone() if tensor.numel() <= LARGEST_COPY else tensor


def follow(
    batch: Batch, inputs: Iterable[int], sites: Sites, built: Callable[[nn.Module], Site | None],
    swapped: dict[int, torch.Tensor] | None = None,
) -> Flow:
    """The values of a step in order, with its inputs first; and those of its slots."""
    flow = Flow(sites, built)
    given = {**batch.constants, **(swapped or {})}
    # Fresh objects: a constant may serve as an input and as a target.
    begun = {number: given[number].view_as(given[number]) for number in inputs}
    flow.begins_with(begun.values())
    with flow.following():
        flow.slots = play(batch, {**given, **begun}, note=flow)
    return flow


def cut_behind(value: Value, children: dict[int, list[Value]]) -> Value | None:
    """The first value behind one through which no gradient comes back, though one could."""
    waiting, seen = [value], {value.number}
    while waiting:
        now = waiting.pop(0)
        if now.could and not now.learns:
            return now
        for child in children.get(now.number, ()):
            if child.number not in seen:
                seen.add(child.number)
                waiting.append(child)
    return None


def meant(value: Value, values: list[Value], samples: int) -> str:
    """How an operation means to let samples depend on each other, "" if it does not."""
    waiting = [values[number] for number in value.parents]
    over = [each for each in (value, *waiting) if each.name in _REDUCING]
    if over:
        return "it takes a statistic over the batch"
    if value.name in _INDEXING and any(len(shape) > 0 for shape in value.sources):
        return "it picks samples by an index"
    if value.name in _PRODUCTS and (len(value.parents) > 1 or any(
            shape.count(samples) > 1 for shape in value.sources)):
        return "it multiplies by a matrix that relates samples"
    if value.name == "batch_norm":
        return "it takes a statistic over the batch"
    return ""
