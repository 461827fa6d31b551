"""Weights of 16 bits: the steps that they cannot hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import unstuck
from unstuck.record.reader import Record, read_record
from unstuck.schema.facts.precision import NarrowWeights
from unstuck.schema.signals.precision import LOST_UPDATES


def watched(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> Record:
    dtype = next(model.parameters()).dtype
    with unstuck.watch(out=folder / "record", overhead=1.0):
        for _ in range(12):
            optimizer.zero_grad()
            model(torch.ones(4, 3, dtype=dtype)).float().mean().backward()
            optimizer.step()
    return read_record(folder / "record")


def line(dtype: torch.dtype) -> nn.Linear:
    model = nn.Linear(3, 2)
    nn.init.ones_(model.weight)
    nn.init.ones_(model.bias)
    return model.to(dtype)


def lost(record: Record) -> list[float]:
    return record.series(LOST_UPDATES)["SGD"].values.tolist()


def test_a_step_below_half_of_the_spacing_is_lost(tmp_path: Path) -> None:
    small, large = line(torch.bfloat16), line(torch.bfloat16)
    # The gradient is a half; the numbers next to 1 lie 1/256 below and 1/128 above it.
    record = watched(small, torch.optim.SGD(small.parameters(), lr=1e-3), tmp_path / "small")
    assert set(lost(record)) == {1.0}
    record = watched(large, torch.optim.SGD(large.parameters(), lr=0.1), tmp_path / "large")
    assert set(lost(record)) == {0.0}


def test_weights_of_32_bits_are_not_compared(tmp_path: Path) -> None:
    model = line(torch.float32)
    record = watched(model, torch.optim.SGD(model.parameters(), lr=1e-3), tmp_path)
    assert not record.measured(LOST_UPDATES)
    assert not record.facts(NarrowWeights)


def test_an_eps_that_the_type_rounds_to_zero_is_noted(tmp_path: Path) -> None:
    found = {}
    for dtype in (torch.float16, torch.bfloat16):
        for eps in (1e-8, 1e-4):
            model = line(dtype)
            record = watched(model, torch.optim.Adam(model.parameters(), eps=eps),
                             tmp_path / f"{dtype}-{eps}")
            fact = record.fact(NarrowWeights)
            assert fact is not None
            assert (fact.parameters, fact.of, fact.epsilon) == (2, 2, eps)
            found[fact.dtype, eps] = fact.vanishes
    assert found == {("float16", 1e-8): True, ("float16", 1e-4): False,
                     ("bfloat16", 1e-8): False, ("bfloat16", 1e-4): False}


@pytest.mark.parametrize("masters", [False, True])
def test_updates_by_hand_are_lost_only_without_a_copy_of_more_bits(
    tmp_path: Path, masters: bool
) -> None:
    torch.manual_seed(0)
    model = nn.Linear(32, 8).to(torch.bfloat16)
    weights = list(model.parameters())
    copies = [p.detach().float().clone() for p in weights]
    with unstuck.watch(out=tmp_path / "record", overhead=1e9):
        for _ in range(300):
            x = torch.randn(16, 32, dtype=torch.bfloat16)
            (model(x) - 3).float().square().mean().backward()
            with torch.no_grad():
                for p, copy in zip(weights, copies, strict=True):
                    step = 2e-4 * p.grad.float().sign()
                    if masters:
                        p.copy_(copy.sub_(step))
                    else:
                        p.sub_(step.to(p.dtype))
                    p.grad = None
    lost = read_record(tmp_path / "record").series(LOST_UPDATES)["the hand-written update"]
    assert len(lost) >= 3
    assert (lost.values < 0.3).all() if masters else (lost.values > 0.5).all()
