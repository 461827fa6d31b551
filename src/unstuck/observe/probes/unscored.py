"""Held-out predictions of which no loss is computed, and the labels that lie beside them."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import nn

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.samples import SampleProbe
from unstuck.observe.samples.batch import Role
from unstuck.observe.samples.classes import LATE
from unstuck.observe.samples.mapping import MOST_CLASSES, SIGNALS, write_numbering
from unstuck.observe.source.named import tensor_of
from unstuck.observe.source.sites import local_variables
from unstuck.observe.tensors import is_plain, observable
from unstuck.record.series import Integers
from unstuck.schema.facts.run import EndKind

MOST_SAMPLES = 4_000  # of a pass
MOST_NAMES = 500  # of a scope that are looked at
MOST_FRAMES = 24  # between a model's call and the program's own code


class UnscoredProbe(Probe):
    """Keeps, of the last passes over held-out data, predicted classes and labels.

    The labels are the only tensor of whole numbers beside the call with one for each sample.
    """

    signals = SIGNALS

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._samples = context.probe(SampleProbe)
        self._step = -1
        self._pairs: list[tuple[Integers, Integers]] = []
        self._count = 0  # of the samples in them
        self._classes = 0
        self._scored = False

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """A loss of held-out data says by itself which labels belong to them."""
        if loss.grad_fn is None and self._samples.role is Role.HELD_OUT:
            self._scored = True

    def model_called(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Notes what is predicted, and what lies beside the call."""
        batch = self._samples.batch
        if self._scored or self._moment.learns or batch is None or batch.chunk is None or (
            batch.role is not Role.HELD_OUT
        ) or not is_plain(output) or output.ndim != 2 or not observable(output):
            return
        count, classes = output.shape
        if not 2 <= classes <= MOST_CLASSES or self._classes not in (0, classes):
            return
        labels = self._beside(count)
        if self._step != self._moment.step:
            self._step, self._pairs, self._count = self._moment.step, [], 0
        if labels is None or self._count > MOST_SAMPLES:
            return
        self._classes, self._count = classes, self._count + count
        pairs = self._pairs
        self._later.read_now([labels, output.detach().argmax(1)], lambda found: pairs.append(
            (found[0].detach().numpy().astype(np.int64), found[1].numpy())))

    def _beside(self, count: int) -> torch.Tensor | None:
        """The only whole numbers, one a sample, among the variables where the model is called."""
        frame: FrameType | None = sys._getframe(2)
        for _ in range(MOST_FRAMES):
            if frame is None or self._sites.is_user(frame.f_code.co_filename):
                break
            frame = frame.f_back
        if frame is None or not self._sites.is_user(frame.f_code.co_filename):
            return None
        held = list(local_variables(frame).values())[:MOST_NAMES]
        found = {value.data_ptr(): value for value in map(tensor_of, held)
                 if value is not None and value.ndim == 1 and len(value) == count
                 and not value.is_floating_point() and value.dtype is not torch.bool}
        return next(iter(found.values())) if len(found) == 1 else None

    def finished(self, kind: EndKind) -> None:
        """Writes how the last pass fits the labels."""
        last = self._moment.step
        if self._scored or not self._pairs or kind is EndKind.INTERRUPTED or (
            self._step < LATE * last
        ):
            return
        labels, told = (np.concatenate(part) for part in zip(*self._pairs, strict=True))
        kept = (labels >= 0) & (labels < self._classes)
        write_numbering(labels[kept], told[kept], self._classes, self._writer, max(last - 1, 0))
        self._pairs = []
