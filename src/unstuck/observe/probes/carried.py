"""Gradients that a program which updates its weights itself has not cleared."""

from __future__ import annotations

from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import Later
from unstuck.observe.tensors import is_nonzero, mark, readable
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.parameters import BY_HAND, CARRIED_GRADIENT


class CarriedByHand:
    """Looks at weights and their gradients before each backward that is looked at.

    A gradient that is there before backward was carried over if its weight has changed since the
    backward before: until then it may accumulate on purpose.
    """

    def __init__(self, writer: RecordWriter, later: Later) -> None:
        self._writer = writer
        self._later = later
        self._marks: ByIdentity[torch.Tensor, torch.Tensor] = ByIdentity()

    def note(self, nodes: list[Any], step: int) -> None:
        """A backward pass over these nodes is about to begin."""
        changed: list[torch.Tensor] = []
        carried: list[torch.Tensor] = []
        for node in nodes:
            tensor = graph.variable(node)
            if tensor is None or not readable(tensor):
                continue
            with torch.no_grad():
                now = mark(tensor)
                old = self._marks.get(tensor)
                self._marks[tensor] = now
                if old is None:
                    continue
                changed.append(old != now)
                if tensor.grad is not None:
                    carried.append(changed[-1] & is_nonzero(tensor.grad))
        self._later.values([*changed, *carried], lambda found: (
            self._write(found[:len(changed)], found[len(changed):], step)))

    def _write(self, changed: list[float], carried: list[float], step: int) -> None:
        if sum(changed):
            self._writer.sample(CARRIED_GRADIENT, step, {BY_HAND: sum(carried) / sum(changed)})
