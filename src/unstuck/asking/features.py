"""Values of any shape as tables of samples and features, from which a target can be read."""

from __future__ import annotations

import torch

from unstuck.asking.bench import Step, axis_of
from unstuck.asking.flow import Value

LONGEST = 1_000_000  # features that are looked at
WIDTH = 512  # features; more are hashed together


def features(value: Value, step: Step) -> torch.Tensor | None:
    """A value as (samples, features), None if it has no axis of samples."""
    tensor = value.tensor
    axis = axis_of(tensor, step)
    if axis is None or tensor.is_sparse or tensor.is_complex():
        return None
    rows = tensor.movedim(axis, 0).reshape(step.samples, -1).cpu()
    if not tensor.is_floating_point() and tensor.dtype is not torch.bool:
        return _counted(rows.long())
    table = rows.double()
    return table if table.shape[1] <= WIDTH else _hashed(table)


def _counted(numbers: torch.Tensor) -> torch.Tensor:
    """Whole numbers, such as words, as counts: of each number, and of each at each place."""
    found = torch.zeros(len(numbers), 2 * WIDTH, dtype=torch.float64)
    ones = torch.ones_like(numbers, dtype=torch.float64)
    places = torch.arange(numbers.shape[1])
    found.scatter_add_(1, numbers % WIDTH, ones)
    return found.scatter_add_(1, WIDTH + (numbers * 31 + places * 7_919) % WIDTH, ones)


def _hashed(table: torch.Tensor) -> torch.Tensor:
    """Many features in fewer, each added with a random sign (a count sketch)."""
    random = torch.Generator().manual_seed(0)
    places = torch.randint(WIDTH, (LONGEST,), generator=random)[: table.shape[1]]
    signs = torch.randint(2, (LONGEST,), generator=random)[: table.shape[1]] * 2.0 - 1.0
    if table.shape[1] > LONGEST:
        table = table[:, :LONGEST]
    found = torch.zeros(len(table), WIDTH, dtype=torch.float64)
    return found.index_add_(1, places, table * signs)
