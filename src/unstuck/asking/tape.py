"""Writes down how a training step computes its loss, so that it can be computed again.

Everything that a loss depends on is one of three: a parameter, a constant (the data), or what an
instruction made of these. A call of a model is one instruction, whatever happens inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from unstuck.observe.source.sites import Site, Sites

MOST_INSTRUCTIONS = 20_000  # of one step; longer ones are not asked about
_SETTERS = ("__setitem__", "__set__")


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands for a tensor in the arguments or the result of an instruction."""

    number: int


@dataclass(frozen=True, slots=True)
class State:
    """What holds before a call: gradients, automatic casts, the generator of random numbers."""

    grad: bool
    casts: bool
    kind: torch.dtype
    random: torch.Tensor

    @classmethod
    def now(cls) -> State:
        """What holds."""
        return cls(torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"),
                   torch.get_autocast_dtype("cpu"), torch.get_rng_state())


@dataclass(slots=True)
class Instruction:
    """One call: `arguments` and `result` hold slots for all tensors that are not parameters.

    `model` is the module that was called, None for a function of torch. `state` is what held then.
    """

    name: str
    call: Callable[..., Any]
    arguments: Any
    result: Any
    site: Site | None
    state: State
    model: nn.Module | None


@dataclass(slots=True)
class Batch:
    """One backward pass: the instructions that made its loss, in order, and what they began with.

    `constants` are the tensors of the slots that no instruction makes. `value` is the loss.
    """

    instructions: list[Instruction]
    constants: dict[int, torch.Tensor]
    loss: int
    value: float
    site: Site | None


@dataclass(slots=True)
class _Call:
    name: str
    call: Callable[..., Any]
    args: Any
    kwargs: Any
    result: Any
    site: Site | None
    state: State
    model: nn.Module | None


@dataclass(slots=True)
class Tape(TorchFunctionMode):  # type: ignore[misc]
    """Notes the calls of one step; `batch` makes of them what its loss needs, `clear` forgets."""

    sites: Sites
    depth: int = 0  # of model calls; what happens inside one is not noted
    on: bool = True
    failed: Exception | None = None
    calls: list[_Call] = field(default_factory=list)
    made: set[int] = field(default_factory=set)  # identities of tensors that a call made

    def __post_init__(self) -> None:
        TorchFunctionMode.__init__(self)

    def clear(self) -> None:
        """Forgets the step."""
        self.calls.clear()
        self.made.clear()

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Calls a function of torch, and notes it if it depends on a parameter or a model."""
        kwargs = kwargs or {}
        if not self.on or self.depth or len(self.calls) > MOST_INSTRUCTIONS:
            return function(*args, **kwargs)
        if not any(self._depends(each) for each in tensors_of((args, kwargs))):
            return function(*args, **kwargs)
        state = State.now()
        result = function(*args, **kwargs)
        with self.border():
            name = str(getattr(function, "__name__", ""))
            made = next(tensors_of((args, kwargs)), None) if changes(name) else result
            if isinstance(made, torch.Tensor) and is_parameter(made):
                return result  # an initialisation, for instance
            if any(True for _ in tensors_of(made)):
                self.note(_Call(
                    name, function, args, kwargs, made, self.sites.called_from(2), state, None))
        return result

    def _depends(self, tensor: torch.Tensor) -> bool:
        return id(tensor) in self.made or (tensor.requires_grad and torch.is_grad_enabled())

    @contextmanager
    def border(self) -> Iterator[None]:
        """No error of ours reaches the program; it ends the noting."""
        try:
            yield
        except Exception as error:
            self.on, self.failed = False, error

    def note(self, call: _Call) -> None:
        """Adds a call."""
        self.calls.append(call)
        self.made.update(id(each) for each in tensors_of(call.result) if not is_parameter(each))

    def model_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What stands for `Module.__call__`: a model is one instruction."""
        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if not self.on or self.depth or next(iter(nn.Module.parameters(module)), None) is None:
                return original(module, *args, **kwargs)
            state = State.now()
            self.depth += 1
            try:
                result = original(module, *args, **kwargs)
            finally:
                self.depth -= 1
            with self.border():
                self.note(_Call(
                    "", module, args, kwargs, result, self.sites.called_from(2), state, module))
            return result

        return call

    def batch(self, loss: torch.Tensor, site: Site | None) -> Batch | None:
        """The instructions that made a loss, None if none did."""
        needed, kept = {id(loss)}, []
        for call in reversed(self.calls):
            if any(id(each) in needed for each in tensors_of(call.result)):
                kept.append(call)
                needed.update(id(each) for each in tensors_of((call.args, call.kwargs)))
        if not kept:
            return None
        numbers: dict[int, int] = {}
        constants: dict[int, torch.Tensor] = {}
        made: set[int] = set()

        def slot(tensor: torch.Tensor, given: bool) -> Any:
            if is_parameter(tensor):
                return tensor
            number = numbers.setdefault(id(tensor), len(numbers))
            if given and id(tensor) not in made and number not in constants:
                constants[number] = tensor.detach().clone()  # the program may fill it anew
            made.add(id(tensor))
            return Slot(number)

        instructions = []
        for call in reversed(kept):
            arguments = mapped((call.args, call.kwargs), lambda each: slot(each, True))
            result = mapped(call.result, lambda each: slot(each, False))
            instructions.append(Instruction(
                call.name, call.call, arguments, result, call.site, call.state, call.model))
        return Batch(instructions, constants, numbers[id(loss)], float(loss.detach()), site)


