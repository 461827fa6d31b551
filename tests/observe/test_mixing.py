"""Operations that run over the samples of a batch, and those that only look so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import unstuck
from unstuck.record.reader import read_record
from unstuck.schema.facts.models import Pasted

SAMPLES = 12


class Net(nn.Module):
    """Points (N, 8) to two scores; `way` is what its features (N, 6) go through."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.enter, self.head = nn.Linear(8, 6), nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.enter(x)
        if self.way == "softmax over samples":
            h = h * F.softmax(h, dim=0)
        elif self.way == "softmax over features":
            h = h * F.softmax(h, dim=-1)
        elif self.way == "one weight a sample":
            h = h * F.softmax(h[:, :1], dim=0)
        elif self.way == "softmax over samples, one question each":
            h = (h[:, None] * F.softmax(h[:, None], dim=0)).squeeze(1)
        elif self.way == "samples by samples":
            h = F.softmax(h @ h.t(), dim=0) @ h
        elif self.way == "view":
            h = h.view(6, len(x)).t()
        elif self.way == "transpose":
            h = h.t().contiguous().t()
        elif self.way == "view within samples":
            h = h.view(len(x), 2, 3).transpose(1, 2).reshape(len(x), 6)
        return self.head(h)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module], first: bool, every: bool) -> None:
        super().__init__()
        self.layer = kind(8, 8 if kind is nn.GRU else 2, batch_first=first)  # type: ignore[call-arg]
        self.head, self.every = nn.Linear(8, 2), every

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inputs = (x,) if isinstance(self.layer, nn.GRU) else (x, x, x)
        states = self.layer(*inputs)[0]
        return self.head(states if self.every else states[:, -1])


def found(model: nn.Module, x: torch.Tensor, folder: Path) -> list[Pasted]:
    with unstuck.watch(out=folder / "record", overhead=1.0):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
    return list(read_record(folder / "record").facts(Pasted))


@pytest.mark.parametrize(("way", "how"), [
    ("softmax over samples", "softmax"), ("view", "view"), ("softmax over features", None),
    ("softmax over samples, one question each", "softmax"), ("samples by samples", None),
    ("one weight a sample", None), ("transpose", None), ("view within samples", None),
])
def test_operations(way: str, how: str | None, tmp_path: Path) -> None:
    pasted = found(Net(way), torch.randn(SAMPLES, 8), tmp_path)
    assert [p.how for p in pasted] == ([how] if how else [])
    if how:
        assert pasted[0].location is not None
        assert pasted[0].samples == SAMPLES


@pytest.mark.parametrize("kind", [nn.GRU, nn.MultiheadAttention])
@pytest.mark.parametrize(("first", "every", "shape", "wrong"), [
    (False, False, (SAMPLES, 5, 8), True),  # the last step of what are samples
    (True, False, (SAMPLES, 5, 8), False),
    (False, True, (5, SAMPLES, 8), False),  # time comes first, and an output for each step
    (False, True, (SAMPLES, 1, 8), False),  # a single sequence
])
def test_layers_with_time_first(
    kind: type[nn.Module], first: bool, every: bool, shape: tuple[int, ...], wrong: bool,
    tmp_path: Path,
) -> None:
    pasted = found(Recurrent(kind, first, every), torch.randn(shape), tmp_path)
    assert [p.how for p in pasted] == (["order"] if wrong else [])
