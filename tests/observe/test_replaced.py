"""A layer that takes the place of another after the optimizer was built bears its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.judge.engine import diagnose
from unstuck.schema.facts.models import Replacement
from unstuck.schema.findings import Absent, Diagnosis, Present, Severity

PROGRAM = '''
torch.manual_seed(0)
x = torch.randn(256, 6)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 24), nn.ReLU())
        self.head = nn.Linear(24, 4)
    def forward(self, x):
        return self.head(self.body(x))

def train(y, steps):
    for step in range(steps):
        part = slice(step % 8 * 32, step % 8 * 32 + 32)
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[part]), y[part])
        loss.backward()
        optimizer.step()

net = Net()
optimizer = torch.optim.Adam(net.parameters(), 2e-2)
train((x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long(), 200)
REPLACE
train((x[:, 2] > 0).long() + 2 * (x[:, 3] > 0).long(), 400)
'''
FROZEN = "net.body.requires_grad_(False)\nnet.head = nn.Linear(24, 4)"
MOVING = "net.head = nn.Linear(24, 4)"


def judged(folder: Path, replace: str) -> Diagnosis:
    record = record_of(PROGRAM.replace("REPLACE", replace), folder)
    assert record.facts(Replacement)
    return diagnose(record)


@pytest.mark.parametrize("replace", [FROZEN, MOVING], ids=["frozen body", "moving body"])
def test_a_new_layer_is_missing_although_the_old_one_was_held(
    tmp_path: Path, replace: str
) -> None:
    diagnosis = judged(tmp_path, replace)
    found = dict(diagnosis.verdicts)["parameters-not-in-optimizer"]
    assert isinstance(found, Present)
    assert found.title.startswith("no optimizer updates head, so")
    assert [f.cause for f in diagnosis.findings if f.severity is Severity.ERROR] in (
        [], ["parameters-not-in-optimizer"])


@pytest.mark.parametrize("replace", [
    f"{FROZEN}\noptimizer.add_param_group({{'params': net.head.parameters()}})",
    f"{MOVING}\noptimizer = torch.optim.Adam([*net.head.parameters()], 1e-2)",
], ids=["added", "an optimizer of its own"])
def test_a_new_layer_that_an_optimizer_gets_is_no_fault(tmp_path: Path, replace: str) -> None:
    record = record_of(PROGRAM.replace("REPLACE", replace), tmp_path)
    for training in (diagnose(record), *map(diagnose, record.later)):
        assert isinstance(dict(training.verdicts)["parameters-not-in-optimizer"], Absent)
