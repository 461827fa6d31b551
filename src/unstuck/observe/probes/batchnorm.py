"""How many values batch normalisation takes its statistics from, and how far they scatter."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.signals.modes import BATCH_NORM_GAP, BATCH_NORM_VALUES

ELEMENT_LIMIT = 1_000_000  # elements of an input whose statistics are taken


class BatchNormProbe(Probe):
    """Looks at the batch normalisation layers in train mode, at sampled steps."""

    signals = (BATCH_NORM_GAP, BATCH_NORM_VALUES)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._values: dict[str, float] = {}
        self._gaps: dict[str, torch.Tensor] = {}

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Takes the statistics of the input."""
        if not self._moment.learns or not module.training or (
            not isinstance(module, nn.modules.batchnorm._BatchNorm)
            or isinstance(module, nn.SyncBatchNorm)  # takes them from other processes, too
        ):
            return
        given = args[0] if args else None
        known = self._names.layer(module)
        if known is None or not is_plain(given) or given.ndim < 2 or (
            not given.numel() or not observable(given)
        ):
            return
        name = known[0]
        values = float(given.numel() // given.shape[1])
        if values <= self._values.get(name, 0.0):
            return  # of several calls in a step that with the most values counts
        self._values[name] = values
        if module.running_mean is not None and module.running_var is not None and (
            given.numel() <= ELEMENT_LIMIT
        ):
            self._gaps[name] = _gap(
                given.detach(), module.running_mean, module.running_var, module.eps)

    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        if not self._values:
            return
        self._writer.sample(BATCH_NORM_VALUES, step, self._values)
        self._later.sample(BATCH_NORM_GAP, step, self._gaps)
        self._values, self._gaps = {}, {}


def _gap(
    given: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, eps: float
) -> torch.Tensor:
    """Root mean square distance of the normalised values in train mode from those in eval mode.

    Where training subtracts m and divides by s, evaluation takes M and S: a value z of training is
    z s/S + (m - M)/S in evaluation, and z has mean 0 and standard deviation 1. The median over
    channels.
    """
    with torch.no_grad():
        rest = [i for i in range(given.ndim) if i != 1]
        own_variance, own_mean = torch.var_mean(given.float(), rest, correction=0)
        running = (variance.float() + eps).sqrt()
        scale = (own_variance + eps).sqrt() / running
        shift = (own_mean - mean.float()) / running
        return ((1 - scale).square() + shift.square()).sqrt().median()
