"""Running mean and deviation per column, on the data's own device."""

from __future__ import annotations

import torch


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
