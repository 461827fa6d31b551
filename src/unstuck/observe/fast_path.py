"""The steps that nobody looks at: nearly all of them, so they are kept as cheap as they can be."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import Any

from torch import Tensor, is_grad_enabled, nn
from torch.compiler import is_dynamo_compiling
from torch.optim.optimizer import Optimizer

from unstuck.observe.calls import Calls, tracing_state
from unstuck.observe.events import Listener
from unstuck.observe.guard import dispatch_modes, function_modes
from unstuck.observe.later import Number, value_of
from unstuck.observe.probe import Context
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.pending import Known
from unstuck.observe.steps import Steps
from unstuck.observe.stop import Stop
from unstuck.observe.swap import Swap
from unstuck.observe.switches import Switches


class FastPath(Listener):
    """Takes the events of a step that is not sampled and of which no probe needs to be told.

    The functions made here stand where the hooks' own stand in other steps. Of the usual kind of
    step (one model call with gradients, one loss, one backward of that loss, one step of the same
    optimizer) they note themselves what probes would, in one frame an event and without the
    border: they are written for speed. Anything else is handed on, with all that was held back, so
    that nothing is ever seen differently. Of the beginning of an optimizer's step nobody need know,
    unless the program's optimizers step within others.
    """

    def __init__(
        self, context: Context, steps: Steps, switches: Switches, calls: Calls, stop: Stop
    ) -> None:
        self._guard = context.guard
        self._writer = context.writer
        self._names = context.names
        self._sites = context.sites
        self._steps = steps
        self._moment = steps.moment
        self._switches = switches
        self._calls = calls
        self._stop = stop
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
        self.watch(context)

    def watch(self, context: Context) -> None:
        """Notes from now on what these probes would, of another training than before."""
        self._hand_on()
        self._switches.forget()
        self._losses = context.probe(LossProbe)
        self._finite = context.probe(FiniteProbe)
        self._optimizer = self._rate = None
        self._trains = False
        self._until = 0.0

    def step_begins(self) -> None:
        """Exchanges the hooks' behaviour if the steps that now begin are quiet, or are no more."""
        self._switches.be_quiet(self.lasts())

    def lasts(self) -> bool:
        """Whether the step that begins is quiet; those until the next that is due are as well."""
        moment, sampling = self._moment, self._steps.sampling
        self._optimizer = sampling.turns.only
        self._rate = None
        self._trains = False
        self._hand_on()
        if self._switches.is_quiet and not moment.sampled and moment.step < self._until:
            return True  # all have been asked
        if moment.sampled or moment.compiled or not self._steps.are_plain:
            return False
        until = self._steps.events.quiet_until(moment.step)
        if until <= moment.step:
            return False
        self._until = min(until, math.ceil(sampling.budget.next), self._stop.step)
        self._steps.events.quiet_steps_begin()
        return True

    def _hand_on(self) -> None:
        """Puts what was held back where the probes expect it: something unusual comes."""
        self._alone = False
        if self._waiting is not None:
            number, self._waiting = self._waiting, None
            self._losses.waits(
                number, self._value, self._known, self._shape[0] if self._shape else 1)

    def left_halfway(self) -> None:
        """Forgets what is held back of the step."""
        self._waiting = None
        self._trains = self._alone = False

    # Forward ------------------------------------------------------------------------------------
    def module_call(self, swapped: Swap) -> Callable[..., Any]:
        """Stands for a module's call."""
        calls, finite, guard, tell = self._calls, self._finite, self._guard, self._guard.tell
        original, function, old, new = swapped.original, swapped.function, swapped.old, swapped.new

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if calls.caller or calls.in_backward or (
                get_ident() != calls.thread or tracing_state() is not None
            ):
                return original(module, *args, **kwargs)
            try:
                calls.caller = get_ident()
                function.__code__ = old
                output = original(module, *args, **kwargs)
            finally:
                calls.caller = 0
                if guard.active:
                    function.__code__ = new
            if self._trains and module.training and self._model() is module and (
                is_grad_enabled() and len(args) == 1 and not kwargs and type(args[0]) is Tensor
            ):
                finite.given = (weakref.ref(args[0]),)
            else:
                tell(self._model_called, module, args, kwargs, output)
            return output

        return call

    def _model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        learns = is_grad_enabled()
        if learns and not self._names.is_model(module):
            return
        if not learns:
            self._trains = False
            self._hand_on()
            self._steps.after_call(module, args, kwargs, output)
            return
        self._model = weakref.ref(module)
        if not self._trains:
            self._steps.events.quiet_call()
            self._trains = True
        if not module.training:
            self._steps.events.model_evaluated(output)
        self._finite.remember(args, kwargs)

    def loss(self, name: str, swapped: Swap) -> Callable[..., Any]:
        """Stands for a loss function."""
        calls, sites, tell = self._calls, self._sites, self._guard.tell
        original, known_losses = swapped.original, self._losses.known

        def loss(*args: Any, **kwargs: Any) -> Any:
            if calls.in_loss or calls.in_backward or (
                get_ident() != calls.thread or tracing_state() is not None
            ):
                return original(*args, **kwargs)
            calls.in_loss = True
            try:
                result = original(*args, **kwargs)
            except BaseException:
                tell(self._loss_computed, name, original, args, kwargs, None)
                raise
            finally:
                calls.in_loss = False
            # A mode of the program's would see how the number is read.
            if self._waiting is None and self._trains and type(result) is Tensor and not (
                function_modes() or dispatch_modes()
            ):
                try:
                    # The user's own call, or one of torch's modules for the user.
                    frame = sys._getframe(2)
                    known = known_losses.get((name, (id(frame.f_code), frame.f_lasti))) or (
                        known_losses.get((name, sites.called_from(3))))
                    node = result.grad_fn
                    if node is not None and known is not None and known.reached and known.written:
                        self._value = value_of(result)
                        self._known = known
                        target: Any = args[1] if len(args) > 1 else None
                        self._shape = target.shape if type(target) is Tensor else ()
                        self._waiting = node._sequence_nr()
                        return result
                except Exception as error:
                    tell(_again, error)
                    return result
            tell(self._loss_computed, name, original, args, kwargs, result)
            return result

        return loss

    def _loss_computed(self, *event: Any) -> None:
        self._hand_on()
        self._steps.loss_called(*event)

    # Backward and step --------------------------------------------------------------------------
    def backward(self, swapped: Swap) -> Callable[..., Any]:
        """Stands for a backward pass."""
        moment, calls, tell = self._moment, self._calls, self._guard.tell
        original, rows = swapped.original, self._losses.rows

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if calls.in_backward or (
                get_ident() != calls.thread or tracing_state() is not None
            ):
                return original(tensors, *args, **kwargs)
            root = None
            if type(tensors) is Tensor and not function_modes():
                root = tensors.grad_fn
            if root is not None and self._alone and not moment.backwards and (
                root._sequence_nr() == self._waiting
            ):
                known, value = self._known, self._value
                self._waiting = None
                known.reached += 1
                moment.backwards = 1
                if type(value) is float and value - value == 0.0:  # finite
                    known.rows.append((moment.step, value))
                else:
                    tell(rows.add, known.name, value, root, moment.step, False)
            else:
                tell(self._before_backward, tensors)
            calls.in_backward = True
            try:
                return original(tensors, *args, **kwargs)
            finally:
                calls.in_backward = False

        return backward

    def _before_backward(self, tensors: Any) -> None:
        self._hand_on()
        self._steps.before_backward(tensors)

    def step_hook(self) -> Callable[..., None]:
        """A hook for torch on the end of an optimizer's step, for steps that are not quiet too."""
        guard, calls, writer, stop = self._guard, self._calls, self._writer, self._stop
        moment, steps, switches, tell = self._moment, self._steps, self._switches, guard.tell
        compiling = is_dynamo_compiling  # no global of ours is looked up by a compiler

        def hook(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            if compiling():
                return
            if self._alone and id(optimizer) == self._optimizer and (
                moment.backwards and moment.step + 1 < self._until
                and get_ident() == calls.thread and tracing_state() is None
            ):
                try:
                    groups = optimizer.param_groups
                    # A learning rate that is the same object has not changed.
                    if len(groups) == 1 and groups[0].get("lr", self) is self._rate:
                        moment.step += 1
                        moment.backwards = 0
                        if monotonic() > writer.due:
                            tell(writer.flush)
                        return
                except Exception as error:
                    tell(_again, error)
                    return
            if not calls.elsewhere():
                calls.thread = get_ident()
                tell(self._stepped if switches.is_quiet else steps.after_step, optimizer)
                if guard.active:
                    stop.check(moment.step)

        return hook

    def _stepped(self, optimizer: Optimizer) -> None:
        """An optimizer has stepped, and not as the one before; nothing was told of the beginning.

        One whose learning rate changes, or the first in a row of quiet steps.
        """
        moment = self._moment
        plain = id(optimizer) == self._optimizer
        groups = optimizer.param_groups
        if not plain or len(groups) > 1 or self._rate is not groups[0].get("lr", self):
            self._steps.events.quiet_step(optimizer)
            self._rate = groups[0].get("lr") if plain and groups else None
        step = moment.step + 1
        if not plain or step >= self._until or not moment.backwards:
            self._hand_on()
            self._steps.after_step(optimizer)
            return
        moment.step = step
        moment.backwards = 0
        if not self._alone:  # else nothing has been handed on since
            self._alone = self._steps.events.is_at_rest()
        self._writer.tick()


def _again(error: Exception) -> None:
    """Raises an error at the border, which decides whose it is."""
    raise error
