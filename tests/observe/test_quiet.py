"""Steps that nobody looks at are seen as any other: with and without the short way."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from tests.marks import slow
from unstuck.observe.fast_path import FastPath

STEPS = 300  # beyond those in which every batch is hashed


class Lesson:
    """A small classification and what the programs below do with it."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.x, self.y = torch.randn(96, 6), torch.arange(96) % 3
        self.model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0.1), nn.Linear(12, 3))
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def loss(self, step: int) -> torch.Tensor:
        rows = torch.arange(step * 8, step * 8 + 8) % 96
        loss: torch.Tensor = self.criterion(self.model(self.x[rows]), self.y[rows])
        return loss

    def learn(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def plain(lesson: Lesson) -> None:
    for step in range(STEPS):
        lesson.learn(lesson.loss(step))


def validating(lesson: Lesson) -> None:
    held, labels = torch.randn(20, 6), torch.arange(20) % 3
    for step in range(STEPS):
        lesson.model.train()
        lesson.learn(lesson.loss(step))
        if step % 9 == 0:
            lesson.model.eval()
            with torch.no_grad():
                for part in torch.arange(20).split(7):
                    F.cross_entropy(lesson.model(held[part]), labels[part]).item()
        if step % 31 == 0:  # a look at the data with gradients on
            lesson.loss(step + 3).item()


def scheduled(lesson: Lesson) -> None:
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(lesson.optimizer, STEPS)
    for step in range(STEPS):
        lesson.learn(lesson.loss(step))
        schedule.step()


def accumulating(lesson: Lesson) -> None:
    for step in range(STEPS):
        (lesson.loss(step) / 2).backward()
        if step % 7 == 0:
            continue
        lesson.optimizer.step()
        lesson.optimizer.zero_grad()


def regularised(lesson: Lesson) -> None:
    for step in range(STEPS):
        loss = lesson.loss(step)
        if step % 3 == 0:
            loss = loss + 1e-3 * sum(p.square().sum() for p in lesson.model.parameters())
        lesson.learn(loss)


def two_optimizers(lesson: Lesson) -> None:
    other = torch.optim.SGD(lesson.model[3].parameters(), lr=0.01)
    for step in range(STEPS):
        lesson.learn(lesson.loss(step))
        if step % 40 < 4:
            other.zero_grad()
            lesson.loss(step).backward()
            other.step()


def with_closures(lesson: Lesson) -> None:
    for step in range(STEPS):
        def closure(step: int = step) -> float:
            lesson.optimizer.zero_grad()
            loss = lesson.loss(step)
            loss.backward()
            return loss.item()

        if step % 5:
            lesson.learn(lesson.loss(step))
        else:
            lesson.optimizer.step(closure)


def spoilt(lesson: Lesson) -> None:
    for step in range(STEPS):
        if step == 200:
            lesson.x[3, 2] = float("nan")
        lesson.learn(lesson.loss(step))


def without_a_step(lesson: Lesson) -> None:
    for step in range(STEPS):
        if step in (150, 151, 170):
            lesson.loss(step).backward()
        elif step in (160, 161):
            lesson.optimizer.step()
        else:
            lesson.learn(lesson.loss(step))


def with_other_losses(lesson: Lesson) -> None:
    """Losses of functions: two that are trained on, some that are only looked at."""
    for step in range(STEPS):
        rows = torch.arange(step * 8, step * 8 + 8) % 96
        output = lesson.model(lesson.x[rows])
        loss = F.cross_entropy(output, lesson.y[rows])
        if step % 6 == 0:
            loss = loss + 0.1 * F.mse_loss(output, torch.zeros_like(output))
        lesson.optimizer.zero_grad()
        loss.backward()
        if step % 10 == 0:
            F.cross_entropy(lesson.model(lesson.x), lesson.y).item()
        if step % 17 == 0:
            F.l1_loss(output.detach(), torch.zeros_like(output))
        lesson.optimizer.step()


def with_failures(lesson: Lesson) -> None:
    """A loss that refuses its targets, a batch in place of a tensor, two models in turn."""
    other = nn.Linear(6, 3)
    for step in range(STEPS):
        lesson.learn(lesson.loss(step))
        if step % 20 == 0:
            with suppress(ValueError, RuntimeError):
                F.cross_entropy(lesson.model(lesson.x), lesson.y[:5])
            F.cross_entropy(other(input=lesson.x), lesson.y).backward()


PROGRAMS = (plain, validating, two_optimizers, with_closures, spoilt, without_a_step,
            *map(slow, (scheduled, accumulating, regularised, with_other_losses, with_failures)))


def events(program: Callable[[Lesson], None], folder: Path) -> list[Any]:
    """What a record says, without its times; rows of one signal joined, as flushes cut them."""
    with unstuck.watch(folder, overhead=1e9):
        program(Lesson())
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    rows: dict[tuple[str, str], list[Any]] = {}
    others = []
    for line in lines[1:]:  # the first names the record
        if line["type"] == "step":
            rows.setdefault((line["signal"], line["track"]), []).extend(line["rows"])
        else:
            others.append(line)
    return [others, rows]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_short_way_records_the_same(
    program: Callable[[Lesson], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    lasts = FastPath.lasts

    def noting(self: FastPath) -> bool:
        taken.append(found := lasts(self))
        return found

    monkeypatch.setattr(FastPath, "lasts", noting)
    short = events(program, tmp_path / "short")
    assert any(taken)
    monkeypatch.setattr(FastPath, "lasts", lambda self: False)
    assert events(program, tmp_path / "long") == short
