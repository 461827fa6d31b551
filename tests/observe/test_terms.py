"""How a loss that is a sum is taken apart, and which share of the gradient each term has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.judge.engine import diagnose
from unstuck.observe.probes.summands import is_penalty, summands
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.losses import RetainedGraph
from unstuck.schema.facts.sums import LossTerm
from unstuck.schema.findings import Absent, Present, Unknown, Verdict
from unstuck.schema.signals.sums import TERM_SHARE, TERM_SKILL

SLUG = "loss-terms-out-of-balance"
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Two(nn.Module):
    """Points (N, 6) to two numbers, by two heads on one body."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 16)
        self.left, self.right = nn.Linear(16, 1), nn.Linear(16, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = torch.tanh(self.body(x))
        return self.left(h), self.right(h)


def watched(folder: Path, loss: Loss, steps: int = 90) -> Record:
    """A run in which the loss of two outputs and their two targets (N, 2) is minimised."""
    torch.manual_seed(0)
    model = Two()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    with unstuck.watch(out=folder / "record", overhead=1.0):
        for _ in range(steps):
            x = torch.randn(32, 6)
            optimizer.zero_grad()
            loss(*model(x), torch.stack([x[:, :2].sum(1), x[:, 2] - x[:, 3]], 1)).backward()
            optimizer.step()
    return read_record(folder / "record")


def verdict(record: Record) -> Verdict:
    return dict(diagnose(record).verdicts)[SLUG]


def small_second(left: torch.Tensor, right: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    first = F.mse_loss(left, y[:, :1])
    second = F.mse_loss(1e-3 * right, 1e-3 * y[:, 1:])
    return first + second


def test_the_share_is_that_of_the_gradients_at_the_shared_tensor(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Two()
    x = torch.randn(32, 6)
    targets = torch.stack([x[:, :2].sum(1), x[:, 2] - x[:, 3]], 1)
    h = torch.tanh(model.body(x)).detach().requires_grad_()
    ends = (F.mse_loss(model.left(h), targets[:, :1]), F.mse_loss(model.right(h), targets[:, 1:]))
    sizes = [torch.autograd.grad(end, h)[0].norm() for end in ends]
    record = watched(tmp_path, lambda left, right, y: F.mse_loss(left, y[:, :1]) + F.mse_loss(
        right, y[:, 1:]), steps=3)
    shares = record.series(TERM_SHARE)
    for name, size in zip(("term 1", "term 2"), sizes, strict=True):
        assert shares[name].values[0] == pytest.approx(float(size / sum(sizes)), rel=1e-4)


def test_no_graph_outlives_its_step(tmp_path: Path) -> None:
    record = watched(tmp_path, small_second, steps=20)
    assert record.series(TERM_SHARE)
    assert not record.facts(RetainedGraph)


def test_a_starved_task_is_found(tmp_path: Path) -> None:
    record = watched(tmp_path, small_second)
    found = verdict(record)
    assert isinstance(found, Present), found
    assert "`second`" in found.title
    assert found.location is not None
    assert found.location.text == "    return first + second"


@pytest.mark.parametrize("loss", [
    lambda left, right, y: F.mse_loss(left, y[:, :1]) + F.mse_loss(right, y[:, 1:]),
    lambda left, right, y: F.mse_loss(left, y[:, :1]) + 1e-4 * F.mse_loss(right, y[:, 1:]),
    lambda left, right, y: F.mse_loss(left, y[:, :1]) + 1e-5 * right.square().mean(),
], ids=["alike", "a weight that is meant", "a penalty"])
def test_a_balance_that_is_meant_is_silent(tmp_path: Path, loss: Loss) -> None:
    assert isinstance(verdict(watched(tmp_path, loss)), Absent)


def test_nothing_is_said_where_nothing_learns(tmp_path: Path) -> None:
    def unlearnable(left: torch.Tensor, right: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(len(y), 2)
        return F.mse_loss(left, noise[:, :1]) + F.mse_loss(1e-3 * right, 1e-3 * noise[:, 1:])

    assert isinstance(verdict(watched(tmp_path, unlearnable)), Unknown | Absent)


def test_a_hand_written_term_is_measured(tmp_path: Path) -> None:
    def by_hand(left: torch.Tensor, right: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return ((left - y[:, :1]) ** 2).mean() + 1e-6 * right.square().sum()

    record = watched(tmp_path, by_hand)
    assert [term.loss for term in record.facts(LossTerm)] == ["mse_loss", None]
    assert record.series(TERM_SKILL)["term 1"].values[-1] > 0.5


def both() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(4, 3, requires_grad=True)
    return F.mse_loss(x, torch.zeros(4, 3)), x.exp().sum()


@pytest.mark.parametrize(("add", "factors"), [
    (lambda a, b: a + b, [1.0, 1.0]),
    (lambda a, b: a - 0.5 * b, [1.0, -0.5]),
    (lambda a, b: (a + b / 4) / 2, [0.5, 0.125]),
    (lambda a, b: sum([a, b]), [1.0, 1.0]),
    (lambda a, b: torch.stack([a, b]).sum(), [1.0, 1.0]),
    (lambda a, b: torch.stack([a, 3 * b]).mean(), [1.0, 3.0]),
    (lambda a, b: 1.0 + a, [1.0]),
    (lambda a, b: a, [1.0]),
    (lambda a, b: (a + b) * b, [1.0]),
])
def test_a_loss_is_taken_apart(add: Callable[..., Any], factors: list[float]) -> None:
    first, second = both()
    assert first.grad_fn is not None
    found = summands(add(first, second).grad_fn, {first.grad_fn._sequence_nr()})
    assert [term.factor for term in found] == pytest.approx(factors)


def test_a_divergence_is_one_term() -> None:
    first, _ = both()
    mu = torch.randn(5, requires_grad=True)
    divergence = -0.5 * (1 + mu - mu.pow(2) - mu.exp()).sum()
    assert first.grad_fn is not None
    total = first + divergence
    found = summands(total.grad_fn, {first.grad_fn._sequence_nr()})
    assert len(found) == 2
    assert [term.factor for term in found] == [1.0, -0.5]


@pytest.mark.parametrize(("term", "expected"), [
    (lambda w, v, x: w.pow(2).sum() + v.pow(2).sum(), True),
    (lambda w, v, x: 0.1 * (w.norm() + torch.linalg.vector_norm(v, 1)), True),
    (lambda w, v, x: torch.cat([w.flatten(), v.flatten()]).abs().mean(), True),
    (lambda w, v, x: (w * w).sum().sqrt(), True),
    (lambda w, v, x: w.norm(dim=1).sum() + v.abs().mean(0).sum(), True),
    (lambda w, v, x: (x @ w).pow(2).mean(), False),
    (lambda w, v, x: (w[:, 0] * x[0]).sum(), False),
    (lambda w, v, x: (w.t() @ w).pow(2).sum(), False),
    (lambda w, v, x: F.embedding(torch.tensor([1, 2]), w).pow(2).sum(), False),
])
def test_what_is_a_penalty_on_the_weights(term: Loss, expected: bool) -> None:
    torch.manual_seed(0)
    w, v = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(3, 1))
    assert is_penalty(term(w, v, torch.randn(5, 4)).grad_fn) is expected
