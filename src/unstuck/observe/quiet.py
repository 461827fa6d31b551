"""The steps that nobody looks at: nearly all of them, so they are kept as cheap as they can be."""

from __future__ import annotations

import math
import weakref
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
    case it hands the event on, so that nothing is ever seen differently. Of the beginning of an
    optimizer's step it need not know, unless the program's optimizers step within others.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._until = 0  # the next step that may be another
        self._optimizer: int | None = None  # the only one that stepped lately
        self._rate: object = None  # its learning rate, if that is one object
        self._model: weakref.ref[nn.Module] | None = None  # that was called last

    def lasts(self, sampled: bool, next_sample: float) -> bool:
        """Whether the step that begins is quiet; those until the next that is due are as well."""
        watcher = self._watcher
        step = watcher.step
        self._until = min(math.ceil(next_sample), (step // SPACING + 1) * SPACING)
        self._optimizer = watcher.recent[0] if len(watcher.recent) == 1 else None
        self._rate = None
        return (
            not sampled and step >= FIRST_STEPS and step % SPACING != 0
            and watcher.repeats.over and watcher.order.settled and watcher.stepped
            and watcher.parameters.has_optimizer and not watcher.parameters.follows
            and not watcher.nests and not watcher.stepping and not watcher.noise.waiting
        )

    def after_forward(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """A module was called from outside."""
        watcher = self._watcher
        if not torch.is_grad_enabled():
            watcher.after_forward(module, args, kwargs, output)
            return
        if self._model is None or self._model() is not module:
            if not watcher.models.is_model(module):
                return
            self._model = weakref.ref(module)
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
            type(tensors) is torch.Tensor and not watcher.backwards_since_step
            and not watcher.modes.waiting
            and watcher.losses.plain_backward(tensors, watcher.step, False)
        ):
            watcher.backwards_since_step = 1
        else:
            watcher.before_backward(tensors)

    def after_step(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped; nothing was told of the beginning."""
        watcher = self._watcher
        step = watcher.step
        plain = id(optimizer) == self._optimizer
        groups = optimizer.param_groups
        # A learning rate that is the same object has not changed.
        if not plain or len(groups) > 1 or self._rate is not groups[0].get("lr", self):
            watcher.parameters.before_step(optimizer, step, False)
            self._rate = groups[0].get("lr") if plain and groups else None
        if plain and step + 1 < self._until and watcher.backwards_since_step:
            watcher.step = step + 1
            watcher.backwards_since_step = 0
            watcher.writer.tick()
        else:
            watcher.after_step(optimizer)
