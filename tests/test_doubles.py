"""Causes that one record cannot tell apart are named together, with the runs that would tell."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import corpus
import unstuck
from harness.records import record_of
from unstuck.judge import catalogue
from unstuck.judge.engine import diagnose
from unstuck.report.schema import to_dict
from unstuck.schema.findings import Finding


def found(folder: Path) -> dict[str, Finding]:
    return {finding.cause: finding for finding in diagnose(folder).findings}


def train(folder: Path, model: nn.Module, points: torch.Tensor, rate: float) -> Path:
    """A classifier of points, trained under watch; returns its record."""
    labels = (points[:, 0] > points[:, 0].mean()).long()
    generator = torch.Generator().manual_seed(0)
    with unstuck.watch(out=folder / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        for _ in range(200):
            chosen = torch.randint(len(points), (32,), generator=generator)
            loss = functional.cross_entropy(model(points[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return folder / "record"


def test_a_recurrence_that_explodes_and_a_rate_that_is_too_high() -> None:
    record = record_of(corpus.pair_of("exploding-gradients"), "sick")
    findings = found(record)
    for one, other in (("exploding-gradients", "learning-rate-too-high"),
                       ("learning-rate-too-high", "exploding-gradients")):
        present = findings[one].present
        assert present.one_of == (other,)
        assert present.separated_by
        assert "clip" in present.separated_by.words
        assert "learning rate" in present.separated_by.words
        assert {arm.means for arm in present.separated_by.arms} == {
            "the cause is exploding-gradients", "the cause is learning-rate-too-high"}
        assert all(arm.edits for arm in present.separated_by.arms)
    first = to_dict(diagnose(record))["findings"][0]
    assert first["one_of"] == ["learning-rate-too-high"]
    assert "clip" in first["separated_by"]["words"]
    assert len(first["separated_by"]["arms"]) == 2


def test_raw_inputs_and_large_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(),
                          nn.Linear(32, 2))
    with torch.no_grad():
        for layer in (model[0], model[2], model[4]):
            layer.weight.mul_(60)
    findings = found(train(tmp_path, model, 300 * torch.randn(500, 6) + 900, 0.05))
    assert findings["inputs-not-normalised"].one_of == ("bad-initialisation",)
    assert findings["bad-initialisation"].one_of == ("inputs-not-normalised",)


def test_what_stands_alone_is_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    findings = found(train(tmp_path, model, torch.randn(500, 6), 400.0))
    assert findings["learning-rate-too-high"].one_of == ()


def test_a_double_that_could_not_be_looked_for(tmp_path: Path) -> None:
    """A compiled model hides its layers, and whether gradients grow through them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    compiled = torch.compile(model, backend="eager")
    findings = found(train(tmp_path, compiled, torch.randn(500, 6), 400.0))  # type: ignore[arg-type]
    present = findings["learning-rate-too-high"].present
    assert present.one_of == ("exploding-gradients",)
    assert present.separated_by


def test_doubles_are_causes() -> None:
    causes = {cause.slug: cause for cause in catalogue.causes()}
    for cause in causes.values():
        for other in cause.alike:
            assert other in causes
            assert cause.slug not in causes[other].alike, "said on one side only"
