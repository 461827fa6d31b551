"""Running mean and standard deviation per column, on the data's own device."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unstuck.observe.tensors import PIECE, evenly, is_plain, pieces, rows_of

ELEMENT_LIMIT = 4_096  # elements of a sample that are compared


class Moments:
    """Merges batches of shape (n, columns) into mean and standard deviation per column, in float64.

    A batch with another number of columns starts anew.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.count = 0
        self._mean: torch.Tensor | None = None
        self._squares: torch.Tensor | None = None  # sum of squared distances from the mean

    def add(self, values: torch.Tensor) -> None:
        """Takes in a batch of shape (n, columns) of any real dtype."""
        if values.shape[0] == 0:
            return
        for piece in values.split(max(1, PIECE // max(1, values[0].numel()))):
            self._add(piece)
        self.batches += 1

    def _add(self, values: torch.Tensor) -> None:
        batch = values.detach().to(torch.float64, copy=True)
        count = batch.shape[0]
        mean = batch.mean(0)
        squares = batch.sub_(mean).square_().sum(0)
        if self._mean is None or self._squares is None or self._mean.shape != mean.shape:
            self.count, self._mean, self._squares = count, mean, squares
        else:
            total = self.count + count
            delta = mean - self._mean
            self._mean = self._mean + delta * (count / total)
            self._squares = self._squares + squares + delta.square() * (self.count * count / total)
            self.count = total

    def mean_tensor(self) -> torch.Tensor | None:
        """Means of shape (columns,), None before the first batch."""
        return self._mean

    def mean_deviation(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and population standard deviation per column, after the first batch."""
        assert self._mean is not None
        assert self._squares is not None
        return self._mean, (self._squares / self.count).sqrt()

    def variance(self) -> torch.Tensor | None:
        """Mean over columns of the population variance; None before the first batch."""
        return None if self._squares is None else (self._squares / self.count).mean()


class ConstantInputs:
    """Which elements of the first layer's input have been the same for all samples so far."""

    def __init__(self) -> None:
        self._low: torch.Tensor | None = None
        self._high: torch.Tensor | None = None
        self.samples = 0

    def add(self, given: torch.Tensor, per_feature: bool) -> None:
        """Takes in a batch; with `per_feature` all but the last axis count as samples."""
        rows = given.detach()
        width = rows.shape[-1] if per_feature else rows[0].numel()
        keep = evenly(width, ELEMENT_LIMIT, rows.device)
        for piece in pieces(rows, keep=-1) if per_feature else rows.split(
            max(1, PIECE // min(width, ELEMENT_LIMIT))
        ):
            self._add(rows_of(piece.reshape(-1, width) if per_feature else piece, keep))

    def _add(self, rows: torch.Tensor) -> None:
        low, high = torch.aminmax(rows, dim=0)
        if self._low is not None and self._high is not None and self._low.shape == low.shape:
            low, high = torch.minimum(low, self._low), torch.maximum(high, self._high)
            self.samples += rows.shape[0]
        else:
            self.samples = rows.shape[0]
        self._low, self._high = low, high

    def share(self) -> torch.Tensor | None:
        """The share of elements without any difference; None before two samples."""
        if self._low is None or self._high is None or self.samples < 2:
            return None
        return (self._low == self._high).float().mean()


def identical_rows(output: object) -> torch.Tensor | None:
    """Whether all samples of an output are the same within rounding; None if it cannot be told."""
    if not is_plain(output) or output.ndim == 0 or len(output) < 2 or (
        not output.is_floating_point() or not output.numel()
    ):
        return None
    with torch.no_grad():
        apart, size = [], []
        for piece in pieces(output.detach(), keep=0):
            apart.append((piece - piece[:1]).abs().max())
            size.append(piece.abs().max())
        return torch.stack(apart).max() <= 1e-5 * torch.stack(size).max()


def features_of(module: nn.Module, given: Any, output: torch.Tensor) -> Any:
    """What a layer receives, with an axis of features: single weights scale numbers of samples."""
    single = is_plain(given) and given.ndim == 1 and given.shape == output.shape
    weights = nn.Module.parameters(module, recurse=False)
    return given.unsqueeze(-1) if single and all(w.numel() == 1 for w in weights) else given
