"""What is measured of targets, where the generic tests do not reach."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import unstuck
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.losses import Loss
from unstuck.schema.signals.targets import (
    DISTINCT_TARGETS,
    LABEL_ORDER,
    TARGET_MAXIMUM,
    TARGET_MEAN,
    TARGET_MINIMUM,
    UNREACHABLE_SHARE,
)


def train(folder: Path, outputs: int, x: torch.Tensor, y: torch.Tensor, loss, *end) -> Record:  # type: ignore[no-untyped-def]
    with unstuck.watch(out=folder / "record", overhead=1.0):
        model = nn.Sequential(nn.Linear(x.shape[1], outputs), *end)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
    return read_record(folder / "record")


def test_ignored_labels_are_left_out(tmp_path: Path) -> None:
    labels = torch.arange(32) % 4
    labels[::5] = -1
    record = train(tmp_path, 4, torch.randn(32, 3), labels, nn.CrossEntropyLoss(ignore_index=-1))
    assert record.series(TARGET_MINIMUM)["cross_entropy"].values.min() == 0
    assert record.series(TARGET_MAXIMUM)["cross_entropy"].values.max() == 3


def test_elements_of_weight_zero_are_left_out(tmp_path: Path) -> None:
    target = (torch.arange(96).reshape(32, 3) % 2).float()
    target[::4] = -1
    record = train(
        tmp_path, 3, torch.randn(32, 3), target,
        lambda p, t: functional.binary_cross_entropy_with_logits(p, t, weight=(t >= 0).float()))
    assert record.series(TARGET_MINIMUM)["binary_cross_entropy_with_logits"].values.min() == 0


@pytest.mark.parametrize("hand_written", [False, True])
def test_the_order_of_whole_numbers_is_that_of_their_inputs(
    tmp_path: Path, hand_written: bool
) -> None:
    labels = torch.arange(60) % 6
    sizes = labels[:, None] * torch.ones(1, 4) + 0.1 * torch.randn(60, 4)
    target = labels.float()[:, None]
    record = train(
        tmp_path, 1, sizes, target,
        (lambda p, t: (p - t).square().mean()) if hand_written else functional.mse_loss)
    name = next(iter(record.series(DISTINCT_TARGETS)))
    assert record.series(DISTINCT_TARGETS)[name].values[-1] == 6
    assert record.series(LABEL_ORDER)[name].values[-1] > 0.9


def test_the_targets_of_a_scaled_difference_keep_their_own_unit(tmp_path: Path) -> None:
    target = 300 + 20 * torch.randn(64, 1)
    record = train(
        tmp_path, 1, torch.randn(64, 3), target, lambda p, t: (2 * (p - t) / 20.0).square().mean())
    assert [loss.function for loss in record.facts(Loss)] == ["mse_loss"]
    name = next(iter(record.series(TARGET_MEAN)))
    assert record.series(TARGET_MEAN)[name].values[-1] == pytest.approx(
        float(target.mean()), rel=1e-4)


@pytest.mark.parametrize("loss", [
    lambda p, t: ((d := p - t) * d).mean(), lambda p, t: (3 * (p - t)).abs().mean()])
def test_the_target_of_a_single_number_is_known(tmp_path: Path, loss) -> None:  # type: ignore[no-untyped-def]
    record = train(tmp_path, 1, torch.randn(1, 3), torch.tensor([[7.0]]), loss)
    name = next(iter(record.series(TARGET_MAXIMUM)))
    assert record.series(TARGET_MAXIMUM)[name].values[-1] == pytest.approx(7.0, abs=1e-4)


def test_the_share_out_of_reach_is_that_beyond_the_activation(tmp_path: Path) -> None:
    target = torch.linspace(-1, 3, 40)[:, None]
    record = train(
        tmp_path, 1, torch.randn(40, 2), target, lambda p, t: (p - t).abs().mean(), nn.ReLU())
    share = next(iter(record.series(UNREACHABLE_SHARE).values())).values[0]
    assert share == pytest.approx(float((target < -1e-3).float().mean()))
    assert record.facts(Loss)[0].input_layer == "1"
