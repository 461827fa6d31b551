"""A training's state is kept while it is watched, and a later run can go on from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from unstuck.folders import kept_states
from unstuck.observe.kept import EVERY
from unstuck.observe.session import Options, Session
from unstuck.record.reader import read_record
from unstuck.schema.facts.run import End, EndKind

Trained = tuple[nn.Module, torch.optim.Optimizer, list[float]]


def train(steps: int, width: int = 8, spoil: int | None = None) -> Trained:
    """A small training with a schedule and a model that follows another; the rate of each step."""
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    y = x.sum(1, keepdim=True)
    model = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.Linear(width, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 ** (step / EVERY))
    rates = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        if step == spoil:
            with torch.no_grad():
                next(model.parameters()).fill_(float("nan"))
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return model, optimizer, rates


def watched(folder: Path, work: Callable[[], Trained], *, keep: bool = False,
            restore: Path | None = None) -> Trained:
    session = Session.start(Options(folder, overhead=1.0, keep_state=keep, restore=restore))
    try:
        return work()
    finally:
        session.finish(End(EndKind.FINISHED))


def test_the_last_two_states_are_there_and_training_is_the_same(tmp_path: Path) -> None:
    bare, _, _ = train(3 * EVERY + 50)
    model, _, _ = watched(tmp_path, lambda: train(3 * EVERY + 50), keep=True)
    for one, other in zip(bare.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    states = kept_states(tmp_path)
    assert [step for step, _ in states] == [2 * EVERY + 1, 3 * EVERY + 1]
    assert all(os.stat(file).st_mode & 0o077 == 0 for _, file in states)
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["events.jsonl", *(file.name for _, file in states)])


def test_a_training_goes_on_from_a_state(tmp_path: Path) -> None:
    _, _, rates = watched(tmp_path / "a", lambda: train(2 * EVERY + 20), keep=True)
    step, file = kept_states(tmp_path / "a")[-1]
    model, optimizer, again = watched(tmp_path / "b", lambda: train(20), restore=file)
    # The schedule's first rate is what was kept; from its first step on it counts as if it had run.
    assert again[1:] == pytest.approx(rates[step:step + 19])
    state = optimizer.state[next(model.parameters())]
    assert int(state["step"]) == step + 20
    whole, _, _ = train(step + 20)
    for one, other in zip(whole.parameters(), model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_a_state_that_is_not_finite_is_none_to_go_back_to(tmp_path: Path) -> None:
    watched(tmp_path, lambda: train(4 * EVERY, spoil=2 * EVERY + 20), keep=True)
    assert [step for step, _ in kept_states(tmp_path)] == [EVERY + 1, 2 * EVERY + 1]


def test_another_model_does_not_take_it(tmp_path: Path) -> None:
    watched(tmp_path / "a", lambda: train(EVERY + 20), keep=True)
    _, file = kept_states(tmp_path / "a")[-1]
    with pytest.raises(SystemExit, match="another model"):
        watched(tmp_path / "b", lambda: train(20, width=9), restore=file)


def test_what_cannot_be_kept_is_said_and_the_rest_is_watched(tmp_path: Path) -> None:
    class Odd(torch.optim.SGD):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            super().step()
            for parameter in self.param_groups[0]["params"]:
                self.state[parameter]["memory"] = object()

    def work() -> Trained:
        model = nn.Linear(4, 1)
        optimizer = Odd(model.parameters(), lr=0.01)
        for _ in range(EVERY + 50):
            optimizer.zero_grad()
            model(torch.ones(8, 4)).pow(2).mean().backward()
            optimizer.step()
        return model, optimizer, []

    watched(tmp_path, work, keep=True)
    assert not kept_states(tmp_path)
    record = read_record(tmp_path)
    assert record.steps == EVERY + 50
    assert any("an object of object" in each.says for each in record.oddities)
