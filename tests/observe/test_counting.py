"""Which data sets divide what they fetch one by one as their length, and which mean to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from unstuck.observe.source.counting import divided_length, held
from unstuck.observe.source.sites import Sites


class Batches(Dataset[Any]):
    """Gives the number of batches as its length."""

    def __init__(self) -> None:
        self.rows, self.classes = torch.zeros(40, 3), np.zeros(40)
        self.size = 8

    def __len__(self) -> int:
        return len(self.rows) // self.size

    def __getitem__(self, i: int) -> Any:
        return self.rows[i], self.classes[i]


class RoundedUp(Batches):
    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.size)


class Chunks(Batches):
    """A text in pieces."""

    def __getitem__(self, i: int) -> Any:
        return self.rows[i * self.size:(i + 1) * self.size]


class Pairs(Batches):
    """Item i and one from the other half."""

    def __getitem__(self, i: int) -> Any:
        return self.rows[i], self.rows[i + len(self)]


class Strided(Batches):
    def __getitem__(self, i: int) -> Any:
        i = i * self.size
        return self.rows[i]


class Reordered(Batches):
    """Another part in each epoch."""

    def shuffle(self) -> None:
        self.rows = self.rows[torch.randperm(len(self.rows))]
        self.classes = self.classes[::-1]


class Limited(Batches):
    def __len__(self) -> int:
        return min(len(self.rows), 5)


class OfAStore(Batches):
    """Its samples are in an object of the program's own, whose code is not called."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = Limited()  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Batches, RoundedUp])
def test_a_length_in_batches(kind: type[Batches]) -> None:
    found = divided_length(kind, Sites(None, keep_text=True))
    assert found is not None
    assert set(found[0]) == {"rows", "classes"}
    assert held(vars(kind()), found[0]) == 40
    assert found[1].text is not None
    assert "return" in found[1].text


@pytest.mark.parametrize("kind", [Chunks, Pairs, Strided, Reordered, Limited, dict, Dataset])
def test_lengths_that_are_meant(kind: type) -> None:
    assert divided_length(kind, Sites(None, keep_text=True)) is None


def test_what_is_held_by_an_object_is_not_counted() -> None:
    found = divided_length(OfAStore, Sites(None, keep_text=True))
    assert found is not None
    assert held(vars(OfAStore()), found[0]) is None
