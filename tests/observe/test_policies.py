"""The graph of a policy's loss does not show which sign of its advantages is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.findings import Absent, Present, Unknown, Verdict

PROGRAM = '''
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(20):
    x = torch.randn(64, 4)
    out = net(x)
    policy, value = torch.distributions.Categorical(logits=out[:, :3]), out[:, 3]
    action = policy.sample()
    reward = (action == x[:, :3].argmax(1)).float() * 2 - 1
    error = reward - value
    loss = LOSS
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
'''


def verdict(folder: Path, loss: str) -> Verdict:
    record = record_of(PROGRAM.replace("LOSS", loss), folder)
    return dict(diagnose(record).verdicts)["loss-sign"]


@pytest.mark.parametrize("actor", [
    "-(policy.log_prob(action) * error.detach()).mean()",
    "(policy.log_prob(action) * error.detach()).mean()",
    "-(policy.log_prob(action) * (value - reward).detach()).mean()",
])
def test_the_sign_of_an_advantage_is_unknown(tmp_path: Path, actor: str) -> None:
    assert isinstance(verdict(tmp_path, f"{actor} + error.square().mean()"), Unknown)


def test_signs_of_likelihoods_are_known_as_before(tmp_path: Path) -> None:
    likelihood = "policy.log_prob(x[:, :3].argmax(1)).mean()"
    assert isinstance(verdict(tmp_path, f"-{likelihood}"), Absent)
    assert isinstance(verdict(tmp_path / "wrong", likelihood), Present)
