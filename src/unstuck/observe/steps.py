"""Counts steps and backward passes, and tells of what happens in their order. Measures nothing."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe import graph
from unstuck.observe.bare.calls import BareModel
from unstuck.observe.events import Dispatch
from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import Later
from unstuck.observe.limits import Limits
from unstuck.observe.moment import Moment
from unstuck.observe.sampling import Sampling
from unstuck.observe.source.lines import LineNotes
from unstuck.observe.source.naming import Names
from unstuck.observe.stop import Stop
from unstuck.observe.switches import Switches
from unstuck.observe.tensors import held_by, is_leaf, is_plain, observable
from unstuck.observe.trainings import Training, Trainings
from unstuck.record.schedule import LIMITS
from unstuck.record.writer import RecordWriter

is_profiled = torch._C._autograd._profiler_enabled


class Moved:
    """Tells a training from other uses of gradients: several leaves are asked for, and move."""

    def __init__(self) -> None:
        self._asked: list[tuple[weakref.ref[torch.Tensor], int]] = []

    def since_asked(self, leaves: Any) -> bool:
        """Whether leaves have changed in place since the last call; not at the first."""
        if not isinstance(leaves, tuple | list) or len(leaves) < 2 or not all(
                is_plain(leaf) and is_leaf(leaf) for leaf in leaves):
            return False
        before = self._asked
        self._asked = [(weakref.ref(leaf), leaf._version) for leaf in leaves]
        return any((leaf := known()) is not None and leaf._version != version
                   for known, version in before)


class Steps:
    """Is told by the hooks what torch is called for, and tells the listeners.

    A step is that of an optimizer, the outermost one, or in a program that updates its weights by
    hand a backward pass.
    """

    trainings: Trainings
    events: Dispatch  # of the training under way,
    sampling: Sampling  # when to look at it,
    later: Later  # what of it is still to be read,
    bare: BareModel  # and its model, if no module is one

    def __init__(
        self, moment: Moment, switches: Switches, names: Names, limits: Limits, stop: Stop,
        writer: RecordWriter,
    ) -> None:
        self.moment = moment
        self._switches = switches
        self._names = names
        self._limits = limits
        self._stop = stop
        self._writer = writer
        self._lines = LineNotes()
        self._nodes = 0  # of the last graph that was walked
        self._model_calls = 0  # with gradients, in the step that is under way
        self._stepping: list[int] = []  # optimizers whose step is under way, outermost first
        self._nests = False  # whether one steps within another
        self.has_optimizer = False
        self._stepped = False  # whether one has ever stepped
        self._without_backward = False  # whether the last step had no backward pass before it
        self._usual: ByIdentity[Optimizer, bool] = ByIdentity()  # have stepped in this training
        self._moved = Moved()
        self._built: Callable[[], Optimizer | None] = lambda: None  # the one that was built last

    @property
    def are_plain(self) -> bool:
        """Whether steps have been those of optimizers, none within another."""
        return self._stepped and self.has_optimizer and not self._nests and not self._stepping

    def watch(self, trainings: Trainings) -> None:
        """Tells those who watch these trainings; called once."""
        self.trainings = trainings
        self._follow(trainings.now)

    def turn(self, training: Training) -> None:
        """From now on this training is under way; the step that begins is looked at."""
        self._follow(training)
        self._usual.clear()
        self._lines.end()
        self.moment.backwards = 0
        self.moment.sampled = True
        self._switches.sample(True)

    def _follow(self, training: Training) -> None:
        self.events, self.sampling = training.events, training.sampling
        self.later, self.bare = training.context.later, training.bare

    # What limits the watching -------------------------------------------------------------------
    def compiling(self, spare: Callable[[], None]) -> None:
        """A model is compiled; `spare` keeps the compiler away from what is ours."""
        if not self.moment.compiled:
            self.moment.compiled = True
            spare()
            self._switches.sample(False)
            self._switches.be_quiet(False)
            self._lines.end()
            self._limits.note("a model is compiled, so nothing was measured inside its layers")

    def leave_halfway(self) -> None:
        """An exception of the program's own has left an event halfway."""
        self._stepping.clear()
        self.moment.within_step = False
        self._lines.end()
        self._look_away()
        self.events.left_halfway()

    def end(self) -> None:
        """Nothing more is told."""
        self._lines.end()

    def _look_away(self) -> None:
        """Looks at what is left of this step from afar."""
        self.moment.sampled = False
        self.sampling.look_away()
        self._switches.sample(False)

    def _may_look(self) -> bool:
        """Whether the step under way is sampled; a profiler would count what is done for that."""
        if self.moment.sampled and is_profiled():
            self._look_away()
            self._limits.note(
                "a profiler was active, and meanwhile no step was measured in detail")
        return self.moment.sampled

    # Construction -------------------------------------------------------------------------------
    def optimizer_built(self, optimizer: Optimizer) -> None:
        """An optimizer was constructed."""
        self.has_optimizer = True
        self._names.training_begins()
        self._built = weakref.ref(optimizer)
        if not self._stepping:
            self.trainings.built(optimizer)
        self.events.optimizer_built(optimizer)

    def initialised(self, function: str, tensor: Any) -> None:
        """A function of `torch.nn.init` has filled a tensor."""
        self.trainings.filled(tensor)
        self.events.initialised(function, tensor)

    # Forward ------------------------------------------------------------------------------------
    def before_call(self, module: nn.Module, args: Any) -> None:
        """A module is called from outside at a sampled step."""
        if self._may_look():
            self.moment.learns = torch.is_grad_enabled()
            self.events.before_call(module)
            self.events.inputs_given(module, args)

    def after_call(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """A module was called from outside."""
        if self._names.is_model(module):
            self.bare.off = True
            self.moment.learns = torch.is_grad_enabled()
            self.events.model_called(module, args, kwargs, output)
            if self.moment.learns and self.moment.sampled:
                self._model_calls += 1
                self.events.model_trained(module, args, kwargs, output)
                self._lines.model_called()
            elif self.moment.learns and not module.training:
                self.events.model_evaluated(output)
        elif self.moment.sampled or not torch.is_grad_enabled():
            self.events.criterion_called(module, args, output)

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """A module within the one that was called from outside was called, at a sampled step."""
        self.moment.learns = torch.is_grad_enabled()
        self.events.layer_called(module, args, output)

    # Loss and backward --------------------------------------------------------------------------
    def loss_called(
        self, function: str, original: Callable[..., Any], args: Any, kwargs: Any, result: Any
    ) -> None:
        """A loss function has returned, or raised."""
        self._may_look()
        self.bare.before_loss(args, result)
        self.events.loss_called(function, original, args, kwargs, result)
        if is_plain(result):
            self.events.loss_computed(function, args, result)

    def before_backward(self, tensors: Any) -> None:
        """`torch.autograd.backward` is called, outside of any other backward pass."""
        self._may_look()
        self._forward_ended()
        losses = tensors if isinstance(tensors, tuple | list) else (tensors,)
        if self.bare.is_new and losses:  # a step by hand begins with the weights at hand
            self.bare.before_backward(losses[0])
        if self._stepping:
            self.moment.backwards_in_step += 1
        else:
            self._count_backward()
        if losses:
            self.bare.before_backward(losses[0])
        self.bare.backward_begins()
        self.events.before_backward()
        sampled = self.moment.sampled
        for loss in losses:
            if not is_plain(loss):
                continue
            if sampled and loss.grad_fn is not None:
                self._graph_of(loss)
            elif loss.grad_fn is None and (sampled or not loss.requires_grad):
                self.events.no_graph()  # it will raise if all is frozen
            self.events.loss_differentiated(loss)

    def _forward_ended(self) -> None:
        self.events.evaluation_ended()
        self.moment.traced = self._lines.on
        self._lines.end()

    def _graph_of(self, loss: torch.Tensor) -> None:
        nodes = list(graph.walk(loss.grad_fn))
        self._nodes = len(nodes)
        self.events.graph(nodes, graph.leaves(nodes))

    def before_gradients(self, outputs: Any, inputs: Any, create_graph: bool) -> None:
        """`torch.autograd.grad` is called: it may stand for a backward pass.

        It does where leaves have moved since they were last asked for, and there is no optimizer,
        or one that steps without a backward pass: then the program hands it the gradients.
        """
        if self.moment.sampled:
            self.events.gradients_computed()
        if create_graph or not self._moved.since_asked(inputs):
            return
        if not self.has_optimizer:
            self.before_backward(outputs)
        elif self._without_backward and self.moment.sampled and not self.moment.backwards:
            self._forward_ended()
            for loss in outputs if isinstance(outputs, tuple | list) else (outputs,):
                if is_plain(loss) and loss.grad_fn is not None:
                    self._graph_of(loss)

    def _count_backward(self) -> None:
        moment = self.moment
        by_hand = not self._stepped and (
            not self.has_optimizer or moment.backwards >= LIMITS.longest_accumulation
            or (moment.compiled and self._has_moved()))
        if by_hand and moment.backwards:
            self.events.after_step(None)
            self._step_ended()
            self._stop.check(moment.step)
        if by_hand and moment.sampled:
            self.events.before_step(None, False)
        moment.backwards += 1

    def value_differentiated(self, value: Any) -> None:
        """`torch.func` has computed gradients of a loss, of which this is the value.

        In a program without an optimizer that is a step: the weights are among what it returns.
        """
        if self.has_optimizer or self.moment.backwards or not observable(value):
            return
        self._limits.note("the program computes gradients with torch.func, so nothing but its loss "
                          "was measured")
        self.events.evaluation_ended()
        self.events.value_differentiated(value)
        self._step_ended()
        self._stop.check(self.moment.step)

    def _has_moved(self) -> bool:
        """Whether weights have changed since it was asked last: compiled steps are not told of."""
        optimizer = self._built()
        return optimizer is not None and self._moved.since_asked(held_by(optimizer)[:2])

    def before_clearing(self, owner: Any) -> None:
        """Gradients are about to be cleared at a sampled step."""
        if not self._stepping:
            self.events.before_clearing(owner)

    # Steps --------------------------------------------------------------------------------------
    def before_step(self, optimizer: Optimizer, closure: bool) -> None:
        """An optimizer's `step` is called; not told in quiet steps."""
        self._may_look()
        key = id(optimizer)
        if key in self._stepping and self.moment.backwards_in_step:
            self._stepping.clear()  # an earlier step raised and never came back
        self._stepping.append(key)
        self.has_optimizer = self.moment.within_step = True
        if optimizer not in self._usual:
            self.trainings.before_first_step(optimizer)
        if len(self._stepping) > 1:
            self._nests = True
        else:
            self.moment.backwards_in_step = 0
            self.events.before_step(optimizer, closure)

    def after_step(self, optimizer: Optimizer) -> None:
        """An optimizer's `step` has returned."""
        if self._stepping:
            self._stepping.pop()
        if self._stepping:
            if optimizer not in self._usual:
                self._usual[optimizer] = True
                self.trainings.nested(optimizer)
            return
        self.moment.within_step = False
        self._stepped = self.has_optimizer = True
        self._without_backward = not (self.moment.backwards or self.moment.backwards_in_step)
        new = optimizer not in self._usual
        if new and self.trainings.stepped(optimizer):
            self._look_away()  # whoever watches now has seen nothing of it
        else:
            self.events.after_step(optimizer)
        if new:
            self._usual[optimizer] = True
        self.sampling.turns.stepped(id(optimizer), self.moment.step)
        self._step_ended()

    def _step_ended(self) -> None:
        moment, events = self.moment, self.events
        # First of all: what follows may be left halfway, and weights have changed.
        step, moment.step = moment.step, moment.step + 1
        moment.backwards = 0
        was_sampled = moment.sampled
        if was_sampled:
            events.look_ended(step)
            self.later.settle()
            self.sampling.budget.sampled_step_ended(step)
        events.step_ended(step)
        moment.sampled = self.sampling.looks_at(moment.step)
        if moment.sampled is not was_sampled:
            self._switches.sample(moment.sampled)
        events.step_begins()
        # Once for each optimizer, since losses that take turns have other lines.
        if moment.step <= self.sampling.turns.count and not moment.compiled:
            self._lines.begin(self._nodes, self._model_calls)
        else:
            self._lines.clear_up(moment.step)
        self._model_calls = 0
        self._writer.tick()
