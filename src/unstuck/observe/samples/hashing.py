"""Hashes by which samples are known again; no data are kept."""

from __future__ import annotations

import torch

from unstuck.observe.tensors import first_columns

BATCH_LIMIT = 512  # samples of a batch that are hashed,
BATCH_PART = 64  # so many at a time
ELEMENT_LIMIT = 4_096  # elements of a sample that are hashed


class Hashing:
    """Hashes rows of tensors, each by the same weights on whatever device."""

    def __init__(self) -> None:
        self._weights: dict[torch.device, torch.Tensor] = {}

    def rows(self, first: torch.Tensor, *others: torch.Tensor) -> list[torch.Tensor]:
        """The hashes of the rows of the first tensor, then of each other one; in parts."""
        with torch.no_grad():
            weights = self._weights.get(first.device)
            if weights is None:
                # Fixed irrational numbers: no random generator is touched. None is the sum of
                # others, or texts of small whole numbers would be taken for one another.
                steps = torch.arange(1, ELEMENT_LIMIT + 1, dtype=torch.float64, device="cpu")
                weights = torch.frac(97.3 * (steps + 0.5772156649).sqrt()).to(
                    first.device, non_blocking=True)
                self._weights[first.device] = weights
            # No matrix product: what that rounds depends on the place of a row in its batch. So
            # does a sum over rows of a table that is kept by columns, as those of pandas are.
            return [
                first_columns(part, width).to(
                    torch.float64, memory_format=torch.contiguous_format,
                ).mul(weights[:width]).sum(1)
                for rows in (each.detach()[:BATCH_LIMIT] for each in (first, *others))
                for width in (min(rows[0].numel(), ELEMENT_LIMIT),)
                for part in rows.split(BATCH_PART)]
