"""Whether the classes of each batch have the numbers that they had in other batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from unstuck.observe.probe import Context, Probe
from unstuck.observe.tensors import is_plain, observable
from unstuck.record.series import Floats
from unstuck.schema.facts.losses import Numbering, WithinBatch
from unstuck.schema.facts.run import EndKind
from unstuck.torch_api import CLASS_LIKELIHOODS, target_among

BATCHES = 10  # the first, in which an answer keeps its meaning: the network has hardly changed
CLASSES = 64
ROW = 3
SAMPLES, PER_CLASS = 40, 8  # of a batch, at least
ELEMENTS = 1_000_000


class NumberingProbe(Probe):
    """Counts how often each class is told where each is right, in a batch and over several.

    A network that tells the classes of every batch apart, by other numbers each time, is given
    other numbers each time.
    """

    facts = (Numbering, WithinBatch)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._tables: list[Floats] = []
        self._within = 0  # batches whose classes are their samples, in a row

    def loss_computed(self, function: str, args: Any, loss: torch.Tensor) -> None:
        """Counts those of a batch, at a sampled step and with gradients on."""
        if not self._moment.sampled or not loss.requires_grad or function not in CLASS_LIKELIHOODS:
            return
        given, target = args[0], target_among(function, args)
        if not (is_plain(given) and is_plain(target) and observable(given)
                and observable(target)) or given.ndim != 2 or target.ndim != 1 or (
            target.is_floating_point() or given.numel() > ELEMENTS
        ):
            return
        samples, classes = given.shape
        if samples == classes >= PER_CLASS and self._within < ROW:
            self._later.read([(target.sort().values == torch.arange(
                samples, device=target.device)).all()], self._take_row)
        if len(self._tables) >= BATCHES or not 1 < classes <= CLASSES or (
                samples < max(SAMPLES, PER_CLASS * classes)):
            return
        with torch.no_grad():
            told = given.detach().argmax(1)
            kept = (target >= 0) & (target < classes)
            pairs = torch.where(kept, told * classes + target, classes ** 2)
            counts = torch.zeros(classes ** 2 + 1, device=given.device).index_add_(
                0, pairs, torch.ones(samples, device=given.device))
        self._later.read([counts[:-1].reshape(classes, classes)], self._take)

    def _take_row(self, found: list[torch.Tensor]) -> None:
        self._within = self._within + 1 if bool(found[0]) else 0
        if self._within == ROW:
            self._writer.fact(WithinBatch(), self._moment.step)

    def _take(self, found: list[torch.Tensor]) -> None:
        table = found[0].double().numpy()
        if not self._tables or self._tables[0].shape == table.shape:
            self._tables.append(table)

    def finished(self, kind: EndKind) -> None:
        """Writes what the batches tell, each by itself and all together."""
        if len(self._tables) == BATCHES:
            self._writer.fact(Numbering(
                BATCHES, float(np.mean([told(table) for table in self._tables])),
                told(np.sum(self._tables, axis=0))), self._moment.step)


def told(table: Floats) -> float:
    """The share of the information in labels that answers tell, of a table (answers, labels).

    The mutual information over the entropy of the labels, less what counts of independent ones
    come to on average (Miller 1955: Note on the bias of information estimates).
    """
    whole = table.sum()
    rows, columns = table.sum(1), table.sum(0)
    if not whole:
        return 0.0
    entropy = -_of_shares(columns / whole)
    shared = _of_shares(table / whole) - _of_shares(rows / whole) + entropy
    bias = (np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1) / (2 * whole)
    return float(max(shared - bias, 0.0) / entropy) if entropy > 0 else 0.0


def _of_shares(shares: Floats) -> float:
    some = shares[shares > 0]
    return float((some * np.log(some)).sum())
