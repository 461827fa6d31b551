"""Parameters that belong to no module, that the loss reaches, and that no optimizer has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.source.variables import scopes
from unstuck.observe.tensors import FirstValues, held_by, readable
from unstuck.schema.facts.models import LooseParameter
from unstuck.schema.facts.run import EndKind

MOST = 64  # that are followed
LOOKS = 3  # steps at which a loss reaches one, at least: an episode has copies of its own


@dataclass(slots=True)
class _Loose:
    name: str
    shape: tuple[int, ...]
    looks: int = 0
    latest: int = -1  # step
    moved: bool = False


class LooseProbe(Probe):
    """Follows them at sampled steps; tensors that are no parameters may be data."""

    facts = (LooseParameter,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._held: ByIdentity[torch.Tensor, bool] = ByIdentity()
        self._found: ByIdentity[torch.Tensor, _Loose] = ByIdentity()
        self._met: list[_Loose] = []  # living and dead ones
        self._first = FirstValues()

    def optimizer_built(self, optimizer: Optimizer) -> None:
        """What it holds is not loose."""
        for parameter in held_by(optimizer):
            self._held[parameter] = True

    def before_step(self, optimizer: Optimizer | None, closure: bool) -> None:
        """It may have been given more since."""
        if optimizer is not None and self._moment.sampled:
            self.optimizer_built(optimizer)

    def graph(self, nodes: list[Any], leaves: set[int]) -> None:
        """Counts the parameters in a graph that no model has."""
        for node in nodes:
            leaf = graph.variable(node)
            if type(leaf) is nn.Parameter and readable(leaf) and leaf not in self._held and (
                    self._names.parameter(leaf) is None):
                self._count(leaf)

    def _count(self, leaf: torch.Tensor) -> None:
        known = self._found.get(leaf)
        if known is None:
            name = _name(leaf, self._sites) if len(self._met) < MOST else None
            if name is None:
                return
            known = self._found[leaf] = _Loose(name, tuple(leaf.shape))
            self._met.append(known)
        step = self._moment.step
        known.looks, known.latest = known.looks + (step != known.latest), step
        rests = self._first.rests(leaf)
        if rests is not None:
            self._later.read([rests], lambda found: _note(known, bool(found[0])))

    def finished(self, kind: EndKind) -> None:
        """Writes those that nothing has moved."""
        for leaf, known in self._found.items():
            if leaf in self._held or self._names.parameter(leaf) is not None:
                known.moved = True
        for known in self._met:
            if known.looks >= LOOKS and not known.moved:
                self._writer.fact(
                    LooseParameter(known.name, known.shape), max(self._moment.step - 1, 0))


def _note(known: _Loose, rests: bool) -> None:
    known.moved = known.moved or not rests


def _name(leaf: torch.Tensor, sites: Any) -> str | None:
    """The variable of the user's frames that is this tensor; None if there is none."""
    return next((name for _, _, names in scopes(sites) for name, value in list(names.items())
                 if value is leaf), None)
