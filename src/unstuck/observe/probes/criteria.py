"""Losses of evaluations that a module of the program's own computes."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import nn

from unstuck.observe import graph
from unstuck.observe.identity import ByIdentity
from unstuck.observe.later import value_of
from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.tensors import is_plain, observable, tensors_in
from unstuck.schema.signals.losses import HELD_OUT_LOSS, SEEN_LOSS


class CriterionProbe(Probe):
    """Learns which modules compute the hand-written loss that is trained, and hears them again.

    A module without parameters is one if a backward pass begins at the very tensor that it has
    returned, and no loss function of torch is behind that. Called without gradients it computes
    the same loss of an evaluation.
    """

    signals = (HELD_OUT_LOSS, SEEN_LOSS)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._samples = context.probe(SampleProbe)
        self._criteria: ByIdentity[nn.Module, bool] = ByIdentity()
        # The module that was called last with gradients, and the number of the node it ends with.
        self._last: tuple[weakref.ref[nn.Module], int] | None = None

    def criterion_called(self, module: nn.Module, args: Any, result: Any) -> None:
        """A loss is computed, perhaps."""
        if not is_plain(result) or result.numel() != 1 or not observable(result) or (
            not result.is_floating_point()
        ):
            return
        if result.grad_fn is not None:
            self._last = weakref.ref(module), graph.sequence(result.grad_fn)
        elif module in self._criteria:
            given = next(iter(tensors_in(*args)), None)
            weight = len(given) if given is not None and given.ndim else 1
            self._losses.looked_at(value_of(result), weight, self._samples.role_of(given))

    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """Learns whether this is what a module has returned."""
        last, self._last = self._last, None
        if last is None or loss.grad_fn is None or graph.sequence(loss.grad_fn) != last[1]:
            return
        module = last[0]()
        if module is not None and ("", self._sites.here()) in self._losses.known:
            self._criteria[module] = True
