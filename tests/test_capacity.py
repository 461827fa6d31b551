"""Capacity and restraint on small trainings: what the data hold decides, and which came first."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import unstuck
from unstuck.judge.engine import diagnose
from unstuck.measures.capacity import Width, hidden
from unstuck.schema.findings import Absent, Present, Verdict


def waves(count: int, seed: int, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of four features and numbers that bend with them."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, 4, generator=generator) * 4 - 2
    values = torch.sin(2 * points[:, 0]) + points[:, 1] * points[:, 2]
    values = values + noise * torch.randn(count, generator=generator)
    return points, values / values.std()


def train(
    folder: Path, model: nn.Module, noise: float = 0.0, decay: float = 0.0, epochs: int = 40
) -> dict[str, Verdict]:
    """Verdicts on a regression with Adam, by slug."""
    x, y = waves(480, 0, noise)
    x_held, y_held = waves(240, 1, noise)
    shuffled = torch.Generator().manual_seed(2)
    with unstuck.watch(out=folder / "record", overhead=1.0):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=decay)
        for _ in range(epochs):
            model.train()
            for rows in torch.randperm(len(x), generator=shuffled).split(32):
                optimizer.zero_grad()
                loss = functional.mse_loss(model(x[rows]).squeeze(1), y[rows])
                loss.backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                functional.mse_loss(model(x_held).squeeze(1), y_held)
    return dict(diagnose(folder / "record").verdicts)


def layers(*sizes: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers with activations between them."""
    torch.manual_seed(3)
    stack: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        stack += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*stack[:-1])


# Behind the data ---------------------------------------------------------------------------------
def test_numbers_that_one_unit_cannot_pass_on(tmp_path: Path) -> None:
    narrow = train(tmp_path / "narrow", layers(4, 1, 32, 1))["too-narrow"]
    assert isinstance(narrow, Present)
    assert narrow.one_of
    assert narrow.separated_by
    assert {each.signal for each in narrow.evidence} == {"learning-curve", "train-loss"}
    wide = train(tmp_path / "wide", layers(4, 64, 64, 1))
    assert all(isinstance(wide[slug], Absent) for slug in
               ("too-narrow", "too-shallow", "too-deep", "too-wide", "too-much-regularisation"))


def test_no_hidden_layer_for_numbers_that_bend(tmp_path: Path) -> None:
    assert isinstance(train(tmp_path, layers(4, 1))["too-shallow"], Present)


def test_noise_is_no_want_of_capacity(tmp_path: Path) -> None:
    found = train(tmp_path, layers(4, 1), noise=8.0)["too-shallow"]
    assert isinstance(found, Absent)
    assert "baseline model" in found.reason


def test_heads_side_by_side_are_not_hidden() -> None:
    trunk, price, kind = (Width("trunk", 8, 64, False), Width("price", 64, 1, False),
                          Width("kind", 64, 3, False))
    assert hidden([trunk, price, kind]) == [trunk]
    flattened = Width("conv", 9, 2, True), Width("out", 2 * 16, 10, False)
    assert hidden(list(flattened)) == [flattened[0]]


# Decay -------------------------------------------------------------------------------------------
def test_a_decay_that_beats_the_loss(tmp_path: Path) -> None:
    found = train(tmp_path, layers(4, 32, 32, 1), decay=1.0)["too-much-regularisation"]
    assert isinstance(found, Present)
    assert found.strength >= 0.7
    assert found.location is not None
    assert "weight_decay=decay" in (found.location.text or "")


def test_a_gradient_that_vanished_leaves_the_weights_to_any_decay(tmp_path: Path) -> None:
    deep = layers(4, *[16] * 14, 1, activation=nn.Sigmoid)
    verdicts = train(tmp_path, deep, decay=1e-4)
    assert isinstance(verdicts["vanishing-gradients"], Present)
    assert isinstance(verdicts["too-deep"], Present)
    assert isinstance(verdicts["too-much-regularisation"], Absent)
