"""What questions may ask of the first steps of a program: its losses and values, as numbers."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.asking.tape import (
    Batch,
    Instruction,
    Slot,
    is_parameter,
    play,
    slots_of,
    tensors_of,
)
from unstuck.observe.source.sites import Site, Sites
from unstuck.questions.question import CannotAsk
from unstuck.schema.places import SourceLocation
from unstuck.torch_api import CLASSES, LOSSES

RATES = (1e-2, 1e-3)  # of Adam, in the laboratory's own training
STEPS, SECONDS = 150, 4.0  # of that training, for each rate
_DIFFERENT = 1e-4  # losses computed again that differ by more, relatively, are not the program's


@dataclass(slots=True)
class Step:
    """A batch with its parts told apart.

    `inputs` are the slots of constants that models receive, `target` that of the targets, `output`
    that of what is compared with them. `samples` lie along `axis` of the first input. `criterion`
    is the slot of the value that a loss function of torch gives; `plain` says that it does so
    without weights and smoothing, `alone` that the program adds nothing to it, and `per` over how
    many targets it is a sum.
    """

    batch: Batch
    inputs: list[int]
    target: int | None
    output: int | None
    samples: int
    axis: int
    function: str
    criterion: int
    per: int = 1
    plain: bool = False
    alone: bool = False


def step_of(batch: Batch) -> Step:
    """Tells the parts of a batch apart.

    Raises:
        CannotAsk: no model gets data.
    """
    model_calls = [each for each in batch.instructions if each.model is not None]
    inputs = list(dict.fromkeys(
        slot for each in model_calls for slot in slots_of(each.arguments)
        if slot in batch.constants and batch.constants[slot].ndim))
    losses = [each for each in batch.instructions if each.name in LOSSES]
    function = losses[-1].name if losses else ""
    target: int | None = None
    output: int | None = None
    if losses:
        names = LOSSES[function].arguments
        given = _named(losses[-1].arguments, names)
        target = next((s for s in slots_of(given.get("target"))
                       if s in batch.constants), None) if "target" in names else None
        output = next(iter(slots_of(given.get(names[0]))), None)
        output = None if output in batch.constants else output
    else:
        last = max((i for i, each in enumerate(batch.instructions) if each.model), default=-1)
        given_later = list(dict.fromkeys(
            slot for each in batch.instructions[last + 1:] for slot in slots_of(each.arguments)
            if slot in batch.constants and slot not in inputs
            and batch.constants[slot].numel() > 1))
        target = given_later[0] if len(given_later) == 1 else None
        output = next(iter(slots_of(model_calls[-1].result)), None) if model_calls else None
    if not model_calls:  # a network without modules
        inputs = [slot for slot, tensor in batch.constants.items()
                  if tensor.ndim and slot != target]
    target = None if target in inputs else target  # an autoencoder's
    if not inputs:
        raise CannotAsk("no model of the program receives data that could be exchanged")
    first = batch.constants[inputs[0]]
    samples, axis = first.shape[0], 0
    if target is not None:
        rows = batch.constants[target].shape[:1]
        if rows != (samples,) and first.ndim > 1 and rows == (first.shape[1],):
            samples, axis = first.shape[1], 1
        elif rows != (samples,):
            target = None
    found = Step(batch, inputs, target, output, samples, axis, function, batch.loss)
    if losses:
        _describe(found, losses[-1])
    return found


def _describe(step: Step, call: Instruction) -> None:
    """Notes how a loss function makes its value, and what becomes of that."""
    try:
        bound = inspect.signature(call.call).bind(*call.arguments[0], **call.arguments[1])
    except (TypeError, ValueError):
        return
    options = bound.arguments
    result = next(iter(slots_of(call.result)), None)
    reduction = options.get("reduction", "mean")
    target = options.get("target")
    if result is None or reduction == "none" or options.get("reduce") is not None or (
            options.get("size_average") is not None):
        return
    if reduction == "sum":
        shape = play(step.batch)[target.number].shape if isinstance(target, Slot) else ()
        step.per = max(math.prod(shape), 1)
    step.criterion = result
    step.plain = all(options.get(name) is None for name in ("weight", "pos_weight")) and (
        not options.get("label_smoothing"))
    step.alone = _alone(step.batch, result)


def _alone(batch: Batch, slot: int) -> bool:
    """Whether the loss is a value times constants: nothing else that learns is added to it."""
    before, chain = {slot}, {slot}
    for each in reversed(batch.instructions):
        if before & set(slots_of(each.result)):
            before |= set(slots_of(each.arguments))
    for each in batch.instructions:
        given, made = set(slots_of(each.arguments)), set(slots_of(each.result))
        if made & before:
            continue
        if not given & chain or given - chain - set(batch.constants) or any(
                True for _ in tensors_of(each.arguments)):
            return False
        chain |= made
    return batch.loss in chain


def _named(arguments: Any, names: Sequence[str]) -> dict[str, Any]:
    args, kwargs = arguments
    return {**dict(zip(names, args, strict=False)), **kwargs}


@dataclass(slots=True)
class Captured:
    """What the first steps of a program have left.

    `first` are the values that all parameters and buffers began with. `reached` are parameters of
    optimizers that got a gradient, by identity.
    """

    sites: Sites
    built: Callable[[nn.Module], Site | None]
    batches: list[Batch] = field(default_factory=list)
    last: Batch | None = None  # which may be one of those again
    first: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    models: dict[int, nn.Module] = field(default_factory=dict)
    optimizers: dict[int, Optimizer] = field(default_factory=dict)
    made: dict[int, Site | None] = field(default_factory=dict)  # where optimizers are built
    reached: set[int] = field(default_factory=set)
    backwards: int = 0
    loaded: bool = False
    several: bool = False  # losses in turn

    def restore(self) -> None:
        """Gives parameters and buffers the values that they began with."""
        with torch.no_grad():
            for tensor, value in self.first.values():
                tensor.data.copy_(value)


class Laboratory:
    """Computes a program's own step again, on its first batches, and trains on them."""

    def __init__(self, captured: Captured) -> None:
        self.captured = captured
        if not captured.batches:
            raise CannotAsk("what makes the loss cannot be followed" if captured.backwards
                            else "the program makes no backward pass")
        if captured.several:
            raise CannotAsk("the program trains with several losses in turn")
        if any(tensor.device.type != "cpu" for batch in captured.batches
               for tensor in batch.constants.values()):
            raise CannotAsk("the program computes on a GPU, of which a process cannot have a fork")
        self.steps = [step_of(batch) for batch in captured.batches]
        self.first = self.steps[0]
        self.parameters = self._reached()
        self.history: list[float] = []

    # The program's own step ----------------------------------------------------------------------
    def check(self) -> None:
        """Whether a step that is computed again gives the program's own loss.

        The last one, before its update, or the first one, with the weights that it had.

        Raises:
            CannotAsk: neither does.
        """
        if not self._same(self.captured.last or self.captured.batches[-1]):
            self.captured.restore()
            if not self._same(self.captured.batches[0]):
                raise CannotAsk("the program's step gives another loss when it is computed again")

    @staticmethod
    def _same(batch: Batch) -> bool:
        return _close(float(play(batch, exact=True)[batch.loss].detach()), batch.value)

    def value(self, step: Step, swapped: dict[int, torch.Tensor] | None = None) -> float:
        """The loss of a step, for each target."""
        with torch.no_grad():
            return float(play(step.batch, swapped)[step.criterion]) / step.per

    def output(self, step: Step, swapped: dict[int, torch.Tensor] | None = None) -> torch.Tensor:
        """What the model gives in a step."""
        if step.output is None:
            raise CannotAsk("it is not known what the model's output is")
        with torch.no_grad():
            return play(step.batch, swapped)[step.output].detach()

    def exchanged(self, step: Step, order: torch.Tensor) -> dict[int, torch.Tensor]:
        """The inputs of a step with the samples in another order."""
        found = {}
        for slot in step.inputs:
            tensor = step.batch.constants[slot]
            axis = axis_of(tensor, step)
            if axis is not None:
                found[slot] = tensor.index_select(axis, order)
        return found

    def _reached(self) -> list[torch.Tensor]:
        """The parameters that the loss of the first batch reaches."""
        step = self.first.batch
        given = {id(each): each for instruction in step.instructions
                 for each in tensors_of(instruction.arguments) if is_parameter(each)}
        for instruction in step.instructions:
            if instruction.model is not None:
                given |= {id(each): each for each in instruction.model.parameters()
                          if each.requires_grad}
        return list(given.values())

    # Training ------------------------------------------------------------------------------------
    def train(
        self, steps: Sequence[Step], rate: float | None, most: int, seconds: float,
        swapped: dict[int, torch.Tensor] | None = None, enough: float = -math.inf,
    ) -> list[float]:
        """Losses of a training over these steps in turn, with Adam or the program's optimizers.

        It ends early when ten losses in a row are below `enough`.
        """
        if rate is None:
            optimizers: list[Optimizer] = list(self.captured.optimizers.values())
            for each in optimizers:
                each.state.clear()
            if not optimizers:
                raise CannotAsk("no optimizer of torch updates the weights")
        else:
            optimizers = [torch.optim.Adam(self.parameters, lr=rate)]
        losses: list[float] = []
        end = time.monotonic() + seconds

        def closure() -> Any:
            for each in self.parameters:
                each.grad = None
            step = steps[len(losses) % len(steps)]
            values = play(step.batch, swapped)
            loss = values[step.batch.loss]
            if loss.requires_grad:
                loss.backward()
            seen.append(float(values[step.criterion].detach()) / step.per)
            return loss.detach()

        while len(losses) < most and time.monotonic() < end:
            seen: list[float] = []
            for number, optimizer in enumerate(optimizers):
                if type(optimizer).__name__ == "LBFGS":
                    optimizer.step(closure)
                else:
                    if not number:
                        closure()
                    optimizer.step()
            losses.append(seen[0])
            if not math.isfinite(losses[-1]) or (
                    len(losses) >= 10 and max(losses[-10:]) < enough):
                break
        return losses

    def train_well(self) -> None:
        """The laboratory's own training, at the rate that does best; its weights are kept."""
        best: tuple[float, list[float], list[torch.Tensor]] | None = None
        for rate in RATES:
            self.captured.restore()
            losses = self.train(self.steps, rate, STEPS, SECONDS)
            end = float(np.mean(losses[-len(self.steps):])) if losses else math.inf
            if math.isfinite(end) and (best is None or end < best[0]):
                best = end, losses, [t.detach().clone() for t, _ in self.captured.first.values()]
        if best is None:
            raise CannotAsk("the loss is not finite, whatever the learning rate is")
        self.history = best[1]
        with torch.no_grad():
            for (tensor, _), value in zip(self.captured.first.values(), best[2], strict=True):
                tensor.data.copy_(value)

    def quieten(self) -> None:
        """Switches dropout and weight decay off, which only blur the answers."""
        for model in self.captured.models.values():
            for layer in model.modules():
                if isinstance(layer, nn.modules.dropout._DropoutNd):
                    layer.p = 0.0
                elif isinstance(getattr(layer, "dropout", None), float):
                    layer.dropout = 0.0
        for optimizer in self.captured.optimizers.values():
            for group in optimizer.param_groups:
                if "weight_decay" in group:
                    group["weight_decay"] = 0.0

    # Data ----------------------------------------------------------------------------------------
    def targets(self, step: Step) -> torch.Tensor:
        """The targets of a step, samples first."""
        if step.target is None:
            raise CannotAsk("it is not known which tensor holds the targets")
        return step.batch.constants[step.target].cpu()

    def has_classes(self, step: Step) -> bool:
        """Whether the targets of a step are classes."""
        assert step.target is not None
        tensor = step.batch.constants[step.target]
        return step.function in CLASSES or not tensor.is_floating_point() or (
            tensor.numel() == step.samples and len(tensor.unique()) == 2)

    def location(self, site: Site | None) -> SourceLocation | None:
        """The place of a call."""
        return self.captured.sites.location(site)


