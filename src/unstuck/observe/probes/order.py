"""The order of calls: gradients cleared before their step, and steps that never come."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.sites import Site
from unstuck.observe.tensors import FirstValues, held_by, is_nonzero, mark, readable
from unstuck.schema.facts.optimizers import Clearing
from unstuck.schema.signals.parameters import CLEARED_BACKWARDS, EMPTY_STEP, UNUSED_BACKWARDS

MOST_CLEARED = 1_000  # backward passes of a step
MOST_MARKED = 100  # parameters that are looked at around the step of a closure


class OrderProbe(Probe):
    """Follows backward, clearing and step, at sampled steps and until the first step."""

    signals = (CLEARED_BACKWARDS, EMPTY_STEP, UNUSED_BACKWARDS)
    facts = (Clearing,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        self._reached: dict[int, weakref.ref[torch.Tensor]] = {}  # by a backward since the step
        self._cleared = _Cleared()  # what the last backward left
        self._before: list[_Cleared] = []  # what backward passes before that left, in this step
        self._written: set[Site | None] = set()
        self._backwards = 0
        self._stepped = False
        self._steppers: ByIdentity[Optimizer, bool] = ByIdentity()  # optimizers that have stepped
        self._idle: dict[str, int] = {}  # from which step on another steps in the place of each
        self._moved = False  # a weight changed though no optimizer stepped
        self._waits = False  # whether backward passes without a step were written
        self._first = FirstValues()
        self._rested: torch.Tensor | None = None  # marks of the weights before a closure's step

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
        if self._moment.backwards > 1 and len(self._before) < MOST_CLEARED:
            self._before.append(self._cleared)
        self._cleared = _Cleared()
        self._backwards += 1
        if self._settled:
            return
        done = self._backwards - 1
        if done & (done - 1) == 0:  # after 0, 1, 2, 4, 8, ... passes
            self._look(done, self._moment.step)

    def _look(self, done: int, step: int) -> None:
        unused: dict[str, float] = {}
        rest: list[torch.Tensor] = []
        with torch.no_grad():
            for optimizer, name in self._parameters.living():
                held = [p for p in held_by(optimizer) if p.requires_grad and readable(p)]
                rest += [found for p in held if (found := self._first.rests(p)) is not None]
                if done and any(self._is_reached(p) for p in held):
                    self._parameters.describe(optimizer, step)
                    unused[name] = float(done)
        self._later.values(rest, lambda found: self._looked(all(found), unused, step))

    def _looked(self, rest: bool, unused: dict[str, float], step: int) -> None:
        self._moved = self._moved or not rest
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
        cleared = self._cleared
        if not self._reached or cleared.by is not None:
            return
        held = held_by(owner) if isinstance(owner, Optimizer) else nn.Module.parameters(owner)
        left = _nonzero([p for p in held if id(p) in self._reached])
        if left:
            site = self._sites.here()
            self._later.values(left, lambda found: cleared.note(any(found), site))

    # Steps --------------------------------------------------------------------------------------
    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """Looks whether the gradients that backward left are still there."""
        if optimizer is None:
            return
        step = self._moment.step
        if not self._stepped:
            self._stepped = True
            self._later.read((), lambda _: self._used(step))
        if self._moment.sampled and closure:  # it computes the gradients within the step
            self._rested, self._cleared = _marks(optimizer), _Cleared()
        elif self._moment.sampled:
            self._look_before(optimizer)

    def after_step(self, optimizer: Optimizer | None) -> None:
        """Looks whether a closure left gradients to step with, or its optimizer cleared them."""
        if optimizer is not None:
            self._steps(optimizer, self._moment.step)
        rested, self._rested = self._rested, None
        if optimizer is None or rested is None or not self._moment.sampled:
            return
        reached = [p for p in held_by(optimizer) if self._is_reached(p)]
        if not reached:
            return
        write = self._writes(optimizer)
        if all(p.grad is None for p in reached):
            moved = [(_marks(optimizer) != rested).any()]
            self._later.values(moved, lambda found: write(not any(found)))
        else:
            self._later.values(
                _nonzero(reached), lambda found: write(False) if any(found) else None)

    def _writes(self, optimizer: Optimizer) -> Callable[[bool], None]:
        """Writes whether the step under way is empty."""
        step, name, cleared = self._moment.step, self._parameters.name(optimizer), self._cleared

        def write(empty: bool) -> None:
            self._writer.sample(EMPTY_STEP, step, {name: float(empty)})
            if empty and cleared.by is not None and cleared.by[0] not in self._written:
                self._written.add(cleared.by[0])
                self._writer.fact(Clearing(self._sites.location(cleared.by[0])), step)

        return write

    def _steps(self, optimizer: Optimizer, step: int) -> None:
        """Notes who steps, if it seemed idle until now."""
        if optimizer in self._steppers:
            return
        self._steppers[optimizer] = True
        name = self._parameters.name(optimizer)
        if self._idle.pop(name, None) is not None:
            self._writer.sample(UNUSED_BACKWARDS, step, {name: 0.0})

    def _note_idle(self, step: int) -> None:
        """Writes for how long gradients have come to optimizers that never step, while others do.

        Whose weights another one has moves them.
        """
        living = self._parameters.living()
        if len(living) < 2 or not self._stepped:
            return
        moved = {id(p) for optimizer, _ in living if optimizer in self._steppers
                 for p in held_by(optimizer)}
        for optimizer, name in living:
            if optimizer in self._steppers:
                continue
            held = [p for p in held_by(optimizer) if p.requires_grad]
            if not any(self._is_reached(p) for p in held) or any(id(p) in moved for p in held):
                continue
            if name not in self._idle:
                self._parameters.describe(optimizer, step)
            since = self._idle.setdefault(name, step)
            self._writer.sample(UNUSED_BACKWARDS, step, {name: float(step - since)})

    def look_ended(self, step: int) -> None:
        """What comes now belongs to the next step."""
        self._note_idle(step)
        before, self._before = self._before, []
        if before:
            self._later.read((), lambda _: self._note_cleared(before, step))
        if self._stepped:  # else many passes without a step were counted as one
            self._reached.clear()
        self._cleared = _Cleared()

    def _note_cleared(self, before: list[_Cleared], step: int) -> None:
        cleared = sum(each.by is not None for each in before)
        if cleared:
            self._writer.row(CLEARED_BACKWARDS, step, float(cleared))

    def _look_before(self, optimizer: Optimizer) -> None:
        """Whether the optimizer finds no gradient; nothing if it cannot be told why."""
        held = held_by(optimizer)
        reached = [p for p in held if self._is_reached(p)]
        write, cleared = self._writes(optimizer), self._cleared
        if not reached:
            # Without any backward, gradients may still come from elsewhere.
            if not self._backwards and all(p.grad is None for p in held):
                write(True)
            return
        # A gradient of zeros that nobody cleared is what backward computed.
        gone = all(p.grad is None for p in reached)

        def looked(found: list[float]) -> None:
            if any(found):
                write(False)
            elif gone or cleared.by is not None:
                write(True)

        self._later.values(_nonzero(reached), looked)


@dataclass(slots=True)
class _Cleared:
    """Who cleared gradients, if anybody did; None stands for a place that is not the user's."""

    by: tuple[Site | None] | None = None

    def note(self, left: bool, site: Site | None) -> None:
        """Gradients were cleared at a place, and some of them were `left` until then."""
        if left and self.by is None:
            self.by = (site,)


def _nonzero(parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Whether gradients are not of zeros only, of those that there are."""
    with torch.no_grad():
        return [is_nonzero(p.grad) for p in parameters if p.grad is not None]


def _marks(optimizer: Optimizer) -> torch.Tensor:
    """Numbers that change with the weights that an optimizer holds."""
    with torch.no_grad():
        held = [p for p in held_by(optimizer)[:MOST_MARKED] if readable(p)]
        device = held[0].device if held else torch.device("cpu")
        return torch.stack([mark(p).to(device) for p in held]).float() if held else torch.zeros(0)
