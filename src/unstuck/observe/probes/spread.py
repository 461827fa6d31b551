"""How much of what differs between the samples of a batch each layer lets through."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unstuck.observe.identity import ByIdentity
from unstuck.observe.probe import Context, Probe
from unstuck.observe.tensors import observable, spread, tensors_in
from unstuck.schema.facts.readings import Reading
from unstuck.schema.signals.spread import INPUT_SPREAD, OUTPUT_SPREAD

ROWS = 64  # samples of a batch that are compared
NUMBERS = 65_536  # of them all
CALLS = 8  # of a layer in a step that are looked at


@dataclass(slots=True)
class _Call:
    """What one call showed: the mean sample, the variance over samples, the mean square."""

    rows: int
    mean: torch.Tensor
    variance: torch.Tensor
    square: torch.Tensor


class SpreadProbe(Probe):
    """Compares the samples at each layer of a sampled step.

    The first axis counts as that of the samples, or the second where a layer takes time first.
    A layer's input is measured where it is not what the layer before it returned.
    """

    signals = (INPUT_SPREAD, OUTPUT_SPREAD)
    facts = (Reading,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._inputs: dict[str, list[_Call]] = {}
        self._outputs: dict[str, list[_Call]] = {}
        self._returned: weakref.ref[torch.Tensor] | None = None  # by the last layer
        self._known: ByIdentity[nn.Module, bool] = ByIdentity()  # whose place of call is written

    # Forward ------------------------------------------------------------------------------------
    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Compares the samples that a layer got, and those that it returned."""
        if not self._moment.learns or (
            next(module.children(), None) is not None
            and not isinstance(module, nn.MultiheadAttention)
        ):
            return
        known = self._names.layer(module)
        if known is None or len(self._outputs.get(known[0], ())) >= CALLS:
            return
        name = known[0]
        axis = 0 if module.__dict__.get("batch_first", True) else 1
        given, returned = tensors_in(*args)[:1], tensors_in(output)[:1]
        before = self._returned() if self._returned is not None else None
        if given and given[0] is not before:
            self._take(self._inputs, name, given, axis)
            if module not in self._known:
                self._known[module] = True
                self._writer.fact(
                    Reading(name, self._sites.location(self._sites.here())), self._moment.step)
        self._take(self._outputs, name, returned, axis)
        self._returned = weakref.ref(returned[0]) if returned else None

    def model_trained(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Compares the samples that a model got, and those that it returned."""
        self._returned = None
        known = next((name for model, name in self._names.models() if model is module), None)
        if known is not None and len(self._outputs.get(known, ())) < CALLS:
            self._take(self._inputs, known, tensors_in(*args, *kwargs.values()), 0)
            self._take(self._outputs, known, tensors_in(output), 0)

    def _take(
        self, found: dict[str, list[_Call]], name: str, tensors: Iterable[torch.Tensor], axis: int
    ) -> None:
        with torch.no_grad():
            calls = [_call(tensor, axis if tensor.ndim == 3 else 0) for tensor in tensors
                     if tensor.ndim and observable(tensor)]
        if calls:
            # In one go: another thread may write down all of them meanwhile.
            found[name] = [*found.get(name, ()), *calls]

    def left_halfway(self) -> None:
        """Forgets what was collected of a step that was left halfway."""
        self._inputs, self._outputs, self._returned = {}, {}, None

    # End of the step ----------------------------------------------------------------------------
    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        inputs, outputs = self._inputs, self._outputs
        self._inputs, self._outputs, self._returned = {}, {}, None
        with torch.no_grad():
            for signal, found in ((INPUT_SPREAD, inputs), (OUTPUT_SPREAD, outputs)):
                self._later.sample(signal, step, {
                    name: value for name, calls in found.items()
                    if (value := _spread(calls)) is not None})


def _call(tensor: torch.Tensor, axis: int) -> _Call:
    samples = tensor.detach().movedim(axis, 0)
    samples = samples[:: max(len(samples) // ROWS, 1)][:ROWS]
    rows = spread(samples, NUMBERS, keep=0).reshape(len(samples), -1).float()
    mean = rows.mean(0)
    return _Call(len(rows), mean, (rows - mean).square().mean(), rows.square().mean())


def _spread(calls: list[_Call]) -> torch.Tensor | None:
    """The standard deviation over samples over the root mean square; None if there is one sample.

    Calls of one shape are one batch. Of several shapes, that which differs most counts.
    """
    kinds: dict[tuple[torch.Size, torch.device], list[_Call]] = {}
    for call in calls:
        kinds.setdefault((call.mean.shape, call.mean.device), []).append(call)
    found = []
    for alike in kinds.values():
        if sum(call.rows for call in alike) < 2:
            continue
        variance = torch.stack([call.variance for call in alike]).mean()
        if len(alike) > 1:
            means = torch.stack([call.mean for call in alike])
            variance = variance + (means - means.mean(0)).square().mean()
        square = torch.stack([call.square for call in alike]).mean()
        found.append((variance / square.clamp_min(torch.finfo(torch.float32).tiny)).sqrt())
    return torch.stack([value.to(found[0].device) for value in found]).max() if found else None
