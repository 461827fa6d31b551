"""Keeps track of steps and hands every event to the probes. Measures nothing itself."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck import facts
from unstuck.observe import ending, graph
from unstuck.observe.budget import Budget
from unstuck.observe.capture import Capture
from unstuck.observe.models import Models
from unstuck.observe.naming import Names
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
from unstuck.observe.reservoir import Reservoir
from unstuck.observe.sites import Sites, raised_at
from unstuck.record import RecordWriter

# So many backward passes without a step are no accumulation any more: each counts as a step.
LONGEST_ACCUMULATION = 64
# A program that catches everything may go on after it was told to stop: so often is it told again.
STOPS_BEFORE_EXIT = 20
# Noting the source line of an operation costs about fifty microseconds.
LARGEST_TRACED_GRAPH = 1_000


class StopTraining(BaseException):
    """Ends the program's training at --max-steps; no error, so `except Exception` lets it pass."""


class Watcher:
    """One watching of one process.

    `step` is the number of optimizer steps so far, or of backward passes in a program that updates
    its weights by hand. `sampled` says whether the step under way is looked at closely.
    """

    def __init__(
        self, writer: RecordWriter, sites: Sites, overhead: float, max_steps: int | None
    ) -> None:
        self.writer = writer
        self.sites = sites
        self.names = Names(sites)
        self.models = Models(writer, self.names, sites)
        self.capture = Capture(self)
        self.step = 0
        self.sampled = True
        self.stopped = False
        self.max_steps = max_steps
        self._stops = 0
        self._budget = Budget(overhead)
        self.backwards_since_step = 0
        self.stepped = False
        self.stepping: list[int] = []  # optimizers whose step is under way, outermost first
        self.nests = False  # whether one steps within another
        self.backwards_in_step = 0
        self.recent: list[int] = [0]  # optimizers of the last steps
        self._window = 0  # sampled steps left, so that each optimizer gets one
        self._tracing = False
        self._failed = False
        self._nodes = 0  # of the last graph that was walked
        self.reservoir = Reservoir()
        self.samples = SampleProbe(self.reservoir, sites)
        self.finite = FiniteProbe(writer, self.names, sites)
        self.layers = LayerProbe(writer, self.names)
        self.modes = ModeProbe(writer, self.names, sites)
        self.samples.judged = self.modes.batch_judged
        self.lifetimes = LifetimeProbe(writer, sites)
        self.losses = LossProbe(
            writer, sites, self.samples, self.finite, self.layers, self.lifetimes)
        self.labels = LabelProbe(writer)
        self.parameters = ParameterProbe(writer, self.names, sites)
        self.noise = GradientNoiseProbe(writer, self.parameters)
        self.flow = FlowProbe(writer, self.names, sites, self.finite)
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
        if "torch._dynamo" in sys.modules and any(
            type(thing).__name__ == "OptimizedModule" for thing in gc.get_objects()
        ):
            self.compiling()  # before the watching began
        self.capture.sample(True)

    # What limits the watching -------------------------------------------------------------------
    def limited(self, says: str) -> None:
        """Notes that something cannot be seen."""
        self.writer.odd("limited", self.step, says)

    def failed(self, error: Exception) -> None:
        """Ends the watching after an error of ours; the program goes on as if alone."""
        self.capture.remove()
        if self._failed:
            return
        self._failed = True
        self._trace(False)
        says = (f"the watcher failed at step {self.step}: {type(error).__name__}: {error}"
                f"{raised_at(error)}")
        with suppress(OSError):  # the writer itself may be what failed
            self.writer.odd("watcher-failed", self.step, says)
        if os.environ.get("UNSTUCK_DEBUG"):
            raise error
        print(f"unstuck: {says}; the program goes on unwatched", file=sys.stderr)

    def forked(self) -> None:
        """In a forked child nothing is watched and nothing written."""
        self.writer.abandon()

    def maybe_stop(self) -> None:
        """Raises StopTraining once --max-steps is reached, again and again if it is swallowed."""
        if self.max_steps is None or self.step < self.max_steps:
            return
        if not self.stopped:
            self.stopped = True
            self.lifetimes.count(self.losses.places(), self.step)  # while all is still held
            self.writer.flush()
        self._stops += 1
        if self._stops > STOPS_BEFORE_EXIT:
            self.finish(facts.End(facts.EndKind.STOPPED))
            sys.stdout.flush()
            os._exit(0)
        raise StopTraining

    def finish(self, end: facts.End) -> None:
        """Removes the hooks, writes what is still held back and how the run ended."""
        self.capture.remove()
        self._trace(False)
        if self.stopped and end.kind in (facts.EndKind.FINISHED, facts.EndKind.STOPPED):
            end = facts.End(facts.EndKind.STOPPED, max_steps=self.max_steps)
        try:
            self.losses.finish(self.step, end.kind is facts.EndKind.FINISHED)
            self.modes.end_pass(self.step)
            ending.reduce(self, end.kind)
        except Exception as error:
            self.failed(error)
        try:
            self.writer.end(end, self.step)
            self.writer.close()
        except OSError as error:
            self.failed(error)

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
            self.capture.sample(False)
            self.capture.be_quiet(False)
            self._trace(False)
            self.limited("a model is compiled: its layers were not looked into")

    # Forward ------------------------------------------------------------------------------------
    def before_forward(self, module: nn.Module) -> None:
        """A module is called from outside at a sampled step."""
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
        self.losses.computed(name, original, args, kwargs, result, self.step, self.sampled)
        if not isinstance(result, torch.Tensor):
            return
        self.samples.loss(name, args)
        if not result.requires_grad:
            self.modes.judged(self.modes.last, self.samples.role)
        elif self.sampled and len(args) > 1:
            self.labels.add(name, args[1])

    def loss_scaled(self, unscaled: torch.Tensor, scaled: Any) -> None:
        self.losses.scaled(unscaled, scaled)

    def before_backward(self, tensors: Any) -> None:
        if self.modes.waiting:
            self.modes.end_pass(self.step)
        traced = self._tracing
        if traced:
            self._trace(False)
        if not self.stepping:
            self._count_backward()
            if self.sampled or not self.order.settled:
                self.order.before_backward(self.step)
        else:
            self.backwards_in_step += 1
        if self.parameters.follows:
            self.parameters.before_backward()
        for loss in tensors if isinstance(tensors, tuple | list) else (tensors,):
            if not isinstance(loss, torch.Tensor):
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
        if id(optimizer) != self.recent[-1]:
            self.recent = [*self.recent[-7:], id(optimizer)]
        elif len(set(self.recent)) > 1 and self.step % 64 == 0:
            self.recent = self.recent[-1:]  # the others may have ended
        self._step_ended()

    def _step_ended(self) -> None:
        was_sampled = self.sampled
        if was_sampled:
            self.order.after_step()
            self.layers.flush(self.step)
            self.modes.flush(self.step)
            self.batchnorm.flush(self.step)
            self.labels.flush(self.step)
            self.flow.flush(self.step)
            self.lifetimes.count(self.losses.places(), self.step)
            self._budget.sampled_step_ended(self.step)
            self.reservoir.step_ended(self.step)  # bounded once for the run: thins no schedule
        if not self.repeats.over:
            self.repeats.step_ended(self.step)
        self.step += 1
        self.backwards_since_step = 0
        if self._window > 1:
            self._window -= 1
        else:
            self.sampled = self.step >= self._budget.next and self._budget.sampled(self.step)
            self._window = max(1, len(set(self.recent) - {0})) if self.sampled else 0
        if self.sampled is not was_sampled:
            self.capture.sample(self.sampled)
        self.capture.be_quiet(self.quiet.lasts(self.sampled, self._budget.next))
        if self.step == 1:
            self._trace(True)
        elif self.step < 4 and torch.is_anomaly_enabled() and (
            not torch.is_anomaly_check_nan_enabled()
        ):
            # The program's own detection, begun while ours was on, has restored ours.
            torch.autograd.set_detect_anomaly(False)
        self.writer.tick()

    def _trace(self, on: bool) -> None:
        """Lets torch note the source line of each operation, for the second step's forward only.

        The flag changes nothing that is computed; it is off again before backward reads it.
        """
        if on and not self.capture.compiled and not torch.is_anomaly_enabled() and (
            self._nodes < LARGEST_TRACED_GRAPH
        ):
            torch.autograd.set_detect_anomaly(True, check_nan=False)
            self._tracing = True
        elif not on and self._tracing:
            self._tracing = False
            if not torch.is_anomaly_check_nan_enabled():  # else the program's own is on
                torch.autograd.set_detect_anomaly(False)
