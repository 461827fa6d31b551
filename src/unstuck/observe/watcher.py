"""Keeps track of steps and hands every event to the probes. Measures nothing itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe import failure, graph
from unstuck.observe.budget import Budget, Turns
from unstuck.observe.capture import Capture
from unstuck.observe.guard import Guard
from unstuck.observe.models import Models, any_compiled
from unstuck.observe.probes.batchnorm import BatchNormProbe
from unstuck.observe.probes.cuts import CutProbe
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.flow import FlowProbe
from unstuck.observe.probes.frozen import FrozenProbe
from unstuck.observe.probes.gradient_noise import GradientNoiseProbe
from unstuck.observe.probes.labels import LabelProbe
from unstuck.observe.probes.layers import LayerProbe
from unstuck.observe.probes.lifetimes import LifetimeProbe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.mixing import MixingProbe
from unstuck.observe.probes.modes import ModeProbe
from unstuck.observe.probes.order import OrderProbe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.probes.reach import ReachProbe
from unstuck.observe.probes.repeats import RepeatProbe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.probes.slots import SlotProbe
from unstuck.observe.probes.workers import WorkerProbe
from unstuck.observe.quiet import QuietSteps
from unstuck.observe.samples import ending
from unstuck.observe.samples.reservoir import Reservoir
from unstuck.observe.source.lines import LineNotes
from unstuck.observe.source.naming import Names
from unstuck.observe.source.sites import Sites
from unstuck.observe.stop import Stop, StopTraining
from unstuck.observe.tensors import is_plain
from unstuck.observe.untraced import spare_compiler
from unstuck.record.writer import RecordWriter
from unstuck.schema.facts.run import End, EndKind

# So many backward passes without a step are no accumulation any more: each counts as a step.
LONGEST_ACCUMULATION = 64
is_profiled = torch._C._autograd._profiler_enabled


class Watcher:
    """One watching of one process.

    `step` is the number of optimizer steps so far, or of backward passes in a program that updates
    its weights by hand. `sampled` says whether the step under way is looked at closely. `say` is
    told, in a sentence, why the watching has ended early.
    """

    def __init__(
        self, writer: RecordWriter, sites: Sites, overhead: float, max_steps: int | None
    ) -> None:
        self.writer = writer
        self.say: Callable[[str], None] | None = None
        self.guard = Guard(self.failed, self.recover)
        self.sites = sites
        self.names = Names(sites)
        self.models = Models(writer, self.names, sites)
        self.capture = Capture(self)
        self.step = 0
        self.sampled = True
        self.stop = Stop(max_steps)
        self.budget = Budget(overhead)
        self.backwards_since_step = 0
        self.stepped = False
        self.stepping: list[int] = []  # optimizers whose step is under way, outermost first
        self.nests = False  # whether one steps within another
        self.backwards_in_step = 0
        self.turns = Turns()
        self._window = 0  # sampled steps left, so that each optimizer gets one
        self._lines = LineNotes()
        self._failed = False
        self._limits: set[str] = set()
        self._nodes = 0  # of the last graph that was walked
        self.reservoir = Reservoir()
        self.samples = SampleProbe(self.reservoir, sites)
        self.finite = FiniteProbe(writer, self.names, sites)
        self.layers = LayerProbe(writer, self.names, self.guard)
        self.modes = ModeProbe(writer, self.names, sites)
        self.samples.judged = self.modes.batch_judged
        self.lifetimes = LifetimeProbe(writer, sites)
        self.losses = LossProbe(
            writer, sites, self.samples, self.finite, self.layers, self.lifetimes)
        self.labels = LabelProbe(writer)
        self.parameters = ParameterProbe(writer, self.names, sites)
        self.noise = GradientNoiseProbe(writer, self.parameters)
        self.flow = FlowProbe(writer, self.names, sites, self.finite, self.guard)
        self.order = OrderProbe(writer, sites, self.parameters)
        self.reach = ReachProbe(writer, self.names, sites, self.parameters)
        self.frozen = FrozenProbe(writer, self.names, sites)
        self.repeats = RepeatProbe(writer, sites)
        self.workers = WorkerProbe(writer, sites)
        self.batchnorm = BatchNormProbe(writer, self.names)
        self.cuts = CutProbe(writer, self.names, sites, self.parameters)
        self.slots = SlotProbe(writer, self.names, sites)
        self.mixing = MixingProbe(writer, self.names, sites, self.finite)
        self.quiet = QuietSteps(self)

    def start(self) -> None:
        """Installs the hooks; the first steps are sampled."""
        self.capture.install()
        if any_compiled():  # before the watching began
            self.compiling()
        self.capture.sample(True)

    # What limits the watching -------------------------------------------------------------------
    def limited(self, says: str) -> None:
        """Notes, once, that something cannot be seen."""
        if says not in self._limits:
            self._limits.add(says)
            self.writer.odd("limited", self.step, says)

    def failed(self, error: Exception) -> None:
        """Ends the watching after an error of ours; the program goes on as if alone."""
        if self._failed:
            return
        self._failed = True
        self._remove()
        failure.tell(error, self.step, self.writer, self.say)

    def _remove(self) -> None:
        """Takes every hook away; cannot fail."""
        self.guard.active = False
        with suppress(Exception):
            self.capture.remove()
            self._lines.end()

    def recover(self) -> None:
        """An exception of the program's own has left a handler halfway: the step is let be."""
        self.stepping.clear()
        self._lines.end()
        self._look_away()
        self.layers.drop()
        self.flow.drop()
        self.quiet.drop()

    def _look_away(self) -> None:
        """Looks at what is left of this step from afar."""
        self.sampled, self._window = False, 0
        self.capture.sample(False)

    def _may_look(self) -> bool:
        """Whether the step under way is sampled; a profiler would count what is done for that."""
        if self.sampled and is_profiled():
            self._look_away()
            self.limited("a profiler was active, and meanwhile no step was measured in detail")
        return self.sampled

    def maybe_stop(self) -> None:
        """Raises StopTraining once --max-steps is reached, again and again if it is swallowed."""
        if not self.stop.is_due(self.step):
            return
        if self.stop.told == 1:  # while all is still held
            self.guard.tell(lambda: self.lifetimes.count(self.losses.places(), self.step))
            self.guard.tell(self.writer.flush)
        if self.stop.in_vain:
            self.finish(End(EndKind.STOPPED))
            with suppress(Exception):  # the program may have closed or replaced it
                sys.stdout.flush()
            os._exit(0)
        raise StopTraining

    def finish(self, end: End) -> None:
        """Removes the hooks, writes what is still held back and how the run ended."""
        self._remove()
        if self.stop.told and end.kind in (EndKind.FINISHED, EndKind.STOPPED):
            end = End(EndKind.STOPPED, max_steps=self.stop.max_steps)
        self.guard.active = not self._failed
        self.guard.tell(self._finish, end)
        self.guard.active = False
        try:
            self.writer.end(end, self.step)
            self.writer.close()
        except Exception as error:
            self.failed(error)
            with suppress(Exception):
                self.writer.abandon()

    def _finish(self, end: End) -> None:
        self.losses.finish(self.step, end.kind is EndKind.FINISHED)
        self.modes.end_pass(self.step)
        ending.reduce(self, end.kind)

    # Construction -------------------------------------------------------------------------------
    def module_built(self, module: nn.Module) -> None:
        self.names.built(module)
        if type(module).__name__ == "OptimizedModule":
            self.compiling()

    def optimizer_built(self, optimizer: Optimizer) -> None:
        self.parameters.optimizer_built(optimizer)
        self.frozen.optimizer_built(optimizer)

    def loader_built(self, loader: Any) -> None:
        self.workers.loader_built(loader, self.step)

    def loader_iterated(self, loader: Any) -> None:
        if self.step == 0 and torch.is_grad_enabled():
            self.repeats.iterated(loader)

    def scheduled(self, scheduler: Any) -> None:
        name = self.parameters.name_of(getattr(scheduler, "optimizer", None))
        self.flow.scheduled(scheduler, name, self.step)

    def compiling(self, function: Any = None) -> None:
        if not self.capture.compiled:
            self.capture.compiled = True
            self.guard.set_tracer = spare_compiler()
            self.capture.sample(False)
            self.capture.be_quiet(False)
            self._lines.end()
            self.limited("a model is compiled, so nothing was measured inside its layers")

    # Forward ------------------------------------------------------------------------------------
    def before_forward(self, module: nn.Module) -> None:
        """A module is called from outside at a sampled step."""
        if not self._may_look():
            return
        self.cuts.model_called(torch.is_grad_enabled())
        if torch.is_grad_enabled() and self.models.is_model(module):
            self.models.meet(module)
            self.layers.begin()

    def after_forward(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if not self.models.is_model(module):
            return
        learns = torch.is_grad_enabled()
        self.samples.forward(module, args, kwargs, learns, self.sampled, self.step)
        batch = self.samples.batch
        if batch is None:
            self.modes.last = None
        else:
            self.modes.forward(module, batch, learns, self.step)
        if learns:
            self.finite.model_called(args, kwargs)
            if not self.repeats.over:
                self.repeats.batch(batch, args)
        if self.sampled and learns:
            self.losses.model_output(output, self.step)
            self.layers.end(args, kwargs, output)
            self.slots.model_called(module, args, output, self.step)
            self.mixing.model_called(args, output, self.step)
            self.models.describe(
                module, args, kwargs, self.step, compiled=self.capture.compiled,
                first_layer=self.layers.first_layer)

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        if self.cuts.suspects:
            self.cuts.called(module, args)
        if torch.is_grad_enabled():
            self.layers.called(module, args, output)
            self.slots.called(module, args, self.step)
            self.mixing.called(module, args, self.step)
            self.modes.called(module, output)
            self.batchnorm.called(module, args)

    # Loss and backward --------------------------------------------------------------------------
    def loss_computed(self, name: str, original: Any, args: Any, kwargs: Any, result: Any) -> None:
        self._may_look()
        self.losses.computed(name, original, args, kwargs, result, self.step, self.sampled)
        if not is_plain(result):
            return
        self.samples.loss(name, args)
        if not result.requires_grad:
            self.modes.judged(self.modes.last, self.samples.role)
        elif self.sampled:
            self.labels.add(name, args)

    def before_backward(self, tensors: Any) -> None:
        self._may_look()
        if self.modes.waiting:
            self.modes.end_pass(self.step)
        traced = self._lines.on
        self._lines.end()
        if not self.stepping:
            self._count_backward()
            if self.sampled or not self.order.settled:
                self.order.before_backward(self.step)
        else:
            self.backwards_in_step += 1
        if self.parameters.follows:
            self.parameters.before_backward()
        for loss in tensors if isinstance(tensors, tuple | list) else (tensors,):
            if not is_plain(loss):
                continue
            if self.sampled and loss.grad_fn is not None:
                self._walk(loss.grad_fn, traced)
            elif loss.grad_fn is None and (self.sampled or not loss.requires_grad):
                self.frozen.reached(set(), self.step)  # it will raise if all is frozen
                self.cuts.rootless(self.step)
            self.losses.before_backward(loss, self.step, self.sampled)

    def _walk(self, root: Any, traced: bool) -> None:
        nodes = list(graph.walk(root))
        self._nodes = len(nodes)
        if traced:
            self.finite.remember_lines(nodes)
        self.modes.graph(nodes, self.step)
        self.layers.graph(
            nodes, (lambda n, place: self.flow.activation(n, place, self.step)) if traced else None)
        self.flow.graph(nodes, self.step)
        leaves = graph.leaves(nodes)
        self.parameters.graph(nodes, leaves, self.step)
        self.order.graph(nodes)
        self.reach.graph(nodes, self.step)
        self.mixing.graph(nodes, traced, self.step)
        self.frozen.reached(leaves, self.step)
        self.cuts.reached(nodes, leaves, self.step)

    def _count_backward(self) -> None:
        by_hand = not self.stepped and (
            not self.parameters.has_optimizer
            or self.backwards_since_step >= LONGEST_ACCUMULATION
        )
        if by_hand and self.backwards_since_step:
            self.parameters.after_step(None, self.step, self.sampled)
            self._step_ended()
            self.maybe_stop()
        if by_hand and self.sampled:
            self.parameters.before_step(None, self.step, self.sampled)
        self.backwards_since_step += 1

    def clearing(self, owner: Any) -> None:
        """Gradients are about to be cleared at a sampled step."""
        if not self.stepping:
            self.order.clearing(owner)

    def clipped(self, function: str, limit: Any, norm: Any) -> None:
        self.losses.clipped(function, limit, norm, self.step)

    # Steps --------------------------------------------------------------------------------------
    def before_step(self, optimizer: Optimizer, closure: bool) -> None:
        self._may_look()
        key = id(optimizer)
        if self.stepping and key in self.stepping and self.backwards_in_step:
            self.stepping.clear()  # an earlier step raised and never came back
        self.stepping.append(key)
        if len(self.stepping) > 1:
            self.nests = True
        else:
            self.backwards_in_step = 0
            self.order.before_step(optimizer, closure, self.step, self.sampled)
            self.parameters.before_step(optimizer, self.step, self.sampled)
            self.noise.before_step(optimizer, closure, self.step, self.sampled)

    def after_step(self, optimizer: Optimizer) -> None:
        if self.stepping:
            self.stepping.pop()
        if self.stepping:
            return
        self.stepped = True
        if not self.backwards_since_step and not self.backwards_in_step:
            self.losses.without_backward(self.step)
        self.parameters.after_step(optimizer, self.step, self.sampled)
        self.turns.stepped(id(optimizer), self.step)
        self._step_ended()

    def _step_ended(self) -> None:
        # First of all: what follows may be left halfway, and weights have changed.
        step, self.step = self.step, self.step + 1
        self.backwards_since_step = 0
        was_sampled = self.sampled
        if was_sampled:
            self.order.after_step()
            self.layers.flush(step)
            self.modes.flush(step)
            self.batchnorm.flush(step)
            self.labels.flush(step)
            self.flow.flush(step)
            self.lifetimes.count(self.losses.places(), step)
            self.budget.sampled_step_ended(step)
            self.reservoir.step_ended(step)  # bounded once for the run: thins no schedule
        if not self.repeats.over:
            self.repeats.step_ended(step)
        if self._window > 1:
            self._window -= 1
        else:
            self.sampled = self.step >= self.budget.next and self.budget.sampled(self.step)
            self._window = self.turns.count if self.sampled else 0
        if self.sampled is not was_sampled:
            self.capture.sample(self.sampled)
        self.capture.be_quiet(self.quiet.lasts(self.sampled, self.budget.next))
        if self.step == 1 and not self.capture.compiled:
            self._lines.begin(self._nodes)
        else:
            self._lines.clear_up(self.step)
        self.writer.tick()
