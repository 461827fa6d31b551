"""Whether the outputs of a CTC loss have enough frames for their targets."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.tensors import is_plain, observable
from unstuck.schema.facts.models import LayerRole
from unstuck.schema.facts.sequences import Alignment, Shortening
from unstuck.schema.signals.sequences import SHORT_SEQUENCES

LOSS = "ctc_loss"
MOST_LAYERS = 256
SHORTENS = frozenset({LayerRole.CONVOLUTION, LayerRole.POOLING})


class AlignmentProbe(Probe):
    """Compares lengths at each CTC loss of a sampled step."""

    signals = (SHORT_SEQUENCES,)
    facts = (Alignment,)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._aligns = False  # whether the program has such a loss
        self._layers: list[tuple[weakref.ref[nn.Module], tuple[int, ...], tuple[int, ...]]] = []
        self._shares: dict[str, list[bool]] = {}
        self._worst: dict[str, Alignment] = {}

    def layer_called(self, module: nn.Module, args: Any, output: Any) -> None:
        """Remembers the shapes around a layer that may shorten a sequence."""
        if not self._aligns or len(self._layers) >= MOST_LAYERS:
            return
        known = self._names.layer(module)
        if known is not None and known[1] in SHORTENS and args and is_plain(args[0]) and (
            is_plain(output)
        ):
            self._layers.append((weakref.ref(module), tuple(args[0].shape), tuple(output.shape)))

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Counts the samples that are too short, at a sampled step and with gradients on."""
        if function != LOSS or not self._moment.sampled or not loss.requires_grad:
            return
        self._aligns = True
        known = self._losses.known.get((function, self._sites.here()))
        if known is None:
            return
        found = [(needed(target) - frames, frames, target) for frames, target in samples_of(args)]
        self._shares.setdefault(known.name, []).extend(lack > 0 for lack, _, _ in found)
        lack, frames, target = max(found, key=lambda sample: sample[0], default=(0, 0, []))
        before = self._worst.get(known.name)
        if lack > 0 and (before is None or not before.shortened
                         or lack > before.needed - before.given):
            made = int(args[0].shape[0])
            fact = Alignment(known.name, frames, made, len(target), frames + lack, bool(args[6]),
                             tuple(self._shortened(made)))
            if fact != before:
                self._worst[known.name] = fact
                self._writer.fact(fact, self._moment.step)
        self._layers.clear()

    def _shortened(self, frames: int) -> Iterator[Shortening]:
        """The layers that made a sequence of so many frames, as long as each follows on another."""
        for ref, given, made in reversed(self._layers):
            module = ref()
            stride = strides(module) if module is not None else ()
            known = self._names.layer(module) if module is not None else None
            own = len(made) - len(stride)  # axes that are not the layer's
            found = [axis for axis in range(len(stride)) if made[own + axis] == frames]
            if known is None or not found or len(given) != len(made):
                continue
            axis = found[-1]
            before = given[own + axis]
            if stride[axis] > 1 and before > frames:
                yield Shortening(known[0], before, frames, stride, axis)
            frames = before

    def look_ended(self, step: int) -> None:
        """Writes the share of the step."""
        self._writer.sample(SHORT_SEQUENCES, step, {
            name: sum(found) / len(found) for name, found in self._shares.items() if found})
        self._shares.clear()
        self._layers.clear()

    def left_halfway(self) -> None:
        """Forgets the step."""
        self._shares.clear()
        self._layers.clear()


def samples_of(args: Any) -> Iterator[tuple[int, list[int]]]:
    """For each sample what a CTC loss received: how many frames, and which symbols."""
    targets, frames, lengths = args[1], _numbers(args[2]), _numbers(args[3])
    if not is_plain(targets) or not observable(targets) or len(frames) != len(lengths):
        return
    symbols = targets.detach().tolist()
    begin = 0
    for index, (frame, length) in enumerate(zip(frames, lengths, strict=True)):
        row = symbols[index] if targets.ndim > 1 else symbols[begin:]
        begin += length
        yield frame, row[:length]


def needed(target: list[int]) -> int:
    """How many frames a target needs: one a symbol, and a blank between two equal ones."""
    return len(target) + sum(a == b for a, b in pairwise(target))


def _numbers(value: Any) -> list[int]:
    """Lengths as a list: they may be a tensor, a tuple, or one number."""
    if is_plain(value):
        return [int(each) for each in value.detach().reshape(-1).tolist()]
    return [int(each) for each in value] if isinstance(value, tuple | list) else [int(value)]


def strides(module: nn.Module) -> tuple[int, ...]:
    """The stride of a convolution or a pooling along each of its axes; () if it has none."""
    kind = type(module).__name__
    axes = next((number for number in (1, 2, 3) if f"{number}d" in kind), 0)
    stride = getattr(module, "stride", None)
    if isinstance(stride, int):
        return (stride,) * axes
    return tuple(stride) if isinstance(stride, tuple) and len(stride) == axes else ()
