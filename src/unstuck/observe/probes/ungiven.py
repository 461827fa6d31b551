"""Optimizers that step for a network to which no gradient ever comes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.parameters import ParameterProbe
from unstuck.observe.source.cutting import cutting
from unstuck.observe.source.sites import Site, expression_at
from unstuck.observe.tensors import held_by
from unstuck.schema.facts.models import Ungiven
from unstuck.schema.places import SourceLocation
from unstuck.schema.signals.parameters import UNGIVEN

STEPS = 2  # looks at an optimizer after which the calls of its network are followed


class UngivenProbe(Probe):
    """Looks at sampled steps whether any weight of the optimizer has ever had a gradient.

    Weights that change all the same are trained in another way.
    """

    signals = (UNGIVEN,)
    facts = (Ungiven,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._parameters = context.probe(ParameterProbe)
        # Of optimizers whose weights had no gradient yet: looks, and the versions of the weights.
        self._looks: ByIdentity[Optimizer, tuple[int, int]] = ByIdentity()
        self._given: ByIdentity[Optimizer, bool] = ByIdentity()
        self._reached: set[int] = set()  # leaves, in this step
        self._suspects: dict[int, str] = {}  # their weights, with the optimizer
        self._called: dict[str, tuple[list[Site], bool]] = {}  # from where, with gradients or not

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Notes what a loss reaches: its gradients may be cleared before the step."""
        self._reached |= leaves

    def look_ended(self, step: int) -> None:
        """Forgets what was reached in the step."""
        self._reached = set()

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """Looks at the weights of an optimizer."""
        if optimizer is None or closure or not self._moment.sampled or (
                optimizer in self._given):
            return
        held = [p for p in held_by(optimizer) if p.requires_grad]
        known = self._looks.get(optimizer)
        versions = sum(p._version for p in held)
        name, step = self._parameters.name(optimizer), self._moment.step
        if not held or any(p.grad is not None or id(p) in self._reached for p in held) or (
                known is not None and known[1] != versions):
            self._given[optimizer] = True
            self._suspects = {key: owner for key, owner in self._suspects.items() if owner != name}
            if known is not None:
                self._writer.sample(UNGIVEN, step, {name: 0.0})
            return
        looks = known[0] + 1 if known is not None else 1
        self._looks[optimizer] = looks, versions
        self._writer.sample(UNGIVEN, step, {name: 1.0})
        if looks == STEPS:
            self._suspects |= {id(p): name for p in held}
        elif looks == STEPS + 1 and name in self._called:
            location, seen = self._place(*self._called.pop(name))
            self._writer.fact(Ungiven(name, location, seen), step)

    def before_call(self, module: nn.Module) -> None:
        """Notes from where the network of such an optimizer is called."""
        if self._suspects:
            first = next(module.parameters(), None)
            name = self._suspects.get(id(first))
            if name is not None:
                self._called[name] = self._sites.stack(), torch.is_grad_enabled()

    def _place(self, stack: list[Site], recorded: bool) -> tuple[SourceLocation | None, bool]:
        """What cuts the graph around a call, else the call; and which it is."""
        for site in stack[:1] if recorded else stack:
            location, code = self._sites.location(site), self._sites.code(site)
            line = location.line if location is not None else 0
            for file, node in cutting(code, line, line, recorded):
                return expression_at(file, node, self._sites.keeps_text), True
        return self._sites.location(stack[0]) if stack else None, False
