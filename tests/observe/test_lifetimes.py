"""Graphs that outlive their step: of losses, of outputs, and of a loss that is an output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.record.reader import read_record
from unstuck.schema.facts.losses import RetainedGraph

X = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] > 0).long()


class WithLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.layer(x)
        return F.cross_entropy(out, Y), out


def kept(
    model: nn.Module, choose: Callable[[torch.Tensor, torch.Tensor], object], folder: Path
) -> dict[str, RetainedGraph]:
    """What is alive at the end of a training that holds on to something of each step."""
    with unstuck.watch(out=folder / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        held = []
        for _ in range(16):
            found = model(X)
            loss, out = found if isinstance(found, tuple) else (F.cross_entropy(found, Y), found)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            held.append(choose(loss, out))
            del found, loss, out
    return {fact.name: fact for fact in read_record(folder / "record").facts(RetainedGraph)}


def test_outputs(tmp_path: Path) -> None:
    found = kept(nn.Linear(6, 2), lambda loss, out: out, tmp_path)
    assert set(found) == {"output"}
    assert found["output"].output
    assert found["output"].alive > 5


def test_losses_keep_the_outputs_they_came_from(tmp_path: Path) -> None:
    found = kept(nn.Linear(6, 2), lambda loss, out: loss, tmp_path)
    assert {name: fact.output for name, fact in found.items()} == {
        "cross_entropy": False, "output": True}


def test_a_model_that_puts_out_its_loss(tmp_path: Path) -> None:
    found = kept(WithLoss(), lambda loss, out: loss, tmp_path)
    assert set(found) == {"cross_entropy"}


def test_numbers_keep_nothing(tmp_path: Path) -> None:
    assert kept(nn.Linear(6, 2), lambda loss, out: loss.item(), tmp_path) == {}
