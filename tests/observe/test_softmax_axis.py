"""The axis of a softmax where the loss receives it, which a program may have moved or flattened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.judge.engine import diagnose
from unstuck.observe import graph
from unstuck.schema.findings import Present

SAMPLES, STEPS, CLASSES = 6, 5, 4


@pytest.mark.parametrize(("dim", "moved", "expected"), [
    (2, lambda x: x, 2), (-1, lambda x: x, -1),
    (2, lambda x: x.transpose(1, 2), 1), (-1, lambda x: x.transpose(-1, -2), 1),
    (1, lambda x: x.transpose(1, 2), 2), (-1, lambda x: x.mT, 1),
    (2, lambda x: x.permute(0, 2, 1), 1), (2, lambda x: x.movedim(-1, 0), 0),
    (2, lambda x: x.flatten(0, 1), 1), (2, lambda x: x.view(-1, CLASSES), 1),
    (2, lambda x: x.transpose(0, 1).reshape(-1, CLASSES), 1),
    (1, lambda x: x.flatten(0, 1), None), (2, lambda x: x.flatten(1), None),
    (0, lambda x: x.flatten(1), 0), (2, lambda x: x[:, -1], 1), (1, lambda x: x[:, -1], None),
    (2, lambda x: x[:, 1:], 2), (2, lambda x: x.unsqueeze(1), 3),
    (2, lambda x: x[:, :1].squeeze(1), 1), (2, lambda x: -2 * x.transpose(1, 2), 1),
    (2, lambda x: x.sum(1), None),
])
def test_an_axis_is_followed(
    dim: int, moved: Callable[[torch.Tensor], torch.Tensor], expected: int | None
) -> None:
    scores = torch.randn(SAMPLES, STEPS, CLASSES, requires_grad=True) * 2
    softmax = scores.softmax(dim)
    assert graph.dimension_in(moved(softmax).grad_fn, softmax.grad_fn) == expected


def test_where_there_is_no_softmax_there_is_no_axis() -> None:
    scores = torch.randn(SAMPLES, CLASSES, requires_grad=True) * 2
    assert graph.dimension_in(scores.grad_fn, None) is None


@pytest.mark.parametrize(("dim", "flat", "wrong"), [
    (2, True, False), (2, False, False), (-1, True, False), (-1, False, False),
    (0, False, True), (1, False, True),
])
def test_a_sequence_may_be_turned_before_the_loss(
    dim: int, flat: bool, wrong: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, CLASSES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(SAMPLES, STEPS, 3), torch.randint(0, CLASSES, (SAMPLES, STEPS))
    with unstuck.watch(out=tmp_path / "record", overhead=1.0):
        for _ in range(8):
            told = F.log_softmax(model(x), dim=dim)
            loss = F.nll_loss(told.flatten(0, 1), y.flatten()) if flat else F.nll_loss(
                told.transpose(1, 2), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    verdict = dict(diagnose(tmp_path / "record").verdicts)["output-does-not-fit-loss"]
    assert isinstance(verdict, Present) is wrong
