"""What a change of the program's text must know of it: hands events to those that ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.callers import Callers
from unstuck.observe.probes.calls import ModelCalls
from unstuck.observe.probes.cuts import CutProbe
from unstuck.observe.probes.files import Files
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.probes.functions import Functions
from unstuck.observe.probes.layers import LayerProbe
from unstuck.observe.probes.loops import Feeds, Loops
from unstuck.observe.probes.losscalls import LossCalls
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.probes.statistics import DataStatistics
from unstuck.observe.probes.written import FirstValues, WrittenGradients
from unstuck.observe.samples.batch import Role
from unstuck.observe.source.guarded import guarded_calls
from unstuck.observe.source.idle import idle_statements
from unstuck.observe.source.updating import written_rates, written_updates
from unstuck.schema.facts.calls import (
    CallRole,
    Guarded,
    Idle,
    LossCall,
    ModeCall,
    ModelCall,
    OptimizerCall,
    WrittenUpdate,
)
from unstuck.schema.facts.data import Feeding
from unstuck.schema.facts.files import UserFile
from unstuck.schema.facts.gradients import ChangedGradient, WrittenGradient
from unstuck.schema.facts.loops import Loop, Pace
from unstuck.schema.facts.losses import Backward
from unstuck.schema.facts.models import Activation, Initialisation
from unstuck.schema.facts.optimizers import WrittenRate
from unstuck.schema.facts.run import EndKind
from unstuck.schema.facts.statistics import Statistics


class OutlineProbe(Probe):
    """Finds the outline of the program's text, at sampled steps; a fact is written once."""

    facts = (
        Activation, Backward, ChangedGradient, Feeding, Guarded, Idle, Initialisation, Loop,
        LossCall, ModeCall, ModelCall, OptimizerCall, Pace, Statistics, UserFile, WrittenGradient,
        WrittenRate, WrittenUpdate,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        writer, names, sites = context.writer, context.names, context.sites
        self._samples = context.probe(SampleProbe)
        self._parameters = context.probe(ParameterProbe)
        losses = context.probe(LossProbe)
        self._calls = ModelCalls(writer, names, sites)
        self._losses = LossCalls(writer, names, sites, losses)
        self._callers = Callers(writer, names, sites, self._parameters)
        self._feeds = Feeds(writer, sites)
        self._loops = Loops(writer, sites, self._feeds)
        self._statistics = DataStatistics(writer, context.later)
        self._functions = Functions(
            writer, names, sites, context.probe(FiniteProbe), context.probe(LayerProbe))
        self._gradients = WrittenGradients(writer, sites, self._parameters)
        self._first_values = FirstValues(writer, context.later, names, sites)
        self._files = Files(writer, sites)
        self._given = False  # gradients, by a function, since the last step
        self._calls.data = self._statistics.inputs
        losses.targets.met = self._statistics.targets
        context.probe(CutProbe).loss_of = self._losses.among

    def follow(self, before: Self) -> None:
        """Loaders and networks may have been built before; files are read once."""
        self._feeds.follow(before._feeds)
        self._first_values.follow(before._first_values, before._moment.step)
        self._files = before._files

    def trained_from(self) -> torch.Tensor | None:
        """The rows that training takes its batches from, by their indices; None if not known."""
        return self._calls.trained_from()

    def _role(self) -> Callable[[], CallRole]:
        """What is done now is for, unless a loss of it reaches backward, once that is known."""
        batch = self._samples.batch
        hashes = batch.hashes if batch is not None else None

        def role() -> CallRole:
            held_out = hashes is not None and hashes.role is Role.HELD_OUT and hashes.follows
            return CallRole.HELD_OUT if held_out else CallRole.OTHER

        return role

    # Construction and data ----------------------------------------------------------------------
    def loader_built(self, loader: Any) -> None:
        self._feeds.built(loader)

    def loader_iterated(self, loader: Any) -> None:
        self._feeds.iterated(loader)

    def batch_drawn(self, iterator: Any, indices: Any) -> None:
        self._feeds.drawn(iterator)

    def initialised(self, function: str, tensor: Any) -> None:
        self._first_values.initialised(tensor, self._moment.step)

    def evaluation_mode(self, module: nn.Module) -> None:
        self._callers.sets_mode(module, False)

    def training_mode(self, module: nn.Module) -> None:
        self._callers.sets_mode(module, True)

    # Forward and backward -----------------------------------------------------------------------
    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Notes a call; of those in training only at sampled steps."""
        sampled, learns, role = self._moment.sampled, self._moment.learns, self._role()
        if sampled or not learns:
            self._feeds.called(learns, role)
            self._calls.called(module, args, kwargs, output, role, sampled, self._moment.step)

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Notes a call; of those with a graph only at sampled steps."""
        if self._moment.sampled or not loss.requires_grad:
            self._losses.computed(
                function, args, loss, self._role(), self._calls.functions(),
                self._calls.data_found, self._moment.step)

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Learns what led to the loss."""
        if self._moment.traced:
            self._functions.graph(nodes, self._moment.step)
        self._calls.graph(nodes)
        self._feeds.trained()
        self._first_values.graph(self._moment.step)

    def backward_ended(self) -> None:
        if self._moment.sampled:
            self._gradients.after_backward()

    def gradients_computed(self) -> None:
        self._gradients.computes()

    def gradients_given(self, outputs: Any, inputs: Any, gradients: Any) -> None:
        """A step may use them in the place of a backward pass."""
        self._given = True

    # Steps --------------------------------------------------------------------------------------
    def before_clearing(self, owner: Optimizer | nn.Module) -> None:
        self._callers.clears(owner)

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """Notes the call and what is around it, at a sampled step."""
        if not self._moment.sampled:
            return
        self._loops.steps()
        if self._given and not self._moment.backwards and not closure:
            self._calls.gradients_given()
        self._given = False
        if optimizer is not None:
            backwards = self._moment.backwards
            self._callers.steps(optimizer, closure, backwards, self._moment.step)
            if not closure:
                self._gradients.steps(optimizer, backwards, self._moment.step)

    def look_ended(self, step: int) -> None:
        """Writes what is new."""
        if not step:
            self._files.look(step)
            for fact in (*idle_statements(self._sites), *guarded_calls(self._sites),
                         *written_rates(self._sites), *written_updates(self._sites)):
                self._writer.fact(fact, step)
        self._gradients.flush()
        for part in (self._calls, self._losses, self._callers, self._feeds, self._loops,
                     self._statistics, self._first_values):
            part.flush(step)

    # The end ------------------------------------------------------------------------------------
    def left_halfway(self) -> None:
        self._calls.drop()

    def finished(self, kind: EndKind) -> None:
        """Writes what came since the last look, and statistics over all."""
        step = max(self._moment.step - 1, 0)
        self._calls.follow_back()
        self._losses.follow_back()
        self.look_ended(step)
        self._statistics.finish(step)
        self._files.look(step)
