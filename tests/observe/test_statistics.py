"""Means, deviations, quantiles and counts that a change of the program would write into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.sources import record_of
from unstuck.record.reader import Record
from unstuck.schema.facts.statistics import QUANTILES, Statistics, Subject

pytestmark = pytest.mark.usefixtures("seeded")

TRAIN = """
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
for step in range(60):
    rows = slice(step * 32 % 320, step * 32 % 320 + 32)
    optimizer.zero_grad()
    loss(model(x[rows]), y[rows]).backward()
    optimizer.step()
    with torch.no_grad():
        loss(model(x[:32] * 1000), y[:32])
"""


def statistics(record: Record) -> dict[Subject, Statistics]:
    return {fact.subject: fact for fact in record.facts(Statistics)}


def test_features_and_targets_of_a_table(tmp_path: Path) -> None:
    found = statistics(record_of("""
x = torch.randn(320, 3) * torch.tensor([1., 10., 100.]) + torch.tensor([0., 5., -50.])
x[7, 1] = float("nan")
y = 40 + 8 * torch.randn(320, 1)
model, loss = nn.Linear(3, 1), nn.MSELoss()
""" + TRAIN, tmp_path))
    inputs, targets = found[Subject.INPUTS], found[Subject.TARGETS]
    assert inputs.axis == 1
    assert inputs.mean == pytest.approx((0, 5, -50), abs=12)
    assert inputs.deviation == pytest.approx((1, 10, 100), rel=0.15)
    assert inputs.samples > 300
    assert targets.of == "mse_loss"
    assert targets.mean == pytest.approx((40,), abs=1)
    assert targets.deviation == pytest.approx((8,), rel=0.15)
    assert dict(zip(QUANTILES, targets.quantiles, strict=True))[0.5] == pytest.approx(40, abs=2)
    assert targets.quantiles == tuple(sorted(targets.quantiles))


def test_channels_of_images_and_counts_of_classes(tmp_path: Path) -> None:
    found = statistics(record_of("""
x = torch.randn(320, 2, 6, 6) * torch.tensor([1., 20.]).reshape(1, 2, 1, 1)
y = (torch.arange(320) % 10 == 0).long()
model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 2))
loss = nn.CrossEntropyLoss()
""" + TRAIN, tmp_path))
    inputs, targets = found[Subject.INPUTS], found[Subject.TARGETS]
    assert inputs.axis == 1
    assert inputs.deviation == pytest.approx((1, 20), rel=0.1)
    counts = {one.label: one.count for one in targets.classes}
    assert set(counts) == {0, 1}
    assert counts[1] / targets.samples == pytest.approx(0.1, abs=0.02)
    assert targets.mean == ()


def test_very_many_features_share_their_numbers(tmp_path: Path) -> None:
    found = statistics(record_of("""
x, y = torch.rand(320, 5000), torch.randn(320, 1)
model, loss = nn.Linear(5000, 1), nn.MSELoss()
""" + TRAIN, tmp_path))
    assert found[Subject.INPUTS].axis is None
    assert found[Subject.INPUTS].mean == pytest.approx((0.5,), abs=0.01)
