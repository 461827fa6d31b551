"""Whether outputs fit the labels beside them better than they would fit the same ones shuffled."""

from __future__ import annotations

import torch
from torch.nn import functional

MOST_CLASSES = 128  # beyond, the sums would cost more than they tell
ERRORS = 5.0  # standard deviations by which the fit must exceed that of shuffled labels
FEWEST = 30  # samples that this is said of


class Association:
    """A permutation test of the sum over samples of the output for the true class.

    Mean and variance of that sum over all orders of the labels are exact (Mantel 1967), and need
    only sums over batches.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._count = 0
        self._fit = 0.0
        self._outputs, self._labels = torch.zeros(2, classes, dtype=torch.float64, device="cpu")
        self._products = torch.zeros(classes, classes, dtype=torch.float64, device="cpu")

    def add(self, output: torch.Tensor, labels: torch.Tensor) -> None:
        """Takes in a batch.

        Args:
            output: (N, classes), or (N,) if `classes` is one output for two of them; on the host.
            labels: (N,), the numbers of the classes, negative ones for samples that are left out;
                on the host.
        """
        counted = labels >= 0
        given = output.double().reshape(len(labels), self.classes)[counted]
        labels = labels[counted]
        if not bool(torch.isfinite(given).all()):
            return
        wanted = (labels.double().reshape(-1, 1) if self.classes == 1
                  else functional.one_hot(labels.long(), self.classes).double())
        self._count += len(labels)
        self._fit += float((given * wanted).sum())
        self._outputs += given.sum(0)
        self._labels += wanted.sum(0)
        self._products += given.T @ given

    def is_sure(self) -> bool:
        """Whether the labels are surely those of the outputs' samples."""
        if self._count < FEWEST:
            return False
        mine = self._products - torch.outer(self._outputs, self._outputs) / self._count
        # Labels are zeros and ones, one of them a sample.
        theirs = torch.diag(self._labels) - torch.outer(self._labels, self._labels) / self._count
        variance = float((mine * theirs).sum()) / (self._count - 1)
        above = self._fit - float(self._outputs @ self._labels) / self._count
        return variance > 0 and above > ERRORS * variance ** 0.5
