"""Running mean and deviation per column, on the data's own device."""

from __future__ import annotations

import torch

from unstuck.observe.tensors import is_plain

ELEMENT_LIMIT = 4_096  # elements of a sample that are compared


class Moments:
    """Merges batches of shape (n, columns) into mean and deviation per column, in float64.

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
        batch = values.detach().to(torch.float64)
        count = batch.shape[0]
        mean = batch.mean(0)
        squares = (batch - mean).square().sum(0)
        if self._mean is None or self._squares is None or self._mean.shape != mean.shape:
            self.count, self._mean, self._squares = count, mean, squares
        else:
            total = self.count + count
            delta = mean - self._mean
            self._mean = self._mean + delta * (count / total)
            self._squares = self._squares + squares + delta.square() * (self.count * count / total)
            self.count = total
        self.batches += 1

    def mean_tensor(self) -> torch.Tensor | None:
        """Means of shape (columns,), None before the first batch."""
        return self._mean

    def mean(self) -> list[float]:
        """Mean per column."""
        return [] if self._mean is None else [float(v) for v in self._mean.tolist()]

    def deviation(self) -> list[float]:
        """Population standard deviation per column."""
        if self._squares is None:
            return []
        return [float(v) for v in (self._squares / self.count).sqrt().tolist()]

    def variance(self) -> float:
        """Mean over columns of the population variance; NaN before the first batch."""
        if self._squares is None:
            return float("nan")
        return float((self._squares / self.count).mean())


class ConstantInputs:
    """Which elements of the first layer's input have been the same for all samples so far."""

    def __init__(self) -> None:
        self._low: torch.Tensor | None = None
        self._high: torch.Tensor | None = None
        self.samples = 0

    def add(self, given: torch.Tensor, per_feature: bool) -> None:
        """Takes in a batch; with `per_feature` all but the last axis count as samples."""
        rows = given.detach()
        rows = rows.reshape(-1, rows.shape[-1]) if per_feature else rows.reshape(len(rows), -1)
        if rows.shape[1] > ELEMENT_LIMIT:
            keep = torch.linspace(0, rows.shape[1] - 1, ELEMENT_LIMIT).long()
            rows = rows[:, keep.to(rows.device)]
        low, high = torch.aminmax(rows, dim=0)
        if self._low is not None and self._high is not None and self._low.shape == low.shape:
            low, high = torch.minimum(low, self._low), torch.maximum(high, self._high)
            self.samples += rows.shape[0]
        else:
            self.samples = rows.shape[0]
        self._low, self._high = low, high

    def share(self) -> float | None:
        """The share of elements without any difference; None before two samples."""
        if self._low is None or self._high is None or self.samples < 2:
            return None
        return float((self._low == self._high).float().mean())


def identical_rows(output: object) -> bool | None:
    """Whether all samples of an output are the same within rounding; None if it cannot be told."""
    if not is_plain(output) or output.ndim == 0 or len(output) < 2 or (
        not output.is_floating_point() or not output.numel()
    ):
        return None
    with torch.no_grad():
        rows = output.detach()
        return bool((rows - rows[:1]).abs().max() <= 1e-5 * rows.abs().max())
