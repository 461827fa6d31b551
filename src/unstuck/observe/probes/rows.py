"""The values of losses on their way into the record, without a wait for the device they are on."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.tensors import Number, is_plain
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.losses import TRAIN_LOSS

DRAIN_SECONDS = 0.25  # how long losses on another device wait for their transfer


class LossRows:
    """Writes the losses that are trained on."""

    def __init__(self, writer: RecordWriter, finite: FiniteProbe) -> None:
        self._writer = writer
        self._finite = finite
        self._later: list[tuple[int, str, torch.Tensor]] = []
        self._drained = time.monotonic()

    def add(self, track: str, value: Number, root: Any, step: int, sampled: bool) -> None:
        """Writes a loss of one curve, whose graph begins at `root`, now or with others later."""
        if not isinstance(value, float) and value.is_cpu:
            value = float(value.sum())
        if isinstance(value, float):
            self._writer.row(TRAIN_LOSS, step, value, track)
            if not math.isfinite(value) and root is not None:
                self._finite.non_finite(root, step)
            return
        # Reading a number waits for the device: several are read at once, now and then.
        self._later.append((step, track, value.sum()))
        if sampled or time.monotonic() - self._drained > DRAIN_SECONDS:
            self.drain(root)

    def drain(self, root: Any) -> None:
        """Writes the losses that wait."""
        self._drained = time.monotonic()
        later, self._later = self._later, []
        if not later:
            return
        numbers = torch.stack([value.reshape(()).double() for *_, value in later]).tolist()
        for (step, track, _), number in zip(later, numbers, strict=True):
            self._writer.row(TRAIN_LOSS, step, number, track)
            if not math.isfinite(number) and root is not None:
                self._finite.non_finite(root, step)


def value_of(loss: torch.Tensor) -> Number:
    """The value of a loss, without its graph."""
    return float(loss.item()) if loss.is_cpu and loss.numel() == 1 else loss.detach()


def is_many(value: Number) -> bool:
    """Whether a loss was not reduced to one number."""
    return is_plain(value) and value.numel() != 1


def mean_of(value: Number) -> Number:
    """The mean of a loss that was not reduced."""
    return value.double().mean() if is_plain(value) else value
