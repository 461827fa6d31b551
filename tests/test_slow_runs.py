"""Runs that ended before the network had learned: a rate too low, too few steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import unstuck
from unstuck.schema.findings import Confidence, Diagnosis, Severity

SUSPECTS = {"learning-rate-too-low", "too-few-steps", "batch-too-large", "momentum-too-low"}


def trained(folder: Path, rate: float, epochs: int) -> Diagnosis:
    """Logistic regression of the digits, as beginners write it."""
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images, dtype=torch.float32) / 16
    y = torch.tensor(labels)
    with unstuck.watch(out=folder / "record", overhead=1.0):
        torch.manual_seed(0)
        model = nn.Linear(64, 10)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        for _ in range(epochs):
            order = torch.randperm(len(x))
            for rows in order.split(64):
                loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return unstuck.diagnose(folder / "record")


@pytest.mark.parametrize(("rate", "epochs"), [(0.003, 3), (0.001, 8), (0.01, 2)])
def test_a_run_that_ended_on_its_way_is_told_so(tmp_path: Path, rate: float, epochs: int) -> None:
    diagnosis = trained(tmp_path, rate, epochs)
    first = diagnosis.counted()[0]
    assert first.cause in SUSPECTS
    assert {first.cause, *first.one_of} & {"learning-rate-too-low", "too-few-steps"}
    assert first.severity in (Severity.WARNING, Severity.ERROR)
    assert diagnosis.next_steps


def test_a_suspect_is_only_possible_and_says_what_would_tell(tmp_path: Path) -> None:
    first = trained(tmp_path, 0.01, 2).counted()[0]
    assert first.confidence is Confidence.POSSIBLE
    assert first.severity is Severity.WARNING
    assert first.separated_by is not None
    assert first.separated_by.arms


def test_a_run_that_learned_is_not_accused(tmp_path: Path) -> None:
    diagnosis = trained(tmp_path, 0.5, 12)
    assert not diagnosis.counted()
    verdicts = dict(diagnosis.verdicts)
    assert type(verdicts["learning-rate-too-low"]).__name__ == "Absent"


def test_a_run_that_ends_on_its_first_plateau_may_be_too_short(tmp_path: Path) -> None:
    """Half of the labels follow a sign, which is found at once, and half a parity, which is not."""
    torch.manual_seed(0)
    x = torch.randn(3000, 6)
    odd = x[:, 0] * x[:, 1] * x[:, 3] * x[:, 4] > 0
    labels = torch.where(torch.rand(3000) < 0.5, x[:, 2] > 0, odd).float()
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
        for _ in range(120):
            rows = torch.randint(3000, (256,))
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(x[rows])[:, 0], labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    first = unstuck.diagnose(tmp_path / "record").counted()[0]
    assert first.cause == "too-few-steps"
    assert first.confidence is Confidence.POSSIBLE
    assert "first plateau" in first.title
