"""The order of calls: gradients cleared before their step, and steps that never come."""

from __future__ import annotations

import math
import weakref
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe import graph
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import FirstValues, held_by, is_nonzero, mark_there, readable, transfer
from unstuck.schema.facts.optimizers import Clearing
from unstuck.schema.signals.parameters import EMPTY_STEP, UNUSED_BACKWARDS

MOST_MARKED = 100  # parameters that are looked at around the step of a closure


class OrderProbe(Probe):
    """Follows backward, clearing and step, at sampled steps and until the first step."""

    signals = (EMPTY_STEP, UNUSED_BACKWARDS)
    facts = (Clearing,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._reached: dict[int, weakref.ref[torch.Tensor]] = {}  # by a backward since the step
        self._cleared: tuple[Site | None] | None = None  # who cleared what the last backward left
        self._written: set[Site | None] = set()
        self._backwards = 0
        self._stepped = False
        self._moved = False  # a weight changed though no optimizer stepped
        self._waits = False  # whether backward passes without a step were written
        self._first = FirstValues()
        self._rested: list[float] | None = None  # marks of the weights before a closure's step

    @property
    def _settled(self) -> bool:
        """Whether the gradients are known to be used."""
        return self._stepped or self._moved

    def quiet_until(self, step: int) -> float:
        """No step is, before the gradients are known to be used."""
        return math.inf if self._settled else step

    # Backward -----------------------------------------------------------------------------------
    def before_backward(self) -> None:
        """Counts; until the first step it looks now and then whether anything uses gradients."""
        if self._moment.within_step or (self._settled and not self._moment.sampled):
            return
        self._cleared = None
        self._backwards += 1
        if self._settled:
            return
        done = self._backwards - 1
        if done & (done - 1) == 0:  # after 0, 1, 2, 4, 8, ... passes
            self._look(done, self._moment.step)

    def _look(self, done: int, step: int) -> None:
        unused: dict[str, float] = {}
        with torch.no_grad():
            for optimizer, name in self._parameters.living():
                held = [p for p in held_by(optimizer) if p.requires_grad and readable(p)]
                self._moved = not all(map(self._first.rests, held)) or self._moved
                if done and any(self._is_reached(p) for p in held):
                    self._parameters.describe(optimizer, step)
                    unused[name] = float(done)
        if self._moved:
            self._used(step)
        elif unused:
            self._waits = True
            self._writer.sample(UNUSED_BACKWARDS, step, unused)

    def _used(self, step: int) -> None:
        self._first.clear()
        if self._waits:
            self._waits = False
            self._writer.sample(UNUSED_BACKWARDS, step, {
                name: 0.0 for _, name in self._parameters.living()})

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Notes which leaves a sampled backward reaches."""
        for node in nodes:
            leaf = graph.variable(node)
            if leaf is not None:
                self._reached[id(leaf)] = weakref.ref(leaf)

    def _is_reached(self, parameter: torch.Tensor) -> bool:
        found = self._reached.get(id(parameter))
        return found is not None and found() is parameter

    # Clearing -----------------------------------------------------------------------------------
    def before_clearing(self, owner: Optimizer | nn.Module) -> None:
        """Notes who clears what the last backward left."""
        if not self._reached or self._cleared is not None:
            return
        held = held_by(owner) if isinstance(owner, Optimizer) else nn.Module.parameters(owner)
        if any(id(p) in self._reached and is_nonzero(p.grad) for p in held):
            self._cleared = (self._sites.here(),)

    # Steps --------------------------------------------------------------------------------------
    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """Looks whether the gradients that backward left are still there."""
        if optimizer is None:
            return
        step = self._moment.step
        if not self._stepped:
            self._stepped = True
            self._used(step)
        if self._moment.sampled and closure:  # it computes the gradients within the step
            self._rested, self._cleared = _marks(optimizer), None
        elif self._moment.sampled:
            empty = self._empty(optimizer)
            if empty is not None:
                self._write(optimizer, empty)

    def after_step(self, optimizer: Optimizer | None) -> None:
        """Looks whether a closure left gradients to step with, or its optimizer cleared them."""
        rested, self._rested = self._rested, None
        if optimizer is None or rested is None or not self._moment.sampled:
            return
        reached = [p for p in held_by(optimizer) if self._is_reached(p)]
        if any(is_nonzero(p.grad) for p in reached):
            self._write(optimizer, False)
        elif reached and all(p.grad is None for p in reached):
            self._write(optimizer, _marks(optimizer) == rested)

    def _write(self, optimizer: Optimizer, empty: bool) -> None:
        step = self._moment.step
        self._writer.sample(EMPTY_STEP, step, {self._parameters.name(optimizer): float(empty)})
        if empty and self._cleared is not None and self._cleared[0] not in self._written:
            self._written.add(self._cleared[0])
            self._writer.fact(Clearing(self._sites.location(self._cleared[0])), step)

    def look_ended(self, step: int) -> None:
        """What comes now belongs to the next step."""
        if self._stepped:  # else many passes without a step were counted as one
            self._reached.clear()
        self._cleared = None

    def _empty(self, optimizer: Optimizer) -> bool | None:
        """Whether the optimizer finds no gradient, None if it cannot be told why."""
        held = held_by(optimizer)
        reached = [p for p in held if self._is_reached(p)]
        if not reached:
            # Without any backward, gradients may still come from elsewhere.
            return True if not self._backwards and all(p.grad is None for p in held) else None
        if any(is_nonzero(p.grad) for p in reached):
            return False
        # A gradient of zeros that nobody cleared is what backward computed.
        gone = all(p.grad is None for p in reached)
        return True if gone or self._cleared is not None else None


def _marks(optimizer: Optimizer) -> list[float]:
    """Numbers that change with the weights that an optimizer holds."""
    with torch.no_grad():
        return transfer([mark_there(p) for p in held_by(optimizer)[:MOST_MARKED] if readable(p)])
