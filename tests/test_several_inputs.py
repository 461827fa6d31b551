"""What is said of labels where a model receives more than the inputs that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import unstuck
from unstuck.judge.engine import diagnose
from unstuck.schema.findings import Absent, Confidence, Present


class Pooled(nn.Module):
    """The mean of the first numbers of each row, so many as its length says."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, rows: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        there = torch.arange(rows.shape[1])[None, :, None] < lengths[:, None, None]
        return self.layers((rows * there).sum(1) / lengths[:, None])  # type: ignore[no-any-return]


@pytest.mark.parametrize("aligned", [True, False])
def test_the_first_of_several_inputs_is_tested(tmp_path: Path, aligned: bool) -> None:
    torch.manual_seed(0)
    sides, lengths = torch.arange(400) % 2, torch.randint(4, 9, (400,))
    rows = torch.randn(400, 8, 2) + sides[:, None, None]
    labels = sides if aligned else sides[torch.randperm(400)]
    model = Pooled()
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(12):
            for picked in torch.randperm(400).split(20):
                loss = functional.cross_entropy(model(rows[picked], lengths[picked]),
                                                labels[picked])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    found = diagnose(tmp_path / "record")
    verdict = dict(found.verdicts)["labels-unrelated-to-inputs"]
    if aligned:
        assert isinstance(verdict, Absent)
        assert "depend on the inputs" in verdict.reason
        return
    assert isinstance(verdict, Present)
    assert verdict.confidence is Confidence.POSSIBLE
    assert found.findings[0].cause == "labels-unrelated-to-inputs"
    assert "lengths" in verdict.evidence[0].says
