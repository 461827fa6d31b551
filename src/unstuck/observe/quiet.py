"""The steps that nobody looks at: nearly all of them, so they are kept as cheap as they can be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe.probes.samples import FIRST_STEPS, SPACING

if TYPE_CHECKING:
    from unstuck.observe.watcher import Watcher


class QuietSteps:
    """Takes the events of a step that is not sampled and in which no batch is hashed.

    Each method does exactly what the watcher's own does in such a step of the usual kind: one
    model call with gradients, one loss, one backward, one step of the same optimizer. In any other
    case it hands the event on, so that nothing is ever seen differently.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._until = 0  # the next step that may be another

    def lasts(self, sampled: bool, next_sample: float) -> bool:
        """Whether the step that begins is quiet; those until the next that is due are as well."""
        watcher = self._watcher
        step = watcher.step
        self._until = min(math.ceil(next_sample), (step // SPACING + 1) * SPACING)
        return (
            not sampled and step >= FIRST_STEPS and step % SPACING != 0
            and watcher.repeats.over and watcher.order.settled and watcher.stepped
        )

    def after_forward(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """A module was called from outside."""
        watcher = self._watcher
        if not torch.is_grad_enabled():
            watcher.after_forward(module, args, kwargs, output)
        elif watcher.models.is_model(module):
            watcher.samples.passed()
            watcher.modes.last = None
            watcher.finite.model_called(args, kwargs)

    def loss_computed(
        self, name: str, original: Any, args: Any, kwargs: Any, result: Any
    ) -> None:
        """A loss function returned."""
        watcher = self._watcher
        if type(result) is not torch.Tensor or not watcher.losses.plainly_computed(
            name, args, result
        ):
            watcher.loss_computed(name, original, args, kwargs, result)

    def before_backward(self, tensors: Any) -> None:
        """A loss is about to be differentiated."""
        watcher = self._watcher
        if (
            type(tensors) is not torch.Tensor or watcher.modes.waiting or watcher.stepping
            or watcher.parameters.follows or not watcher.parameters.has_optimizer
            or watcher.backwards_since_step or not watcher.losses.plain_backward(
                tensors, watcher.step, False)
        ):
            watcher.before_backward(tensors)
        else:
            watcher.backwards_since_step = 1

    def before_step(self, optimizer: Optimizer, closure: bool) -> None:
        """An optimizer is about to step."""
        watcher = self._watcher
        if watcher.stepping or closure:
            watcher.before_step(optimizer, closure)
        else:
            watcher.stepping.append(id(optimizer))
            watcher.backwards_in_step = 0
            watcher.parameters.before_step(optimizer, watcher.step, False)

    def after_step(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped."""
        watcher = self._watcher
        step = watcher.step + 1
        if (
            step >= self._until or len(watcher.stepping) != 1 or not watcher.backwards_since_step
            or watcher.parameters.follows or watcher.recent != [id(optimizer)]
        ):
            watcher.after_step(optimizer)
        else:
            watcher.stepping.clear()
            watcher.step = step
            watcher.backwards_since_step = 0
            watcher.writer.tick()
