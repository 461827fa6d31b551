"""Which generators the workers of a loader share, told from the data set's code alone."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from unstuck.observe.probes.workers import copied_generators
from unstuck.observe.source.sites import Sites

SHARED = np.random.default_rng(0)


class Samples(Dataset[Any]):
    """Draws from its generator only before training."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.values = self.rng.normal(size=10)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Any:
        return self.values[index] + np.random.normal()


class ShuffledBetweenEpochs(Samples):
    def shuffle(self) -> None:
        self.rng.shuffle(self.values)

    def __getitem__(self, index: int) -> Any:
        random.shuffle([1, 2])  # not the method above
        return self.values[index]


class SeededBySample(Samples):
    def __getitem__(self, index: int) -> Any:
        self.rng = np.random.default_rng(index)
        return self.rng.normal()


class Drawing(Samples):
    def __getitem__(self, index: int) -> Any:
        return self.draw()

    def draw(self) -> Any:
        return self.rng.normal()


class Jitter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.source = torch.Generator()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn(x.shape, generator=self.source)


class Transformed(Samples):
    def __init__(self, transform: Any) -> None:
        super().__init__()
        self.transform = transform

    def __getitem__(self, index: int) -> Any:
        return self.transform(torch.zeros(2))


def noisy(x: torch.Tensor) -> Any:
    return x + SHARED.normal()


@pytest.mark.parametrize(("data", "found"), [
    (Samples(), ()),
    (ShuffledBetweenEpochs(), ()),
    (SeededBySample(), ()),
    (Transformed(torch.sin), ()),
    (Subset(Drawing(), [0, 1]), ("rng",)),
    (Transformed(nn.Sequential(Jitter())), ("source",)),
    (Transformed(noisy), ("SHARED",)),
])
def test_only_generators_that_fetching_draws_from_count(
    data: Dataset[Any], found: tuple[str, ...]
) -> None:
    loader = DataLoader(data, num_workers=2)
    assert copied_generators(loader, Sites(None, keep_text=True)) == found
