"""Losses that no backward pass reaches, and gradients that are cleared before the step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.schema.signals.losses import LEFT_OUT_LOSSES
from unstuck.schema.signals.parameters import CLEARED_BACKWARDS

pytestmark = pytest.mark.usefixtures("seeded")

START = """
x = torch.randn(60, 3)
y = x.sum(1, keepdim=True)
model = nn.Linear(3, 1)
heads = nn.ModuleList(nn.Linear(3, 1) for _ in range(4))
optimizer = torch.optim.SGD([*model.parameters(), *heads.parameters()], lr=0.01)
criterion = nn.MSELoss()
for epoch in range(5):
"""
BEHIND = """
    for rows in torch.randperm(60).split(15):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
"""
CLEARED = """
    for rows in torch.randperm(60).split(15):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
    optimizer.step()
"""
ADDED = """
    optimizer.zero_grad()
    for rows in torch.randperm(60).split(15):
        (criterion(model(x[rows]), y[rows]) / 4).backward()
    optimizer.step()
"""
BEST = """
    for rows in torch.randperm(60).split(15):
        losses = []
        for head in heads:
            losses.append(criterion(head(x[rows]), y[rows]))
        optimizer.zero_grad()
        min(losses).backward()
        optimizer.step()
"""


@pytest.mark.parametrize(("loop", "left", "cleared"), [
    (BEHIND, [3.0] * 5, []), (CLEARED, [], [3.0] * 5), (ADDED, [], []), (BEST, [], []),
], ids=["backward behind the loop", "step behind the loop", "added up", "the best of several"])
def test_what_is_computed_in_vain(
    loop: str, left: list[float], cleared: list[float], tmp_path: Path
) -> None:
    record = record_of(START + loop, tmp_path)
    for signal, expected in ((LEFT_OUT_LOSSES, left), (CLEARED_BACKWARDS, cleared)):
        found = record.series(signal).values.tolist() if record.measured(signal) else []
        assert found == expected