def check_axis(step: Step) -> None:
    """Whether it is known along which axis of the inputs the samples lie.

    Raises:
        CannotAsk: the targets do not say so, or they run along time as well; or no module is
            called, so that what is computed from the data may be weights as well as outputs.
    """
    if all(each.model is None for each in step.batch.instructions) and len(step.inputs) > 1:
        raise CannotAsk("it is not known which of the data are samples")
    first = step.batch.constants[step.inputs[0]].shape
    target = None if step.target is None else step.batch.constants[step.target].shape
    if target is None or (len(target) > 1 and target[1] > 1 and target[:2] == first[:2]):
        raise CannotAsk("it is not known along which axis of the inputs the samples lie")


def axis_of(tensor: torch.Tensor, step: Step) -> int | None:
    """The axis along which a tensor has the samples of a step, None if it has none."""
    if tensor.ndim > step.axis and tensor.shape[step.axis] == step.samples:
        return step.axis
    for axis in (0, 1):
        if tensor.ndim > axis and tensor.shape[axis] == step.samples:
            return axis
    return None


def tables_of(step: Step) -> list[torch.Tensor]:
    """The inputs of a step that have an axis of samples: sample x what it is given by."""
    return [tensor.movedim(axis, 0).reshape(step.samples, -1)
            for tensor in map(step.batch.constants.__getitem__, step.inputs)
            if (axis := axis_of(tensor, step)) is not None]


def mark_of(tables: Sequence[torch.Tensor], sample: int) -> bytes:
    """What tells a sample from all others."""
    return b"".join(table[sample].cpu().numpy().tobytes() for table in tables)


def _close(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= _DIFFERENT * max(abs(one), abs(other), 1e-6)
