"""Which scores of a binary classifier are called wrong, and which are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from tests.observe.sources import record_of, text_at
from unstuck.judge.engine import diagnose
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.scores import Counting, Score
from unstuck.schema.findings import Absent, Present, Unknown, Verdict

SLUG = "wrong-metric"
Count = Callable[[torch.Tensor, torch.Tensor], float | torch.Tensor]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def watched(
    folder: Path, count: Count, divide: bool = True, column: bool = True,
    loss: Loss = F.binary_cross_entropy_with_logits,
) -> Record:
    """A classifier of points (N, 6) that is evaluated on three batches after every five steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    x_test = torch.randn(120, 6)
    y_test = (x_test[:, 0] + x_test[:, 1] > 0.3).float()

    def evaluate() -> float:
        correct, total = 0.0, 0
        with torch.no_grad():
            for inputs, labels in zip(x_test.split(40), y_test.split(40), strict=True):
                outputs = model(inputs)
                correct += float(count(outputs if column else outputs.squeeze(1), labels))
                total += len(labels)
        return correct / total if divide else correct

    scores = []
    with unstuck.watch(out=folder / "record", overhead=1.0):
        for step in range(60):
            x = torch.randn(32, 6)
            y = (x[:, :1] + x[:, 1:2] > 0.3).float()
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
            if step % 5 == 4:
                scores.append(evaluate())
    return read_record(folder / "record")


def verdict(record: Record) -> Verdict:
    return dict(diagnose(record).verdicts)[SLUG]


@pytest.mark.parametrize(("count", "column", "how"), [
    (lambda out, y: (out.argmax(1) == y).sum(), True, Counting.COLUMN),
    (lambda out, y: (out.argmax(1) == y).float().mean(), True, Counting.COLUMN),
    (lambda out, y: ((out > 0) == y).float().mean(), True, Counting.PAIRS),
    (lambda out, y: ((out > 0).float() == y).sum(), True, Counting.PAIRS),
    (lambda out, y: (out.round() == y).sum(), False, Counting.ROUNDED),
    (lambda out, y: ((out > 0) == y).float().mean(), False, Counting.SHARES),
], ids=["column", "mean of a column", "pairs", "number of pairs", "rounded", "shares"])
def test_a_wrong_count_is_found(
    tmp_path: Path, count: Count, column: bool, how: Counting
) -> None:
    record = watched(tmp_path, count, column=column)
    found = verdict(record)
    assert isinstance(found, Present), found
    assert how in {score.how for score in record.facts(Score)}
    assert found.location is not None


@pytest.mark.parametrize("count", [
    lambda out, y: ((out > 0) == y).sum(),
    lambda out, y: (torch.sigmoid(out).round() == y).float().mean() * len(y),
    lambda out, y: ((out > 0.5) == y).sum(),
])
def test_a_right_count_is_absent(tmp_path: Path, count: Count) -> None:
    assert isinstance(verdict(watched(tmp_path, count, column=False)), Absent)


@pytest.mark.parametrize("count", [
    lambda out, y: ((torch.sigmoid(out) > 0.9) == y).sum(),
    lambda out, y: (((out > 0) == y) & (y > 0)).sum(),
    lambda out, y: ((out > 0).float() - y).abs().mean(),
    lambda out, y: F.binary_cross_entropy_with_logits(out, y),
], ids=["another cut", "of one class", "errors", "a loss"])
def test_other_scores_are_left_alone(tmp_path: Path, count: Count) -> None:
    assert isinstance(verdict(watched(tmp_path, count, column=False)), Unknown)


def test_zeros_and_ones_by_least_squares_may_be_rounded(tmp_path: Path) -> None:
    record = watched(tmp_path, lambda out, y: (out.round() == y).sum(), column=False,
                     loss=F.mse_loss)
    assert isinstance(verdict(record), Absent)
    assert not record.facts(Score)


@pytest.mark.parametrize("keep", [
    "scores.append(accuracy(net(x_test), y_test))",
    "history['valid acc'].append(accuracy(net(x_test), y_test))",
    "history['acc'] = accuracy(net(x_test), y_test)",
], ids=["a list", "a dictionary of lists", "a dictionary"])
@pytest.mark.parametrize("column", [True, False])
def test_a_score_that_is_kept_in_a_list_or_dictionary(
    tmp_path: Path, keep: str, column: bool
) -> None:
    squeeze = "" if column else ".squeeze(1)"
    found = verdict(record_of(f'''
        torch.manual_seed(0)
        x, x_test = torch.randn(256, 6), torch.randn(100, 6)
        y, y_test = ((each[:, 0] + each[:, 1] > 0.3).float() for each in (x, x_test))
        net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        scores, history = [], {{"valid acc": []}}

        def accuracy(out, y):
            return ((out{squeeze} > 0).float() == y).float().mean().item()

        for epoch in range(12):
            for rows in torch.randperm(256).split(64):
                loss = F.binary_cross_entropy_with_logits(net(x[rows]), y[rows][:, None])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                {keep}
        ''', tmp_path))
    assert isinstance(found, Present if column else Absent), found
    if isinstance(found, Present):
        assert text_at(found.location) == "((out > 0).float() == y).float().mean().item()"


def test_a_model_that_returns_its_loss_is_evaluated(tmp_path: Path) -> None:
    """An output without dimensions has no samples to be counted."""
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 1)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return F.binary_cross_entropy_with_logits(self.layer(x), y)

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(32, 6)
    y = (x[:, :1] > 0).float()
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        for _ in range(5):
            optimizer.zero_grad()
            model(x, y).backward()
            optimizer.step()
            with torch.no_grad():
                model(x, y)
    assert not read_record(tmp_path / "record").oddities
