"""Targets that do not lie beside rows, and held-out rows that nothing known scores."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import unstuck
from unstuck.schema.findings import Absent, Present, Unknown


class Summed(nn.Module):
    """One output for each of several groups of rows."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.out = nn.Linear(3, 16), nn.Linear(16, 2)

    def forward(self, rows: torch.Tensor, group: torch.Tensor, groups: int) -> torch.Tensor:
        hidden = self.rows(rows).relu()
        summed = torch.zeros(groups, 16).index_add(0, group, hidden)
        return self.out(summed)  # type: ignore[no-any-return]


def test_targets_of_groups_of_rows_are_not_said_to_be_none(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Summed()
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(40):
            labels = torch.randint(2, (16,))
            group = torch.arange(16).repeat_interleave(5)
            rows = torch.randn(80, 3) + labels[group][:, None]
            loss = functional.cross_entropy(model(rows, group, 16), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    verdicts = dict(unstuck.diagnose(tmp_path / "record").verdicts)
    for slug in ("labels-unrelated-to-inputs", "noisy-labels", "class-imbalance",
                 "label-mapping-mismatch"):
        verdict = verdicts[slug]
        assert isinstance(verdict, Unknown), slug
        assert "80 rows for 16 targets" in verdict.reason


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_what_a_loader_hands_over_is_compared_whatever_scores_it(
    tmp_path: Path, scale: float
) -> None:
    torch.manual_seed(0)
    x = torch.randn(700, 6)
    y = x.sum(1).tanh()
    held_out = DataLoader(TensorDataset(scale * x[500:], y[500:]), batch_size=50)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(15):
            for rows in torch.randperm(500).split(25):
                loss = functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                told = torch.cat([model(inputs).squeeze(1) for inputs, _ in held_out])
            1 - (told - y[500:]).square().sum() / (y[500:] - y[500:].mean()).square().sum()
    verdict = dict(unstuck.diagnose(tmp_path / "record").verdicts)["train-validation-mismatch"]
    assert isinstance(verdict, Present if scale > 1 else Absent), verdict
