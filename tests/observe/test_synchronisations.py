"""How often the watching would wait for a device."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import unstuck
from tests.observe.synchronisations import counted
from unstuck.observe.probes import rows
from unstuck.observe.probes.samples import FIRST_STEPS, SPACING
from unstuck.record.reader import read_record

STEPS = 150
MOST_OF_A_LOOK = 60


def test_a_step_that_is_not_looked_at_waits_only_to_know_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "DRAIN_SECONDS", math.inf)  # at some steps, by the clock
    steps = 0
    torch.manual_seed(0)
    x = torch.randn(64, 5)
    y = (x[:, 0] > 0).long()
    with counted(lambda: steps, monkeypatch) as waits, unstuck.watch(tmp_path, overhead=1e9):
        model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            steps += 1
    monkeypatch.undo()
    record = read_record(tmp_path)
    assert record.steps == STEPS
    assert waits.counts[0]  # it does count
    looked = set(record.looks) | {look + 1 for look in record.looks}
    for step in set(range(STEPS)) - looked:
        hashed = step < FIRST_STEPS or step % SPACING == 0
        assert [name.partition(" ")[0] for name in waits.names.get(step, [])] == (
            ["tolist"] * hashed), step
    # No worse than this: a look waits many times so far, which is why looks are few.
    assert max(waits.counts.values()) <= MOST_OF_A_LOOK
