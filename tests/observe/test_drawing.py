"""What loaders draw, and how losses weigh the classes of what they are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset, WeightedRandomSampler

import unstuck
from unstuck.measures.basics import last
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.data import Loader
from unstuck.schema.signals.drawing import (
    CLASS_SHARE,
    CLASS_WEIGHT,
    DIFFERENT_SAMPLES,
    DRAWN_SAMPLES,
)


def watched(folder: Path, train: Callable[[], object]) -> Record:
    with unstuck.watch(folder, overhead=1.0):
        train()
    return read_record(folder)


def test_a_loader_says_what_its_sampler_draws(tmp_path: Path) -> None:
    data = TensorDataset(torch.randn(40, 3), torch.arange(40) % 2)

    def train() -> nn.Module:
        model = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        sampler = WeightedRandomSampler([1.0, 2.0], 24)
        loaders = [DataLoader(data, 8, sampler=sampler),
                   DataLoader(data, 8, sampler=SubsetRandomSampler(range(16)))]
        for loader in loaders:
            for x, y in loader:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
        return model

    record = watched(tmp_path / "record", train)
    weighted, chosen = record.facts(Loader)
    assert (weighted.weights, weighted.draws, weighted.samples) == (2, 24, 40)
    assert (chosen.weights, chosen.draws, chosen.built) == (None, 16, None)
    assert weighted.built is not None
    assert weighted.built.text is not None
    assert weighted.built.text.strip().startswith("sampler = WeightedRandomSampler(")
    drawn, different = last(record.series(DRAWN_SAMPLES)), last(record.series(DIFFERENT_SAMPLES))
    assert (drawn[chosen.name], different[chosen.name]) == (16, 16)
    assert different[weighted.name] <= 2 < drawn[weighted.name]


Y = torch.tensor([0, 0, 0, 1])
FLAGS = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize(("loss", "expected"), [
    (lambda out: F.cross_entropy(out, Y, torch.tensor([2.0, 0.5])),
     {"class 0": (0.75, 2.0), "class 1": (0.25, 0.5)}),
    (lambda out: (F.cross_entropy(out, Y, reduction="none") * torch.tensor([2.0, 0.5])[Y]).mean(),
     {"class 0": (0.75, 2.0), "class 1": (0.25, 0.5)}),
    (lambda out: F.binary_cross_entropy_with_logits(
        out, FLAGS, pos_weight=torch.tensor([4.0, 0.25])),
     {"label 0, class 0": (0.75, 1.0), "label 0, class 1": (0.25, 4.0),
      "label 1, class 0": (0.25, 1.0), "label 1, class 1": (0.75, 0.25)}),
    (lambda out: F.binary_cross_entropy_with_logits(
        out[:, 0], FLAGS[:, 0], torch.tensor([1.0, 1.0, 1.0, 3.0])),
     {"class 0": (0.75, 1.0), "class 1": (0.25, 3.0)}),
    (lambda out: F.cross_entropy(out, Y), {}),
    (lambda out: (F.cross_entropy(out, Y, reduction="none") ** 2).mean(), {}),
], ids=["weight", "multiplied", "pos_weight", "of each element", "none", "focal"])
def test_weights_are_read_by_class(
    loss: Callable[[torch.Tensor], torch.Tensor], expected: dict[str, tuple[float, float]],
    tmp_path: Path,
) -> None:
    def train() -> nn.Module:
        model = nn.Linear(3, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            loss(model(torch.randn(4, 3))).backward()
            optimizer.step()
        return model

    record = watched(tmp_path / "record", train)
    assert record.measured(CLASS_WEIGHT) is bool(expected)
    if not expected:
        return
    shares, weights = last(record.series(CLASS_SHARE)), last(record.series(CLASS_WEIGHT))
    found = {place.partition(": ")[2]: (share, weights[place]) for place, share in shares.items()}
    assert found == {place: pytest.approx(pair) for place, pair in expected.items()}
