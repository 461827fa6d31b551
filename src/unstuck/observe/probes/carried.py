"""Gradients that a program which updates its weights itself has not cleared."""

from __future__ import annotations

import weakref
from typing import Any

import torch

from unstuck.observe import graph
from unstuck.observe.later import Later
from unstuck.observe.tensors import is_nonzero, mark, readable
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.parameters import BY_HAND, CARRIED_GRADIENT


class CarriedByHand:
    """Looks at the gradients of weights at the backward after each one that is looked at.

    A gradient that is there before backward was carried over if its weight has changed since the
    backward before: until then it may accumulate on purpose.
    """

    def __init__(self, writer: RecordWriter, later: Later) -> None:
        self._writer = writer
        self._later = later
        # The weights of the last backward, if that was looked at, and what marked them.
        self._marks: list[tuple[weakref.ref[torch.Tensor], torch.Tensor]] = []

    def note(self, nodes: list[Any]) -> None:
        """A backward pass over these nodes is about to begin."""
        tensors = [tensor for node in nodes
                   if (tensor := graph.variable(node)) is not None and readable(tensor)]
        with torch.no_grad():
            self._marks = [(weakref.ref(tensor), mark(tensor)) for tensor in tensors]

    def before_backward(self, step: int) -> None:
        """Compares with what the last backward noted."""
        changed: list[torch.Tensor] = []
        carried: list[torch.Tensor] = []
        marks, self._marks = self._marks, []
        with torch.no_grad():
            for known, before in marks:
                tensor = known()
                if tensor is None or not readable(tensor):
                    continue
                changed.append(before != mark(tensor))
                if tensor.grad is not None:
                    carried.append(changed[-1] & is_nonzero(tensor.grad))
        if changed:
            self._later.values([*changed, *carried], lambda found: (
                self._write(found[:len(changed)], found[len(changed):], step)))

    def _write(self, changed: list[float], carried: list[float], step: int) -> None:
        if sum(changed):
            self._writer.sample(CARRIED_GRADIENT, step, {BY_HAND: sum(carried) / sum(changed)})
