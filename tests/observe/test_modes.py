"""Which passes count as training in eval mode and which as validation in train mode."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.judge.engine import diagnose

STEPS = 12


class Lesson:
    """A network with both kinds of layers that depend on the mode."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.x, self.y = torch.randn(STEPS * 8, 6), torch.arange(STEPS * 8) % 3
        self.held = torch.randn(20, 6), torch.arange(20) % 3
        self.model = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05)

    def train(self, before: Callable[[torch.Tensor, torch.Tensor], object] | None = None) -> None:
        for rows in torch.arange(STEPS * 8).split(8):
            x, y = self.x[rows], self.y[rows]
            if before is not None:
                before(x, y)
            self.optimizer.zero_grad()
            F.cross_entropy(self.model(x), y).backward()
            self.optimizer.step()

    @torch.no_grad()
    def validate(self, times: int = 1) -> float:
        x, y = self.held
        return sum(F.cross_entropy(self.model(x), y).item() for _ in range(times)) / times


def forgets_to_switch_back(lesson: Lesson) -> None:
    lesson.train()
    lesson.model.eval()
    lesson.validate()
    lesson.train()


def validates_in_train_mode(lesson: Lesson) -> None:
    lesson.train()
    lesson.validate()
    lesson.train()


def validates_with_gradients(lesson: Lesson) -> None:
    lesson.train()
    F.cross_entropy(lesson.model(lesson.held[0]), lesson.held[1]).item()
    lesson.train()


def averages_dropout_on_purpose(lesson: Lesson) -> None:
    lesson.train()
    lesson.validate(times=5)
    lesson.train()


def freezes_batch_norm(lesson: Lesson) -> None:
    lesson.model[1].eval()
    lesson.train()


def attacks_in_eval_mode(lesson: Lesson) -> None:
    def attack(x: torch.Tensor, y: torch.Tensor) -> None:
        lesson.model.eval()
        F.cross_entropy(lesson.model(x.clone().requires_grad_()), y).backward()
        lesson.model.train()

    lesson.train(attack)


def looks_before_it_trains(lesson: Lesson) -> None:
    def look(x: torch.Tensor, y: torch.Tensor) -> None:
        with torch.no_grad():
            F.cross_entropy(lesson.model(x), y)

    lesson.train(look)


def optimises_an_input(lesson: Lesson) -> None:
    lesson.train()
    lesson.model.eval()
    picture = torch.zeros(1, 6, requires_grad=True)
    optimizer = torch.optim.Adam([picture], lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(lesson.model(picture), torch.tensor([1])).backward()
        optimizer.step()


@pytest.mark.parametrize(("program", "slug"), [
    (forgets_to_switch_back, "training-in-eval-mode"),
    (validates_in_train_mode, "validation-in-train-mode"),
    (validates_with_gradients, "validation-in-train-mode"),
    (averages_dropout_on_purpose, None),
    (freezes_batch_norm, None),
    (attacks_in_eval_mode, None),
    (looks_before_it_trains, None),
    (optimises_an_input, None),
])
def test_modes_count_only_where_they_do_harm(
    program: Callable[[Lesson], None], slug: str | None, tmp_path: Path
) -> None:
    lesson = Lesson()
    with unstuck.watch(tmp_path / "record", overhead=1e9):
        program(lesson)
    found = {f.cause for f in diagnose(tmp_path / "record").counted()}
    modes = found & {"training-in-eval-mode", "validation-in-train-mode"}
    assert modes == ({slug} if slug else set())


def test_no_model_is_kept_alive(tmp_path: Path) -> None:
    with unstuck.watch(tmp_path / "record"):
        lesson = Lesson()
        lesson.model.eval()
        validates_with_gradients(lesson)
        model = weakref.ref(lesson.model)
        del lesson
        gc.collect()
        assert model() is None
