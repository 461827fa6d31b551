"""What is seen of sequences: their lengths, their padding, and what is masked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck import read_record
from unstuck.observe.probes.alignment import needed, samples_of, strides
from unstuck.schema.facts.sequences import Alignment

WORDS = [[1, 2, 2], [3, 3]]


@pytest.mark.parametrize("targets", [
    torch.tensor([[1, 2, 2], [3, 3, 0]]), torch.tensor([1, 2, 2, 3, 3])], ids=("padded", "joined"))
@pytest.mark.parametrize("kind", [tuple, list, torch.tensor], ids=("tuple", "list", "tensor"))
def test_targets_are_read_in_all_forms(targets: torch.Tensor, kind: type) -> None:
    found = list(samples_of((torch.zeros(7, 2, 4), targets, kind([5, 4]), kind([3, 2]))))
    assert found == [(5, WORDS[0]), (4, WORDS[1])]


def test_equal_neighbours_need_a_blank() -> None:
    assert [needed(word) for word in ([], [1], *WORDS)] == [0, 1, 4, 3]


@pytest.mark.parametrize(("layer", "found"), [
    (nn.Conv1d(2, 2, 3, stride=4), (4,)), (nn.MaxPool2d(2), (2, 2)),
    (nn.MaxPool2d((2, 1)), (2, 1)), (nn.AdaptiveAvgPool2d(1), ()), (nn.Linear(2, 2), ())],
    ids=lambda value: type(value).__name__)
def test_the_stride_of_a_layer(layer: nn.Module, found: tuple[int, ...]) -> None:
    assert strides(layer) == found


def test_layers_that_shorten_are_found_from_the_last_on(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(3, 8, 3, stride=2), nn.Conv1d(8, 8, 3), nn.AvgPool1d(2), nn.Conv1d(8, 5, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with unstuck.watch(tmp_path / "record", overhead=1.0):
        for _ in range(3):
            scores = model(torch.randn(2, 3, 21)).permute(2, 0, 1).log_softmax(2)
            loss = F.ctc_loss(scores, torch.full((2, 4), 2), (4, 4), (4, 3), zero_infinity=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    (found,) = read_record(tmp_path / "record").facts(Alignment)
    assert (found.given, found.made, found.symbols, found.needed) == (4, 4, 4, 7)
    assert [(s.layer, s.before, s.after) for s in found.shortened] == [("2", 8, 4), ("0", 21, 10)]
