"""Faults are peeled off one by one, and what was not needed is taken back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.trials.conftest import subject
from unstuck.settings import Settings
from unstuck.trials.laboratory import Laboratory
from unstuck.trials.peel import _undone, repair
from unstuck.trials.race import Clock, Race
from unstuck.trials.results import rows, summary, with_trials
from unstuck.trials.subject import subject_of

TWICE = '''
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(512, 4)
y = (x @ torch.tensor([1.0, -2.0, 0.5, 3.0]))[:, None]
model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

for step in range(200):
    rows = torch.randint(0, 512, (32,))
    loss = -nn.functional.mse_loss(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
print(f"loss {abs(loss.item()):.3f}")
'''


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs namespaces")
def test_two_faults_are_repaired_one_after_the_other(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    file = tmp_path / "train.py"
    file.write_text(TWICE, encoding="utf-8")
    laboratory.subject = subject(file)
    race = Race(laboratory, Settings(), Clock(600.0), jobs=2)
    control = race.control()
    assert control.record is not None
    _, texts = subject_of(control.record, str(tmp_path))
    found = repair(race, control, texts.index)
    assert found.proven, rows(found)
    assert {type(each.candidate.edit).__name__ for each in found.kept} == {"FlipSign", "ZeroGrad"}
    diff = found.diff(str(tmp_path))
    assert [line for line in diff.splitlines()
            if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))] == [
        "-    loss = -nn.functional.mse_loss(model(x[rows]), y[rows])",
        "+    loss = nn.functional.mse_loss(model(x[rows]), y[rows])",
        "+    optimizer.zero_grad()",
    ]
    assert file.read_text(encoding="utf-8") == TWICE
    told = with_trials(found, str(tmp_path), 1.0)
    trial = next(each.trial for each in told.findings
                 if each.cause == found.kept[0].candidate.cause)
    assert trial is not None
    assert trial.verdict == "cured"
    assert "together with 1 more change" in trial.says
    assert summary(found, 9, 1.0).startswith("fixed by 2 changes (")


@pytest.mark.parametrize(("before", "after", "final", "undone"), [
    ("a\nb\nc\n", "a\nB\nc\n", "a\nB\nc\nd\n", "a\nb\nc\nd\n"),
    ("a\nc\n", "a\nb\nc\n", "a\nb\nc\nd\n", "a\nc\nd\n"),
    ("a\nb\nc\n", "a\nc\n", "x\na\nc\n", "x\na\nb\nc\n"),
    ("a\nb\n", "a\nB\n", "a\nBB\n", None),  # a later change builds on it
])
def test_one_change_of_several_is_undone(
    before: str, after: str, final: str, undone: str | None
) -> None:
    assert _undone(before, after, final) == undone

