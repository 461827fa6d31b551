"""Rows and elements that are taken of a batch."""

from __future__ import annotations

import pytest
import torch

from unstuck.observe.tensors import rows_of

BATCHES = {
    "in a row": torch.arange(60.0).reshape(5, 4, 3),
    "turned": torch.arange(60.0).reshape(4, 5, 3).movedim(1, 0),
    "flat": torch.arange(60.0).reshape(5, 12),
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("keep", [None, torch.tensor([0, 7, 11])])
@pytest.mark.parametrize("rows", [None, torch.tensor([1, 4])])
def test_the_same_numbers_are_taken_of_any_layout(
    batch: torch.Tensor, keep: torch.Tensor | None, rows: torch.Tensor | None
) -> None:
    wanted = batch.reshape(5, -1)
    wanted = wanted if rows is None else wanted[rows]
    assert torch.equal(rows_of(batch, keep, rows), wanted if keep is None else wanted[:, keep])
