"""What is advised against a schedule fits what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import unstuck
from unstuck.schema.findings import Finding


def finding(folder: Path, batches_a_step: int, gamma: float) -> Finding:
    """Of a digits classifier whose learning rate decays once every so many batches."""
    torch.manual_seed(0)
    inputs, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(inputs / 16.0, dtype=torch.float32), torch.tensor(labels)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=gamma)
    with unstuck.watch(folder / "record", overhead=1.0) as watch:
        for step in range(1, 301):
            rows = torch.randint(len(x), (32,))
            optimizer.zero_grad()
            functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            if step % batches_a_step == 0:
                schedule.step()
    (found,) = [f for f in watch.diagnose().findings if f.cause == "schedule-mistake"]
    return found


def advised(found: Finding) -> str:
    return " ".join(f"{remedy.advice or ''} {remedy.code()}" for remedy in found.remedies)


def test_a_schedule_that_dies_at_every_batch_is_to_step_once_an_epoch(tmp_path: Path) -> None:
    found = advised(finding(tmp_path, batches_a_step=1, gamma=0.8))
    assert "once per epoch" in found
    assert "after every optimizer" not in found


def test_one_that_dies_at_every_epoch_is_not_told_to_step_more_often(tmp_path: Path) -> None:
    found = advised(finding(tmp_path, batches_a_step=10, gamma=0.1))
    assert "after every optimizer" not in found
    assert "This run calls scheduler.step() 30 times" in found
