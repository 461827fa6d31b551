"""The steps that nobody looks at: nearly all of them, so they are kept as cheap as they can be."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, is_grad_enabled, nn
from torch.compiler import is_dynamo_compiling
from torch.optim.optimizer import Optimizer

from unstuck.observe.guard import dispatch_modes, function_modes
from unstuck.observe.probes.rows import Number, value_of
from unstuck.observe.probes.samples import FIRST_STEPS, SPACING
from unstuck.observe.swap import Swap

if TYPE_CHECKING:
    from unstuck.observe.probes.losses import Known
    from unstuck.observe.watcher import Watcher

tracing_state = torch._C._get_tracing_state  # of torch.jit.trace


class QuietSteps:
    """Takes the events of a step that is not sampled and in which no batch is hashed.

    The functions made here stand where the capture's own stand in other steps. Of the usual kind of
    step (one model call with gradients, one loss, one backward of that loss, one step of the same
    optimizer) they note themselves what the watcher would, in one frame an event and without the
    border: they are written for speed. Anything else is handed on, with all that was held back, so
    that nothing is ever seen differently. Of the beginning of an optimizer's step nobody need know,
    unless the program's optimizers step within others.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._until = 0.0  # the next step that may be another
        self._optimizer: int | None = None  # the only one that stepped lately
        self._rate: object = None  # its learning rate, if that is one object
        self._model: Callable[[], nn.Module | None] = lambda: None  # that was called last
        self._trains = False  # whether the last call was the model's, in training
        self._alone = False  # whether no loss and no forward pass waits for anything
        # The loss that was computed last, until its backward.
        self._waiting: int | None = None  # number of its node in the graph
        self._known: Known
        self._value: Number = 0.0
        self._shape: tuple[int, ...] = ()  # of its target

    def lasts(self, sampled: bool, next_sample: float) -> bool:
        """Whether the step that begins is quiet; those until the next that is due are as well."""
        watcher = self._watcher
        step = watcher.step
        last = math.inf if watcher.stop.max_steps is None else watcher.stop.max_steps
        self._until = min(math.ceil(next_sample), (step // SPACING + 1) * SPACING, last,
                          watcher.reservoir.next)
        self._optimizer = watcher.turns.only
        self._rate = None
        self._trains = False
        self._hand_on()
        quiet = (
            not sampled and step >= FIRST_STEPS and step % SPACING != 0
            and not watcher.capture.compiled
            and watcher.repeats.over and watcher.order.settled and watcher.stepped
            and watcher.parameters.has_optimizer and not watcher.parameters.follows
            and not watcher.nests and not watcher.stepping and not watcher.reservoir.opens(step)
            and not watcher.noise.waiting
        )
        if quiet:
            watcher.reservoir.passed_by()  # once, for all of them: none keeps a sample
        return quiet

    def _hand_on(self) -> None:
        """Puts what was held back where the watcher expects it: something unusual comes."""
        self._alone = False
        if self._waiting is not None:
            number, self._waiting = self._waiting, None
            self._watcher.losses.waits(
                number, self._value, self._known, self._shape[0] if self._shape else 1)

    def drop(self) -> None:
        """Forgets what is held back of a step that was left halfway."""
        self._waiting = None
        self._trains = self._alone = False

    # Forward ------------------------------------------------------------------------------------
    def module_call(self, swapped: Swap) -> Callable[..., Any]:
        """Stands for a module's call."""
        capture, finite = self._watcher.capture, self._watcher.finite
        guard = capture.guard
        original, function, old, new = swapped.original, swapped.function, swapped.old, swapped.new

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if capture.caller or capture.in_backward or (
                get_ident() != capture.thread or tracing_state() is not None
            ):
                return original(module, *args, **kwargs)
            try:
                capture.caller = get_ident()
                function.__code__ = old
                output = original(module, *args, **kwargs)
            finally:
                capture.caller = 0
                if guard.active:
                    function.__code__ = new
            if self._trains and self._model() is module and is_grad_enabled() and (
                len(args) == 1 and not kwargs and type(args[0]) is Tensor
            ):
                finite.given = (weakref.ref(args[0]),)
            else:
                capture.tell(self._model_called, module, args, kwargs, output)
            return output

        return call

    def _model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        watcher = self._watcher
        if not watcher.models.is_model(module):
            return
        if not is_grad_enabled():
            self._trains = False
            self._hand_on()
            watcher.after_forward(module, args, kwargs, output)
            return
        self._model = weakref.ref(module)
        if not self._trains:
            watcher.samples.passed()
            watcher.modes.last = None
            self._trains = True
        watcher.finite.model_called(args, kwargs)

    def loss(self, name: str, swapped: Swap) -> Callable[..., Any]:
        """Stands for a loss function."""
        watcher = self._watcher
        capture, losses = watcher.capture, watcher.losses
        original, known_losses = swapped.original, losses.known

        def loss(*args: Any, **kwargs: Any) -> Any:
            if capture.in_loss or capture.in_backward or (
                get_ident() != capture.thread or tracing_state() is not None
            ):
                return original(*args, **kwargs)
            capture.in_loss = True
            try:
                result = original(*args, **kwargs)
            except BaseException:
                capture.tell(self._loss_computed, name, original, args, kwargs, None)
                raise
            finally:
                capture.in_loss = False
            # A mode of the program's would see how the number is read.
            if self._waiting is None and self._trains and type(result) is Tensor and not (
                function_modes() or dispatch_modes()
            ):
                try:
                    # The user's own call, or one of torch's modules for the user.
                    frame = sys._getframe(2)
                    known = known_losses.get((name, (id(frame.f_code), frame.f_lasti))) or (
                        known_losses.get((name, watcher.sites.called_from(3))))
                    node = result.grad_fn
                    if node is not None and known is not None and known.reached and known.written:
                        self._value = value_of(result)
                        self._known = known
                        target: Any = args[1] if len(args) > 1 else None
                        self._shape = target.shape if type(target) is Tensor else ()
                        self._waiting = node._sequence_nr()
                        return result
                except Exception as error:
                    capture.tell(_again, error)
                    return result
            capture.tell(self._loss_computed, name, original, args, kwargs, result)
            return result

        return loss

    def _loss_computed(self, *event: Any) -> None:
        self._hand_on()
        self._watcher.loss_computed(*event)

    # Backward and step --------------------------------------------------------------------------
    def backward(self, swapped: Swap) -> Callable[..., Any]:
        """Stands for a backward pass."""
        watcher = self._watcher
        capture, rows = watcher.capture, watcher.losses.rows
        original = swapped.original

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if capture.in_backward or (
                get_ident() != capture.thread or tracing_state() is not None
            ):
                return original(tensors, *args, **kwargs)
            root = None
            if type(tensors) is Tensor and not function_modes():
                root = tensors.grad_fn
            if root is not None and self._alone and not watcher.backwards_since_step and (
                root._sequence_nr() == self._waiting
            ):
                known, value = self._known, self._value
                self._waiting = None
                known.reached += 1
                watcher.backwards_since_step = 1
                if type(value) is float and value - value == 0.0:  # finite
                    known.rows.append((watcher.step, value))
                else:
                    capture.tell(rows.add, known.name, value, root, watcher.step, False)
            else:
                capture.tell(self._before_backward, tensors)
            capture.in_backward = True
            try:
                return original(tensors, *args, **kwargs)
            finally:
                capture.in_backward = False

        return backward

    def _before_backward(self, tensors: Any) -> None:
        self._hand_on()
        self._watcher.before_backward(tensors)

    def step_hook(self) -> Callable[..., None]:
        """A hook for torch on the end of an optimizer's step, for steps that are not quiet too."""
        watcher = self._watcher
        guard, capture, writer = watcher.guard, watcher.capture, watcher.writer
        tell = guard.tell
        compiling = is_dynamo_compiling  # no global of ours is looked up by a compiler

        def hook(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            if compiling():
                return
            if self._alone and id(optimizer) == self._optimizer and (
                watcher.backwards_since_step and watcher.step + 1 < self._until
                and get_ident() == capture.thread and tracing_state() is None
            ):
                try:
                    groups = optimizer.param_groups
                    # A learning rate that is the same object has not changed.
                    if len(groups) == 1 and groups[0].get("lr", self) is self._rate:
                        watcher.step += 1
                        watcher.backwards_since_step = 0
                        if monotonic() > writer.due:
                            tell(writer.flush)
                        return
                except Exception as error:
                    tell(_again, error)
                    return
            if not capture.elsewhere():
                tell(self.stepped if capture.is_quiet else watcher.after_step, optimizer)
                if guard.active:
                    watcher.maybe_stop()

        return hook

    def stepped(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped, and not as the one before; nothing was told of the beginning.

        One whose learning rate changes, or the first in a row of quiet steps.
        """
        watcher = self._watcher
        plain = id(optimizer) == self._optimizer
        groups = optimizer.param_groups
        if not plain or len(groups) > 1 or self._rate is not groups[0].get("lr", self):
            watcher.parameters.before_step(optimizer, watcher.step, False)
            self._rate = groups[0].get("lr") if plain and groups else None
        step = watcher.step + 1
        if not plain or step >= self._until or not watcher.backwards_since_step:
            self._hand_on()
            watcher.after_step(optimizer)
            return
        watcher.step = step
        watcher.backwards_since_step = 0
        self._alone = watcher.losses.at_rest and not watcher.modes.waiting
        watcher.writer.tick()


def _again(error: Exception) -> None:
    """Raises an error at the border, which decides whose it is."""
    raise error
