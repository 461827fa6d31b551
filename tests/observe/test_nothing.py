"""Losses that are the mean of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.facts.run import NonFinite, NonFiniteStage

PROGRAM = '''
torch.manual_seed(0)
x, y = torch.randn(128, 6), torch.randint(3, (128,))
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for step in range(60):
    out = net(x)
    loss = LOSS
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''
LOSSES = (
    "((out - 1) ** 2)[y > 7].mean()", "F.cross_entropy(out, torch.full_like(y, -100))",
    "F.mse_loss(out[:0], torch.zeros(0, 3))", "F.l1_loss(net(x[:0]), torch.zeros(0, 3))",
)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_of_nothing_is_no_matter_of_the_rate(tmp_path: Path, loss: str) -> None:
    record = record_of(PROGRAM.replace("LOSS", loss), tmp_path)
    (found,) = record.facts(NonFinite)
    assert found.stage is NonFiniteStage.EMPTY
    diagnosis = diagnose(record)
    causes = {finding.cause for finding in diagnosis.findings}
    assert "non-finite-loss" in causes
    assert not causes & {"learning-rate-too-high", "batch-too-small", "exploding-gradients"}
    assert not [says for says in diagnosis.remarks if "internal error" in says]