def changes(name: str) -> bool:
    """Whether a function of this name writes into the first tensor that it is given."""
    return name in _SETTERS or (name.endswith("_") and not name.endswith("__"))


def is_parameter(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a leaf that is to be trained."""
    try:
        return bool(tensor.requires_grad and tensor.is_leaf)
    except RuntimeError:  # torch does not tell of a row of a parameter that was written to
        return True


def tensors_of(value: Any, depth: int = 6) -> Iterator[torch.Tensor]:
    """All tensors within a value."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict) and depth:
        for each in dict.values(value):
            yield from tensors_of(each, depth - 1)
    elif isinstance(value, list | tuple) and depth:
        for each in value:
            yield from tensors_of(each, depth - 1)


def mapped(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """A value with each tensor exchanged."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: mapped(each, change) for key, each in dict.items(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(each, change) for each in value))
    if isinstance(value, list | tuple):
        return type(value)(mapped(each, change) for each in value) if type(value) in (
            list, tuple) else tuple(mapped(each, change) for each in value)
    return value


def filled(value: Any, values: dict[int, torch.Tensor]) -> Any:
    """Arguments with tensors in their slots."""
    if isinstance(value, Slot):
        return values[value.number]
    if isinstance(value, dict):
        return {key: filled(each, values) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(filled(each, values) for each in value))
    if isinstance(value, list | tuple):
        return type(value)(filled(each, values) for each in value)
    return value


def bound(template: Any, result: Any, values: dict[int, torch.Tensor]) -> None:
    """Puts the tensors of a result into the slots of its template."""
    if isinstance(template, Slot):
        values[template.number] = result
    elif isinstance(template, dict):
        for key, each in template.items():
            bound(each, dict.__getitem__(result, key), values)
    elif isinstance(template, list | tuple):
        for each, made in zip(template, result, strict=True):
            bound(each, made, values)


def slots_of(value: Any) -> Iterator[int]:
    """The numbers of all slots in a template."""
    if isinstance(value, Slot):
        yield value.number
    elif isinstance(value, dict):
        for each in value.values():
            yield from slots_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from slots_of(each)


def play(
    batch: Batch, swapped: dict[int, torch.Tensor] | None = None, exact: bool = False,
    note: Any = None,
) -> dict[int, torch.Tensor]:
    """Computes a step again: the values of all slots, that of the loss among them.

    Args:
        batch: what is computed.
        swapped: constants in place of its own, by slot.
        exact: draw the random numbers that the program drew.
        note: its `outer` is set to the line of each instruction before that is carried out.
    """
    values = {**batch.constants, **(swapped or {})}
    for each in batch.instructions:
        if exact:
            torch.set_rng_state(each.state.random)
        if note is not None:
            note.outer = each.site
        args, kwargs = filled(each.arguments, values)
        state = each.state
        with (torch.set_grad_enabled(state.grad),
              torch.autocast("cpu", dtype=state.kind, enabled=state.casts)):
            result = each.call(*args, **kwargs)
        bound(each.result, next(tensors_of((args, kwargs))) if changes(each.name) else result,
              values)
    return values
