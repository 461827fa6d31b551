"""The values of losses on their way into the record, without a wait for the device they are on."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from unstuck.observe.later import Later, Number
from unstuck.observe.probes.finite import FiniteProbe
from unstuck.observe.tensors import is_plain
from unstuck.record.schedule import LIMITS
from unstuck.record.writer import RecordWriter
from unstuck.schema.signals.losses import TRAIN_LOSS

DRAIN_SECONDS = 0.25  # how long losses on another device wait for their transfer


class LossRows:
    """Writes the losses that are trained on."""

    def __init__(self, writer: RecordWriter, finite: FiniteProbe) -> None:
        self._writer = writer
        self._finite = finite
        self._waiting: list[tuple[int, str, torch.Tensor]] = []
        self._drained = time.monotonic()
        self._missed = False  # whether one was not finite whose graph was gone by then

    def add(self, track: str, value: Number, root: Any, step: int, sampled: bool) -> None:
        """Writes a loss of one curve, whose graph begins at `root`, now or with others later."""
        if not isinstance(value, float) and value.is_cpu:
            value = float(value.sum())
        if isinstance(value, float):
            self._writer.row(TRAIN_LOSS, step, value, track)
            if not math.isfinite(value) and root is not None:
                self._finite.non_finite(root, step)
            return
        # Reading a number waits for the device: several are read at once, now and then. Of the
        # first steps the graph is still there then, which tells why a loss is not finite.
        self._waiting.append((step, track, value.sum()))
        if self._missed or (sampled and step < LIMITS.full_steps) or (
            time.monotonic() - self._drained > DRAIN_SECONDS
        ):
            self.drain(root)

    def drain(self, root: Any) -> None:
        """Writes the losses that wait."""
        self._drained = time.monotonic()
        self._missed = False
        waiting, self._waiting = self._waiting, []
        if waiting:
            scalars = [value.reshape(()).double() for *_, value in waiting]
            self._write(waiting, torch.stack(scalars).tolist(), root)

    def bring(self, later: Later) -> None:
        """Has those that wait read with all else of a sampled step, which ends."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            later.values([value for *_, value in waiting],
                         lambda numbers: self._write(waiting, numbers, None))

    def _write(
        self, waiting: list[tuple[int, str, torch.Tensor]], numbers: list[float], root: Any
    ) -> None:
        for (step, track, _), number in zip(waiting, numbers, strict=True):
            self._writer.row(TRAIN_LOSS, step, number, track)
            if not math.isfinite(number) and root is not None:
                self._finite.non_finite(root, step)
            self._missed = self._missed or not (math.isfinite(number) or root is not None)


def is_many(value: Number) -> bool:
    """Whether a loss was not reduced to one number."""
    return is_plain(value) and value.numel() != 1


def mean_of(value: Number) -> Number:
    """The mean of a loss that was not reduced."""
    return value.double().mean() if is_plain(value) else value
