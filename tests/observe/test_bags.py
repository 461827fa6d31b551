"""Samples of a model that gets all tokens of a batch in a row."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import unstuck
from unstuck.observe.samples.bags import FILLER, WIDEST, unbagged
from unstuck.schema.facts.data import Kept


class Bags(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(20, 8)
        self.out = nn.Linear(8, 3)

    def forward(self, tokens: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        return self.out(self.bag(tokens, offsets))


def test_each_sample_has_its_own_tokens() -> None:
    tokens, offsets = torch.tensor([5, 6, 7, 8, 9]), torch.tensor([0, 2, 2])
    found = unbagged(Bags(), [tokens, offsets])
    assert found is not None
    assert found.shape == (3, WIDEST)
    assert [row[row != FILLER].tolist() for row in found] == [[5, 6], [], [7, 8, 9]]


def test_other_models_and_other_tensors_are_left_as_they_are() -> None:
    tokens, offsets = torch.arange(5), torch.tensor([0, 2])
    assert unbagged(nn.Linear(1, 1), [tokens, offsets]) is None
    assert unbagged(Bags(), [tokens]) is None
    assert unbagged(Bags(), [tokens.float(), offsets]) is None
    assert unbagged(Bags(), [tokens, offsets.float()]) is None
    assert unbagged(Bags(), [torch.ones(2, 5, dtype=torch.int64)]) is None


def test_samples_in_bags_are_kept_with_their_labels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Bags()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    with unstuck.watch(tmp_path / "record", overhead=1.0):
        for _ in range(30):
            labels = torch.randint(0, 3, (16,))
            lengths = torch.randint(1, 6, (16,))
            tokens = torch.cat([torch.randint(0, 6, (int(n),)) + 6 * label
                                for n, label in zip(lengths, labels, strict=True)])
            optimizer.zero_grad()
            scores = model(tokens, lengths.cumsum(0) - lengths)
            nn.functional.cross_entropy(scores, labels).backward()
            optimizer.step()
    record = unstuck.read_record(tmp_path / "record")
    kept = next(each for each in record.facts(Kept) if each.name == "train")
    assert (kept.targets, kept.discrete) == ("classes", True)
    assert kept.samples > 100
