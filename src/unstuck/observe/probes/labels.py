"""Whether the batches of a classifier are mixtures of its classes, or each one class."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch

from unstuck.observe.probe import Context, Probe
from unstuck.observe.probes.losses import LossProbe
from unstuck.observe.tensors import counted, is_plain, observable, pieces
from unstuck.schema.signals.batches import LABEL_AGREEMENT, LABEL_AGREEMENT_BETWEEN
from unstuck.torch_api import BINARY, target_among

MOST_CLASSES = 1_000


class LabelProbe(Probe):
    """How much the labels of one step agree among themselves, and with those of other steps."""

    signals = (LABEL_AGREEMENT, LABEL_AGREEMENT_BETWEEN)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._losses = context.probe(LossProbe)
        self._now: dict[str, torch.Tensor] = {}  # how often each class came in this step
        self._all: dict[str, torch.Tensor] = {}  # and, on the host, in all sampled steps so far
        self._within: dict[str, float] = {}  # pairs of equal labels within steps
        self._pairs: dict[str, float] = {}  # all pairs within steps

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Counts the labels, at a sampled step and with gradients on."""
        if self._moment.sampled and loss.requires_grad:
            self._add(function, function, target_among(function, args))

    def loss_differentiated(self, loss: torch.Tensor) -> None:
        """Counts the labels of a loss that is written by hand."""
        known = self._losses.known.get(("", self._sites.here()))
        formula = known.by_hand if known is not None and self._moment.sampled else None
        if known is not None and formula is not None:
            self._add(known.name, formula.function, formula.target)

    def _add(self, place: str, function: str, target: Any) -> None:
        """Counts labels; only those of classes, one a sample, are read.

        Those of two classes may be shares, of which the likelier class counts.
        """
        if not is_plain(target) or not observable(target) or not target.ndim or (
            target.numel() != len(target) or target.requires_grad
        ):
            return
        target = target.detach().flatten()
        if function in BINARY:
            target = (target > 0.5).long()
        elif target.is_floating_point() or target.dtype is torch.bool:
            return
        counts = reduce(torch.add, (
            counted(piece, MOST_CLASSES) for piece in pieces(target))).double()
        # Several losses of one step are one batch: parts of it that are accumulated, for instance.
        before = self._now.get(place)
        self._now[place] = counts if before is None else before + counts

    def look_ended(self, step: int) -> None:
        """Writes what a sampled step showed."""
        places = list(self._now)
        self._later.read(list(self._now.values()), lambda found: self._write(
            dict(zip(places, found, strict=True)), step))
        self._now = {}

    def _write(self, now: dict[str, torch.Tensor], step: int) -> None:
        within: dict[str, float] = {}
        between: dict[str, float] = {}
        for place, counts in now.items():
            number, equal = float(counts.sum()), float((counts * counts).sum())
            if number < 2:
                continue
            within[place] = (equal - number) / (number * (number - 1))
            before = self._all.get(place)
            self._all[place] = total = counts if before is None else before + counts
            self._within[place] = self._within.get(place, 0.0) + equal
            self._pairs[place] = self._pairs.get(place, 0.0) + number * number
            pairs = float(total.sum()) ** 2 - self._pairs[place]
            if pairs > 0:
                between[place] = (float((total * total).sum()) - self._within[place]) / pairs
        self._writer.sample(LABEL_AGREEMENT, step, within)
        self._writer.sample(LABEL_AGREEMENT_BETWEEN, step, between)
